/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - how long the core may be away, by arithmetic: from registrations as they
 * stand, or from a number of them.
 *
 * After an outage those whose TTL ends first go first, at the permitted rate. So
 * who is k-th in that order lapses unless outage, finding out and k requests fit
 * into the time left. Pure; any thread.
 */
#ifndef BREAKOUT_REGISTRAR_PLAN_H
#define BREAKOUT_REGISTRAR_PLAN_H

#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"

#define PLAN_SLOTS 2048
#define PLAN_SHIFT 44

/* How much time is left to how many. */
struct plan_left {
	mono_ms width;    /* of a slot */
	uint64_t inverse; /* of it, times 2^PLAN_SHIFT, rounded up */
	double count[PLAN_SLOTS];
};
void plan_left_init(struct plan_left *left, uint32_t ttl_s);

/* A million times every few seconds, hence here, and without a division: exact below
 * 2^PLAN_SHIFT over the width, so for any TTL of up to a day (Granlund, Montgomery 1994,
 * theorem 4.2). */
static inline void plan_left_add(struct plan_left *left, mono_ms time_left, double count)
{
	uint64_t slot = 0;

	if (time_left >= left->width * PLAN_SLOTS)
		slot = PLAN_SLOTS - 1;
	else if (time_left > 0)
		slot = (uint64_t)time_left * left->inverse >> PLAN_SHIFT;
	left->count[slot] += count;
}

/* The longest outage, from now on, that lapses nobody; negative: somebody lapses
 * even without. `rate` is requests a second. */
mono_ms plan_margin(const struct plan_left *left, double rate);

struct plan {
	double steady, rate;   /* requests a second: needed, permitted */
	mono_ms start;         /* for the first registration of all */
	mono_ms margin;        /* the longest outage that lapses nobody */
	double lapsed;         /* registrations, after the outage asked for */
	mono_ms longest_lapse; /* of one of them */
	mono_ms catch_up;      /* after it, until nobody is overdue */
};
/* rate 0: what the registrar takes by itself. */
void plan_make(size_t count, uint32_t ttl_s, mono_ms outage, double rate, struct plan *ret_plan);

/* Requests a second: what so many numbers need, and what is permitted for them. */
double plan_steady(size_t count, uint32_t ttl_s);
double plan_rate(size_t count, uint32_t ttl_s);

#endif
