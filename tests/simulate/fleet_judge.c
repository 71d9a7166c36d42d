/* SPDX-License-Identifier: Apache-2.0 */
/* fleet_judge.c - what must hold in a fleet whatever happens, beside judge.c's. */
#include <string.h>
#include "registrar/keeper_inside.h"
#include "tests/simulate/world.h"

/* A lease that stood still, seen with a beat's delay at its begin and at its end; then some
 * turns, as 16 shards are taken at a time. */
#define TAKEOVER (world.lease_ms * 3 / 2 + 5 * SECOND)
/* One that cannot reach the core hands over after a tenth of the TTL (keeper_reach.c:
 * patience()), if somebody else does by then, who may have been in the same trouble until now
 * and have left as well: another tenth. */
#define HANDOVER (TAKEOVER + 200 * (mono_ms)world.weather.ttl_s)
/* A request for a token that was given up may arrive when its session is over: the statement
 * looks at no other table. The row that it makes is of no use to anybody, and goes with the
 * next join (database_join()). */
#define WRITERS_LATE 1
/* Without the database, counted from its loss. A node counts from before its last beat
 * (lease.c: lease_standing()), which was a quarter of the lease before the loss at most, and
 * has nine tenths of the lease before that time begins: more, so that nothing is allowed. */
#define ALONE world.alone_ms
/* A node knows that the database is away once a beat had no answer. */
#define NOTICED (world.lease_ms / 4 + (world.lease_ms / 3 < 5000 ? world.lease_ms / 3 : 5000))

/* Nothing changes hands any more after so long in which all is well: each term is one that
 * the design waits for, the longest of what was told of the TTL to any node. Who was in trouble
 * and has nothing to ask the core leaves after a tenth of the TTL it knows, and tries anew
 * after a fifth at most; who lags behind keeps its share for half a minute. */
static mono_ms time_to_rest(void)
{
	mono_ms ttl_s = world.weather.ttl_s;

	for (unsigned i = 0; i < world.node_count; i++) {
		const struct keeper *keeper = world.nodes[i].keeper;

		for (size_t k = 0; keeper && k < keeper->lane_count; k++) {
			mono_ms known = keeper->lanes[k].ttl_s;

			known = known ? known : REG_TTL_DEFAULT_S;
			ttl_s = known > ttl_s ? known : ttl_s;
		}
	}
	return TAKEOVER + MINUTE + 300 * ttl_s;
}

/* ---- requests ---- */

static uint64_t epoch_of(const struct node *node, const struct number *number)
{
	return node->keeper->shards.at[lease_shard_of(phone_of(number))].epoch;
}

void fleet_judge_sent(struct node *node, struct number *number, enum upsert_kind kind, terms asked)
{
	uint64_t epoch = epoch_of(node, number);
	terms says = kind == UPSERT ? asked : 0;
	size_t index = (size_t)(number - world.numbers);

	if (epoch < number->epoch && says != number->said)
		fail("%s says %u of number %zu under epoch %llu, after %u was said under %llu",
		     node->name, says, index, (unsigned long long)epoch, number->said,
		     (unsigned long long)number->epoch);
	if (epoch >= number->epoch) {
		number->epoch = epoch;
		number->said = says;
	}
	if (node->version < number->stored_version && says != number->stored)
		fail("%s with version %lld says %u of number %zu, which version %lld made %u",
		     node->name, (long long)node->version, says, index,
		     (long long)number->stored_version, number->stored);
	if (says && !number->stored)
		fail("%s registers number %zu, of which nothing is written", node->name, index);
	if (world.links)
		fleet_reload_judge_sent(node, number, kind);
	if (!says && node->wanted[index])
		fail("%s deletes number %zu though it wants it", node->name, index);
}

/* ---- membership ---- */

void fleet_judge_given(const char *name, unsigned shard)
{
	node_at((uint32_t)(name[0] - 'A'))->had[shard] = false;
	for (size_t i = 0; i < world.request_count; i++) {
		const struct request *request = &world.requests[i];

		if (request->used && request->call && !strcmp(request->node->name, name) &&
		    lease_shard_of(phone_of(&world.numbers[request->number])) == shard)
			fail("%s gives shard %u while a request for number %u is on its way", name,
			     shard, request->number);
	}
}

/* What was held because of it is not any more. */
void fleet_judge_joins(const struct node *node)
{
	if (node->in_flight && !node->frozen)
		fail("%s joins anew while %u requests are on their way", node->name,
		     node->in_flight);
}

/* ---- who is well ---- */

static bool runs(const struct node *node)
{
	return node->keeper && !node->frozen && !node->stopping &&
	       clock_now() >= node->suspended_until;
}

static bool is_well(const struct node *node)
{
	return runs(node) && !node->draining && node->to_core == WAY_OPEN &&
	       node->to_database == WAY_OPEN;
}

static struct node *owner_of(unsigned shard)
{
	uint64_t session = database_owner(shard);

	for (unsigned i = 0; session && i < world.node_count; i++)
		if (world.nodes[i].keeper && fleet_session(world.nodes[i].fleet) == session)
			return &world.nodes[i];
	return NULL;
}

/* It can go on with what it owns. */
static bool is_fit(struct node *node)
{
	/* One that stood still has not beaten meanwhile: by its clock it was cut off. */
	bool reaches = node->to_database == WAY_OPEN && world.database == WAY_OPEN &&
		       !world.database_slow && clock_now() >= node->suspended_until;

	if (!reaches)
		node->database_back = 0;
	else if (!node->database_back)
		node->database_back = clock_now();
	/* Back for less than a beat is away. */
	if (reaches && clock_now() - node->database_back > NOTICED + SECOND)
		node->database_lost = 0;
	else if (!reaches && !node->database_lost)
		node->database_lost = clock_now();
	reaches = !node->database_lost;
	if (node->keeper && (reaches || clock_now() - node->database_lost < NOTICED)) {
		node->had_as = fleet_session(node->fleet);
		for (unsigned i = 0; i < LEASE_SHARDS; i++)
			node->had[i] = node->keeper->shards.at[i].mine;
	}
	/* One that is slow may be reached when a shard is let go of, and not be told of it. */
	for (unsigned i = 0; node->keeper && world.database_slow && i < LEASE_SHARDS; i++)
		node->had[i] = node->had[i] && node->keeper->shards.at[i].mine;
	return !world.dead && runs(node) && node->to_core == WAY_OPEN &&
	       (reaches || clock_now() - node->database_lost < ALONE);
}

/* To the core that the number is at, as far as it may be asked for its tenant. */
static bool has_way(const struct node *node, const struct number *number)
{
	return world.ways[core_of(number)] == WAY_OPEN && reload_link(node, core_of(number));
}

/* Once it knows that the database is away it lets go of nothing that nobody can take. */
static bool is_kept(const struct number *number, const bool fit[NODES])
{
	unsigned shard = lease_shard_of(phone_of(number));
	const struct node *owner = owner_of(shard);

	if (owner && world.links && !has_way(owner, number))
		return false;
	/* Of what it did not know when it took the shard it has no row: that is new to it. */
	if (owner && owner->keeper->shards.at[shard].strangers)
		return false;

	return owner && fit[owner - world.nodes] && owner->had[shard] &&
	       owner->had_as == database_owner(shard);
}

/* Dead, and nobody waits for it: an operator has said so, or it said goodbye, or all
 * may have been told something else by now. */
static bool is_gone(const struct node *node)
{
	if (node->keeper)
		return false;
	switch (database_place(node->name)) {
	case PLACE_NONE:
		return true;
	case PLACE_OUT:
		return clock_now() - world.hands_since > lease_hold(world.alone_ms);
	case PLACE_MEMBER:
		break;
	}
	return false;
}

static void note_hands(void)
{
	uint64_t hands = database_epochs();

	if (hands != world.hands)
		world.hands_since = clock_now();
	world.hands = hands;
}

/* Its owner reads of it what is newest, which is in force, and waits for nobody. */
static bool is_free(const struct number *number)
{
	unsigned shard = lease_shard_of(phone_of(number));
	const struct node *owner = owner_of(shard);
	const struct shards *shards = &owner->keeper->shards;

	return !owner->database_lost && owner->version == world.store_version &&
	       shards->standing == LEASE_GOOD && shards->in_force.version == owner->version &&
	       shards->at[shard].mine && shards->at[shard].hold_until <= clock_now();
}

static mono_ms free_since(const struct number *number)
{
	const struct calm *calm = &world.free[number - world.numbers];

	if (calm->trouble || world.lossless.trouble)
		return INT64_MAX;
	return calm->since > world.lossless.since ? calm->since : world.lossless.since;
}

/* What has moved waits for the core that it has moved to. */
mono_ms fleet_judge_free(const struct number *number)
{
	const struct number *home = daemon_wanted_place(number);
	mono_ms here = free_since(number), there = home ? free_since(home) : 0;

	return here > there ? here : there;
}

void fleet_judge_state(void)
{
	bool weather = world.dead || world.database_slow, database = world.database == WAY_OPEN;
	bool all = !weather && database, any = false, fit[NODES] = { false };

	note_hands();
	for (unsigned core = 0; world.links && core < world.tenants; core++) {
		calm_note(&world.cores[core], world.ways[core] != WAY_OPEN);
		all = all && world.ways[core] == WAY_OPEN;
	}
	for (unsigned i = 0; i < world.node_count; i++) {
		struct node *node = &world.nodes[i];
		bool current = node->version == world.store_version;
		bool well = is_well(node) && current;

		fit[i] = is_fit(node);
		any |= well;
		all = all && (well || is_gone(node));
		/* Of an older one's tenants it may not have heard. */
		calm_note(&node->well,
			  weather || !database || !is_well(node) || (world.links && !current));
	}
	calm_note(&world.all_well, !all || !any);
	calm_note(&world.lossless,
		  world.weather.lose_request + world.weather.lose_answer + world.weather.late > 0);
	for (size_t i = 0; i < world.count; i++) {
		bool kept = is_kept(&world.numbers[i], fit);

		calm_note(&world.kept[i], !kept);
		calm_note(&world.free[i], !kept || !is_free(&world.numbers[i]));
	}
}

/* Whoever takes it reaches its core: which was there all the time, of a tenant that each
 * current node has. */
static bool all_know(const struct number *number, mono_ms from, mono_ms to)
{
	return number->wanted && number->wanted_since < from &&
	       calm_longest(&world.cores[core_of(number)], from, to) == to - from;
}

/* Time enough for a number that lapsed not to: who had it could keep it, or somebody all
 * of them. */
mono_ms fleet_judge_calm(const struct number *number, mono_ms from, mono_ms to)
{
	mono_ms longest = calm_longest(&world.kept[number - world.numbers], from, to);

	if (world.links && !all_know(number, from - HANDOVER, to))
		return longest;
	for (unsigned i = 0; i < world.node_count; i++) {
		mono_ms calm = calm_longest(&world.nodes[i].well, from - HANDOVER, to) - HANDOVER;

		longest = calm > longest ? calm : longest;
	}
	return longest;
}

/* ---- who owns what ---- */

static bool somebody_well_for(mono_ms time)
{
	for (unsigned i = 0; i < world.node_count; i++)
		if (calm_for(&world.nodes[i].well) > time)
			return true;
	return false;
}

static bool has_owner(unsigned shard)
{
	const struct node *owner = owner_of(shard);

	return owner && runs(owner);
}

/* Who was to have a shard may have died as well, and seem to live for a time. */
static mono_ms upset_at(void)
{
	mono_ms at = 0;

	for (unsigned i = 0; i < world.node_count; i++) {
		const struct node *node = &world.nodes[i];

		at = node->well.began > at ? node->well.began : at;
		at = node->life_late > at ? node->life_late : at;
	}
	return at;
}

static void judge_takeover(void)
{
	bool somebody = somebody_well_for(TAKEOVER) && clock_now() - upset_at() > TAKEOVER;

	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		mono_ms *since = &world.unkept_since[i];

		if (has_owner(i))
			*since = 0;
		else if (!*since)
			*since = clock_now();
		else if (somebody && clock_now() - *since > TAKEOVER)
			fail("shard %u is kept by nobody for %lld s", i,
			     (long long)((clock_now() - *since) / SECOND));
	}
}

static void judge_rest(void)
{
	unsigned owned[NODES] = { 0 }, least = LEASE_SHARDS, most = 0;
	uint64_t epochs = database_epochs();
	mono_ms rest = time_to_rest();

	if (calm_for(&world.all_well) < rest || calm_for(&world.lossless) < rest) {
		world.rested = false;
		return;
	}
	if (world.rested && epochs != world.rested_epochs)
		fail("shards change hands though all is well");
	world.rested = true;
	world.rested_epochs = epochs;
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		if (owner_of(i))
			owned[owner_of(i) - world.nodes]++;
	for (unsigned i = 0; i < world.node_count; i++) {
		if (!world.nodes[i].keeper)
			continue;
		least = owned[i] < least ? owned[i] : least;
		most = owned[i] > most ? owned[i] : most;
	}
	if (most - least > 1)
		fail("one node has %u shards, another %u", most, least);
	if (database_writers() > world.node_count + WRITERS_LATE)
		fail("the database has %zu writers", database_writers());
}

bool fleet_judge_left(const struct number *number)
{
	const struct node *owner = owner_of(lease_shard_of(phone_of(number)));

	return world.links && !number->wanted && owner && !reload_link(owner, core_of(number));
}

void fleet_judge_check(void)
{
	fleet_judge_state();
	judge_takeover();
	judge_rest();
}
