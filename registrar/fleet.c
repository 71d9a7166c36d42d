/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/fleet_inside.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/log.h"
#include "base/thread.h"

struct fleet_news *fleet_news_destroy(struct fleet_news *news)
{
	if (!news)
		return NULL;
	for (size_t i = 0; i < news->params_count; i++) {
		free(news->params[i]->sip_uri);
		free(news->params[i]->prefix_mo);
		free(news->params[i]->prefix_mt);
		free(news->params[i]);
	}
	free(news->params);
	for (size_t i = 0; i < news->tenant_count; i++)
		free(news->tenants[i]);
	free(news->tenants);
	free(news->rows);
	free(news->taken);
	free(news->give);
	free(news->lifted);
	free(news);
	return NULL;
}

/* ---- the thread ---- */

/* Until the next beat, a word of the registrar's, or one of the other nodes'. */
static void await(struct fleet *fleet, mono_ms until)
{
	struct pollfd fds[] = { { .fd = fleet->wake_fd, .events = POLLIN },
				{ .fd = pg_fd(fleet->pg), .events = POLLIN } };
	uint64_t drained;

	for (;;) {
		mono_ms left = until - clock_now();

		if (left <= 0)
			return;
		if (poll(fds, 2, (int)left) < 0)
			continue;
		if (fds[0].revents) {
			(void)!read(fleet->wake_fd, &drained, sizeof(drained));
			return;
		}
		if (fds[1].revents && pg_notified(fleet->pg))
			return;
	}
}

static void *fleet_thread(void *arg)
{
	struct fleet *fleet = arg;
	mono_ms next;

	while (fleet_turn(fleet, &next))
		await(fleet, next);
	return NULL;
}

int fleet_start(struct fleet *fleet)
{
	int err;

	atomic_store(&fleet->pulse, clock_now());
	err = thread_start(&fleet->thread, "fleet", THREAD_PROMPT, fleet_thread, fleet);
	fleet->started = !err;
	return err;
}

static void wake(struct fleet *fleet)
{
	uint64_t one = 1;

	(void)!write(fleet->wake_fd, &one, sizeof(one)); /* full: it is awake already */
}

void fleet_end(struct fleet *fleet)
{
	pthread_mutex_lock(&fleet->lock);
	fleet->ending = true;
	pthread_mutex_unlock(&fleet->lock);
	atomic_store(&fleet->pulse, clock_now());
	wake(fleet);
}

void fleet_stop(struct fleet *fleet)
{
	if (!fleet->started)
		return;
	fleet_end(fleet);
	pthread_join(fleet->thread, NULL);
	fleet->started = false;
}

void fleet_rest(struct fleet *fleet, mono_ms until)
{
	pthread_mutex_lock(&fleet->lock);
	fleet->resting = true;
	fleet->rest_until = until;
	pthread_mutex_unlock(&fleet->lock);
	wake(fleet);
}

int fleet_go_on(struct fleet *fleet)
{
	bool over;

	pthread_mutex_lock(&fleet->lock);
	fleet->resting = false;
	over = fleet->over;
	fleet->over = false;
	pthread_mutex_unlock(&fleet->lock);
	atomic_store(&fleet->pulse, clock_now());
	if (fleet->started && !over) {
		wake(fleet);
		return 0;
	}
	if (fleet->started)
		pthread_join(fleet->thread, NULL);
	return fleet_start(fleet);
}

void fleet_trust(struct fleet *fleet)
{
	fleet->self.trusts = true;
}

/* ---- orders and questions ---- */

void fleet_pulse(struct fleet *fleet, mono_ms now)
{
	atomic_store(&fleet->pulse, now);
}

void fleet_gave(struct fleet *fleet, unsigned shard, const struct fleet_gift *gift)
{
	pthread_mutex_lock(&fleet->lock);
	fleet->gifts[shard] = *gift;
	pthread_mutex_unlock(&fleet->lock);
	wake(fleet);
}

void fleet_forgotten(struct fleet *fleet)
{
	pthread_mutex_lock(&fleet->lock);
	fleet->forgotten = true;
	pthread_mutex_unlock(&fleet->lock);
	wake(fleet);
}

static void set_order(struct fleet *fleet, bool *order, bool on)
{
	bool changes;

	pthread_mutex_lock(&fleet->lock);
	changes = *order != on;
	*order = on;
	pthread_mutex_unlock(&fleet->lock);
	if (changes)
		wake(fleet);
}

void fleet_drain(struct fleet *fleet, bool drains)
{
	set_order(fleet, &fleet->drain, drains);
}

void fleet_is_sick(struct fleet *fleet, bool sick)
{
	set_order(fleet, &fleet->sick, sick);
}

void fleet_is_cut_off(struct fleet *fleet, bool cut_off)
{
	set_order(fleet, &fleet->cut_off, cut_off);
}

bool fleet_others_serve(struct fleet *fleet)
{
	bool serve = false;

	pthread_mutex_lock(&fleet->lock);
	for (size_t i = 0; i < fleet->info.node_count; i++) {
		const struct registrar_node *node = &fleet->info.nodes[i];

		serve = serve ||
			(node->alive && !node->draining && strcmp(node->name, fleet->name));
	}
	serve = serve && fleet->info.reachable;
	pthread_mutex_unlock(&fleet->lock);
	return serve;
}

void fleet_wish(struct fleet *fleet, const struct lease_wish *wish)
{
	pthread_mutex_lock(&fleet->lock);
	fleet->wish = *wish;
	pthread_mutex_unlock(&fleet->lock);
	wake(fleet);
}

void fleet_wished(struct fleet *fleet, struct lease_wish *ret_wish)
{
	pthread_mutex_lock(&fleet->lock);
	*ret_wish = fleet->wish;
	pthread_mutex_unlock(&fleet->lock);
}

bool fleet_reaches_store(const struct fleet *fleet)
{
	mono_ms doubted = atomic_load(&fleet->doubted);

	return atomic_load(&fleet->reaches) &&
	       (!doubted || atomic_load(&fleet->answered) >= doubted);
}

void fleet_doubt(struct fleet *fleet)
{
	atomic_store(&fleet->doubted, clock_now());
	wake(fleet);
}

uint64_t fleet_session(const struct fleet *fleet)
{
	return atomic_load(&fleet->session);
}

void fleet_info(struct fleet *fleet, struct registrar_fleet *ret_info)
{
	pthread_mutex_lock(&fleet->lock);
	*ret_info = fleet->info;
	pthread_mutex_unlock(&fleet->lock);
}

/* ---- create and destroy ---- */

static char *machine_name(void)
{
	char name[LEASE_NAME_ROOM] = "";

	if (gethostname(name, sizeof(name) - 1) || !name[0])
		return NULL;
	return strdup(name);
}

int fleet_create(struct fleet **ret_fleet, const struct fleet_options *options)
{
	const struct config_postgres *config = options->config;
	struct fleet *fleet;
	char why[256];
	int err = pg_check(config->conninfo, why, sizeof(why));

	if (err) {
		log_error("registrar", "store.postgres is not what libpq takes: %s", why);
		return err;
	}
	fleet = calloc(1, sizeof(*fleet));
	if (!fleet)
		return -ENOMEM;
	pthread_mutex_init(&fleet->lock, NULL);
	fleet->options = *options;
	fleet->options.config = NULL; /* borrowed until here */
	fleet->lease_ms = config->lease_ms;
	fleet->alone_ms = (mono_ms)config->alone_s * 1000;
	fleet->wish = options->wish;
	fleet->drain = options->stands_in;
	fleet->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fleet->name = config->node ? strdup(config->node) : machine_name();
	err = fleet->name && fleet->wake_fd >= 0 ? 0 : -ENOMEM;
	if (!err)
		err = pg_create(&fleet->pg, config->conninfo, config->password_file);
	if (err) {
		fleet_destroy(fleet);
		return err;
	}
	fleet->self = (struct fleet_self){ .name = fleet->name, .alone_ms = fleet->alone_ms };
	fleet->info.on = true;
	snprintf(fleet->info.node, sizeof(fleet->info.node), "%s", fleet->name);
	*ret_fleet = fleet;
	return 0;
}

struct fleet *fleet_destroy(struct fleet *fleet)
{
	if (!fleet)
		return NULL;
	fleet_stop(fleet);
	pg_destroy(fleet->pg);
	if (fleet->wake_fd >= 0)
		close(fleet->wake_fd);
	pthread_mutex_destroy(&fleet->lock);
	free(fleet->name);
	free(fleet);
	return NULL;
}
