/* SPDX-License-Identifier: Apache-2.0 */
/* vigil.h - who speaks to the core for a store, and a sign of the daemon's life.
 *
 * One file beside the store, "<store>.alive". The daemon locks its first byte for as
 * long as it lives; its second byte is locked by who speaks to the core, the daemon or,
 * when that is dead, the watchdog: never both. What the file says is when the daemon
 * last gave a sign of life. The kernel takes locks away from who dies (fcntl(2), open
 * file description locks).
 *
 * Threads: the caller's; vigil_beat() from any.
 */
#ifndef BREAKOUT_REGISTRAR_VIGIL_H
#define BREAKOUT_REGISTRAR_VIGIL_H

#include <stdbool.h>
#include <sys/types.h>
#include "base/clock.h"
#include "base/macros.h"

struct vigil; /* opaque */

enum vigil_phase { VIGIL_STARTING, VIGIL_SERVING, VIGIL_STOPPING };

/* The daemon's part. Waits for at most `wait_ms` until a watchdog has let go. 0, -EBUSY
 * (another daemon has this store), -ETIMEDOUT (the watchdog does not let go), -ENOMEM,
 * or why the file cannot be made. */
int vigil_keep(struct vigil **ret_vigil, const char *store, unsigned wait_ms) MUST_CHECK;
/* From a daemon that hands over: the descriptor that has its locks, still the vigil's, and
 * in the daemon that takes over the vigil made of it, which takes it. At no moment is the
 * store nobody's. NULL: no memory, or it is -1; then it is closed. */
int vigil_descriptor(const struct vigil *vigil);
struct vigil *vigil_adopt(int take_fd);

/* A sign of life; after one that says STOPPING there is no other. A file that cannot be
 * written is said once. */
void vigil_beat(struct vigil *vigil, enum vigil_phase phase, mono_ms now);

/* The watchdog's. 0, -EBUSY (somebody speaks to the core), -ENOMEM, or why the file
 * cannot be made. */
int vigil_stand_in(struct vigil **ret_vigil, const char *store) MUST_CHECK;

struct vigil *vigil_leave(struct vigil *vigil); /* NULL is fine; returns NULL */

struct vigil_sign {
	bool alive; /* a daemon has the store */
	/* What it said last; a dead one's too: */
	enum vigil_phase phase;
	pid_t pid;    /* 0: nothing was ever said */
	mono_ms beat; /* of this boot, if it is alive */
};
void vigil_look(const char *store, struct vigil_sign *ret_sign);

#endif
