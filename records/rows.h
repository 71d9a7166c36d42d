/* SPDX-License-Identifier: Apache-2.0 */
/* rows.h - inside of records: the door behind which a database keeps one row a call.
 *
 * Rows and the position up to which the file of records was read go to it in one
 * transaction, so that whatever happens each record is a row once.
 *
 * Threads: the room's.
 */
#ifndef BREAKOUT_RECORDS_ROWS_H
#define BREAKOUT_RECORDS_ROWS_H

#include "base/clock.h"
#include "records/cursor.h"
#include "records/row.h"

#define ROWS_ERROR_ROOM 256

struct rows; /* a database's own */

struct rows_where {
	const char *database;      /* a file, or how libpq is to connect */
	const char *password_file; /* NULL: none */
	const char *source;        /* whose file of records: several may share a database */
};

/* Errors: -EIO after putting a sentence into ret_error, or -ENOMEM. */
struct rows_ops {
	const char *name; /* "sqlite" */
	/* ret_position: zero if nothing was ever read. */
	int (*open)(struct rows **ret_rows, const struct rows_where *where,
		    struct cursor_position *ret_position, char ret_error[static ROWS_ERROR_ROOM]);
	struct rows *(*close)(struct rows *rows); /* NULL is fine; returns NULL */
	/* A row whose key is there already stays as it is. */
	int (*write)(struct rows *rows, const struct row *added, size_t count,
		     const struct cursor_position *position,
		     char ret_error[static ROWS_ERROR_ROOM]);
	/* Removes at most `limit` rows that started before `before`; returns how many, or an
	 * error. */
	int (*expire)(struct rows *rows, wall_ms before, unsigned limit,
		      char ret_error[static ROWS_ERROR_ROOM]);
	/* Masks the numbers of at most `limit` such rows; returns how many, or an error. */
	int (*mask)(struct rows *rows, wall_ms before, unsigned limit,
		    char ret_error[static ROWS_ERROR_ROOM]);
};

extern const struct rows_ops rows_sqlite, rows_postgres;

#endif
