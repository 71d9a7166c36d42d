/* SPDX-License-Identifier: Apache-2.0 */
/* postgres.h - a connection to PostgreSQL that never waits longer than it may.
 *
 * Statements and their answers as text; what goes wrong on the way ends the
 * connection, and the next statement's sender makes a new one. postgres.c is the
 * only file that includes libpq.
 *
 * Threads: a link belongs to one thread; it blocks until its deadline.
 */
#ifndef BREAKOUT_SQL_POSTGRES_H
#define BREAKOUT_SQL_POSTGRES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/macros.h"
#include "base/str.h"

struct pg;      /* opaque: the link */
struct pg_rows; /* opaque: an answer */

/* `conninfo` is libpq's ("host=... dbname=..." or a URI); the password file's first
 * line, if there is one, is read at each connect. Does not connect. 0 or -ENOMEM. */
int pg_create(struct pg **ret_pg, const char *conninfo, const char *password_file) MUST_CHECK;
struct pg *pg_destroy(struct pg *pg);

/* Whether libpq can make something of it; else -EINVAL with its words in ret_error. */
int pg_check(const char *conninfo, char *ret_error, size_t room) MUST_CHECK;

/* 0, or -EIO with the reason in pg_error(). */
int pg_connect(struct pg *pg, mono_ms deadline) MUST_CHECK;
bool pg_connected(const struct pg *pg);
void pg_drop(struct pg *pg); /* the connection; without a word to the server */

/* One statement with $1 ... as texts (NULL: null). 0; -EPROTO when the server refuses
 * it (the link goes on); -EIO when there was no answer in time: whether it was carried
 * out is not known, and the connection is gone. ret_rows may be NULL; else the
 * caller's, pg_rows_destroy(). */
int pg_exec(struct pg *pg, const char *statement, const char *const *params, size_t count,
	    mono_ms deadline, struct pg_rows **ret_rows) MUST_CHECK;
/* Several at once, without parameters or answers. */
int pg_script(struct pg *pg, const char *statements, mono_ms deadline) MUST_CHECK;

const char *pg_error(const struct pg *pg); /* of the last failure, one line */
bool pg_lacks_rights(const struct pg *pg); /* it was a matter of rights: SQLSTATE 42501 */
bool pg_bad_data(const struct pg *pg);     /* of a parameter's value: SQLSTATE 22xxx, 23xxx */

size_t pg_row_count(const struct pg_rows *rows);
const char *pg_text(const struct pg_rows *rows, size_t row, size_t column); /* null: "" */
int64_t pg_int(const struct pg_rows *rows, size_t row, size_t column);      /* null: 0 */
bool pg_bool(const struct pg_rows *rows, size_t row, size_t column);
struct pg_rows *pg_rows_destroy(struct pg_rows *rows);

/* Rows a statement has changed. */
size_t pg_affected(const struct pg_rows *rows);

/* To wait for notifications in between: readable when pg_notified() has to look. -1:
 * not connected. True: there was one. A connection that has ended is dropped. */
int pg_fd(const struct pg *pg);
bool pg_notified(struct pg *pg);

/* A number as a parameter; returns `to`. */
#define PG_INT_ROOM 24
const char *pg_number(char to[static PG_INT_ROOM], int64_t value);

/* Array parameters: "{1,2}" or "{"a","b"}" under construction, closed by pg_array_end(). */
void pg_array_int(struct str *array, int64_t value);
void pg_array_text(struct str *array, const char *text);
void pg_array_end(struct str *array);

#endif
