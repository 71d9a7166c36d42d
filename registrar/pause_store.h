/* SPDX-License-Identifier: Apache-2.0 */
/* pause_store.h - the pauses an operator ordered, where they outlive the process.
 *
 * Two kinds: the file of store.h, by a connection of its own (pause_store_sqlite.c), and
 * the database a fleet shares (pause_store_postgres.c), which all nodes write and read.
 *
 * Threads: one at a time, whoever gives an order; pauses_look() is the fleet's.
 */
#ifndef BREAKOUT_REGISTRAR_PAUSE_STORE_H
#define BREAKOUT_REGISTRAR_PAUSE_STORE_H

#include "registrar/registrar.h"

struct pg;
struct pause_store; /* see the end: opaque to those who use one */

/* Anything but 0 ends the reading and is returned. */
typedef int pause_visit_fn(const struct reg_pause *pause, void *arg);

/* The file exists and is sound: store_open() has seen to that. All pauses are handed to
 * `visit`. 0, -ENOMEM, -EIO (the reason is logged) or what `visit` returned. */
int pause_store_open(struct pause_store **ret_store, const char *path, pause_visit_fn *visit,
		     void *arg) MUST_CHECK;
/* Of a fleet. Does not connect: each order does. 0 or -ENOMEM. */
int pause_store_share(struct pause_store **ret_store,
		      const struct config_postgres *config) MUST_CHECK;
struct pause_store *pause_store_close(struct pause_store *store);

/* It outlives the process when it returns. 0 or -EIO (logged). */
int pause_store_put(struct pause_store *store, const struct reg_pause *pause) MUST_CHECK;
int pause_store_drop(struct pause_store *store, enum pause_scope scope, const char *what);
/* Others write it too: who reads it now and then finds what they ordered. */
bool pause_store_shared(const struct pause_store *store);

/* ---- what a fleet's database holds, by the fleet's own connection ---- */

/* Two looks at the same pauses have the same mark. */
struct pause_mark {
	bool known;
	int64_t count, serial;
};
/* 0, or as pg_exec(). */
int pauses_look(struct pg *pg, mono_ms deadline, struct pause_mark *ret_mark) MUST_CHECK;
/* ret_list: the caller's, with free(). Also -ENOMEM. */
int pauses_read(struct pg *pg, mono_ms deadline, struct reg_pause **ret_list,
		size_t *ret_count) MUST_CHECK;

/* ---- for the files of the two kinds ---- */

struct pause_store_ops {
	struct pause_store *(*close)(struct pause_store *store);
	int (*put)(struct pause_store *store, const struct reg_pause *pause);
	int (*drop)(struct pause_store *store, enum pause_scope scope, const char *what);
	bool shared;
};

/* First member of each kind. */
struct pause_store {
	const struct pause_store_ops *ops;
};

#endif
