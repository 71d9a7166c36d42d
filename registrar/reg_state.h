/* SPDX-License-Identifier: Apache-2.0 */
/* reg_state.h - the life of one registration, as a table of state and event.
 *
 *            DUE            OK
 *   NEW ----------> PENDING ----------> ACTIVE
 *                    ^  |  \               |
 *                DUE |  |   \ REFUSED      | DUE (0.3 to 0.5 of the TTL)
 *                    |  |    v             v
 *               BACKOFF<+   REFUSED --> PENDING
 *                    FAILED        DUE (1, 5, 15, 60 min)
 *
 *   any, without a request out and not wanted any more: WITHDRAWING (a delete),
 *   which ends with the record being gone, or NEW if it is wanted again. The same
 *   for one that is wanted and held; for it the end is WITHHELD, until released.
 *
 *   any: ELSEWHERE, by reg_disown(): another node keeps it; NEW by reg_own().
 *
 * Pure: time and chance are handed in. It knows no clock, socket or queue.
 */
#ifndef BREAKOUT_REGISTRAR_REG_STATE_H
#define BREAKOUT_REGISTRAR_REG_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "registrar/registrar.h"

#define REG_TTL_DEFAULT_S 3600  /* the core's own, when its answer has none */
#define REG_TTL_MAX_S     86400 /* longer ones are not believed */
/* A request without an answer may reach the core until its deadline is over, and
 * undo what came after it. Longer than that after it was given up it does not. */
#define REG_CONFIRM_MS 20000

enum reg_flag {
	REG_IN_FLIGHT = 1, /* a request of it is out; it must not be freed */
	REG_SPREAD = 2,    /* that request is not a timely refresh: spread the next */
	REG_REFUSING = 4,  /* the core has refused it and not accepted it since */
	REG_UNSURE = 8,    /* a request got no answer, less than two refreshes ago */
	REG_CONFLICT = 16, /* it said something else than is wanted: it may arrive yet */
	REG_SETTLING = 32, /* UNSURE, and one request has been answered since */
	REG_HELD = 64,     /* wanted, but the core shall not be told: gate.h */
	REG_LAGGING = 128, /* expires_ms is a row's, which may lag behind by one refresh */
};

/* The latest time a record can name: 4,400 years after the machine came up. */
#define REG_MS_MAX ((1ll << 47) - 1)

/* One per number. Times are monotonic, of 48 bits: reg_set_due(), reg_set_expiry(). */
struct reg {
	uint64_t number : 50;    /* e164_pack() */
	uint64_t tenant : 4;     /* whose core: for good */
	uint64_t state : 4;      /* enum reg_state; written by the functions below only */
	uint64_t source : 2;     /* enum reg_source: who wants it, or did last */
	uint64_t paused : 1;     /* held by an operator's order: pauses.h */
	uint64_t repeat : 1;     /* only what it was told may be said again: reg_repeat() */
	uint64_t linger : 1;     /* not wanted here, and kept until another core has it */
	uint64_t faulty : 1;     /* reg_table_fault() has its last failure */
	mono_ms expires_ms : 48; /* when the core forgets it; 0: not known to hold it */
	uint64_t told : 16;      /* what it was told, perhaps in vain; 0: nothing */
	mono_ms due_ms : 48;     /* next attempt; with REG_IN_FLIGHT: when it was sent */
	uint64_t wanted : 16;    /* what the core shall be told (reg_params); 0: not wanted */
	uint32_t service;        /* index into the config's services */
	uint8_t failures;        /* in a row, saturating */
	uint8_t flags;           /* enum reg_flag */
	/* Of the registrar thread alone, which changes them without the keeper's lock: nothing
	 * that others read may share a byte with them. */
	uint8_t queue : 2;   /* refresh.c's */
	uint8_t retry : 1;   /* refresh.c's: the request that is out is a repeated one */
	uint8_t dirty : 1;   /* the store has yet to hear of it */
	uint8_t said : 1;    /* the log tells of its trouble */
	uint32_t next, prev; /* refresh.c's: handles, see there */
};
_Static_assert(CONFIG_TENANTS <= 16 && REG_STATE_COUNT <= 16, "four bits each");
_Static_assert(sizeof(struct reg) == 40, "a million registrations stay under 64 MB");

static inline void reg_set_due(struct reg *reg, mono_ms at)
{
	reg->due_ms = at > 0 ? at & REG_MS_MAX : 0;
}
static inline void reg_set_expiry(struct reg *reg, mono_ms at)
{
	reg->expires_ms = at > 0 ? at & REG_MS_MAX : 0;
}

enum reg_event {
	REG_EV_DUE,       /* a request goes out: an upsert, or a delete if WITHDRAWING */
	REG_EV_OK,        /* the core did it */
	REG_EV_FAILED,    /* no answer, or a failure that heals; counted */
	REG_EV_POSTPONED, /* not done, through no fault of this number */
	REG_EV_REFUSED,   /* the core will not do it */
	REG_EV_CHANGED,   /* `wanted` may be another, or somebody asks: now, please */
	REG_EV_REMOVED,   /* reg_wish() is 0 */
	REG_EV_EXPIRED,   /* the TTL is over, so there is nothing to delete */
	REG_EVENT_COUNT
};

struct reg_input {
	mono_ms now;
	uint64_t *random; /* reg_random()'s */
	uint16_t asked;   /* answers to an upsert: the reg_params it carried */
	uint32_t ttl_s;   /* REG_EV_OK of an upsert */
};

/* 0, or -EINVAL for an event that cannot happen in this state; then nothing
 * has changed. Sets due_ms: the caller files the record anew. */
int reg_handle(struct reg *reg, enum reg_event event, const struct reg_input *input) MUST_CHECK;

/* What the core shall be told now; 0: nothing. */
static inline uint16_t reg_wish(const struct reg *reg)
{
	if (reg->repeat || reg->linger)
		return reg->told;
	return reg->flags & REG_HELD ? 0 : reg->wanted;
}

/* A fleet's numbers change hands. Owned anew it knows nothing of what the core was
 * told; disowned it has forgotten it. Answers to what is out still come, and change
 * nothing. The caller files the record anew. */
void reg_own(struct reg *reg, mono_ms now);
void reg_disown(struct reg *reg);

/* What the core was told is kept alive, whatever is wanted or held; afterwards that is
 * due at once. The caller files the record anew. */
void reg_repeat(struct reg *reg, bool repeat, mono_ms now);

/* Kept alive as it was told, or not any more. The caller files the record anew. */
void reg_linger(struct reg *reg, bool linger, mono_ms now);

/* Its core is another, which knows nothing of it: what the old one was told is said again at
 * once, and is not known to be held. The caller files the record anew. */
void reg_say_again(struct reg *reg, mono_ms now);

/* What is wanted is said at once, though nothing is new; what is out or on its way out stays
 * as it is. The caller files the record anew. */
void reg_hasten(struct reg *reg, mono_ms now);

/* Nobody wants it, the core has forgotten it: the record can go. */
bool reg_gone(const struct reg *reg);

/* The part of the TTL after which the next refresh is drawn. Of an hour 31 minutes remain
 * to who is drawn last: half an hour without the core, and the time to find out that it is
 * back and to refresh who would lapse first. The width keeps the phases apart. */
#define REG_DUE_FROM 0.30
#define REG_DUE_TO   0.48
/* When a registration taken over from the store is due, given the send time of
 * the request that made it. */
mono_ms reg_refresh_due(mono_ms sent_ms, uint32_t ttl_s, uint64_t *random);

/* splitmix64 (Steele, Lea, Flood 2014): a number in [0, 1). */
double reg_random(uint64_t *random);

#endif
