/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_inside.h - the keeper as its own files see it. Others use keeper.h. Registrar
 * thread, but for what stands under the lock.
 *
 *   keeper.c         records and their counts, the token, time, create and destroy
 *   keeper_wanted.c  what is wanted of each number: configuration, verdicts, pauses
 *   keeper_store.c   the rows: written, and read at the start
 *   keeper_send.c    requests and their answers
 *   keeper_shards.c  the same in a fleet: which numbers, and what may be said of them
 *   keeper_look.c    gauges and questions
 */
#ifndef BREAKOUT_REGISTRAR_KEEPER_INSIDE_H
#define BREAKOUT_REGISTRAR_KEEPER_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>
#include "registrar/gate.h"
#include "registrar/history.h"
#include "registrar/keeper.h"
#include "registrar/keeper_shards.h"
#include "registrar/refresh.h"
#include "registrar/store.h"
#include "registrar/trouble.h"

#define FLUSH_RETRY_MS 5000 /* after the store could not be written */

struct dirty {
	uint32_t handle;
	uint32_t ttl_s;
	uint16_t stored; /* what the row says that is to be written anew: reg_params */
};

/* A row of the store, on its way into a record. */
struct keeper_row {
	uint64_t number;
	wall_ms expires;
	uint32_t ttl_s;
	uint32_t handle;
	uint16_t told;
};

struct keeper {
	struct keeper_options options;
	char *token; /* NULL: none in hand */
	mono_ms token_expires;
	unsigned token_serial;
	struct refresh *refresh;
	struct store *store;
	struct dirty *dirty;
	size_t dirty_count, dirty_room;
	mono_ms flush_at;         /* 0: nothing to write */
	atomic_bool store_failed; /* read by others too */
	wall_ms offset;           /* of the store's times to ours: see store_anchor() */
	mono_ms gauge_at, pause_at;
	bool stopping, withdrawing, deaf;
	uint32_t ttl_s; /* the core's latest */
	struct trouble trouble;
	struct shards shards;

	/* Other threads read what stands below. */
	pthread_mutex_t lock;
	struct reg_table table;
	size_t by_state[REG_STATE_COUNT];
	bool api_up, token_ok;
	mono_ms margin;
	struct gate gate;
	size_t held, held_told; /* wanted and held; those of them the core may know */
	size_t paused;          /* wanted and held by order: none of the above */
	struct history history;
};

/* A record's state, queue and counts move together. What changes it takes the lock,
 * counts it off before and on afterwards, and files it. */
void keeper_count(struct keeper *keeper, const struct reg *reg, int by);
void keeper_file(struct keeper *keeper, struct reg *reg);
/* An event of its life: does all that. */
void keeper_handle(struct keeper *keeper, struct reg *reg, enum reg_event event,
		   const struct reg_input *input);
int keeper_merge(struct keeper *keeper, const uint64_t *numbers, size_t number_count) MUST_CHECK;
void keeper_take_row(struct keeper *keeper, const struct keeper_row *row, bool trusted,
		     mono_ms now);

/* Opens the store, reads it and compares it with `wanted`. 0, -ENOMEM or -EIO (logged). */
int keeper_load(struct keeper *keeper, const struct wanted *wanted, mono_ms now) MUST_CHECK;
/* The row has to be written within `lag`; so far it says `stored`. */
void keeper_mark_dirty(struct keeper *keeper, struct reg *reg, uint32_t ttl_s, uint16_t stored,
		       mono_ms now, mono_ms lag);
/* False: a write has just failed, the next try has its time. */
bool keeper_may_write(const struct keeper *keeper, mono_ms now);
/* Writes what the store has yet to hear, at most store_batch() rows of it. */
void keeper_flush(struct keeper *keeper, mono_ms now);
/* The first of what it has yet to hear is written, or of no concern any more. */
void keeper_forget_dirty(struct keeper *keeper, size_t count, mono_ms now);
/* What the store shall say of a record; ttl_s 0: the core may hold something else. */
struct store_row keeper_row_of(const struct keeper *keeper, const struct reg *reg, uint32_t ttl_s,
			       mono_ms now);
void keeper_flush_failed(struct keeper *keeper, const char *why, mono_ms now);

/* Sends what is due and may go, once what is new of it is written down. */
void keeper_send_due(struct keeper *keeper, mono_ms now);
/* It could not be sent: again from `due` on. */
void keeper_put_back(struct keeper *keeper, struct reg *reg, mono_ms due, mono_ms now);
/* The core holds what is to be said, for as long as expires_ms says. */
bool keeper_certain(const struct reg *reg);
/* NULL: none in hand, nothing is sent until there is. */
void keeper_set_token(struct keeper *keeper, char *take_token);

void keeper_set_gauges(struct keeper *keeper, mono_ms now);

#endif
