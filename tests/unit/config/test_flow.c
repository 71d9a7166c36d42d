/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#include "config/flow.h"

static void expect_flow(const char *yaml, const char *line)
{
	struct arena arena = { 0 };
	struct findings findings = { 0 };
	uint32_t file = findings_add_file(&findings, "x");
	const struct node *node = tree_read_value(&arena, &findings, file, yaml);
	struct str out = { 0 };

	assert_non_null(node);
	flow_add(&out, node);
	assert_string_equal(out.text, line);
	/* It means the same when it is read again. */
	if (!strstr(line, "***")) {
		const struct node *again = tree_read_value(&arena, &findings, file, line);
		struct str twice = { 0 };

		assert_non_null(again);
		flow_add(&twice, again);
		assert_string_equal(twice.text, line);
		str_done(&twice);
	}
	str_done(&out);
	findings_done(&findings);
	arena_done(&arena);
}

static void a_tree_fits_on_one_line(void **state)
{
	(void)state;
	expect_flow("a:\n  - 1\n  - b c\nd: {}\ne: []\nf: ~\n",
		    "{ a: [1, \"b c\"], d: {}, e: [], f: null }");
	expect_flow("+4799000001", "+4799000001");
}

static void what_yaml_would_misread_is_quoted(void **state)
{
	(void)state;
	expect_flow("\"null\"", "\"null\"");
	expect_flow("'*.example.com'", "\"*.example.com\"");
	expect_flow("['tls://[::]:5061', 'a: b', 'x #y', 'say \"hi\"', 'a:']",
		    "[\"tls://[::]:5061\", \"a: b\", \"x #y\", \"say \\\"hi\\\"\", \"a:\"]");
}

static void passwords_are_not_shown(void **state)
{
	(void)state;
	expect_flow("postgresql://tas:hunter2@db.example.com/tas?sslmode=verify-full",
		    "postgresql://tas:***@db.example.com/tas?sslmode=verify-full");
	expect_flow("https://crm.example.com/a:b@c", "https://crm.example.com/a:b@c");
	expect_flow("{ client_secret: hunter2, password_file: p }",
		    "{ client_secret: ***, password_file: p }");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tree_fits_on_one_line),
		cmocka_unit_test(what_yaml_would_misread_is_quoted),
		cmocka_unit_test(passwords_are_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
