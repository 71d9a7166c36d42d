/* SPDX-License-Identifier: Apache-2.0 */
/* consent_share.h - who has consented, in the database that a fleet shares.
 *
 * One node at a time writes: the one that keeps shard 0. It reads the core's stream and
 * list, and what they change is in the database, under the epoch of that shard, before
 * it counts or is acknowledged. All nodes read the rows with each look of a beat.
 *
 *   breakout.consent         one a number; `serial` grows with each change
 *   breakout.consent_record  what happened, to whom, when and why
 *   breakout.consent_reader  one row: our name at the core, and the last write's number
 *
 * Threads: the registrar's, which waits for a write for at most a second and a half, and not
 * again before the fleet reaches the database; consent_look() is the fleet's.
 */
#ifndef BREAKOUT_REGISTRAR_CONSENT_SHARE_H
#define BREAKOUT_REGISTRAR_CONSENT_SHARE_H

#include "config/config.h"
#include "registrar/consent_store.h"

struct consent_share; /* opaque */
struct pg;

/* Does not connect. 0 or -ENOMEM. */
int consent_share_create(struct consent_share **ret_share,
			 const struct config_postgres *config) MUST_CHECK;
struct consent_share *consent_share_destroy(struct consent_share *share);

/* How the fleet sees it. */
struct consent_lead {
	uint64_t session, epoch; /* ours keeps the shard under it, and may write; epoch 0: not */
	bool reachable;          /* else nothing is written, and nobody waits for it */
};
void consent_share_lead(struct consent_share *share, const struct consent_lead *lead);
/* Whether a write has waited in vain since the last call. */
bool consent_share_doubts(struct consent_share *share);

/* ---- a transaction of consent_store.c's ---- */

void consent_share_begin(struct consent_share *share);
/* Kept for the commit, which fails if there is no memory for it. */
void consent_share_put(struct consent_share *share, const struct consent_row *row);
void consent_share_record(struct consent_share *share, const struct consent_note *note);
/* 0 when it is durable; ret_serial: no row of it has a greater one. -EIO: whether it was
 * written is not known; ret_error is valid until the next call. */
int consent_share_commit(struct consent_share *share, int64_t *ret_serial,
			 const char **ret_error) MUST_CHECK;
/* The numbers it wrote, each once. */
size_t consent_share_written(const struct consent_share *share, size_t i, uint64_t *ret_number);

/* As of consent_store.h. */
int consent_share_note_deleted(struct consent_share *share, const struct consent_deletion *list,
			       size_t count) MUST_CHECK;
void consent_share_forget(struct consent_share *share, wall_ms before);

/* ---- a look ---- */

/* What others have written since; heap, for consent_news_destroy(). */
struct consent_news {
	char name[16]; /* our name at the core */
	struct consent_row *rows;
	size_t count;
	int64_t serial; /* of the last one; 0: there is none */
};
/* Those after `serial`, oldest first, some thousands at most; -1: all, and the name if
 * there are none. ret_news NULL: nothing new. 0, or as pg_exec(), or -ENOMEM. */
int consent_look(struct pg *pg, mono_ms deadline, int64_t serial,
		 struct consent_news **ret_news) MUST_CHECK;
struct consent_news *consent_news_destroy(struct consent_news *news);

#endif
