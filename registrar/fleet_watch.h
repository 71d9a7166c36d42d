/* SPDX-License-Identifier: Apache-2.0 */
/* fleet_watch.h - a fleet, as breakout-watchdog sees it, which is no node of it.
 *
 * A node that does not beat may be dead, or only cut off from the database: then it serves
 * calls and refreshes registrations. Nobody but who is on its machine can tell. So each
 * watchdog writes down whether a daemon answers at its place, which is a machine and an
 * admin socket there, and the name of the node that answered last; and all read what all
 * have written:
 *
 *   breakout.watchdog   one a place: what was seen there, and the name its watchdog joins
 *                       the fleet by when it withdraws
 *
 * Who is dead by that is decided by who calls (tools/watchdog/roll.h).
 *
 * All return 0, -EIO (no answer, or the server refuses), -EMEDIUMTYPE (the tables are of
 * another version) or -ENOMEM; fleet_watch_error() says why. Threads: one; blocks.
 */
#ifndef BREAKOUT_REGISTRAR_FLEET_WATCH_H
#define BREAKOUT_REGISTRAR_FLEET_WATCH_H

#include <stdbool.h>
#include "config/config.h"
#include "registrar/lease.h"

#define FLEET_SIGHTS     64
#define FLEET_PLACE_ROOM 256

struct fleet_watch; /* opaque */

/* A node, and what the watchdog says at whose place it was last seen. Two places that name
 * the same node make two of them. */
struct fleet_sight {
	char name[LEASE_NAME_ROOM];
	bool member;      /* the fleet knows it; else it said goodbye, or has not joined yet */
	uint64_t session; /* 0: it has none */
	uint64_t beat;
	char place[FLEET_PLACE_ROOM]; /* "": nobody has seen it */
	uint64_t watch_beat;          /* of the watchdog there */
	bool answers;                 /* says that watchdog: a daemon does */
};

struct fleet_sights {
	struct fleet_sight list[FLEET_SIGHTS];
	size_t count;
};

/* `socket` is where a daemon answers, if one does. */
int fleet_watch_create(struct fleet_watch **ret_watch, const struct config_postgres *config,
		       const char *socket) MUST_CHECK;
struct fleet_watch *fleet_watch_destroy(struct fleet_watch *watch);

/* What is seen at our place. */
struct fleet_seen {
	bool barred;      /* we may not look: our beat stands, so that nobody goes by us */
	bool answers;     /* a daemon does */
	const char *node; /* as which one; NULL: it did not say */
};
/* Writes that down, and reads what there is to see in all. No sights, if there never was a
 * fleet. */
int fleet_watch_look(struct fleet_watch *watch, const struct fleet_seen *seen,
		     struct fleet_sights *ret_sights) MUST_CHECK;

/* They are dead: whoever takes what they had may say something else of it at once. One
 * that has given a sign since it was seen like this is none. settled: what any node has said
 * to the core cannot arrive there any more (REG_CONFIRM_MS). */
int fleet_watch_bury(struct fleet_watch *watch, const struct fleet_sights *dead,
		     bool settled) MUST_CHECK;

/* How many registrations are on file that this configuration can withdraw; of many, at
 * least so many. */
int fleet_watch_count(struct fleet_watch *watch, const struct config *config,
		      size_t *ret_count) MUST_CHECK;

/* By which name we join, and our place; for as long as `watch` is. */
const char *fleet_watch_member(const struct fleet_watch *watch);
const char *fleet_watch_place(const struct fleet_watch *watch);
const char *fleet_watch_error(const struct fleet_watch *watch);

#endif
