/* SPDX-License-Identifier: Apache-2.0 */
/* pause_store.h - the pauses an operator ordered, kept in the file of store.h by a
 * connection of their own.
 *
 * Threads: one at a time, under the lock of pauses.c.
 */
#ifndef BREAKOUT_REGISTRAR_PAUSE_STORE_H
#define BREAKOUT_REGISTRAR_PAUSE_STORE_H

#include "registrar/registrar.h"

struct pause_store; /* opaque */

/* Anything but 0 ends the reading and is returned. */
typedef int pause_visit_fn(const struct reg_pause *pause, void *arg);

/* The file exists and is sound: store_open() has seen to that. All pauses are handed to
 * `visit`. 0, -ENOMEM, -EIO (the reason is logged) or what `visit` returned. */
int pause_store_open(struct pause_store **ret_store, const char *path, pause_visit_fn *visit,
		     void *arg) MUST_CHECK;
struct pause_store *pause_store_close(struct pause_store *store);

/* Written to the disk when it returns. 0 or -EIO (logged). */
int pause_store_put(struct pause_store *store, const struct reg_pause *pause) MUST_CHECK;
int pause_store_drop(struct pause_store *store, enum pause_scope scope, const char *what);

#endif
