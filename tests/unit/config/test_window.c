/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

static struct config *with_window(const char *text)
{
	char yaml[1024];

	(void)snprintf(yaml, sizeof(yaml),
		       BASE "services: { s: [ { when: { time: \"%s\" }, do: loop } ] }\n", text);
	return expect_config(yaml);
}

/* Days 0 to 6 from Monday, times as on a clock. */
static bool contains(const char *window, unsigned weekday, unsigned hour, unsigned minute)
{
	struct config *config = with_window(window);
	bool inside = config_window_contains(
		&config->services[1].rules[0].windows[0],
		&(struct config_local){ .weekday = weekday, .minute = hour * 60 + minute });

	config_destroy(config);
	return inside;
}

enum { MON, TUE, WED, THU, FRI, SAT, SUN };

static void working_hours_begin_with_and_end_before_their_minutes(void **state)
{
	(void)state;
	assert_true(contains("Mon-Fri 08:00-17:00", MON, 8, 0));
	assert_true(contains("Mon-Fri 08:00-17:00", FRI, 16, 59));
	assert_false(contains("Mon-Fri 08:00-17:00", WED, 7, 59));
	assert_false(contains("Mon-Fri 08:00-17:00", WED, 17, 0));
	assert_false(contains("Mon-Fri 08:00-17:00", SAT, 12, 0));
	assert_true(contains("mon - fri 8:00 - 17:00", TUE, 12, 0));
}

static void without_days_it_is_every_day(void **state)
{
	(void)state;
	for (unsigned day = MON; day <= SUN; day++) {
		assert_true(contains("08:00-17:00", day, 12, 0));
		assert_false(contains("08:00-17:00", day, 20, 0));
	}
}

static void without_times_it_is_the_whole_day(void **state)
{
	(void)state;
	assert_true(contains("Sat,Sun", SAT, 0, 0));
	assert_true(contains("Sat, Sun", SUN, 23, 59));
	assert_false(contains("Sat,Sun", MON, 0, 0));
	assert_true(contains("Tue 00:00-24:00", TUE, 23, 59));
	assert_false(contains("Tue 00:00-24:00", WED, 0, 0));
	assert_true(contains("Mon-Wed,Fri", FRI, 3, 0));
	assert_false(contains("Mon-Wed,Fri", THU, 3, 0));
	assert_true(contains("Sat,Sun Europe/Oslo", SAT, 3, 0));
}

static void a_night_belongs_to_the_day_it_begins_on(void **state)
{
	(void)state;
	assert_true(contains("Fri 22:00-06:00", FRI, 22, 0));
	assert_true(contains("Fri 22:00-06:00", SAT, 5, 59));
	assert_false(contains("Fri 22:00-06:00", SAT, 6, 0));
	assert_false(contains("Fri 22:00-06:00", FRI, 5, 0));
	assert_true(contains("Sun 22:00-06:00", MON, 1, 0));
	assert_true(contains("22:00-06:00", WED, 23, 0));
	assert_true(contains("22:00-06:00", WED, 1, 0));
	assert_false(contains("22:00-06:00", WED, 12, 0));
}

static void days_and_times_go_over_the_end_of_the_week(void **state)
{
	(void)state;
	assert_true(contains("Fri-Mon 10:00-11:00", SUN, 10, 30));
	assert_true(contains("Fri-Mon 10:00-11:00", MON, 10, 30));
	assert_false(contains("Fri-Mon 10:00-11:00", TUE, 10, 30));
	assert_false(contains("Fri 17:00-Mon 08:00", FRI, 16, 59));
	assert_true(contains("Fri 17:00-Mon 08:00", FRI, 17, 0));
	assert_true(contains("Fri 17:00 - Mon 08:00", SUN, 3, 0));
	assert_true(contains("Fri 17:00-Mon 08:00", MON, 7, 59));
	assert_false(contains("Fri 17:00-Mon 08:00", MON, 8, 0));
	assert_false(contains("Fri 17:00-Mon 08:00", WED, 12, 0));
}

static void what_is_no_window_is_refused(void **state)
{
	static const char *const wrong[] = {
		"Monday 08:00-17:00",
		"Mon-Fri 8-17",
		"Mon-Fri 08:00",
		"08:00-08:00",
		"24:00-25:00",
		"08:60-09:00",
		"Mon-Fri 08:00-Sat 09:00",
		"Mon-",
		"Mon,",
		"08:00-17:00Europe",
		"1:000-2:00",
		"Fri 17:00-Fri 17:00",
		"-",
		"Mon 08:00-Tue",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		char yaml[1024], found[2048];
		struct config *config;

		(void)snprintf(yaml, sizeof(yaml),
			       BASE "services: { s: [ { when: { time: \"%s\" }, do: loop } ] }\n",
			       wrong[i]);
		put("breakout.yaml", yaml);
		assert_int_equal(load(false, &config, found, sizeof(found)), -EINVAL);
		if (!strstr(found, "is not a time of the week"))
			fail_msg("%s: %s", wrong[i], found);
	}
	expect(BASE "services: { s: [ { when: { time: Mon Europe/Olso }, do: loop } ] }\n",
	       ERROR(5, 34,
		     "`when.time`: `Mon Europe/Olso` names a time zone that this machine does not "
		     "know. Write one such as Europe/Oslo, and see that the package tzdata is "
		     "installed"));
}

static bool holiday(const struct config *config, unsigned year, unsigned month, unsigned day)
{
	return config_is_holiday(
		config, &(struct config_local){ .year = year, .month = month, .day = day });
}

static void holidays_come_once_or_every_year_from_a_list_or_a_file(void **state)
{
	struct config *config;

	(void)state;
	put("more.csv", "# moving feasts\n2026-04-03, Good Friday\n02-29\n");
	config = expect_config(BASE "holidays: [ 12-25, 2026-05-14, { file: more.csv } ]\n");
	assert_true(holiday(config, 2026, 12, 25));
	assert_true(holiday(config, 2031, 12, 25));
	assert_true(holiday(config, 2026, 5, 14));
	assert_false(holiday(config, 2027, 5, 14));
	assert_true(holiday(config, 2026, 4, 3));
	assert_true(holiday(config, 2028, 2, 29));
	assert_false(holiday(config, 2026, 12, 24));
	config_destroy(config);
}

static void what_is_no_date_is_found_with_its_line(void **state)
{
	(void)state;
	put("more.csv", "12-25\n13-01\n2026-4\n");
	expect(BASE "holidays: [ 02-30, { file: more.csv }, [ 12-25 ] ]\n",
	       ERROR(5, 13,
		     "`holidays`: not a date. Write 2026-12-25, 12-25 for every year, or "
		     "`{ file: dates.csv }`")
		       ERROR(5, 40,
			     "`holidays`: not a date. Write 2026-12-25, 12-25 for every year, or "
			     "`{ file: dates.csv }`") "more.csv:2:1: error: `13-01` is not a date. "
						      "Write 2026-12-25, or 12-25 for every "
						      "year\n"
						      "more.csv:3:1: error: `2026-4` is not a "
						      "date. Write 2026-12-25, or 12-25 for every "
						      "year\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(working_hours_begin_with_and_end_before_their_minutes),
		IN_FOLDER(without_days_it_is_every_day),
		IN_FOLDER(without_times_it_is_the_whole_day),
		IN_FOLDER(a_night_belongs_to_the_day_it_begins_on),
		IN_FOLDER(days_and_times_go_over_the_end_of_the_week),
		IN_FOLDER(what_is_no_window_is_refused),
		IN_FOLDER(holidays_come_once_or_every_year_from_a_list_or_a_file),
		IN_FOLDER(what_is_no_date_is_found_with_its_line),
	};

	return cmocka_run_group_tests_name("config/window", tests, NULL, NULL);
}
