/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/order_file.h"

#include <errno.h>
#include "base/log.h"

/* Nobody else knows what was ordered: unlike the rows about the core it is not to be lost
 * with the power. https://www.sqlite.org/pragma.html#pragma_synchronous */
static const char setup[] = "PRAGMA journal_mode=WAL;"
			    "PRAGMA synchronous=FULL;";

int order_file_failed(const struct order_file *file, const char *doing)
{
	log_error("registrar", "%s cannot be %s in the store: %s: check store.sqlite",
		  file->kind->what, doing, sqlite3_errmsg(file->db));
	return -EIO;
}

int order_file_init(struct order_file *file, const struct order_file_kind *kind, const char *path)
{
	int code;

	*file = (struct order_file){ .kind = kind };
	code = sql_open_beside(&file->db, path, setup);
	if (code == SQLITE_OK && kind->tables)
		code = sqlite3_exec(file->db, kind->tables, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sql_prepare(file->db, kind->statements, kind->statement_count,
				   file->prepared);
	return code == SQLITE_OK ? 0 : order_file_failed(file, "kept");
}

void order_file_done(struct order_file *file)
{
	sql_finalize(file->prepared, ORDER_FILE_STATEMENTS_MAX);
	sqlite3_close(file->db);
	file->db = NULL;
}

int order_file_read(struct order_file *file, const char *text,
		    int (*visit)(sqlite3_stmt *row, void *arg), void *arg)
{
	int code, err = sql_each(file->db, text, visit, arg, &code);

	(void)sqlite3_db_release_memory(file->db); /* pages that are not read again */
	return !err && code != SQLITE_DONE ? order_file_failed(file, "read") : err;
}
