/* SPDX-License-Identifier: Apache-2.0 */
/* fleet_faults.c - what goes wrong in a fleet: with the core, with the database, and
 * with one node or the ways from it to either. */
#include "tests/simulate/world.h"

enum fault {
	CORE_REFUSES,
	CORE_SILENT,
	CORE_LOSES,
	CORE_SLOW,
	CORE_LATE,
	DATABASE_REFUSES,
	DATABASE_SILENT,
	DATABASE_SLOW,
	/* Of a node: */
	CUT_FROM_CORE,
	CUT_FROM_DATABASE,
	FREEZE,
	DRAIN,
	/* In a moment: */
	KILL,
	DIE,
	STOP,
	CONFIGURE,
	DATABASE_CLOCK,
	WALL_CLOCK,
	REFRESH_ALL,
	TTL,
	FAULT_COUNT
};
#define FIRST_OF_NODE   CUT_FROM_CORE
#define FIRST_OF_MOMENT KILL

static const char *const names[FAULT_COUNT] = {
	[CORE_REFUSES] = "the core refuses requests",
	[CORE_SILENT] = "the core is silent",
	[CORE_LOSES] = "some requests and answers are lost, some arrive twice",
	[CORE_SLOW] = "the core's answers are slow",
	[CORE_LATE] = "some requests arrive late",
	[DATABASE_REFUSES] = "the database refuses connections",
	[DATABASE_SILENT] = "the database is silent",
	[DATABASE_SLOW] = "the database is slow",
	[CUT_FROM_CORE] = "cut off from the core",
	[CUT_FROM_DATABASE] = "cut off from the database",
	[FREEZE] = "stands still",
	[DRAIN] = "drains",
	[KILL] = "kill -9",
	[DIE] = "kill -9, and nobody starts it again for long",
	[STOP] = "stop",
	[CONFIGURE] = "another configuration",
	[DATABASE_CLOCK] = "the database's clock is set",
	[WALL_CLOCK] = "the wall clocks are set",
	[REFRESH_ALL] = "somebody asks to refresh all",
	[TTL] = "the core gives another TTL",
};

static enum way draw_way(void)
{
	return chance() < 0.5 ? WAY_REFUSED : WAY_SILENT;
}

/* ---- what lasts ---- */

static void set_core(enum fault fault, bool on)
{
	struct weather *weather = &world.weather;

	switch ((int)fault) {
	case CORE_REFUSES:
		weather->refuse = on;
		break;
	case CORE_SILENT:
		weather->silent = on;
		break;
	case CORE_LOSES:
		weather->lose_request = on ? 0.2 * chance() : 0;
		weather->lose_answer = on ? 0.2 * chance() : 0;
		weather->duplicate = on ? 0.2 * chance() : 0;
		break;
	case CORE_SLOW:
		weather->delay_max = on ? between(500, 8000) : 60;
		break;
	case CORE_LATE:
		weather->late = on ? 0.5 * chance() : 0;
		break;
	}
	if (world.dead != (weather->refuse >= 1 || weather->silent))
		world_core_is_dead(!world.dead);
}

static void set_node(enum fault fault, struct node *node, bool on, mono_ms length)
{
	switch ((int)fault) {
	case CUT_FROM_CORE:
		node->to_core = on ? draw_way() : WAY_OPEN;
		break;
	case CUT_FROM_DATABASE:
		node->to_database = on ? draw_way() : WAY_OPEN;
		break;
	case FREEZE:
		if (on)
			node->suspended_until = clock_now() + length;
		break;
	case DRAIN:
		member_drain(node, on);
		break;
	}
}

static void set(enum fault fault, struct node *node, bool on, mono_ms length)
{
	if (fault < DATABASE_REFUSES)
		set_core(fault, on);
	else if (fault == DATABASE_SLOW)
		world.database_slow = on ? between(20, 1500) : 0;
	else if (fault < FIRST_OF_NODE)
		world.database = !on                        ? WAY_OPEN
				 : fault == DATABASE_SILENT ? WAY_SILENT
							    : WAY_REFUSED;
	else
		set_node(fault, node, on, length);
	fleet_judge_state();
}

static bool lasting[FAULT_COUNT][NODES];

/* One of these kinds, at some time from now on. */
static void beside(unsigned from, unsigned to, mono_ms within)
{
	uint32_t fault = from + below(to - from);

	world_event(between(0, within), EVENT_BESIDE, fault << 8 | below(world.node_count));
}

static void begin(enum fault fault, unsigned node, mono_ms length)
{
	if (fault < FIRST_OF_NODE)
		node = 0;
	if (lasting[fault][node] || (world.dead && fault < CORE_LOSES))
		return;
	if ((fault == DATABASE_REFUSES || fault == DATABASE_SILENT) && world.database != WAY_OPEN)
		return;
	lasting[fault][node] = true;
	say("%s%s%s, for %lld s", fault < FIRST_OF_NODE ? "" : node_at(node)->name,
	    fault < FIRST_OF_NODE ? "" : " ", names[fault], (long long)(length / SECOND));
	set(fault, node_at(node), true, length);
	world_event(length, EVENT_END, (uint32_t)fault << 8 | node);
	if (chance() < 0.5)
		beside(FIRST_OF_MOMENT, FAULT_COUNT, length);
}

void fleet_fault_end(uint32_t index)
{
	enum fault fault = (enum fault)(index >> 8);
	unsigned node = index & 0xff;

	lasting[fault][node] = false;
	say("over: %s", names[fault]);
	set(fault, node_at(node), false, 0);
}

/* ---- what happens in a moment ---- */

static void change_numbers(unsigned from, unsigned many)
{
	if (chance() < 0.2)
		world.version++;
	for (unsigned i = 0; i < world.count; i++) {
		struct number *number = &world.numbers[i];
		terms type = number->wanted % 8;

		if (i >= from && i < from + many)
			type = below(3) * 2; /* none, fork, loop_mo */
		daemon_want(number, type ? world.version * 8 + type : 0);
	}
}

static void configure(void)
{
	unsigned from = below((unsigned)world.count), many = 1 + below((unsigned)world.count);
	unsigned first = below(world.node_count);

	world.store_version++;
	if (world.links)
		fleet_reload_draw();
	else
		change_numbers(from, many);
	/* What is told of it is in a row a moment later. */
	if (chance() < 0.5)
		beside(DATABASE_REFUSES, FIRST_OF_MOMENT, 2 * SECOND);
	for (unsigned i = 0; i < world.node_count; i++)
		world_event(i == first ? 0 : between(0, chance() < 0.8 ? MINUTE : 10 * MINUTE),
			    EVENT_RELOAD, i);
}

void fleet_fault_configure(void)
{
	if (clock_now() >= world.calms)
		return;
	say("another configuration");
	configure();
	world_event(between(0, chance() < 0.3 ? 20 * SECOND : 8 * world.fault_every), EVENT_PLAN,
		    0);
}

/* One at a time; somebody knows, now and then. */
static void die(struct node *node)
{
	for (unsigned i = 0; i < world.node_count; i++)
		if (world.nodes[i].stays_away)
			return;
	if (!node->keeper)
		return;
	node->stays_away = true;
	node->kill_after = (int)below(60);
	if (chance() < 0.6)
		world_event(between(world.lease_ms, 2 * (mono_ms)world.weather.ttl_s * SECOND),
			    EVENT_FORGET, (uint32_t)(node - world.nodes));
}

void fleet_fault_forget(struct node *node)
{
	if (node->keeper || world.database != WAY_OPEN)
		return;
	say("%s is forgotten", node->name);
	database_forget(node->name);
	fleet_judge_state();
}

static void happen(enum fault fault, struct node *node)
{
	say("%s %s", node->name, names[fault]);
	switch ((int)fault) {
	case KILL:
		if (node->keeper)
			node->kill_after = (int)below(60);
		break;
	case DIE:
		die(node);
		break;
	case STOP:
		member_stop(node);
		break;
	case CONFIGURE:
		configure();
		break;
	case DATABASE_CLOCK:
		world.database_clock += between(-MINUTE, MINUTE);
		break;
	case WALL_CLOCK:
		clock_fake_wall_set(clock_wall() + between(-2 * HOUR, 2 * HOUR));
		break;
	case REFRESH_ALL:
		if (node->keeper && !node->frozen)
			member_refresh(node);
		break;
	case TTL:
		world.weather.ttl_s = 600 + below(1201);
		break;
	}
}

/* Some kinds only in each world: what needs two of them in a row comes up sooner. */
static enum fault draw_fault(void)
{
	enum fault fault;

	do
		fault = (enum fault)below(FAULT_COUNT);
	while (!(world.faults >> fault & 1));
	return fault;
}

void fleet_fault_beside(uint32_t index)
{
	enum fault fault = (enum fault)(index >> 8);
	unsigned node = index & 0xff;

	if (clock_now() >= world.calms || !(world.faults >> fault & 1))
		return;
	if (fault >= FIRST_OF_MOMENT)
		happen(fault, node_at(node));
	else
		begin(fault, node, fault_length());
}

/* What follows comes after it, or in the middle of it. */
void fleet_fault_draw(void)
{
	enum fault fault = draw_fault();
	unsigned node = below(world.node_count);
	mono_ms length = fault_length();

	if (clock_now() >= world.calms)
		return;
	if (fault >= FIRST_OF_MOMENT) {
		happen(fault, node_at(node));
		length = 0;
	} else {
		begin(fault, node, length);
	}
	length = chance() < 0.5 ? between(0, length) : length;
	length += chance() < 0.5 ? between(0, 20 * SECOND) : between(0, 2 * world.fault_every);
	world_event(length, EVENT_FAULT, 0);
}

void fleet_fault_begin(void)
{
	world.faults = below(1 << FAULT_COUNT);
	world.faults |= (uint32_t)1 << below(FAULT_COUNT);
	for (int i = 0; i < FAULT_COUNT; i++)
		for (int k = 0; k < NODES; k++)
			lasting[i][k] = false;
}
