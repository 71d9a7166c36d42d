/* SPDX-License-Identifier: Apache-2.0 */
/* test_cause_map.c - every cause has all its faces, every status a cause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above before it */
#include <cmocka.h>

#include "base/macros.h"
#include "tas/sip/cause_map.h"

static void every_cause_has_name_status_phrase_and_q850(void **state)
{
	char reason[100], expected[100];

	(void)state;
	for (int i = 0; i < CAUSE_COUNT; i++) {
		enum cause cause = (enum cause)i;

		assert_true(strlen(cause_name(cause)) > 0);
		assert_true(strlen(cause_to_phrase(cause)) > 0);
		assert_in_range(cause_to_q850(cause), 1, 127);
		assert_true(cause == CAUSE_NORMAL ? cause_to_status(cause) == 200
						  : cause_to_status(cause) >= 300 &&
							    cause_to_status(cause) < 700);
		cause_to_reason(cause, reason, sizeof(reason));
		(void)snprintf(expected, sizeof(expected),
			       "Q.850;cause=%d;text=", cause_to_q850(cause));
		assert_memory_equal(reason, expected, strlen(expected));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(cause_name(cause), cause_name((enum cause)k));
	}
}

static void causes_with_a_status_of_their_own_come_back_from_it(void **state)
{
	static const enum cause causes[] = { CAUSE_BUSY,           CAUSE_REJECTED,
					     CAUSE_UNKNOWN_NUMBER, CAUSE_NOT_ACCEPTABLE,
					     CAUSE_CANCELLED,      CAUSE_LOOP,
					     CAUSE_DIALOG_LOST,    CAUSE_UNAVAILABLE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		assert_int_equal(cause_from_status(cause_to_status(causes[i])), causes[i]);
}

static void every_final_status_has_a_cause(void **state)
{
	(void)state;
	for (int status = 300; status < 700; status++)
		assert_in_range(cause_from_status(status), 0, CAUSE_COUNT - 1);
	assert_int_equal(cause_from_status(600), CAUSE_BUSY);
	assert_int_equal(cause_from_status(404), CAUSE_UNKNOWN_NUMBER);
	assert_int_equal(cause_from_status(503), CAUSE_UNAVAILABLE);
	assert_int_equal(cause_from_status(302), CAUSE_REJECTED); /* never followed */
	assert_int_equal(cause_from_status(407), CAUSE_REJECTED);
}

static void every_q850_value_has_a_cause(void **state)
{
	static const struct {
		int q850;
		enum cause cause;
	} cases[] = {
		{ 1, CAUSE_UNKNOWN_NUMBER },  { 3, CAUSE_UNKNOWN_NUMBER },
		{ 16, CAUSE_NORMAL },         { 17, CAUSE_BUSY },
		{ 18, CAUSE_NO_ANSWER },      { 19, CAUSE_NO_ANSWER },
		{ 20, CAUSE_UNAVAILABLE },    { 21, CAUSE_REJECTED },
		{ 25, CAUSE_LOOP },           { 26, CAUSE_NORMAL },
		{ 27, CAUSE_UNAVAILABLE },    { 28, CAUSE_UNKNOWN_NUMBER },
		{ 31, CAUSE_NORMAL },         { 34, CAUSE_UNAVAILABLE },
		{ 38, CAUSE_UNAVAILABLE },    { 41, CAUSE_UNAVAILABLE },
		{ 57, CAUSE_REJECTED },       { 65, CAUSE_NOT_ACCEPTABLE },
		{ 88, CAUSE_NOT_ACCEPTABLE }, { 102, CAUSE_UNAVAILABLE },
		{ 127, CAUSE_UNAVAILABLE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(cause_from_q850(cases[i].q850), cases[i].cause);
	for (int q850 = 1; q850 < 128; q850++)
		assert_in_range(cause_from_q850(q850), 0, CAUSE_COUNT - 1);
}

static void reason_headers_are_read_as_far_as_they_can_be(void **state)
{
	static const struct {
		const char *value;
		int q850, status;
	} cases[] = {
		{ "Q.850;cause=16;text=\"Terminated\"", 16, 0 },
		{ "q.850 ; text=\"a;cause=3,b\" ; Cause = 17", 17, 0 },
		{ "SIP;cause=200;text=\"Call completed elsewhere\"", 0, 200 },
		{ "SIP;cause=600, Q.850;cause=17;text=\"\\\"\"", 17, 600 },
		{ "Q.850;cause=16,Q.850;cause=17", 16, 0 },
		{ "RELEASE_CAUSE;cause=1, Q.850;cause=31", 31, 0 },
		{ "Q.850", 0, 0 },
		{ "Q.850;cause=", 0, 0 },
		{ "Q.850;cause=x16", 0, 0 },
		{ "Q.850;cause=16x", 0, 0 },
		{ "Q.850;cause=-1", 0, 0 },
		{ "Q.850;cause=128", 0, 0 },
		{ "Q.850;cause=99999999999999999999", 0, 0 },
		{ "Q.850;causes=16", 0, 0 },
		{ "SIP;cause=99", 0, 0 },
		{ "SIP;cause=700", 0, 0 },
		{ "Q.850;text=\"no end;cause=16", 0, 0 },
		{ ";cause=16", 0, 0 },
		{ ",,;;", 0, 0 },
		{ "", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cause_reason reason = { 0 };

		cause_read_reason(&reason, cases[i].value);
		if (reason.q850 != cases[i].q850 || reason.status != cases[i].status)
			fail_msg("%s: %d %d", cases[i].value, reason.q850, reason.status);
	}
}

static void a_response_means_what_its_reason_says(void **state)
{
	static const struct {
		int status;
		struct cause_reason reason;
		enum cause cause;
	} cases[] = {
		{ 480, { 0 }, CAUSE_UNAVAILABLE },
		{ 480, { .q850 = 19 }, CAUSE_NO_ANSWER },
		{ 480, { .q850 = 31 }, CAUSE_UNAVAILABLE },
		{ 503, { .q850 = 17 }, CAUSE_BUSY },
		{ 500, { .status = 486 }, CAUSE_BUSY },
		{ 486, { .q850 = 16, .status = 200 }, CAUSE_BUSY },
		{ 404, { .q850 = 41, .status = 486 }, CAUSE_UNAVAILABLE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(cause_from_response(cases[i].status, &cases[i].reason),
				 cases[i].cause);
}

static void a_bye_is_normal_unless_its_reason_knows_better(void **state)
{
	static const struct {
		struct cause_reason reason;
		enum cause cause;
	} cases[] = {
		{ { 0 }, CAUSE_NORMAL },
		{ { .q850 = 16 }, CAUSE_NORMAL },
		{ { .q850 = 31, .status = 200 }, CAUSE_NORMAL },
		{ { .status = 487 }, CAUSE_NORMAL },
		{ { .q850 = 41 }, CAUSE_UNAVAILABLE },
		{ { .status = 481 }, CAUSE_DIALOG_LOST },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(cause_from_bye(&cases[i].reason), cases[i].cause);
}

static void a_reason_fits_what_room_there_is(void **state)
{
	char reason[12];

	(void)state;
	cause_to_reason(CAUSE_BUSY, reason, sizeof(reason));
	assert_string_equal(reason, "Q.850;cause");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cause_has_name_status_phrase_and_q850),
		cmocka_unit_test(causes_with_a_status_of_their_own_come_back_from_it),
		cmocka_unit_test(every_final_status_has_a_cause),
		cmocka_unit_test(every_q850_value_has_a_cause),
		cmocka_unit_test(reason_headers_are_read_as_far_as_they_can_be),
		cmocka_unit_test(a_response_means_what_its_reason_says),
		cmocka_unit_test(a_bye_is_normal_unless_its_reason_knows_better),
		cmocka_unit_test(a_reason_fits_what_room_there_is),
	};

	return cmocka_run_group_tests_name("tas/sip/cause_map", tests, NULL, NULL);
}
