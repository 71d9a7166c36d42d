/* SPDX-License-Identifier: Apache-2.0 */
/* test_framing.c - a message's end is found however the stream is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above before it */
#include <cmocka.h>

#include "tas/sip/framing.h"

static const char two[] = "\r\n\r\nOPTIONS sip:x SIP/2.0\r\nContent-Length: 5\r\nX: y\r\n\r\nabcde"
			  "BYE sip:x SIP/2.0\r\nl : 2\r\n\r\nxy\r\n\r\n";

static void messages_end_where_their_length_says(void **state)
{
	struct framing framing = { 0 };

	(void)state;
	framing_feed(&framing, two, strlen(two));
	assert_int_equal(framing.phase, FRAMING_BETWEEN);
	assert_true(framing.completed);
}

static void a_cut_anywhere_makes_no_difference(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= strlen(two); cut++) {
		struct framing framing = { 0 };

		framing_feed(&framing, two, cut);
		framing_feed(&framing, two + cut, strlen(two) - cut);
		assert_int_equal(framing.phase, FRAMING_BETWEEN);
	}
}

static void byte_by_byte_two_messages_are_counted(void **state)
{
	struct framing framing = { 0 };
	unsigned completed = 0;

	(void)state;
	for (size_t i = 0; i < strlen(two); i++) {
		framing_feed(&framing, two + i, 1);
		completed += framing.completed;
	}
	assert_int_equal(completed, 2);
}

static void keep_alives_are_no_messages(void **state)
{
	struct framing framing = { 0 };

	(void)state;
	framing_feed(&framing, "\r\n\r\n\r\n", 6);
	assert_int_equal(framing.phase, FRAMING_BETWEEN);
	assert_false(framing.completed);
	framing_feed(&framing, "I", 1);
	assert_int_equal(framing.phase, FRAMING_HEADERS);
}

static void long_lines_and_wild_lengths_are_survived(void **state)
{
	struct framing framing = { 0 };

	(void)state;
	for (int i = 0; i < 100000; i++)
		framing_feed(&framing, "content-length content-length", 29);
	framing_feed(&framing, "\r\nContent-Length: 99999999999999999999999\r\n\r\n", 45);
	assert_int_equal(framing.phase, FRAMING_BODY);
	framing_feed(&framing, "x", 1);
	assert_int_equal(framing.phase, FRAMING_BODY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_end_where_their_length_says),
		cmocka_unit_test(a_cut_anywhere_makes_no_difference),
		cmocka_unit_test(byte_by_byte_two_messages_are_counted),
		cmocka_unit_test(keep_alives_are_no_messages),
		cmocka_unit_test(long_lines_and_wild_lengths_are_survived),
	};

	return cmocka_run_group_tests_name("tas/sip/framing", tests, NULL, NULL);
}
