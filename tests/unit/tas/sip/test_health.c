/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/macros.h"
#include "tas/sip/health.h"

static const struct health_rules rules = { .down_after = 3, .up_after = 2 };

/* A story: o and x are OPTIONS answered and failed, A F S calls answered, failed
 * and met by silence; then what each of them made of it, in capitals when it was
 * a change worth telling. */
static void expect_story(const char *events, const char *states)
{
	struct health health;

	clock_fake_set(1000);
	health_init(&health);
	assert_int_equal(health.state, HEALTH_UNKNOWN);
	for (size_t i = 0; events[i]; i++) {
		static const char small[] = "?ud", big[] = "!UD";
		bool told;

		clock_fake_advance(10);
		if (events[i] == 'o' || events[i] == 'x')
			told = health_probe(&health, &rules, events[i] == 'o');
		else
			told = health_call(&health, &rules,
					   events[i] == 'A'   ? HEALTH_CALL_ANSWERED
					   : events[i] == 'F' ? HEALTH_CALL_FAILED
							      : HEALTH_CALL_SILENT);
		if ((told ? big : small)[health.state] != states[i])
			fail_msg("%s: event %zu made it %s%s, wanted %c", events, i + 1,
				 health_state_name(health.state), told ? " (told)" : "", states[i]);
		if (told)
			assert_int_equal(health.since_ms, clock_now());
	}
	clock_real();
}

static void an_address_goes_down_after_some_failures_and_up_after_some_answers(void **state)
{
	(void)state;
	expect_story("oxxxxoxoo", "uuuDddddU");
	expect_story("xxx", "??D");
}

static void single_failures_change_nothing(void **state)
{
	(void)state;
	expect_story("xxoxxoxxo", "??uuuuuuu");
	expect_story("FFAFFA", "??uuuu");
}

static void calls_open_the_breaker_whatever_options_say(void **state)
{
	(void)state;
	expect_story("oFoFoF", "uuuuuD");
}

static void a_call_that_meets_silence_is_enough(void **state)
{
	(void)state;
	expect_story("oSSoo", "uDddU");
}

static void an_answered_call_closes_the_breaker(void **state)
{
	(void)state;
	expect_story("SAS", "DUD");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_address_goes_down_after_some_failures_and_up_after_some_answers),
		cmocka_unit_test(single_failures_change_nothing),
		cmocka_unit_test(calls_open_the_breaker_whatever_options_say),
		cmocka_unit_test(a_call_that_meets_silence_is_enough),
		cmocka_unit_test(an_answered_call_closes_the_breaker),
	};

	return cmocka_run_group_tests_name("tas/sip/health", tests, NULL, NULL);
}
