/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

static const struct config_zone *oslo(struct config **ret_config)
{
	*ret_config = expect_config(BASE "time_zone: Europe/Oslo\n");
	return (*ret_config)->time_zone;
}

static void expect_local(const struct config_zone *zone, wall_ms seconds, const char *wanted)
{
	struct config_local local;
	char text[64];

	config_zone_local(zone, seconds * 1000, &local);
	(void)snprintf(text, sizeof(text), "%u %04u-%02u-%02u %02u:%02u", local.weekday, local.year,
		       local.month, local.day, local.minute / 60, local.minute % 60);
	assert_string_equal(text, wanted);
}

static void a_zone_knows_winter_and_summer(void **state)
{
	struct config *config;
	const struct config_zone *zone = oslo(&config);

	(void)state;
	expect_local(zone, 1767225599, "3 2026-01-01 00:59"); /* 2025-12-31T23:59:59Z, a Thursday */
	expect_local(zone, 1782907200, "2 2026-07-01 14:00"); /* 2026-07-01T12:00:00Z */
	config_destroy(config);
}

/* 2026-03-29T01:00:00Z and 2026-10-25T01:00:00Z: Directive 2000/84/EC. */
static void the_hour_that_is_left_out_and_the_one_shown_twice(void **state)
{
	struct config *config;
	const struct config_zone *zone = oslo(&config);

	(void)state;
	expect_local(zone, 1774746000 - 1, "6 2026-03-29 01:59");
	expect_local(zone, 1774746000, "6 2026-03-29 03:00");
	expect_local(zone, 1792886400, "6 2026-10-25 02:00");
	expect_local(zone, 1792890000 - 1, "6 2026-10-25 02:59");
	expect_local(zone, 1792890000, "6 2026-10-25 02:00");
	expect_local(zone, 1792893600, "6 2026-10-25 03:00");
	config_destroy(config);
}

static void zones_live_side_by_side(void **state)
{
	struct config *config = expect_config(
		BASE "time_zone: UTC\n"
		     "services: { s: [ { when: { time: [ 08:00-09:00 Asia/Tokyo, "
		     "08:00-09:00 America/St_Johns, 08:00-09:00 ] }, do: loop } ] }\n");
	const struct config_window *windows = config->services[1].rules[0].windows;

	(void)state;
	expect_local(windows[0].zone, 1782907200, "2 2026-07-01 21:00");
	expect_local(windows[1].zone, 1782907200, "2 2026-07-01 09:30");
	expect_local(windows[2].zone, 1782907200, "2 2026-07-01 12:00");
	assert_string_equal(config_zone_name(windows[1].zone), "America/St_Johns");
	config_destroy(config);
}

static void without_a_zone_it_is_the_machine_s(void **state)
{
	struct config *config = expect_config(BASE);

	(void)state;
	assert_string_equal(config_zone_name(config->time_zone), "local");
	config_destroy(config);
}

#define NO_ZONE                                                                                    \
	"names a time zone that this machine does not know. Write one such as Europe/Oslo, and "   \
	"see that the package tzdata is installed"

static void what_is_no_zone_is_refused(void **state)
{
	(void)state;
	expect(BASE "time_zone: Europe/Olso\n",
	       ERROR(5, 12, "`time_zone`: `Europe/Olso` " NO_ZONE));
	expect(BASE "time_zone: /etc/passwd\n",
	       ERROR(5, 12, "`time_zone`: `/etc/passwd` " NO_ZONE));
	expect(BASE "time_zone: a/../../etc/hosts\n",
	       ERROR(5, 12, "`time_zone`: `a/../../etc/hosts` " NO_ZONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_zone_knows_winter_and_summer),
		IN_FOLDER(the_hour_that_is_left_out_and_the_one_shown_twice),
		IN_FOLDER(zones_live_side_by_side),
		IN_FOLDER(without_a_zone_it_is_the_machine_s),
		IN_FOLDER(what_is_no_zone_is_refused),
	};

	return cmocka_run_group_tests_name("config/zone", tests, NULL, NULL);
}
