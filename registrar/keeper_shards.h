/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_shards.h - what a keeper in a fleet may say, and of which numbers.
 *
 *   the lease is good         all, of shards that are ours
 *     but our configuration   repeat what the core was told: others have a newer one
 *     but a shard is held     repeat what its last owner told: it may be repeating, too
 *   over, nobody knows why    nothing, until a beat has got through or failed
 *   the database is away      repeat what the database says the core was told
 *   away for too long         nothing: others may have gone on
 *
 * Who stands in for dead nodes only withdraws: where others would repeat, it says nothing.
 *
 * What is new to the core is written to the database first, under the epoch of the
 * shard; what cannot be written is not said. So two nodes may say the same at the
 * same time, never different things.
 *
 * Registrar thread.
 */
#ifndef BREAKOUT_REGISTRAR_KEEPER_SHARDS_H
#define BREAKOUT_REGISTRAR_KEEPER_SHARDS_H

#include <stdatomic.h>
#include "registrar/fleet.h"

struct keeper;

/* Zero-initialised: not in a fleet, all numbers are ours. */
struct shards {
	bool on;
	mono_ms lease_ms, alone_ms;
	struct lease_wish wish, in_force; /* the keeper's numbers, the fleet's */
	bool named, renamed;              /* renamed: and these numbers are still to come */
	bool out, leaving_all;
	bool only_repeat; /* for all shards */
	bool applied;     /* only_repeat, as of the records */
	bool adopted;     /* but for some that have been adopted since */
	struct lease_own own;
	/* Others read: */
	_Atomic enum lease_standing standing; /* as of the last turn */
	_Atomic unsigned owned, held;
	_Atomic mono_ms held_until;
	size_t numbers; /* of them */
	struct reach {
		mono_ms mute_since; /* the first failure since the last answer; 0: none */
		bool tokenless;     /* which was that there is no token */
		mono_ms again_at;   /* having left: when to try anew */
		unsigned times;     /* it was in vain */
		bool left;          /* our shards are for the others */
	} reach;
	struct shard {
		uint64_t epoch;
		mono_ms hold_until; /* 0: no hold */
		unsigned in_flight; /* requests */
		mono_ms open_until; /* one that was given up may reach the core yet */
		unsigned strangers; /* rows of tenants that are not configured, when it was taken */
		bool mine, leaving, held;
	} at[LEASE_SHARDS];
};

void keeper_news(struct keeper *keeper, const struct fleet_news *news, mono_ms now);
/* What the keeper's wanted set is called from now on: before keeper_want(), and after
 * keeper_create(). */
void keeper_wish(struct keeper *keeper, const struct lease_wish *wish, mono_ms now);
/* Standing, shards owned and held; any thread. */
void keeper_fleet(const struct keeper *keeper, struct registrar_fleet *ret_fleet);
/* The epoch under which shard 0 is ours, for what one node does for all; 0: it is not, or
 * may not be for long. */
uint64_t keeper_lead_epoch(const struct keeper *keeper);
/* Lets go of everything; keeper_idle() says when it is done. */
void keeper_leave(struct keeper *keeper, mono_ms now);

/* ---- for keeper.c ---- */

/* Whether requests for it may go out at all. */
bool shards_mine(const struct keeper *keeper, const struct reg *reg);
/* The wanted set is the one that was named. */
void shards_want(struct keeper *keeper, mono_ms now);
/* A record that is wanted from now on, or not any more. Under the lock. */
void shards_adopt(struct keeper *keeper, struct reg *reg, mono_ms now);
void shards_sent(struct keeper *keeper, const struct reg *reg);
/* `before` is what it was told before the request that has come back; `heard`: with an
 * answer of the core's. */
void shards_answered(struct keeper *keeper, struct reg *reg, uint16_t before, bool heard,
		     mono_ms now);
/* Time has passed. True: something may be sent. */
bool shards_turn(struct keeper *keeper, mono_ms now);
mono_ms shards_next(const struct keeper *keeper, mono_ms now);
/* Writes down what is new of those that are due; puts back what may not go out, and
 * closes up. Returns how many are left. */
size_t shards_write_ahead(struct keeper *keeper, struct reg **due, size_t count, mono_ms now);
bool shards_idle(const struct keeper *keeper);
/* Nothing that was given up may reach the core yet. */
bool shards_closed(const struct keeper *keeper, mono_ms now);
/* For keeper_shards.c: an answer, or none, has come; time has passed. */
void shards_heard(struct keeper *keeper, const struct reg *reg, mono_ms now);
void shards_judge_reach(struct keeper *keeper, mono_ms now);
/* The table has changed: tells the pacing how many numbers are ours. */
void shards_count(struct keeper *keeper);

#endif
