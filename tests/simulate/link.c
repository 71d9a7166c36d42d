/* SPDX-License-Identifier: Apache-2.0 */
/* link.c - the links of a fleet's nodes to their database, under the doors of fleet_sql.h
 * and postgres.h. A statement is slow on its way there and back, or gets lost; whether
 * one that got no answer was carried out is not known, and it may arrive later. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/macros.h"
#include "registrar/fleet_sql.h"
#include "sql/postgres.h"
#include "tests/simulate/database.h"

#define LATE 256

struct pg {
	struct node *node;
	bool connected;
};

static struct statement late[LATE]; /* given up, and still on their way */

static void statement_init(struct statement *statement, const struct fleet_self *self,
			   void (*carry_out)(struct statement *statement))
{
	memset(statement, 0, sizeof(*statement));
	statement->carry_out = carry_out;
	snprintf(statement->name, sizeof(statement->name), "%.3s", self->name);
	statement->session = self->session;
	statement->wish = self->wish;
	statement->alone_ms = self->alone_ms;
	statement->draining = self->draining;
}

/* ---- on the way ---- */

static enum way way_to(const struct node *node)
{
	return node->to_database != WAY_OPEN ? node->to_database : world.database;
}

static mono_ms travel(void)
{
	mono_ms slow = world.database_slow;

	return slow ? between(1, slow) : between(1, 4);
}

/* No answer: the link waits for it until the deadline, unless it breaks. */
static int give_up(struct pg *pg, enum way way, mono_ms deadline)
{
	pg->connected = false;
	if (way != WAY_REFUSED)
		(void)!member_sleep(pg->node, deadline);
	return -EIO;
}

static void comes_late(const struct statement *st)
{
	static uint32_t next;
	struct statement *copy = &late[next++ % LATE];

	/* Questions change nothing; what another process would do is not ours to undo. */
	if (st->view || st->news || chance() < 0.5) {
		free(st->rows);
		return;
	}
	free(copy->rows);
	*copy = *st;
	world_event(between(10, 30 * SECOND), EVENT_LATE, (uint32_t)(copy - late));
}

static struct node *sender_of(const struct statement *st)
{
	return node_at((uint32_t)(st->name[0] - 'A'));
}

/* Its sender has gone on. */
static void judge_overtaken(const struct statement *st)
{
	const struct node *node = sender_of(st);

	if (node->written > st->serial)
		fail("%s's write %llu counts after its write %llu", st->name,
		     (unsigned long long)st->serial, (unsigned long long)node->written);
}

void link_late(uint32_t index)
{
	struct statement *st = &late[index];

	if (!st->carry_out)
		return;
	if (world.database != WAY_OPEN) { /* the server is down, its connections are gone */
		st->carry_out = NULL;
		return;
	}
	say("a statement of %s's comes late", st->name);
	st->carry_out(st);
	if (st->carry_out == database_write_rows && st->ok)
		judge_overtaken(st);
	if ((st->carry_out == database_beat || st->carry_out == database_join) && !st->failed)
		sender_of(st)->life_late = clock_now();
	st->carry_out = NULL;
}

/* 0, or -EIO: whether it was carried out is not known. Takes the rows. */
static int send_statement(struct pg *pg, struct statement *st, mono_ms deadline)
{
	struct node *node = pg->node;
	enum way way = way_to(node);

	if (!pg->connected || !take_effect(node)) {
		pg->connected = false;
		free(st->rows);
		return -EIO;
	}
	if (!member_sleep(node, clock_now() + travel()) || way != WAY_OPEN ||
	    way_to(node) != WAY_OPEN) {
		comes_late(st);
		st->rows = NULL;
		return give_up(pg, way_to(node), deadline);
	}
	if (clock_now() >= deadline) {
		comes_late(st);
		return give_up(pg, WAY_REFUSED, deadline);
	}
	st->carry_out(st);
	free(st->rows);
	st->rows = NULL;
	if (!member_sleep(node, clock_now() + travel()) || way_to(node) != WAY_OPEN)
		return give_up(pg, way_to(node), deadline);
	/* Who was stopped meanwhile finds the answer, or its deadline over. */
	if (clock_now() > deadline && chance() < 0.5)
		return give_up(pg, WAY_REFUSED, deadline);
	return 0;
}

/* ---- fleet_sql.h ---- */

int fleet_sql_prepare(struct pg *pg, mono_ms deadline, int *ret_version)
{
	if (!member_sleep(pg->node, clock_now() + travel()) || way_to(pg->node) != WAY_OPEN)
		return give_up(pg, way_to(pg->node), deadline);
	*ret_version = 1;
	return 0;
}

int fleet_sql_join(struct pg *pg, const struct fleet_self *self, bool again, mono_ms deadline,
		   uint64_t *ret_session)
{
	struct statement st;
	int err;

	fleet_judge_joins(pg->node);
	statement_init(&st, self, database_join);
	st.again = again;
	err = send_statement(pg, &st, deadline);
	if (err || st.failed)
		return err ? err : -EEXIST;
	*ret_session = st.value;
	return 0;
}

int fleet_sql_beat(struct pg *pg, const struct fleet_self *self, mono_ms deadline)
{
	struct statement st;
	int err;

	statement_init(&st, self, database_beat);
	err = send_statement(pg, &st, deadline);
	return err ? err : st.failed ? -ESTALE : 0;
}

int fleet_sql_look(struct pg *pg, struct lease_view *ret_view, mono_ms deadline)
{
	static const struct fleet_self nobody = { .name = "" };
	void (*const parts[])(struct statement *) = { database_look_nodes, database_look_shards,
						      database_look_fleet };
	struct statement st;
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(parts); i++) {
		statement_init(&st, &nobody, parts[i]);
		st.view = ret_view;
		err = send_statement(pg, &st, deadline);
	}
	return err;
}

int fleet_sql_claim(struct pg *pg, const struct fleet_self *self, mono_ms deadline)
{
	struct statement st;

	statement_init(&st, self, database_claim);
	return send_statement(pg, &st, deadline);
}

int fleet_sql_put_out(struct pg *pg, const struct lease_node *node, mono_ms deadline,
		      size_t *ret_shards)
{
	struct fleet_self other = { .name = node->name, .session = node->session };
	struct statement st;
	int err;

	statement_init(&st, &other, database_put_out);
	st.beat = node->beat;
	err = send_statement(pg, &st, deadline);
	*ret_shards = st.value;
	return err;
}

int fleet_sql_free_orphans(struct pg *pg, const struct fleet_self *self, mono_ms deadline)
{
	struct statement st;

	statement_init(&st, self, database_free_orphans);
	return send_statement(pg, &st, deadline);
}

static void name_shards(struct statement *st, const unsigned *shards, size_t count)
{
	for (size_t i = 0; i < count; i++)
		st->named[shards[i]] = true;
}

int fleet_sql_take(struct pg *pg, const struct fleet_self *self, const unsigned *shards,
		   size_t count, mono_ms deadline)
{
	struct statement st;

	statement_init(&st, self, database_take);
	name_shards(&st, shards, count);
	return send_statement(pg, &st, deadline);
}

int fleet_sql_give(struct pg *pg, const struct fleet_self *self, const struct fleet_gift *gifts,
		   mono_ms deadline)
{
	struct statement st;

	statement_init(&st, self, database_give);
	memcpy(st.gifts, gifts, sizeof(st.gifts));
	return send_statement(pg, &st, deadline);
}

int fleet_sql_load(struct pg *pg, const struct fleet_self *self, const unsigned *shards,
		   size_t count, mono_ms deadline, struct fleet_news *news)
{
	void (*const parts[])(struct statement *) = { database_load_shards, database_load_rows };
	struct statement st;
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(parts); i++) {
		statement_init(&st, self, parts[i]);
		name_shards(&st, shards, count);
		st.news = news;
		st.value = (uint64_t)clock_now();
		err = send_statement(pg, &st, deadline);
	}
	return err;
}

int fleet_sql_leave(struct pg *pg, const struct fleet_self *self, mono_ms deadline)
{
	void (*const parts[])(struct statement *) = { database_abandon, database_leave_writers,
						      database_leave_nodes };
	struct statement st;
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(parts); i++) {
		statement_init(&st, self, parts[i]);
		err = send_statement(pg, &st, deadline);
	}
	return err;
}

/* ---- postgres.h: the link, and store_postgres.c's two statements ---- */

struct pg_rows {
	int64_t value;
};

int pg_check(const char *conninfo, char *ret_error, size_t room)
{
	(void)conninfo, (void)ret_error, (void)room;
	return 0;
}

int pg_create(struct pg **ret_pg, const char *conninfo, const char *password_file)
{
	(void)password_file;
	*ret_pg = calloc(1, sizeof(**ret_pg));
	if (!*ret_pg)
		abort();
	for (unsigned i = 0; i < world.node_count; i++)
		if (!strcmp(world.nodes[i].name, conninfo))
			(*ret_pg)->node = &world.nodes[i];
	return 0;
}

struct pg *pg_destroy(struct pg *pg)
{
	free(pg);
	return NULL;
}

int pg_connect(struct pg *pg, mono_ms deadline)
{
	if (pg->node->frozen)
		return -EIO;
	if (way_to(pg->node) != WAY_OPEN)
		return give_up(pg, way_to(pg->node), deadline);
	if (!member_sleep(pg->node, clock_now() + 2 * travel()) || way_to(pg->node) != WAY_OPEN ||
	    clock_now() > deadline)
		return give_up(pg, WAY_REFUSED, deadline);
	pg->connected = true;
	return 0;
}

bool pg_connected(const struct pg *pg)
{
	return pg->connected;
}

void pg_drop(struct pg *pg)
{
	pg->connected = false;
}

int pg_fd(const struct pg *pg)
{
	(void)pg;
	return -1;
}

bool pg_notified(struct pg *pg)
{
	(void)pg;
	return false;
}

const char *pg_error(const struct pg *pg)
{
	(void)pg;
	return "no answer";
}

bool pg_lacks_rights(const struct pg *pg)
{
	(void)pg;
	return false;
}

int pg_script(struct pg *pg, const char *statements, mono_ms deadline)
{
	(void)pg, (void)statements, (void)deadline;
	abort();
}

static int64_t next_int(const char **list)
{
	char *end;
	long long value = strtoll(*list, &end, 10);

	*list = end + (*end == ',');
	return value;
}

/* Of the tenant that the next item names, which is quoted. */
static size_t next_places(const char **list)
{
	char name[16] = "";
	const char *end = strchr(*list + 1, '"');

	memcpy(name, *list + 1, (size_t)(end - *list - 1));
	*list = end + 1 + (end[1] == ',');
	return daemon_tenant(name) * phones();
}

static const char *items(const char *array)
{
	return array + 1; /* { */
}

/* As it stands in write_rows of store_postgres.c: shards, epochs, session, token,
 * version, digest; shard, number, URI, prefixes, type, time left, TTL and tenant of each
 * row to put; shard, number and tenant of those to forget; core of each row to put. */
static void read_write(struct statement *st, const char *const *params)
{
	const char *shards = items(params[0]), *epochs = items(params[1]);
	const char *numbers = items(params[7]), *uris = items(params[8]),
		   *types = items(params[11]);
	const char *left = items(params[12]), *ttls = items(params[13]);
	const char *tenants = items(params[14]), *cores = items(params[18]);
	const char *gone = items(params[16]), *gone_tenants = items(params[17]);

	st->rows = calloc(world.count + 1, sizeof(*st->rows));
	if (!st->rows)
		abort();
	while (*shards != '}' && *shards)
		st->epochs[next_int(&shards)] = (uint64_t)next_int(&epochs);
	while (*numbers != '}' && *numbers) {
		struct row *row = &st->rows[st->row_count++];

		uris = strstr(uris, "sips:v") + strlen("sips:v");
		row->number = (unsigned)(next_int(&numbers) - FIRST_NUMBER);
		row->number += (unsigned)next_places(&tenants);
		row->core = (uint64_t)next_int(&cores);
		row->told = (terms)strtoul(uris, NULL, 10) * 8 + (terms)next_int(&types);
		row->left = next_int(&left);
		row->ttl_s = (uint32_t)next_int(&ttls);
	}
	while (*gone != '}' && *gone)
		st->rows[st->row_count++].number = (unsigned)(next_int(&gone) - FIRST_NUMBER) +
						   (unsigned)next_places(&gone_tenants);
	st->token = strtoll(params[3], NULL, 10);
	st->ahead = params[4] != NULL;
	if (st->ahead)
		st->wish = (struct lease_wish){ strtoll(params[4], NULL, 10),
						(uint64_t)strtoll(params[5], NULL, 10) };
}

int pg_exec(struct pg *pg, const char *statement, const char *const *params, size_t count,
	    mono_ms deadline, struct pg_rows **ret_rows)
{
	struct fleet_self self = { .name = pg->node->name };
	bool writes = count > 1;
	struct statement st;
	int err;

	(void)statement;
	statement_init(&st, &self, writes ? database_write_rows : database_take_token);
	st.session = strtoull(params[writes ? 2 : 0], NULL, 10);
	if (writes) {
		read_write(&st, params);
		st.serial = ++pg->node->writes;
	}
	err = send_statement(pg, &st, deadline);
	if (err)
		return err;
	if (writes && st.ok)
		pg->node->written = st.serial;
	*ret_rows = calloc(1, sizeof(**ret_rows));
	if (!*ret_rows)
		abort();
	(*ret_rows)->value = writes ? st.ok : (int64_t)st.value;
	return 0;
}

size_t pg_row_count(const struct pg_rows *rows)
{
	(void)rows;
	return 1;
}

const char *pg_text(const struct pg_rows *rows, size_t row, size_t column)
{
	(void)rows, (void)row, (void)column;
	abort();
}

size_t pg_affected(const struct pg_rows *rows)
{
	(void)rows;
	abort();
}

int64_t pg_int(const struct pg_rows *rows, size_t row, size_t column)
{
	(void)row, (void)column;
	return rows->value;
}

bool pg_bool(const struct pg_rows *rows, size_t row, size_t column)
{
	(void)row, (void)column;
	return rows->value != 0;
}

struct pg_rows *pg_rows_destroy(struct pg_rows *rows)
{
	free(rows);
	return NULL;
}

/* ---- begin and end ---- */

void link_done(void)
{
	for (size_t i = 0; i < LATE; i++) {
		free(late[i].rows);
		late[i] = (struct statement){ 0 };
	}
}
