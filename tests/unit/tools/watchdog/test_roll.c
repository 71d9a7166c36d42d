/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "tools/watchdog/roll.h"

#define NOW    1000000
#define LEASE  10000
#define UNSEEN 600000
#define LOOK   500

static struct roll roll;
static struct fleet_sights sights;
static bool beats[FLEET_SIGHTS], watched[FLEET_SIGHTS];
static mono_ms now;

/* A node, and if `place`, a watchdog there. */
static struct fleet_sight *node(const char *name, const char *place)
{
	struct fleet_sight *sight = &sights.list[sights.count];

	*sight = (struct fleet_sight){ .member = true, .session = 1 + sights.count, .beat = 7 };
	snprintf(sight->name, sizeof(sight->name), "%s", name);
	snprintf(sight->place, sizeof(sight->place), "%s", place);
	beats[sights.count] = true;
	watched[sights.count] = *place;
	sight->answers = *place;
	sights.count++;
	return sight;
}

static int set_up(void **state)
{
	(void)state;
	roll_init(&roll, LEASE, UNSEEN);
	memset(&sights, 0, sizeof(sights));
	now = NOW;
	return 0;
}

static bool look(void)
{
	for (size_t i = 0; i < sights.count; i++) {
		sights.list[i].beat += beats[i];
		sights.list[i].watch_beat += watched[i];
	}
	return roll_look(&roll, &sights, now);
}

static void pass(mono_ms ms)
{
	for (mono_ms end = now + ms; now < end;) {
		now += LOOK;
		look();
	}
}

static enum roll_life life(void)
{
	return roll_life(&roll, now, NULL);
}

static void die(size_t index)
{
	beats[index] = false;
	sights.list[index].answers = false;
}

static void a_beat_that_moves_is_life(void **state)
{
	(void)state;
	node("a", "");
	assert_true(look());
	assert_int_equal(life(), ROLL_OPEN);
	pass(LOOK);
	assert_int_equal(life(), ROLL_LIVES);
	pass(3600000);
	assert_int_equal(life(), ROLL_LIVES);
	assert_int_equal(roll.last_life, now);
}

static void one_whose_watchdog_sees_nobody_is_dead_after_a_lease(void **state)
{
	mono_ms died;

	(void)state;
	node("a", "here");
	look();
	pass(5000);
	died = now;
	die(0);
	pass(LEASE - LOOK);
	assert_int_equal(life(), ROLL_LIVES);
	pass(LOOK);
	assert_int_equal(life(), ROLL_DEAD);
	assert_true(roll_sure_of(&roll, 0, now));
	assert_int_equal(roll.last_life, died);
}

static void one_that_answers_there_is_cut_off_and_lives(void **state)
{
	(void)state;
	node("a", "here");
	look();
	beats[0] = false;
	pass(2 * UNSEEN);
	assert_int_equal(life(), ROLL_LIVES);
	assert_int_equal(roll.last_life, now);
}

static void one_that_nobody_looks_at_may_live_for_a_time(void **state)
{
	const struct roll_entry *who = NULL;

	(void)state;
	node("a", "");
	look();
	pass(5000);
	beats[0] = false;
	pass(UNSEEN - LOOK);
	assert_int_equal(roll_life(&roll, now, &who), ROLL_OPEN);
	assert_string_equal(who->sight.name, "a");
	pass(LOOK);
	assert_int_equal(life(), ROLL_DEAD);
	assert_false(roll_sure_of(&roll, 0, now));
}

static void what_a_silent_watchdog_said_is_of_yesterday(void **state)
{
	(void)state;
	node("a", "its machine");
	look();
	pass(5000);
	die(0); /* with its machine, after that was said */
	pass(LOOK);
	watched[0] = false;
	pass(LEASE + ROLL_GAP_MS);
	assert_int_equal(life(), ROLL_OPEN);
	pass(UNSEEN);
	assert_int_equal(life(), ROLL_DEAD);
}

static void one_node_that_lives_is_a_fleet_that_lives(void **state)
{
	const struct roll_entry *who = NULL;

	(void)state;
	node("a", "here");
	node("b", "there");
	node("c", "");
	look();
	pass(5000);
	die(0);
	die(1);
	pass(UNSEEN);
	assert_int_equal(roll_life(&roll, now, &who), ROLL_LIVES);
	assert_string_equal(who->sight.name, "c");
	die(2);
	pass(LEASE);
	assert_int_equal(roll_life(&roll, now, &who), ROLL_OPEN);
	assert_string_equal(who->sight.name, "c");
}

static void who_said_goodbye_is_dead_unless_it_answers(void **state)
{
	struct fleet_sight *sight = node("", "here");

	(void)state;
	sight->member = false;
	sight->session = 0;
	sight->answers = false;
	look();
	assert_int_equal(life(), ROLL_DEAD);
	sight->answers = true; /* it serves, without having joined */
	pass(LOOK);
	assert_int_equal(life(), ROLL_LIVES);
	watched[0] = false;
	pass(ROLL_GAP_MS + LOOK);
	assert_int_equal(life(), ROLL_DEAD);
}

static void one_that_answered_before_we_looked_is_waited_for(void **state)
{
	struct fleet_sight *sight = node("a", "there");

	(void)state;
	sight->member = false;
	sight->session = 0;
	watched[0] = false;
	look();
	assert_int_equal(life(), ROLL_OPEN);
	pass(ROLL_GAP_MS + LOOK);
	assert_int_equal(life(), ROLL_DEAD);
}

static void who_was_put_out_may_be_alone(void **state)
{
	struct fleet_sight *sight = node("a", "");

	(void)state;
	look();
	pass(5000);
	die(0);
	sight->session = 0;
	pass(LEASE);
	assert_int_equal(life(), ROLL_OPEN);
	sight->session = 9; /* and joins again */
	pass(LOOK);
	assert_int_equal(life(), ROLL_LIVES);
}

static void a_fleet_of_nobody_is_dead(void **state)
{
	(void)state;
	look();
	assert_int_equal(life(), ROLL_DEAD);
}

static void while_nobody_looked_no_time_passes(void **state)
{
	(void)state;
	node("a", "here");
	look();
	pass(5000);
	die(0);
	roll_missed(&roll);
	now += LEASE;
	assert_true(look());
	assert_int_equal(life(), ROLL_OPEN);
	pass(LEASE - LOOK);
	assert_int_equal(life(), ROLL_OPEN);
	pass(LOOK);
	assert_int_equal(life(), ROLL_DEAD);
	now += ROLL_GAP_MS + 1;
	assert_true(look());
	assert_int_equal(life(), ROLL_OPEN);
}

static void of_two_places_that_claim_a_node_one_that_sees_it_counts(void **state)
{
	(void)state;
	node("a", "here");
	*node("a", "there") = sights.list[0];
	strcpy(sights.list[1].place, "there");
	beats[0] = beats[1] = false;
	sights.list[0].answers = false;
	look();
	pass(2 * LEASE);
	assert_int_equal(life(), ROLL_LIVES);
}

#define ROLL(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROLL(a_beat_that_moves_is_life),
		ROLL(one_whose_watchdog_sees_nobody_is_dead_after_a_lease),
		ROLL(one_that_answers_there_is_cut_off_and_lives),
		ROLL(one_that_nobody_looks_at_may_live_for_a_time),
		ROLL(what_a_silent_watchdog_said_is_of_yesterday),
		ROLL(one_node_that_lives_is_a_fleet_that_lives),
		ROLL(who_said_goodbye_is_dead_unless_it_answers),
		ROLL(one_that_answered_before_we_looked_is_waited_for),
		ROLL(who_was_put_out_may_be_alone),
		ROLL(a_fleet_of_nobody_is_dead),
		ROLL(while_nobody_looked_no_time_passes),
		ROLL(of_two_places_that_claim_a_node_one_that_sees_it_counts),
	};

	return cmocka_run_group_tests_name("tools/watchdog/roll", tests, NULL, NULL);
}
