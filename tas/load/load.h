/* SPDX-License-Identifier: Apache-2.0 */
/* load.h - the door to tas/load: whether there is too much to do, and what is
 * then let go.
 *
 * It measures this process ten times a second and knows three levels. What a
 * level means for a call is decided by those who ask: load_is_light() before a
 * loop gets media, load_admits() before an INVITE gets any state. It knows no SIP
 * and no calls.
 *
 * Threads: the SIP thread, whose load it measures.
 */
#ifndef BREAKOUT_TAS_LOAD_LOAD_H
#define BREAKOUT_TAS_LOAD_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"
#include "base/timer_wheel.h"

enum load_level {
	LOAD_NORMAL,
	LOAD_LIGHT,   /* new loops go without their media, if the configuration lets them */
	LOAD_SHEDDING /* and a share of the new calls is turned away */
};
const char *load_level_name(enum load_level level); /* "light" */

enum load_part { LOAD_SIP, LOAD_MEDIA, LOAD_LAG, LOAD_MEMORY, LOAD_FILES, LOAD_CALLS, LOAD_PORTS };
#define LOAD_PART_COUNT (LOAD_PORTS + 1)
const char *load_part_name(enum load_part part); /* "the SIP thread" */
const char *load_part_unit(enum load_part part); /* "% busy" */

#define LOAD_WHOLE 10000 /* a share that is all */

struct load_room; /* opaque */

struct load_room_options {
	struct timer_wheel *wheel;
	unsigned shed_percent;                /* as config.limits.busy; 0: nothing is shed */
	uint64_t (*idle_ns)(void *arg);       /* how long the SIP thread has waited so far */
	unsigned (*calls_percent)(void *arg); /* of their limit */
	unsigned (*ports_percent)(void *arg); /* of media.ports, that cannot be had */
	void *arg;
};
/* The media threads run already. 0 or -ENOMEM. */
int load_room_create(struct load_room **ret_room,
		     const struct load_room_options *options) MUST_CHECK;
struct load_room *load_room_destroy(struct load_room *room); /* NULL is fine */
void load_room_reconfigure(struct load_room *room, unsigned shed_percent);

bool load_is_light(const struct load_room *room); /* or worse */
/* Whether most new calls are turned away: who asks how we are is told so. */
bool load_is_sick(const struct load_room *room);
/* Whether this new call may come in; one that may not is counted. The same Call-ID
 * gets the same answer as long as the share is the same, so that one sent twice over
 * UDP is not refused and then taken. */
bool load_admits(struct load_room *room, const char *call_id);

struct load_info {
	enum load_level level;
	enum load_part part;             /* what made it leave NORMAL */
	unsigned value[LOAD_PART_COUNT]; /* in the part's unit */
	unsigned admitted_percent;
	uint64_t shed; /* new calls turned away, since create */
};
void load_room_info(const struct load_room *room, struct load_info *ret_info);

#endif
