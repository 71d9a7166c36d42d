/* SPDX-License-Identifier: Apache-2.0 */
/* rows_sqlite.c - rows in an SQLite file; the only file of this room that speaks it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/json_mask.h"
#include "base/str.h"
#include "base/clock.h"
#include "records/rows.h"
#include "sql/sqlite.h"

#define SCHEMA_VERSION 1
#define BUSY_MS        2000

/* WAL with synchronous=NORMAL: a commit survives kill -9, a power loss may take the last
 * ones with their position, which are then read once more from the file of records.
 * https://www.sqlite.org/pragma.html#pragma_synchronous */
static const char setup[] = "PRAGMA journal_mode=WAL;"
			    "PRAGMA synchronous=NORMAL;";

enum statement { ADD, SET_POSITION, GET_POSITION, EXPIRE, UNMASKED, MASK, STATEMENT_COUNT };

struct rows {
	sqlite3 *db;
	sqlite3_stmt *prepared[STATEMENT_COUNT];
};

/* ---- the statements, from the table of columns ---- */

/* "id = ?, started_at = ?, ..."; either part may be left out. */
static void add_columns(struct str *sql, bool names, const char *value)
{
	for (size_t i = 0; i < ROW_COLUMN_COUNT; i++)
		str_addf(sql, "%s%s%s", i ? ", " : "", names ? row_columns[i].name : "", value);
}

static const char *type_of(const struct row_column *column)
{
	return column->kind == ROW_INTEGER ? "INTEGER" : "TEXT";
}

static char *schema_sql(void)
{
	struct str sql = { 0 };

	str_add(&sql, "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS records(");
	for (size_t i = 0; i < ROW_COLUMN_COUNT; i++)
		str_addf(&sql, "%s %s%s, ", row_columns[i].name, type_of(&row_columns[i]),
			 i == 0 ? " PRIMARY KEY NOT NULL" : "");
	str_add(&sql, "masked INTEGER NOT NULL DEFAULT 0, record TEXT NOT NULL) WITHOUT ROWID;"
		      "CREATE INDEX IF NOT EXISTS records_started ON records(started_at);"
		      "CREATE INDEX IF NOT EXISTS records_number ON records(number, started_at);"
		      "CREATE INDEX IF NOT EXISTS records_unmasked ON records(started_at) WHERE "
		      "masked = 0;"
		      "CREATE TABLE IF NOT EXISTS position(one INTEGER PRIMARY KEY CHECK(one = 1),"
		      " head TEXT NOT NULL, offset INTEGER NOT NULL, changed INTEGER NOT NULL);");
	str_addf(&sql, "PRAGMA user_version=%d; COMMIT;", SCHEMA_VERSION);
	return str_take(&sql);
}

static char *add_sql(void)
{
	struct str sql = { 0 };

	str_add(&sql, "INSERT OR IGNORE INTO records(");
	add_columns(&sql, true, "");
	str_add(&sql, ", record) VALUES(");
	add_columns(&sql, false, "?");
	str_add(&sql, ", ?)");
	return str_take(&sql);
}

static char *mask_sql(void)
{
	struct str sql = { 0 };

	str_add(&sql, "UPDATE records SET ");
	add_columns(&sql, true, " = ?");
	str_add(&sql, ", record = ?, masked = 1 WHERE id = ?1");
	return str_take(&sql);
}

static char *statement_sql(enum statement statement)
{
	switch (statement) {
	case ADD:
		return add_sql();
	case SET_POSITION:
		return strdup("INSERT OR REPLACE INTO position(one, head, offset, changed)"
			      " VALUES(1, ?1, ?2, ?3)");
	case GET_POSITION:
		return strdup("SELECT head, offset, changed FROM position");
	case EXPIRE:
		return strdup("DELETE FROM records WHERE id IN (SELECT id FROM records"
			      " WHERE started_at < ?1 LIMIT ?2)");
	case UNMASKED:
		return strdup("SELECT record FROM records WHERE masked = 0 AND started_at < ?1"
			      " LIMIT ?2");
	case MASK:
		return mask_sql();
	case STATEMENT_COUNT:
		break;
	}
	return NULL;
}

/* ---- opening ---- */

static int fail(const struct rows *rows, int code, char error[static ROWS_ERROR_ROOM])
{
	if (code == SQLITE_NOMEM)
		return -ENOMEM;
	snprintf(error, ROWS_ERROR_ROOM, "%s",
		 rows->db && sqlite3_errcode(rows->db) != SQLITE_OK ? sqlite3_errmsg(rows->db)
								    : sqlite3_errstr(code));
	return -EIO;
}

static int exec_taken(sqlite3 *db, char *take_sql)
{
	int code = take_sql ? sqlite3_exec(db, take_sql, NULL, NULL, NULL) : SQLITE_NOMEM;

	free(take_sql);
	return code;
}

static bool has_column(sqlite3_stmt *find, const char *name)
{
	bool there;

	sqlite3_bind_text(find, 1, name, -1, SQLITE_STATIC);
	there = sqlite3_step(find) == SQLITE_ROW;
	sqlite3_reset(find);
	return there;
}

static int add_column(sqlite3 *db, const struct row_column *column)
{
	struct str sql = { 0 };

	str_addf(&sql, "ALTER TABLE records ADD COLUMN %s %s", column->name, type_of(column));
	return exec_taken(db, str_take(&sql));
}

/* A table of a program before has fewer: rows of then have nothing in what is new. */
static int add_missing(sqlite3 *db)
{
	sqlite3_stmt *find = NULL;
	int code = sqlite3_prepare_v2(
		db, "SELECT 1 FROM pragma_table_info('records') WHERE name = ?1", -1, &find, NULL);

	for (size_t i = 0; code == SQLITE_OK && i < ROW_COLUMN_COUNT; i++)
		if (!has_column(find, row_columns[i].name))
			code = add_column(db, &row_columns[i]);
	sqlite3_finalize(find);
	return code;
}

static int prepare(struct rows *rows)
{
	int code = SQLITE_OK;

	for (int i = 0; code == SQLITE_OK && i < STATEMENT_COUNT; i++) {
		char *sql = statement_sql((enum statement)i);

		code = sql ? sqlite3_prepare_v3(rows->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
						&rows->prepared[i], NULL)
			   : SQLITE_NOMEM;
		free(sql);
	}
	return code;
}

static int read_position(struct rows *rows, struct cursor_position *ret_position)
{
	sqlite3_stmt *get = rows->prepared[GET_POSITION];
	int code = sqlite3_step(get);

	*ret_position = (struct cursor_position){ 0 };
	if (code == SQLITE_ROW) {
		snprintf(ret_position->head, sizeof(ret_position->head), "%s",
			 (const char *)sqlite3_column_text(get, 0));
		ret_position->offset = sqlite3_column_int64(get, 1);
		ret_position->changed = sqlite3_column_int64(get, 2);
	}
	sqlite3_reset(get);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static struct rows *rows_close(struct rows *rows)
{
	if (!rows)
		return NULL;
	sql_finalize(rows->prepared, STATEMENT_COUNT);
	sqlite3_close(rows->db);
	free(rows);
	return NULL;
}

/* It holds telephone numbers: not for everybody to read. */
static int make_file(const char *path, char error[static ROWS_ERROR_ROOM])
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0) {
		snprintf(error, ROWS_ERROR_ROOM, "%s", strerror(errno));
		return -EIO;
	}
	close(fd);
	return 0;
}

static int rows_open(struct rows **ret_rows, const struct rows_where *where,
		     struct cursor_position *ret_position, char ret_error[static ROWS_ERROR_ROOM])
{
	struct rows *rows;
	int code, version = 0;

	if (make_file(where->database, ret_error) < 0)
		return -EIO;
	rows = calloc(1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	code = sqlite3_open_v2(where->database, &rows->db,
			       SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			       NULL);
	if (code == SQLITE_OK) {
		sqlite3_busy_timeout(rows->db, BUSY_MS);
		code = sqlite3_exec(rows->db, setup, NULL, NULL, NULL);
	}
	if (code == SQLITE_OK)
		code = sql_version(rows->db, &version);
	if (code == SQLITE_OK && version > SCHEMA_VERSION) {
		snprintf(ret_error, ROWS_ERROR_ROOM,
			 "it has version %d and was written by a newer program, this one knows %d",
			 version, SCHEMA_VERSION);
		rows_close(rows);
		return -EIO;
	}
	if (code == SQLITE_OK && version < SCHEMA_VERSION)
		code = exec_taken(rows->db, schema_sql());
	if (code == SQLITE_OK)
		code = add_missing(rows->db);
	if (code == SQLITE_OK)
		code = prepare(rows);
	if (code == SQLITE_OK)
		code = read_position(rows, ret_position);
	if (code != SQLITE_OK) {
		int err = fail(rows, code, ret_error);

		rows_close(rows);
		return err;
	}
	*ret_rows = rows;
	return 0;
}

/* ---- writing ---- */

static void bind_values(sqlite3_stmt *to, const struct row_value values[static ROW_COLUMN_COUNT],
			const char *line)
{
	for (int i = 0; i < ROW_COLUMN_COUNT; i++) {
		if (values[i].null)
			sqlite3_bind_null(to, i + 1);
		else if (row_columns[i].kind == ROW_INTEGER)
			sqlite3_bind_int64(to, i + 1, values[i].number);
		else
			sqlite3_bind_text(to, i + 1, values[i].text, -1, SQLITE_STATIC);
	}
	sqlite3_bind_text(to, ROW_COLUMN_COUNT + 1, line, -1, SQLITE_STATIC);
}

static int run(sqlite3_stmt *statement)
{
	int code = sql_run(statement, NULL);

	sqlite3_clear_bindings(statement); /* they name texts that go */
	return code;
}

static int set_position(struct rows *rows, const struct cursor_position *position)
{
	sqlite3_stmt *set = rows->prepared[SET_POSITION];

	sqlite3_bind_text(set, 1, position->head, -1, SQLITE_STATIC);
	sqlite3_bind_int64(set, 2, position->offset);
	sqlite3_bind_int64(set, 3, position->changed);
	return run(set);
}

static int begin(struct rows *rows)
{
	return sqlite3_exec(rows->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
}

/* Ends the transaction: 0, or undone with its error. */
static int finish(struct rows *rows, int code, char error[static ROWS_ERROR_ROOM])
{
	int err;

	if (code == SQLITE_OK)
		code = sqlite3_exec(rows->db, "COMMIT", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		return 0;
	err = fail(rows, code, error);
	sqlite3_exec(rows->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

static int rows_write(struct rows *rows, const struct row *added, size_t count,
		      const struct cursor_position *position,
		      char ret_error[static ROWS_ERROR_ROOM])
{
	int code = begin(rows);

	for (size_t i = 0; code == SQLITE_OK && i < count; i++) {
		bind_values(rows->prepared[ADD], added[i].values, added[i].line);
		code = run(rows->prepared[ADD]);
	}
	if (code == SQLITE_OK)
		code = set_position(rows, position);
	return finish(rows, code, ret_error);
}

/* ---- keeping ---- */

static void bind_limits(sqlite3_stmt *statement, const char *before, unsigned limit)
{
	sqlite3_bind_text(statement, 1, before, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, limit);
}

static int rows_expire(struct rows *rows, wall_ms before, unsigned limit,
		       char ret_error[static ROWS_ERROR_ROOM])
{
	char text[CLOCK_TEXT_ROOM];
	int code;

	clock_wall_text(before, text);
	bind_limits(rows->prepared[EXPIRE], text, limit);
	code = run(rows->prepared[EXPIRE]);
	return code == SQLITE_OK ? sqlite3_changes(rows->db) : fail(rows, code, ret_error);
}

static int mask_one(struct rows *rows, const char *line)
{
	struct str masked = { 0 };
	struct row row = { 0 };
	int code = SQLITE_NOMEM;

	json_mask(&masked, line);
	if (!masked.failed && row_parse(&row, masked.text) == 0) {
		bind_values(rows->prepared[MASK], row.values, row.line);
		code = run(rows->prepared[MASK]);
	}
	row_done(&row);
	str_done(&masked);
	return code;
}

static int rows_mask(struct rows *rows, wall_ms before, unsigned limit,
		     char ret_error[static ROWS_ERROR_ROOM])
{
	sqlite3_stmt *unmasked = rows->prepared[UNMASKED];
	char text[CLOCK_TEXT_ROOM];
	int code = begin(rows), step = SQLITE_DONE, masked = 0, err;

	clock_wall_text(before, text);
	if (code == SQLITE_OK) {
		bind_limits(unmasked, text, limit);
		step = sqlite3_step(unmasked);
	}
	/* A row that is masked is no more what is asked for; the statement has its own
	 * view of the index and may see one twice, which changes nothing. */
	for (; code == SQLITE_OK && step == SQLITE_ROW; masked++) {
		code = mask_one(rows, (const char *)sqlite3_column_text(unmasked, 0));
		if (code == SQLITE_OK)
			step = sqlite3_step(unmasked);
	}
	sqlite3_reset(unmasked);
	sqlite3_clear_bindings(unmasked);
	if (code == SQLITE_OK && step != SQLITE_DONE)
		code = step;
	err = finish(rows, code, ret_error);
	return err ? err : masked;
}

const struct rows_ops rows_sqlite = {
	.name = "sqlite",
	.open = rows_open,
	.close = rows_close,
	.write = rows_write,
	.expire = rows_expire,
	.mask = rows_mask,
};
