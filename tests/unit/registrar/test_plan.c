/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "registrar/plan.h"

#define MINUTE ((mono_ms)60000)

static void a_million_survive_half_an_hour(void **state)
{
	struct plan plan;

	(void)state;
	plan_make(1000000, 3600, 30 * MINUTE, 0, &plan);
	assert_in_range((int)plan.steady, 705, 715);
	assert_in_range((int)plan.rate, 1415, 1430);
	assert_int_equal((int)plan.lapsed, 0);
	assert_in_range(plan.margin / MINUTE, 30, 31);
	assert_in_range(plan.catch_up / MINUTE, 20, 30);
}

static void an_outage_of_40_minutes_lapses_some(void **state)
{
	struct plan plan;

	(void)state;
	plan_make(1000000, 3600, 40 * MINUTE, 5000, &plan);
	/* A simulation that counts each of them lost 196,000 at this rate, without the
	 * time it takes to find out that the core is back. */
	assert_in_range((int)plan.lapsed, 170000, 260000);
	assert_in_range(plan.longest_lapse / MINUTE, 8, 14);
	plan_make(1000000, 3600, 90 * MINUTE, 5000, &plan);
	assert_in_range((int)plan.lapsed, 999000, 1000000);
}

static void a_rate_below_the_need_never_keeps_up(void **state)
{
	struct plan plan;

	(void)state;
	plan_make(1000000, 3600, 0, 300, &plan);
	assert_int_equal((int)plan.lapsed, 1000000);
}

static void the_margin_is_of_who_comes_last_in_the_queue(void **state)
{
	struct plan_left left;

	(void)state;
	plan_left_init(&left, 3600);
	assert_int_equal(plan_margin(&left, 500), 0);
	plan_left_add(&left, 20 * MINUTE, 1);
	assert_in_range(plan_margin(&left, 500) / 1000, 1150, 1200);
	plan_left_add(&left, 25 * MINUTE, 500000); /* a thousand seconds of requests */
	assert_in_range(plan_margin(&left, 500) / 1000, 440, 500);
	plan_left_add(&left, 0, 1);
	assert_true(plan_margin(&left, 500) < 0);
}

static void each_time_that_is_left_is_counted_in_its_slot(void **state)
{
	static const uint32_t ttls[] = { 1, 2, 3, 7, 60, 360, 3600, 3601, 7200, 86399, 86400 };
	struct plan_left left;

	(void)state;
	for (size_t i = 0; i < sizeof(ttls) / sizeof(ttls[0]); i++) {
		plan_left_init(&left, ttls[i]);
		for (mono_ms slot = 0; slot < PLAN_SLOTS; slot++) {
			plan_left_add(&left, slot * left.width, 1);
			plan_left_add(&left, (slot + 1) * left.width - 1, 1);
		}
		for (size_t slot = 0; slot < PLAN_SLOTS; slot++)
			assert_int_equal((int)left.count[slot], 2);
		plan_left_add(&left, 1000 * left.width * PLAN_SLOTS, 1);
		assert_int_equal((int)left.count[PLAN_SLOTS - 1], 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_survive_half_an_hour),
		cmocka_unit_test(an_outage_of_40_minutes_lapses_some),
		cmocka_unit_test(a_rate_below_the_need_never_keeps_up),
		cmocka_unit_test(each_time_that_is_left_is_counted_in_its_slot),
		cmocka_unit_test(the_margin_is_of_who_comes_last_in_the_queue),
	};

	return cmocka_run_group_tests_name("registrar/plan", tests, NULL, NULL);
}
