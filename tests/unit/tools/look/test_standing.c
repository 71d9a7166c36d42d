/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "tests/unit/tools/look/entries.h"
#include "tools/look/standing.h"

#define T 1798131600000LL /* 2026-12-24 17:00:00 UTC */

static int setup(void **state)
{
	json_t *entries = json_array();

	setenv("TZ", "UTC", 1);
	tzset();
	add_message(entries, T, false, "a", "INVITE sip:x SIP/2.0", "INVITE", "");
	add_note(entries, T + 1, "start direction=mt service=loop/1");
	add_note(entries, T + 1, "core registration=active");
	add_message(entries, T + 2, true, "b", "INVITE sip:x SIP/2.0", "INVITE", "");
	add_note(entries, T + 2, "INCOMING -> DIALLING step=\"loop\"");
	add_message(entries, T + 1000, false, "b", "SIP/2.0 180 Ringing", "INVITE", "");
	add_message(entries, T + 2000, false, "b", "SIP/2.0 200 OK", "INVITE", "");
	add_note(entries, T + 2000, "DIALLING -> TALKING step=\"loop\"");
	add_message(entries, T + 2001, true, "b", "ACK sip:x SIP/2.0", "ACK", "");
	add_note(entries, T + 2010, "media step side=A: ICE connected");
	add_note(entries, T + 2020, "media flows side=B");
	add_note(entries, T + 3000, "rtp A in 50/s, B in 50/s");
	add_note(entries, T + 4000, "heard one-way: nothing arrives from A");
	add_message(entries, T + 9000, false, "a", "BYE sip:x SIP/2.0", "BYE", "");
	add_note(entries, T + 9000, "TALKING -> ENDED step=\"loop\"");
	add_note(entries, T + 9001, "end cause=normal by=a");
	*state = json_pack("{s:s, s:o}", "call", "5f0c", "entries", entries);
	return 0;
}

static int teardown(void **state)
{
	json_decref(*state);
	return 0;
}

static void expect(const json_t *trace, long long at, const char *wanted)
{
	json_t *standing = standing_at(trace, at);
	struct str text = { 0 };

	standing_show(&text, standing);
	assert_string_equal(text.text, wanted);
	str_done(&text);
	json_decref(standing);
}

static void before_the_answer(void **state)
{
	expect(*state, T + 1500,
	       "call 5f0c at 2026-12-24 17:00:01.500, 1.500 s into it\n\n"
	       "state       DIALLING since 2026-12-24 17:00:00.002\n"
	       "decided     start direction=mt service=loop/1\n"
	       "core        registration=active\n"
	       "left        192.0.2.7:5061/tls: INVITE received, no answer; last: INVITE received, "
	       "1.500 s before\n"
	       "right       192.0.2.9:5061/tls: INVITE 180 Ringing received; last: 180 Ringing to "
	       "INVITE received, 0.500 s before\n"
	       "next        200 OK to INVITE, 0.500 s later\n");
}

static void while_they_talk(void **state)
{
	expect(*state, T + 5000,
	       "call 5f0c at 2026-12-24 17:00:05.000, 5.000 s into it\n\n"
	       "state       TALKING since 2026-12-24 17:00:02.000\n"
	       "decided     start direction=mt service=loop/1\n"
	       "core        registration=active\n"
	       "left        192.0.2.7:5061/tls: INVITE received, no answer; last: INVITE received, "
	       "5.000 s before\n"
	       "right       192.0.2.9:5061/tls: INVITE answered and acknowledged; last: ACK sent, "
	       "2.999 s before\n"
	       "media A     ICE connected\n"
	       "media B     flows\n"
	       "rtp         A in 50/s, B in 50/s\n"
	       "heard       one-way: nothing arrives from A\n"
	       "next        BYE, 4.000 s later\n");
}

static void after_the_end(void **state)
{
	json_t *standing = standing_at(*state, T + 60000);

	assert_string_equal(json_string_value(json_object_get(standing, "state")), "ENDED");
	assert_string_equal(json_string_value(json_object_get(standing, "end")),
			    "cause=normal by=a");
	assert_null(json_object_get(standing, "next"));
	json_decref(standing);
}

static void what_came_at_that_very_moment_had_come(void **state)
{
	json_t *standing = standing_at(*state, T + 2);

	assert_string_equal(json_string_value(json_object_get(standing, "state")), "DIALLING");
	assert_int_equal(json_integer_value(json_object_get(standing, "next_at")), T + 1000);
	json_decref(standing);
}

static void a_record_tells_the_state_alone(void **state)
{
	json_t *record = json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", "5f0c", "start",
				   "2026-12-24T17:00:00.000Z", "ring", "2026-12-24T17:00:01.000Z",
				   "answer", "", "end", "2026-12-24T17:00:09.000Z");
	json_t *ringing = standing_of_record(record, T + 5000);
	json_t *ended = standing_of_record(record, T + 10000);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(ringing, "state")), "RINGING");
	assert_string_equal(json_string_value(json_object_get(ringing, "next")), "end");
	assert_string_equal(json_string_value(json_object_get(ended, "state")), "ENDED");
	json_decref(ringing);
	json_decref(ended);
	json_decref(record);
}

#define S(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		S(before_the_answer),
		S(while_they_talk),
		S(after_the_end),
		S(what_came_at_that_very_moment_had_come),
		S(a_record_tells_the_state_alone),
	};

	return cmocka_run_group_tests_name("tools/look/standing", tests, NULL, NULL);
}
