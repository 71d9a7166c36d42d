/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/look/moment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HALF_DAY_MS (12LL * 3600 * 1000)

/* ".5", ".123", or nothing: milliseconds; *text moves behind. */
static long long take_fraction(const char **text)
{
	long long ms = 0, unit = 100;

	if (**text != '.' && **text != ',')
		return 0;
	for ((*text)++; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
		ms += (**text - '0') * unit;
	return ms;
}

static bool read_offset(const char *text, long long first_ms, long long *ret_ms)
{
	char *rest;
	long long seconds = strtoll(text, &rest, 10);
	const char *end = rest;
	long long ms;

	if (rest == text || seconds < 0 || seconds > 10000000)
		return false;
	ms = take_fraction(&end);
	*ret_ms = first_ms + seconds * 1000 + ms;
	return !*end;
}

/* Of the day on which half a day before the call's beginning lies, or the next one. */
static bool read_clock(const char *text, long long first_ms, long long *ret_ms)
{
	time_t from = (time_t)((first_ms - HALF_DAY_MS) / 1000);
	struct tm day;
	int hours, minutes, seconds, read = 0;
	const char *rest;
	long long ms;

	if (sscanf(text, "%2d:%2d:%2d%n", &hours, &minutes, &seconds, &read) != 3 || hours > 23 ||
	    minutes > 59 || seconds > 60)
		return false;
	rest = text + read;
	ms = take_fraction(&rest);
	if (*rest)
		return false;
	localtime_r(&from, &day);
	for (int days = 0; days < 2; days++) {
		struct tm tm = day;

		tm.tm_mday += days;
		tm.tm_hour = hours;
		tm.tm_min = minutes;
		tm.tm_sec = seconds;
		tm.tm_isdst = -1;
		*ret_ms = (long long)mktime(&tm) * 1000 + ms;
		if (*ret_ms >= first_ms - HALF_DAY_MS)
			return true;
	}
	return true;
}

/* "Z", "+01:00", or nothing: false for what is none. */
static bool read_zone(const char *text, bool *ret_local, long *ret_ahead_s)
{
	int hours, minutes, read = 0;
	char sign;

	*ret_local = !*text;
	*ret_ahead_s = 0;
	if (!*text || !strcmp(text, "Z"))
		return true;
	if (sscanf(text, "%c%2d:%2d%n", &sign, &hours, &minutes, &read) != 3 || text[read] ||
	    (sign != '+' && sign != '-'))
		return false;
	*ret_ahead_s = (hours * 60L + minutes) * 60 * (sign == '-' ? -1 : 1);
	return true;
}

static bool read_date(const char *text, long long *ret_ms)
{
	static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
					       "%Y-%m-%dT%H:%M" };

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *rest = strptime(text, formats[i], &tm);
		long long ms;
		long ahead_s;
		bool local;

		if (!rest)
			continue;
		ms = take_fraction(&rest);
		if (!read_zone(rest, &local, &ahead_s))
			return false;
		*ret_ms = ((long long)(local ? mktime(&tm) : timegm(&tm)) - ahead_s) * 1000 + ms;
		return true;
	}
	return false;
}

bool moment_read(const char *text, long long first_ms, long long *ret_ms)
{
	if (*text == '+')
		return read_offset(text + 1, first_ms, ret_ms);
	return read_clock(text, first_ms, ret_ms) || read_date(text, ret_ms);
}
