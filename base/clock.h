/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - what time it is, and the way tests decide it.
 *
 * Deadlines use clock_now(): CLOCK_BOOTTIME in milliseconds, which no NTP step
 * moves and which counts suspended time. Wall clock is for records only.
 * Threads: any; the fake setters before other threads start or in tests.
 */
#ifndef BREAKOUT_BASE_CLOCK_H
#define BREAKOUT_BASE_CLOCK_H

#include <stdint.h>

typedef int64_t mono_ms; /* milliseconds on the monotonic clock */
typedef int64_t wall_ms; /* milliseconds since 1970-01-01T00:00:00Z */

mono_ms clock_now(void);
uint64_t clock_now_ns(void); /* same clock, for measuring */
wall_ms clock_wall(void);

#define CLOCK_TEXT_ROOM 48
/* "2026-11-25T22:15:18.042Z" (RFC 3339) */
void clock_wall_text(wall_ms wall, char ret_text[static CLOCK_TEXT_ROOM]);

/* Tests: from the first call on, time stands still unless moved here. */
void clock_fake_set(mono_ms now);
void clock_fake_advance(mono_ms by);
void clock_fake_wall_set(wall_ms now);
void clock_real(void);

#endif
