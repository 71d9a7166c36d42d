/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "registrar/lease.h"

#define LEASE 10000
#define ALONE 60000
#define NOW   1000000

static struct lease_view view;
static struct lease_watch watch;
static struct lease_plan plan;

static struct lease_node *add(const char *name, uint64_t session)
{
	struct lease_node *node = &view.nodes[view.node_count++];

	memset(node, 0, sizeof(*node));
	strcpy(node->name, name);
	node->session = session;
	node->wish = view.in_force;
	return node;
}

static int begin(void **state)
{
	(void)state;
	memset(&view, 0, sizeof(view));
	memset(&watch, 0, sizeof(watch));
	view.in_force = (struct lease_wish){ 5, 55 };
	return 0;
}

static void own(uint64_t session, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		view.shards[i].session = session;
}

static void decide(uint64_t session, mono_ms now)
{
	for (size_t i = 0; i < view.node_count; i++)
		view.nodes[i].beat += view.nodes[i].session == session;
	lease_look(&watch, &view, LEASE, now);
	lease_decide(&watch, &view, session, LEASE, now, &plan);
}

static void shards_are_evenly_filled_by_numbers_in_a_row(void **state)
{
	unsigned counts[LEASE_SHARDS] = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 100 * LEASE_SHARDS; i++)
		counts[lease_shard_of(4799000000 + i)]++;
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		assert_in_range(counts[i], 50, 160);
	/* For good: rows carry their shard. */
	assert_int_equal(lease_shard_of(4799000001), lease_shard_of(4799000001));
}

static void one_node_takes_all_some_at_a_time(void **state)
{
	(void)state;
	add("a", 1);
	decide(1, NOW);
	assert_int_equal(plan.quota, LEASE_SHARDS);
	assert_int_equal(plan.take_count, LEASE_TAKE_MAX);
	assert_int_equal(plan.give_count, 0);
}

static void who_joins_is_given_its_share(void **state)
{
	(void)state;
	add("a", 1);
	add("b", 2);
	add("c", 3);
	own(1, 0, LEASE_SHARDS);
	decide(1, NOW);
	assert_int_equal(plan.quota, 86); /* 256 = 86 + 85 + 85 */
	assert_int_equal(plan.give_count, 170);
	decide(2, NOW);
	assert_int_equal(plan.quota, 85);
	assert_int_equal(plan.take_count, 0); /* none is free yet */
}

static void who_drains_gives_all_unless_nobody_would_take_them(void **state)
{
	struct lease_node *b;

	(void)state;
	add("a", 1)->draining = true;
	own(1, 0, LEASE_SHARDS);
	decide(1, NOW);
	assert_int_equal(plan.give_count, 0);
	b = add("b", 2);
	decide(1, NOW);
	assert_int_equal(plan.give_count, LEASE_SHARDS);
	b->draining = true;
	decide(1, NOW);
	assert_int_equal(plan.give_count, 0);
	own(0, 7, 8); /* given on the way there */
	decide(2, NOW);
	assert_int_equal(plan.take_count, 1);
	assert_int_equal(plan.take[0], 7);
}

static void a_beat_that_stood_still_for_a_lease_is_the_end(void **state)
{
	(void)state;
	add("a", 1);
	add("b", 2);
	for (mono_ms at = 0; at < LEASE; at += LEASE / 4) {
		decide(1, NOW + at);
		assert_int_equal(plan.dead_count, 0);
	}
	decide(1, NOW + LEASE);
	assert_int_equal(plan.dead_count, 1);
	assert_int_equal(plan.dead[0], 1);
	assert_int_equal(plan.quota, LEASE_SHARDS);
}

static void a_beat_that_moves_is_life(void **state)
{
	struct lease_node *b;

	(void)state;
	add("a", 1);
	b = add("b", 2);
	for (mono_ms at = 0; at < 5 * LEASE; at += LEASE / 4) {
		b->beat += at % LEASE == 0;
		decide(1, NOW + at);
		assert_int_equal(plan.dead_count, 0);
	}
}

static void a_time_without_looking_counts_for_nothing(void **state)
{
	(void)state;
	add("a", 1);
	add("b", 2);
	decide(1, NOW);
	decide(1, NOW + LEASE); /* the database was away meanwhile */
	assert_int_equal(plan.dead_count, 0);
	for (mono_ms at = LEASE / 4; at < LEASE; at += LEASE / 4)
		decide(1, NOW + LEASE + at);
	assert_int_equal(plan.dead_count, 0);
	decide(1, NOW + 2 * LEASE);
	assert_int_equal(plan.dead_count, 1);
}

static void who_lags_behind_takes_nothing_and_gives_all_in_the_end(void **state)
{
	(void)state;
	add("a", 1)->wish.version = 4;
	add("b", 2);
	own(1, 0, 128);
	decide(1, NOW);
	assert_int_equal(plan.give_count, 0); /* its reload is on the way */
	assert_int_equal(plan.take_count, 0);
	decide(1, NOW + LEASE_BEHIND_MS);
	assert_int_equal(plan.give_count, 128);
	/* With nobody better it keeps them, and takes what is free. */
	view.nodes[1].session = 0;
	decide(1, NOW + LEASE_BEHIND_MS);
	assert_int_equal(plan.give_count, 0);
	assert_int_equal(plan.take_count, LEASE_TAKE_MAX);
}

static void what_is_free_is_for_those_who_may_take_it(void **state)
{
	(void)state;
	add("a", 1)->wish.version = 4; /* has just given all, and takes nothing */
	add("b", 2);
	own(2, 0, 128);
	decide(2, NOW);
	assert_int_equal(plan.quota, LEASE_SHARDS);
	assert_int_equal(plan.take_count, LEASE_TAKE_MAX);
}

static void the_owner_stops_before_others_may_begin(void **state)
{
	struct lease_own mine = { 0 };

	(void)state;
	assert_int_equal(lease_standing(&mine, NOW), LEASE_NONE);
	lease_joined(&mine, LEASE, ALONE, NOW);
	assert_int_equal(lease_standing(&mine, NOW + LEASE * 9 / 10 - 1), LEASE_GOOD);
	assert_int_equal(lease_changes(&mine, NOW), NOW + LEASE * 9 / 10);
	assert_int_equal(lease_standing(&mine, NOW + LEASE * 9 / 10), LEASE_DOUBTFUL);
	/* An attempt that began before the end says nothing of the time after it. */
	lease_unreachable(&mine, NOW + LEASE / 2);
	assert_int_equal(lease_standing(&mine, NOW + LEASE), LEASE_DOUBTFUL);
	lease_unreachable(&mine, NOW + LEASE);
	assert_int_equal(lease_standing(&mine, NOW + LEASE), LEASE_ALONE);
	assert_int_equal(lease_standing(&mine, NOW + LEASE * 9 / 10 + ALONE), LEASE_OVER);
	/* Who was put out as early as can be is not contradicted before that. */
	assert_true(LEASE + lease_hold(ALONE) > LEASE * 9 / 10 + ALONE);
	lease_renewed(&mine, NOW + 2 * ALONE);
	assert_int_equal(lease_standing(&mine, NOW + 2 * ALONE), LEASE_GOOD);
}

/* ---- a fleet in a made-up world ---- */

#define NODES  4
#define STEP   100
#define LENGTH 4000 /* steps of a run */

struct member {
	struct lease_watch watch;
	struct lease_own own;
	mono_ms next, paused_until, cut_until;
	uint64_t session;
	mono_ms skew; /* its clock's */
};

static uint64_t dice;

static unsigned below(unsigned n)
{
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(dice >> 33) % n;
}

static struct lease_node *node_of(const struct member *member)
{
	for (size_t i = 0; i < view.node_count; i++)
		if (member->session && view.nodes[i].session == member->session)
			return &view.nodes[i];
	return NULL;
}

static void put_out(struct lease_node *node)
{
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		if (view.shards[i].session == node->session)
			view.shards[i].session = 0;
	node->session = 0;
}

/* One beat, as fleet.c makes it; what is given is given at once. */
static void beat(struct member *member, size_t index, mono_ms now)
{
	static uint64_t sessions;
	struct lease_node *node = node_of(member);

	if (!node) {
		view.nodes[index].session = member->session = ++sessions;
		memset(&member->watch, 0, sizeof(member->watch));
		lease_joined(&member->own, LEASE, ALONE, now);
		node = &view.nodes[index];
	}
	node->beat++;
	lease_renewed(&member->own, now);
	lease_look(&member->watch, &view, LEASE, now);
	lease_decide(&member->watch, &view, member->session, LEASE, now, &plan);
	for (size_t i = 0; i < plan.dead_count; i++)
		put_out(&view.nodes[plan.dead[i]]);
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		if (plan.give[i])
			view.shards[i].session = 0;
	for (size_t i = 0; i < plan.take_count; i++)
		view.shards[plan.take[i]].session = member->session;
}

static void turn(struct member *member, size_t index, mono_ms now)
{
	if (now < member->paused_until || now < member->next)
		return;
	member->next = now + LEASE / 4;
	if (now < member->cut_until)
		lease_unreachable(&member->own, now + member->skew);
	else
		beat(member, index, now + member->skew);
	if (below(60) == 0)
		member->paused_until = now + below(3 * LEASE);
	if (below(60) == 0)
		member->cut_until = now + below(3 * LEASE);
}

/* Whoever was put out may not believe in its lease any more, by its own clock. */
static void judge(const struct member *members, mono_ms now)
{
	for (size_t i = 0; i < NODES; i++)
		if (!node_of(&members[i]))
			assert_int_not_equal(lease_standing(&members[i].own, now + members[i].skew),
					     LEASE_GOOD);
}

static void run_world(uint64_t seed)
{
	struct member members[NODES] = { 0 };
	mono_ms now = NOW;
	unsigned owned = 0;

	dice = seed;
	for (size_t i = 0; i < NODES; i++) {
		char name[] = { (char)('a' + i), '\0' };

		add(name, 0);
		members[i].skew = (mono_ms)below(1000000);
	}
	for (int step = 0; step < LENGTH; step++, now += STEP) {
		for (size_t i = 0; i < NODES; i++)
			turn(&members[i], i, now);
		judge(members, now);
	}
	for (size_t i = 0; i < NODES; i++)
		members[i].paused_until = members[i].cut_until = 0;
	for (int step = 0; step < 60; step++, now += LEASE / 4)
		for (size_t i = 0; i < NODES; i++)
			beat(&members[i], i, now + members[i].skew);
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		owned += view.shards[i].session != 0;
	assert_int_equal(owned, LEASE_SHARDS);
	for (size_t i = 0; i < NODES; i++) {
		unsigned count = 0;

		for (unsigned k = 0; k < LEASE_SHARDS; k++)
			count += view.shards[k].session == members[i].session;
		assert_int_equal(count, LEASE_SHARDS / NODES);
	}
}

static void with_pauses_and_partitions_nobody_owns_what_another_took(void **state)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		begin(state);
		run_world(seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shards_are_evenly_filled_by_numbers_in_a_row),
		cmocka_unit_test_setup(one_node_takes_all_some_at_a_time, begin),
		cmocka_unit_test_setup(who_joins_is_given_its_share, begin),
		cmocka_unit_test_setup(who_drains_gives_all_unless_nobody_would_take_them, begin),
		cmocka_unit_test_setup(a_beat_that_stood_still_for_a_lease_is_the_end, begin),
		cmocka_unit_test_setup(a_beat_that_moves_is_life, begin),
		cmocka_unit_test_setup(a_time_without_looking_counts_for_nothing, begin),
		cmocka_unit_test_setup(what_is_free_is_for_those_who_may_take_it, begin),
		cmocka_unit_test_setup(who_lags_behind_takes_nothing_and_gives_all_in_the_end,
				       begin),
		cmocka_unit_test(the_owner_stops_before_others_may_begin),
		cmocka_unit_test(with_pauses_and_partitions_nobody_owns_what_another_took),
	};

	return cmocka_run_group_tests_name("registrar/lease", tests, NULL, NULL);
}
