/* SPDX-License-Identifier: Apache-2.0 */
/* order_share.h - what an operator ordered, in the database that a fleet shares.
 *
 * What added_store_postgres.c and pause_store_postgres.c have in common; the tables are
 * fleet_sql.c's. Threads: one at a time.
 */
#ifndef BREAKOUT_REGISTRAR_ORDER_SHARE_H
#define BREAKOUT_REGISTRAR_ORDER_SHARE_H

#include "config/config.h"
#include "sql/postgres.h"

struct order_share {
	struct pg *pg;    /* connected for as long as an order takes: they are rare */
	const char *what; /* that is ordered, in the log: "pauses"; borrowed */
};

/* Does not connect. 0 or -ENOMEM. */
int order_share_init(struct order_share *share, const char *what,
		     const struct config_postgres *config) MUST_CHECK;
void order_share_done(struct order_share *share);

/* Logs that they cannot be looked up, written ..., and why. -EIO. */
int order_share_failed(const struct order_share *share, const char *doing);

/* After an order, which is written and cannot fail any more: the other nodes are told, and
 * `drop_old` does away with what is older than its $1. */
void order_share_follow_up(struct order_share *share, const char *drop_old, wall_ms before,
			   mono_ms deadline);

#endif
