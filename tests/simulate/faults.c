/* SPDX-License-Identifier: Apache-2.0 */
/* faults.c - what goes wrong, when and for how long. */
#include "tests/simulate/world.h"

enum fault {
	FAULT_OUTAGE,     /* nothing listens */
	FAULT_BLACK_HOLE, /* nothing answers */
	FAULT_PARTIAL,    /* some of the core's servers are gone */
	FAULT_LOSS,
	FAULT_SLOW,
	FAULT_LATE,
	FAULT_LIMIT,
	FAULT_TOKENS_DOWN,
	FAULT_DISK_FULL,
	FAULT_SUSPEND,
	/* The others happen in a moment: */
	FAULT_REVOKED,
	FAULT_TTL,
	FAULT_WALL_STEP,
	FAULT_KILL,
	FAULT_POWER,
	FAULT_RECONFIGURE,
	FAULT_REFRESH_ALL,
	FAULT_POISON,
	FAULT_COUNT
};

static const char *const names[FAULT_COUNT] = {
	[FAULT_OUTAGE] = "outage: requests are refused",
	[FAULT_BLACK_HOLE] = "outage: requests vanish",
	[FAULT_PARTIAL] = "some requests are refused",
	[FAULT_LOSS] = "some requests and answers are lost, some arrive twice",
	[FAULT_SLOW] = "answers are slow",
	[FAULT_LATE] = "some requests arrive late",
	[FAULT_LIMIT] = "the core limits the rate",
	[FAULT_TOKENS_DOWN] = "no tokens are to be had",
	[FAULT_DISK_FULL] = "the disk is full",
	[FAULT_SUSPEND] = "the machine sleeps",
	[FAULT_REVOKED] = "the token is revoked",
	[FAULT_TTL] = "the core gives another TTL",
	[FAULT_WALL_STEP] = "the wall clock is set",
	[FAULT_KILL] = "kill -9",
	[FAULT_POWER] = "power loss",
	[FAULT_RECONFIGURE] = "another configuration",
	[FAULT_REFRESH_ALL] = "somebody asks to refresh all",
	[FAULT_POISON] = "some numbers fail on their own",
};

static const struct weather fair = { .delay_min = 10, .delay_max = 60 };

mono_ms fault_length(void)
{
	mono_ms ttl = (mono_ms)world.weather.ttl_s * SECOND;

	return chance() < 0.3 ? between(ttl / 4, ttl * 3 / 2) : between(2 * SECOND, ttl / 4);
}

static bool is_trouble(enum fault fault)
{
	return fault == FAULT_OUTAGE || fault == FAULT_BLACK_HOLE || fault == FAULT_LIMIT ||
	       fault == FAULT_TOKENS_DOWN || fault == FAULT_SUSPEND;
}

static void begin_weather(enum fault fault, mono_ms length)
{
	struct weather *weather = &world.weather;

	switch ((int)fault) {
	case FAULT_OUTAGE:
		weather->refuse = 1;
		break;
	case FAULT_BLACK_HOLE:
		weather->lose_request = 1;
		break;
	case FAULT_PARTIAL:
		weather->refuse = 0.2 + 0.4 * chance();
		break;
	case FAULT_LOSS:
		weather->lose_request = 0.2 * chance();
		weather->lose_answer = 0.2 * chance();
		weather->duplicate = 0.2 * chance();
		break;
	case FAULT_SLOW:
		weather->delay_max = between(500, 8000);
		break;
	case FAULT_LATE:
		weather->late = 0.5 * chance();
		break;
	case FAULT_LIMIT:
		weather->limit = 1 + below(100);
		break;
	case FAULT_TOKENS_DOWN:
		weather->tokens_down = true;
		break;
	case FAULT_DISK_FULL:
		weather->disk_full = true;
		break;
	case FAULT_SUSPEND:
		world.nodes[0].suspended_until = clock_now() + length;
		break;
	}
	world_core_is_dead(weather->refuse >= 1 || weather->lose_request >= 1);
}

void fault_end(uint32_t index)
{
	uint32_t ttl_s = world.weather.ttl_s;

	say("over: %s", names[index]);
	world.weather = fair;
	world.weather.ttl_s = ttl_s;
	world_core_is_dead(false);
	if (is_trouble((enum fault)index))
		trouble_ends();
}

/* ---- what happens in a moment ---- */

/* Some numbers come, go or move. */
static void reconfigure_tenants(void)
{
	unsigned from = below((unsigned)phones()), many = 1 + below((unsigned)phones());

	for (unsigned i = from; i < from + many && i < phones(); i++) {
		unsigned tenant = below(2);
		terms type = below(3) * 2; /* none, fork, loop_mo */

		daemon_want(place_of(FIRST_NUMBER + i, tenant),
			    type ? world.version * 8 + type : 0);
		daemon_want(place_of(FIRST_NUMBER + i, !tenant), 0);
	}
	daemon_configure(&world.nodes[0]);
}

/* What is ordered is on the disk before the keeper hears of it, or does not. */
static void order(void)
{
	struct node *node = &world.nodes[0];
	unsigned from = below((unsigned)world.count), many = 1 + below(5);

	for (unsigned i = from; i < from + many && i < world.count; i++) {
		terms type = below(3) * 2; /* none, fork, loop_mo */

		daemon_want(&world.numbers[i], type ? world.version * 8 + type : 0);
	}
	say("an order for %u numbers", many);
	if (node->keeper && chance() < 0.3)
		daemon_kill(node, fault_down_time(node));
	else
		daemon_order(node, from, many);
}

static void reconfigure(void)
{
	unsigned from = below((unsigned)world.count), many = 1 + below((unsigned)world.count);

	if (chance() < 0.2)
		world.version++;
	for (unsigned i = 0; i < world.count; i++) {
		struct number *number = &world.numbers[i];
		terms type = number->wanted % 8;

		if (i >= from && i < from + many)
			type = below(3) * 2; /* none, fork, loop_mo */
		daemon_want(number, type ? world.version * 8 + type : 0);
	}
	daemon_configure(&world.nodes[0]);
}

static void poison(void)
{
	unsigned many = 1 + below((unsigned)world.count / 50 + 1);
	enum poison what = (enum poison)below(4);

	for (unsigned i = 0; i < many; i++) {
		struct number *number = &world.numbers[below((unsigned)world.count)];

		number->poison = (uint8_t)what;
		number->excused_until = clock_now() + (what ? 1000 * HOUR : 70 * MINUTE);
	}
}

static void cure_all(void)
{
	for (size_t i = 0; i < world.count; i++) {
		if (!world.numbers[i].poison)
			continue;
		world.numbers[i].poison = POISON_NONE;
		world.numbers[i].excused_until = clock_now() + 70 * MINUTE;
	}
}

/* One of the cores; to who asks for none of them another one may be away. */
static void one_is_away(uint32_t which)
{
	unsigned core = which             ? which - 1
			: world.spots > 1 ? below(TENANTS * 2) * 2
					  : below(TENANTS);
	bool away = !which && world.ways[core] == WAY_OPEN && clock_now() < world.calms;
	mono_ms length = fault_length() * (1 + below(3));

	if (which || away) {
		world.ways[core] = !away ? WAY_OPEN : chance() < 0.5 ? WAY_REFUSED : WAY_SILENT;
		if (world.spots > 1)
			world.ways[core + 1] = world.ways[core];
		say("core %u is %s", core, away ? "away" : "back");
	}
	if (away)
		world_event(length, EVENT_AWAY, core + 1);
	if (!which && clock_now() < world.calms)
		world_event(between(0, 4 * world.fault_every), EVENT_AWAY, 0);
}

/* Nobody is to blame for the numbers that belong there, until it has been back for a while. */
void fault_away(uint32_t which)
{
	bool away = world.ways[1] == WAY_OPEN && clock_now() < world.calms;
	mono_ms length;

	if (world.links) {
		one_is_away(which);
		if (world.is_fleet)
			fleet_judge_state();
		return;
	}
	length = between(SECOND, 3 * (mono_ms)world.weather.ttl_s * SECOND);
	world.ways[1] = !away ? WAY_OPEN : chance() < 0.5 ? WAY_REFUSED : WAY_SILENT;
	say("the second core is %s", away ? "away" : "back");
	world.second_excused = clock_now() + (away ? length : 0) + 70 * MINUTE;
	if (away || clock_now() < world.calms)
		world_event(length, EVENT_AWAY, 0);
}

mono_ms fault_down_time(const struct node *node)
{
	mono_ms ttl = (mono_ms)world.weather.ttl_s * SECOND;

	if (node->stays_away)
		return between(ttl, 8 * ttl);
	return chance() < 0.7 ? between(SECOND, 20 * SECOND) : fault_length();
}

static void kill_soon(bool power)
{
	struct node *node = &world.nodes[0];

	if (!node->keeper)
		return;
	node->kill_after = (int)below(40);
	node->power_lost = power;
}

static void happen(enum fault fault)
{
	say("%s", names[fault]);
	switch ((int)fault) {
	case FAULT_REVOKED:
		world.token_valid_from = world.token_latest + 1;
		break;
	case FAULT_TTL:
		world.weather.ttl_s = 600 + below(3001);
		break;
	case FAULT_WALL_STEP:
		clock_fake_wall_set(clock_wall() + between(-2 * HOUR, 2 * HOUR));
		break;
	case FAULT_KILL:
		kill_soon(false);
		break;
	case FAULT_POWER:
		kill_soon(true);
		break;
	case FAULT_RECONFIGURE:
		if (world.comings)
			reload_draw(false);
		else if (world.tenants > 1)
			reconfigure_tenants();
		else if (world.orders && chance() < 0.8)
			order();
		else
			reconfigure();
		break;
	case FAULT_REFRESH_ALL:
		if (world.nodes[0].keeper && !world.nodes[0].frozen)
			keeper_refresh(world.nodes[0].keeper, 0, clock_now());
		break;
	case FAULT_POISON:
		poison();
		break;
	}
}

/* One after the other, now and then one of the short kind within a long one. */
void fault_draw(void)
{
	enum fault fault = (enum fault)below(FAULT_COUNT);
	mono_ms length = fault_length();

	if (clock_now() >= world.calms) {
		cure_all();
		return;
	}
	if (fault >= FAULT_REVOKED) {
		happen(fault);
		length = chance() < 0.4 ? between(0, 5 * SECOND) : between(0, world.fault_every);
		world_event(length, EVENT_FAULT, 0);
		return;
	}
	say("%s, for %lld s", names[fault], (long long)(length / SECOND));
	if (is_trouble(fault))
		trouble_begins();
	begin_weather(fault, length);
	world_event(length, EVENT_END, (uint32_t)fault);
	if (chance() < 0.5)
		happen((enum fault)(FAULT_REVOKED + below(FAULT_COUNT - FAULT_REVOKED)));
	world_event(length + between(0, 2 * world.fault_every), EVENT_FAULT, 0);
}

void fault_fair(uint32_t ttl_s)
{
	world.weather = fair;
	world.weather.ttl_s = ttl_s;
}
