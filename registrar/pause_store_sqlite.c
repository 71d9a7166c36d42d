/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/pause_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "registrar/order_file.h"

static const char select_all[] =
	"SELECT scope, what, who, why, since_ms, until_ms FROM pauses ORDER BY scope, what";

enum statement { PUT, DROP, STATEMENT_COUNT };

static const char *const statements[STATEMENT_COUNT] = {
	[PUT] = "INSERT OR REPLACE INTO pauses(scope, what, who, why, since_ms, until_ms)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
	[DROP] = "DELETE FROM pauses WHERE scope = ?1 AND what = ?2",
};

static const struct order_file_kind kind = {
	.what = "pauses",
	.tables = "CREATE TABLE IF NOT EXISTS pauses("
		  " scope INTEGER NOT NULL, what TEXT NOT NULL, who TEXT NOT NULL,"
		  " why TEXT NOT NULL, since_ms INTEGER NOT NULL,"
		  " until_ms INTEGER NOT NULL, PRIMARY KEY(scope, what));",
	.statements = statements,
	.statement_count = STATEMENT_COUNT,
};

struct pause_file {
	struct pause_store store;
	struct order_file orders;
};

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

	snprintf(pause.what, sizeof(pause.what), "%s", sql_text(statement, 1));
	snprintf(pause.who, sizeof(pause.who), "%s", sql_text(statement, 2));
	snprintf(pause.why, sizeof(pause.why), "%s", sql_text(statement, 3));
	return reader->visit(&pause, reader->arg);
}

static struct pause_store *file_close(struct pause_store *base)
{
	struct pause_file *file = CONTAINER_OF(base, struct pause_file, store);

	order_file_done(&file->orders);
	free(file);
	return NULL;
}

static int carry_out(struct order_file *orders, enum statement statement)
{
	int code = sql_run(orders->prepared[statement], NULL);

	sqlite3_clear_bindings(orders->prepared[statement]);
	return code == SQLITE_OK ? 0 : order_file_failed(orders, "written");
}

static int file_put(struct pause_store *base, const struct reg_pause *pause)
{
	struct pause_file *file = CONTAINER_OF(base, struct pause_file, store);
	sqlite3_stmt *put = file->orders.prepared[PUT];

	sqlite3_bind_int(put, 1, (int)pause->scope);
	sqlite3_bind_text(put, 2, pause->what, -1, SQLITE_STATIC);
	sqlite3_bind_text(put, 3, pause->who, -1, SQLITE_STATIC);
	sqlite3_bind_text(put, 4, pause->why, -1, SQLITE_STATIC);
	sqlite3_bind_int64(put, 5, pause->since);
	sqlite3_bind_int64(put, 6, pause->until);
	return carry_out(&file->orders, PUT);
}

static int file_drop(struct pause_store *base, enum pause_scope scope, const char *what)
{
	struct pause_file *file = CONTAINER_OF(base, struct pause_file, store);

	sqlite3_bind_int(file->orders.prepared[DROP], 1, (int)scope);
	sqlite3_bind_text(file->orders.prepared[DROP], 2, what, -1, SQLITE_STATIC);
	return carry_out(&file->orders, DROP);
}

static const struct pause_store_ops file_ops = { .close = file_close,
						 .put = file_put,
						 .drop = file_drop };

int pause_store_open(struct pause_store **ret_store, const char *path, pause_visit_fn *visit,
		     void *arg)
{
	struct pause_file *file = calloc(1, sizeof(*file));
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
