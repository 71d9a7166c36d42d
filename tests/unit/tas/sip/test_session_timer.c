/* SPDX-License-Identifier: Apache-2.0 */
/* test_session_timer.c - RFC 4028 in numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tas/sip/session_timer.h"

static const struct session_timer_terms terms = { .expires_s = 1800, .min_se_s = 90 };

static void a_request_below_our_minimum_is_too_small(void **state)
{
	struct session_timer_said said = { .supported = true, .expires_s = 89 };

	(void)state;
	assert_true(session_timer_too_small(&terms, &said));
	said.expires_s = 90;
	assert_false(session_timer_too_small(&terms, &said));
	said.expires_s = 0; /* none */
	assert_false(session_timer_too_small(&terms, &said));
	said = (struct session_timer_said){ .expires_s = 60 }; /* put in by a proxy */
	assert_false(session_timer_too_small(&terms, &said));
}

static void who_does_not_know_timers_gets_none(void **state)
{
	struct session_timer_said said = { .expires_s = 600 };

	(void)state;
	assert_int_equal(session_timer_answer(&terms, &said).interval_s, 0);
}

static void the_shorter_interval_wins_but_not_below_what_either_bears(void **state)
{
	struct session_timer_said said = { .supported = true, .expires_s = 3600 };
	struct session_timer_terms none = { .min_se_s = 90 };

	(void)state;
	assert_int_equal(session_timer_answer(&terms, &said).interval_s, 1800);
	said.expires_s = 600;
	assert_int_equal(session_timer_answer(&terms, &said).interval_s, 600);
	said.expires_s = 0; /* it only can */
	assert_int_equal(session_timer_answer(&terms, &said).interval_s, 1800);
	assert_int_equal(session_timer_answer(&none, &said).interval_s, 0);
	said = (struct session_timer_said){ .supported = true,
					    .expires_s = 3600,
					    .min_se_s = 2400 };
	assert_int_equal(session_timer_answer(&terms, &said).interval_s, 2400);
}

static void we_refresh_unless_the_caller_wants_to(void **state)
{
	struct session_timer_said said = { .supported = true, .expires_s = 600 };

	(void)state;
	assert_true(session_timer_answer(&terms, &said).ours);
	said.refresher = SESSION_REFRESHER_UAS;
	assert_true(session_timer_answer(&terms, &said).ours);
	said.refresher = SESSION_REFRESHER_UAC;
	assert_false(session_timer_answer(&terms, &said).ours);
}

static void the_2xx_says_who_refreshes(void **state)
{
	struct session_timer_said said = { .expires_s = 600, .refresher = SESSION_REFRESHER_UAS };

	(void)state;
	assert_false(session_timer_agreed(&said).ours);
	said.refresher = SESSION_REFRESHER_UAC;
	assert_true(session_timer_agreed(&said).ours);
	said.refresher = SESSION_REFRESHER_OPEN; /* nobody else has promised to */
	assert_true(session_timer_agreed(&said).ours);
	assert_int_equal(session_timer_agreed(&said).interval_s, 600);
	said.expires_s = 5; /* no peer is asked ten times a minute */
	assert_int_equal(session_timer_agreed(&said).interval_s, 90);
	said.expires_s = 0;
	assert_int_equal(session_timer_agreed(&said).interval_s, 0);
}

static void after_a_422_its_minimum_is_asked_for(void **state)
{
	struct session_timer_said said = { .min_se_s = 3600 };

	(void)state;
	assert_int_equal(session_timer_raised_s(1800, &said), 3600);
	assert_int_equal(session_timer_raised_s(3600, &said), 0); /* it had that */
	said.min_se_s = 0;
	assert_int_equal(session_timer_raised_s(1800, &said), 0);
}

static void refreshes_come_at_half_time_and_the_end_a_little_early(void **state)
{
	struct session_timer timer = { .interval_s = 1800, .ours = true };

	(void)state;
	assert_int_equal(session_timer_wait_ms(&timer), 900 * 1000);
	timer.ours = false;
	assert_int_equal(session_timer_wait_ms(&timer), (1800 - 32) * 1000);
	timer.interval_s = 90;
	assert_int_equal(session_timer_wait_ms(&timer), 60 * 1000); /* a third is less than 32 s */
}

static void the_text_names_the_refresher_by_its_part_in_the_transaction(void **state)
{
	struct session_timer timer = { .interval_s = 1800, .ours = true };
	char text[40];

	(void)state;
	session_timer_text(&timer, true, text, sizeof(text));
	assert_string_equal(text, "1800;refresher=uac");
	session_timer_text(&timer, false, text, sizeof(text));
	assert_string_equal(text, "1800;refresher=uas");
	timer.ours = false;
	session_timer_text(&timer, true, text, sizeof(text));
	assert_string_equal(text, "1800;refresher=uas");
	session_timer_text(&timer, false, text, sizeof(text));
	assert_string_equal(text, "1800;refresher=uac");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_below_our_minimum_is_too_small),
		cmocka_unit_test(who_does_not_know_timers_gets_none),
		cmocka_unit_test(the_shorter_interval_wins_but_not_below_what_either_bears),
		cmocka_unit_test(we_refresh_unless_the_caller_wants_to),
		cmocka_unit_test(the_2xx_says_who_refreshes),
		cmocka_unit_test(after_a_422_its_minimum_is_asked_for),
		cmocka_unit_test(refreshes_come_at_half_time_and_the_end_a_little_early),
		cmocka_unit_test(the_text_names_the_refresher_by_its_part_in_the_transaction),
	};

	return cmocka_run_group_tests_name("tas/sip/session_timer", tests, NULL, NULL);
}
