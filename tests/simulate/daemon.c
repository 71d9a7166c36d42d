/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c - what stands around the keeper in the daemon: its configuration, its
 * tokens, its life and death. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "tests/simulate/world.h"

static struct wanted *wanted_now(void)
{
	struct wanted *wanted = calloc(1, sizeof(*wanted));
	char uri[32];

	snprintf(uri, sizeof(uri), "sips:v%u.example", world.version);
	if (!wanted)
		abort();
	wanted->sip_uri = strdup(uri);
	wanted->prefixes[0].mo = strdup("00");
	wanted->numbers = calloc(world.count + 1, sizeof(*wanted->numbers));
	if (!wanted->sip_uri || !wanted->prefixes[0].mo || !wanted->numbers)
		abort();
	for (size_t i = 0; i < world.count; i++) {
		if (!world.numbers[i].wanted)
			continue;
		wanted->numbers[wanted->count].number = FIRST_NUMBER + i;
		wanted->numbers[wanted->count++].route_type =
			(uint8_t)(world.numbers[i].wanted % 8);
	}
	return wanted;
}

void daemon_want(struct number *number, terms wanted)
{
	if (number->wanted == wanted)
		return;
	number->wanted = wanted;
	number->wanted_since = clock_now();
	number->wrong_since = 0;
}

void daemon_configure(void)
{
	struct wanted *wanted = wanted_now();

	if (world.keeper && !world.frozen && keeper_want(world.keeper, wanted, clock_now()))
		abort();
	wanted_destroy(wanted);
}

/* ---- tokens ---- */

static void fetch_token(mono_ms after)
{
	world_event(after, EVENT_TOKEN, 0);
}

static void on_token_refused(unsigned tenant, const char *token, void *arg)
{
	(void)tenant, (void)token, (void)arg;
	say("the keeper wants another token");
	fetch_token(between(50, 500));
}

#define TOKEN_LIFE_S 3600

void daemon_token(void)
{
	char token[16];

	if (!world.keeper || world.frozen)
		return;
	if (world.weather.tokens_down) {
		keeper_token(world.keeper, 0, NULL, 0, "no answer", 5000, clock_now());
		fetch_token(5 * SECOND);
		return;
	}
	snprintf(token, sizeof(token), "%u", ++world.token_latest);
	say("token %s", token);
	keeper_token(world.keeper, 0, token, TOKEN_LIFE_S, NULL, 0, clock_now());
	fetch_token(TOKEN_LIFE_S * SECOND * 3 / 4);
}

/* ---- health ---- */

terms daemon_wish(const struct number *number)
{
	return world.sick ? 0 : number->wanted;
}

static void tell_health(void)
{
	struct registrar_verdict verdict = { .sick = world.sick,
					     .since = clock_now(),
					     .why = "the simulation says so" };

	if (world.keeper && !world.frozen)
		keeper_judge(world.keeper, &verdict, clock_now());
}

void daemon_health(void)
{
	world.sick = !world.sick && clock_now() < world.calms;
	say(world.sick ? "the daemon is sick" : "the daemon is well");
	for (size_t i = 0; i < world.count; i++) {
		world.numbers[i].wanted_since = clock_now();
		world.numbers[i].wrong_since = 0;
	}
	tell_health();
	if (world.sick)
		world_event(between(SECOND, HOUR), EVENT_HEALTH, 0);
	else
		world_event(between(SECOND, 4 * world.fault_every), EVENT_HEALTH, 0);
}

/* ---- life and death ---- */

void daemon_start(void)
{
	struct keeper_options options = { .store = "disk",
					  .tenants = { { .deadline_ms = DEADLINE,
							 .needs_token = true } },
					  .token_refused = on_token_refused,
					  .seed = world.seed ^ (uint64_t)clock_now() };
	struct wanted *wanted = wanted_now();
	char boot[16];

	say("the daemon starts");
	snprintf(boot, sizeof(boot), "%u", world.boot);
	options.boot = boot;
	world.frozen = false;
	world.kill_after = -1;
	world.dead_since = 0;
	world.dead_sent = 0;
	if (keeper_create(&world.keeper, &options, wanted, clock_now()))
		abort();
	wanted_destroy(wanted);
	tell_health();
	fetch_token(between(50, 500));
}

void daemon_kill(mono_ms down)
{
	say("the daemon is dead for %lld s", (long long)(down / SECOND));
	world.frozen = true;
	keeper_deafen(world.keeper);
	core_drop_daemon();
	world.keeper = keeper_destroy(world.keeper);
	if (world.weather.disk_full || world.power_lost) /* what it owed the disk is lost */
		world.unsure_until = clock_now() + down + 2 * HOUR;
	if (world.power_lost) {
		store_lose_power();
		world.boot++;
	}
	world.power_lost = false;
	trouble_begins();
	world_event(down, EVENT_RESTART, 0);
}
