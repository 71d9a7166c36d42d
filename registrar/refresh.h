/* SPDX-License-Identifier: Apache-2.0 */
/* refresh.h - who is due, how many at a time, and whether the API is up.
 *
 * A wheel of 100 ms slots holds what is due later. What is due waits in two
 * queues: what the core holds and shall go on holding, also if it has changed,
 * by the time its TTL runs out; and the others (new, refused, to be deleted), in
 * due order, which get at least every fifth turn. The brakes: a token bucket; a
 * window of requests in flight that shrinks when the API slows down; a budget for
 * repeated attempts, so that numbers which fail on their own hold up no others;
 * and a gate, the circuit breaker, that lets one probe at a time through while
 * the API is down.
 *
 * It knows no clock: time is handed in. Registrar thread only.
 */
#ifndef BREAKOUT_REGISTRAR_REFRESH_H
#define BREAKOUT_REGISTRAR_REFRESH_H

#include "registrar/reg_table.h"

#define REFRESH_WINDOW 256 /* 17 kB each in the gRPC core; more gains nothing */

struct refresh; /* opaque */

int refresh_create(struct refresh **ret_refresh, struct reg_table *table, uint64_t seed,
		   mono_ms now) MUST_CHECK;
struct refresh *refresh_destroy(struct refresh *refresh);

/* Files a record by its due_ms; moves it if it is filed already. */
void refresh_file(struct refresh *refresh, struct reg *reg);
/* The same, ahead of all others: it had its turn and could not use it. */
void refresh_file_first(struct refresh *refresh, struct reg *reg);
void refresh_unfile(struct refresh *refresh, struct reg *reg);

/* How many there are to keep alive, and for how long an upsert lasts: the rate
 * is twice what that takes, at least 500 a second, unless one is configured. */
void refresh_expect(struct refresh *refresh, size_t count, uint32_t ttl_s);

/* The next one to send a request for, or NULL: nobody is due, or a brake is
 * on. Each one taken is answered for by refresh_answered(). */
struct reg *refresh_take(struct refresh *refresh, mono_ms now);

enum refresh_answer {
	REFRESH_ANSWERED,  /* whatever it said, the API works */
	REFRESH_FAILED,    /* no answer, or one that tells of trouble over there */
	REFRESH_EXHAUSTED, /* it works and asks for less */
	REFRESH_VOID,      /* never sent, or not to be judged by */
	REFRESH_FORMER     /* taken before refresh_move() */
};
enum refresh_news { REFRESH_NO_NEWS, REFRESH_WENT_DOWN, REFRESH_CAME_UP };

/* `reg` is still as it was taken: due_ms is when its request was sent. */
enum refresh_news refresh_answered(struct refresh *refresh, struct reg *reg,
				   enum refresh_answer answer, mono_ms now);

/* The API is another from now on. What was taken until now was sent to the former one, and
 * brakes this one no more. While that was down, this one is asked at once, by a probe. */
void refresh_move(struct refresh *refresh, mono_ms now);

/* Requests a second, at most; 0: as refresh_expect() says. */
void refresh_limit(struct refresh *refresh, unsigned rate);

struct refresh_load {
	double rate;     /* permitted now, a second */
	unsigned window; /* requests in flight, at most */
	unsigned in_flight;
	bool down;
};
void refresh_load(const struct refresh *refresh, mono_ms now, struct refresh_load *ret_load);

bool refresh_down(const struct refresh *refresh);
unsigned refresh_in_flight(const struct refresh *refresh); /* with those at a former API */

/* Nothing is handed out while held: there is no token. */
void refresh_hold(struct refresh *refresh, bool hold);
/* The last errand before the end: no token bucket. */
void refresh_hurry(struct refresh *refresh);

/* When refresh_take() may have something again; answers may change that. */
mono_ms refresh_next(const struct refresh *refresh, mono_ms now);

#endif
