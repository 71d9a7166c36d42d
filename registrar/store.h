/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - what the core was last told about each number, kept on disk.
 *
 * What is wanted comes from the configuration; the store only remembers what
 * has been said, so that a restart neither says it all again at once nor
 * forgets to take back what is no longer configured.
 *
 * Two kinds: a file of this process (store_sqlite.c), and the database a fleet
 * shares (store_postgres.c), whose rows come shard by shard (fleet.h).
 *
 * Threads: the registrar's (before it starts: its creator's).
 */
#ifndef BREAKOUT_REGISTRAR_STORE_H
#define BREAKOUT_REGISTRAR_STORE_H

#include "registrar/reg_table.h"

struct store; /* see the end: opaque to those who use one */

struct store_row {
	uint64_t number;
	const char *tenant;              /* whose core; "" for the default one; borrowed */
	const struct reg_params *params; /* what the core was told; borrowed */
	uint64_t core;                   /* at which, by keeper.h's name for it; 0: not known */
	wall_ms expires;                 /* when it forgets it */
	uint32_t ttl_s; /* as the core gave it; 0: it may hold something else by now */
	uint32_t shard; /* a fleet's: */
	uint64_t epoch; /* under which we own it */
};

/* One row of the file, in the order of numbers and tenants' names; rows with equal parameters give
 * the same pointer. Anything but 0 ends the reading and is returned. */
typedef int store_visit_fn(const struct store_row *row, void *arg);

/* Opens or makes the file and reads all rows. A file that is damaged is moved
 * aside with a line in the log, and an empty one takes its place.
 * Returns 0, -ENOMEM, -EIO (the reason is logged) or what `visit` returned. */
int store_open(struct store **ret_store, const char *path, store_visit_fn *visit,
	       void *arg) MUST_CHECK;
struct store *store_close(struct store *store);

/* Times in the store are the machine's monotonic ones plus an offset that stays the
 * same until the next reboot, whatever becomes of the wall clock. `offset` is the
 * one to take if this boot has none yet; afterwards the one that holds. True: rows
 * of this boot were written by it already. The file's only. */
bool store_anchor(struct store *store, const char *boot, wall_ms *offset);

/* What a batch of rows is for. */
enum store_purpose {
	STORE_NOTE, /* what has happened */
	STORE_AHEAD /* what is about to be said for the first time: only the configuration
		     * in force may */
};

/* Writes rows in one transaction; params NULL forgets the number there. All or
 * nothing: 0, or -EIO with the reason in ret_error (valid until the next call).
 * A fleet's: also -EPERM, when one of the shards is not ours under its epoch any
 * more or the configuration is not in force. */
int store_write(struct store *store, const struct store_row *rows, size_t count,
		enum store_purpose purpose, const char **ret_error) MUST_CHECK;

/* How many rows to write at a time, so that nothing else waits long. */
size_t store_batch(const struct store *store);

/* ---- for the files of the two kinds ---- */

struct store_ops {
	struct store *(*close)(struct store *store);
	int (*write)(struct store *store, const struct store_row *rows, size_t count,
		     enum store_purpose purpose, const char **ret_error);
	size_t batch;
};

/* First member of each kind. */
struct store {
	const struct store_ops *ops;
};

#endif
