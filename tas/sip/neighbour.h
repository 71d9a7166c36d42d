/* SPDX-License-Identifier: Apache-2.0 */
/* neighbour.h - the daemons that were here before us, and the one that takes our place, as
 * SIP sees them.
 *
 * Connections stay with the process that has them; sockets that listen go to the newest
 * one. So each hears what is for others: an elder new calls over its connections, the
 * newest one BYEs of an elder's calls. Who gets a message that belongs to nothing of its
 * own passes it on, whole, and the other sees it on a connection from the true peer
 * (listening_give()); what it says there leaves by the true connection. Nothing is added to
 * a message, no Via either.
 *
 * Elders know only the newest one, which knows all. An elder passes to it what is not its
 * own. The newest one asks its elders one after another, from the youngest on: each but the
 * oldest gives back what it has nothing to do with, and so a message ends with its owner,
 * or with the oldest, who says that there is no such call. A first INVITE by UDP, whose
 * transaction an elder may have, comes back to the newest one, which serves it.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_NEIGHBOUR_H
#define BREAKOUT_TAS_SIP_NEIGHBOUR_H

#include <stdbool.h>
#include "base/clock.h"
#include "base/fd_link.h"
#include "base/macros.h"

struct sip_endpoint;
struct neighbour; /* opaque */

enum neighbour_side { NEIGHBOUR_ELDER, NEIGHBOUR_HEIR };

/* What a frame begins with, as a number; others are the owner's (below). */
enum neighbour_frame { NEIGHBOUR_CONNECTION = 100, NEIGHBOUR_DATAGRAM };

/* Until neighbour_destroy() the endpoint passes on what is for the other side, over
 * `link` (fd_link.h; borrowed). Elders come from the youngest on. */
int neighbour_create(struct neighbour **ret_neighbour, struct sip_endpoint *endpoint,
		     enum neighbour_side side, int link) MUST_CHECK;
/* An elder's link is our heir's from now on: what is shared with it goes on, no more is. */
void neighbour_leave(struct neighbour *neighbour);
/* Another process is at the heir's end of the link: connections that were shown, and that
 * the one before ends, are shown to it. */
void neighbour_renew(struct neighbour *neighbour);
/* What the other is in the middle of over our connections, it loses. */
struct neighbour *neighbour_destroy(struct neighbour *neighbour);

/* A frame of this room's; -EPROTO: it is none. */
int neighbour_take(struct neighbour *neighbour, struct fd_frame *frame) MUST_CHECK;

/* The connection to this hop ("sip:192.0.2.1:5060;transport=tls"), if there is one, can be
 * used by the other from now on: who is there cannot be called otherwise. */
void neighbour_show(struct neighbour *neighbour, const char *hop);

/* Says the end of those connections of ours that neighbours use and that are quiet:
 * nothing was said for a moment, and no request waits for its answer. `all`: of the others
 * too. What their peers have sent already is passed on, and answered where its Via says (RFC
 * 3261 section 18.2.2). True: there are no others. Ask again. */
bool neighbours_part(struct sip_endpoint *endpoint, bool all, mono_ms now);

/* Whether a request that was passed on waits for its final answer; whether the peers have
 * ended all of those connections, and got their answers. */
bool neighbours_owe_answers(const struct sip_endpoint *endpoint);
bool neighbours_have_ended(const struct sip_endpoint *endpoint);

/* ---- inside of tas/sip ---- */

enum message_kind { MESSAGE_RESPONSE, MESSAGE_INSIDE, MESSAGE_FIRST_INVITE, MESSAGE_OTHER };
enum passing { PASS_NOT, PASS_TO_ELDER, PASS_TO_HEIR, PASS_BACK };

/* Of a message that belongs to nothing of our own. */
struct passing_question {
	enum message_kind kind;
	bool heir;       /* there is one */
	bool by_heir;    /* passed it to us */
	bool gives_back; /* what is not ours may be another elder's */
	bool elder;      /* there is one that has not seen it yet */
	bool datagram;
	bool known; /* its sender was let in; before that it is not asked who it is */
	bool early; /* the elder may have transactions from before */
};
enum passing passing_decide(const struct passing_question *question);

struct msg_s;
struct sip_s;
/* True: `msg` was passed on, and is gone. known: see above. */
bool neighbour_passes(struct sip_endpoint *endpoint, struct msg_s *msg, const struct sip_s *sip,
		      bool known);

#endif
