/* SPDX-License-Identifier: Apache-2.0 */
/* added_store.h - the numbers that were added while we run, where they outlive the process,
 * and the record of who added, changed and deleted them.
 *
 * Two kinds: the file of store.h, by a connection of its own (added_store_sqlite.c), and
 * the database a fleet shares (added_store_postgres.c), which all nodes write and read:
 *
 *   breakout.added         one a number; a deleted one stays for a year, so that all hear of it
 *   breakout.added_head    one row: the latest order's serial
 *   breakout.added_record  what happened, to whom, when and by whom
 *
 * Each order there takes the serial after the one that its node knows. One that was given up
 * and arrives late finds that another has taken it, and changes nothing.
 *
 * Threads: one at a time, whoever gives an order; added_page_read() is also the fleet's.
 */
#ifndef BREAKOUT_REGISTRAR_ADDED_STORE_H
#define BREAKOUT_REGISTRAR_ADDED_STORE_H

#include "registrar/added_set.h"

struct pg;
struct added_store; /* see the end: opaque to those who use one */

#define ADDED_KEEP_MS ((wall_ms)365 * 86400000) /* the record, and who was deleted */

/* A number as it is kept; the strings are borrowed for the call. */
struct added_row {
	uint64_t number;
	const char *service, *tenant, *who;
	wall_ms since;
	enum route_type route_type;
};
/* Anything but 0 ends the reading and is returned. */
typedef int added_visit_fn(const struct added_row *row, void *arg);

/* The file exists and has its tables: store_open() has seen to that. All numbers are handed
 * to `visit`, ascending. 0, -ENOMEM, -EIO (the reason is logged) or what `visit` returned. */
int added_store_open(struct added_store **ret_store, const char *path, added_visit_fn *visit,
		     void *arg) MUST_CHECK;
/* Of a fleet. Does not connect: each order does. 0 or -ENOMEM. */
int added_store_share(struct added_store **ret_store,
		      const struct config_postgres *config) MUST_CHECK;
struct added_store *added_store_close(struct added_store *store);

/* What an order does. */
struct added_batch {
	const struct added_set *set; /* of the steps' terms and names */
	const struct added_step *steps;
	size_t count;
	wall_ms at;
	const char *who;
	int64_t serial; /* a fleet's: the latest that is known here */
};
/* Durable when it returns 0. -EAGAIN: other nodes were faster, nothing is written. -ENOMEM, or
 * -EIO (logged). */
int added_store_write(struct added_store *store, const struct added_batch *batch) MUST_CHECK;

/* ---- a fleet's ---- */

/* What is known: all up to this one. */
struct added_cursor {
	int64_t serial, number;
};
struct added_page {
	struct pg_rows *rows; /* own */
	size_t count;         /* 0: nothing is new, up to `head` */
	int64_t head;         /* the latest serial */
};
/* The next ones, some thousands at most. 0, or as pg_exec(). */
int added_page_read(struct pg *pg, mono_ms deadline, const struct added_cursor *after,
		    struct added_page *ret_page) MUST_CHECK;
/* True: it was added; false: deleted. */
bool added_page_row(const struct added_page *page, size_t i, struct added_row *ret_row,
		    struct added_cursor *ret_cursor);
void added_page_done(struct added_page *page);

/* The connection for an order, until added_store_leave(); NULL: a file has none. 0 or -EIO
 * (logged). */
int added_store_connect(struct added_store *store, mono_ms deadline, struct pg **ret_pg) MUST_CHECK;
void added_store_leave(struct added_store *store);

/* ---- for the files of the two kinds ---- */

struct added_store_ops {
	struct added_store *(*close)(struct added_store *store);
	int (*write)(struct added_store *store, const struct added_batch *batch);
	int (*connect)(struct added_store *store, mono_ms deadline, struct pg **ret_pg);
	void (*leave)(struct added_store *store);
};

/* First member of each kind. */
struct added_store {
	const struct added_store_ops *ops;
};

#endif
