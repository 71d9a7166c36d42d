/* SPDX-License-Identifier: Apache-2.0 */
/* consent_deleted.h - which consents that were taken back the core has deleted by now, on
 * their way to the record: those of one turn are written together, as one write waits for
 * the disk, or for a database that may be far away. The row of what the core was told goes
 * later (keeper_flush()): of a process that dies in between the next one deletes again. A
 * write whose answer was lost is repeated, and may be there twice with the same time.
 *
 * Threads: the registrar's.
 */
#ifndef BREAKOUT_REGISTRAR_CONSENT_DELETED_H
#define BREAKOUT_REGISTRAR_CONSENT_DELETED_H

#include "registrar/consent_store.h"

struct consent_deleted {
	struct consent_deletion *list; /* own */
	size_t count, room;
	mono_ms due; /* when they are to be written; 0: there are none */
};

void consent_deleted_done(struct consent_deleted *deleted);
/* The core has deleted it. Numbers that no consent was taken back of are no matter of this.
 * 0 or -ENOMEM. */
int consent_deleted_add(struct consent_deleted *deleted, struct consent_store *store,
			uint64_t number) MUST_CHECK;
/* Some thousands of them. 0, or -EIO: they are kept, and due again in `retry_ms`. */
int consent_deleted_write(struct consent_deleted *deleted, struct consent_store *store,
			  mono_ms retry_ms) MUST_CHECK;

#endif
