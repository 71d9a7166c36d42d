/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c - what stands around the keeper in the daemon: its configuration, its
 * tokens, its life and death. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "tests/simulate/world.h"

/* What its configuration says of a number. */
static terms wanted_by(const struct node *node, size_t number)
{
	return node->wanted ? node->wanted[number] : world.numbers[number].wanted;
}

struct wanted *daemon_wanted(const struct node *node)
{
	struct wanted *wanted;
	char uri[32];

	if (world.links)
		return reload_wanted(&node->plan);
	wanted = calloc(1, sizeof(*wanted));
	snprintf(uri, sizeof(uri), "sips:v%u.example", node->wanted ? node->domain : world.version);
	if (!wanted)
		abort();
	wanted->sip_uri = strdup(uri);
	wanted->prefixes[0].mo = strdup("00");
	wanted->numbers = calloc(world.count + 1, sizeof(*wanted->numbers));
	if (!wanted->sip_uri || !wanted->prefixes[0].mo || !wanted->numbers)
		abort();
	if (world.tenants > 1)
		wanted->prefixes[1].mo = strdup("02");
	for (size_t i = 0; i < phones(); i++)
		for (unsigned tenant = 0; tenant < world.tenants; tenant++) {
			struct wanted_number *number = &wanted->numbers[wanted->count];
			terms by = wanted_by(node, i + tenant * phones());

			if (!by)
				continue;
			wanted->count++;
			number->number = FIRST_NUMBER + i;
			number->route_type = (uint8_t)(by % 8);
			number->tenant = (uint8_t)tenant;
		}
	return wanted;
}

terms daemon_wish(const struct number *number)
{
	return world.nodes[0].sick ? 0 : number->wanted;
}

/* Where a number is wanted that has more than one place. */
const struct number *daemon_wanted_place(const struct number *number)
{
	for (unsigned core = 0; world.tenants > 1 && core < world.tenants * world.spots; core++) {
		const struct number *place = place_of(phone_of(number), core);

		if (daemon_wish(place))
			return place;
	}
	return NULL;
}

bool daemon_lingers(const struct number *number)
{
	const struct number *other;

	if (number->wanted || number->leaving || number->abandoned || number->open)
		return false;
	other = daemon_wanted_place(number);
	return other && !other->confirmed && !other->perhaps;
}

bool daemon_may_linger(const struct number *number)
{
	const struct number *other = daemon_wanted_place(number);

	return !number->wanted && !number->leaving && other &&
	       (!other->confirmed || other->perhaps || other->held != other->wanted);
}

void daemon_want(struct number *number, terms wanted)
{
	if (number->wanted == wanted)
		return;
	if (!number->wanted && !daemon_may_linger(number)) {
		/* What was to be deleted, and is there yet, may be taken for what is wanted. */
		number->perhaps |= number->confirmed && number->held == wanted;
		number->confirmed = false;
	}
	number->arrived = (number->wanted && number->arrived) || number->held == wanted;
	if (!number->wanted && number->held != wanted)
		number->confirmed = false; /* as it is wanted now */
	if (world.comings && number->wanted && (number->confirmed || number->perhaps))
		reload_leave_open(number);
	judge_touched(number);
	number->leaving = number->open = false;
	number->wanted = wanted;
	number->wanted_since = clock_now();
	number->wrong_since = 0;
}

void daemon_configure(struct node *node)
{
	struct wanted *wanted = daemon_wanted(node);

	if (world.links)
		reload_map(node, wanted);
	if (node->keeper && !node->frozen && keeper_want(node->keeper, wanted, clock_now()))
		abort();
	wanted_destroy(wanted);
}

void daemon_order(struct node *node, unsigned from, unsigned many)
{
	struct wanted *some = daemon_wanted(node);

	some->count = 0;
	for (unsigned i = from; i < from + many && i < world.count; i++) {
		terms by = wanted_by(node, i);

		some->numbers[some->count++] =
			(struct wanted_number){ .number = FIRST_NUMBER + i,
						.route_type = (uint8_t)(by % 8),
						.tenant = by ? 0 : WANTED_NOWHERE,
						.source = REG_SOURCE_API };
	}
	if (node->keeper && !node->frozen && keeper_want_some(node->keeper, some, clock_now()))
		abort();
	wanted_destroy(some);
}

/* The keeper hands it on to upsert_send(). */
struct api_client *daemon_client(struct node *node, unsigned tenant)
{
	return tenant ? (struct api_client *)&node->other_client : (struct api_client *)node;
}

struct node *daemon_of(struct api_client *client, unsigned *ret_tenant)
{
	for (unsigned i = 0; i < NODES; i++)
		for (unsigned tenant = 0; tenant < 2; tenant++)
			if (client == daemon_client(&world.nodes[i], tenant)) {
				*ret_tenant = tenant;
				return &world.nodes[i];
			}
	abort();
}

/* ---- tokens ---- */

static void fetch_token(struct node *node, mono_ms after)
{
	world_event(after, EVENT_TOKEN, (uint32_t)(node - world.nodes));
}

static void on_token_refused(unsigned tenant, const char *token, void *arg)
{
	(void)tenant, (void)token;
	say("the keeper wants another token");
	fetch_token(arg, between(50, 500));
}

#define TOKEN_LIFE_S 3600

void daemon_token(struct node *node)
{
	char token[16];

	if (!node->keeper || node->frozen)
		return;
	if (world.weather.tokens_down) {
		for (unsigned i = 0; i < world.tenants; i++)
			keeper_token(node->keeper, i, NULL, 0, "no answer", 5000, clock_now());
		fetch_token(node, 5 * SECOND);
		return;
	}
	snprintf(token, sizeof(token), "%u", ++world.token_latest);
	say("%s token %s", node->name, token);
	for (unsigned i = 0; i < world.tenants; i++)
		keeper_token(node->keeper, i, token, TOKEN_LIFE_S, NULL, 0, clock_now());
	fetch_token(node, TOKEN_LIFE_S * SECOND * 3 / 4);
}

/* ---- health ---- */

void daemon_judge(struct node *node)
{
	struct registrar_verdict verdict = { .sick = node->sick,
					     .since = clock_now(),
					     .why = "the simulation says so" };

	if (node->keeper && !node->frozen)
		keeper_judge(node->keeper, &verdict, clock_now());
}

void daemon_health(struct node *node)
{
	node->sick = !node->sick && clock_now() < world.calms;
	say(node->sick ? "the daemon is sick" : "the daemon is well");
	for (size_t i = 0; i < world.count; i++) {
		world.numbers[i].leaving |= node->sick;
		world.numbers[i].wanted_since = clock_now();
		world.numbers[i].wrong_since = 0;
		judge_touched(&world.numbers[i]);
	}
	daemon_judge(node);
	if (node->sick)
		world_event(between(SECOND, HOUR), EVENT_HEALTH, 0);
	else
		world_event(between(SECOND, 4 * world.fault_every), EVENT_HEALTH, 0);
}

/* ---- life and death ---- */

void daemon_start(struct node *node)
{
	struct keeper_options options = { .tenant_count = world.tenants,
					  .store = "disk",
					  .token_refused = on_token_refused,
					  .arg = node,
					  .seed = world.seed ^ (uint64_t)clock_now() };
	struct wanted *wanted;
	char boot[16];

	for (unsigned i = 0; i < world.tenants; i++)
		options.tenants[i] = (struct keeper_tenant){ .name = i ? "acme" : "default",
							     .client = daemon_client(node, i),
							     .deadline_ms = DEADLINE,
							     .max_rate = world.max_rate,
							     .needs_token = true };
	say("%s the daemon starts", node->name);
	node->frozen = node->stays_away = false;
	node->kill_after = -1;
	memset(node->dead, 0, sizeof(node->dead));
	if (world.comings) {
		reload_start(node);
		daemon_judge(node);
		return;
	}
	snprintf(boot, sizeof(boot), "%u", node->boot);
	options.boot = boot;
	if (world.is_fleet) {
		member_create(node);
		options.store = "store.postgres";
		options.fleet = node->fleet;
		options.postgres = member_config(node);
		options.seed += (uint64_t)(node - world.nodes);
	}
	if (world.links)
		reload_connect(node, &options);
	wanted = daemon_wanted(node);
	if (keeper_create(&node->keeper, &options, wanted, clock_now()))
		abort();
	wanted_destroy(wanted);
	if (world.is_fleet)
		member_start(node);
	daemon_judge(node);
	if (!world.links)
		fetch_token(node, between(50, 500));
	else if (links_fetch(&node->links))
		abort();
}

void daemon_end(struct node *node)
{
	node->frozen = true;
	if (world.is_fleet)
		member_unwind(node);
	keeper_deafen(node->keeper);
	core_drop_daemon(node);
	node->keeper = keeper_destroy(node->keeper);
	if (world.links)
		reload_destroy(node);
	if (world.is_fleet)
		member_destroy(node);
}

void daemon_kill(struct node *node, mono_ms down)
{
	say("%s the daemon is dead for %lld s", node->name, (long long)(down / SECOND));
	daemon_end(node);
	if (world.weather.disk_full || node->power_lost) /* what it owed the disk is lost */
		world.unsure_until = clock_now() + down + 2 * HOUR;
	if (node->power_lost) {
		store_lose_power();
		node->boot++;
	}
	node->power_lost = false;
	trouble_begins();
	world_event(down, EVENT_RESTART, (uint32_t)(node - world.nodes));
}

mono_ms daemon_run(struct node *node)
{
	mono_ms next;

	if (!node->keeper)
		return INT64_MAX;
	if (clock_now() < node->suspended_until)
		return node->suspended_until;
	if (world.is_fleet) {
		next = member_run(node);
	} else {
		if (world.sleeps && clock_now() < node->registrar.wake)
			return node->registrar.wake;
		keeper_run(node->keeper, clock_now());
		if (world.comings)
			reload_run(node);
		next = keeper_next(node->keeper, clock_now());
		judge_turn(node, next);
		node->registrar.wake = next;
	}
	if (node->frozen) {
		daemon_kill(node, fault_down_time(node));
		return INT64_MAX;
	}
	return next > clock_now() ? next : clock_now() + 1;
}

/* Of a fleet: while its registrar waits for the database. */
mono_ms daemon_deaf_until(const struct node *node)
{
	const struct thread *thread = &node->registrar;

	/* It goes on within that millisecond, and is there for others in the next. */
	return thread->inside && thread->wake >= node->suspended_until ? thread->wake + 1
								       : node->suspended_until;
}
