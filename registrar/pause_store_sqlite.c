/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/pause_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/log.h"
#include "sql/sqlite.h"

/* A pause is an order: unlike the rows about the core it is not to be lost with the
 * power. https://www.sqlite.org/pragma.html#pragma_synchronous */
static const char setup[] = "PRAGMA journal_mode=WAL;"
			    "PRAGMA synchronous=FULL;"
			    "CREATE TABLE IF NOT EXISTS pauses("
			    " scope INTEGER NOT NULL, what TEXT NOT NULL, who TEXT NOT NULL,"
			    " why TEXT NOT NULL, since_ms INTEGER NOT NULL,"
			    " until_ms INTEGER NOT NULL, PRIMARY KEY(scope, what));";

static const char select_all[] =
	"SELECT scope, what, who, why, since_ms, until_ms FROM pauses ORDER BY scope, what";
static const char put[] = "INSERT OR REPLACE INTO pauses(scope, what, who, why, since_ms, until_ms)"
			  " VALUES(?1, ?2, ?3, ?4, ?5, ?6)";
static const char drop[] = "DELETE FROM pauses WHERE scope = ?1 AND what = ?2";

struct pause_file {
	struct pause_store store;
	sqlite3 *db;
	sqlite3_stmt *put, *drop;
};

static int failed(const struct pause_file *file, const char *doing)
{
	log_error("registrar", "pauses cannot be %s in the store: %s: check store.sqlite", doing,
		  sqlite3_errmsg(file->db));
	return -EIO;
}

static void copy_column(sqlite3_stmt *statement, int column, char *text, size_t room)
{
	const char *from = (const char *)sqlite3_column_text(statement, column);

	snprintf(text, room, "%s", from ? from : "");
}

struct reader {
	pause_visit_fn *visit;
	void *arg;
};

static int visit_row(sqlite3_stmt *statement, void *arg)
{
	const struct reader *reader = arg;
	struct reg_pause pause = { .scope = (enum pause_scope)sqlite3_column_int(statement, 0),
				   .since = sqlite3_column_int64(statement, 4),
				   .until = sqlite3_column_int64(statement, 5) };

	copy_column(statement, 1, pause.what, sizeof(pause.what));
	copy_column(statement, 2, pause.who, sizeof(pause.who));
	copy_column(statement, 3, pause.why, sizeof(pause.why));
	return reader->visit(&pause, reader->arg);
}

static int read_all(struct pause_file *file, pause_visit_fn *visit, void *arg)
{
	struct reader reader = { visit, arg };
	int code, err = sql_each(file->db, select_all, visit_row, &reader, &code);

	return !err && code != SQLITE_DONE ? failed(file, "read") : err;
}

static int prepare(struct pause_file *file, const char *path)
{
	int code = sql_open_beside(&file->db, path, setup);

	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(file->db, put, -1, &file->put, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(file->db, drop, -1, &file->drop, NULL);
	return code == SQLITE_OK ? 0 : failed(file, "kept");
}

static struct pause_store *file_close(struct pause_store *base)
{
	struct pause_file *file = CONTAINER_OF(base, struct pause_file, store);

	sqlite3_finalize(file->put);
	sqlite3_finalize(file->drop);
	sqlite3_close(file->db);
	free(file);
	return NULL;
}

static int carry_out(struct pause_file *file, sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);
	int err = code == SQLITE_DONE ? 0 : failed(file, "written");

	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return err;
}

static int file_put(struct pause_store *base, const struct reg_pause *pause)
{
	struct pause_file *file = CONTAINER_OF(base, struct pause_file, store);

	sqlite3_bind_int(file->put, 1, (int)pause->scope);
	sqlite3_bind_text(file->put, 2, pause->what, -1, SQLITE_STATIC);
	sqlite3_bind_text(file->put, 3, pause->who, -1, SQLITE_STATIC);
	sqlite3_bind_text(file->put, 4, pause->why, -1, SQLITE_STATIC);
	sqlite3_bind_int64(file->put, 5, pause->since);
	sqlite3_bind_int64(file->put, 6, pause->until);
	return carry_out(file, file->put);
}

static int file_drop(struct pause_store *base, enum pause_scope scope, const char *what)
{
	struct pause_file *file = CONTAINER_OF(base, struct pause_file, store);

	sqlite3_bind_int(file->drop, 1, (int)scope);
	sqlite3_bind_text(file->drop, 2, what, -1, SQLITE_STATIC);
	return carry_out(file, file->drop);
}

static const struct pause_store_ops file_ops = { .close = file_close,
						 .put = file_put,
						 .drop = file_drop };

int pause_store_open(struct pause_store **ret_store, const char *path, pause_visit_fn *visit,
		     void *arg)
{
	struct pause_file *file = calloc(1, sizeof(*file));
	int err;

	if (!file)
		return -ENOMEM;
	file->store.ops = &file_ops;
	err = prepare(file, path);
	if (!err)
		err = read_all(file, visit, arg);
	if (err)
		file_close(&file->store);
	else
		*ret_store = &file->store;
	return err;
}
