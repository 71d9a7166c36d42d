/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/load/meter.h"

#define LIGHT_TICKS 3
#define SHED_TICKS  5
#define CALM_TICKS  50
#define ALL_TICKS   10
#define SATURATED   97 /* percent: what is missing is what the loop itself takes */
#define RATE_MIN    1.0

static const struct {
	const char *name, *unit;
	unsigned calm, light, shed;
	bool smooth; /* single samples say little */
} parts[LOAD_PART_COUNT] = {
	[LOAD_SIP] = { "the SIP thread", "% busy", 60, 80, 95, true },
	[LOAD_MEDIA] = { "the busiest media thread", "% busy", 60, 80, 98, true },
	/* A message waits so long at most before it is looked at. */
	[LOAD_LAG] = { "the SIP loop", "ms late", 50, 150, 1000, false },
	[LOAD_MEMORY] = { "memory", "% used", 85, 90, 96, false },
	[LOAD_FILES] = { "file descriptors", "% used", 80, 85, 95, false },
	/* limits.calls itself turns away what is beyond 100 %. */
	[LOAD_CALLS] = { "limits.calls", "% used", 85, 90, 101, false },
	/* The last ones are kept for calls in progress: media_session_create(). */
	[LOAD_PORTS] = { "media.ports", "% used", 85, 90, 101, false },
};

const char *load_part_name(enum load_part part)
{
	return parts[part].name;
}

const char *load_part_unit(enum load_part part)
{
	return parts[part].unit;
}

const char *load_level_name(enum load_level level)
{
	switch (level) {
	case LOAD_NORMAL:
		return "normal";
	case LOAD_LIGHT:
		return "light";
	case LOAD_SHEDDING:
		return "shedding";
	}
	return "?";
}

void load_meter_init(struct load_meter *meter, unsigned shed_percent)
{
	*meter = (struct load_meter){ .shed_percent = shed_percent, .share = LOAD_WHOLE };
}

static unsigned shed_at(const struct load_meter *meter, enum load_part part)
{
	return part == LOAD_SIP ? meter->shed_percent : parts[part].shed;
}

/* Up at once would take one handshake for a flood. */
static void smooth(struct load_meter *meter, const struct load_sample *sample)
{
	for (int i = 0; i < LOAD_PART_COUNT; i++) {
		unsigned new = sample->value[i] * 100, *filter = &meter->filter[i];

		*filter = parts[i].smooth ? (*filter + new) / 2 : new;
		meter->value[i] = (*filter + 50) / 100;
	}
}

/* The part that is furthest beyond a threshold, or -1. */
static int worst(const struct load_meter *meter, bool shed)
{
	unsigned most = 0;
	int which = -1;

	for (int i = 0; i < LOAD_PART_COUNT; i++) {
		unsigned at = shed ? shed_at(meter, (enum load_part)i) : parts[i].light;
		unsigned ratio = meter->value[i] * 1000 / at;

		if (meter->value[i] >= at && ratio > most) {
			most = ratio;
			which = i;
		}
	}
	return which;
}

static bool is_calm(const struct load_meter *meter)
{
	for (int i = 0; i < LOAD_PART_COUNT; i++)
		if (meter->value[i] >= parts[i].calm)
			return false;
	return true;
}

/* Both rates over about a second. */
static void count(struct load_meter *meter, const struct load_sample *sample)
{
	const double weight = LOAD_TICK_MS / 1000.0, a_second = 1000.0 / LOAD_TICK_MS;

	meter->admitted += weight * (sample->admitted * a_second - meter->admitted);
	meter->offered += weight * ((sample->admitted + sample->shed) * a_second - meter->offered);
}

static void start_shedding(struct load_meter *meter, int part)
{
	meter->level = LOAD_SHEDDING;
	meter->part = (enum load_part)part;
	meter->rate = meter->admitted * 0.75;
	meter->rate_min = meter->admitted / 10;
	if (meter->rate_min < RATE_MIN)
		meter->rate_min = RATE_MIN;
	meter->all = 0;
}

/* other: a part beyond its limit that is not the SIP thread. */
static void steer(struct load_meter *meter, bool other)
{
	double sip = meter->value[LOAD_SIP];

	if (other)
		meter->rate *= 0.9;
	else if (sip >= SATURATED)
		meter->rate *= 0.97;
	else
		meter->rate *= 1 + (meter->shed_percent * 0.95 - sip) / 1000;
	if (meter->rate < meter->rate_min)
		meter->rate = meter->rate_min;
	if (meter->rate > 2 * meter->offered + RATE_MIN) /* no more is known of what it could be */
		meter->rate = 2 * meter->offered + RATE_MIN;
	meter->share = meter->rate >= meter->offered
			       ? LOAD_WHOLE
			       : (unsigned)(meter->rate / meter->offered * LOAD_WHOLE);
	meter->all = meter->share == LOAD_WHOLE && !other && sip < SATURATED ? meter->all + 1 : 0;
}

/* True: it is over. */
static bool shedding_over(struct load_meter *meter)
{
	if (meter->shed_percent && meter->all < ALL_TICKS)
		return false;
	meter->share = LOAD_WHOLE;
	meter->beyond = 0;
	return true;
}

bool load_meter_feed(struct load_meter *meter, const struct load_sample *sample)
{
	enum load_level before = meter->level;
	int light, shed;

	smooth(meter, sample);
	count(meter, sample);
	light = worst(meter, false);
	shed = meter->shed_percent ? worst(meter, true) : -1;
	meter->above = light >= 0 || shed >= 0 ? meter->above + 1 : 0;
	meter->beyond = shed >= 0 ? meter->beyond + 1 : 0;
	meter->calm = is_calm(meter) ? meter->calm + 1 : 0;
	switch (meter->level) {
	case LOAD_NORMAL:
		if (meter->above < LIGHT_TICKS)
			break;
		meter->level = LOAD_LIGHT;
		meter->part = (enum load_part)(light >= 0 ? light : shed);
		break;
	case LOAD_LIGHT:
		if (meter->calm >= CALM_TICKS)
			meter->level = LOAD_NORMAL;
		if (meter->beyond >= SHED_TICKS)
			start_shedding(meter, shed);
		break;
	case LOAD_SHEDDING:
		steer(meter, shed >= 0 && shed != LOAD_SIP);
		if (shedding_over(meter))
			meter->level = LOAD_LIGHT;
		break;
	}
	return meter->level != before;
}
