/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "config/findings.h"

static void findings_come_sorted_by_file_and_place(void **state)
{
	struct findings findings = { 0 };
	struct str out = { 0 };

	(void)state;
	assert_int_equal(findings_add_file(&findings, "b.yaml"), 1);
	assert_int_equal(findings_add_file(&findings, "a.yaml"), 2);
	find_error(&findings, (struct place){ 2, 1, 1 }, "last");
	find_warning(&findings, (struct place){ 1, 10, 2 }, "third %d", 3);
	find_error(&findings, (struct place){ 1, 9, 20 }, "second");
	find_error(&findings, (struct place){ 1, 9, 3 }, "first");
	find_error(&findings, (struct place){ 2, 1, 1 }, "after last");
	assert_int_equal(findings.errors, 4);
	findings_write(&findings, &out);
	assert_string_equal(out.text, "b.yaml:9:3: error: first\n"
				      "b.yaml:9:20: error: second\n"
				      "b.yaml:10:2: warning: third 3\n"
				      "a.yaml:1:1: error: last\n"
				      "a.yaml:1:1: error: after last\n");
	str_done(&out);
	findings_done(&findings);
}

static void a_finding_stays_one_line(void **state)
{
	struct findings findings = { 0 };
	struct str out = { 0 };

	(void)state;
	assert_int_equal(findings_add_file(&findings, "a"), 1);
	find_error(&findings, (struct place){ 1, 1, 1 }, "x%s", "\n\x1b[2J\x7f");
	findings_write(&findings, &out);
	assert_string_equal(out.text, "a:1:1: error: x??[2J?\n");
	str_done(&out);
	findings_done(&findings);
}

static void a_flood_is_cut_and_counted(void **state)
{
	struct findings findings = { 0 };
	struct str out = { 0 };

	(void)state;
	assert_int_equal(findings_add_file(&findings, "a"), 1);
	for (uint32_t i = 0; i < 5000; i++)
		find_error(&findings, (struct place){ 1, i + 1, 1 }, "x");
	assert_int_equal(findings.errors, 5000);
	findings_write(&findings, &out);
	assert_non_null(strstr(out.text, "a:1000:1: error: x\n"));
	assert_null(strstr(out.text, "a:1001:1"));
	assert_non_null(strstr(
		out.text, "a:1:1: error: 4000 more findings are not shown. Mend these first\n"));
	str_done(&out);
	findings_done(&findings);
}

static void no_finding_writes_nothing(void **state)
{
	struct findings findings = { 0 };
	struct str out = { 0 };

	(void)state;
	findings_write(&findings, &out);
	assert_null(out.text);
	assert_string_equal(findings_file(&findings, 0), "built-in");
	assert_string_equal(findings_file(&findings, 9), "built-in");
	findings_done(&findings);
}

static const char *get(const void *list, size_t i)
{
	return ((const char *const *)list)[i];
}

static void a_slip_finds_the_word_meant(void **state)
{
	static const char *const words[] = { "listen", "certificate", "private_key", "t1", "ring" };
	static const struct {
		const char *slip, *word;
	} cases[] = {
		{ "listne", "listen" },
		{ "lisen", "listen" },
		{ "listten", "listen" },
		{ "certifcate", "certificate" },
		{ "privatekey", "private_key" },
		{ "rng", "ring" },
		{ "rign", "ring" },
		{ "t2", NULL },
		{ "colour", NULL },
		{ "", NULL },
		{ "l", NULL },
		{ "wring", "ring" },
		{ "song", NULL },
	};
	char longest[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *found = find_similar(cases[i].slip, get, words, ARRAY_SIZE(words));

		if (cases[i].word)
			assert_string_equal(found, cases[i].word);
		else
			assert_null(found);
	}
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_null(find_similar(longest, get, words, ARRAY_SIZE(words)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(findings_come_sorted_by_file_and_place),
		cmocka_unit_test(a_finding_stays_one_line),
		cmocka_unit_test(a_flood_is_cut_and_counted),
		cmocka_unit_test(no_finding_writes_nothing),
		cmocka_unit_test(a_slip_finds_the_word_meant),
	};
	return cmocka_run_group_tests_name("findings", tests, NULL, NULL);
}
