/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#include "config/keys.h"
#include "config/reference.h"

static char *read_page(const char *path)
{
	struct str text = { 0 };
	FILE *file = fopen(path, "r");
	char block[4096];
	size_t got;

	assert_non_null(file);
	while ((got = fread(block, 1, sizeof(block), file)) > 0)
		str_add_n(&text, block, got);
	assert_int_equal(fclose(file), 0);
	return str_take(&text);
}

/* Says the first line that differs, which a whole page would hide. */
static void expect_page(const char *path, void (*make)(struct str *out))
{
	struct str made = { 0 };
	char *page = read_page(path);
	size_t same = 0, line = 0;

	make(&made);
	assert_non_null(made.text);
	while (page[same] && page[same] == made.text[same])
		same++;
	while (same && line < same && page[same - line - 1] != '\n')
		line++;
	if (page[same] || made.text[same])
		fail_msg("%s is older than the tables: run `cmake --build build --target "
			 "reference`\n  page:   %.100s\n  tables: %.100s",
			 path, page + same - line, made.text + same - line);
	free(page);
	str_done(&made);
}

static void the_pages_say_what_the_tables_say(void **state)
{
	(void)state;
	expect_page("docs/configuration.md", reference_markdown);
	expect_page("packaging/man/breakout.yaml.5", reference_man);
}

static void check_table(const struct schema *schema, enum config_apply apply)
{
	for (size_t i = 0; i < schema->count; i++) {
		const struct key *key = &schema->keys[i];
		enum config_apply own = key->apply ? key->apply : apply;

		if (own == CONFIG_APPLY_AS_PARENT)
			fail_msg("`%s` of `%s` does not say what a reload does with it: add .apply",
				 key->name, schema->name);
		if (!key->help || !*key->help || key->help[strlen(key->help) - 1] == '.')
			fail_msg("`%s` of `%s` has no .help, or a full stop at its end", key->name,
				 schema->name);
		if (key->schema)
			check_table(key->schema, own);
	}
}

static void every_key_says_what_it_is_and_what_a_reload_does(void **state)
{
	(void)state;
	check_table(&config_schema, CONFIG_APPLY_AS_PARENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pages_say_what_the_tables_say),
		cmocka_unit_test(every_key_says_what_it_is_and_what_a_reload_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
