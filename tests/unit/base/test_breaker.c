/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/breaker.h"

static void five_failures_within_ten_seconds_open_it(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	for (mono_ms now = 1000; now < 5000; now += 1000)
		assert_false(breaker_failed(&breaker, now));
	assert_true(breaker_passes(&breaker, 5000));
	assert_true(breaker_failed(&breaker, 11000)); /* 10 s after the first */
	assert_false(breaker_passes(&breaker, 11000));
	assert_false(breaker_failed(&breaker, 11001)); /* said once */
}

static void failures_further_apart_leave_it_closed(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	for (mono_ms now = 1000; now < 100000; now += 2501)
		assert_false(breaker_failed(&breaker, now));
	assert_true(breaker_passes(&breaker, 100000));
}

static void a_success_forgets_the_failures(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_false(breaker_failed(&breaker, 1000));
	assert_false(breaker_worked(&breaker)); /* it was closed */
	for (int i = 0; i < 4; i++)
		assert_false(breaker_failed(&breaker, 1001));
	assert_true(breaker_passes(&breaker, 1002));
}

static void one_probe_a_second_passes_until_one_succeeds(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	for (int i = 0; i < 5; i++)
		(void)breaker_failed(&breaker, 1000);
	assert_false(breaker_passes(&breaker, 1999));
	assert_true(breaker_passes(&breaker, 2000));
	assert_false(breaker_passes(&breaker, 2001));
	assert_false(breaker_failed(&breaker, 2800));
	assert_true(breaker_passes(&breaker, 3000));
	assert_true(breaker_worked(&breaker));
	assert_true(breaker_passes(&breaker, 3001));
	assert_true(breaker_passes(&breaker, 3001));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(five_failures_within_ten_seconds_open_it),
		cmocka_unit_test(failures_further_apart_leave_it_closed),
		cmocka_unit_test(a_success_forgets_the_failures),
		cmocka_unit_test(one_probe_a_second_passes_until_one_succeeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
