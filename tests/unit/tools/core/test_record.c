/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/record.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

static struct record *record;

static int open_record(void **state)
{
	(void)state;
	clock_fake_set(1000);
	return record_create(&record, "+4799000001", "+4790000099");
}

static int close_record(void **state)
{
	(void)state;
	record = record_unref(record);
	clock_real();
	return 0;
}

static struct leg_info info_of(const struct sip_headers *headers)
{
	return (struct leg_info){ .request_uri = "sip:+004790000099@192.0.2.1",
				  .from_uri = "sip:+4799000001@192.0.2.2",
				  .to_uri = "sip:+4790000099@192.0.2.2",
				  .call_id = "abc",
				  .session_id = "s1",
				  .source = "192.0.2.2:5061",
				  .sdp = "v=0",
				  .headers = headers };
}

static void a_leg_keeps_what_its_invite_said(void **state)
{
	struct sip_headers headers = { 0 };

	(void)state;
	assert_int_equal(sip_headers_add(&headers, "Privacy", "id"), 0);
	assert_int_equal(sip_headers_add(&headers, "X-Odd", "\xff"), 0); /* not UTF-8 */
	struct leg_info info = info_of(&headers);
	record_leg(record, 2, "core", "tas", true, &info);
	sip_headers_done(&headers);

	json_t *json = record_json(record);
	json_t *leg = json_array_get(json_object_get(json, "legs"), 0);
	assert_int_equal(json_array_size(json_object_get(json, "legs")), 1);
	assert_int_equal(json_integer_value(json_object_get(leg, "leg")), 2);
	assert_string_equal(json_string_value(json_object_get(leg, "call_id")), "abc");
	json_t *header = json_array_get(json_object_get(leg, "headers"), 0);
	assert_string_equal(json_string_value(json_array_get(header, 0)), "Privacy");
	assert_string_equal(json_string_value(json_array_get(header, 1)), "id");
	json_decref(json);
}

static void times_of_ringing_and_answer_are_the_first_ones(void **state)
{
	static const struct sip_headers none;
	struct leg_info info = info_of(&none);

	(void)state;
	record_leg(record, 1, "caller", "core", true, &info);
	clock_fake_set(1010);
	record_response(record, 1, 100, "Trying", false);
	assert_int_equal(record->legs[0].ringing_ms, 0);
	clock_fake_set(1020);
	record_response(record, 1, 180, "Ringing", false);
	clock_fake_set(1030);
	record_response(record, 1, 180, "Ringing", false);
	clock_fake_set(1040);
	record_response(record, 1, 200, "OK", true);
	record_response(record, 1, 486, "Busy Here", false);
	assert_int_equal(record->legs[0].ringing_ms, 1020);
	assert_int_equal(record->legs[0].answered_ms, 1040);
	assert_int_equal(record->legs[0].status, 200);
}

static void the_trace_keeps_order_direction_and_time(void **state)
{
	static const struct sip_headers none;
	struct leg_info info = info_of(&none);
	const char *left, *arrow, *text;
	int ms;

	(void)state;
	record_leg(record, 1, "caller", "core", true, &info);
	clock_fake_set(1025);
	record_response(record, 1, 180, "Ringing", true);
	record_note(record, "a remark");
	assert_int_equal(json_array_size(record->trace), 3);
	assert_int_equal(json_unpack(json_array_get(record->trace, 1), "{s:i, s:s, s:s, s:s}", "ms",
				     &ms, "left", &left, "arrow", &arrow, "text", &text),
			 0);
	assert_int_equal(ms, 25);
	assert_string_equal(left, "caller");
	assert_string_equal(arrow, "<-");
	assert_string_equal(text, "180 Ringing (SDP)");
}

static void a_reason_phrase_that_is_not_utf8_does_not_lose_the_line(void **state)
{
	static const struct sip_headers none;
	struct leg_info info = info_of(&none);

	(void)state;
	record_leg(record, 1, "caller", "core", true, &info);
	record_response(record, 1, 486, "Opptatt \xe5", false);
	assert_int_equal(json_array_size(record->trace), 2);
	json_t *json = record_json(record);
	char *text = json_dumps(json, 0);
	assert_non_null(text);
	free(text);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define RECORD_TEST(test) cmocka_unit_test_setup_teardown(test, open_record, close_record)
		RECORD_TEST(a_leg_keeps_what_its_invite_said),
		RECORD_TEST(times_of_ringing_and_answer_are_the_first_ones),
		RECORD_TEST(the_trace_keeps_order_direction_and_time),
		RECORD_TEST(a_reason_phrase_that_is_not_utf8_does_not_lose_the_line),
	};

	return cmocka_run_group_tests_name("tools/core/record", tests, NULL, NULL);
}
