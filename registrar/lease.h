/* SPDX-License-Identifier: Apache-2.0 */
/* lease.h - which node of a fleet keeps which numbers: decisions only.
 *
 * Numbers fall into shards. A node owns a shard for as long as its beat, a
 * counter in the shared store, keeps moving: the others watch it by their own
 * monotonic clocks, so no wall clock, the store's or anybody's, decides. A beat
 * that stood still for a whole lease under somebody's eyes ends the ownership;
 * its owner has stopped a tenth earlier, counted from before the beat was sent.
 *
 * Pure: views of the store and times are handed in. No thread, no SQL.
 */
#ifndef BREAKOUT_REGISTRAR_LEASE_H
#define BREAKOUT_REGISTRAR_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"

#define LEASE_SHARDS    256 /* for good: the store's rows carry their shard */
#define LEASE_NODES     32
#define LEASE_NAME_ROOM 64
#define LEASE_TAKE_MAX  16 /* shards taken at a time: a million numbers are 4,000 rows each */

/* A node whose configuration is older than another's may lag behind so long. */
#define LEASE_BEHIND_MS 30000

/* The same on every machine and in every version. */
unsigned lease_shard_of(uint64_t number);

/* What a node's configuration says of the numbers: the greater version counts; of
 * two with the same version the one that was there first. */
struct lease_wish {
	int64_t version;
	uint64_t digest;
};
bool lease_wish_equal(const struct lease_wish *a, const struct lease_wish *b);

struct lease_node {
	char name[LEASE_NAME_ROOM];
	uint64_t session; /* 0: it has none, the others took its shards */
	uint64_t beat;
	bool draining;
	struct lease_wish wish;
	mono_ms seen_ago; /* by the store's wall clock: for people to read */
};

struct lease_shard {
	uint64_t session; /* 0: free */
	uint64_t epoch;   /* grows with each change of hands */
	mono_ms hold_ms;  /* lease_hold()'s, when it changed hands */
};

/* The store as one look at it shows. */
struct lease_view {
	struct lease_node nodes[LEASE_NODES];
	size_t node_count;
	struct lease_shard shards[LEASE_SHARDS];
	struct lease_wish in_force;
};

/* What a node remembers of earlier looks. Zero-initialise. */
struct lease_watch {
	struct lease_seen {
		char name[LEASE_NAME_ROOM];
		uint64_t session, beat;
		mono_ms since;        /* the beat was first seen like this */
		mono_ms behind_since; /* 0: its configuration is in force */
	} seen[LEASE_NODES];
	size_t count;
	mono_ms looked; /* last time */
};

/* Takes in a look at the store; `now` is when its answer was there. A watch with a
 * gap of more than half a lease starts anew: while the store was away no beat could
 * move. */
void lease_look(struct lease_watch *watch, const struct lease_view *view, mono_ms lease_ms,
		mono_ms now);

/* The node's beat stood still for a lease while we looked. */
bool lease_dead(const struct lease_watch *watch, const struct lease_node *node, mono_ms lease_ms,
		mono_ms now);

struct lease_plan {
	size_t dead[LEASE_NODES]; /* indexes of nodes to put out */
	size_t dead_count;
	bool give[LEASE_SHARDS]; /* ours, to hand over */
	size_t give_count;
	unsigned take[LEASE_SHARDS]; /* free ones, to take; at most LEASE_TAKE_MAX */
	size_t take_count;
	unsigned quota;
};
/* What the node with this session is to do now. Equal shares by name order for all
 * that live, do not drain and have the configuration in force; if nobody has it, for
 * all that live and do not drain. One that lags behind may keep as much for a while. If all drain
 * each keeps what it has, and takes what is free: somebody has to withdraw it. */
void lease_decide(const struct lease_watch *watch, const struct lease_view *view, uint64_t session,
		  mono_ms lease_ms, mono_ms now, struct lease_plan *ret_plan);

/* ---- what a node may do with what it owns ---- */

enum lease_standing {
	LEASE_NONE,     /* not a member: it owns nothing */
	LEASE_GOOD,     /* nobody else can own it */
	LEASE_DOUBTFUL, /* over, and nobody knows why yet: say nothing at all */
	LEASE_ALONE,    /* the store cannot be reached: repeat what was said, say nothing new */
	LEASE_OVER      /* it could not be reached for so long that others may go on: say nothing */
};
const char *lease_standing_name(enum lease_standing standing);

/* Zero-initialise: LEASE_NONE. */
struct lease_own {
	bool member;
	mono_ms lease_ms, alone_ms;
	mono_ms asked;   /* before the last beat that was taken was sent */
	mono_ms in_vain; /* when the last attempt began that did not reach the store; 0: none */
};
void lease_joined(struct lease_own *own, mono_ms lease_ms, mono_ms alone_ms, mono_ms asked);
void lease_renewed(struct lease_own *own, mono_ms asked);
void lease_unreachable(struct lease_own *own, mono_ms asked);

/* By our own clock: a tenth of each time is left for clocks that run apart. */
enum lease_standing lease_standing(const struct lease_own *own, mono_ms now);
/* When the standing changes by time alone; INT64_MAX: never. */
mono_ms lease_changes(const struct lease_own *own, mono_ms now);

/* Those who take over from a node that was put out repeat what it was told for so
 * long before they say anything else: it may be alone and repeating. */
mono_ms lease_hold(mono_ms alone_ms);

#endif
