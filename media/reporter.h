/* SPDX-License-Identifier: Apache-2.0 */
/* reporter.h - RTCP of our own, for a peer that nobody else reports to.
 *
 * What is relayed has the far side's reports, rewritten (reports.h). A sound, a tone, music,
 * digits, converted speech of a side that sends no RTCP are ours alone, and so is what we make
 * of a stream that ends here: then the peer gets sender and receiver reports, our CNAME with
 * them, at the intervals of RFC 3550 section 6.3, and a BYE at the end. Both kinds have one SSRC
 * and one count, so that the peer does not see who makes them.
 *
 * Nothing allocates, locks or logs. Threads: the media thread of the leg.
 */
#ifndef BREAKOUT_MEDIA_REPORTER_H
#define BREAKOUT_MEDIA_REPORTER_H

#include "base/timer_wheel.h"
#include "media/relay.h"

struct reporter {
	struct relay_leg *leg; /* borrowed; NULL: it never began */
	struct timer_wheel *wheel;
	struct timer timer;
	uint64_t random; /* of the intervals */
	mono_ms last_ms; /* the last report, or the moment for one that was not needed */
	bool first;      /* it is to come yet */
	bool spoke;      /* the last one was ours */
	/* At the last one, and the one before: packets sent; reports and blocks of others. */
	uint32_t packets[2];
	unsigned senders[2], blocks[2];
	/* At the last one: packets that came, and that did not. */
	uint64_t came, lost;
};

/* The peer can be sent something, or may no more: `wanted` (RFC 3556: not with b=RS:0 and
 * b=RR:0). The leg has a sender. Again after each agreement. */
void reporter_start(struct reporter *reporter, struct timer_wheel *wheel, struct relay_leg *leg,
		    bool wanted);
/* Says BYE if the stream ends with it. One that never began is fine. */
void reporter_done(struct reporter *reporter);

#endif
