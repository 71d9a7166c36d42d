/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/fleet_sql.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/e164.h"

#define RELEASE_OURS   FLEET_RELEASE("$1::text")
#define HOLD_FOR_DEAD  FLEET_HOLD_FOR("dead.node")
#define HOLD_FOR_OWNER FLEET_HOLD_FOR("s.node")

/* A script is one transaction; the lock lets one node at a time make the tables. */
#define ONE_AT_A_TIME "SELECT pg_advisory_xact_lock(7367628);"
/* For what alters a table. Behind somebody who reads it for long (a dump) nothing waits: the
 * server would go on with that when we are gone, and let all nodes wait behind us. */
#define WAIT_SHORTLY "SET LOCAL lock_timeout = 500;"

static const char tables[] = ONE_AT_A_TIME
	"DO $$ BEGIN IF to_regnamespace('breakout') IS NULL THEN CREATE SCHEMA breakout;"
	" END IF; END $$;"
	"CREATE SEQUENCE IF NOT EXISTS breakout.session;"
	"CREATE TABLE IF NOT EXISTS breakout.fleet("
	" one boolean PRIMARY KEY DEFAULT true CHECK (one), tables integer NOT NULL,"
	" version bigint NOT NULL, digest bigint NOT NULL, set_by text NOT NULL);"
	"CREATE TABLE IF NOT EXISTS breakout.node("
	" node text PRIMARY KEY, session bigint, beat bigint NOT NULL,"
	" draining boolean NOT NULL, version bigint NOT NULL, digest bigint NOT NULL,"
	" alone_ms bigint NOT NULL, seen timestamptz NOT NULL);"
	"CREATE TABLE IF NOT EXISTS breakout.shard("
	" shard integer PRIMARY KEY, node text, session bigint, epoch bigint NOT NULL DEFAULT 1,"
	" clean boolean NOT NULL DEFAULT true, hold_ms bigint NOT NULL DEFAULT 0,"
	" held_for text);"
	"CREATE TABLE IF NOT EXISTS breakout.writer("
	" session bigint PRIMARY KEY, token bigint NOT NULL);"
	"CREATE TABLE IF NOT EXISTS breakout.told("
	" shard integer NOT NULL, number bigint NOT NULL, sip_uri text NOT NULL,"
	" prefix_mo text NOT NULL, prefix_mt text NOT NULL, route_type integer NOT NULL,"
	" expires_ms bigint NOT NULL, ttl_s bigint NOT NULL," /* tenant '': that of core.api */
	" tenant text NOT NULL, PRIMARY KEY (shard, number, tenant));"
	"CREATE SEQUENCE IF NOT EXISTS breakout.pause_serial;"
	"CREATE TABLE IF NOT EXISTS breakout.pause("
	" scope integer NOT NULL, what text NOT NULL, who text NOT NULL, why text NOT NULL,"
	" since_ms bigint NOT NULL, until_ms bigint NOT NULL, serial bigint NOT NULL,"
	" PRIMARY KEY (scope, what));"
	"CREATE SEQUENCE IF NOT EXISTS breakout.consent_serial;"
	"CREATE TABLE IF NOT EXISTS breakout.consent("
	" number bigint PRIMARY KEY, id text NOT NULL, given integer NOT NULL,"
	" at_ms bigint NOT NULL, seen_ms bigint NOT NULL, serial bigint NOT NULL);"
	"CREATE INDEX IF NOT EXISTS consent_by_serial ON breakout.consent(serial);"
	"CREATE TABLE IF NOT EXISTS breakout.consent_record("
	" written_ms bigint NOT NULL, number text NOT NULL, subscription text NOT NULL,"
	" what text NOT NULL, why text NOT NULL, event text NOT NULL, at_ms bigint NOT NULL);"
	"CREATE TABLE IF NOT EXISTS breakout.consent_reader("
	" one boolean PRIMARY KEY DEFAULT true CHECK (one), name text NOT NULL,"
	" epoch bigint NOT NULL DEFAULT 0, write bigint NOT NULL DEFAULT 0);"
	"INSERT INTO breakout.consent_reader(name) VALUES("
	" substr(md5(random()::text || clock_timestamp()::text), 1, 8)) ON CONFLICT DO NOTHING;"
	"CREATE TABLE IF NOT EXISTS breakout.added("
	" number bigint PRIMARY KEY, route_type integer NOT NULL, service text NOT NULL,"
	" tenant text NOT NULL, who text NOT NULL, since_ms bigint NOT NULL,"
	" given integer NOT NULL, serial bigint NOT NULL);"
	"CREATE INDEX IF NOT EXISTS added_by_serial ON breakout.added(serial, number);"
	"CREATE TABLE IF NOT EXISTS breakout.added_record("
	" written_ms bigint NOT NULL, number text NOT NULL, what text NOT NULL,"
	" route_type text NOT NULL, service text NOT NULL, tenant text NOT NULL,"
	" who text NOT NULL);"
	"CREATE TABLE IF NOT EXISTS breakout.added_head("
	" one boolean PRIMARY KEY DEFAULT true CHECK (one), serial bigint NOT NULL);"
	"INSERT INTO breakout.added_head(serial) VALUES(0) ON CONFLICT DO NOTHING;"
	"INSERT INTO breakout.shard(shard) SELECT generate_series(0, 255)"
	" ON CONFLICT DO NOTHING;"
	"INSERT INTO breakout.fleet(tables, version, digest, set_by) VALUES(3, 0, 0, '')"
	" ON CONFLICT DO NOTHING;";
_Static_assert(LEASE_SHARDS == 256, "the tables above have a row for each");

/* Before version 2 there was one core: nodes of then cannot write any more, they refresh. A
 * node from before version 3 would withdraw the numbers that were added while we run: it
 * is not let in any more. */
static const char migrate[] = WAIT_SHORTLY ONE_AT_A_TIME
	"DO $$ BEGIN IF (SELECT tables FROM breakout.fleet) = 1 THEN"
	" ALTER TABLE breakout.told ADD COLUMN tenant text NOT NULL DEFAULT '';"
	" ALTER TABLE breakout.told ALTER COLUMN tenant DROP DEFAULT;"
	" ALTER TABLE breakout.told DROP CONSTRAINT told_pkey,"
	" ADD PRIMARY KEY (shard, number, tenant);"
	" END IF;"
	" UPDATE breakout.fleet SET tables = 3 WHERE tables IN (1, 2); END $$;";

/* At which core, since there may be others: 0, not known. Nodes that do not know of it go on
 * beside those that do. */
static const char add_core[] = WAIT_SHORTLY ONE_AT_A_TIME
	"ALTER TABLE breakout.told ADD COLUMN IF NOT EXISTS core bigint NOT NULL DEFAULT 0;";

static int command(struct pg *pg, const char *statement, mono_ms deadline)
{
	return pg_exec(pg, statement, NULL, 0, deadline, NULL);
}

int fleet_sql_version(struct pg *pg, mono_ms deadline, int *ret_version)
{
	struct pg_rows *rows;
	int err = pg_exec(pg, "SELECT tables FROM breakout.fleet", NULL, 0, deadline, &rows);

	if (err)
		return err;
	*ret_version = pg_row_count(rows) ? (int)pg_int(rows, 0, 0) : 0;
	pg_rows_destroy(rows);
	return 0;
}

static int make_column(struct pg *pg, mono_ms deadline)
{
	struct pg_rows *rows;
	bool there;
	int err = pg_exec(pg,
			  "SELECT EXISTS (SELECT 1 FROM pg_attribute WHERE attname = 'core' AND"
			  " attrelid = 'breakout.told'::regclass)",
			  NULL, 0, deadline, &rows);

	if (err)
		return err;
	there = pg_bool(rows, 0, 0);
	pg_rows_destroy(rows);
	return there ? 0 : pg_script(pg, add_core, deadline);
}

int fleet_sql_prepare(struct pg *pg, mono_ms deadline, int *ret_version)
{
	struct pg_rows *rows;
	bool there;
	int err = pg_exec(pg, "SELECT to_regclass('breakout.added_head') IS NOT NULL", NULL, 0,
			  deadline, &rows);

	if (err)
		return err;
	there = pg_bool(rows, 0, 0);
	pg_rows_destroy(rows);
	if (!there)
		err = pg_script(pg, tables, deadline);
	if (!err)
		err = fleet_sql_version(pg, deadline, ret_version);
	if (!err && (*ret_version == 1 || *ret_version == 2)) {
		err = pg_script(pg, migrate, deadline);
		if (!err)
			err = fleet_sql_version(pg, deadline, ret_version);
	}
	if (!err && *ret_version == FLEET_TABLES_VERSION)
		err = make_column(pg, deadline);
	if (err)
		return err;
	return *ret_version == FLEET_TABLES_VERSION ? command(pg, "LISTEN breakout", deadline)
						    : -EMEDIUMTYPE;
}

/* ---- members ---- */

static const char join_first[] =
	"INSERT INTO breakout.node VALUES($1, nextval('breakout.session'), 0, false, $2, $3, $4,"
	" now()) ON CONFLICT (node) DO UPDATE SET session = EXCLUDED.session, beat = 0,"
	" draining = false, version = $2, digest = $3, alone_ms = $4, seen = now()"
	" RETURNING session";

/* Nobody but the session that was ours may have the name, or one that nobody knows of: it
 * has not beaten, so it owns nothing and never did. A join of ours whose answer was lost,
 * or that was carried out late, leaves such a one. */
static const char join_again[] =
	"INSERT INTO breakout.node AS n VALUES($1, nextval('breakout.session'), 0, false, $2, $3,"
	" $4, now()) ON CONFLICT (node) DO UPDATE SET session = EXCLUDED.session, beat = 0,"
	" draining = false, version = $2, digest = $3, alone_ms = $4, seen = now()"
	" WHERE n.session IS NULL OR n.session = $5 OR n.beat = 0 RETURNING session";

/* What the name had is free: a process that is over says nothing any more. */
static const char inherit[] =
	"UPDATE breakout.shard SET node = NULL, session = NULL, epoch = epoch + 1,"
	" clean = $3::boolean, " RELEASE_OURS " WHERE node = $1 AND session <> $2";
/* Nor does it repeat anything: what was held because of it is not any more. */
static const char lift[] =
	"UPDATE breakout.shard SET " RELEASE_OURS " WHERE $1::text = ANY(" FLEET_HOLDERS ")";

/* Those of sessions that are over. */
static const char drop_writers[] = "DELETE FROM breakout.writer w WHERE NOT EXISTS"
				   " (SELECT 1 FROM breakout.node n WHERE n.session = w.session)";

static int insert_node(struct pg *pg, const struct fleet_self *self, bool again, mono_ms deadline,
		       uint64_t *ret_session)
{
	char version[PG_INT_ROOM], digest[PG_INT_ROOM], alone[PG_INT_ROOM], session[PG_INT_ROOM];
	const char *params[] = { self->name, pg_number(version, self->wish.version),
				 pg_number(digest, (int64_t)self->wish.digest),
				 pg_number(alone, self->alone_ms),
				 pg_number(session, (int64_t)self->session) };
	struct pg_rows *rows;
	int err = pg_exec(pg, again ? join_again : join_first, params, again ? 5 : 4, deadline,
			  &rows);

	if (err)
		return err;
	if (pg_row_count(rows))
		*ret_session = (uint64_t)pg_int(rows, 0, 0);
	else
		err = -EEXIST;
	pg_rows_destroy(rows);
	return err;
}

int fleet_sql_join(struct pg *pg, const struct fleet_self *self, bool again, mono_ms deadline,
		   uint64_t *ret_session)
{
	char text[PG_INT_ROOM];
	const char *params[] = { self->name, text, self->trusts ? "t" : "f" };
	uint64_t session = 0;
	int err = command(pg, "BEGIN", deadline), end;

	if (err)
		return err;
	err = insert_node(pg, self, again, deadline, &session);
	pg_number(text, (int64_t)session);
	if (!err)
		err = pg_exec(pg, inherit, params, 3, deadline, NULL);
	if (!err)
		err = pg_exec(pg, lift, params, 1, deadline, NULL);
	if (!err)
		err = command(pg, drop_writers, deadline);
	if (!err)
		err = command(pg, "NOTIFY breakout", deadline);
	end = pg_connected(pg) ? command(pg, err ? "ROLLBACK" : "COMMIT", deadline) : 0;
	if (!err)
		err = end;
	if (!err)
		*ret_session = session;
	return err;
}

static const char beat[] =
	"UPDATE breakout.node SET beat = beat + 1, draining = $3, version = $4, digest = $5,"
	" seen = now() WHERE node = $1 AND session = $2";

int fleet_sql_beat(struct pg *pg, const struct fleet_self *self, mono_ms deadline)
{
	char session[PG_INT_ROOM], version[PG_INT_ROOM], digest[PG_INT_ROOM];
	const char *params[] = { self->name, pg_number(session, (int64_t)self->session),
				 self->draining ? "t" : "f", pg_number(version, self->wish.version),
				 pg_number(digest, (int64_t)self->wish.digest) };
	struct pg_rows *rows;
	int err = pg_exec(pg, beat, params, 5, deadline, &rows);

	if (err)
		return err;
	err = pg_affected(rows) ? 0 : -ESTALE;
	pg_rows_destroy(rows);
	return err;
}

/* What could not be handed over in good order, or was never heard of: what we said of
 * it last may be on its way yet. */
static const char abandon[] =
	"UPDATE breakout.shard SET node = NULL, session = NULL, epoch = epoch + 1, clean = false"
	" WHERE session = $1";

int fleet_sql_leave(struct pg *pg, const struct fleet_self *self, mono_ms deadline)
{
	char session[PG_INT_ROOM];
	const char *params[] = { pg_number(session, (int64_t)self->session) };
	int err = pg_exec(pg, abandon, params, 1, deadline, NULL);

	if (!err)
		err = pg_exec(pg, "DELETE FROM breakout.writer WHERE session = $1", params, 1,
			      deadline, NULL);
	if (!err)
		err = pg_exec(pg, "DELETE FROM breakout.node WHERE session = $1", params, 1,
			      deadline, NULL);
	return err ? err : command(pg, "NOTIFY breakout", deadline);
}

/* ---- looking ---- */

static const char select_nodes[] =
	"SELECT node, coalesce(session, 0), beat, draining, version, digest,"
	" (extract(epoch from clock_timestamp() - seen) * 1000)::bigint"
	" FROM breakout.node ORDER BY session IS NULL, node LIMIT 32";
_Static_assert(LEASE_NODES == 32, "as the statement above says");

static int look_at_nodes(struct pg *pg, struct lease_view *view, mono_ms deadline)
{
	struct pg_rows *rows;
	int err = pg_exec(pg, select_nodes, NULL, 0, deadline, &rows);

	if (err)
		return err;
	view->node_count = pg_row_count(rows);
	for (size_t i = 0; i < view->node_count; i++) {
		struct lease_node *node = &view->nodes[i];

		snprintf(node->name, sizeof(node->name), "%s", pg_text(rows, i, 0));
		node->session = (uint64_t)pg_int(rows, i, 1);
		node->beat = (uint64_t)pg_int(rows, i, 2);
		node->draining = pg_bool(rows, i, 3);
		node->wish.version = pg_int(rows, i, 4);
		node->wish.digest = (uint64_t)pg_int(rows, i, 5);
		node->seen_ago = pg_int(rows, i, 6);
	}
	pg_rows_destroy(rows);
	return 0;
}

int fleet_sql_look(struct pg *pg, struct lease_view *ret_view, mono_ms deadline)
{
	struct pg_rows *rows;
	int err = look_at_nodes(pg, ret_view, deadline);

	if (!err)
		err = pg_exec(pg,
			      "SELECT shard, coalesce(session, 0), epoch, hold_ms FROM"
			      " breakout.shard WHERE shard BETWEEN 0 AND 255",
			      NULL, 0, deadline, &rows);
	if (err)
		return err;
	for (size_t i = 0; i < pg_row_count(rows); i++)
		ret_view->shards[pg_int(rows, i, 0)] =
			(struct lease_shard){ .session = (uint64_t)pg_int(rows, i, 1),
					      .epoch = (uint64_t)pg_int(rows, i, 2),
					      .hold_ms = pg_int(rows, i, 3) };
	pg_rows_destroy(rows);
	err = pg_exec(pg, "SELECT version, digest FROM breakout.fleet", NULL, 0, deadline, &rows);
	if (err)
		return err;
	if (pg_row_count(rows))
		ret_view->in_force =
			(struct lease_wish){ pg_int(rows, 0, 0), (uint64_t)pg_int(rows, 0, 1) };
	pg_rows_destroy(rows);
	return 0;
}

int fleet_sql_claim(struct pg *pg, const struct fleet_self *self, mono_ms deadline)
{
	char version[PG_INT_ROOM], digest[PG_INT_ROOM];
	const char *params[] = { pg_number(version, self->wish.version),
				 pg_number(digest, (int64_t)self->wish.digest), self->name };

	return pg_exec(pg,
		       "UPDATE breakout.fleet SET version = $1, digest = $2, set_by = $3"
		       " WHERE version < $1",
		       params, 3, deadline, NULL);
}

/* ---- changing hands ---- */

/* One statement: who is put out and what becomes of its shards cannot part. A shard
 * it takes at this very moment is left to fleet_sql_free_orphans(). */
static const char put_out[] =
	"WITH dead AS (UPDATE breakout.node SET session = NULL WHERE node = $1 AND session = $2"
	" AND beat = $3 RETURNING node, alone_ms)"
	" UPDATE breakout.shard s SET node = NULL, session = NULL, epoch = epoch + 1,"
	" clean = false, hold_ms = greatest(hold_ms, dead.alone_ms * 11 / 10),"
	" " HOLD_FOR_DEAD " FROM dead WHERE s.session = $2";

int fleet_sql_put_out(struct pg *pg, const struct lease_node *node, mono_ms deadline,
		      size_t *ret_shards)
{
	char session[PG_INT_ROOM], beat_text[PG_INT_ROOM];
	const char *params[] = { node->name, pg_number(session, (int64_t)node->session),
				 pg_number(beat_text, (int64_t)node->beat) };
	struct pg_rows *rows;
	int err = pg_exec(pg, put_out, params, 3, deadline, &rows);

	if (err)
		return err;
	*ret_shards = pg_affected(rows);
	pg_rows_destroy(rows);
	return 0;
}

static const char free_orphans[] =
	"UPDATE breakout.shard s SET node = NULL, session = NULL, epoch = epoch + 1,"
	" clean = false, hold_ms = greatest(hold_ms, $1), " HOLD_FOR_OWNER
	" WHERE session IS NOT NULL AND NOT EXISTS"
	" (SELECT 1 FROM breakout.node n WHERE n.session = s.session)";

int fleet_sql_free_orphans(struct pg *pg, const struct fleet_self *self, mono_ms deadline)
{
	char hold[PG_INT_ROOM];
	const char *params[] = { pg_number(hold, lease_hold(self->alone_ms)) };

	return pg_exec(pg, free_orphans, params, 1, deadline, NULL);
}

static const char take[] =
	"WITH me AS (SELECT session FROM breakout.node WHERE node = $1 AND session = $2 FOR SHARE),"
	" free AS (SELECT shard FROM breakout.shard WHERE session IS NULL AND"
	" shard = ANY($3::integer[]) ORDER BY shard FOR UPDATE SKIP LOCKED)"
	" UPDATE breakout.shard s SET node = $1, session = me.session, epoch = epoch + 1"
	" FROM me, free WHERE s.shard = free.shard";

int fleet_sql_take(struct pg *pg, const struct fleet_self *self, const unsigned *shards,
		   size_t count, mono_ms deadline)
{
	struct str list = { 0 };
	char session[PG_INT_ROOM];
	const char *params[] = { self->name, pg_number(session, (int64_t)self->session), NULL };
	int err = -ENOMEM;

	for (size_t i = 0; i < count; i++)
		pg_array_int(&list, shards[i]);
	pg_array_end(&list);
	params[2] = list.text;
	if (!list.failed)
		err = pg_exec(pg, take, params, 3, deadline, NULL);
	str_done(&list);
	return err;
}

static const char give[] =
	"UPDATE breakout.shard s SET node = NULL, session = NULL, epoch = s.epoch + 1,"
	" clean = g.clean <> 0, hold_ms = CASE WHEN held_for IS NULL THEN 0 ELSE g.hold END,"
	" held_for = CASE WHEN g.hold > 0 THEN held_for END"
	" FROM unnest($2::integer[], $3::bigint[], $4::bigint[], $5::integer[])"
	" AS g(shard, epoch, hold, clean)"
	" WHERE s.session = $1 AND s.shard = g.shard AND s.epoch = g.epoch";

int fleet_sql_give(struct pg *pg, const struct fleet_self *self, const struct fleet_gift *gifts,
		   mono_ms deadline)
{
	struct str shard = { 0 }, epoch = { 0 }, hold = { 0 }, clean = { 0 };
	char session[PG_INT_ROOM];
	const char *params[] = { pg_number(session, (int64_t)self->session), NULL, NULL, NULL,
				 NULL };
	int err = -ENOMEM;

	for (unsigned i = 0; i < LEASE_SHARDS; i++) {
		if (!gifts[i].epoch)
			continue;
		pg_array_int(&shard, i);
		pg_array_int(&epoch, (int64_t)gifts[i].epoch);
		pg_array_int(&hold, gifts[i].hold_ms);
		pg_array_int(&clean, gifts[i].clean);
	}
	pg_array_end(&shard);
	pg_array_end(&epoch);
	pg_array_end(&hold);
	pg_array_end(&clean);
	params[1] = shard.text;
	params[2] = epoch.text;
	params[3] = hold.text;
	params[4] = clean.text;
	if (!shard.failed && !epoch.failed && !hold.failed && !clean.failed)
		err = pg_exec(pg, give, params, 5, deadline, NULL);
	str_done(&shard);
	str_done(&epoch);
	str_done(&hold);
	str_done(&clean);
	return err ? err : command(pg, "NOTIFY breakout", deadline);
}

/* ---- rows ---- */

static bool same_params(const struct reg_params *a, const struct pg_rows *rows, size_t row)
{
	return a->route_type == (enum route_type)pg_int(rows, row, 4) &&
	       !strcmp(a->sip_uri, pg_text(rows, row, 1)) &&
	       !strcmp(a->prefix_mo, pg_text(rows, row, 2)) &&
	       !strcmp(a->prefix_mt, pg_text(rows, row, 3));
}

/* The one a row has: most have the same as their neighbour. */
static struct reg_params *params_of(struct fleet_news *news, const struct pg_rows *rows, size_t row)
{
	struct reg_params **all, *params;

	for (size_t i = news->params_count; i-- > 0;)
		if (same_params(news->params[i], rows, row))
			return news->params[i];
	all = reallocarray(news->params, news->params_count + 1, sizeof(struct reg_params *));
	if (!all)
		return NULL;
	news->params = all;
	params = calloc(1, sizeof(*params));
	if (!params)
		return NULL;
	all[news->params_count++] = params;
	params->sip_uri = strdup(pg_text(rows, row, 1));
	params->prefix_mo = strdup(pg_text(rows, row, 2));
	params->prefix_mt = strdup(pg_text(rows, row, 3));
	params->route_type = (enum route_type)pg_int(rows, row, 4);
	return params->sip_uri && params->prefix_mo && params->prefix_mt ? params : NULL;
}

/* The name a row has, kept once. */
static const char *tenant_of(struct fleet_news *news, const char *name)
{
	char **all;

	for (size_t i = 0; i < news->tenant_count; i++)
		if (!strcmp(news->tenants[i], name))
			return news->tenants[i];
	all = reallocarray(news->tenants, news->tenant_count + 1, sizeof(*all));
	if (!all)
		return NULL;
	news->tenants = all;
	all[news->tenant_count] = strdup(name);
	return all[news->tenant_count] ? all[news->tenant_count++] : NULL;
}

static int add_row(struct fleet_news *news, const struct pg_rows *rows, size_t row, mono_ms asked)
{
	struct store_row *to = &news->rows[news->row_count];
	int64_t route_type = pg_int(rows, row, 4), ttl_s = pg_int(rows, row, 6);

	to->number = (uint64_t)pg_int(rows, row, 0);
	if (!e164_packed(to->number) || route_type <= ROUTE_TYPE_NONE ||
	    route_type >= ROUTE_TYPE_COUNT)
		return 0; /* nothing we wrote; the configuration says what is wanted */
	to->params = params_of(news, rows, row);
	to->tenant = tenant_of(news, pg_text(rows, row, 7));
	if (!to->params || !to->tenant)
		return -ENOMEM;
	to->expires = asked + pg_int(rows, row, 5);
	to->core = (uint64_t)pg_int(rows, row, 8);
	to->ttl_s = ttl_s > 0 && ttl_s <= REG_TTL_MAX_S ? (uint32_t)ttl_s : 0;
	news->row_count++;
	return 0;
}

/* How long each has to live, by the database's own clock: it wrote the time down. */
static const char select_rows[] =
	"SELECT number, sip_uri, prefix_mo, prefix_mt, route_type, greatest(expires_ms, 0) -"
	" (extract(epoch from clock_timestamp()) * 1000)::bigint, ttl_s, tenant, core"
	" FROM breakout.told WHERE shard = ANY($1::integer[])";

static int load_rows(struct pg *pg, const char *list, mono_ms deadline, struct fleet_news *news)
{
	mono_ms asked = clock_now();
	struct pg_rows *rows;
	int err = pg_exec(pg, select_rows, &list, 1, deadline, &rows);

	if (err)
		return err;
	news->rows = calloc(pg_row_count(rows) + 1, sizeof(*news->rows));
	if (!news->rows)
		err = -ENOMEM;
	for (size_t i = 0; !err && i < pg_row_count(rows); i++)
		err = add_row(news, rows, i, asked);
	pg_rows_destroy(rows);
	return err;
}

static int load_shards(struct pg *pg, const struct fleet_self *self, const char *list,
		       mono_ms deadline, struct fleet_news *news)
{
	char session[PG_INT_ROOM];
	const char *params[] = { list, pg_number(session, (int64_t)self->session) };
	struct pg_rows *rows;
	int err = pg_exec(pg,
			  "SELECT shard, epoch, clean, hold_ms FROM breakout.shard"
			  " WHERE shard = ANY($1::integer[]) AND session = $2",
			  params, 2, deadline, &rows);

	if (err)
		return err;
	news->taken = calloc(pg_row_count(rows) + 1, sizeof(*news->taken));
	for (size_t i = 0; news->taken && i < pg_row_count(rows); i++)
		news->taken[news->taken_count++] =
			(struct taken_shard){ .shard = (unsigned)pg_int(rows, i, 0),
					      .epoch = (uint64_t)pg_int(rows, i, 1),
					      .clean = pg_bool(rows, i, 2),
					      .hold_ms = pg_int(rows, i, 3) };
	pg_rows_destroy(rows);
	return news->taken ? 0 : -ENOMEM;
}

int fleet_sql_load(struct pg *pg, const struct fleet_self *self, const unsigned *shards,
		   size_t count, mono_ms deadline, struct fleet_news *news)
{
	struct str list = { 0 };
	int err = -ENOMEM;

	for (size_t i = 0; i < count; i++)
		pg_array_int(&list, shards[i]);
	pg_array_end(&list);
	if (!list.failed)
		err = load_shards(pg, self, list.text, deadline, news);
	if (!err)
		err = load_rows(pg, list.text, deadline, news);
	str_done(&list);
	return err;
}
