/* SPDX-License-Identifier: Apache-2.0 */
/* row.h - inside of records: a record as a row of a table, whatever database has it.
 *
 * One table says which columns there are and where each comes from; the databases and
 * the CSV of breakoutctl take theirs from it.
 */
#ifndef BREAKOUT_RECORDS_ROW_H
#define BREAKOUT_RECORDS_ROW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/macros.h"
#include "base/str.h"

enum row_kind { ROW_TEXT, ROW_TIME, ROW_INTEGER }; /* ROW_TIME: as the record writes it */

struct row_column {
	const char *name;
	const char *member; /* of the record; "a.codec": of an object in it */
	enum row_kind kind;
};
#define ROW_COLUMN_COUNT 34
extern const struct row_column row_columns[ROW_COLUMN_COUNT]; /* the first is the key */
#define ROW_STARTED 1                                         /* the index of started_at */

struct row_value {
	const char *text; /* borrowed; NULL: null, or an integer */
	long long number;
	bool null;
};

struct row {
	json_t *record; /* own */
	char *line;     /* own: the whole record */
	struct row_value values[ROW_COLUMN_COUNT];
};

/* 0, -ENOMEM, or -EINVAL: `line` is no record (no JSON object, or without an id). */
int row_parse(struct row *ret_row, const char *line) MUST_CHECK;
void row_done(struct row *row); /* fine if zero-initialised */
/* A text as a cell of CSV (RFC 4180 section 2). One that a spreadsheet would take for a
 * formula gets an apostrophe before it; a number with its plus is none and stays. */
void row_add_csv(struct str *csv, const char *text);
void row_fill(struct row_value values[static ROW_COLUMN_COUNT], const json_t *record);

#endif
