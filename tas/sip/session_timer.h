/* SPDX-License-Identifier: Apache-2.0 */
/* session_timer.h - when a session has to be refreshed, and by whom (RFC 4028).
 *
 * One timer a dialog, agreed by each side of the call on its own. It knows
 * numbers only, no messages; leg_refresh.c reads and writes those. A session has a
 * timer only where both sides know the extension: a peer that does not would
 * have to bear re-INVITEs it never asked for.
 */
#ifndef BREAKOUT_TAS_SIP_SESSION_TIMER_H
#define BREAKOUT_TAS_SIP_SESSION_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include "base/clock.h"

/* RFC 4028 section 4: the smallest Min-SE there is, and the default. */
#define SESSION_MIN_SE_S 90

struct session_timer_terms {
	unsigned expires_s; /* what we ask for; 0: nothing, only what the peer asks for */
	unsigned min_se_s;  /* what we bear; at least SESSION_MIN_SE_S */
};

enum session_refresher { SESSION_REFRESHER_OPEN, SESSION_REFRESHER_UAC, SESSION_REFRESHER_UAS };

/* What a request or a 2xx says. */
struct session_timer_said {
	bool supported;     /* "timer" in Supported or Require */
	unsigned expires_s; /* Session-Expires; 0: none */
	enum session_refresher refresher;
	unsigned min_se_s; /* Min-SE; 0: none */
};

/* What was agreed. */
struct session_timer {
	unsigned interval_s; /* 0: the session does not expire */
	bool ours;           /* we refresh */
};

/* Section 9: a request gets 422 with our Min-SE. */
bool session_timer_too_small(const struct session_timer_terms *terms,
			     const struct session_timer_said *request);

/* Section 9, as UAS: what our 2xx will say. */
struct session_timer session_timer_answer(const struct session_timer_terms *terms,
					  const struct session_timer_said *request);

/* Section 7.2, as UAC: what the 2xx means. */
struct session_timer session_timer_agreed(const struct session_timer_said *response);

/* Section 7.4, as UAC: what to ask for after a 422; 0: there is nothing to try. */
unsigned session_timer_raised_s(unsigned asked_s, const struct session_timer_said *response);

/* Section 10: the refresher acts at half the interval; the other side hangs up a
 * little before its end. 0: never. */
mono_ms session_timer_wait_ms(const struct session_timer *timer);

/* A Session-Expires value for a request or a response of ours. */
void session_timer_text(const struct session_timer *timer, bool request, char *ret_text,
			size_t room);

#endif
