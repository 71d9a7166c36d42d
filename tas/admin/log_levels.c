/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/log_levels.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define FOR_MAX_S (24 * 3600)
#define LETTERS   "abcdefghijklmnopqrstuvwxyz0123456789_-"

/* "10m", in seconds; 0: it is none, or too long. */
static unsigned duration_s(const char *text)
{
	static const struct {
		const char *unit;
		unsigned seconds;
	} units[] = { { "s", 1 }, { "m", 60 }, { "h", 3600 } };
	char *rest;
	unsigned long number = *text >= '0' && *text <= '9' ? strtoul(text, &rest, 10) : 0;

	for (size_t i = 0; number && i < ARRAY_SIZE(units); i++)
		if (!strcmp(rest, units[i].unit))
			return number <= FOR_MAX_S / units[i].seconds
				       ? (unsigned)number * units[i].seconds
				       : 0;
	return 0;
}

static void add_level(const char *area, enum log_level level, unsigned left_s, void *arg)
{
	json_array_append_new(arg, json_pack("{s:s, s:s, s:I}", "area", area ? area : "*", "level",
					     log_level_name(level), "left_s", (json_int_t)left_s));
}

static json_t *levels_json(void)
{
	json_t *list = json_array();

	log_overrides(add_level, list);
	return json_pack("{s:o}", "log", list);
}

static json_t *set_level(const char *area, const char *name, const char *time)
{
	unsigned for_s = time ? duration_s(time) : 0;
	enum log_level level;
	int err;

	if (area && strspn(area, LETTERS) != strlen(area))
		return error_text("that is no area of the log: the word after the level of a line");
	if (time && !for_s)
		return error_text("that is no time: 90s, 10m or 2h, a day at most");
	if (!strcmp(name, "default") && !time) {
		log_override_end(area);
		log_notice("admin", "log level area=%s is the configuration's",
			   area ? area : "all");
		return levels_json();
	}
	if (log_level_parse(name, &level) < 0)
		return error_text("that is no level: error, notice, info or debug, or default "
				  "without a time");
	err = log_override(area, level, for_s);
	if (err)
		return error_text(err == -EINVAL ? "that is no area of the log"
						 : "too many areas had a level of their own");
	log_notice("admin", "log level area=%s level=%s%s%s", area ? area : "all", name,
		   for_s ? " for=" : "", for_s ? time : "");
	return levels_json();
}

json_t *log_levels_answer(const char *request)
{
	char first[48] = "", time[16] = "", end[2] = "";
	char *equals;
	int words;

	if (!*request)
		return levels_json();
	words = sscanf(request, "%47s for %15s %1s", first, time, end);
	if (words < 1 || words > 2 || (words == 1 && strlen(first) != strlen(request)))
		return error_text("write [AREA=]LEVEL, or [AREA=]LEVEL for TIME, such as "
				  "sip=debug for 10m");
	equals = strchr(first, '=');
	if (equals)
		*equals = '\0';
	return set_level(equals ? first : NULL, equals ? equals + 1 : first,
			 words == 2 ? time : NULL);
}
