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
						  : cause_to_status(cause) >= 400 &&
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
		cmocka_unit_test(a_reason_fits_what_room_there_is),
	};

	return cmocka_run_group_tests_name("tas/sip/cause_map", tests, NULL, NULL);
}
