/* SPDX-License-Identifier: Apache-2.0 */
/* consent_store.h - who has consented, on disk, and the record of how it came.
 *
 * Unlike what store.h keeps, nobody tells this a second time: an event that is
 * acknowledged is gone at the core. So a commit waits for the disk, and what was
 * taken back stays as a row, so that an older event that comes late finds it.
 *
 * Threads: the registrar's (before it starts: its creator's).
 */
#ifndef BREAKOUT_REGISTRAR_CONSENT_STORE_H
#define BREAKOUT_REGISTRAR_CONSENT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/macros.h"

struct consent_store; /* opaque */
struct consent_share; /* consent_share.h */

#define CONSENT_ID_ROOM 256 /* a subscription's name; longer ones are cut alike everywhere */

/* A number's consent has come or gone. */
typedef void consent_effect_fn(uint64_t number, bool given, void *arg);

/* In a file that store_open() has made. `effect` hears of every change, inside the
 * transaction that writes it. 0, -ENOMEM or, with the reason logged, -EIO. */
int consent_store_open(struct consent_store **ret_store, const char *path,
		       consent_effect_fn *effect, void *arg) MUST_CHECK;
/* A fleet's: in memory, and durable by `share` (borrowed). 0, -ENOMEM or -EIO (logged). */
int consent_store_share(struct consent_store **ret_store, struct consent_share *share,
			consent_effect_fn *effect, void *arg) MUST_CHECK;
struct consent_store *consent_store_close(struct consent_store *store);

/* A random name that lasts as long as the file: a new file is a new reader of the
 * core's events. Borrowed. */
const char *consent_store_name(const struct consent_store *store);

/* A number's consent, as the database of a fleet has it. */
struct consent_row {
	uint64_t number;
	char id[CONSENT_ID_ROOM];
	bool given;
	wall_ms at, seen;
	int64_t serial; /* grows with each change */
};
/* What another node has written, unless we know better by now. `effect` hears of it. 0 or
 * -EIO. */
int consent_store_hear(struct consent_store *store, const char *name,
		       const struct consent_row *rows, size_t count) MUST_CHECK;

/* A line of the record. */
struct consent_note {
	wall_ms written;
	const char *number, *id, *what, *why, *event;
	wall_ms at;
};

/* All numbers with a consent, ascending. 0 or what `visit` returned, or -EIO. */
int consent_store_each(struct consent_store *store, int (*visit)(uint64_t number, void *arg),
		       void *arg) MUST_CHECK;
/* Whether this number has one now. */
bool consent_store_has(struct consent_store *store, uint64_t number);

/* All or nothing, durable once consent_store_commit() returned 0. -EIO: rolled
 * back, with the reason in ret_error (valid until the next call). */
int consent_store_begin(struct consent_store *store, const char **ret_error) MUST_CHECK;
int consent_store_commit(struct consent_store *store, const char **ret_error) MUST_CHECK;

enum consent_kind { CONSENT_ADDED, CONSENT_UPDATED, CONSENT_REVOKED };

struct consent_change {
	enum consent_kind kind;
	uint64_t number;   /* 0: as the subscription is known */
	const char *id;    /* the subscription; "" if the core does not say */
	const char *event; /* how the core names the event */
	wall_ms at;        /* when it happened over there */
};

/* Takes one event in, whatever came before or twice. Errors are kept for the
 * commit. Inside a transaction. */
void consent_store_apply(struct consent_store *store, const struct consent_change *change);

/* ---- the list of all consents ---- */

/* Subscriptions of a list that has begun anew, or one more of it. 0 or -EIO. */
int consent_store_list_begin(struct consent_store *store, wall_ms now) MUST_CHECK;
int consent_store_list_add(struct consent_store *store, const char *id) MUST_CHECK;

struct consent_verdict {
	size_t listed;
	size_t missing;   /* known, and not in the list */
	size_t unsettled; /* their last event is too fresh to be judged by this list */
	size_t returned;  /* taken back as far as we knew, and in the list */
	size_t unknown;   /* in the list, and no event has told the number */
	bool held;        /* more were missing than `at_most`: nothing was taken */
};
/* The list is complete: takes the consents that are missing, unless they are more
 * than `at_most`, and gives those that are back. Inside a transaction. */
void consent_store_list_apply(struct consent_store *store, size_t at_most,
			      struct consent_verdict *ret_verdict);

/* ---- the record ---- */

/* Whether there was a consent of this number, and is none any more. */
bool consent_store_took_back(struct consent_store *store, uint64_t number);
struct consent_deletion {
	uint64_t number;
	wall_ms at;
};
/* The core confirmed that it has deleted the registrations of these, whose consent was
 * taken back: all of them in one transaction. 0 or -EIO. */
int consent_store_note_deleted(struct consent_store *store, const struct consent_deletion *list,
			       size_t count) MUST_CHECK;
/* Drops what was taken back or recorded before. */
void consent_store_forget(struct consent_store *store, wall_ms before);

#endif
