/* SPDX-License-Identifier: Apache-2.0 */
/* database.c - the fleet's PostgreSQL: what fleet_sql.c's and store_postgres.c's
 * statements do is done here to tables in memory, each at one moment. How they get here:
 * link.c. */
#include "tests/simulate/database.h"

#include <stdlib.h>
#include <string.h>
#include "base/macros.h"

#define WRITERS 4096

struct db_node {
	char name[LEASE_NAME_ROOM];
	bool there, draining;
	uint64_t session, beat;
	struct lease_wish wish;
	mono_ms alone_ms, seen;
};

struct db_shard {
	char node[4];
	unsigned held_for; /* bits, of nodes */
	uint64_t session, epoch;
	bool clean;
	mono_ms hold_ms;
};

static struct db {
	bool made;
	uint64_t sessions; /* the sequence */
	struct lease_wish in_force;
	struct db_node nodes[NODES];
	struct db_shard shards[LEASE_SHARDS];
	struct writer {
		uint64_t session;
		int64_t token;
	} writers[WRITERS];
	size_t writer_count;
} db;

/* Its own: what is set on the nodes does not touch it. */
static wall_ms wall(void)
{
	return WALL_START + clock_now() + world.database_clock;
}

static struct db_node *find_node(const char *name)
{
	struct db_node *unused = NULL;

	for (size_t i = 0; i < NODES; i++) {
		if (db.nodes[i].there && !strcmp(db.nodes[i].name, name))
			return &db.nodes[i];
		if (!db.nodes[i].there)
			unused = &db.nodes[i];
	}
	if (unused)
		*unused = (struct db_node){ 0 };
	return unused;
}

static struct db_node *find_session(uint64_t session)
{
	for (size_t i = 0; i < NODES; i++)
		if (session && db.nodes[i].there && db.nodes[i].session == session)
			return &db.nodes[i];
	return NULL;
}

static void notify(void)
{
	for (unsigned i = 0; i < world.node_count; i++)
		if (world.nodes[i].keeper && world.database == WAY_OPEN &&
		    world.nodes[i].to_database == WAY_OPEN)
			member_notify(&world.nodes[i]);
}

static void drop_writer(uint64_t session)
{
	for (size_t i = 0; i < db.writer_count; i++)
		if (db.writers[i].session == session)
			db.writers[i--] = db.writers[--db.writer_count];
}

/* Of sessions that are over. */
static void drop_writers(void)
{
	for (size_t i = db.writer_count; i-- > 0;)
		if (!find_session(db.writers[i].session))
			drop_writer(db.writers[i].session);
}

static unsigned bit_of(const char *name)
{
	return 1u << (name[0] - 'A');
}

static void release(struct db_shard *shard, const char *name)
{
	shard->held_for &= ~bit_of(name);
	if (!shard->held_for)
		shard->hold_ms = 0;
}

static void set_free(struct db_shard *shard, bool clean)
{
	shard->session = 0;
	shard->node[0] = '\0';
	shard->epoch++;
	shard->clean = clean;
}

void database_join(struct statement *st)
{
	struct db_node *node = find_node(st->name);

	if (node->there && st->again && node->session && node->session != st->session &&
	    node->beat) {
		st->failed = true;
		return;
	}
	*node = (struct db_node){ .there = true,
				  .session = ++db.sessions,
				  .wish = st->wish,
				  .alone_ms = st->alone_ms,
				  .seen = clock_now() };
	strcpy(node->name, st->name);
	st->value = node->session;
	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		struct db_shard *shard = &db.shards[i];

		if (!strcmp(shard->node, st->name) && shard->session != node->session) {
			set_free(shard, false);
			release(shard, st->name);
		}
		if (shard->held_for & bit_of(st->name))
			release(shard, st->name);
	}
	drop_writers();
	notify();
}

void database_beat(struct statement *st)
{
	struct db_node *node = find_session(st->session);

	st->failed = !node;
	if (!node)
		return;
	node->beat++;
	node->draining = st->draining;
	node->wish = st->wish;
	node->seen = clock_now();
}

void database_look_nodes(struct statement *st)
{
	st->view->node_count = 0;
	for (size_t i = 0; i < NODES; i++) {
		const struct db_node *from = &db.nodes[i];
		struct lease_node *to = &st->view->nodes[st->view->node_count];

		if (!from->there)
			continue;
		*to = (struct lease_node){ .session = from->session,
					   .beat = from->beat,
					   .draining = from->draining,
					   .wish = from->wish,
					   .seen_ago = clock_now() - from->seen };
		strcpy(to->name, from->name);
		st->view->node_count++;
	}
}

void database_look_shards(struct statement *st)
{
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		st->view->shards[i] =
			(struct lease_shard){ db.shards[i].session, db.shards[i].epoch,
					      db.shards[i].hold_ms };
}

void database_look_fleet(struct statement *st)
{
	st->view->in_force = db.in_force;
}

void database_claim(struct statement *st)
{
	if (db.in_force.version < st->wish.version)
		db.in_force = st->wish;
}

void database_put_out(struct statement *st)
{
	struct db_node *node = find_node(st->name);

	if (!node->there || node->session != st->session || node->beat != st->beat)
		return;
	node->session = 0;
	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		struct db_shard *shard = &db.shards[i];

		/* Or it took this one at that very moment: an orphan. */
		if (shard->session != st->session || chance() < 0.02)
			continue;
		set_free(shard, false);
		if (node->alone_ms * 11 / 10 > shard->hold_ms)
			shard->hold_ms = node->alone_ms * 11 / 10;
		shard->held_for |= bit_of(node->name);
		st->value++;
	}
}

void database_free_orphans(struct statement *st)
{
	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		struct db_shard *shard = &db.shards[i];

		if (!shard->session || find_session(shard->session))
			continue;
		shard->held_for |= bit_of(shard->node);
		set_free(shard, false);
		if (lease_hold(st->alone_ms) > shard->hold_ms)
			shard->hold_ms = lease_hold(st->alone_ms);
	}
}

void database_take(struct statement *st)
{
	unsigned taken = 0;

	if (!find_session(st->session))
		return;
	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		struct db_shard *shard = &db.shards[i];

		if (!st->named[i] || shard->session || chance() < 0.05) /* SKIP LOCKED */
			continue;
		strcpy(shard->node, st->name);
		shard->session = st->session;
		shard->epoch++;
		taken++;
	}
	say("database: %s takes %u shards", st->name, taken);
}

void database_give(struct statement *st)
{
	unsigned given = 0;

	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		struct db_shard *shard = &db.shards[i];

		const struct fleet_gift *gift = &st->gifts[i];

		if (!gift->epoch || shard->session != st->session || shard->epoch != gift->epoch)
			continue;
		fleet_judge_given(st->name, i);
		set_free(shard, gift->clean);
		given++;
		shard->hold_ms = shard->held_for ? gift->hold_ms : 0;
		if (!gift->hold_ms)
			shard->held_for = 0;
	}
	say("database: %s gives %u shards", st->name, given);
	notify();
}

void database_abandon(struct statement *st)
{
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		if (db.shards[i].session == st->session)
			set_free(&db.shards[i], false);
}

void database_leave_writers(struct statement *st)
{
	drop_writer(st->session);
}

void database_leave_nodes(struct statement *st)
{
	struct db_node *node = find_session(st->session);

	if (node)
		node->there = false;
	notify();
}

void database_load_shards(struct statement *st)
{
	struct fleet_news *news = st->news;

	news->taken = calloc(LEASE_SHARDS, sizeof(*news->taken));
	if (!news->taken)
		abort();
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		if (st->named[i] && db.shards[i].session == st->session)
			news->taken[news->taken_count++] =
				(struct taken_shard){ .shard = i,
						      .epoch = db.shards[i].epoch,
						      .clean = db.shards[i].clean,
						      .hold_ms = db.shards[i].hold_ms };
}

static struct reg_params *params_of(struct fleet_news *news, terms told)
{
	struct reg_params *params;
	char uri[32];

	snprintf(uri, sizeof(uri), "sips:v%u.example", told / 8);
	for (size_t i = 0; i < news->params_count; i++)
		if (news->params[i]->route_type == (enum route_type)(told % 8) &&
		    !strcmp(news->params[i]->sip_uri, uri))
			return news->params[i];
	news->params = reallocarray(news->params, news->params_count + 1, sizeof(void *));
	params = calloc(1, sizeof(*params));
	if (!news->params || !params)
		abort();
	params->sip_uri = strdup(uri);
	params->prefix_mo = strdup("00");
	params->prefix_mt = strdup("");
	params->route_type = (enum route_type)(told % 8);
	return news->params[news->params_count++] = params;
}

void database_load_rows(struct statement *st)
{
	struct fleet_news *news = st->news;

	news->rows = calloc(world.count + 1, sizeof(*news->rows));
	if (!news->rows)
		abort();
	for (size_t i = 0; i < world.count; i++) {
		const struct number *number = &world.numbers[i];

		if (!number->stored || !st->named[lease_shard_of(phone_of(number))])
			continue;
		news->rows[news->row_count++] = (struct store_row){
			.number = phone_of(number),
			.params = params_of(news, number->stored),
			.tenant = core_of(number) ? tenant_name(core_of(number)) : "",
			.core = number->stored_core,
			.expires = (wall_ms)st->value + number->stored_until - wall(),
			.ttl_s = number->stored_ttl_s,
		};
	}
}

void database_take_token(struct statement *st)
{
	for (size_t i = 0; i < db.writer_count; i++)
		if (db.writers[i].session == st->session) {
			st->value = (uint64_t)++db.writers[i].token;
			return;
		}
	if (db.writer_count == WRITERS)
		abort();
	db.writers[db.writer_count++] = (struct writer){ st->session, 1 };
	st->value = 1;
}

static bool is_writer(const struct statement *st)
{
	for (size_t i = 0; i < db.writer_count; i++)
		if (db.writers[i].session == st->session)
			return db.writers[i].token == st->token;
	return false;
}

void database_write_rows(struct statement *st)
{
	st->ok = is_writer(st) && (!st->ahead || lease_wish_equal(&st->wish, &db.in_force));
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		st->ok = st->ok && (!st->epochs[i] || db.shards[i].epoch == st->epochs[i]);
	for (size_t i = 0; st->ok && i < st->row_count; i++) {
		struct number *number = &world.numbers[st->rows[i].number];

		if (number->stored != st->rows[i].told)
			number->stored_version = db.in_force.version;
		number->stored = st->rows[i].told;
		number->stored_core = st->rows[i].core;
		number->stored_ttl_s = st->rows[i].ttl_s;
		number->stored_until = wall() + st->rows[i].left;
	}
}

/* ---- begin and end; questions of the judge ---- */

void database_begin(void)
{
	memset(&db, 0, sizeof(db));
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		db.shards[i] = (struct db_shard){ .epoch = 1, .clean = true };
}

uint64_t database_owner(unsigned shard)
{
	return db.shards[shard].session;
}

uint64_t database_epochs(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		sum += db.shards[i].epoch;
	return sum;
}

enum place database_place(const char *name)
{
	for (size_t i = 0; i < NODES; i++)
		if (db.nodes[i].there && !strcmp(db.nodes[i].name, name))
			return db.nodes[i].session ? PLACE_MEMBER : PLACE_OUT;
	return PLACE_NONE;
}

void database_forget(const char *name)
{
	if (database_place(name) != PLACE_OUT)
		return;
	find_node(name)->there = false;
	for (unsigned i = 0; i < LEASE_SHARDS; i++)
		if (db.shards[i].held_for & bit_of(name))
			release(&db.shards[i], name);
	notify();
}

size_t database_writers(void)
{
	return db.writer_count;
}

mono_ms database_row_left(const struct number *number)
{
	mono_ms left = number->stored ? number->stored_until - wall() : 0;

	/* More than the TTL that it names is not believed. */
	return left > 0 && left <= (mono_ms)number->stored_ttl_s * SECOND ? left : 0;
}
