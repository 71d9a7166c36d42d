/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/fleet_watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/hash_siphash.h"
#include "registrar/fleet_sql.h"

#define PATIENCE_MS 3000

struct fleet_watch {
	struct pg *pg;
	bool ready; /* this connection: the tables are there */
	char place[FLEET_PLACE_ROOM];
	char member[LEASE_NAME_ROOM];
	const char *error; /* of ours; NULL: pg's counts */
};

static mono_ms soon(void)
{
	return clock_now() + PATIENCE_MS;
}

static int failed(struct fleet_watch *watch, int err)
{
	watch->error = err == -ENOMEM ? "out of memory" : NULL;
	return err == -EPROTO ? -EIO : err;
}

/* ---- create ---- */

/* machine-id(5); "": there is none, as in some containers. */
static void machine_id(char *text, size_t room)
{
	FILE *file = fopen("/etc/machine-id", "re");

	text[0] = '\0';
	if (!file)
		return;
	if (!fgets(text, (int)room, file))
		text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	fclose(file);
}

/* Copied disks share an id, containers a name: of both there is one. */
static void name_place(struct fleet_watch *watch, const struct config_postgres *config,
		       const char *socket)
{
	static const uint64_t key[2] = { 1, 0 }; /* the same at each start */
	char host[LEASE_NAME_ROOM] = "", id[64];

	(void)gethostname(host, sizeof(host) - 1); /* "": the other half will do */
	machine_id(id, sizeof(id));
	snprintf(watch->place, sizeof(watch->place), "%s %s %s", host, id, socket);
	snprintf(watch->member, sizeof(watch->member), "%.40s.watchdog.%08" PRIx32,
		 config->node ? config->node : host,
		 (uint32_t)siphash_2_4(key, watch->place, strlen(watch->place)));
}

int fleet_watch_create(struct fleet_watch **ret_watch, const struct config_postgres *config,
		       const char *socket)
{
	struct fleet_watch *watch = calloc(1, sizeof(*watch));
	int err;

	if (!watch)
		return -ENOMEM;
	err = pg_create(&watch->pg, config->conninfo, config->password_file);
	if (err) {
		free(watch);
		return err;
	}
	name_place(watch, config, socket);
	*ret_watch = watch;
	return 0;
}

struct fleet_watch *fleet_watch_destroy(struct fleet_watch *watch)
{
	if (!watch)
		return NULL;
	pg_destroy(watch->pg);
	free(watch);
	return NULL;
}

/* ---- the tables ---- */

static const char make_table[] =
	"SET LOCAL client_min_messages = warning;" /* others may make it, too */
	"SELECT pg_advisory_xact_lock(7367628);"
	"CREATE TABLE IF NOT EXISTS breakout.watchdog("
	" place text PRIMARY KEY, member text NOT NULL, node text, beat bigint NOT NULL,"
	" answers boolean NOT NULL);";

static int check_version(struct fleet_watch *watch)
{
	int version = 0, err = fleet_sql_version(watch->pg, soon(), &version);

	if (err)
		return failed(watch, err);
	if (version == FLEET_TABLES_VERSION)
		return 0;
	watch->error = "its tables are of another version than this program";
	return -EMEDIUMTYPE;
}

/* -ENOENT: there never was a fleet. What nodes make is not ours to make. */
static int make_ready(struct fleet_watch *watch)
{
	struct pg_rows *rows;
	bool fleet, ours;
	int err = pg_connected(watch->pg) ? 0 : pg_connect(watch->pg, soon());

	watch->error = NULL;
	if (err || watch->ready)
		return failed(watch, err);
	err = pg_exec(watch->pg,
		      "SELECT to_regclass('breakout.added_head') IS NOT NULL,"
		      " to_regclass('breakout.watchdog') IS NOT NULL",
		      NULL, 0, soon(), &rows);
	if (err)
		return failed(watch, err);
	fleet = pg_bool(rows, 0, 0);
	ours = pg_bool(rows, 0, 1);
	pg_rows_destroy(rows);
	if (!fleet)
		return -ENOENT;
	err = check_version(watch);
	if (!err && !ours)
		err = failed(watch, pg_script(watch->pg, make_table, soon()));
	watch->ready = !err;
	return err;
}

/* Anything at all has gone wrong: what we know of the tables may not hold either. */
static int ask(struct fleet_watch *watch, const char *statement, const char *const *params,
	       size_t count, struct pg_rows **ret_rows)
{
	int err = pg_exec(watch->pg, statement, params, count, soon(), ret_rows);

	watch->ready = watch->ready && !err;
	return failed(watch, err);
}

/* ---- looking ---- */

/* A node that answers here is seen at no other place any more. */
static const char report[] =
	"WITH moved AS (UPDATE breakout.watchdog SET node = NULL, answers = false"
	" WHERE node = $3 AND place <> $1)"
	" INSERT INTO breakout.watchdog AS w VALUES($1, $2, $3, $5::bigint, $4)"
	" ON CONFLICT (place) DO UPDATE SET member = $2, node = coalesce($3, w.node),"
	" beat = w.beat + $5::bigint, answers = $4";

/* Places that are no more stay: they come last, so that none of them hides a node. */
static const char look[] =
	"SELECT n.node, true, coalesce(n.session, 0), n.beat, coalesce(w.place, ''),"
	" coalesce(w.beat, 0), coalesce(w.answers, false) FROM breakout.node n"
	" LEFT JOIN breakout.watchdog w ON w.node = n.node"
	" WHERE n.node NOT IN (SELECT member FROM breakout.watchdog)"
	" UNION ALL SELECT coalesce(w.node, ''), false, 0, 0, w.place, w.beat, w.answers"
	" FROM breakout.watchdog w WHERE NOT EXISTS"
	" (SELECT 1 FROM breakout.node n WHERE n.node = w.node) ORDER BY 2 DESC, 7 DESC LIMIT 64";
_Static_assert(FLEET_SIGHTS == 64, "as the statement above says");

static void read_sight(const struct pg_rows *rows, size_t row, struct fleet_sight *ret_sight)
{
	snprintf(ret_sight->name, sizeof(ret_sight->name), "%s", pg_text(rows, row, 0));
	ret_sight->member = pg_bool(rows, row, 1);
	ret_sight->session = (uint64_t)pg_int(rows, row, 2);
	ret_sight->beat = (uint64_t)pg_int(rows, row, 3);
	snprintf(ret_sight->place, sizeof(ret_sight->place), "%s", pg_text(rows, row, 4));
	ret_sight->watch_beat = (uint64_t)pg_int(rows, row, 5);
	ret_sight->answers = pg_bool(rows, row, 6);
}

int fleet_watch_look(struct fleet_watch *watch, const struct fleet_seen *seen,
		     struct fleet_sights *ret_sights)
{
	const char *params[] = { watch->place, watch->member, seen->node, seen->answers ? "t" : "f",
				 seen->barred ? "0" : "1" };
	struct pg_rows *rows;
	int err = make_ready(watch);

	ret_sights->count = 0;
	if (err)
		return err == -ENOENT ? 0 : err;
	err = ask(watch, report, params, 5, NULL);
	if (!err)
		err = ask(watch, look, NULL, 0, &rows);
	if (err)
		return err;
	ret_sights->count = pg_row_count(rows);
	for (size_t i = 0; i < ret_sights->count; i++)
		read_sight(rows, i, &ret_sights->list[i]);
	pg_rows_destroy(rows);
	return 0;
}

/* ---- burying ---- */

#define RELEASE_DEAD FLEET_RELEASE("dead.node")

/* One statement: what becomes of the node and of what it had cannot part. What it writes
 * after all is fenced off, as the epochs have changed. */
static const char bury[] =
	"WITH dead AS (DELETE FROM breakout.node WHERE node = $1 AND coalesce(session, 0) = $2"
	" AND beat = $3 RETURNING node, session)"
	" UPDATE breakout.shard s SET"
	" node = CASE WHEN s.session = dead.session THEN NULL ELSE s.node END,"
	" clean = s.clean AND (s.session = dead.session) IS NOT TRUE,"
	" epoch = s.epoch + CASE WHEN s.session = dead.session THEN 1 ELSE 0 END,"
	" session = CASE WHEN s.session = dead.session THEN NULL ELSE s.session END,"
	" " RELEASE_DEAD " FROM dead"
	" WHERE s.session = dead.session OR dead.node = ANY(" FLEET_HOLDERS ")";

/* Those whom nobody has, and for whose sake they would be held has no node any more. */
static const char settle[] =
	"UPDATE breakout.shard SET hold_ms = 0, held_for = NULL, clean = clean OR $1::boolean"
	" WHERE session IS NULL AND (hold_ms > 0 OR NOT clean) AND NOT EXISTS"
	" (SELECT 1 FROM breakout.node n WHERE n.node = ANY(" FLEET_HOLDERS "))";

static int bury_one(struct fleet_watch *watch, const struct fleet_sight *dead)
{
	char session[PG_INT_ROOM], beat[PG_INT_ROOM];
	const char *params[] = { dead->name, pg_number(session, (int64_t)dead->session),
				 pg_number(beat, (int64_t)dead->beat) };

	return ask(watch, bury, params, 3, NULL);
}

int fleet_watch_bury(struct fleet_watch *watch, const struct fleet_sights *dead, bool settled)
{
	const char *params[] = { settled ? "t" : "f" };
	int err = make_ready(watch);

	for (size_t i = 0; !err && i < dead->count; i++)
		if (dead->list[i].member)
			err = bury_one(watch, &dead->list[i]);
	if (!err)
		err = ask(watch, settle, params, 1, NULL);
	return err == -ENOENT ? 0 : err;
}

/* ---- what is on file ---- */

static const char count_rows[] = "SELECT count(*) FROM (SELECT 1 FROM breakout.told"
				 " WHERE tenant = ANY($1::text[]) LIMIT 100000) t";

int fleet_watch_count(struct fleet_watch *watch, const struct config *config, size_t *ret_count)
{
	struct str tenants = { 0 };
	struct pg_rows *rows;
	int err = make_ready(watch);

	if (err == -ENOENT)
		*ret_count = 0;
	if (err)
		return err == -ENOENT ? 0 : err;
	pg_array_text(&tenants, ""); /* the default one, as keeper_tenant_key() has it */
	for (size_t i = 1; i < config_tenants(config); i++)
		pg_array_text(&tenants, config_tenant_name(config, i));
	pg_array_end(&tenants);
	err = tenants.failed
		      ? failed(watch, -ENOMEM)
		      : ask(watch, count_rows, (const char *const[]){ tenants.text }, 1, &rows);
	str_done(&tenants);
	if (err)
		return err;
	*ret_count = (size_t)pg_int(rows, 0, 0);
	pg_rows_destroy(rows);
	return 0;
}

const char *fleet_watch_member(const struct fleet_watch *watch)
{
	return watch->member;
}

const char *fleet_watch_place(const struct fleet_watch *watch)
{
	return watch->place;
}

const char *fleet_watch_error(const struct fleet_watch *watch)
{
	return watch->error ? watch->error : pg_error(watch->pg);
}
