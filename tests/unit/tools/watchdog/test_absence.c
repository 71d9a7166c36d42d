/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tools/watchdog/absence.h"

#define NOW   1000000
#define AFTER 30000

static struct absence absence;

static enum absence_news see(bool alive, mono_ms at)
{
	struct vigil_sign sign = {
		.alive = alive, .phase = VIGIL_SERVING, .pid = 1, .beat = NOW + at
	};

	return absence_see(&absence, &sign, NOW + at);
}

static int set_up(void **state)
{
	(void)state;
	absence_init(&absence, AFTER, NOW);
	assert_int_equal(see(true, 0), ABSENCE_NO_NEWS);
	assert_int_equal(see(true, 5000), ABSENCE_BACK);
	return 0;
}

static void a_restart_within_seconds_is_no_death(void **state)
{
	(void)state;
	assert_int_equal(see(false, 10000), ABSENCE_WENT);
	assert_int_equal(see(false, 25000), ABSENCE_NO_NEWS);
	assert_int_equal(see(true, 26000), ABSENCE_NO_NEWS);
	assert_int_equal(see(true, 31000), ABSENCE_BACK);
	assert_int_equal(see(false, 60000), ABSENCE_WENT); /* counted anew */
	assert_int_equal(see(false, 80000), ABSENCE_NO_NEWS);
}

static void who_stays_away_is_dead(void **state)
{
	(void)state;
	assert_int_equal(see(false, 10000), ABSENCE_WENT);
	assert_int_equal(see(false, 39999), ABSENCE_NO_NEWS);
	assert_int_equal(see(false, 40000), ABSENCE_ACT);
	assert_int_equal(see(false, 41000), ABSENCE_NO_NEWS);
	absence_acted(&absence);
	assert_int_equal(see(false, 99000), ABSENCE_NO_NEWS);
	assert_int_equal(see(true, 100000), ABSENCE_BACK);
}

static void it_ends_at_once_when_the_daemon_is_there_again(void **state)
{
	(void)state;
	see(false, 10000);
	assert_int_equal(see(false, 40000), ABSENCE_ACT);
	assert_int_equal(see(true, 40020), ABSENCE_BACK);
}

static void one_that_dies_again_and_again_is_missed_since_the_first_time(void **state)
{
	(void)state;
	see(false, 10000);
	for (int i = 0; i < 14; i++) {
		assert_int_equal(see(true, 11000 + i * 2000), ABSENCE_NO_NEWS);
		assert_int_equal(see(false, 12000 + i * 2000), ABSENCE_NO_NEWS);
	}
	assert_int_equal(see(false, 40000), ABSENCE_ACT);
}

static void a_daemon_that_never_was_there_is_dead_too(void **state)
{
	(void)state;
	absence_init(&absence, AFTER, NOW);
	assert_int_equal(see(false, 29999), ABSENCE_NO_NEWS);
	assert_int_equal(see(false, 30000), ABSENCE_ACT);
	absence_could_not(&absence);
	assert_int_equal(see(false, 35000), ABSENCE_ACT);
}

static void one_that_serves_and_gives_no_sign_hangs(void **state)
{
	struct vigil_sign sign = { .alive = true, .phase = VIGIL_SERVING, .beat = NOW };

	(void)state;
	assert_int_equal(absence_see(&absence, &sign, NOW + 29999), ABSENCE_NO_NEWS);
	assert_int_equal(absence_see(&absence, &sign, NOW + 30000), ABSENCE_HANGS);
	sign.phase = VIGIL_STARTING;
	assert_int_equal(absence_see(&absence, &sign, NOW + 299999), ABSENCE_NO_NEWS);
	assert_int_equal(absence_see(&absence, &sign, NOW + 300000), ABSENCE_HANGS);
	sign.phase = VIGIL_STOPPING;
	assert_int_equal(absence_see(&absence, &sign, NOW + 900000), ABSENCE_NO_NEWS);
}

#define ABSENCE(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ABSENCE(a_restart_within_seconds_is_no_death),
		ABSENCE(who_stays_away_is_dead),
		ABSENCE(it_ends_at_once_when_the_daemon_is_there_again),
		ABSENCE(one_that_dies_again_and_again_is_missed_since_the_first_time),
		ABSENCE(a_daemon_that_never_was_there_is_dead_too),
		ABSENCE(one_that_serves_and_gives_no_sign_hangs),
	};

	return cmocka_run_group_tests_name("tools/watchdog/absence", tests, NULL, NULL);
}
