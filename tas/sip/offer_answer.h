/* SPDX-License-Identifier: Apache-2.0 */
/* offer_answer.h - whose offer is in flight in a dialog, and who yields.
 *
 * RFC 3261 section 14 (re-INVITE) and RFC 3311 section 5.2 (UPDATE). It counts
 * transactions, not SDP: an INVITE without an offer blocks others just as well.
 */
#ifndef BREAKOUT_TAS_SIP_OFFER_ANSWER_H
#define BREAKOUT_TAS_SIP_OFFER_ANSWER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/macros.h"

struct offer_answer {
	bool ours;    /* our INVITE waits for its final response */
	bool to_ack;  /* a 2xx to our INVITE waits for our ACK */
	bool theirs;  /* their INVITE or UPDATE waits for our final response */
	bool unacked; /* our 2xx waits for their ACK */
	bool retry;   /* our offer met a 491 or a PRACK, and waits for its time */
};

/* May we send an offer? 0 or -EBUSY. */
int offer_answer_may_send(const struct offer_answer *state) MUST_CHECK;

/* What their re-INVITE or UPDATE gets: 0 (take it), 491 or 500. */
int offer_answer_judge(const struct offer_answer *state);

/* RFC 3261 section 14.1: the pause after a 491, in units of 10 ms; 2.1 to 4 s
 * for the side that made the Call-ID, 0 to 2 s for the other. `random` is any
 * 32 random bits. */
unsigned offer_answer_pause_ms(bool owns_call_id, uint32_t random);

/* RFC 3261 section 14.2: Retry-After of the 500, 0 to 10 s. */
unsigned offer_answer_retry_after_s(uint32_t random);

#endif
