/* SPDX-License-Identifier: Apache-2.0 */
/* rows_postgres.c - rows in a PostgreSQL database that several daemons may share.
 *
 * Rows cross as one JSON array, which the server takes apart by the table's own columns:
 * one statement a batch, whatever its size.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/json_mask.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/str.h"
#include "records/rows.h"
#include "sql/postgres.h"

#define TABLES_VERSION 1
#define PATIENCE_MS    3000 /* for one statement; the thread has other things to do */

struct rows {
	struct pg *pg;
	char *source;
	char *add, *mask; /* statements, from the table of columns */
};

static struct metric refused_total =
	METRIC_COUNTER_INIT("breakout_records_refused_total", NULL,
			    "Records whose values the database does not take as a row");

static mono_ms deadline(void)
{
	return clock_now() + PATIENCE_MS;
}

static int fail(const struct rows *rows, int err, char error[static ROWS_ERROR_ROOM])
{
	if (err == -ENOMEM)
		return err;
	snprintf(error, ROWS_ERROR_ROOM, "%s", pg_error(rows->pg));
	return -EIO;
}

/* ---- the statements ---- */

static const char *type_of(const struct row_column *column)
{
	switch (column->kind) {
	case ROW_TEXT:
		return "text";
	case ROW_TIME:
		return "timestamptz";
	case ROW_INTEGER:
		return "bigint";
	}
	return "";
}

/* A script is one transaction; the lock lets one daemon at a time make the tables. */
static char *tables_sql(void)
{
	struct str sql = { 0 };

	str_add(&sql, "SELECT pg_advisory_xact_lock(7367629);"
		      "DO $$ BEGIN IF to_regnamespace('breakout') IS NULL THEN"
		      " CREATE SCHEMA breakout; END IF; END $$;"
		      "CREATE TABLE IF NOT EXISTS breakout.records(");
	for (size_t i = 0; i < ROW_COLUMN_COUNT; i++)
		str_addf(&sql, "%s %s%s, ", row_columns[i].name, type_of(&row_columns[i]),
			 i == 0 ? " PRIMARY KEY" : "");
	str_add(&sql,
		"written_by text NOT NULL, masked boolean NOT NULL DEFAULT false,"
		" record json NOT NULL);"
		"CREATE INDEX IF NOT EXISTS records_started ON breakout.records(started_at);"
		"CREATE INDEX IF NOT EXISTS records_number"
		" ON breakout.records(number, started_at);"
		"CREATE INDEX IF NOT EXISTS records_unmasked"
		" ON breakout.records(started_at) WHERE NOT masked;"
		"CREATE TABLE IF NOT EXISTS breakout.records_position("
		" source text PRIMARY KEY, head text NOT NULL, byte bigint NOT NULL,"
		" changed bigint NOT NULL);"
		"CREATE TABLE IF NOT EXISTS breakout.records_version("
		" one boolean PRIMARY KEY DEFAULT true CHECK (one), version integer NOT NULL);");
	str_addf(&sql,
		 "INSERT INTO breakout.records_version(version) VALUES(%d)"
		 " ON CONFLICT DO NOTHING;",
		 TABLES_VERSION);
	return str_take(&sql);
}

/* "id, started_at, ..., written_by, record" */
static void add_names(struct str *sql)
{
	for (size_t i = 0; i < ROW_COLUMN_COUNT; i++)
		str_addf(sql, "%s, ", row_columns[i].name);
	str_add(sql, "written_by, record");
}

/* Rows and the position in one statement, which is all or nothing. */
static char *add_sql(void)
{
	struct str sql = { 0 };

	str_add(&sql, "WITH added AS (INSERT INTO breakout.records(");
	add_names(&sql);
	str_add(&sql, ") SELECT ");
	add_names(&sql);
	str_add(&sql, " FROM json_populate_recordset(NULL::breakout.records, $1::json)"
		      " ON CONFLICT (id) DO NOTHING)"
		      " INSERT INTO breakout.records_position(source, head, byte, changed)"
		      " VALUES($2, $3, $4::bigint, $5::bigint) ON CONFLICT (source) DO UPDATE SET"
		      " head = EXCLUDED.head, byte = EXCLUDED.byte, changed = EXCLUDED.changed");
	return str_take(&sql);
}

static char *mask_sql(void)
{
	struct str sql = { 0 };

	str_add(&sql, "UPDATE breakout.records AS r SET masked = true, record = g.record");
	for (size_t i = 1; i < ROW_COLUMN_COUNT; i++)
		str_addf(&sql, ", %s = g.%s", row_columns[i].name, row_columns[i].name);
	str_add(&sql, " FROM json_populate_recordset(NULL::breakout.records, $1::json) AS g"
		      " WHERE r.id = g.id");
	return str_take(&sql);
}

/* ---- rows as JSON ---- */

static void add_row(struct str *json, const struct row *row, const char *source)
{
	str_add(json, json->length > 1 ? ",{" : "{");
	for (size_t i = 0; i < ROW_COLUMN_COUNT; i++) {
		const struct row_value *value = &row->values[i];

		if (value->null)
			continue; /* what is not there is null */
		str_addf(json, "\"%s\":", row_columns[i].name);
		if (row_columns[i].kind == ROW_INTEGER)
			str_addf(json, "%lld", value->number);
		else
			str_add_json(json, value->text);
		str_add(json, ",");
	}
	str_add(json, "\"written_by\":");
	str_add_json(json, source);
	str_addf(json, ",\"record\":%s}", row->line);
}

static char *rows_json(const struct row *rows, size_t count, const char *source)
{
	struct str json = { 0 };

	str_add(&json, "[");
	for (size_t i = 0; i < count; i++)
		add_row(&json, &rows[i], source);
	str_add(&json, "]");
	return str_take(&json);
}

/* ---- opening ---- */

static struct rows *rows_close(struct rows *rows)
{
	if (!rows)
		return NULL;
	pg_destroy(rows->pg);
	free(rows->source);
	free(rows->add);
	free(rows->mask);
	free(rows);
	return NULL;
}

/* Rights to create are needed once only. */
static int make_tables(struct rows *rows)
{
	struct pg_rows *answer;
	char *script;
	bool there;
	int err = pg_exec(rows->pg, "SELECT to_regclass('breakout.records_version') IS NOT NULL",
			  NULL, 0, deadline(), &answer);

	if (err)
		return err;
	there = pg_bool(answer, 0, 0);
	pg_rows_destroy(answer);
	if (there)
		return 0;
	script = tables_sql();
	err = script ? pg_script(rows->pg, script, deadline()) : -ENOMEM;
	free(script);
	return err;
}

static int check_version(struct rows *rows, char error[static ROWS_ERROR_ROOM])
{
	struct pg_rows *answer;
	int64_t version;
	int err = pg_exec(rows->pg, "SELECT version FROM breakout.records_version", NULL, 0,
			  deadline(), &answer);

	if (err)
		return fail(rows, err, error);
	version = pg_row_count(answer) ? pg_int(answer, 0, 0) : 0;
	pg_rows_destroy(answer);
	if (version <= TABLES_VERSION)
		return 0;
	snprintf(error, ROWS_ERROR_ROOM,
		 "its tables have version %" PRId64
		 " and were written by a newer program, this one "
		 "knows %d",
		 version, TABLES_VERSION);
	return -EIO;
}

static bool names_column(const struct pg_rows *names, const char *name)
{
	for (size_t i = 0; i < pg_row_count(names); i++)
		if (!strcmp(pg_text(names, i, 0), name))
			return true;
	return false;
}

/* NULL: they are all there, or there is no memory. */
static char *missing_sql(const struct pg_rows *names)
{
	struct str sql = { 0 };

	for (size_t i = 0; i < ROW_COLUMN_COUNT; i++)
		if (!names_column(names, row_columns[i].name))
			str_addf(&sql,
				 "%sALTER TABLE breakout.records ADD COLUMN IF NOT EXISTS %s %s;",
				 sql.length ? "" : "SELECT pg_advisory_xact_lock(7367629);",
				 row_columns[i].name, type_of(&row_columns[i]));
	return sql.length ? str_take(&sql) : NULL;
}

/* A table of a program before has fewer: rows of then have nothing in what is new, and a
 * daemon of then goes on without. */
static int add_missing(struct rows *rows)
{
	struct pg_rows *names;
	char *script;
	int err = pg_exec(rows->pg,
			  "SELECT attname FROM pg_attribute WHERE attrelid ="
			  " 'breakout.records'::regclass AND attnum > 0 AND NOT attisdropped",
			  NULL, 0, deadline(), &names);

	if (err)
		return err;
	script = missing_sql(names);
	pg_rows_destroy(names);
	err = script ? pg_script(rows->pg, script, deadline()) : 0;
	free(script);
	return err;
}

static int read_position(struct rows *rows, struct cursor_position *ret_position)
{
	const char *const params[] = { rows->source };
	struct pg_rows *answer;
	int err = pg_exec(rows->pg,
			  "SELECT head, byte, changed FROM breakout.records_position"
			  " WHERE source = $1",
			  params, 1, deadline(), &answer);

	if (err)
		return err;
	*ret_position = (struct cursor_position){ 0 };
	if (pg_row_count(answer)) {
		snprintf(ret_position->head, sizeof(ret_position->head), "%s",
			 pg_text(answer, 0, 0));
		ret_position->offset = pg_int(answer, 0, 1);
		ret_position->changed = pg_int(answer, 0, 2);
	}
	pg_rows_destroy(answer);
	return 0;
}

static int reach(struct rows *rows, struct cursor_position *ret_position,
		 char error[static ROWS_ERROR_ROOM])
{
	int err = pg_connect(rows->pg, deadline());

	if (!err)
		err = make_tables(rows);
	if (err)
		return fail(rows, err, error);
	err = check_version(rows, error);
	if (err)
		return err;
	err = add_missing(rows);
	if (!err)
		err = read_position(rows, ret_position);
	return err ? fail(rows, err, error) : 0;
}

static int rows_open(struct rows **ret_rows, const struct rows_where *where,
		     struct cursor_position *ret_position, char ret_error[static ROWS_ERROR_ROOM])
{
	struct rows *rows = calloc(1, sizeof(*rows));
	int err;

	if (!rows)
		return -ENOMEM;
	rows->source = strdup(where->source);
	rows->add = add_sql();
	rows->mask = mask_sql();
	err = pg_create(&rows->pg, where->database, where->password_file);
	if (!err && (!rows->source || !rows->add || !rows->mask))
		err = -ENOMEM;
	if (!err)
		err = reach(rows, ret_position, ret_error);
	if (err) {
		rows_close(rows);
		return err;
	}
	*ret_rows = rows;
	return 0;
}

/* ---- writing ---- */

static int add(struct rows *rows, const struct row *added, size_t count,
	       const struct cursor_position *position)
{
	char offset[PG_INT_ROOM], changed[PG_INT_ROOM];
	char *json = rows_json(added, count, rows->source);
	const char *const params[] = { json, rows->source, position->head,
				       pg_number(offset, position->offset),
				       pg_number(changed, position->changed) };
	int err = -ENOMEM;

	if (json)
		err = pg_exec(rows->pg, rows->add, params, ARRAY_SIZE(params), deadline(), NULL);
	free(json);
	return err;
}

/* One of them has a value that fits no column: the others go in, each by itself, with the
 * position of before, then the position moves over all. */
static int add_singly(struct rows *rows, const struct row *added, size_t count,
		      const struct cursor_position *position)
{
	struct cursor_position before;
	int err = read_position(rows, &before);

	for (size_t i = 0; !err && i < count; i++) {
		err = add(rows, &added[i], 1, &before);
		if (err != -EPROTO || !pg_bad_data(rows->pg))
			continue;
		metric_add(&refused_total, 1);
		log_error("records",
			  "records.postgres takes no row of the call %s: %s; it stays "
			  "in the file of records",
			  added[i].values[0].text, pg_error(rows->pg));
		err = 0;
	}
	return err ? err : add(rows, NULL, 0, position);
}

static int rows_write(struct rows *rows, const struct row *added, size_t count,
		      const struct cursor_position *position,
		      char ret_error[static ROWS_ERROR_ROOM])
{
	int err = add(rows, added, count, position);

	if (err == -EPROTO && pg_bad_data(rows->pg))
		err = add_singly(rows, added, count, position);
	return err ? fail(rows, err, ret_error) : 0;
}

/* ---- keeping ---- */

/* Rows of all daemons, also of those that are gone; who else does it passes over ours. */
static int rows_expire(struct rows *rows, wall_ms before, unsigned limit,
		       char ret_error[static ROWS_ERROR_ROOM])
{
	char text[CLOCK_TEXT_ROOM], most[PG_INT_ROOM];
	const char *const params[] = { text, pg_number(most, limit) };
	struct pg_rows *answer;
	int err, count;

	clock_wall_text(before, text);
	err = pg_exec(rows->pg,
		      "DELETE FROM breakout.records WHERE id IN (SELECT id FROM breakout.records"
		      " WHERE started_at < $1::timestamptz LIMIT $2::bigint"
		      " FOR UPDATE SKIP LOCKED)",
		      params, ARRAY_SIZE(params), deadline(), &answer);
	if (err)
		return fail(rows, err, ret_error);
	count = (int)pg_affected(answer);
	pg_rows_destroy(answer);
	return count;
}

/* Adds the record with its numbers masked. */
static int add_masked(struct str *json, const char *line, const char *source)
{
	struct str masked = { 0 };
	struct row row = { 0 };
	int err = -ENOMEM;

	json_mask(&masked, line);
	if (!masked.failed)
		err = row_parse(&row, masked.text);
	if (!err)
		add_row(json, &row, source);
	row_done(&row);
	str_done(&masked);
	return err == -EINVAL ? 0 : err; /* of another program: it is not ours to mask */
}

static int mask_all(struct rows *rows, const struct pg_rows *unmasked)
{
	struct str json = { 0 };
	char *text;
	int err = 0;

	str_add(&json, "[");
	for (size_t i = 0; !err && i < pg_row_count(unmasked); i++)
		err = add_masked(&json, pg_text(unmasked, i, 0), rows->source);
	str_add(&json, "]");
	text = str_take(&json);
	if (!err)
		err = text ? pg_exec(rows->pg, rows->mask, (const char *const[]){ text }, 1,
				     deadline(), NULL)
			   : -ENOMEM;
	free(text);
	return err;
}

/* Two daemons may mask the same row: the outcome is the same. */
static int rows_mask(struct rows *rows, wall_ms before, unsigned limit,
		     char ret_error[static ROWS_ERROR_ROOM])
{
	char text[CLOCK_TEXT_ROOM], most[PG_INT_ROOM];
	const char *const params[] = { text, pg_number(most, limit) };
	struct pg_rows *unmasked;
	int err, count = 0;

	clock_wall_text(before, text);
	err = pg_exec(rows->pg,
		      "SELECT record FROM breakout.records WHERE NOT masked"
		      " AND started_at < $1::timestamptz ORDER BY started_at LIMIT $2::bigint",
		      params, ARRAY_SIZE(params), deadline(), &unmasked);
	if (err)
		return fail(rows, err, ret_error);
	count = (int)pg_row_count(unmasked);
	if (count)
		err = mask_all(rows, unmasked);
	pg_rows_destroy(unmasked);
	return err ? fail(rows, err, ret_error) : count;
}

const struct rows_ops rows_postgres = {
	.name = "postgres",
	.open = rows_open,
	.close = rows_close,
	.write = rows_write,
	.expire = rows_expire,
	.mask = rows_mask,
};
