/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/sqlite.h"

#define BUSY_MS 2000

int sql_open_beside(sqlite3 **ret_db, const char *path, const char *setup)
{
	int code = sqlite3_open_v2(path, ret_db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_busy_timeout(*ret_db, BUSY_MS);
	if (code == SQLITE_OK)
		code = sqlite3_exec(*ret_db, setup, NULL, NULL, NULL);
	return code;
}

int sql_prepare(sqlite3 *db, const char *const *texts, size_t count, sqlite3_stmt **ret_statements)
{
	int code = SQLITE_OK;

	for (size_t i = 0; code == SQLITE_OK && i < count; i++)
		code = sqlite3_prepare_v3(db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
					  &ret_statements[i], NULL);
	return code;
}

void sql_finalize(sqlite3_stmt **statements, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		sqlite3_finalize(statements[i]);
		statements[i] = NULL;
	}
}

int sql_run(sqlite3_stmt *statement, sqlite3_int64 *ret_id)
{
	int code = sqlite3_step(statement);

	if (code == SQLITE_ROW && ret_id)
		*ret_id = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
}

int sql_each(sqlite3 *db, const char *text, int (*visit)(sqlite3_stmt *row, void *arg), void *arg,
	     int *ret_code)
{
	sqlite3_stmt *statement = NULL;
	int err = 0;

	*ret_code = sqlite3_prepare_v2(db, text, -1, &statement, NULL);
	if (*ret_code == SQLITE_OK)
		*ret_code = sqlite3_step(statement);
	while (*ret_code == SQLITE_ROW && !err) {
		err = visit(statement, arg);
		*ret_code = sqlite3_step(statement);
	}
	sqlite3_finalize(statement);
	return err;
}

const char *sql_text(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return text ? text : "";
}

int sql_version(sqlite3 *db, int *ret_version)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret_version = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return code == SQLITE_ROW ? SQLITE_OK : code;
}
