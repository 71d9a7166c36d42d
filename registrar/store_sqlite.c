/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"
#include "sql/sqlite.h"

#define SCHEMA_VERSION 4
#define BUSY_MS        2000
#define MANY           1000 /* rows in a transaction */

/* WAL with synchronous=NORMAL: a commit survives kill -9 at any moment; power
 * loss may take the last ones, never the file. A lost row costs one upsert or
 * one delete more than needed, so no commit waits for the disk.
 * https://www.sqlite.org/pragma.html#pragma_synchronous */
static const char setup[] = "PRAGMA journal_mode=WAL;"
			    "PRAGMA synchronous=NORMAL;"
			    "PRAGMA foreign_keys=ON;";

static const char schema[] =
	"BEGIN IMMEDIATE;"
	"%s"
	"CREATE TABLE IF NOT EXISTS params("
	" id INTEGER PRIMARY KEY, sip_uri TEXT NOT NULL, prefix_mo TEXT NOT NULL,"
	" prefix_mt TEXT NOT NULL, route_type INTEGER NOT NULL,"
	" UNIQUE(sip_uri, prefix_mo, prefix_mt, route_type));"
	"CREATE TABLE IF NOT EXISTS told("
	" number INTEGER NOT NULL, tenant TEXT NOT NULL," /* '': that of core.api */
	" params INTEGER NOT NULL REFERENCES params(id),"
	" expires_ms INTEGER NOT NULL, ttl_s INTEGER NOT NULL,"
	" PRIMARY KEY(number, tenant)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS anchor(boot TEXT NOT NULL, offset_ms INTEGER NOT NULL);"
	"%s" /* what follows is added_store_sqlite.c's */
	"CREATE TABLE IF NOT EXISTS added("
	" number INTEGER PRIMARY KEY, route_type INTEGER NOT NULL, service TEXT NOT NULL,"
	" tenant TEXT NOT NULL, who TEXT NOT NULL, since_ms INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS added_record("
	" written_ms INTEGER NOT NULL, number TEXT NOT NULL, what TEXT NOT NULL,"
	" route_type TEXT NOT NULL, service TEXT NOT NULL, tenant TEXT NOT NULL,"
	" who TEXT NOT NULL);"
	"PRAGMA user_version=4;"
	"COMMIT;";

/* Before version 3 there was one core. A program from before version 4 would withdraw the
 * numbers that were added while we run: the version keeps it out. */
static const char set_aside[] = "ALTER TABLE told RENAME TO told_2;";
static const char take_over[] = "INSERT INTO told(number, tenant, params, expires_ms, ttl_s)"
				" SELECT number, '', params, expires_ms, ttl_s FROM told_2;"
				"DROP TABLE told_2;";

/* At which core, of files that were made without it: 0, not known. Programs of then go on
 * with what has it. */
static const char has_core[] = "SELECT count(*) FROM pragma_table_info('told') WHERE name = 'core'";
static const char add_core[] = "ALTER TABLE told ADD COLUMN core INTEGER NOT NULL DEFAULT 0";

static const char select_params[] = "SELECT id, sip_uri, prefix_mo, prefix_mt, route_type"
				    " FROM params ORDER BY id";
static const char select_rows[] = "SELECT number, params, expires_ms, ttl_s, tenant, core FROM told"
				  " ORDER BY number, tenant";

enum statement {
	ADD_PARAMS,
	FIND_PARAMS,
	PUT,
	FORGET,
	FIND_ANCHOR,
	DROP_ANCHOR,
	ADD_ANCHOR,
	STATEMENT_COUNT
};

static const char *const statements[STATEMENT_COUNT] = {
	[ADD_PARAMS] = "INSERT OR IGNORE INTO params(sip_uri, prefix_mo, prefix_mt, route_type)"
		       " VALUES(?1, ?2, ?3, ?4)",
	[FIND_PARAMS] = "SELECT id FROM params WHERE sip_uri = ?1 AND prefix_mo = ?2"
			" AND prefix_mt = ?3 AND route_type = ?4",
	[PUT] = "INSERT OR REPLACE INTO told(number, params, expires_ms, ttl_s, tenant,"
		" core) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
	[FORGET] = "DELETE FROM told WHERE number = ?1 AND tenant = ?2",
	[FIND_ANCHOR] = "SELECT offset_ms FROM anchor WHERE boot = ?1",
	[DROP_ANCHOR] = "DELETE FROM anchor",
	[ADD_ANCHOR] = "INSERT INTO anchor(boot, offset_ms) VALUES(?1, ?2)",
};

struct file_store {
	struct store store;
	char *path;
	sqlite3 *db;
	sqlite3_stmt *prepared[STATEMENT_COUNT];
	/* The id of the last parameters written: runs of numbers share theirs. */
	const struct reg_params *last_params;
	sqlite3_int64 last_id;
};

static bool damaged(int code)
{
	return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

static void db_close(struct file_store *store)
{
	sql_finalize(store->prepared, STATEMENT_COUNT);
	sqlite3_close(store->db);
	store->db = NULL;
	store->last_params = NULL;
}

/* ---- opening ---- */

/* It holds telephone numbers: not for everybody to read. */
static int make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0) {
		log_error("registrar",
			  "store.sqlite %s cannot be opened for writing: %s: mend path or rights",
			  path, strerror(errno));
		return -EIO;
	}
	close(fd);
	return 0;
}

/* An SQLite code. */
static int make_tables(sqlite3 *db, int version)
{
	bool one_core = version && version < 3;
	struct str script = { 0 };
	int code = SQLITE_NOMEM;

	str_addf(&script, schema, one_core ? set_aside : "", one_core ? take_over : "");
	if (!script.failed)
		code = sqlite3_exec(db, script.text, NULL, NULL, NULL);
	if (code != SQLITE_OK && !sqlite3_get_autocommit(db))
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* it stays as it was */
	str_done(&script);
	return code;
}

/* An SQLite code. */
static int look_for_column(sqlite3 *db, bool *ret_there)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, has_core, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	*ret_there = code == SQLITE_ROW && sqlite3_column_int(statement, 0) > 0;
	sqlite3_finalize(statement);
	return code == SQLITE_ROW ? SQLITE_OK : code;
}

/* An SQLite code. The daemon and its watchdog may both be about it. */
static int make_column(sqlite3 *db)
{
	bool there;
	int code = look_for_column(db, &there);

	if (code == SQLITE_OK && !there) {
		code = sqlite3_exec(db, add_core, NULL, NULL, NULL);
		if (code != SQLITE_OK && look_for_column(db, &there) == SQLITE_OK && there)
			code = SQLITE_OK;
	}
	return code;
}

/* An SQLite code. */
static int db_open(struct file_store *store)
{
	int code, version = 0;

	code = sqlite3_open_v2(store->path, &store->db,
			       SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			       NULL);
	if (code != SQLITE_OK)
		return code;
	sqlite3_busy_timeout(store->db, BUSY_MS);
	code = sqlite3_exec(store->db, setup, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sql_version(store->db, &version);
	if (code == SQLITE_OK && version > SCHEMA_VERSION) {
		log_error("registrar",
			  "store %s has version %d, this program knows %d: "
			  "it was written by a newer one",
			  store->path, version, SCHEMA_VERSION);
		return SQLITE_MISMATCH;
	}
	if (code == SQLITE_OK && version < SCHEMA_VERSION)
		code = make_tables(store->db, version);
	if (code == SQLITE_OK)
		code = make_column(store->db);
	if (code == SQLITE_OK)
		code = sql_prepare(store->db, statements, STATEMENT_COUNT, store->prepared);
	return code;
}

/* The rows of `params`, while the file is read. */
struct known {
	sqlite3_int64 *ids; /* ascending */
	struct reg_params *params;
	size_t count;
};

static void known_done(struct known *known)
{
	for (size_t i = 0; i < known->count; i++) {
		free(known->params[i].sip_uri);
		free(known->params[i].prefix_mo);
		free(known->params[i].prefix_mt);
	}
	free(known->ids);
	free(known->params);
}

static char *copy_text(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? strdup(text) : NULL;
}

static int known_add(struct known *known, sqlite3_stmt *statement)
{
	size_t n = known->count;
	sqlite3_int64 *ids = reallocarray(known->ids, n + 1, sizeof(*ids));
	struct reg_params *params;

	if (!ids)
		return SQLITE_NOMEM;
	known->ids = ids;
	params = reallocarray(known->params, n + 1, sizeof(*params));
	if (!params)
		return SQLITE_NOMEM;
	known->params = params;
	known->count++;
	ids[n] = sqlite3_column_int64(statement, 0);
	params[n].sip_uri = copy_text(statement, 1);
	params[n].prefix_mo = copy_text(statement, 2);
	params[n].prefix_mt = copy_text(statement, 3);
	params[n].route_type = (enum route_type)sqlite3_column_int(statement, 4);
	if (!params[n].sip_uri || !params[n].prefix_mo || !params[n].prefix_mt)
		return SQLITE_NOMEM;
	return SQLITE_OK;
}

static const struct reg_params *known_find(const struct known *known, sqlite3_int64 id)
{
	size_t low = 0, high = known->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (known->ids[middle] == id)
			return &known->params[middle];
		if (known->ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int read_params(struct file_store *store, struct known *known)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(store->db, select_params, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	while (code == SQLITE_ROW) {
		code = known_add(known, statement);
		if (code == SQLITE_OK)
			code = sqlite3_step(statement);
	}
	sqlite3_finalize(statement);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int visit_row(const struct known *known, sqlite3_stmt *statement, store_visit_fn *visit,
		     void *arg)
{
	struct store_row row = {
		.number = (uint64_t)sqlite3_column_int64(statement, 0),
		.params = known_find(known, sqlite3_column_int64(statement, 1)),
		.expires = sqlite3_column_int64(statement, 2),
		.ttl_s = (uint32_t)sqlite3_column_int64(statement, 3),
		.tenant = (const char *)sqlite3_column_text(statement, 4),
		.core = (uint64_t)sqlite3_column_int64(statement, 5),
	};

	return row.params && row.tenant ? visit(&row, arg)
					: 0; /* foreign_keys lets none be without */
}

/* An SQLite code; what `visit` returned goes to ret_err. */
static int read_rows(struct file_store *store, store_visit_fn *visit, void *arg, int *ret_err)
{
	struct known known = { 0 };
	sqlite3_stmt *statement = NULL;
	int code = read_params(store, &known);

	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(store->db, select_rows, -1, &statement, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	while (code == SQLITE_ROW) {
		*ret_err = visit_row(&known, statement, visit, arg);
		if (*ret_err)
			break;
		code = sqlite3_step(statement);
	}
	sqlite3_finalize(statement);
	known_done(&known);
	(void)sqlite3_db_release_memory(store->db); /* pages that are not read again */
	return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
}

static int move_one(const char *path, const char *suffix, wall_ms now)
{
	char from[4096], to[4096];
	int a = snprintf(from, sizeof(from), "%s%s", path, suffix);
	int b = snprintf(to, sizeof(to), "%s.damaged-%lld%s", path, (long long)(now / 1000),
			 suffix);

	if (a < 0 || b < 0 || (size_t)b >= sizeof(to))
		return -ENAMETOOLONG;
	return rename(from, to) ? -errno : 0;
}

static int move_aside(const struct file_store *store, const char *why)
{
	wall_ms now = clock_wall();
	int err = move_one(store->path, "", now);

	if (err) {
		log_error("registrar", "store %s is damaged (%s) and cannot be moved aside: %s",
			  store->path, why, strerror(-err));
		return -EIO;
	}
	/* Its companions belong to it and would spoil the new one. */
	(void)move_one(store->path, "-wal", now);
	(void)move_one(store->path, "-shm", now);
	log_error("registrar",
		  "store %s is damaged (%s): moved aside as %s.damaged-%lld, going on from the "
		  "configuration; numbers that were added by the API were nowhere else: import "
		  "the latest export of them",
		  store->path, why, store->path, (long long)(now / 1000));
	return 0;
}

static const struct store_ops file_ops;

static int store_create(struct file_store **ret_store, const char *path)
{
	struct file_store *store = calloc(1, sizeof(*store));

	if (!store)
		return -ENOMEM;
	store->store.ops = &file_ops;
	store->path = strdup(path);
	if (!store->path) {
		free(store);
		return -ENOMEM;
	}
	*ret_store = store;
	return 0;
}

static int open_and_read(struct file_store *store, store_visit_fn *visit, void *arg, int *ret_code)
{
	int code, err;

	err = make_file(store->path);
	if (err)
		return err;
	code = db_open(store);
	if (code == SQLITE_OK)
		code = read_rows(store, visit, arg, &err);
	*ret_code = code;
	return err;
}

static struct store *file_close(struct store *base)
{
	struct file_store *store = CONTAINER_OF(base, struct file_store, store);

	db_close(store);
	free(store->path);
	free(store);
	return NULL;
}

int store_open(struct store **ret_store, const char *path, store_visit_fn *visit, void *arg)
{
	struct file_store *store;
	char why[160];
	int code = SQLITE_OK, err;

	err = store_create(&store, path);
	if (err)
		return err;
	err = open_and_read(store, visit, arg, &code);
	if (!err && damaged(code)) {
		snprintf(why, sizeof(why), "%s", sqlite3_errmsg(store->db));
		db_close(store);
		err = move_aside(store, why);
		if (!err)
			err = open_and_read(store, visit, arg, &code);
	}
	if (!err && code != SQLITE_OK) {
		if (code != SQLITE_MISMATCH)
			log_error("registrar", "store %s cannot be used: %s", path,
				  sqlite3_errmsg(store->db));
		err = -EIO;
	}
	if (err) {
		file_close(&store->store);
		return err;
	}
	*ret_store = &store->store;
	return 0;
}

/* ---- writing ---- */

bool store_anchor(struct store *base, const char *boot, wall_ms *offset)
{
	struct file_store *store = CONTAINER_OF(base, struct file_store, store);
	sqlite3_stmt *find = store->prepared[FIND_ANCHOR], *add = store->prepared[ADD_ANCHOR];
	sqlite3_int64 found = INT64_MIN;

	sqlite3_bind_text(find, 1, boot, -1, SQLITE_STATIC);
	if (sql_run(find, &found) == SQLITE_OK && found != INT64_MIN) {
		*offset = found;
		return true;
	}
	/* Not written, it costs refreshes that come early after the next start. */
	(void)sql_run(store->prepared[DROP_ANCHOR], NULL);
	sqlite3_bind_text(add, 1, boot, -1, SQLITE_STATIC);
	sqlite3_bind_int64(add, 2, *offset);
	(void)sql_run(add, NULL);
	return false;
}

static void bind_params(sqlite3_stmt *statement, const struct reg_params *params)
{
	sqlite3_bind_text(statement, 1, params->sip_uri, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, params->prefix_mo, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, params->prefix_mt, -1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 4, (int)params->route_type);
}

static int params_id(struct file_store *store, const struct reg_params *params)
{
	int code;

	if (store->last_params == params)
		return SQLITE_OK;
	store->last_params = NULL;
	bind_params(store->prepared[ADD_PARAMS], params);
	code = sql_run(store->prepared[ADD_PARAMS], NULL);
	if (code != SQLITE_OK)
		return code;
	bind_params(store->prepared[FIND_PARAMS], params);
	code = sql_run(store->prepared[FIND_PARAMS], &store->last_id);
	if (code == SQLITE_OK)
		store->last_params = params;
	return code;
}

static int write_row(struct file_store *store, const struct store_row *row)
{
	sqlite3_stmt *put = store->prepared[PUT], *forget = store->prepared[FORGET];
	int code;

	if (!row->params) {
		sqlite3_bind_int64(forget, 1, (sqlite3_int64)row->number);
		sqlite3_bind_text(forget, 2, row->tenant, -1, SQLITE_STATIC);
		return sql_run(forget, NULL);
	}
	code = params_id(store, row->params);
	if (code != SQLITE_OK)
		return code;
	sqlite3_bind_int64(put, 1, (sqlite3_int64)row->number);
	sqlite3_bind_int64(put, 2, store->last_id);
	sqlite3_bind_int64(put, 3, row->expires);
	sqlite3_bind_int64(put, 4, row->ttl_s);
	sqlite3_bind_text(put, 5, row->tenant, -1, SQLITE_STATIC);
	sqlite3_bind_int64(put, 6, (sqlite3_int64)row->core);
	return sql_run(put, NULL);
}

static int file_write(struct store *base, const struct store_row *rows, size_t count,
		      enum store_purpose purpose, const char **ret_error)
{
	struct file_store *store = CONTAINER_OF(base, struct file_store, store);
	int code = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	(void)purpose; /* the file has one writer */
	/* Borrowed pointers name the parameters within one call only. */
	store->last_params = NULL;
	for (size_t i = 0; code == SQLITE_OK && i < count; i++)
		code = write_row(store, &rows[i]);
	if (code == SQLITE_OK)
		code = sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
	if (count > MANY) /* of a million rows the next ones lie elsewhere */
		(void)sqlite3_db_release_memory(store->db);
	if (code == SQLITE_OK)
		return 0;
	*ret_error = sqlite3_errstr(code);
	sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return -EIO;
}

static const struct store_ops file_ops = { .close = file_close,
					   .write = file_write,
					   .batch = SIZE_MAX };
