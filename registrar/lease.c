/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/lease.h"

#include <string.h>

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014): neighbours in number land
 * in different shards. */
unsigned lease_shard_of(uint64_t number)
{
	uint64_t z = number + 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ (z >> 31)) % LEASE_SHARDS);
}

bool lease_wish_equal(const struct lease_wish *a, const struct lease_wish *b)
{
	return a->version == b->version && a->digest == b->digest;
}

/* ---- watching ---- */

static struct lease_seen *find_seen(const struct lease_watch *watch, const char *name)
{
	for (size_t i = 0; i < watch->count; i++)
		if (!strcmp(watch->seen[i].name, name))
			return (struct lease_seen *)&watch->seen[i];
	return NULL;
}

static void look_at(struct lease_watch *watch, const struct lease_view *view,
		    const struct lease_node *node, const struct lease_seen *before, bool gap,
		    mono_ms now)
{
	struct lease_seen *seen = &watch->seen[watch->count++];
	bool stands =
		before && !gap && before->session == node->session && before->beat == node->beat;

	*seen = (struct lease_seen){ .session = node->session,
				     .beat = node->beat,
				     .since = stands ? before->since : now };
	strcpy(seen->name, node->name);
	if (!lease_wish_equal(&node->wish, &view->in_force))
		seen->behind_since = before && before->behind_since ? before->behind_since : now;
}

void lease_look(struct lease_watch *watch, const struct lease_view *view, mono_ms lease_ms,
		mono_ms now)
{
	struct lease_watch before = *watch;
	bool gap = !before.looked || now - before.looked > lease_ms / 2;

	watch->count = 0;
	watch->looked = now;
	for (size_t i = 0; i < view->node_count; i++)
		look_at(watch, view, &view->nodes[i], find_seen(&before, view->nodes[i].name), gap,
			now);
}

bool lease_dead(const struct lease_watch *watch, const struct lease_node *node, mono_ms lease_ms,
		mono_ms now)
{
	const struct lease_seen *seen = find_seen(watch, node->name);

	return node->session && seen && seen->session == node->session &&
	       seen->beat == node->beat && now - seen->since >= lease_ms;
}

/* ---- sharing out ---- */

static bool lives(const struct lease_watch *watch, const struct lease_node *node, mono_ms lease_ms,
		  mono_ms now)
{
	return node->session && !node->draining && !lease_dead(watch, node, lease_ms, now);
}

/* One that lags behind keeps its share for a while: its reload is on the way. */
static bool is_current(const struct lease_watch *watch, const struct lease_node *node, mono_ms now)
{
	const struct lease_seen *seen = find_seen(watch, node->name);

	return seen && (!seen->behind_since || now - seen->behind_since < LEASE_BEHIND_MS);
}

struct sharing {
	unsigned members, rank; /* of those whose names come before ours */
	bool included, strict;  /* strict: members have the configuration in force */
};

static bool in_force(const struct lease_view *view, const struct lease_node *node)
{
	return lease_wish_equal(&node->wish, &view->in_force);
}

/* Those who may take share among themselves: a free shard is for nobody else. Who may
 * not keeps a share for a while. */
static bool counts(const struct lease_watch *watch, const struct lease_view *view,
		   const struct lease_node *me, const struct lease_node *node, mono_ms now)
{
	return in_force(view, me) ? in_force(view, node) : is_current(watch, node, now);
}

static void count_members(const struct lease_watch *watch, const struct lease_view *view,
			  const struct lease_node *me, mono_ms lease_ms, mono_ms now,
			  struct sharing *sharing)
{
	sharing->members = sharing->rank = 0;
	sharing->included = false;
	for (size_t i = 0; i < view->node_count; i++) {
		const struct lease_node *node = &view->nodes[i];

		if (!lives(watch, node, lease_ms, now) ||
		    (sharing->strict && !counts(watch, view, me, node, now)))
			continue;
		sharing->members++;
		sharing->included |= node == me;
		sharing->rank += strcmp(node->name, me->name) < 0;
	}
}

static bool anybody_in_force(const struct lease_watch *watch, const struct lease_view *view,
			     mono_ms lease_ms, mono_ms now)
{
	for (size_t i = 0; i < view->node_count; i++)
		if (lives(watch, &view->nodes[i], lease_ms, now) && in_force(view, &view->nodes[i]))
			return true;
	return false;
}

static unsigned quota_of(const struct sharing *sharing)
{
	if (!sharing->included)
		return 0;
	return LEASE_SHARDS / sharing->members +
	       (sharing->rank < LEASE_SHARDS % sharing->members ? 1 : 0);
}

static void plan_give(const struct lease_view *view, uint64_t session, unsigned owned,
		      struct lease_plan *plan)
{
	for (unsigned i = LEASE_SHARDS; i-- > 0 && owned > plan->quota;) {
		if (view->shards[i].session != session)
			continue;
		plan->give[i] = true;
		plan->give_count++;
		owned--;
	}
}

/* Each begins at another place: two that take at once seldom want the same. */
static void plan_take(const struct lease_view *view, unsigned owned, const struct sharing *sharing,
		      struct lease_plan *plan)
{
	unsigned from = sharing->rank * LEASE_SHARDS / sharing->members;

	for (unsigned i = 0; i < LEASE_SHARDS && owned < plan->quota; i++) {
		unsigned shard = (from + i) % LEASE_SHARDS;

		if (view->shards[shard].session || plan->take_count == LEASE_TAKE_MAX)
			continue;
		plan->take[plan->take_count++] = shard;
		owned++;
	}
}

void lease_decide(const struct lease_watch *watch, const struct lease_view *view, uint64_t session,
		  mono_ms lease_ms, mono_ms now, struct lease_plan *ret_plan)
{
	const struct lease_node *me = NULL;
	struct sharing sharing = { 0 };
	unsigned owned = 0;

	memset(ret_plan, 0, sizeof(*ret_plan));
	for (size_t i = 0; i < view->node_count; i++) {
		if (view->nodes[i].session == session)
			me = &view->nodes[i];
		else if (lease_dead(watch, &view->nodes[i], lease_ms, now))
			ret_plan->dead[ret_plan->dead_count++] = i;
	}
	if (!me)
		return;
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		owned += view->shards[i].session == session;
	sharing.strict = anybody_in_force(watch, view, lease_ms, now);
	count_members(watch, view, me, lease_ms, now, &sharing);
	ret_plan->quota = quota_of(&sharing);
	if (sharing.members) {
		plan_give(view, session, owned, ret_plan);
	} else { /* all drain: nothing is given, and what one of them gave before has an owner */
		sharing = (struct sharing){ .members = 1, .included = true };
		ret_plan->quota = LEASE_SHARDS;
	}
	if (sharing.included && (!sharing.strict || in_force(view, me)))
		plan_take(view, owned, &sharing, ret_plan);
}

/* ---- one's own lease ---- */

const char *lease_standing_name(enum lease_standing standing)
{
	switch (standing) {
	case LEASE_NONE:
		return "none";
	case LEASE_GOOD:
		return "good";
	case LEASE_DOUBTFUL:
		return "doubtful";
	case LEASE_ALONE:
		return "alone";
	case LEASE_OVER:
		return "over";
	}
	return "?";
}

void lease_joined(struct lease_own *own, mono_ms lease_ms, mono_ms alone_ms, mono_ms asked)
{
	*own = (struct lease_own){
		.member = true, .lease_ms = lease_ms, .alone_ms = alone_ms, .asked = asked
	};
}

void lease_renewed(struct lease_own *own, mono_ms asked)
{
	if (asked > own->asked)
		own->asked = asked;
	own->in_vain = 0;
}

void lease_unreachable(struct lease_own *own, mono_ms asked)
{
	own->in_vain = asked;
}

static mono_ms lease_end(const struct lease_own *own)
{
	return own->asked + own->lease_ms - own->lease_ms / 10;
}

static mono_ms alone_end(const struct lease_own *own)
{
	return lease_end(own) + own->alone_ms;
}

/* A process that was stopped finds its lease over when it goes on: an attempt that
 * began before says nothing about the store as it is. */
enum lease_standing lease_standing(const struct lease_own *own, mono_ms now)
{
	if (!own->member)
		return LEASE_NONE;
	if (now < lease_end(own))
		return LEASE_GOOD;
	if (now >= alone_end(own))
		return LEASE_OVER;
	return own->in_vain >= lease_end(own) ? LEASE_ALONE : LEASE_DOUBTFUL;
}

mono_ms lease_changes(const struct lease_own *own, mono_ms now)
{
	if (!own->member || now >= alone_end(own))
		return INT64_MAX;
	return now < lease_end(own) ? lease_end(own) : alone_end(own);
}

mono_ms lease_hold(mono_ms alone_ms)
{
	return alone_ms + alone_ms / 10;
}
