/* SPDX-License-Identifier: Apache-2.0 */
/* ua.h - user agents: the phones of the core, and the PBX behind the TAS.
 *
 * Each party has a tone of its own, which it plays while it talks, and listens
 * to the tone that arrives. Parties exist as soon as somebody names them.
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TOOLS_CORE_UA_H
#define BREAKOUT_TOOLS_CORE_UA_H

#include <jansson.h>
#include <stdbool.h>
#include "base/clock.h"
#include "base/macros.h"
#include "base/timer_wheel.h"
#include "media/media.h"
#include "tas/sip/leg.h"

struct ua; /* opaque: one kind of user agent and its endpoint */

/* What a party does when it is called. */
struct ua_manner {
	int status;       /* 200: answers; 0: rings for ever; else refuses with it */
	unsigned ring_ms; /* from 180 to the answer */
	bool early;       /* 183 with SDP before the 180 */
	bool reliable;    /* 18x reliably, to those that can (RFC 3262) */
	char codec[20];   /* the only one it has, also for its own calls; "": all of ours */
};

struct ua_party {
	char name[64];
	unsigned tone_hz;
	struct ua_manner manner;
	unsigned called;   /* calls it got since its manner was set */
	char stopped[128]; /* why the latest that it did not answer is over; "" none */
};

struct ua_options {
	struct sip_endpoint *endpoint; /* all borrowed */
	struct media_engine *media;
	struct timer_wheel *wheel;
	enum media_leg_kind kind;
	const char *only_party; /* set: a number nobody has made a party of is this one */
	const char *domain;     /* host of the From URI; borrowed */
	unsigned *tones_used;   /* counts on, so that no two parties sound alike */
};

int ua_create(struct ua **ret_ua, const struct ua_options *options) MUST_CHECK;
struct ua *ua_destroy(struct ua *ua); /* ends its calls */

/* Makes the party if need be; NULL: no memory. */
struct ua_party *ua_party_add(struct ua *ua, const char *name);
json_t *ua_parties_json(const struct ua *ua);

/* One end of a call. Read only for others. */
struct ua_call {
	struct ua_call *next; /* the user agent's: latest first */
	struct ua *ua;
	unsigned refs;
	struct ua_party *party;
	bool incoming, ended;
	char other[64], call_id[128], session_id[128], from_uri[160];
	mono_ms started_ms, ringing_ms, early_ms, answered_ms, ended_ms; /* 0: not yet */
	int status;         /* last final status of the INVITE; 0 none */
	char reason[128];   /* why it ended */
	unsigned heard_hz;  /* latest tone, 0 none */
	int reoffer_status; /* of the latest re-INVITE; 0: no answer yet */
	struct media_receipt receipt;
	char media_failure[160];
	/* Private. */
	struct leg *leg;
	struct media_session *session;
	struct timer timer;
	struct sip_headers headers;
	char *answer_sdp, *request_uri, *to_uri;
	bool answer_due, offerless, reliable, hold, anonymous, peer_offers;
};

struct ua_dial {
	const char *request_uri;           /* where to */
	const char *to;                    /* number */
	const struct sip_headers *headers; /* more headers; NULL none */
	bool anonymous;                    /* From without the number, Privacy: id */
	bool offerless;                    /* INVITE without SDP */
	bool reliable;                     /* Supported: 100rel */
};
/* The caller has a reference of ret_call. */
int ua_dial(struct ua *ua, const char *party, const struct ua_dial *dial,
	    struct ua_call **ret_call) MUST_CHECK;
void ua_invite(struct ua *ua, struct leg *take_leg);

/* BYE, CANCEL or a refusal, whatever fits. */
void ua_call_hangup(struct ua_call *call);
/* A re-INVITE: holds the other party (sendonly) or talks on. */
int ua_call_reoffer(struct ua_call *call, bool hold) MUST_CHECK;
void ua_call_listen(struct ua_call *call); /* brings heard_hz and receipt up to date */

struct ua_call *ua_calls(const struct ua *ua); /* the latest; NULL none */
struct ua_call *ua_call_ref(struct ua_call *call);
struct ua_call *ua_call_unref(struct ua_call *call); /* NULL fine; returns NULL */
size_t ua_live_count(const struct ua *ua);

#endif
