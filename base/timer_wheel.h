/* SPDX-License-Identifier: Apache-2.0 */
/* timer_wheel.h - many timers, each O(1) to start and to cancel.
 *
 * Resolution 10 ms; a timer never fires early. Timers live inside the objects
 * that own them; the wheel only links them. Threads: the owner's only.
 */
#ifndef BREAKOUT_BASE_TIMER_WHEEL_H
#define BREAKOUT_BASE_TIMER_WHEEL_H

#include <stdbool.h>
#include "base/clock.h"
#include "base/macros.h"

struct timer;
struct timer_wheel; /* opaque */

/* May restart or cancel any timer, its own included, and free its owner. */
typedef void timer_fn(struct timer *timer, void *arg);

struct timer {
	struct timer *next, **link; /* the wheel's; link is NULL when idle */
	mono_ms due_ms;
	timer_fn *fire;
	void *arg;
};

int timer_wheel_create(struct timer_wheel **ret_wheel, mono_ms now) MUST_CHECK;
struct timer_wheel *timer_wheel_destroy(struct timer_wheel *wheel); /* timers left are unlinked */

void timer_init(struct timer *timer, timer_fn *fire, void *arg);
bool timer_active(const struct timer *timer);
/* Moves it if active. */
void timer_start(struct timer_wheel *wheel, struct timer *timer, mono_ms due_ms);
void timer_cancel(struct timer *timer); /* fine when idle */

/* Fires what is due, at most `budget` timers (0: all); returns how many. */
unsigned timer_wheel_advance(struct timer_wheel *wheel, mono_ms now, unsigned budget);

/* A moment not later than the earliest timer, or -1 without timers. */
mono_ms timer_wheel_next(const struct timer_wheel *wheel);

#endif
