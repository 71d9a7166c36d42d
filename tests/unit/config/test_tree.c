/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

static void broken_yaml_is_placed(void **state)
{
	(void)state;
	expect("domain: \"x\n",
	       ERROR(2, 1,
		     "not valid YAML: found unexpected end of stream while scanning a quoted "
		     "scalar. Check indentation, quotes and brackets here"));
	expect("sip:\n\tlisten: x\n",
	       ERROR(2, 1,
		     "not valid YAML: found character that cannot start any token while "
		     "scanning for the next token. Check indentation, quotes and brackets "
		     "here"));
	expect("a: 1\n b: 2\n",
	       ERROR(2, 3,
		     "not valid YAML: mapping values are not allowed in this context. Check "
		     "indentation, quotes and brackets here"));
}

static void text_that_is_not_utf8_is_placed(void **state)
{
	static const char nul[] = "domain: a\n# \0\n";

	(void)state;
	expect("domain: bl\xc3\xa5\nsip: \xff\n",
	       ERROR(2, 6,
		     "not readable as text: invalid leading UTF-8 octet. Save the file as "
		     "UTF-8"));
	expect("domain: a\n# \xc3\xa5 \xc3(\n",
	       ERROR(2, 6,
		     "not readable as text: invalid trailing UTF-8 octet. Save the file as "
		     "UTF-8"));
	put_bytes("breakout.yaml", nul, sizeof(nul) - 1);
	expect(NULL, ERROR(2, 3,
			   "not readable as text: control characters are not allowed. Save "
			   "the file as UTF-8"));
}

static void an_escaped_nul_is_refused(void **state)
{
	(void)state;
	expect("domain: \"a\\0b\"\n",
	       ERROR(1, 9, "the text contains a NUL character. Remove the `\\0`"));
}

static void a_key_given_twice_names_the_first(void **state)
{
	(void)state;
	expect(BASE "log: { level: info }\nstop: {}\nlog: { level: debug }\n",
	       ERROR(7, 1, "`log` is given twice; first in line 5. Remove one"));
}

static void a_key_must_be_a_word(void **state)
{
	(void)state;
	expect("? [a, b]\n: c\n",
	       ERROR(1, 3, "a key must be a word, not a list or a mapping. Write `key: value`"));
}

static void the_file_must_be_one_mapping(void **state)
{
	(void)state;
	expect("- a\n", ERROR(1, 1, "the file must be a mapping. Write `key: value` lines"));
	expect("word\n", ERROR(1, 1, "the file must be a mapping. Write `key: value` lines"));
	expect("a: 1\n---\nb: 1\n",
	       ERROR(2, 1,
		     "a second document begins here. Write one document per file, without "
		     "`---` lines in between"));
}

static void aliases_stand_for_their_anchor(void **state)
{
	struct config *config = expect_config(
		BASE "trunks:\n"
		     "  - { name: a, uris: &uris [sip:a, sip:b], trusted: &nets [10.0.0.0/8] }\n"
		     "  - { name: b, uris: *uris, trusted: *nets }\n");

	(void)state;
	assert_int_equal(config->trunks[1].uri_count, 2);
	assert_string_equal(config->trunks[1].uris[1], "sip:b");
	config_destroy(config);
}

static void merging_a_file_leaves_other_users_of_an_anchor_alone(void **state)
{
	struct config *config;

	(void)state;
	put("conf.d/a.yaml", "services:\n  one:\n    - do: reject\n");
	config = expect_config(BASE "services:\n  one: &rules\n    - do: loop\n  two: *rules\n");
	assert_int_equal(config->services[1].rule_count, 2);
	assert_int_equal(config->services[2].rule_count, 1);
	config_destroy(config);
}

static void an_alias_without_anchor_is_refused(void **state)
{
	(void)state;
	expect("a: *nobody\n", ERROR(1, 4,
				     "the alias `*nobody` has no complete anchor `&nobody` "
				     "before it. Define the anchor above"));
	expect("a: &a [ *a ]\n", ERROR(1, 9,
				       "the alias `*a` has no complete anchor `&a` before it. "
				       "Define the anchor above"));
}

static void deep_nesting_is_refused(void **state)
{
	char yaml[200000];

	(void)state;
	memset(yaml, '[', sizeof(yaml));
	yaml[sizeof(yaml) - 1] = '\0';
	memcpy(yaml, "a: ", 3);
	expect(yaml, ERROR(1, 35, "nested deeper than 32 levels. Flatten it"));
	expect("a: &a [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]\nb: [[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]\n",
	       ERROR(2, 20, "nested deeper than 32 levels. Flatten it"));
}

static void aliases_of_aliases_do_not_grow_without_bound(void **state)
{
	struct str yaml = { 0 };

	(void)state;
	str_add(&yaml, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 20; i++)
		str_addf(&yaml, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1,
			 i - 1, i - 1, i - 1, i - 1, i - 1);
	expect(yaml.text, ERROR(9, 5, "aliases expand to more than 4 million values. Use fewer"));
	str_done(&yaml);
}

static void a_huge_file_is_refused(void **state)
{
	size_t length = (16u << 20) + 1;
	char *bytes = malloc(length);

	(void)state;
	assert_non_null(bytes);
	memset(bytes, '\n', length);
	put_bytes("breakout.yaml", bytes, length);
	free(bytes);
	expect(NULL, ERROR(1, 1,
			   "larger than 16 MiB. Put long lists of numbers into a CSV file and "
			   "name it with `file:`"));
}

static void a_mapping_with_too_many_keys_is_refused(void **state)
{
	struct str yaml = { 0 };

	(void)state;
	for (int i = 0; i <= 10000; i++)
		str_addf(&yaml, "k%d: 1\n", i);
	expect(yaml.text, ERROR(10001, 1, "a mapping has more than 10000 keys. Split it"));
	str_done(&yaml);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(broken_yaml_is_placed),
		IN_FOLDER(text_that_is_not_utf8_is_placed),
		IN_FOLDER(an_escaped_nul_is_refused),
		IN_FOLDER(a_key_given_twice_names_the_first),
		IN_FOLDER(a_key_must_be_a_word),
		IN_FOLDER(the_file_must_be_one_mapping),
		IN_FOLDER(aliases_stand_for_their_anchor),
		IN_FOLDER(merging_a_file_leaves_other_users_of_an_anchor_alone),
		IN_FOLDER(an_alias_without_anchor_is_refused),
		IN_FOLDER(deep_nesting_is_refused),
		IN_FOLDER(aliases_of_aliases_do_not_grow_without_bound),
		IN_FOLDER(a_huge_file_is_refused),
		IN_FOLDER(a_mapping_with_too_many_keys_is_refused),
	};
	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
