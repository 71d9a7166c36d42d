/* SPDX-License-Identifier: Apache-2.0 */
/* fake_leg.h - legs without SIP: what the owner does is written down, what the
 * peer does is said by the test.
 *
 * Every function of leg.h is here, so a program linking this file has no other
 * leg. A released leg stays readable until fake_legs_reset(), so that a test
 * may ask how it was let go.
 */
#ifndef BREAKOUT_TESTS_FAKE_FAKE_LEG_H
#define BREAKOUT_TESTS_FAKE_FAKE_LEG_H

#include "tas/sip/leg.h"

#define FAKE_LEG_DONE_MAX 64

struct fake_leg_done {
	enum {
		FAKE_LEG_PROVISIONAL,
		FAKE_LEG_PRACK,
		FAKE_LEG_REFER_ANSWER,
		FAKE_LEG_REFER_REPORT,
		FAKE_LEG_INFORM,
		FAKE_LEG_INFORM_ANSWER,
		FAKE_LEG_ANSWER,
		FAKE_LEG_ACK,
		FAKE_LEG_OFFER,
		FAKE_LEG_OFFER_ACCEPT,
		FAKE_LEG_OFFER_REFUSE
	} what;
	int status;
	bool reliably; /* PROVISIONAL */
	bool update;   /* OFFER */
	char *sdp;     /* NULL: none; the body of INFO */
	char *headers; /* "Name: value\n" each; "" none */
};

struct leg {
	struct leg *next; /* every leg since the last reset, newest first */
	struct leg_info info;
	struct sip_headers headers;
	char *texts[16];
	size_t text_count;
	const char *invited_with; /* outgoing: the offer; NULL: none */
	bool outgoing;
	leg_event_fn *on_event;
	void *arg;
	bool ended, released, rang;
	struct sip_line *line; /* as leg_invite() was told */

	struct fake_leg_done done[FAKE_LEG_DONE_MAX]; /* the last that fitted */
	size_t done_count;
	int farewell_status; /* of leg_release */
	char *farewell_phrase, *farewell_reason, *farewell_headers;
	/* What the owner must not do twice or out of order; asserted inside. */
	bool answered, confirmed, acked, offer_out, offer_in;
	bool offer_asked, ack_owed; /* our offerless re-INVITE, its 2xx */
	bool refer_asked, refer_told;
	bool inform_in, inform_out, informs; /* informs: it allows INFO */
	bool prack_owed;                     /* outgoing: an 18x carried the offer */
	bool agreed_early;                   /* an 18x carried SDP reliably: UPDATE may go */
};

/* Incoming leg; sdp NULL: no offer. request_user, from_user: as said. */
struct leg *fake_leg_incoming(const char *request_user, const char *from_user, const char *sdp);
/* Changes what the INVITE said; text is copied. */
void fake_leg_say(struct leg *leg, const char **field, const char *text);

struct leg *fake_leg_out(size_t nth); /* by leg_invite(), the oldest first, or NULL */
struct leg *fake_leg_last(void);      /* the newest leg made by leg_invite(), or NULL */
size_t fake_leg_live_count(void);     /* not released */
size_t fake_leg_invite_count(void);
void fake_leg_invite_fails(int err); /* the next leg_invite() returns err */
void fake_legs_reset(void);          /* frees all; asserts that all were released */

/* Events from the peer. Ignored on a released leg, as the real one does. */
void fake_leg_event(struct leg *leg, enum leg_event_type type, int status, const char *sdp);
void fake_leg_event_headers(struct leg *leg, enum leg_event_type type, int status, const char *sdp,
			    const struct sip_headers *headers);
/* Of an outgoing leg: a provisional response that came reliably. */
void fake_leg_reliable(struct leg *leg, int status, const char *sdp);
/* REFER; replaces NULL: none. And what leg_by_replaces() finds for any text. */
void fake_leg_refer(struct leg *leg, const char *user, const char *replaces);
void fake_leg_replaced(struct leg *leg); /* it talks */
void fake_leg_named(struct leg *leg, enum leg_stage stage, bool early_only);
void fake_leg_named_fails(int err);
/* INFO; body NULL: none. */
void fake_leg_info(struct leg *leg, const char *type, const char *body);
/* An offer by UPDATE (or PRACK). */
void fake_leg_update(struct leg *leg, const char *sdp);
void fake_leg_end(struct leg *leg, enum leg_end_reason reason, int status);
void fake_leg_end_headers(struct leg *leg, enum leg_end_reason reason, int status,
			  const struct sip_headers *headers);

extern const char *fake_leg_phrase; /* of the last leg_refer_refuse(): borrowed */

/* A trace that remembers notes, each with a | behind it. */
struct sip_trace;
struct sip_trace *fake_trace(bool follows); /* every call */
const char *fake_trace_notes(void);         /* since fake_trace() */

/* The last thing the owner did, or NULL; nth from the start. */
const struct fake_leg_done *fake_leg_did(const struct leg *leg);
const struct fake_leg_done *fake_leg_did_nth(const struct leg *leg, size_t nth);

#endif
