/* SPDX-License-Identifier: Apache-2.0 */
/* zone.c - what the clock on the wall says, here or elsewhere.
 *
 * GLib reads the system's zone files (tzdata) itself, so that several zones
 * live side by side; libc knows one a process, by the variable TZ.
 */
#include "config/zone.h"

#include <glib.h>
#include <string.h>
#include <time.h>

#define LOCAL "local"

struct config_zone {
	struct config_zone *next;
	const char *name;
	GTimeZone *rules;
};

const char *config_zone_name(const struct config_zone *zone)
{
	return zone->name;
}

void config_zone_local(const struct config_zone *zone, wall_ms now, struct config_local *ret_local)
{
	time_t seconds = (time_t)(now / 1000);
	int interval =
		g_time_zone_find_interval(zone->rules, G_TIME_TYPE_UNIVERSAL, (gint64)seconds);
	struct tm tm;

	seconds += g_time_zone_get_offset(zone->rules, interval);
	gmtime_r(&seconds, &tm);
	*ret_local = (struct config_local){
		.year = (unsigned)tm.tm_year + 1900,
		.month = (unsigned)tm.tm_mon + 1,
		.day = (unsigned)tm.tm_mday,
		.weekday = (unsigned)(tm.tm_wday + 6) % 7, /* tm_wday begins on Sunday */
		.minute = (unsigned)(tm.tm_hour * 60 + tm.tm_min),
	};
}

/* A name, no path: GLib would open whatever file it is given. */
static bool is_name(const char *name)
{
	return g_ascii_isalpha(*name) && !strstr(name, "..") &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			    "/_+-") == strlen(name);
}

static GTimeZone *open_rules(const char *name)
{
	if (!strcmp(name, LOCAL))
		return g_time_zone_new_local();
	return is_name(name) ? g_time_zone_new_identifier(name) : NULL;
}

const struct config_zone *zone_find(struct reader *reader, const struct value *value,
				    const char *name)
{
	struct config *config = reader->config;
	struct config_zone *zone;
	GTimeZone *rules;

	for (zone = config->zones; zone; zone = zone->next)
		if (!strcmp(zone->name, name))
			return zone;
	rules = open_rules(name);
	if (!rules) {
		value_error(reader, value,
			    "names a time zone that this machine does not know. Write one such as "
			    "Europe/Oslo, and see that the package tzdata is installed");
		return NULL;
	}
	zone = arena_alloc(reader->arena, 1, sizeof(*zone));
	if (!zone) {
		g_time_zone_unref(rules);
		return NULL;
	}
	*zone = (struct config_zone){ .next = config->zones,
				      .name = arena_dup(reader->arena, name, strlen(name)),
				      .rules = rules };
	config->zones = zone;
	return zone->name ? zone : NULL;
}

void zones_done(struct config *config)
{
	for (struct config_zone *zone = config->zones; zone; zone = zone->next)
		g_time_zone_unref(zone->rules);
	config->zones = NULL;
}

static void read_zone(struct reader *reader, const struct value *value)
{
	*(const struct config_zone **)value->target = zone_find(reader, value, value->node->text);
}

const struct kind kind_zone = { "time zone", NODE_SCALAR, read_zone };
