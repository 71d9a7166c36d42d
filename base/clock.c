/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c - the real clocks, and the standing ones tests put in their place. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

static atomic_bool faked;
static _Atomic mono_ms fake_now;
static _Atomic wall_ms fake_wall;

static uint64_t real_ns(clockid_t id)
{
	struct timespec ts;

	/* Cannot fail: both clocks exist since Linux 2.6.39. */
	(void)clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void start_faking(void)
{
	if (atomic_load(&faked))
		return;
	atomic_store(&fake_now, (mono_ms)(real_ns(CLOCK_BOOTTIME) / 1000000u));
	atomic_store(&fake_wall, (wall_ms)(real_ns(CLOCK_REALTIME) / 1000000u));
	atomic_store(&faked, true);
}

uint64_t clock_now_ns(void)
{
	if (atomic_load_explicit(&faked, memory_order_relaxed))
		return (uint64_t)atomic_load(&fake_now) * 1000000u;
	return real_ns(CLOCK_BOOTTIME);
}

mono_ms clock_now(void)
{
	if (atomic_load_explicit(&faked, memory_order_relaxed))
		return atomic_load(&fake_now);
	return (mono_ms)(real_ns(CLOCK_BOOTTIME) / 1000000u);
}

wall_ms clock_wall(void)
{
	if (atomic_load_explicit(&faked, memory_order_relaxed))
		return atomic_load(&fake_wall);
	return (wall_ms)(real_ns(CLOCK_REALTIME) / 1000000u);
}

void clock_fake_set(mono_ms now)
{
	start_faking();
	atomic_store(&fake_now, now);
}

void clock_fake_advance(mono_ms by)
{
	start_faking();
	atomic_fetch_add(&fake_now, by);
	atomic_fetch_add(&fake_wall, by);
}

void clock_fake_wall_set(wall_ms now)
{
	start_faking();
	atomic_store(&fake_wall, now);
}

void clock_real(void)
{
	atomic_store(&faked, false);
}

static char *put_digits(char *to, int value, int digits)
{
	for (int i = digits - 1; i >= 0; i--, value /= 10)
		to[i] = (char)('0' + value % 10);
	return to + digits;
}

/* By hand: each call's record has several of them. */
void clock_wall_text(wall_ms wall, char ret_text[static CLOCK_TEXT_ROOM])
{
	time_t seconds = (time_t)(wall / 1000);
	char *at = ret_text;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	at = put_digits(at, tm.tm_year + 1900, 4);
	*at++ = '-';
	at = put_digits(at, tm.tm_mon + 1, 2);
	*at++ = '-';
	at = put_digits(at, tm.tm_mday, 2);
	*at++ = 'T';
	at = put_digits(at, tm.tm_hour, 2);
	*at++ = ':';
	at = put_digits(at, tm.tm_min, 2);
	*at++ = ':';
	at = put_digits(at, tm.tm_sec, 2);
	*at++ = '.';
	at = put_digits(at, (int)(wall % 1000), 3);
	memcpy(at, "Z", 2);
}
