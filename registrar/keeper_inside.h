/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_inside.h - the keeper as its own files see it. Others use keeper.h. Registrar
 * thread, but for what stands under the lock.
 *
 *   keeper.c         records and their counts, the token, time, create and destroy
 *   keeper_tenants.c tenants that come, change and go
 *   keeper_moves.c   numbers on their way from one tenant's core to another's
 *   keeper_wanted.c  what is wanted of each number: configuration, verdicts, pauses
 *   keeper_store.c   the rows: written, and read at the start
 *   keeper_send.c    requests and their answers
 *   keeper_shards.c  the same in a fleet: which numbers, and what may be said of them
 *   keeper_order.c   in which order a dead daemon's are withdrawn
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
#define PREFIX_ROOM    16

struct dirty {
	uint32_t handle;
	uint32_t ttl_s;
	uint16_t stored; /* what the row says that is to be written anew: reg_params */
};

/* A row of the store, on its way into a record. */
struct keeper_row {
	uint64_t number, core;
	wall_ms expires;
	uint32_t ttl_s;
	uint32_t handle;
	uint16_t told;
	uint8_t tenant;
};

/* A tenant: its core's API as we meet it. */
struct lane {
	const struct keeper_tenant *options;
	char *token; /* NULL: none in hand */
	mono_ms token_expires;
	unsigned token_serial;
	struct refresh *refresh;
	struct trouble trouble;
	size_t numbers; /* records of it, in a fleet: those that are ours */
	uint32_t ttl_s; /* the core's latest */
	struct lane_metrics *metrics;
	unsigned moves;   /* how often its core has become another */
	mono_ms leave_by; /* what it is not known to hold for longer is forgotten then */
	mono_ms look_at;  /* whether it has left; 0: it does not leave */
	mono_ms pass_at;  /* through all records, for what is to be forgotten */

	/* Under the keeper's lock: */
	bool leaving, left; /* left: a free place */
	bool asked, api_up, token_ok;
	size_t by_state[REG_STATE_COUNT];
	size_t by_source[REG_SOURCE_COUNT]; /* of those that are wanted and ours */
	mono_ms margin, first_expiry;
	size_t lapsed;
	struct refresh_load load; /* as of the last look */
};

/* One of a dead daemon's, as its row had it. */
struct left_one {
	wall_ms expires;
	uint32_t handle;
	uint8_t rank; /* gate_rank() */
};

struct keeper {
	struct keeper_options options;
	struct lane lanes[CONFIG_TENANTS];
	size_t lane_count;
	size_t lingering; /* records that do */
	struct store *store;
	struct dirty *dirty;
	size_t dirty_count, dirty_room;
	mono_ms flush_at;         /* 0: nothing to write; after a failure: not before */
	atomic_bool store_failed; /* read by others too */
	wall_ms offset;           /* of the store's times to ours: see store_anchor() */
	mono_ms gauge_at, pause_at;
	bool stopping, resting, withdrawing, deaf;
	struct shards shards;
	struct left_one *left; /* own; only of one that stands in */
	size_t left_count, left_room;
	char prefixes[2 * CONFIG_TENANTS + 1][PREFIX_ROOM]; /* like which numbers can begin; ""
							     * ends them */

	/* Other threads read what stands below. */
	pthread_mutex_t lock;
	struct reg_table table;
	struct gate gate;
	size_t held, held_told;             /* wanted and held; those of them the core may know */
	size_t paused;                      /* wanted and held by order: none of the above */
	size_t by_source[REG_SOURCE_COUNT]; /* of those that are wanted */
	/* Of them, those that begin like a prefix, as of the last look. */
	size_t prefix_like[REG_SOURCE_COUNT];
	size_t left_behind;     /* rows of tenants that are not configured, in a fleet: of */
	mono_ms left_behind_by; /* shards that are ours; when the last of them has lapsed */
	struct history history;
};

static inline struct lane *keeper_lane(struct keeper *keeper, const struct reg *reg)
{
	return &keeper->lanes[reg->tenant];
}
static inline struct reg *keeper_reg(const struct keeper *keeper, size_t i)
{
	return reg_at(&keeper->table, keeper->table.sorted[i]);
}
/* The store's name for a tenant, and the tenant of that name; -ENOENT: there is none. */
const char *keeper_tenant_key(const struct keeper *keeper, unsigned tenant);
int keeper_tenant_of(const struct keeper *keeper, const char *key) MUST_CHECK;
/* There is nothing to delete: the core has forgotten it, or was never told. */
bool keeper_has_lapsed(const struct reg *reg, mono_ms now);

/* A record's state, queue and counts move together. What changes it takes the lock,
 * counts it off before and on afterwards, and files it. */
void keeper_count(struct keeper *keeper, const struct reg *reg, int by);
void keeper_file(struct keeper *keeper, struct reg *reg);
void keeper_file_first(struct keeper *keeper, struct reg *reg); /* before those that wait */
/* An event of its life: does all that. */
void keeper_handle(struct keeper *keeper, struct reg *reg, enum reg_event event,
		   const struct reg_input *input);
int keeper_merge(struct keeper *keeper, const uint64_t *keys, size_t count) MUST_CHECK;
void keeper_take_row(struct keeper *keeper, const struct keeper_row *row, bool trusted,
		     mono_ms now);

/* Opens the store, reads it and compares it with `wanted`. 0, -ENOMEM or -EIO (logged). */
int keeper_load(struct keeper *keeper, const struct wanted *wanted, mono_ms now) MUST_CHECK;
/* The row has to be written within `lag`; so far it says `stored`. */
void keeper_mark_dirty(struct keeper *keeper, struct reg *reg, uint32_t ttl_s, uint16_t stored,
		       mono_ms now, mono_ms lag);
/* False: a write has just failed, the next try has its time. */
bool keeper_may_write(const struct keeper *keeper, mono_ms now);
/* What the core holds, for up to ttl_s (0: not known) from now, of tenants that nobody has
 * configured. */
void keeper_leave_behind(struct keeper *keeper, size_t count, uint32_t ttl_s, mono_ms now);
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
void keeper_set_token(struct keeper *keeper, struct lane *lane, char *take_token);

/* ---- keeper_order.c: for one that stands in ---- */

/* A record taken from a row; and when all there are for now have been, they are filed. */
void order_add(struct keeper *keeper, const struct keeper_row *row);
void order_file(struct keeper *keeper, mono_ms now);

/* ---- keeper_tenants.c ---- */

/* At the place that lane_count names. */
int tenants_add(struct keeper *keeper, mono_ms now) MUST_CHECK;
/* An upsert is sent there: what lingers at one that leaves, which may hold it for another
 * TTL, answered or not. */
void tenants_registers(struct lane *lane, mono_ms now);
/* Looks after those that leave. */
void tenants_run(struct keeper *keeper, mono_ms now);
mono_ms tenants_next(const struct keeper *keeper); /* for tenants_run() */

/* ---- keeper_moves.c ---- */

/* A number that another tenant's core shall have is first registered there, then deleted
 * here: until then this record lingers. */
void moves_linger(struct keeper *keeper, struct reg *reg, bool linger, mono_ms now);
/* The core has it, or it is held: what lingers of the number elsewhere is over. */
void moves_arrived(struct keeper *keeper, const struct reg *reg, mono_ms now);
/* The same of all, after any of them may be wanted, held or told another way. */
void moves_settle(struct keeper *keeper, mono_ms now);
/* Whether a number that the tenant's core shall have from now on has to be kept here yet. */
bool moves_must_wait(const struct keeper *keeper, const struct reg *reg, unsigned tenant,
		     mono_ms now);
/* Whether some other core shall have the number from now on. */
bool moves_away(const struct keeper *keeper, const struct reg *reg);
/* The one record that speaks for its number: where it is wanted, else where it is. */
struct reg *moves_main(const struct keeper *keeper, uint64_t number);

/* ---- keeper_look.c ---- */

/* Metrics of the tenant with this name: for good. NULL: there are too many. */
struct lane_metrics *lane_metrics_of(const char *name);
void lane_metrics_hide(struct lane_metrics *metrics);
void lane_count(struct lane *lane, enum reg_state state, int by);
void lane_answered(struct lane *lane, enum upsert_verdict verdict);
void source_count(struct keeper *keeper, const struct reg *reg, int by);
void keeper_set_gauges(struct keeper *keeper, mono_ms now);
/* The prefixes in force from now on. */
void keeper_take_prefixes(struct keeper *keeper, const struct wanted *wanted);

#endif
