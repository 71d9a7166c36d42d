/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static void text_grows_and_is_taken(void **state)
{
	struct str str = { 0 };
	char *text;

	(void)state;
	for (int i = 0; i < 100; i++)
		str_addf(&str, "%d,", i);
	str_add(&str, "end");
	str_add_n(&str, "ing", 1);
	assert_int_equal(str.length, strlen(str.text));
	text = str_take(&str);
	assert_non_null(strstr(text, "98,99,endi"));
	assert_null(str.text);
	free(text);
}

/* At every place around the end of the room. */
static void a_format_that_does_not_fit_is_written_whole(void **state)
{
	char text[201];

	(void)state;
	for (int before = 0; before < 130; before++) {
		for (int length = 0; length <= 200; length += 7) {
			struct str str = { 0 };

			memset(text, 'x', sizeof(text));
			text[length] = '\0';
			for (int i = 0; i < before; i++)
				str_add(&str, "-");
			str_addf(&str, "<%s>%d", text, 7);
			assert_int_equal(str.length, before + length + 3);
			assert_int_equal(strlen(str.text), str.length);
			assert_string_equal(str.text + str.length - 2, ">7");
			str_done(&str);
		}
	}
}

static void nothing_added_is_taken_as_empty_text(void **state)
{
	struct str str = { 0 };
	char *text = str_take(&str);

	(void)state;
	assert_string_equal(text, "");
	free(text);
}

static void a_failed_text_drops_everything_and_is_taken_as_null(void **state)
{
	volatile size_t huge = SIZE_MAX / 2;
	struct str str = { 0 };

	(void)state;
	str_add(&str, "kept until it fails");
	str_add_n(&str, "x", huge);
	assert_true(str.failed);
	str_add(&str, "dropped");
	str_addf(&str, "%s", "dropped");
	assert_null(str_take(&str));
	assert_false(str.failed);
}

static void json_escapes_quotes_controls_and_keeps_utf8(void **state)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{ "", "\"\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "\r\n\t\x01\x7f", "\"\\u000d\\u000a\\u0009\\u0001\\u007f\"" },
		{ "bl\xc3\xa5 \xe2\x82\xac \xf0\x9f\x93\x9e",
		  "\"bl\xc3\xa5 \xe2\x82\xac \xf0\x9f\x93\x9e\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct str str = { 0 };

		str_add_json(&str, cases[i].text);
		assert_string_equal(str.text, cases[i].json);
		str_done(&str);
	}
}

static void numbers_are_written_as_printf_does(void **state)
{
	static const long long values[] = { 0,    7,     10,        -1,        -10,
					    1234, -1234, LLONG_MAX, LLONG_MIN, 1000000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct str str = { 0 };
		char expected[32];

		(void)snprintf(expected, sizeof(expected), "%lld", values[i]);
		str_add_int(&str, values[i]);
		assert_string_equal(str.text, expected);
		str_done(&str);
	}
}

static void decimals_have_a_digit_before_the_point(void **state)
{
	static const struct {
		long long value;
		unsigned decimals;
		const char *text;
	} cases[] = {
		{ 0, 1, "0.0" },    { 0, 2, "0.00" },   { 5, 1, "0.5" },          { 5, 2, "0.05" },
		{ 441, 2, "4.41" }, { -12, 1, "-1.2" }, { 123456, 1, "12345.6" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct str str = { 0 };

		str_add_decimal(&str, cases[i].value, cases[i].decimals);
		assert_string_equal(str.text, cases[i].text);
		str_done(&str);
	}
}

static void reserved_room_is_in_one_piece(void **state)
{
	struct str str = { 0 };
	const char *text;

	(void)state;
	str_reserve(&str, 1000);
	text = str.text;
	for (int i = 0; i < 100; i++)
		str_add(&str, "0123456789");
	assert_ptr_equal(str.text, text);
	assert_int_equal(str.length, 1000);
	str_done(&str);
}

static void json_replaces_what_is_not_utf8(void **state)
{
	static const char *const wrong[] = { "\xff",
					     "\xc3",
					     "\xc0\x80",
					     "\xed\xa0\x80",
					     "\xe2\x82",
					     "\xf4\x90\x80\x80",
					     "\xf0\x80\x80\x80",
					     "\xe0\x9f\xbf",
					     "\x80" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct str str = { 0 };

		str_add_json(&str, wrong[i]);
		assert_non_null(strstr(str.text, "\\ufffd"));
		for (const char *at = str.text; *at; at++)
			assert_true(*at > 0x1f);
		str_done(&str);
	}
}

static void small_tools_do_what_they_say(void **state)
{
	char *copy = str_dup_or_null("x");

	(void)state;
	assert_true(str_equal_nocase("Session-ID", "session-id"));
	assert_false(str_equal_nocase("Session", "Session-ID"));
	assert_false(str_equal_nocase("a", "b"));
	assert_true(str_equal_nocase("", ""));
	assert_true(str_order_nocase("VIA", "via") == 0);
	assert_true(str_order_nocase("Via", "viaa") < 0);
	assert_true(str_order_nocase("Via", "to") > 0);
	assert_true(str_order_nocase("P-Early-Media", "Path") < 0);
	assert_true(str_starts("sips:host", "sips:"));
	assert_false(str_starts("sip", "sips:"));
	assert_string_equal(copy, "x");
	assert_null(str_dup_or_null(NULL));
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_grows_and_is_taken),
		cmocka_unit_test(a_format_that_does_not_fit_is_written_whole),
		cmocka_unit_test(nothing_added_is_taken_as_empty_text),
		cmocka_unit_test(a_failed_text_drops_everything_and_is_taken_as_null),
		cmocka_unit_test(json_escapes_quotes_controls_and_keeps_utf8),
		cmocka_unit_test(json_replaces_what_is_not_utf8),
		cmocka_unit_test(numbers_are_written_as_printf_does),
		cmocka_unit_test(decimals_have_a_digit_before_the_point),
		cmocka_unit_test(reserved_room_is_in_one_piece),
		cmocka_unit_test(small_tools_do_what_they_say),
	};
	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
