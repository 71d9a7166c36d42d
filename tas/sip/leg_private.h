/* SPDX-License-Identifier: Apache-2.0 */
/* leg_private.h - a leg from inside: leg.c (life, dialog), leg_in.c and
 * leg_out.c (its INVITE), leg_offer.c (re-INVITE and UPDATE).
 *
 *   in:  INVITED --2xx--> ACCEPTED --ACK--> TALKING --BYE--> HANGING_UP -> OVER
 *           |                 +--released--> UNACKED --ACK or time-out--^
 *           +--final >= 300, CANCEL--> OVER
 *   out: CALLING --2xx--> ANSWERED --ACK--> TALKING
 *           +--released, gave up--> CANCELLING --final--> OVER
 *
 * Memory: a leg is freed by its reaper timer, never inside a callback of sofia
 * or of the owner.
 */
#ifndef BREAKOUT_TAS_SIP_LEG_PRIVATE_H
#define BREAKOUT_TAS_SIP_LEG_PRIVATE_H

#include "tas/sip/endpoint_private.h"

#include "base/timer_wheel.h"
#include "tas/sip/leg.h"
#include "tas/sip/message.h"
#include "tas/sip/offer_answer.h"

enum leg_state {
	LEG_INVITED,    /* incoming: no final response yet */
	LEG_ACCEPTED,   /* incoming: 2xx sent, no ACK yet */
	LEG_UNACKED,    /* incoming: given up between 2xx and ACK */
	LEG_CALLING,    /* outgoing: no final response yet */
	LEG_ANSWERED,   /* outgoing: 2xx came, no ACK sent */
	LEG_CANCELLING, /* outgoing: given up before the final response */
	LEG_TALKING,
	LEG_HANGING_UP, /* our BYE waits for its answer */
	LEG_OVER
};

struct leg {
	struct sip_endpoint *endpoint;
	struct leg *next, **link; /* the endpoint's list */
	enum leg_state state;
	bool incoming;
	bool released; /* the owner let go */
	bool ended;    /* the owner was told */
	bool heard;    /* outgoing: something answered */

	su_home_t *home; /* texts below */
	nta_leg_t *dialog;
	nta_incoming_t *invite_in;
	nta_outgoing_t *invite_out;
	nta_outgoing_t *bye_out;
	char *contact;           /* our Contact header value */
	char *next_hop;          /* for a dialog whose peer gave no Contact; or NULL */
	char *reason;            /* Reason for a BYE that has to wait; or NULL */
	sip_unknown_t *farewell; /* more headers of its BYE or CANCEL; or NULL */

	char *ack_branch; /* of the INVITE whose 2xx we acknowledge */
	uint32_t ack_seq;

	char *early_tag; /* the dialog whose early SDP is told on */

	struct offer_answer offers;
	nta_incoming_t *offer_in; /* re-INVITE or UPDATE */
	bool offer_is_update;
	nta_outgoing_t *offer_out;
	char *offer_sdp; /* ours, for a second try; NULL: without offer */
	unsigned offer_tries;

	struct timer connect_timer, offer_timer, reaper;

	leg_event_fn *on_event; /* NULL: nobody listens any more */
	void *arg;
	struct leg_info info;
	struct sip_headers headers;
};

/* leg.c */
struct leg *leg_new(struct sip_endpoint *endpoint, bool incoming);
void leg_discard(struct leg *leg); /* one that nobody has seen */
void leg_enter(struct leg *leg, enum leg_state state);
void leg_tell(struct leg *leg, const struct leg_event *event, const msg_t *msg);
/* Tells LEG_EV_ENDED, once. msg may be NULL. */
void leg_end(struct leg *leg, enum leg_end_reason end, int status, const char *reason,
	     const msg_t *msg);
/* A request inside the dialog. headers, sdp and reason may be NULL. */
nta_outgoing_t *leg_request(struct leg *leg, sip_method_t method, const char *method_name,
			    nta_response_f *on_response, const char *sdp, const char *reason);
void leg_send_ack(struct leg *leg, const char *sdp);
void leg_hang_up(struct leg *leg, const char *reason);
int leg_reply(struct leg *leg, nta_incoming_t *request, int status, const char *phrase,
	      const char *sdp, const struct sip_headers *headers) MUST_CHECK;
nta_request_f leg_on_request;
uint32_t leg_random(void);
void leg_new_tag(char ret_tag[17]);

/* leg_in.c. Takes nothing: on failure the caller answers the request. */
int leg_create_incoming(struct leg **ret_leg, struct sip_endpoint *endpoint,
			nta_incoming_t *request, const sip_t *sip, const struct sip_source *source,
			int peer, char *take_sdp) MUST_CHECK;
void leg_refuse_invite(struct leg *leg, const struct leg_farewell *farewell);

/* leg_out.c */
void leg_cancel(struct leg *leg, const char *reason);
/* The next hop cannot be reached, or (reached) does not say a word. */
void leg_unreached(struct leg *leg, enum leg_end_reason end, const char *reason, bool reached);

/* leg_offer.c */
int leg_on_offer(struct leg *leg, nta_incoming_t *request, const sip_t *sip); /* nta's status */
void leg_drop_offers(struct leg *leg);
timer_fn leg_offer_again;

#endif
