/* SPDX-License-Identifier: Apache-2.0 */
/* fleet_reload.c - the tenants of a fleet, which come, change and go with the versions of its
 * configuration. Its nodes read them one after the other, and may miss some: each serves
 * the tenants that it has read of, by connections of its own. Every node has a tenant's core
 * at the same target and is the same account to it, as the manual asks for. */
#include "registrar/keeper_inside.h"
#include "tests/simulate/world.h"

/* A core may take so long to hear of what was sent before: late ones included. */
#define STRAY (30 * SECOND)

/* The newest plan, number by number. */
static void want_all(void)
{
	for (unsigned i = 0; i < phones(); i++) {
		unsigned home = world.plan.numbers[i].tenant;
		enum route_type type = world.plan.numbers[i].type;
		bool nowhere = type == ROUTE_TYPE_NONE || !world.plan.tenants[home].there;

		/* Where it comes first, as it may have been kept there until now. */
		if (!nowhere)
			daemon_want(place_of(FIRST_NUMBER + i, home),
				    world.plan.domain * 8 + (terms)type);
		for (unsigned tenant = 0; tenant < world.tenants; tenant++) {
			struct number *place = place_of(FIRST_NUMBER + i, tenant);

			if (!nowhere && tenant == home)
				continue;
			daemon_want(place, 0);
			place->leaving |= nowhere;
		}
	}
}

void fleet_reload_begin(void)
{
	reload_begin();
	want_all();
}

void fleet_reload_draw(void)
{
	reload_change();
	want_all();
}

/* ---- what must hold ---- */

/* Who forgot it was to see that nothing is left of it in what it owns. */
static void judge_gone(const struct node *node, unsigned tenant)
{
	say("%s %s has gone", node->name, tenant_name(tenant));
	for (unsigned i = 0; i < phones(); i++) {
		const struct number *number = place_of(FIRST_NUMBER + i, tenant);
		unsigned shard = lease_shard_of(FIRST_NUMBER + i);

		if (database_owner(shard) == fleet_session(node->fleet) &&
		    node->keeper->shards.at[shard].mine &&
		    !node->keeper->shards.at[shard].strangers && number->held && !number->untold &&
		    number->held_until > clock_now() + STRAY)
			fail("%s has forgotten %s, and number %td is held for %lld s yet",
			     node->name, tenant_name(tenant), number - world.numbers,
			     (long long)((number->held_until - clock_now()) / SECOND));
	}
}

void fleet_reload_look(struct node *node)
{
	for (unsigned tenant = 0; tenant < world.tenants; tenant++) {
		bool linked = reload_link(node, tenant) != NULL;

		if (node->linked[tenant] && !linked && !node->frozen)
			judge_gone(node, tenant);
		node->linked[tenant] = linked;
	}
}

static const struct number *wanted_by(const struct node *node, const struct number *number)
{
	for (unsigned tenant = 0; tenant < world.tenants; tenant++) {
		const struct number *place = place_of(phone_of(number), tenant);

		if (node->wanted[place - world.numbers])
			return place;
	}
	return NULL;
}

/* Something else that was said of it had no answer, and may arrive yet. */
static bool in_conflict(const struct node *node, const struct number *number)
{
	const struct link *link = reload_link(node, core_of(number));
	unsigned tenant = link ? (unsigned)(link - node->links.list) : 0;
	const struct reg *reg =
		reg_table_find(&node->keeper->table, reg_key(phone_of(number), tenant));

	return reg && reg->flags & REG_CONFLICT;
}

/* By its row, for whoever goes by that: the core has it as the node wants it. */
static bool has_arrived(const struct node *node, const struct number *number)
{
	return number->confirmed && !in_conflict(node, number) &&
	       number->held == node->wanted[number - world.numbers] &&
	       number->held_until > clock_now() && number->stored == number->held &&
	       !world.database_clock && database_row_left(number) > 0;
}

/* May say what is new, and not only repeat what was told. */
static bool is_free(const struct node *node, const struct number *number)
{
	const struct shards *shards = &node->keeper->shards;

	return !shards->only_repeat && !shards->at[lease_shard_of(phone_of(number))].held;
}

void fleet_reload_judge_sent(const struct node *node, const struct number *number,
			     enum upsert_kind kind)
{
	const struct number *home = wanted_by(node, number);
	ptrdiff_t index = number - world.numbers;

	if (home == number)
		return;
	if (kind == UPSERT && is_free(node, number) && !home)
		fail("%s registers number %td, which nobody wants", node->name, index);
	if (kind == UPSERT && is_free(node, number) && home && has_arrived(node, home))
		fail("%s registers number %td, which is where it is wanted, as number %td",
		     node->name, index, home - world.numbers);
	if (kind == UPSERT_DELETE && home && !number->leaving && number->held && !home->arrived)
		fail("%s deletes number %td before it is where it is wanted, as number %td",
		     node->name, index, home - world.numbers);
}

/* In the end, of who has gone nothing is left, nor of what has moved. */
void fleet_reload_judge_end(void)
{
	mono_ms ttl = (mono_ms)world.weather.ttl_s * SECOND;

	if (calm_for(&world.all_well) < ttl * 3 / 2)
		return;
	for (unsigned i = 0; i < world.node_count; i++)
		for (unsigned tenant = 0; world.nodes[i].keeper && tenant < world.tenants; tenant++)
			if (!world.plan.tenants[tenant].there &&
			    reload_link(&world.nodes[i], tenant))
				fail("%s: %s has not gone", world.nodes[i].name,
				     tenant_name(tenant));
	for (size_t i = 0; !world.strangers_said && i < world.count; i++)
		if (!world.numbers[i].wanted && world.numbers[i].stored)
			fail("a row of number %zu is left", i);
}
