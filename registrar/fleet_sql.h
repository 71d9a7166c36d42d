/* SPDX-License-Identifier: Apache-2.0 */
/* fleet_sql.h - what a fleet keeps in its database, and the statements about it.
 *
 *   breakout.fleet   one row: version of the tables, and the configuration in force
 *   breakout.node    one a node: its session (null: it was put out), its beat
 *   breakout.shard   one a shard: whose it is (null: free), its epoch, its hold
 *   breakout.writer  one a session: which of its connections may write
 *   breakout.told    one a number and tenant: what the core was last told
 *   breakout.pause   one an order: pause_store_postgres.c's
 *   breakout.consent and more: consent_share.h's
 *   breakout.added and more: added_store.h's
 *   breakout.watchdog: fleet_watch.h's
 *
 * Who changes a node's session or a shard's owner raises the epoch of the shard; each
 * write of rows names the epochs it was made under (store_postgres.c).
 *
 * All return 0, -EIO (the connection is gone, pg_error() says why) or -EPROTO (the
 * server refuses, dito) unless said otherwise, and belong to the fleet's thread.
 */
#ifndef BREAKOUT_REGISTRAR_FLEET_SQL_H
#define BREAKOUT_REGISTRAR_FLEET_SQL_H

#include "registrar/fleet.h"
#include "sql/postgres.h"

/* Who we are, for all statements. */
struct fleet_self {
	const char *name;
	uint64_t session;
	mono_ms alone_ms;
	struct lease_wish wish;
	bool draining;
	bool trusts; /* who had the name before said its last word, and wrote it down */
};

#define FLEET_TABLES_VERSION 3

/* Of tables that are there. */
int fleet_sql_version(struct pg *pg, mono_ms deadline, int *ret_version) MUST_CHECK;
/* Makes the tables if there are none, and brings older ones up to date. Also -EMEDIUMTYPE: they are
 * of another version (ret_version). */
int fleet_sql_prepare(struct pg *pg, mono_ms deadline, int *ret_version) MUST_CHECK;

/* Becomes a member. A session the name has is put out: its process is over. `again`:
 * only if nobody else has the name, else -EEXIST; a session that never beat is nobody's. */
int fleet_sql_join(struct pg *pg, const struct fleet_self *self, bool again, mono_ms deadline,
		   uint64_t *ret_session) MUST_CHECK;
/* Also -ESTALE: the session is not ours any more. */
int fleet_sql_beat(struct pg *pg, const struct fleet_self *self, mono_ms deadline) MUST_CHECK;
int fleet_sql_look(struct pg *pg, struct lease_view *ret_view, mono_ms deadline) MUST_CHECK;
/* Our configuration is in force from now on, unless there is one of that version. */
int fleet_sql_claim(struct pg *pg, const struct fleet_self *self, mono_ms deadline) MUST_CHECK;

/* Ends the session of a node whose beat is still what it was; its shards are free
 * afterwards, with a hold. ret_shards: how many there were. */
int fleet_sql_put_out(struct pg *pg, const struct lease_node *node, mono_ms deadline,
		      size_t *ret_shards) MUST_CHECK;
/* Frees shards whose session is nobody's. */
int fleet_sql_free_orphans(struct pg *pg, const struct fleet_self *self,
			   mono_ms deadline) MUST_CHECK;
int fleet_sql_take(struct pg *pg, const struct fleet_self *self, const unsigned *shards,
		   size_t count, mono_ms deadline) MUST_CHECK;
/* Those of LEASE_SHARDS that have an epoch. */
int fleet_sql_give(struct pg *pg, const struct fleet_self *self, const struct fleet_gift *gifts,
		   mono_ms deadline) MUST_CHECK;
/* Adds those of the shards that are ours, and their rows. Also -ENOMEM. */
int fleet_sql_load(struct pg *pg, const struct fleet_self *self, const unsigned *shards,
		   size_t count, mono_ms deadline, struct fleet_news *news) MUST_CHECK;
/* A goodbye: the process says nothing more to the core. */
int fleet_sql_leave(struct pg *pg, const struct fleet_self *self, mono_ms deadline) MUST_CHECK;

/* Because of whom a shard is held, in column held_for: names, a line each. What is held
 * for two nodes, as its second owner died before the first was back, is free when both
 * are. For SET of an UPDATE of breakout.shard. */
#define FLEET_HOLDERS           "coalesce(string_to_array(held_for, chr(10)), '{}'::text[])"
#define FLEET_HOLDERS_BUT(name) "array_remove(" FLEET_HOLDERS ", " name ")"
#define FLEET_HOLD_FOR(name)                                                                       \
	"held_for = array_to_string(array_append(" FLEET_HOLDERS_BUT(name) ", " name "), chr(10))"
#define FLEET_RELEASE(name)                                                                        \
	"hold_ms = CASE WHEN " FLEET_HOLDERS_BUT(                                                  \
		name) " = '{}' THEN 0 ELSE hold_ms END,"                                           \
		      " held_for = nullif(array_to_string(" FLEET_HOLDERS_BUT(                     \
			      name) ", chr(10)), '')"

#endif
