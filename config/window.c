/* SPDX-License-Identifier: Apache-2.0 */
/* window.c - "Mon-Fri 08:00-17:00 Europe/Oslo", "Fri 17:00-Mon 08:00",
 * "22:00-06:00", "Sat,Sun"; and dates: "12-25", "2026-04-03".
 *
 * A window is compared with what clocks in its zone show, so one that lies in
 * the hour that a change to summer time leaves out does not come that day, and
 * one in the hour that is shown twice comes twice.
 */
#include "config/window.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/lines.h"
#include "config/zone.h"

#define DAY       1440u /* minutes */
#define WEEK      (7 * DAY)
#define EVERY_DAY 0x7fu
#define DATES_MAX 10000 /* centuries of holidays */

/* ---- reading a window ---- */

static void skip_spaces(const char **at)
{
	*at += strspn(*at, " ");
}

static bool take_dash(const char **at)
{
	const char *dash = *at + strspn(*at, " ");

	if (*dash != '-')
		return false;
	*at = dash + 1;
	skip_spaces(at);
	return true;
}

static bool take_day(const char **at, unsigned *ret_day)
{
	static const char *const names[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (strncasecmp(*at, names[i], 3) != 0 || ((*at)[3] && !strchr(" ,-", (*at)[3])))
			continue;
		*at += 3;
		*ret_day = i;
		return true;
	}
	return false;
}

/* One or two digits. */
static bool take_two(const char **at, unsigned *ret_number)
{
	size_t digits = strspn(*at, "0123456789");

	if (digits < 1 || digits > 2)
		return false;
	*ret_number = (unsigned)strtoul(*at, NULL, 10); /* ends at what is no digit */
	*at += digits;
	return true;
}

static bool take_clock(const char **at, unsigned *ret_minute)
{
	const char *rest = *at;
	unsigned hour, minute;

	if (!take_two(&rest, &hour) || *rest != ':')
		return false;
	rest++;
	if (strspn(rest, "0123456789") != 2 || !take_two(&rest, &minute) || minute > 59 ||
	    hour * 60 + minute > DAY)
		return false;
	*at = rest;
	*ret_minute = hour * 60 + minute;
	return true;
}

/* "Mon-Fri", "Sat,Sun", "Fri-Mon"; false: something else begins, or a day is missing. */
static bool take_days(const char **at, unsigned *ret_days)
{
	unsigned days = 0, first, last;

	for (;;) {
		if (!take_day(at, &first))
			return false;
		last = first;
		if (take_dash(at) && !take_day(at, &last))
			return false;
		for (unsigned day = first;; day = (day + 1) % 7) {
			days |= 1u << day;
			if (day == last)
				break;
		}
		skip_spaces(at);
		*ret_days = days;
		if (**at != ',')
			return true;
		++*at;
		skip_spaces(at);
	}
}

/* The one day of a set, or 7 if there are more. */
static unsigned only_day(unsigned days)
{
	for (unsigned day = 0; day < 7; day++)
		if (days == 1u << day)
			return day;
	return 7;
}

/* What follows "08:00": "-17:00", or "-Mon 08:00" after a single day. */
static bool take_end(const char **at, unsigned days, unsigned from, unsigned *ret_length)
{
	unsigned start_day = only_day(days), day, to;

	if (!take_dash(at))
		return false;
	if (!take_day(at, &day)) {
		if (!take_clock(at, &to))
			return false;
		*ret_length = (to + DAY - from) % DAY;
		return to != from;
	}
	skip_spaces(at);
	if (start_day == 7 || !take_clock(at, &to))
		return false;
	*ret_length = (day * DAY + to + WEEK - start_day * DAY - from) % WEEK;
	return *ret_length > 0;
}

static bool take_window(const char **at, struct config_window *window)
{
	const char *start = *at;
	unsigned day, days = EVERY_DAY, from = 0, length = DAY;
	bool named = take_day(&start, &day);

	if (named && !take_days(at, &days))
		return false;
	if (take_clock(at, &from)) {
		/* From midnight to midnight is a whole day, and no day begins at 24:00. */
		if (from == DAY || !take_end(at, days, from, &length) || (**at && **at != ' '))
			return false;
		if (length == 0)
			length = DAY;
	} else if (!named || (**at >= '0' && **at <= '9')) { /* no zone begins so */
		return false;
	}
	skip_spaces(at);
	window->days = (uint8_t)days;
	window->from = (uint16_t)from;
	window->length = (uint16_t)length;
	return true;
}

static void read_window(struct reader *reader, const struct value *value)
{
	struct config_window *window = value->target;
	const char *at = value->node->text;

	window->text = (char *)value->node->text;
	if (!take_window(&at, window))
		value_error(reader, value,
			    "is not a time of the week. Write \"Mon-Fri 08:00-17:00\", "
			    "\"22:00-06:00\", \"Fri 17:00-Mon 08:00\" or \"Sat,Sun\", and a time "
			    "zone after it if it is another than `time_zone`");
	else
		window->zone = *at ? zone_find(reader, value, at) : reader->config->time_zone;
}

const struct kind kind_window = { "time of the week", NODE_SCALAR, read_window };

bool config_window_contains(const struct config_window *window, const struct config_local *local)
{
	unsigned now = local->weekday * DAY + local->minute;

	for (unsigned day = 0; day < 7; day++)
		if (window->days & 1u << day &&
		    (now + WEEK - day * DAY - window->from) % WEEK < window->length)
			return true;
	return false;
}

/* ---- dates ---- */

static bool date_valid(const struct config_date *date)
{
	static const uint8_t days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return date->month >= 1 && date->month <= 12 && date->day >= 1 &&
	       date->day <= days[date->month - 1];
}

/* "12-25" or "2026-12-25" */
static bool date_parse(const char *text, struct config_date *ret_date)
{
	struct config_date date = { 0 };
	unsigned month, day;

	if (strspn(text, "0123456789") == 4 && text[4] == '-') { /* ISO 8601 */
		date.year = (uint16_t)strtoul(text, NULL, 10);   /* four digits */
		text += 5;
	}
	if (!take_two(&text, &month) || *text++ != '-' || !take_two(&text, &day) || *text)
		return false;
	date.month = (uint8_t)month;
	date.day = (uint8_t)day;
	*ret_date = date;
	return date_valid(&date);
}

static void date_line(struct reader *reader, struct place at, char *line, void *arg)
{
	struct line_items *list = arg;
	struct config_date *room = line_items_room(reader, at, list);
	char *text = line_next_field(&line);

	if (room && date_parse(text, room))
		list->count++;
	else if (room)
		find_error(reader->findings, at,
			   "`%.40s` is not a date. Write 2026-12-25, or 12-25 for every year",
			   text);
}

static void read_date_file(struct reader *reader, const struct value *value,
			   struct config_dates *dates)
{
	const char *path = lines_file(reader, value->node);
	struct line_items list = { .size = sizeof(struct config_date),
				   .max = DATES_MAX,
				   .what = "dates" };

	if (path)
		lines_read(reader, path, value->node->at, date_line, &list);
	dates->dates = line_items_settle(reader, &list);
	dates->count = dates->dates ? list.count : 0;
}

static void read_dates(struct reader *reader, const struct value *value)
{
	struct config_dates *dates = value->target;

	if (value->node->kind == NODE_MAP) {
		read_date_file(reader, value, dates);
		return;
	}
	dates->dates = arena_alloc(reader->arena, 1, sizeof(*dates->dates));
	if (!dates->dates)
		return;
	dates->count = 1;
	if (value->node->kind != NODE_SCALAR || !date_parse(value->node->text, dates->dates))
		find_error(reader->findings, value->node->at,
			   "`%s`: not a date. Write 2026-12-25, 12-25 for every year, or "
			   "`{ file: dates.csv }`",
			   value->name);
}

const struct kind kind_dates = { "date", NODE_ANY, read_dates };

bool config_is_holiday(const struct config *config, const struct config_local *local)
{
	for (size_t i = 0; i < config->holiday_count; i++)
		for (size_t k = 0; k < config->holidays[i].count; k++) {
			const struct config_date *date = &config->holidays[i].dates[k];

			if (date->month == local->month && date->day == local->day &&
			    (!date->year || date->year == local->year))
				return true;
		}
	return false;
}
