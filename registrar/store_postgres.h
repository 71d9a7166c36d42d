/* SPDX-License-Identifier: Apache-2.0 */
/* store_postgres.h - the rows of a fleet, in the database it shares: see store.h.
 *
 * Reading them is fleet_sql.h's; this is the registrar thread's own connection, for
 * writing. A write waits for at most a second and a half. It is not tried while the
 * fleet's thread gets no answer from the database, nor, once one has waited in vain, before
 * a beat has got through: a database that hangs is waited for once.
 */
#ifndef BREAKOUT_REGISTRAR_STORE_POSTGRES_H
#define BREAKOUT_REGISTRAR_STORE_POSTGRES_H

#include "config/config.h"
#include "registrar/store.h"

struct fleet;

/* Times of its rows are clock_now()'s. `fleet` is borrowed. 0 or -ENOMEM. */
int store_postgres_create(struct store **ret_store, const struct config_postgres *config,
			  struct fleet *fleet) MUST_CHECK;

#endif
