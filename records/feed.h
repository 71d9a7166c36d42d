/* SPDX-License-Identifier: Apache-2.0 */
/* feed.h - inside of records: from the file of records into a database, without haste
 * and without loss.
 *
 * A database that cannot be reached is tried again after a second, then after twice as
 * long each time, up to a minute; meanwhile the file keeps what is due.
 * Threads: the room's. Time is told by the caller.
 */
#ifndef BREAKOUT_RECORDS_FEED_H
#define BREAKOUT_RECORDS_FEED_H

#include "records/backoff.h"
#include "records/cursor.h"
#include "records/rows.h"

#define FEED_BATCH 500 /* records in one transaction */

struct feed {
	const struct rows_ops *ops;
	const char *spool;       /* borrowed, as what `where` names */
	struct rows_where where; /* database NULL: there is none */
	struct rows *rows;       /* NULL: not reached */
	struct cursor cursor;
	struct backoff backoff;
	struct row batch[FEED_BATCH];
};

/* True: there may be more at once. */
bool feed_work(struct feed *feed, mono_ms now);
/* Rows that are too old go, or lose their numbers; 0: none do. True as above. */
bool feed_keep(struct feed *feed, mono_ms now, wall_ms expire_before, wall_ms mask_before);
void feed_done(struct feed *feed); /* fine if zero-initialised */

#endif
