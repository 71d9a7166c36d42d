/* SPDX-License-Identifier: Apache-2.0 */
/* order.h - inside of tas/service: who of several targets is rung first.
 *
 * It remembers, across calls and reloads, how a rule has shared its calls out,
 * and of each target how many calls it has and when the last one ended. Both are
 * found by name. It forgets nothing until the end: there are only as many names
 * as the configuration has had.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SERVICE_ORDER_H
#define BREAKOUT_TAS_SERVICE_ORDER_H

#include "base/shared_count.h"
#include "config/config.h"
#include "tas/call/call.h"

struct order_book; /* opaque */

int order_book_create(struct order_book **ret_book) MUST_CHECK;
struct order_book *order_book_destroy(struct order_book *book);

/* How many calls each target has, here and in other processes. */
struct shared_count *order_book_calls(struct order_book *book);
/* What a target's calls do: see call_room_on_target(). */
void order_book_news(struct order_book *book, const char *target, enum call_target_news news);

struct order_target {
	size_t index;    /* the caller's */
	char name[96];   /* "pbx/201" */
	unsigned weight; /* for RING_WEIGHTED */
	bool one_phone;  /* it is one phone, all of whose calls we know: may be left out while
			  * it has one */
};
/* Puts the targets into the order they are to be rung in and returns how many. A
 * phone that has a call is left out, unless all have one: it may still take a
 * second. Where order is RING_PARALLEL or RING_SEQUENCE the order is as given. */
size_t order_targets(struct order_book *book, enum ring_order order, const char *rule,
		     struct order_target *targets, size_t count);

#endif
