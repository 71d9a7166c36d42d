/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - the room: a tick, what is counted, and the lines in the log. */
#include "tas/load/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"
#include "tas/load/machine.h"
#include "tas/load/meter.h"

#define SLOW_TICKS 10 /* memory and files are looked at every second */

struct load_room {
	struct load_room_options options;
	struct machine machine;
	struct load_meter meter;
	struct load_sample sample;
	struct timer timer;
	unsigned ticks;
	mono_ms since_ms;     /* when NORMAL was left */
	uint64_t shed;        /* new calls turned away, since create */
	uint64_t shed_before; /* when NORMAL was left */
};

static struct metric level_gauge =
	METRIC_GAUGE_INIT("breakout_overload_level", NULL,
			  "0 normal, 1 new loops go without media, 2 new calls are turned away");
static struct metric share_gauge = METRIC_GAUGE_INIT("breakout_overload_admitted_percent", NULL,
						     "Share of the new calls that are admitted");
static struct metric shed_total =
	METRIC_COUNTER_INIT("breakout_overload_shed_total", NULL, "New calls turned away with 503");
static struct metric episodes_total = METRIC_COUNTER_INIT("breakout_overload_episodes_total", NULL,
							  "Times there was too much to do");
#define BUSY(thread)                                                                               \
	METRIC_GAUGE_INIT("breakout_overload_busy_percent", "thread=\"" thread "\"",               \
			  "Share of the last moments in which the thread had something to do")
#define USED(what)                                                                                 \
	METRIC_GAUGE_INIT("breakout_overload_used_percent", "what=\"" what "\"",                   \
			  "How much of what is limited is in use")
static struct metric part_gauges[LOAD_PART_COUNT] = {
	[LOAD_SIP] = BUSY("sip"),
	[LOAD_MEDIA] = BUSY("media"),
	[LOAD_LAG] = METRIC_GAUGE_INIT("breakout_overload_lag_milliseconds", NULL,
				       "How late the SIP loop came to its last tick"),
	[LOAD_MEMORY] = USED("memory"),
	[LOAD_FILES] = USED("files"),
	[LOAD_CALLS] = USED("calls"),
	[LOAD_PORTS] = USED("ports"),
};

static void publish(const struct load_room *room)
{
	const struct load_meter *meter = &room->meter;

	metric_set(&level_gauge, meter->level);
	metric_set(&share_gauge, meter->share * 100 / LOAD_WHOLE);
	metric_add(&shed_total, 0); /* both show from the start */
	metric_add(&episodes_total, 0);
	for (int i = 0; i < LOAD_PART_COUNT; i++)
		metric_set(&part_gauges[i], meter->value[i]);
}

static void log_change(struct load_room *room, enum load_level before)
{
	const struct load_meter *meter = &room->meter;
	const char *name = load_part_name(meter->part), *unit = load_part_unit(meter->part);
	unsigned value = meter->value[meter->part];

	if (meter->level == LOAD_NORMAL)
		log_notice("load", "normal again after_s=%lld turned_away=%" PRIu64,
			   (long long)(clock_now() - room->since_ms) / 1000,
			   room->shed - room->shed_before);
	else if (meter->level == LOAD_SHEDDING)
		log_notice("load",
			   "too much to do: %s %u %s: new calls get 503, except emergencies", name,
			   value, unit);
	else if (before == LOAD_NORMAL)
		log_notice("load",
			   "much to do: %s %u %s: new loops go without their media unless "
			   "media.bypass is never",
			   name, value, unit);
	else
		log_notice("load", "new calls are all admitted again turned_away=%" PRIu64,
			   room->shed - room->shed_before);
}

static void on_change(struct load_room *room, enum load_level before)
{
	if (before == LOAD_NORMAL) {
		room->since_ms = clock_now();
		room->shed_before = room->shed;
		metric_add(&episodes_total, 1);
	}
	log_change(room, before);
}

static void on_tick(struct timer *timer, void *arg)
{
	struct load_room *room = arg;
	unsigned *value = room->sample.value;
	mono_ms now = clock_now(), late = now - timer->due_ms;
	enum load_level before = room->meter.level;

	machine_busy(&room->machine, room->options.idle_ns(room->options.arg), &value[LOAD_SIP],
		     &value[LOAD_MEDIA]);
	value[LOAD_LAG] = late > 0 ? (unsigned)late : 0;
	value[LOAD_CALLS] = room->options.calls_percent(room->options.arg);
	value[LOAD_PORTS] = room->options.ports_percent(room->options.arg);
	if (room->ticks++ % SLOW_TICKS == 0) {
		value[LOAD_MEMORY] = machine_memory(&room->machine);
		value[LOAD_FILES] = machine_files();
	}
	if (load_meter_feed(&room->meter, &room->sample))
		on_change(room, before);
	room->sample.admitted = room->sample.shed = 0;
	publish(room);
	timer_start(room->options.wheel, timer, now + LOAD_TICK_MS);
}

int load_room_create(struct load_room **ret_room, const struct load_room_options *options)
{
	struct load_room *room = calloc(1, sizeof(*room));

	if (!room)
		return -ENOMEM;
	room->options = *options;
	machine_init(&room->machine);
	load_meter_init(&room->meter, options->shed_percent);
	timer_init(&room->timer, on_tick, room);
	timer_start(options->wheel, &room->timer, clock_now() + LOAD_TICK_MS);
	*ret_room = room;
	return 0;
}

struct load_room *load_room_destroy(struct load_room *room)
{
	if (!room)
		return NULL;
	timer_cancel(&room->timer);
	machine_done(&room->machine);
	free(room);
	return NULL;
}

void load_room_reconfigure(struct load_room *room, unsigned shed_percent)
{
	room->meter.shed_percent = shed_percent;
}

bool load_is_light(const struct load_room *room)
{
	return room->meter.level != LOAD_NORMAL;
}

bool load_is_sick(const struct load_room *room)
{
	return room->meter.share < LOAD_WHOLE / 2;
}

bool load_admits(struct load_room *room, const char *call_id)
{
	if (room->meter.level != LOAD_SHEDDING ||
	    hash_bytes(call_id, strlen(call_id)) % LOAD_WHOLE < room->meter.share) {
		room->sample.admitted++;
		return true;
	}
	room->sample.shed++;
	room->shed++;
	metric_add(&shed_total, 1);
	return false;
}

void load_room_info(const struct load_room *room, struct load_info *ret_info)
{
	const struct load_meter *meter = &room->meter;

	*ret_info = (struct load_info){ .level = meter->level,
					.part = meter->part,
					.admitted_percent = meter->share * 100 / LOAD_WHOLE,
					.shed = room->shed };
	for (int i = 0; i < LOAD_PART_COUNT; i++)
		ret_info->value[i] = meter->value[i];
}
