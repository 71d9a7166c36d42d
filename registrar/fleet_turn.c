/* SPDX-License-Identifier: Apache-2.0 */
/* fleet_turn.c - what the fleet's thread does four times in a lease. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/metrics.h"
#include "registrar/fleet_inside.h"

#define BEATS        4 /* a lease */
#define PATIENCE_MAX 5000
#define LOAD_MS      10000 /* for the rows of some shards */

static struct metric store_up =
	METRIC_GAUGE_INIT("breakout_store_up", NULL, "1 while the fleet's database answers.");
static struct metric nodes = METRIC_GAUGE_INIT("breakout_fleet_nodes", NULL,
					       "Nodes of the fleet that live, ourselves included.");
static struct metric put_outs =
	METRIC_COUNTER_INIT("breakout_fleet_put_out_total", NULL,
			    "Nodes whose silence made this one put them out of the fleet.");
static struct metric were_put_out = METRIC_COUNTER_INIT(
	"breakout_fleet_lost_total", NULL, "Times the others put this node out of the fleet.");

static struct fleet_news *news_create(enum fleet_kind kind, mono_ms asked)
{
	struct fleet_news *news = calloc(1, sizeof(*news));

	if (news) {
		news->kind = kind;
		news->asked = asked;
	}
	return news;
}

static void tell(struct fleet *fleet, struct fleet_news *take_news)
{
	if (take_news)
		fleet->options.news(take_news, fleet->options.arg);
	else /* a beat less: the registrar's own clock sees to the rest */
		log_error("registrar", "out of memory: news of the fleet is lost");
}

/* ---- membership ---- */

static void forget_all(struct fleet *fleet)
{
	atomic_store(&fleet->session, 0);
	memset(fleet->known, 0, sizeof(fleet->known));
	memset(fleet->held, 0, sizeof(fleet->held));
	pthread_mutex_lock(&fleet->lock);
	memset(fleet->gifts, 0, sizeof(fleet->gifts));
	fleet->forgotten = false;
	pthread_mutex_unlock(&fleet->lock);
}

static void on_put_out(struct fleet *fleet, mono_ms asked)
{
	log_error("registrar",
		  "the fleet has put node %s out: it was silent for longer than store.lease; its "
		  "numbers are kept by others",
		  fleet->name);
	metric_add(&were_put_out, 1);
	forget_all(fleet);
	fleet->put_out = true;
	tell(fleet, news_create(FLEET_PUT_OUT, asked));
}

static int join(struct fleet *fleet, mono_ms asked, mono_ms deadline)
{
	uint64_t session;
	int err = fleet_sql_join(fleet->pg, &fleet->self, fleet->was_member, deadline, &session);

	if (err == -EEXIST && !fleet->name_taken)
		log_error("registrar",
			  "another daemon is node %s of the fleet: give each its own store.node, "
			  "then restart this one",
			  fleet->name);
	fleet->name_taken = err == -EEXIST;
	if (err)
		return err;
	log_notice("registrar", "node %s joins the fleet", fleet->name);
	fleet->self.session = session;
	fleet->self.trusts = false;
	fleet->was_member = true;
	atomic_store(&fleet->session, session);
	tell(fleet, news_create(FLEET_JOINED, asked));
	return 0;
}

/* Until the registrar has let go of what it had, a new membership would lift holds
 * too early. */
static bool may_join(struct fleet *fleet)
{
	bool may;

	pthread_mutex_lock(&fleet->lock);
	may = !fleet->put_out || fleet->forgotten;
	pthread_mutex_unlock(&fleet->lock);
	return may;
}

static int become_member(struct fleet *fleet, mono_ms asked, mono_ms deadline)
{
	int err, version = 0;

	if (!pg_connected(fleet->pg)) {
		err = pg_connect(fleet->pg, deadline);
		if (!err)
			err = fleet_sql_prepare(fleet->pg, deadline, &version);
		if (err == -EMEDIUMTYPE)
			log_error("registrar",
				  "the fleet's tables have version %d, this program knows another: "
				  "run the same version of it on all nodes",
				  version);
		if (err)
			return err;
	}
	if (atomic_load(&fleet->session))
		return 0;
	if (!may_join(fleet))
		return -EAGAIN;
	err = join(fleet, asked, deadline);
	if (!err)
		fleet->put_out = false;
	return err;
}

/* ---- what a look brings ---- */

static bool is_orphan(const struct lease_view *view, const struct lease_shard *shard)
{
	if (!shard->session)
		return false;
	for (size_t i = 0; i < view->node_count; i++)
		if (view->nodes[i].session == shard->session)
			return false;
	return true;
}

static int free_orphans(struct fleet *fleet, mono_ms deadline)
{
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		if (is_orphan(&fleet->view, &fleet->view.shards[i])) {
			fleet->again = true;
			return fleet_sql_free_orphans(fleet->pg, &fleet->self, deadline);
		}
	return 0;
}

static int put_out_dead(struct fleet *fleet, mono_ms deadline)
{
	int err = 0;

	for (size_t i = 0; !err && i < fleet->plan.dead_count; i++) {
		const struct lease_node *node = &fleet->view.nodes[fleet->plan.dead[i]];
		size_t shards = 0;

		err = fleet_sql_put_out(fleet->pg, node, deadline, &shards);
		if (err || !shards)
			continue;
		log_error(
			"registrar",
			"node %s of the fleet was silent for %lld s: its %zu shards are taken over",
			node->name, (long long)(fleet->lease_ms / 1000), shards);
		metric_add(&put_outs, 1);
		fleet->again = true;
	}
	return err;
}

static int give(struct fleet *fleet, mono_ms deadline)
{
	struct fleet_gift gifts[LEASE_SHARDS];
	bool any = false;
	int err;

	pthread_mutex_lock(&fleet->lock);
	memcpy(gifts, fleet->gifts, sizeof(gifts));
	pthread_mutex_unlock(&fleet->lock);
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		any |= gifts[i].epoch != 0;
	if (!any)
		return 0;
	err = fleet_sql_give(fleet->pg, &fleet->self, gifts, deadline);
	if (err)
		return err; /* not known whether it was done: once more does no harm */
	pthread_mutex_lock(&fleet->lock);
	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		if (!gifts[i].epoch)
			continue;
		fleet->gifts[i].epoch = 0;
		fleet->known[i] = fleet->held[i] = false;
	}
	pthread_mutex_unlock(&fleet->lock);
	return 0;
}

/* What the database calls ours and the registrar has not heard of: taken last time,
 * or by a statement whose answer was lost. */
static size_t find_new(struct fleet *fleet, unsigned shards[LEASE_TAKE_MAX])
{
	size_t count = 0;

	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		if (fleet->view.shards[i].session != fleet->self.session || fleet->known[i])
			continue;
		if (count == LEASE_TAKE_MAX) {
			fleet->again = true;
			break;
		}
		shards[count++] = i;
	}
	return count;
}

static int load_new(struct fleet *fleet, mono_ms asked)
{
	unsigned shards[LEASE_TAKE_MAX];
	size_t count = find_new(fleet, shards);
	struct fleet_news *news;
	int err;

	if (!count)
		return 0;
	news = news_create(FLEET_TAKEN, asked);
	if (!news)
		return -ENOMEM;
	err = fleet_sql_load(fleet->pg, &fleet->self, shards, count, clock_now() + LOAD_MS, news);
	if (err) {
		fleet_news_destroy(news);
		return err;
	}
	for (size_t i = 0; i < news->taken_count; i++) {
		fleet->known[news->taken[i].shard] = true;
		fleet->held[news->taken[i].shard] = news->taken[i].hold_ms > 0;
	}
	tell(fleet, news);
	return 0;
}

static int take(struct fleet *fleet, mono_ms deadline)
{
	if (!fleet->plan.take_count || fleet->leaving)
		return 0;
	fleet->again = true; /* the rows come with the next look */
	return fleet_sql_take(fleet->pg, &fleet->self, fleet->plan.take, fleet->plan.take_count,
			      deadline);
}

/* The lease, with what else the look says; at once: the registrar waits for it. */
static int tell_renewed(struct fleet *fleet, mono_ms asked)
{
	struct fleet_news *news = news_create(FLEET_RENEWED, asked);

	if (!news)
		return -ENOMEM;
	news->in_force = fleet->view.in_force;
	news->lifted = calloc(LEASE_SHARDS, sizeof(*news->lifted));
	news->give = calloc(LEASE_SHARDS, sizeof(*news->give));
	if (!news->lifted || !news->give) {
		fleet_news_destroy(news);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		news->give[i] = fleet->plan.give[i] && fleet->known[i];
		if (!fleet->known[i] || !fleet->held[i] || fleet->view.shards[i].hold_ms)
			continue;
		news->lifted[i] = true;
		fleet->held[i] = false;
	}
	tell(fleet, news);
	return 0;
}

/* Somebody has taken from us what only we may give. */
static bool robbed(const struct fleet *fleet)
{
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		if (fleet->known[i] && fleet->view.shards[i].session != fleet->self.session)
			return true;
	return false;
}

static void note_info(struct fleet *fleet)
{
	struct registrar_fleet info = { .on = true, .reachable = true };

	snprintf(info.node, sizeof(info.node), "%s", fleet->name);
	info.version = fleet->self.wish.version;
	info.in_force = fleet->view.in_force.version;
	for (size_t i = 0; i < fleet->view.node_count; i++) {
		const struct lease_node *from = &fleet->view.nodes[i];
		struct registrar_node *to = &info.nodes[info.node_count++];

		snprintf(to->name, sizeof(to->name), "%s", from->name);
		to->alive = from->session &&
			    !lease_dead(&fleet->watch, from, fleet->lease_ms, clock_now());
		to->draining = from->draining;
		to->current = lease_wish_equal(&from->wish, &fleet->view.in_force);
		to->version = from->wish.version;
		to->seen_ms = from->seen_ago;
		for (unsigned k = 0; from->session && k < LEASE_SHARDS; k++) {
			if (fleet->view.shards[k].session != from->session)
				continue;
			to->shards++;
			info.owner[k] = (uint8_t)info.node_count; /* 1 and up */
		}
		info.alive += to->alive;
	}
	metric_set(&nodes, info.alive);
	pthread_mutex_lock(&fleet->lock);
	fleet->info = info;
	pthread_mutex_unlock(&fleet->lock);
}

static void say_behind(struct fleet *fleet)
{
	const struct lease_wish *mine = &fleet->self.wish, *theirs = &fleet->view.in_force;
	bool behind = !lease_wish_equal(mine, theirs);

	if (behind && !fleet->behind && mine->version == theirs->version)
		log_error("registrar",
			  "another configuration of version %lld is in force in the fleet: ours "
			  "changes nothing at the core; raise store.version on every node with "
			  "each change of registrations, domain or prefixes",
			  (long long)mine->version);
	else if (behind && !fleet->behind)
		log_notice("registrar",
			   "version %lld of the configuration is in force in the fleet, ours is "
			   "%lld: it changes nothing at the core until it is reloaded",
			   (long long)theirs->version, (long long)mine->version);
	else if (!behind && fleet->behind)
		log_notice("registrar", "our configuration is in force in the fleet");
	fleet->behind = behind;
}

static int act(struct fleet *fleet, mono_ms asked, mono_ms deadline)
{
	int err = 0;

	if (fleet->view.in_force.version < fleet->self.wish.version) {
		err = fleet_sql_claim(fleet->pg, &fleet->self, deadline);
		fleet->again = true; /* to see whose it is by now */
	} else {
		say_behind(fleet);
	}
	if (!err)
		err = put_out_dead(fleet, deadline);
	if (!err)
		err = free_orphans(fleet, deadline);
	if (!err)
		err = take(fleet, deadline);
	if (!err)
		err = load_new(fleet, asked);
	return err;
}

/* Nothing of ours is ever put in force. */
static void wish_what_is_in_force(struct fleet *fleet)
{
	pthread_mutex_lock(&fleet->lock);
	fleet->self.wish = fleet->wish = fleet->view.in_force;
	pthread_mutex_unlock(&fleet->lock);
}

static int beat(struct fleet *fleet, mono_ms asked, mono_ms deadline)
{
	int err = fleet_sql_beat(fleet->pg, &fleet->self, deadline);

	if (!err)
		err = give(fleet, deadline);
	if (!err)
		err = fleet_sql_look(fleet->pg, &fleet->view, deadline);
	if (err)
		return err;
	if (robbed(fleet))
		return -ESTALE;
	if (fleet->options.stands_in)
		wish_what_is_in_force(fleet);
	lease_look(&fleet->watch, &fleet->view, fleet->lease_ms, clock_now());
	lease_decide(&fleet->watch, &fleet->view, fleet->self.session, fleet->lease_ms, clock_now(),
		     &fleet->plan);
	note_info(fleet);
	err = tell_renewed(fleet, asked);
	if (!err)
		err = fleet->options.look(fleet->pg, deadline, fleet->options.arg);
	return err ? err : act(fleet, asked, deadline);
}

/* ---- a turn ---- */

static void came_through(struct fleet *fleet)
{
	if (fleet->away)
		log_notice("registrar", "the fleet's database answers again");
	fleet->away = false;
	atomic_store(&fleet->reaches, true);
	metric_set(&store_up, 1);
}

static void did_not(struct fleet *fleet, int err, mono_ms asked)
{
	if (!fleet->away)
		log_error("registrar", "the fleet's database (store.postgres): %s%s",
			  err == -ENOMEM ? "out of memory" : pg_error(fleet->pg),
			  pg_lacks_rights(fleet->pg)
				  ? ": grant this user the right to create schema breakout there"
				  : "");
	fleet->away = true;
	atomic_store(&fleet->reaches, false);
	metric_set(&store_up, 0);
	pg_drop(fleet->pg);
	pthread_mutex_lock(&fleet->lock);
	fleet->info.on = true;
	fleet->info.reachable = false;
	pthread_mutex_unlock(&fleet->lock);
	tell(fleet, news_create(FLEET_UNREACHABLE, asked));
}

static mono_ms patience(const struct fleet *fleet)
{
	mono_ms third = fleet->lease_ms / 3;

	return third < PATIENCE_MAX ? third : PATIENCE_MAX;
}

/* The registrar's thread must live for us to hold anything in its name. */
static bool registrar_lives(struct fleet *fleet, mono_ms now)
{
	bool stalled = now - atomic_load(&fleet->pulse) > fleet->lease_ms;

	if (stalled && !fleet->stalled)
		log_error("registrar", "the registrar's thread does not move: this node's shards "
				       "are left to the others");
	fleet->stalled = stalled;
	return !stalled;
}

static void take_orders(struct fleet *fleet)
{
	pthread_mutex_lock(&fleet->lock);
	fleet->self.wish = fleet->wish;
	fleet->leaving = fleet->ending;
	fleet->self.draining = fleet->drain || fleet->sick || fleet->cut_off || fleet->ending;
	pthread_mutex_unlock(&fleet->lock);
}

static void do_turn(struct fleet *fleet)
{
	mono_ms asked = clock_now(), deadline = asked + patience(fleet);
	int err;

	fleet->again = false;
	take_orders(fleet);
	if (!registrar_lives(fleet, asked))
		return;
	err = become_member(fleet, asked, deadline);
	if (!err)
		err = beat(fleet, asked, deadline);
	if (!err)
		atomic_store(&fleet->answered, asked);
	if (err == -ESTALE)
		on_put_out(fleet, asked);
	if (!err || err == -ESTALE || err == -EAGAIN || err == -EEXIST)
		came_through(fleet);
	else
		did_not(fleet, err, asked);
}

static bool is_ending(struct fleet *fleet)
{
	bool ending;

	pthread_mutex_lock(&fleet->lock);
	ending = fleet->ending;
	pthread_mutex_unlock(&fleet->lock);
	return ending;
}

static void say_goodbye(struct fleet *fleet)
{
	if (!atomic_load(&fleet->session) || !pg_connected(fleet->pg))
		return;
	/* Not heard, the others find out by the lease. */
	(void)!fleet_sql_leave(fleet->pg, &fleet->self, clock_now() + patience(fleet));
}

/* ---- while another process is about to join in our name ---- */

/* False: it has, or it does not come. */
static bool rest_turn(struct fleet *fleet, mono_ms now)
{
	if (!atomic_load(&fleet->session) || !pg_connected(fleet->pg))
		return true;
	return fleet_sql_beat(fleet->pg, &fleet->self, now + patience(fleet)) != -ESTALE;
}

/* Whether it rests, and if so, whether it goes on. */
static bool rests(struct fleet *fleet, mono_ms now, bool *ret_goes_on)
{
	bool resting;

	pthread_mutex_lock(&fleet->lock);
	resting = fleet->resting;
	*ret_goes_on = !fleet->ending && now < fleet->rest_until;
	pthread_mutex_unlock(&fleet->lock);
	if (resting && *ret_goes_on)
		*ret_goes_on = rest_turn(fleet, now);
	if (!resting || *ret_goes_on)
		return resting;
	pthread_mutex_lock(&fleet->lock);
	resting = fleet->resting; /* perhaps it goes on by now */
	fleet->over = resting;
	pthread_mutex_unlock(&fleet->lock);
	return resting;
}

bool fleet_turn(struct fleet *fleet, mono_ms *ret_next)
{
	mono_ms started = clock_now();
	bool last, goes_on;

	if (rests(fleet, started, &goes_on)) {
		*ret_next = started + fleet->lease_ms / BEATS;
		return goes_on;
	}
	last = is_ending(fleet);
	do_turn(fleet);
	*ret_next = fleet->again ? started : started + fleet->lease_ms / BEATS;
	if (last)
		say_goodbye(fleet);
	return !last;
}
