/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/added_store.h"

#include <errno.h>
#include <stdlib.h>
#include "base/e164.h"
#include "registrar/order_file.h"

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

static const struct order_file_kind kind = {
	.what = "numbers that are added",
	.statements = statements,
	.statement_count = STATEMENT_COUNT,
};

struct added_file {
	struct added_store store;
	struct order_file orders;
};

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
		.service = sql_text(statement, 2),
		.tenant = sql_text(statement, 3),
		.who = sql_text(statement, 4),
		.since = sqlite3_column_int64(statement, 5),
	};

	return reader->visit(&row, reader->arg);
}

static struct added_store *file_close(struct added_store *base)
{
	struct added_file *file = CONTAINER_OF(base, struct added_file, store);

	order_file_done(&file->orders);
	free(file);
	return NULL;
}

/* ---- writing ---- */

static int put(struct order_file *orders, const struct added_batch *batch,
	       const struct added_number *number)
{
	const struct added_terms *terms = &batch->set->terms[number->terms];
	sqlite3_stmt *statement = orders->prepared[PUT];

	sqlite3_bind_int64(statement, 1, (sqlite3_int64)number->number);
	sqlite3_bind_int(statement, 2, terms->route_type);
	sqlite3_bind_text(statement, 3, terms->service, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 4, terms->tenant, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 5, batch->set->whos[number->who], -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 6, (sqlite3_int64)number->since_s * 1000);
	return sql_run(statement, NULL);
}

static int drop(struct order_file *orders, uint64_t number)
{
	sqlite3_bind_int64(orders->prepared[DROP], 1, (sqlite3_int64)number);
	return sql_run(orders->prepared[DROP], NULL);
}

static int record(struct order_file *orders, const struct added_batch *batch,
		  const struct added_step *step)
{
	const struct added_terms *terms = &batch->set->terms[step->number.terms];
	sqlite3_stmt *statement = orders->prepared[RECORD];
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
	struct order_file *orders = &CONTAINER_OF(base, struct added_file, store)->orders;
	int code = sql_run(orders->prepared[BEGIN], NULL);

	for (size_t i = 0; code == SQLITE_OK && i < batch->count; i++) {
		const struct added_step *step = &batch->steps[i];

		code = step->change == REG_CHANGE_REMOVED ? drop(orders, step->number.number)
							  : put(orders, batch, &step->number);
		if (code == SQLITE_OK)
			code = record(orders, batch, step);
	}
	if (code == SQLITE_OK) {
		sqlite3_bind_int64(orders->prepared[FORGET], 1, batch->at - ADDED_KEEP_MS);
		code = sql_run(orders->prepared[FORGET], NULL);
	}
	if (code == SQLITE_OK)
		code = sql_run(orders->prepared[COMMIT], NULL);
	if (code == SQLITE_OK)
		return 0;
	(void)order_file_failed(orders, "written");
	if (!sqlite3_get_autocommit(orders->db))
		(void)sqlite3_exec(orders->db, "ROLLBACK", NULL, NULL, NULL);
	return -EIO;
}

static const struct added_store_ops file_ops = { .close = file_close, .write = file_write };

int added_store_open(struct added_store **ret_store, const char *path, added_visit_fn *visit,
		     void *arg)
{
	struct added_file *file = calloc(1, sizeof(*file));
	struct reader reader = { visit, arg };
	int err;

	if (!file)
		return -ENOMEM;
	file->store.ops = &file_ops;
	err = order_file_init(&file->orders, &kind, path);
	if (!err)
		err = order_file_read(&file->orders, select_all, visit_row, &reader);
	if (err)
		file_close(&file->store);
	else
		*ret_store = &file->store;
	return err;
}
