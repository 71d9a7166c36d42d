/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - a world for the keeper to live in: clocks that only move here, a core,
 * a network and a disk that fail as a seed says.
 *
 * The keeper is the real one. What it calls outside of its room is played by
 * core_model.c (upsert_send()) and store_model.c (store_open() ...), linked in
 * their place. faults.c draws what goes wrong, judge.c says what must hold all
 * the same. One seed is one run: nothing here asks the machine for anything.
 */
#ifndef BREAKOUT_TESTS_SIMULATE_WORLD_H
#define BREAKOUT_TESTS_SIMULATE_WORLD_H

#include <stdio.h>
#include "registrar/keeper.h"
#include "registrar/upsert.h"

#define FIRST_NUMBER 4790000000u
#define SECOND       ((mono_ms)1000)
#define MINUTE       (60 * SECOND)
#define HOUR         (60 * MINUTE)
#define DEADLINE     (10 * SECOND)

/* What the core is told of a number, in one word: the version of the domain and
 * the route type; 0: nothing. */
typedef uint32_t terms;

struct number {
	terms wanted, held;    /* by the configuration; by the core */
	mono_ms wanted_since;  /* the configuration says so */
	mono_ms held_until;    /* by the core's clock */
	uint32_t held_ttl_s;   /* as the core gave it */
	mono_ms wrong_since;   /* the two differ; 0: they agree */
	mono_ms excused_until; /* it was made to fail on its own */
	mono_ms minute;        /* start of the one counted in: */
	uint8_t sent;          /* requests in it */
	uint8_t in_flight;
	uint8_t poison; /* enum poison */
	/* The disk: */
	terms stored;
	uint32_t stored_ttl_s;
	wall_ms stored_until;
};

enum poison { POISON_NONE, POISON_REFUSED, POISON_HANGS, POISON_FAILS };

/* How requests fare at present. */
struct weather {
	double lose_request, lose_answer, refuse, duplicate, late;
	mono_ms delay_min, delay_max;
	unsigned limit; /* requests a second that the core takes; 0: any */
	uint32_t ttl_s;
	bool disk_full, tokens_down;
};

enum event_kind {
	EVENT_ARRIVE,  /* a request at the core */
	EVENT_ANSWER,  /* the core's, or the deadline's, at the keeper */
	EVENT_TOKEN,   /* the token endpoint's */
	EVENT_FAULT,   /* the next one is drawn */
	EVENT_END,     /* of a fault */
	EVENT_RESTART, /* the daemon */
	EVENT_HEALTH,  /* of the daemon: it falls sick, or is well again */
	EVENT_CHECK
};

struct event {
	mono_ms at;
	uint64_t order;
	enum event_kind kind;
	uint32_t index; /* request or fault */
};

struct span {
	mono_ms from, to;
};

struct request {
	struct upsert_call *call; /* NULL: nobody waits any more */
	unsigned number;
	terms asked;
	unsigned token;
	bool answered, used;
	enum upsert_kind kind;
	struct upsert_answer answer;
	mono_ms sent;
};

struct world {
	uint64_t seed, random;
	FILE *timeline; /* NULL: nothing is told */
	size_t count;
	struct number *numbers;
	mono_ms ends, calms; /* no new faults from `calms` on */
	mono_ms fault_every;

	struct event *events; /* a heap */
	size_t event_count, event_room;
	uint64_t order;
	struct request *requests;
	size_t request_count;
	uint32_t free_request;

	struct weather weather;
	unsigned version; /* of the configuration's domain */
	unsigned token_valid_from, token_latest;

	struct keeper *keeper; /* NULL: the daemon is down */
	bool frozen;           /* killed: nothing it does has an effect any more */
	int kill_after;        /* effects; < 0: never */
	bool power_lost;
	unsigned boot;
	mono_ms suspended_until;
	bool sick; /* the daemon: the core shall hold nothing */

	unsigned troubles; /* that last */
	mono_ms trouble_began, calm_since;
	struct span *spans; /* of trouble */
	size_t span_count;
	mono_ms unsure_until; /* the disk has forgotten what was promised */

	/* Judged: */
	unsigned in_flight;
	unsigned long long sent, lapses, excused, checks;
	mono_ms second;
	unsigned in_second, most_in_second;
	bool dead;          /* nothing gets through */
	mono_ms dead_since; /* the first request since then; 0: none */
	unsigned dead_sent;
	char failure[256]; /* "" while all is well */
};

extern struct world world;

/* ---- world.c ---- */
void world_event(mono_ms after, enum event_kind kind, uint32_t index);
struct event world_next(void); /* takes it off */
double chance(void);           /* [0, 1) */
mono_ms between(mono_ms from, mono_ms to);
unsigned below(unsigned n);
void say(const char *format, ...) PRINTF_LIKE(1, 2);
void fail(const char *format, ...) PRINTF_LIKE(1, 2);
/* One more effect of the daemon; false: it was killed before it. */
bool take_effect(void);

/* ---- daemon.c ---- */
void daemon_start(void);
void daemon_kill(mono_ms down);
void daemon_configure(void);
void daemon_want(struct number *number, terms wanted);
void daemon_token(void);
void daemon_health(void);
/* What the core is to hold of a number now. */
terms daemon_wish(const struct number *number);

/* ---- core_model.c ---- */
void core_arrive(uint32_t index);
void core_answer(uint32_t index);
void core_drop_daemon(void); /* it died: nobody waits for answers */

/* ---- store_model.c ---- */
void store_lose_power(void);
void store_checkpoint(void);
void store_done(void);

/* ---- faults.c ---- */
void fault_fair(uint32_t ttl_s); /* where a run begins */
void fault_draw(void);
void fault_end(uint32_t index);
mono_ms fault_down_time(void); /* of a daemon that was killed */

/* ---- judge.c ---- */
void judge_sent(struct number *number, enum upsert_kind kind);
void judge_lapse(struct number *number);
void judge_check(void);
void trouble_begins(void);
void trouble_ends(void);

#endif
