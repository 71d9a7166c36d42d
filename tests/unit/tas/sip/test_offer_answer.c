/* SPDX-License-Identifier: Apache-2.0 */
/* test_offer_answer.c - who yields when offers meet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants the above before it */
#include <cmocka.h>

#include <errno.h>

#include "tas/sip/offer_answer.h"

static void an_idle_dialog_takes_and_sends(void **state)
{
	struct offer_answer idle = { 0 };

	(void)state;
	assert_int_equal(offer_answer_may_send(&idle), 0);
	assert_int_equal(offer_answer_judge(&idle), 0);
}

static void anything_in_flight_keeps_us_from_sending(void **state)
{
	(void)state;
	assert_int_equal(offer_answer_may_send(&(struct offer_answer){ .ours = true }), -EBUSY);
	assert_int_equal(offer_answer_may_send(&(struct offer_answer){ .to_ack = true }), -EBUSY);
	assert_int_equal(offer_answer_may_send(&(struct offer_answer){ .theirs = true }), -EBUSY);
	assert_int_equal(offer_answer_may_send(&(struct offer_answer){ .unacked = true }), -EBUSY);
	assert_int_equal(offer_answer_may_send(&(struct offer_answer){ .retry = true }), -EBUSY);
}

static void theirs_meets_ours_with_491_and_their_own_with_500(void **state)
{
	(void)state;
	assert_int_equal(offer_answer_judge(&(struct offer_answer){ .ours = true }), 491);
	assert_int_equal(offer_answer_judge(&(struct offer_answer){ .to_ack = true }), 491);
	assert_int_equal(offer_answer_judge(&(struct offer_answer){ .unacked = true }), 491);
	assert_int_equal(offer_answer_judge(&(struct offer_answer){ .theirs = true }), 500);
	/* While ours only waits for its second try, theirs goes first. */
	assert_int_equal(offer_answer_judge(&(struct offer_answer){ .retry = true }), 0);
}

static void pauses_keep_to_the_ranges_of_the_rfc(void **state)
{
	unsigned low = 100000, high = 0;

	(void)state;
	for (uint32_t random = 0; random < 10000; random++) {
		unsigned owner = offer_answer_pause_ms(true, random);
		unsigned other = offer_answer_pause_ms(false, random);

		assert_in_range(owner, 2100, 4000);
		assert_in_range(other, 0, 2000);
		assert_int_equal(owner % 10, 0);
		assert_int_equal(other % 10, 0);
		assert_in_range(offer_answer_retry_after_s(random), 0, 10);
		low = owner < low ? owner : low;
		high = owner > high ? owner : high;
	}
	assert_int_equal(low, 2100);
	assert_int_equal(high, 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_dialog_takes_and_sends),
		cmocka_unit_test(anything_in_flight_keeps_us_from_sending),
		cmocka_unit_test(theirs_meets_ours_with_491_and_their_own_with_500),
		cmocka_unit_test(pauses_keep_to_the_ranges_of_the_rfc),
	};

	return cmocka_run_group_tests_name("tas/sip/offer_answer", tests, NULL, NULL);
}
