/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#define RULE "services: { s: [ { when: { called: { file: list.csv } }, do: reject } ] }\n"

static void version(const char *yaml, char ret_version[17])
{
	struct config *config = expect_config(yaml);

	assert_int_equal(strlen(config->version), 16);
	memcpy(ret_version, config->version, 17);
	config_destroy(config);
}

static void the_same_values_have_the_same_version(void **state)
{
	char first[17], second[17];

	(void)state;
	version(BASE "limits: { calls: 5 }\n", first);
	version("# written another way\n" BASE "limits:\n  calls: \"5\"\n", second);
	assert_string_equal(first, second);
}

static void another_value_has_another_version(void **state)
{
	char first[17], second[17];

	(void)state;
	version(BASE "limits: { calls: 5 }\n", first);
	version(BASE "limits: { calls: 6 }\n", second);
	assert_string_not_equal(first, second);
}

static void lists_in_files_count(void **state)
{
	char first[17], second[17];

	(void)state;
	put("list.csv", "+4799000001\n");
	version(BASE RULE, first);
	put("list.csv", "+4799000002\n");
	version(BASE RULE, second);
	assert_string_not_equal(first, second);
	put("list.csv", "# only the remark differs\n+4799000001, me\n");
	version(BASE RULE, second);
	assert_string_equal(first, second);

	put("numbers.csv", "+4799000001,loop\n");
	version(BASE "registrations: [ { file: numbers.csv } ]\n", first);
	put("numbers.csv", "+4799000001,loop_mo\n");
	version(BASE "registrations: [ { file: numbers.csv } ]\n", second);
	assert_string_not_equal(first, second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(the_same_values_have_the_same_version),
		IN_FOLDER(another_value_has_another_version),
		IN_FOLDER(lists_in_files_count),
	};

	return cmocka_run_group_tests_name("config/version", tests, NULL, NULL);
}
