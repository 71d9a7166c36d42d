/* SPDX-License-Identifier: Apache-2.0 */
/* leg.h - the door to tas/sip: one INVITE dialog usage (RFC 3261 12 to 15), with
 * reliable provisional responses (RFC 3262), UPDATE (RFC 3311) and session
 * timers (RFC 4028) of its own.
 *
 * A leg knows transactions, dialog state, offers in flight and their races; it
 * does not know why it exists. No sofia type passes this door.
 *
 * Life: an incoming leg comes from sip_endpoint_handlers.invite, an outgoing
 * one from leg_invite(). The owner hears events until LEG_EV_ENDED or until it
 * lets go with leg_release(), which ends the dialog the right way for its
 * state (487/status, CANCEL, ACK and BYE for a 200 that crossed the CANCEL,
 * BYE) in the background. Every leg must be released, ended ones too.
 *
 * Threads: the SIP thread. Callbacks may call any function, leg_release() too.
 */
#ifndef BREAKOUT_TAS_SIP_LEG_H
#define BREAKOUT_TAS_SIP_LEG_H

#include <netinet/in.h>
#include <stdbool.h>
#include "base/macros.h"
#include "config/config.h"
#include "tas/sip/headers.h"
#include "tas/sip/peer.h"

struct leg;          /* opaque */
struct sip_endpoint; /* endpoint.h */

/* Reliable provisional responses: RFC 3262. */
enum leg_100rel { LEG_100REL_NONE, LEG_100REL_SUPPORTED, LEG_100REL_REQUIRED };

enum leg_event_type {
	LEG_EV_PROVISIONAL,    /* outgoing: status 101..199, each in order; sdp or NULL. A
				* `reliable` one whose sdp is the offer wants leg_prack() */
	LEG_EV_PRACKED,        /* incoming: the PRACK for the 18x that carried our offer; sdp is
				* the answer, NULL if it is missing. 200 was sent */
	LEG_EV_ANSWERED,       /* outgoing: 2xx; sdp or NULL. The owner calls leg_ack() */
	LEG_EV_CONFIRMED,      /* incoming: the ACK for our 2xx; sdp if it carried one */
	LEG_EV_OFFER,          /* re-INVITE, or (`update`) UPDATE or PRACK from the peer; sdp or
				* NULL (it wants our offer), with `update` never NULL. Answer with
				* leg_offer_accept() or leg_offer_refuse(). May come before the
				* final response, once an 18x has carried SDP reliably */
	LEG_EV_OFFER_ANSWERED, /* our leg_offer(): status; sdp if 2xx. ACK was sent */
	LEG_EV_REFER,          /* the peer asks for a transfer (RFC 3515): refer. Answer with
				* leg_refer_answer() */
	LEG_EV_INFO,           /* INFO (RFC 6086): body of body_type, NULL: none. Answer with
				* leg_inform_answer() */
	LEG_EV_INFO_ANSWERED,  /* our leg_inform(): status */
	LEG_EV_ENDED           /* last event: the leg is over; see leg_end_reason */
};

enum leg_end_reason {
	LEG_END_REFUSED,   /* outgoing: final status >= 300 from the peer */
	LEG_END_TIMEOUT,   /* outgoing: nobody answered: connect, TLS, or no response */
	LEG_END_TLS,       /* outgoing: the next hop's certificate was not accepted */
	LEG_END_CANCELLED, /* incoming: CANCEL; 487 was sent */
	LEG_END_BYE,       /* the peer hung up; 200 was sent */
	LEG_END_NO_ACK,    /* incoming: our 2xx (BYE was sent) or 18x was never acknowledged */
	LEG_END_LOST,      /* the dialog is gone at the peer: 481 or 408 inside it */
	LEG_END_EXPIRED    /* the peer did not refresh the session (RFC 4028); BYE was sent */
};
const char *leg_end_reason_name(enum leg_end_reason reason);

/* Who the peer wants the other side to talk to. */
struct leg_refer {
	const char *uri;      /* Refer-To without its headers */
	const char *user;     /* unescaped; "" none */
	const char *replaces; /* Replaces (RFC 3891) as the new INVITE would have it; NULL: none */
};

struct leg_event {
	enum leg_event_type type;
	enum leg_end_reason end; /* ENDED */
	int status;              /* SIP status, or the one to show for a local failure */
	bool rang;               /* ENDED, outgoing: a provisional response above 100 had come */
	const char *reason;      /* reason phrase or one sentence; never NULL */
	const char *sdp;         /* NULL: none */
	bool reliable;           /* PROVISIONAL: it was sent reliably */
	bool update;             /* OFFER: not by a re-INVITE */
	const struct leg_refer *refer;     /* REFER */
	const char *body, *body_type;      /* INFO */
	const struct sip_headers *headers; /* of the message; never NULL, may be empty */
};
typedef void leg_event_fn(struct leg *leg, const struct leg_event *event, void *arg);

/* What an incoming INVITE said; for outgoing ones what was sent. Valid as long
 * as the leg. */
struct leg_info {
	int peer;                 /* as identify() named it; -1 for outgoing */
	const char *request_user; /* user part of the request URI, unescaped; "" none */
	const char *request_uri;
	const char *from_uri, *from_user, *from_display; /* "" if absent */
	const char *to_uri, *to_user, *to_display;
	const char *asserted_user; /* P-Asserted-Identity's first user part (RFC 3325) or "" */
	const char *call_id;
	const char *session_id; /* Session-ID header or "" */
	const char *source;     /* "address:port" of the peer */
	enum sip_transport transport;
	int max_forwards;
	enum leg_100rel rel100;            /* what the INVITE said of reliable responses */
	const char *replaces;              /* RFC 3891: whose place it wants; NULL: nobody's */
	bool needs_replaces;               /* and it is no use as a call of its own (Require) */
	const struct sip_headers *headers; /* all, except those of transaction and dialog */
	const char *sdp;                   /* NULL: the INVITE carried no offer */
};
const struct leg_info *leg_info(const struct leg *leg);
/* The dialog is there to stay: what only its beginning needs is let go. From now on
 * leg_info.sdp is NULL, and leg_info.headers of an outgoing leg are empty. Again: no harm. */
void leg_settle(struct leg *leg);
/* The SDP that the peer has of us, from the last exchange that it agreed to: borrowed until
 * the next. NULL: none. */
const char *leg_told(const struct leg *leg);

void leg_set_handler(struct leg *leg, leg_event_fn *on_event, void *arg);

struct leg_invite {
	const char *request_uri; /* whole URI */
	const char *next_hop;    /* URI to send to, as a loose route that is not written; NULL:
				    request_uri */
	bool keep_hop;           /* for what follows in the dialog too: behind a NAT a Contact names
				  * nobody, and RFC 5626 section 5.3 has the flow instead */
	const char *from_uri, *from_display; /* tag is the leg's; display may be NULL */
	const char *to_uri, *to_display;     /* display may be NULL */
	const struct sip_headers *headers;   /* added as they are; NULL: none */
	int max_forwards;                    /* value to send; 0: 70 */
	enum leg_100rel rel100;              /* what to say of reliable responses */
	struct sip_line *line; /* counts the leg among its peer's calls, and hears what
				  becomes of it; NULL: none */
	const char *sdp;       /* NULL: no offer */
};

/* 0, -EBUSY (the line's peer has its limit of calls), -EINVAL (a URI or header
 * does not parse), -ENOMEM: nothing was sent.
 * Later failures come as LEG_EV_ENDED. Copies what it needs. */
int leg_invite(struct leg **ret_leg, struct sip_endpoint *endpoint, const struct leg_invite *invite,
	       leg_event_fn *on_event, void *arg) MUST_CHECK;

/* Counts an incoming leg among a peer's calls until it ends. -EBUSY: no more. */
int leg_count_for(struct leg *leg, struct sip_peer *peer) MUST_CHECK;

/* Incoming, before a final response. sdp, reason and headers may be NULL. They
 * keep their order. One is sent reliably if the peer requires it, after the
 * first reliable one, and by leg_provisional_reliably() if the peer can. */
int leg_provisional(struct leg *leg, int status, const char *reason, const char *sdp,
		    const struct sip_headers *headers);
int leg_provisional_reliably(struct leg *leg, int status, const char *reason, const char *sdp,
			     const struct sip_headers *headers);
/* Once an 18x has carried the answer reliably, the 2xx leaves `sdp` out. It waits
 * inside for a PRACK that is still due (RFC 3262 section 3). */
int leg_answer(struct leg *leg, const char *sdp, const struct sip_headers *headers) MUST_CHECK;
/* Outgoing, after ANSWERED; sdp is the answer if the 2xx carried the offer. */
int leg_ack(struct leg *leg, const char *sdp);
/* Outgoing, after a reliable PROVISIONAL that carried the offer: its answer. All
 * others are acknowledged inside. -EINVAL: none is due. */
int leg_prack(struct leg *leg, const char *sdp);

/* In dialog. -EBUSY: an offer is in flight in either direction. A 491 is tried
 * again inside after RFC 3261 14.1's pause. sdp NULL: offerless re-INVITE.
 * update: by UPDATE (RFC 3311) if the peer allows it; before the final response
 * nothing else will do: -EOPNOTSUPP. */
int leg_offer(struct leg *leg, const char *sdp, bool update) MUST_CHECK;
/* The same with headers of the offer it passes on. */
int leg_offer_on(struct leg *leg, const char *sdp, bool update,
		 const struct sip_headers *headers) MUST_CHECK;
int leg_offer_accept(struct leg *leg, const char *sdp) MUST_CHECK;
int leg_offer_refuse(struct leg *leg, int status, const char *reason) MUST_CHECK;

/* 202 takes the transfer on, any other status refuses it. -EINVAL: none waits. */
int leg_refer_answer(struct leg *leg, int status);
int leg_refer_refuse(struct leg *leg, int status, const char *phrase); /* NULL: the standard one */
/* How it goes, to who asked for it: a status of the new call; 200 and above ends
 * it. Nothing happens if nobody wants to know. */
void leg_refer_report(struct leg *leg, int status, const char *phrase);
/* A dialog of ours that a Replaces value names (RFC 3891 section 3). */
enum leg_stage {
	LEG_STAGE_RINGING, /* outgoing, before its final response */
	LEG_STAGE_TALKING,
	LEG_STAGE_BETWEEN, /* incoming and not answered, or before the ACK */
	LEG_STAGE_OVER     /* it has ended a moment ago: leg is NULL */
};
struct leg_named {
	struct leg *leg; /* borrowed */
	enum leg_stage stage;
	bool early_only; /* wanted only while it rings */
};
/* 0, -EINVAL (no such value can be), -ENOENT. */
int leg_by_replaces(struct sip_endpoint *endpoint, const char *replaces,
		    struct leg_named *ret_named) MUST_CHECK;

/* INFO; -EBUSY: one is on its way, -EOPNOTSUPP: the peer allows none. */
int leg_inform(struct leg *leg, const char *body_type, const char *body) MUST_CHECK;
int leg_inform_answer(struct leg *leg, int status);

/* Why it ends, for the wire: `status` and `phrase` for an unanswered incoming
 * leg, `reason` as Reason header value (RFC 3326) for BYE and CANCEL. */
struct leg_farewell {
	int status;                        /* 0: 487 */
	const char *phrase;                /* NULL: the standard one */
	const char *reason;                /* "Q.850;cause=16;text=\"...\"" or NULL */
	const struct sip_headers *headers; /* for the final response, BYE or CANCEL; NULL: none */
	const char *contact;               /* of a 3xx: the URI to call instead; NULL: none */
};
/* NULL leg is fine; farewell may be NULL. No event comes after it. Returns NULL. */
struct leg *leg_release(struct leg *leg, const struct leg_farewell *farewell);

#endif
