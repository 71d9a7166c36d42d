/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/json_mask.h"

static void assert_masked(const char *json, const char *wanted)
{
	struct str text = { 0 };

	json_mask(&text, json);
	assert_string_equal(text.text, wanted);
	str_done(&text);
}

static void numbers_are_masked_wherever_they_stand(void **state)
{
	(void)state;
	assert_masked(
		"{\"from\":\"+4799000012\",\"n\":[\"99000012\",{\"x\":\"loop as +4799000012!\"}]}",
		"{\"from\":\"+4799***12\",\"n\":[\"99***12\",{\"x\":\"loop as +4799***12!\"}]}");
	assert_masked("{\"to\":\"+004799000012;phone-context=+4799000012\"}",
		      "{\"to\":\"+0***12;phone-context=+4799***12\"}");
}

static void short_numbers_and_times_stay(void **state)
{
	const char *json =
		"{\"to\":\"112\",\"start\":\"2026-11-25T22:15:18.042Z\",\"ms\":12345678}";

	(void)state;
	assert_masked(json, json);
}

static void names_of_calls_stay(void **state)
{
	const char *json = "{\"id\":\"0123456789012345\",\"call_id_a\":\"99000012@x\","
			   "\"session_id\":\"1234567890\",\"99000012\":\"\"}";

	(void)state;
	assert_masked(json, json);
}

static void escapes_stay_whole(void **state)
{
	(void)state;
	assert_masked("{\"a\":\"\\u00001234567\\\"99000012\\\\\"}",
		      "{\"a\":\"\\u000012***67\\\"99***12\\\\\"}");
}

/* Masked twice is masked once, and no long run of digits is left, whatever comes. */
static void nothing_escapes_it(void **state)
{
	static const char alphabet[] = "0123456789+++\"\\:u{},[] a";
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char inside[48], json[64];
		struct str once = { 0 }, twice = { 0 };
		size_t length = 0;

		for (size_t i = 0; i < 40; i++) {
			seed = seed * 1103515245u + 12345u;
			inside[i] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
		}
		inside[40] = '\0';
		snprintf(json, sizeof(json), "{\"a\":\"%s\"}", inside);
		json_mask(&once, json);
		json_mask(&twice, once.text);
		assert_string_equal(once.text, twice.text);
		for (const char *at = strchr(inside, '"') ? "" : once.text; *at; at++) {
			bool escape = at[0] == '\\' && at[1] == 'u';

			length = *at >= '0' && *at <= '9' ? length + 1 : 0;
			if (length >= JSON_MASK_DIGITS)
				fail_msg("%s", once.text);
			at += escape && strlen(at) > 5 ? 5 : 0;
		}
		str_done(&once);
		str_done(&twice);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_masked_wherever_they_stand),
		cmocka_unit_test(short_numbers_and_times_stay),
		cmocka_unit_test(names_of_calls_stay),
		cmocka_unit_test(escapes_stay_whole),
		cmocka_unit_test(nothing_escapes_it),
	};

	return cmocka_run_group_tests_name("base/json_mask", tests, NULL, NULL);
}
