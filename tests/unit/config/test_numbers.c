/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#define RULE(when) "services: { s: [ { when: { " when " }, do: reject } ] }\n"

static void a_list_is_read_from_its_file(void **state)
{
	struct config *config;
	const struct config_pattern *called;

	(void)state;
	put("do-not-call.csv", "\xef\xbb\xbf# register of 2026\n+4799000002, Nordmann\n\n"
			       "  +4799000001\r\n1881\n01881\n+4799000001\n");
	config = expect_config(BASE RULE("called: { file: do-not-call.csv }"));
	called = config->services[1].rules[0].called;
	assert_int_equal(config->services[1].rules[0].called_count, 1);
	assert_int_equal(called->kind, PATTERN_LIST);
	assert_int_equal(called->list->count, 4); /* one of them twice */
	assert_true(config_pattern_matches(called, "+4799000001"));
	assert_true(config_pattern_matches(called, "+4799000002"));
	assert_true(config_pattern_matches(called, "1881"));
	assert_true(config_pattern_matches(called, "01881"));
	assert_false(config_pattern_matches(called, "001881"));
	assert_false(config_pattern_matches(called, "+1881"));
	assert_false(config_pattern_matches(called, "4799000001"));
	assert_false(config_pattern_matches(called, "+47990000011"));
	assert_false(config_pattern_matches(called, ""));
	assert_false(config_pattern_matches(called, "+4799000001;npdi"));
	assert_false(config_pattern_matches(called, "12345678901234567890"));
	config_destroy(config);
}

static void a_file_that_two_rules_name_is_read_once(void **state)
{
	struct config *config;

	(void)state;
	put("blocked.csv", "+4799000001\n");
	config = expect_config(BASE RULE("caller: [ anonymous, { file: blocked.csv }, +46* ], "
					 "called: { file: blocked.csv }"));
	assert_int_equal(config->services[1].rules[0].caller_count, 3);
	assert_ptr_equal(config->services[1].rules[0].callers[1].list,
			 config->services[1].rules[0].called[0].list);
	assert_null(config->lists->next);
	config_destroy(config);
}

static void an_empty_list_matches_nobody(void **state)
{
	struct config *config;

	(void)state;
	put("blocked.csv", "# nobody\n");
	config = expect_config(BASE RULE("caller: { file: blocked.csv }"));
	assert_false(config_pattern_matches(config->services[1].rules[0].callers, "+4799000001"));
	config_destroy(config);
}

#define NO_NUMBER                                                                                  \
	" is not a number. Write 1 to 15 digits, with + and country code as the core does\n"

static void mistakes_are_found_with_their_line(void **state)
{
	(void)state;
	put("blocked.csv", "+4799000001\n+47 99 00 00 02\n\n+\n+4799000000000001\n");
	expect(BASE RULE("caller: { file: blocked.csv }"),
	       "blocked.csv:2:1: error: `+4***02`" NO_NUMBER
	       "blocked.csv:4:1: error: `***`" NO_NUMBER
	       "blocked.csv:5:1: error: `+4***01`" NO_NUMBER);
	expect(BASE RULE("caller: { file: nowhere.csv }"),
	       ERROR(5, 36,
		     "cannot read nowhere.csv: No such file or directory. Check path and "
		     "permissions"));
	expect(BASE RULE("caller: { fiel: blocked.csv }"),
	       ERROR(5, 36, "`list.file` is missing: a text file of one entry a line")
		       ERROR(5, 38, "unknown key `fiel` in `list`. Did you mean `file`?"));
	expect(BASE RULE("caller: [ [ anonymous ] ]"),
	       ERROR(5, 38, "`when.caller` holds a list in a list. Write one list"));
}

/* The size that a national register has. */
static void a_million_numbers_take_eight_bytes_each(void **state)
{
	char path[160];
	struct config *config;
	const struct config_pattern *called;
	FILE *file;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/list.csv", folder);
	file = fopen(path, "w");
	assert_non_null(file);
	for (unsigned i = 0; i < 1000000; i++)
		fprintf(file, "+47%08u\n", i * 17 % 100000000);
	assert_int_equal(fclose(file), 0);
	config = expect_config(BASE RULE("called: { file: list.csv }"));
	called = config->services[1].rules[0].called;
	assert_int_equal(called->list->count, 1000000);
	assert_int_equal(sizeof(*called->list->keys), 8);
	assert_true(config_pattern_matches(called, "+4700000017"));
	assert_true(config_pattern_matches(called, "+4716999983"));
	assert_false(config_pattern_matches(called, "+4700000018"));
	config_destroy(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_list_is_read_from_its_file),
		IN_FOLDER(a_file_that_two_rules_name_is_read_once),
		IN_FOLDER(an_empty_list_matches_nobody),
		IN_FOLDER(mistakes_are_found_with_their_line),
		IN_FOLDER(a_million_numbers_take_eight_bytes_each),
	};

	return cmocka_run_group_tests_name("config/numbers", tests, NULL, NULL);
}
