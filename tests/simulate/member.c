/* SPDX-License-Identifier: Apache-2.0 */
/* member.c - what stands around keeper and fleet in a daemon that is one node of
 * several: its two threads, their orders and their news. As registrar.c and fleet.c
 * have it, without the threads. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "registrar/fleet_inside.h"
#include "registrar/keeper_shards.h"
#include "tests/simulate/world.h"

#define GRACE (15 * SECOND) /* to hand over in */

static struct thread *running; /* the one we are inside of */

const struct config_postgres *member_config(const struct node *node)
{
	static struct config_postgres configs[NODES];
	struct config_postgres *config = &configs[node - world.nodes];

	*config = (struct config_postgres){ .conninfo = (char *)node->name,
					    .node = (char *)node->name,
					    .version = (unsigned)node->version,
					    .lease_ms = (unsigned)world.lease_ms,
					    .alone_s = (unsigned)(world.alone_ms / SECOND) };
	return config;
}

static struct lease_wish wish_of(const struct node *node)
{
	return (struct lease_wish){ node->version, (uint64_t)node->version * 7919 };
}

/* ---- the two threads ---- */

static void wake(struct thread *thread)
{
	if (!thread->inside && thread->wake > clock_now())
		thread->wake = clock_now();
}

static void on_news(struct fleet_news *take_news, void *arg)
{
	struct node *node = arg;

	if (node->frozen || node->inbox_count == INBOX) {
		if (!node->frozen)
			fail("%s hears %d news at once", node->name, INBOX);
		fleet_news_destroy(take_news);
		return;
	}
	node->inbox[node->inbox_count++] = take_news;
	wake(&node->registrar);
}

/* Pauses, which nobody makes here. */
static int on_look(struct pg *pg, mono_ms deadline, void *arg)
{
	(void)pg, (void)deadline, (void)arg;
	return 0;
}

static void take_news(struct node *node)
{
	for (size_t i = 0; i < node->inbox_count; i++) {
		if (!node->frozen)
			keeper_news(node->keeper, node->inbox[i], clock_now());
		fleet_news_destroy(node->inbox[i]);
	}
	node->inbox_count = 0;
}

/* What its configuration says now. */
static void read_file(struct node *node)
{
	node->version = world.store_version;
	node->domain = world.version;
	node->plan = world.plan;
	for (size_t i = 0; i < world.count; i++) {
		node->wanted[i] = world.numbers[i].wanted;
		if (world.links) /* what is said of a number may begin anew */
			world.numbers[i].sent[node - world.nodes] = 0;
	}
	say("%s reads version %lld", node->name, (long long)node->version);
}

static void reload(struct node *node)
{
	struct lease_wish wish;

	if (world.links)
		read_file(node);
	if (world.links && clock_now() < world.calms && chance() < 0.1) /* it may die over it */
		node->kill_after = (int)below(12);
	wish = wish_of(node);

	node->reload = false;
	if (world.links)
		links_take(&node->links, reload_cores(&node->plan), node->keeper, clock_now());
	keeper_wish(node->keeper, &wish, clock_now());
	daemon_configure(node);
	fleet_wish(node->fleet, &wish);
}

static void registrar_turn(void *arg)
{
	struct node *node = arg;
	struct thread *thread = &node->registrar;
	mono_ms next;

	take_news(node);
	if (node->refresh)
		keeper_refresh(node->keeper, 0, clock_now());
	node->refresh = false;
	if (node->reload && !node->stopping)
		reload(node);
	if (node->stopping && !node->stop_by) {
		node->stop_by = clock_now() + GRACE;
		keeper_stop(node->keeper, false, clock_now());
	}
	keeper_run(node->keeper, clock_now());
	if (world.links) {
		links_run(&node->links, node->keeper, clock_now());
		fleet_reload_look(node);
	}
	if (node->stopping && (keeper_idle(node->keeper) || clock_now() >= node->stop_by)) {
		fleet_end(node->fleet);
		node->ended = true;
		thread->wake = INT64_MAX;
		return;
	}
	next = keeper_next(node->keeper, clock_now());
	judge_turn(node, next);
	thread->wake = next > clock_now() && !node->inbox_count ? next : clock_now() + 1;
}

/* Its thread's wait would be over at once. Only a registrar's turn and orders wake it. */
static bool is_called(struct node *node)
{
	uint64_t drained;
	bool called = node->notified;

	if (node->may_be_called)
		called |= read(node->fleet->wake_fd, &drained, sizeof(drained)) > 0;
	node->notified = node->may_be_called = false;
	return called;
}

static void beater_turn(void *arg)
{
	struct node *node = arg;
	struct thread *thread = &node->beater;
	mono_ms next;

	if (!fleet_turn(node->fleet, &next)) {
		thread->wake = INT64_MAX;
		node->frozen = true; /* the process ends */
		return;
	}
	thread->wake = next > clock_now() && !is_called(node) ? next : clock_now() + 1;
}

/* Until it sleeps. */
static void go_on(struct thread *thread)
{
	running = thread;
	thread->inside = false;
	thread->wake = INT64_MAX;
	fiber_resume(&thread->fiber);
	running = NULL;
}

bool member_sleep(struct node *node, mono_ms until)
{
	struct thread *thread = running;

	if (node->frozen || !thread)
		return !node->frozen;
	thread->inside = true;
	thread->wake = until;
	fiber_pause(&thread->fiber);
	return !node->frozen;
}

mono_ms member_run(struct node *node)
{
	if (clock_now() >= node->registrar.wake && (!node->ended || node->registrar.inside)) {
		go_on(&node->registrar);
		node->may_be_called = true;
	}
	if (!node->beater.inside && is_called(node))
		wake(&node->beater);
	if (!node->frozen && clock_now() >= node->beater.wake)
		go_on(&node->beater);
	return node->registrar.wake < node->beater.wake ? node->registrar.wake : node->beater.wake;
}

/* ---- orders ---- */

void member_notify(struct node *node)
{
	node->notified = true;
	wake(&node->beater);
}

void member_reload(struct node *node)
{
	if (!node->wanted)
		return;
	if (!world.links || !node->keeper)
		read_file(node); /* else in its own time: its tenants are those it has links to */
	node->reload = node->keeper != NULL;
	wake(&node->registrar);
	fleet_judge_state();
}

/* Its registrar hears of it in its own time, also if it waits for the database. */
void member_refresh(struct node *node)
{
	node->refresh = node->registrar.inside;
	if (!node->refresh)
		keeper_refresh(node->keeper, 0, clock_now());
}

void member_stop(struct node *node)
{
	if (!node->keeper || node->stopping)
		return;
	say("%s is stopped", node->name);
	node->stopping = true;
	wake(&node->registrar);
	fleet_judge_state();
}

void member_drain(struct node *node, bool drains)
{
	say("%s %s", node->name, drains ? "drains" : "drains no more");
	node->draining = drains;
	node->may_be_called = true;
	if (node->keeper)
		fleet_drain(node->fleet, drains);
	fleet_judge_state();
}

/* ---- life and death ---- */

static void make_thread(struct thread *thread, void (*turn)(void *arg), struct node *node)
{
	thread->inside = false;
	thread->wake = clock_now();
	if (!thread->fiber.stack)
		fiber_create(&thread->fiber, turn, node);
}

void member_create(struct node *node)
{
	struct fleet_options options = {
		.config = member_config(node), .news = on_news, .look = on_look, .arg = node
	};

	if (world.links && node->reload)
		read_file(node);
	options.wish = wish_of(node);
	node->stopping = node->ended = node->reload = node->refresh = node->notified = false;
	node->stop_by = 0;
	if (fleet_create(&node->fleet, &options))
		abort();
	node->may_be_called = true;
	atomic_store(&node->fleet->pulse, clock_now()); /* as fleet_start() does */
	fleet_drain(node->fleet, node->draining);
}

void member_start(struct node *node)
{
	struct lease_wish wish = wish_of(node);

	keeper_wish(node->keeper, &wish, clock_now());
	node->database_lost = node->database_back = 0;
	memset(node->had, 0, sizeof(node->had));
	calm_note(&world.all_well, true); /* it has to find its place */
	for (unsigned tenant = 0; world.links && tenant < world.tenants; tenant++)
		node->linked[tenant] = reload_link(node, tenant) != NULL;
	make_thread(&node->registrar, registrar_turn, node);
	make_thread(&node->beater, beater_turn, node);
	fleet_judge_state();
}

void member_unwind(struct node *node)
{
	while (node->registrar.inside)
		go_on(&node->registrar);
	while (node->beater.inside)
		go_on(&node->beater);
}

void member_destroy(struct node *node)
{
	take_news(node);
	node->fleet = fleet_destroy(node->fleet);
	fleet_judge_state();
}
