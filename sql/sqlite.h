/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite.h - what the files that speak SQLite have in common.
 *
 * Only they include it. Threads: that of the connection.
 */
#ifndef BREAKOUT_SQL_SQLITE_H
#define BREAKOUT_SQL_SQLITE_H

#include <stddef.h>
#include <sqlite3.h>
#include "base/macros.h"

/* A file that is there already and has other writers: what they hold is waited for, up to
 * two seconds. setup: statements that are run first. An SQLite code; *ret_db is to be
 * closed in any case. */
int sql_open_beside(sqlite3 **ret_db, const char *path, const char *setup) MUST_CHECK;

/* Prepares all of `texts` for the life of the connection. An SQLite code. */
int sql_prepare(sqlite3 *db, const char *const *texts, size_t count,
		sqlite3_stmt **ret_statements) MUST_CHECK;
void sql_finalize(sqlite3_stmt **statements, size_t count);

/* Runs a prepared statement that returns at most one row; SQLITE_OK if it ended
 * well. ret_id: the row's first column, if wanted; untouched without a row. */
int sql_run(sqlite3_stmt *statement, sqlite3_int64 *ret_id);

/* Visits each row of a query, until one is answered with an error, which is returned;
 * else *ret_code says how the query ended: SQLITE_DONE. */
int sql_each(sqlite3 *db, const char *text, int (*visit)(sqlite3_stmt *row, void *arg), void *arg,
	     int *ret_code) MUST_CHECK;

/* A row's text; null: "". Borrowed until the next step. */
const char *sql_text(sqlite3_stmt *row, int column);

/* The version of the tables, as PRAGMA user_version keeps it. An SQLite code. */
int sql_version(sqlite3 *db, int *ret_version) MUST_CHECK;

#endif
