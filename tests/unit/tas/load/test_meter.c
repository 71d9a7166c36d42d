/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "tas/load/meter.h"

static struct load_meter meter;

static int set_up(void **state)
{
	(void)state;
	load_meter_init(&meter, 95);
	return 0;
}

/* So many ticks with one part at this value and all others at rest; the level then. */
static enum load_level feed(enum load_part part, unsigned value, unsigned ticks)
{
	struct load_sample sample = { 0 };

	sample.value[part] = value;
	while (ticks--)
		(void)load_meter_feed(&meter, &sample);
	return meter.level;
}

static void one_busy_moment_is_nothing(void **state)
{
	(void)state;
	assert_int_equal(feed(LOAD_SIP, 100, 3), LOAD_NORMAL);
	assert_int_equal(feed(LOAD_SIP, 10, 100), LOAD_NORMAL);
	assert_int_equal(meter.share, LOAD_WHOLE);
}

static void a_busy_thread_makes_loops_light_until_it_is_calm_for_long(void **state)
{
	(void)state;
	assert_int_equal(feed(LOAD_SIP, 85, 20), LOAD_LIGHT);
	assert_int_equal(meter.part, LOAD_SIP);
	assert_int_equal(feed(LOAD_SIP, 70, 200), LOAD_LIGHT); /* between both thresholds */
	assert_int_equal(feed(LOAD_SIP, 20, 45), LOAD_LIGHT);
	assert_int_equal(feed(LOAD_SIP, 20, 10), LOAD_NORMAL);
}

static void what_each_part_leads_to(void **state)
{
	static const struct {
		enum load_part part;
		unsigned value;
		enum load_level level;
	} table[] = {
		{ LOAD_SIP, 79, LOAD_NORMAL },     { LOAD_SIP, 81, LOAD_LIGHT },
		{ LOAD_SIP, 96, LOAD_SHEDDING },   { LOAD_MEDIA, 79, LOAD_NORMAL },
		{ LOAD_MEDIA, 90, LOAD_LIGHT },    { LOAD_MEDIA, 99, LOAD_SHEDDING },
		{ LOAD_LAG, 100, LOAD_NORMAL },    { LOAD_LAG, 200, LOAD_LIGHT },
		{ LOAD_LAG, 1500, LOAD_SHEDDING }, { LOAD_MEMORY, 89, LOAD_NORMAL },
		{ LOAD_MEMORY, 92, LOAD_LIGHT },   { LOAD_MEMORY, 97, LOAD_SHEDDING },
		{ LOAD_FILES, 84, LOAD_NORMAL },   { LOAD_FILES, 90, LOAD_LIGHT },
		{ LOAD_FILES, 96, LOAD_SHEDDING }, { LOAD_CALLS, 89, LOAD_NORMAL },
		{ LOAD_CALLS, 100, LOAD_LIGHT }, /* the limit itself does the rest */
		{ LOAD_PORTS, 89, LOAD_NORMAL },   { LOAD_PORTS, 100, LOAD_LIGHT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		load_meter_init(&meter, 95);
		assert_int_equal(feed(table[i].part, table[i].value, 30), table[i].level);
		if (table[i].level)
			assert_int_equal(meter.part, table[i].part);
	}
}

/* A thread that can do a second's work in a second: looking at an INVITE takes
 * LOOK_MS, and the rest of an admitted call CALL_MS, soon after. */
#define LOOK_MS 0.2
#define CALL_MS 1.8

struct thread {
	double waiting_ms; /* work that has come and is not done */
	double later_ms;   /* of calls that were just admitted */
	unsigned unread;   /* INVITEs */
};

/* One tick with so many new calls a second; how many were admitted. */
static unsigned run(struct thread *thread, unsigned a_second)
{
	struct load_sample sample = { 0 };
	double left = LOAD_TICK_MS, done;

	thread->unread += a_second * LOAD_TICK_MS / 1000;
	thread->waiting_ms += thread->later_ms;
	thread->later_ms = 0;
	while (left > 0 && (thread->unread || thread->waiting_ms > 0)) {
		if (thread->unread) { /* one of each in turn */
			thread->unread--;
			left -= LOOK_MS;
			if ((sample.admitted + sample.shed) * 7919u % LOAD_WHOLE < meter.share) {
				sample.admitted++;
				thread->later_ms += CALL_MS;
			} else {
				sample.shed++;
			}
		}
		done = thread->waiting_ms < 1 ? thread->waiting_ms : 1;
		thread->waiting_ms -= done;
		left -= done;
	}
	sample.value[LOAD_SIP] = left > 0 ? (unsigned)(100 - left * 100 / LOAD_TICK_MS) : 100;
	(void)load_meter_feed(&meter, &sample);
	return sample.admitted;
}

static void goodput_stays_flat_beyond_saturation(void **state)
{
	static const unsigned offered[] = { 600, 750, 1000, 1500 }; /* 500 are what it can do */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(offered); i++) {
		struct thread thread = { 0 };
		double could = 1000 - offered[i] * LOOK_MS, admitted = 0, longest = 0;

		load_meter_init(&meter, 95);
		for (int tick = 0; tick < 150; tick++)
			(void)run(&thread, offered[i]);
		assert_int_equal(meter.level, LOAD_SHEDDING);
		for (int tick = 0; tick < 300; tick++) {
			admitted += run(&thread, offered[i]) / 30.0;
			longest = thread.unread > longest ? thread.unread : longest;
		}
		assert_true(admitted * CALL_MS > 0.75 * could);
		assert_true(longest < offered[i] / 10.0); /* INVITEs wait 100 ms at most */
	}
}

static void all_are_admitted_again_seconds_after_the_load_is_gone(void **state)
{
	struct thread thread = { 0 };

	(void)state;
	for (int tick = 0; tick < 100; tick++)
		(void)run(&thread, 1500);
	assert_int_equal(meter.level, LOAD_SHEDDING);
	for (int tick = 0; tick < 50; tick++)
		(void)run(&thread, 200);
	assert_int_equal(meter.level, LOAD_LIGHT);
	assert_int_equal(meter.share, LOAD_WHOLE);
	for (int tick = 0; tick < 50; tick++)
		(void)run(&thread, 200);
	assert_int_equal(meter.level, LOAD_NORMAL);
}

static void zero_sheds_nothing_and_a_reload_ends_it(void **state)
{
	(void)state;
	assert_int_equal(feed(LOAD_SIP, 100, 50), LOAD_SHEDDING);
	meter.shed_percent = 0;
	assert_int_equal(feed(LOAD_SIP, 100, 50), LOAD_LIGHT);
	assert_int_equal(meter.share, LOAD_WHOLE);
}

#define T(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_busy_moment_is_nothing),
		T(a_busy_thread_makes_loops_light_until_it_is_calm_for_long),
		T(what_each_part_leads_to),
		T(goodput_stays_flat_beyond_saturation),
		T(all_are_admitted_again_seconds_after_the_load_is_gone),
		T(zero_sheds_nothing_and_a_reload_ends_it),
	};

	return cmocka_run_group_tests_name("tas/load/meter", tests, NULL, NULL);
}
