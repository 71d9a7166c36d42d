/* SPDX-License-Identifier: Apache-2.0 */
/* traced.h - the door to tas/traced: numbers whose calls are kept in full, on disk.
 *
 * An operator orders a number to be traced, for a time and perhaps for so many calls.
 * Every call that names it (the registered number, or the user part of request URI,
 * From or To) is then written to a file of its own as it happens, however much the ring
 * of messages forgets. The orders are kept in the same folder: they survive restarts of
 * both kinds, and end by themselves.
 *
 * What is kept is bounded: the oldest calls give way, one call may have a quarter of the
 * room, and what the disk is too slow for is left out and counted. Files and folder are
 * for the owner alone. As in the ring, keys and proofs of passwords are not in them.
 *
 * Threads: create, destroy and the trace's pieces on the SIP thread; orders and reading
 * on any other one, they wait for the disk; a thread of its own writes.
 */
#ifndef BREAKOUT_TAS_TRACED_TRACED_H
#define BREAKOUT_TAS_TRACED_TRACED_H

#include "base/clock.h"
#include "base/e164.h"
#include "base/macros.h"
#include "config/config.h"
#include "tas/sip/trace.h"

#define TRACED_NUMBERS_MAX 64
#define TRACED_WHO_ROOM    64

struct traced; /* opaque */

struct traced_order {
	char number[E164_ROOM];
	char who[TRACED_WHO_ROOM]; /* gave it; no space in it */
	wall_ms since, until;
	unsigned calls; /* it ends after; 0: by time only */
	unsigned seen;  /* calls so far */
};

/* Follows what `trace` hears until it is destroyed. Nothing is made on disk before the
 * first order. 0, -ENOMEM or -EAGAIN (no thread). */
int traced_create(struct traced **ret_traced, struct sip_trace *trace,
		  const struct config_trace *config) MUST_CHECK;
struct traced *traced_destroy(struct traced *traced); /* NULL fine; writes what waits */

/* An order for the same number is replaced. 0, -ENOSPC (too many numbers), or why the
 * order could not be written: then nothing has changed. */
int traced_on(struct traced *traced, const struct traced_order *order) MUST_CHECK;
/* number: NULL for all. Calls that are followed are so to their end. 0, -ENOENT, or as
 * above. */
int traced_off(struct traced *traced, const char *number, const char *who) MUST_CHECK;
/* Those in force, at most TRACED_NUMBERS_MAX. Returns how many. */
size_t traced_orders(struct traced *traced, struct traced_order *ret_orders);
const char *traced_dir(const struct traced *traced);

/* One call that is kept. */
struct traced_call {
	wall_ms began;
	char number[E164_ROOM]; /* it was kept for */
	char call[20];          /* our id; "" for an INVITE that no call came of */
	char call_id[128];      /* of the first dialog */
	size_t bytes;           /* on disk */
};
/* Oldest first. Returns how many. */
size_t traced_calls(struct traced *traced, void (*visit)(const struct traced_call *call, void *arg),
		    void *arg);
/* What is kept of a call, by its id or a Call-ID, in the order of time. Returns how many
 * entries. */
size_t traced_read(struct traced *traced, const char *call,
		   void (*visit)(const struct sip_trace_entry *entry, void *arg), void *arg);

#endif
