/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/unit/tools/look/entries.h"
#include "tools/look/ladder.h"

static void seconds_that_are_alike_are_one_line(void **state)
{
	static const char *const wanted =
		"     0.000                                 * rtp A in 50/s lost 0\n"
		"     1.000                                 * rtp A in 30/s lost 0\n"
		"     2.000                                 * rtp A in 50/s lost 0"
		"  (and so until 4.000)\n"
		"     5.000                                 * rtp A in 50/s lost 0 dropped 1\n"
		"     6.000                                 * end\n";
	json_t *entries = json_array();
	struct str text = { 0 };

	(void)state;
	add_note(entries, 0, "rtp A in 50/s lost 0");
	add_note(entries, 1000, "rtp A in 30/s lost 0");
	add_note(entries, 2000, "rtp A in 50/s lost 0");
	add_note(entries, 3000, "rtp A in 49/s lost 0");
	add_note(entries, 4000, "rtp A in 51/s lost 0");
	add_note(entries, 5000, "rtp A in 50/s lost 0 dropped 1");
	add_note(entries, 6000, "end");
	ladder_draw(&text, entries);
	assert_string_equal(text.text + 1, wanted); /* after an empty head */
	str_done(&text);
	json_decref(entries);
}

static void what_changed_in_the_sdp_stands_below_the_message(void **state)
{
	static const char *const sdp = "v=0\r\nc=IN IP4 10.0.0.5\r\nm=audio 4000 RTP/AVP 8\r\n";
	json_t *entries = json_array();
	struct str text = { 0 };

	(void)state;
	add_message(entries, 1, false, "a", "INVITE sip:x SIP/2.0", "INVITE", sdp);
	add_message(entries, 2, true, "b", "INVITE sip:x SIP/2.0", "INVITE", sdp);
	ladder_draw(&text, entries);
	assert_non_null(strstr(text.text,
			       "|- INVITE (SDP) ------------->|\n"
			       "                                           * SDP: as it came\n"));
	str_done(&text);
	json_decref(entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seconds_that_are_alike_are_one_line),
		cmocka_unit_test(what_changed_in_the_sdp_stands_below_the_message),
	};

	return cmocka_run_group_tests_name("tools/look/ladder", tests, NULL, NULL);
}
