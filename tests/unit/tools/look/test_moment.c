/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>
#include "tools/look/moment.h"

/* 2026-12-24 18:00:00.500 in Oslo, an hour ahead of UTC. */
#define FIRST 1798131600500LL

static int setup(void **state)
{
	(void)state;
	setenv("TZ", "Europe/Oslo", 1);
	tzset();
	return 0;
}

static void expect(const char *text, long long wanted)
{
	long long ms = -1;

	if (!moment_read(text, FIRST, &ms))
		ms = -1;
	if (ms != wanted)
		print_error("%s: %lld, not %lld\n", text, ms, wanted);
	assert_true(ms == wanted);
}

static void seconds_into_the_call(void **state)
{
	(void)state;
	expect("+0", FIRST);
	expect("+2", FIRST + 2000);
	expect("+2.5", FIRST + 2500);
	expect("+0.007", FIRST + 7);
	expect("+90,25", FIRST + 90250);
}

static void a_time_of_day_is_that_of_the_call(void **state)
{
	(void)state;
	expect("18:00:01", FIRST + 500);
	expect("18:00:01.123", FIRST + 623);
	expect("17:59:59", FIRST - 1500);
	expect("00:30:00", FIRST - 500 + 6 * 3600000LL + 1800000); /* after midnight */
}

static void a_date_says_its_zone_or_means_ours(void **state)
{
	(void)state;
	expect("2026-12-24T18:00:01", FIRST + 500);
	expect("2026-12-24 18:00:01.25", FIRST + 750);
	expect("2026-12-24T17:00:01Z", FIRST + 500);
	expect("2026-12-24T17:00:01.5Z", FIRST + 1000);
	expect("2026-12-24T19:00:01+02:00", FIRST + 500);
	expect("2026-12-24T13:30:01-03:30", FIRST + 500);
	expect("2026-12-24T18:01", FIRST + 59500);
	expect("2026-07-24T18:00:00", 1784908800000LL); /* summer time */
}

static void what_is_no_moment_is_refused(void **state)
{
	static const char *const words[] = { "",
					     "+",
					     "+x",
					     "+-2",
					     "+1.5s",
					     "now",
					     "18:00",
					     "25:00:00",
					     "18:61:00",
					     "18:00:01x",
					     "2026-13-24T18:00:00",
					     "2026-12-24T18:00:00X",
					     "2026-12-24T18:00:00+1" };

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		expect(words[i], -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seconds_into_the_call),
		cmocka_unit_test(a_time_of_day_is_that_of_the_call),
		cmocka_unit_test(a_date_says_its_zone_or_means_ours),
		cmocka_unit_test(what_is_no_moment_is_refused),
	};

	return cmocka_run_group_tests_name("tools/look/moment", tests, setup, NULL);
}
