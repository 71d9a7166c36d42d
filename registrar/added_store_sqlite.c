/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/added_store.h"

#include <errno.h>
#include <stdlib.h>
#include "base/e164.h"
#include "base/log.h"
#include "sql/sqlite.h"

/* Nobody else knows these numbers: unlike the rows about the core they are not to be lost
 * with the power. https://www.sqlite.org/pragma.html#pragma_synchronous */
static const char setup[] = "PRAGMA journal_mode=WAL;"
			    "PRAGMA synchronous=FULL;";

static const char select_all[] =
	"SELECT number, route_type, service, tenant, who, since_ms FROM added ORDER BY number";

enum statement { BEGIN, PUT, DROP, RECORD, FORGET, COMMIT, STATEMENT_COUNT };

static const char *const statements[STATEMENT_COUNT] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[PUT] = "INSERT OR REPLACE INTO added(number, route_type, service, tenant, who, since_ms)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
	[DROP] = "DELETE FROM added WHERE number = ?1",
	[RECORD] = "INSERT INTO added_record(written_ms, number, what, route_type, service, tenant,"
		   " who) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[FORGET] = "DELETE FROM added_record WHERE written_ms < ?1",
	[COMMIT] = "COMMIT",
};

struct added_file {
	struct added_store store;
	sqlite3 *db;
	sqlite3_stmt *prepared[STATEMENT_COUNT];
};

static int failed(const struct added_file *file, const char *doing)
{
	log_error("registrar",
		  "numbers that are added cannot be %s in the store: %s: check "
		  "store.sqlite",
		  doing, sqlite3_errmsg(file->db));
	return -EIO;
}

static const char *text_of(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

struct reader {
	added_visit_fn *visit;
	void *arg;
};

static int visit_row(sqlite3_stmt *statement, void *arg)
{
	const struct reader *reader = arg;
	const struct added_row row = {
		.number = (uint64_t)sqlite3_column_int64(statement, 0),
		.route_type = (enum route_type)sqlite3_column_int(statement, 1),
		.service = text_of(statement, 2),
		.tenant = text_of(statement, 3),
		.who = text_of(statement, 4),
		.since = sqlite3_column_int64(statement, 5),
	};

	return reader->visit(&row, reader->arg);
}

static int read_all(struct added_file *file, added_visit_fn *visit, void *arg)
{
	struct reader reader = { visit, arg };
	int code, err = sql_each(file->db, select_all, visit_row, &reader, &code);

	(void)sqlite3_db_release_memory(file->db); /* pages that are not read again */
	return !err && code != SQLITE_DONE ? failed(file, "read") : err;
}

static int prepare(struct added_file *file, const char *path)
{
	int code = sql_open_beside(&file->db, path, setup);

	if (code == SQLITE_OK)
		code = sql_prepare(file->db, statements, STATEMENT_COUNT, file->prepared);
	return code == SQLITE_OK ? 0 : failed(file, "kept");
}

static struct added_store *file_close(struct added_store *base)
{
	struct added_file *file = CONTAINER_OF(base, struct added_file, store);

	sql_finalize(file->prepared, STATEMENT_COUNT);
	sqlite3_close(file->db);
	free(file);
	return NULL;
}

/* ---- writing ---- */

static int put(struct added_file *file, const struct added_batch *batch,
	       const struct added_number *number)
{
	const struct added_terms *terms = &batch->set->terms[number->terms];
	sqlite3_stmt *statement = file->prepared[PUT];

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)number->number);
	sqlite3_bind_int(statement, 2, terms->route_type);
	sqlite3_bind_text(statement, 3, terms->service, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 4, terms->tenant, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 5, batch->set->whos[number->who], -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 6, (sqlite3_int64)number->since_s * 1000);
	return sql_run(statement, NULL);
}

static int drop(struct added_file *file, uint64_t number)
{
	sqlite3_bind_int64(file->prepared[DROP], 1, (sqlite3_int64)number);
	return sql_run(file->prepared[DROP], NULL);
}

static int record(struct added_file *file, const struct added_batch *batch,
		  const struct added_step *step)
{
	const struct added_terms *terms = &batch->set->terms[step->number.terms];
	sqlite3_stmt *statement = file->prepared[RECORD];
	char text[E164_ROOM];

	e164_unpack(step->number.number, text);
	sqlite3_bind_int64(statement, 1, batch->at);
	sqlite3_bind_text(statement, 2, text, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, reg_change_name(step->change), -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 4, route_type_name((enum route_type)terms->route_type), -1,
			  SQLITE_STATIC);
	sqlite3_bind_text(statement, 5, terms->service, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 6, terms->tenant, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 7, batch->who, -1, SQLITE_STATIC);
	return sql_run(statement, NULL);
}

static int file_write(struct added_store *base, const struct added_batch *batch)
{
	struct added_file *file = CONTAINER_OF(base, struct added_file, store);
	int code = sql_run(file->prepared[BEGIN], NULL);

	for (size_t i = 0; code == SQLITE_OK && i < batch->count; i++) {
		const struct added_step *step = &batch->steps[i];

		code = step->change == REG_CHANGE_REMOVED ? drop(file, step->number.number)
							  : put(file, batch, &step->number);
		if (code == SQLITE_OK)
			code = record(file, batch, step);
	}
	if (code == SQLITE_OK) {
		sqlite3_bind_int64(file->prepared[FORGET], 1, batch->at - ADDED_KEEP_MS);
		code = sql_run(file->prepared[FORGET], NULL);
	}
	if (code == SQLITE_OK)
		code = sql_run(file->prepared[COMMIT], NULL);
	if (code == SQLITE_OK)
		return 0;
	(void)failed(file, "written");
	if (!sqlite3_get_autocommit(file->db))
		(void)sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
	return -EIO;
}

static const struct added_store_ops file_ops = { .close = file_close, .write = file_write };

int added_store_open(struct added_store **ret_store, const char *path, added_visit_fn *visit,
		     void *arg)
{
	struct added_file *file = calloc(1, sizeof(*file));
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
