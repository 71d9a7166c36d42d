/* SPDX-License-Identifier: Apache-2.0 */
/* order_file.h - what an operator ordered, in the file of store.h, by a connection of its own.
 *
 * What added_store_sqlite.c and pause_store_sqlite.c have in common. Threads: one at a time.
 */
#ifndef BREAKOUT_REGISTRAR_ORDER_FILE_H
#define BREAKOUT_REGISTRAR_ORDER_FILE_H

#include "sql/sqlite.h"

#define ORDER_FILE_STATEMENTS_MAX 6

struct order_file_kind {
	const char *what;   /* that is ordered, in the log: "pauses" */
	const char *tables; /* statements that make them; NULL: they are there */
	const char *const *statements;
	size_t statement_count;
};

struct order_file {
	const struct order_file_kind *kind; /* borrowed */
	sqlite3 *db;
	sqlite3_stmt *prepared[ORDER_FILE_STATEMENTS_MAX]; /* by the kind's order */
};

/* The file exists and is sound: store_open() has seen to that. 0 or -EIO (logged); ended by
 * order_file_done() whatever comes of it. */
int order_file_init(struct order_file *file, const struct order_file_kind *kind,
		    const char *path) MUST_CHECK;
void order_file_done(struct order_file *file);

/* As sql_each(). 0, -EIO (logged) or what `visit` returned. */
int order_file_read(struct order_file *file, const char *text,
		    int (*visit)(sqlite3_stmt *row, void *arg), void *arg) MUST_CHECK;

/* Logs that they cannot be read, written ... in the store, and why. -EIO. */
int order_file_failed(const struct order_file *file, const char *doing);

#endif
