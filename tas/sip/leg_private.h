/* SPDX-License-Identifier: Apache-2.0 */
/* leg_private.h - a leg from inside: leg.c (life, dialog), leg_in.c and
 * leg_out.c (its INVITE), leg_reach.c (whether its next hop is there), leg_hop.c (where requests
 * go), leg_early.c (a fork's dialogs),
 * leg_prack.c (its reliable 18x), leg_offer.c (re-INVITE and UPDATE), leg_refresh.c (session
 * timer), leg_refer.c, leg_replaces.c, leg_inform.c, leg_errand.c (PRACK and NOTIFY), leg_auth.c.
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
#include "tas/sip/digest.h"
#include "tas/sip/leg.h"
#include "tas/sip/leg_info.h"
#include "tas/sip/message.h"
#include "tas/sip/offer_answer.h"
#include "tas/sip/session_id.h"

/* Extensions that any dialog of ours knows. */
#define LEG_SUPPORTED "timer"

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

/* A dialog that an 18x has begun; a reliable one opens it for requests of ours (RFC
 * 3262 section 4). */
struct early_dialog {
	struct early_dialog *next;
	nta_leg_t *dialog; /* NULL: not opened */
	uint32_t rseq;     /* the last one taken */
	char *sdp;         /* the last it sent that was told on; NULL: none */
	bool agreed;       /* which is its answer for good */
	char tag[];        /* the peer's */
};

/* What the peer's Allow says; of those we care for. */
#define LEG_ALLOWS_UPDATE 1u
#define LEG_ALLOWS_INFO   2u

struct leg {
	struct sip_endpoint *endpoint;
	struct leg *next, **link; /* the endpoint's list */
	enum leg_state state;
	bool incoming;
	bool released; /* the owner let go */
	bool ended;    /* the owner was told */
	bool heard;    /* outgoing: something answered */
	bool rang;     /* outgoing: with more than 100 */

	struct sip_peer *peer; /* own reference; counts us as long as it is set */
	struct sip_line *line; /* own reference; NULL: incoming, or to nobody's line */

	struct digest_identity *identity; /* own reference: who we are to the peer; NULL: nobody */
	char *auth_name;                  /* the peer's, to complain of it; NULL: no identity */
	struct digest_session auth_session;
	su_sockaddr_t auth_host; /* who answered our INVITE, or sent theirs */
	char *auth_text;         /* of the last answer to a challenge; NULL: none */
	bool auth_proxy;         /* for a proxy */
	bool auth_fresh;         /* not sent yet */

	nta_leg_t *dialog;
	nta_incoming_t *invite_in;
	nta_outgoing_t *invite_out;
	nta_outgoing_t *bye_out;
	char *address;           /* our Contact, without features */
	char *contact;           /* and as we send it */
	char *next_hop;          /* where it came from: for a peer that names no host we know */
	bool keep_hop;           /* and whatever Contact it gave, unless it gave a route */
	bool hop_told;           /* that it names a host we do not know */
	char *reason;            /* Reason for a BYE that has to wait; or NULL */
	su_home_t *home;         /* of the next; NULL: none */
	sip_unknown_t *farewell; /* more headers of its BYE or CANCEL; or NULL */

	char *ack_branch; /* of the INVITE whose 2xx we acknowledge */
	uint32_t ack_seq;

	char *peer_tag;  /* the dialog's, of the other end; NULL: not yet */
	char *early_tag; /* the dialog whose early SDP is told on */
	struct early_dialog *early;
	uint32_t prack_rseq; /* of the 18x that waits for leg_prack(); 0: none */
	bool reliable;       /* incoming: an 18x was sent reliably */
	bool early_sdp_sent; /* incoming: one of them carried SDP */
	bool agreed_early;   /* the INVITE's offer has its answer before the 2xx */
	unsigned allows;     /* LEG_ALLOWS_..., as last heard */

	struct session_id session_id;
	struct session_timer session;
	unsigned expires_s; /* what we ask the peer for; 0: nothing */
	unsigned min_se_s;  /* Min-SE that a 422 has taught us; 0: none */
	unsigned invites;   /* sent, the repeated ones included */
	struct timer session_timer;
	nta_outgoing_t *refresh_out;

	struct offer_answer offers;
	nta_incoming_t *offer_in; /* re-INVITE or UPDATE */
	bool offer_is_update;     /* or PRACK */
	nta_outgoing_t *offer_out;
	char *offer_sdp; /* ours, for a second try; NULL: without offer */
	bool offer_by_update;
	struct sip_headers offer_headers; /* what it brings from the other side */
	char *local_sdp;                  /* the last one the peer has of us; NULL: none */
	unsigned offer_tries;

	nta_incoming_t *refer_in;   /* waits for leg_refer_answer() */
	uint32_t refer_id;          /* its CSeq; names a second subscription */
	unsigned refers;            /* so far */
	bool refer_told;            /* who asked wants to know how it goes */
	nta_incoming_t *inform_in;  /* INFO that waits for leg_inform_answer() */
	nta_outgoing_t *inform_out; /* ours */
	bool inform_waits;          /* ours, held back for the 2xx to a PRACK: */
	char *inform_type, *inform_body;

	struct leg_errand *errands; /* leg_errand.c */

	uint64_t hop_key;   /* outgoing: of its next hop */
	mono_ms invited_ms; /* when it was asked for */
	mono_ms reach_ms;   /* since when the hop has to have said something to somebody */
	struct timer connect_timer, offer_timer, reaper;

	leg_event_fn *on_event; /* NULL: nobody listens any more */
	void *arg;
	struct leg_info info;
	char *texts;  /* those of the info */
	char *source; /* outgoing: the info's, known later; NULL: not yet */
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
/* A request inside the dialog. */
struct leg_request {
	sip_method_t method;
	const char *method_name;
	nta_response_f *on_response;       /* NULL: nobody waits */
	nta_leg_t *dialog;                 /* NULL: leg_dialog() */
	const char *sdp, *reason, *rack;   /* NULL: none */
	const char *body, *body_type;      /* instead of SDP */
	const struct sip_headers *headers; /* more; NULL: none */
	const char *event, *state;         /* of a NOTIFY */
};
nta_outgoing_t *leg_request(struct leg *leg, const struct leg_request *request);
/* The dialog that requests go into: before the 2xx an early one. */
nta_leg_t *leg_dialog(const struct leg *leg);
void leg_send_ack(struct leg *leg, const char *sdp);
/* From now on our Contact has the features of the other side's (RFC 3840). */
int leg_take_features(struct leg *leg, const struct sip_headers *headers) MUST_CHECK;
void leg_hang_up(struct leg *leg, const char *reason);
int leg_reply(struct leg *leg, nta_incoming_t *request, int status, const char *phrase,
	      const char *sdp, const struct sip_headers *headers) MUST_CHECK;
/* The response alone, not sent; NULL: no memory. */
msg_t *leg_make_reply(struct leg *leg, nta_incoming_t *request, int status, const char *phrase,
		      const char *sdp, const struct sip_headers *headers);
/* For a message of ours that crosses from nowhere; false: none. */
#define LEG_SESSION_ID_LINE (SESSION_ID_TEXT + 16)
bool leg_session_id_line(const struct leg *leg, char ret_line[static LEG_SESSION_ID_LINE]);
void leg_heard(struct leg *leg, const sip_t *sip);        /* any message of the peer */
int leg_remember_local(struct leg *leg, const char *sdp); /* NULL: nothing new */
nta_request_f leg_on_request;
uint32_t leg_random(void);
/* Answers a request in the dialog with no more than a status, which ends it. Returns
 * the status. */
int leg_close_request(const struct leg *leg, nta_incoming_t *request, int status);
/* Of its headers; from the home. */
const char *leg_asserted_user(const struct leg *leg, su_home_t *home);
/* The info's texts may go now: the leg has its own. */
int leg_keep_texts(struct leg *leg) MUST_CHECK;
const char *leg_source_text(su_home_t *home, const struct sockaddr_storage *address);
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

/* leg_reach.c: an INVITE has left; its next hop has answered (NULL or sofia's own: it has
 * not). */
void leg_reach_begin(struct leg *leg);
void leg_reach_heard(struct leg *leg, const sip_t *sip);
timer_fn leg_reach_on_timer;

/* leg_hop.c: a URI from the home, where the dialog's next request goes; NULL: sofia
 * decides. */
char *leg_hop(struct leg *leg, nta_leg_t *dialog, su_home_t *home);

/* leg_prack.c */
int leg_send_reliably(struct leg *leg, int status, const char *reason, const char *sdp,
		      const struct sip_headers *headers) MUST_CHECK;
/* A provisional response with RSeq: false for a repetition, or one out of order. */
bool leg_reliable_in_order(struct leg *leg, const sip_t *sip);
/* It is acknowledged, unless its SDP is an offer that leg_prack() answers. */
void leg_take_reliable(struct leg *leg, const sip_t *sip, bool with_sdp);

/* leg_early.c */
struct early_dialog *leg_find_early(const struct leg *leg, const char *tag); /* NULL: none */
/* Any provisional response: its dialog is known from now on. */
void leg_note_early(struct leg *leg, const sip_t *sip);
/* And open for requests; NULL: not known, or no memory. */
struct early_dialog *leg_open_early(struct leg *leg, const sip_t *sip);
nta_leg_t *leg_early_dialog(const struct leg *leg, const char *tag); /* NULL: not open */
/* SDP in a provisional response: true if it is told on. */
bool leg_hear_early(struct leg *leg, const sip_t *sip, const char *sdp);
/* This dialog's answer is final: it came reliably, or is ours. */
void leg_agree_early(struct leg *leg, struct early_dialog *early);
/* What the 2xx makes of the SDP told so far; NULL: it stands. Before: */
char *leg_final_sdp(struct leg *leg, const sip_t *sip);
/* The 2xx has chosen a dialog: it becomes leg->dialog if it was an open one. */
bool leg_choose_early(struct leg *leg, const char *tag);
void leg_drop_early(struct leg *leg);

/* leg_refresh.c */
struct session_timer_said leg_session_said(const sip_t *sip);
/* What our 2xx to the INVITE will say, and to a later request. */
void leg_session_answer(struct leg *leg, const struct session_timer_said *request);
void leg_session_reanswer(struct leg *leg, const struct session_timer_said *request);
void leg_session_agreed(struct leg *leg, const sip_t *response);
void leg_session_begin(struct leg *leg); /* the dialog is up; again: no harm */
void leg_session_stop(struct leg *leg);
timer_fn leg_session_due;

/* leg_refer.c, leg_inform.c; nta's status */
int leg_on_refer(struct leg *leg, nta_incoming_t *request, const sip_t *sip);
int leg_on_info(struct leg *leg, nta_incoming_t *request, const sip_t *sip);
void leg_drop_refer(struct leg *leg);
void leg_drop_inform(struct leg *leg);
void leg_inform_held(struct leg *leg); /* no PRACK is in the way any more */

/* leg_out.c: the same INVITE once more, after a response that asks for it */
int leg_invite_again(struct leg *leg) MUST_CHECK;

/* leg_auth.c */
void leg_auth_as(struct leg *leg, const struct sip_peer *peer); /* who we are to it */
/* The peer's INVITE, or a response to ours: it came from there. */
void leg_auth_saw(struct leg *leg, msg_t *msg);
/* True: the response is a challenge and has been answered; the next request of the
 * same method carries the answer. */
bool leg_auth_answer(struct leg *leg, nta_outgoing_t *request, const sip_t *sip);
/* That request, if it is one inside the dialog: the same as before. NULL: the
 * response is no challenge, or not one to be answered. */
nta_outgoing_t *leg_auth_again(struct leg *leg, nta_outgoing_t *request, const sip_t *sip,
			       nta_response_f *on_response);
/* Header values for the next request, NULL for none; borrowed. */
struct leg_authorization {
	const char *to_server, *to_proxy;
};
struct leg_authorization leg_authorize(struct leg *leg, bool ack);

/* leg_errand.c: sends it; only a challenge changes anything. */
int leg_send_errand(struct leg *leg, const struct leg_request *request) MUST_CHECK;
bool leg_pracking(const struct leg *leg); /* a PRACK of ours waits for its answer */
void leg_drop_errands(struct leg *leg);

/* leg_offer.c */
int leg_on_offer(struct leg *leg, nta_incoming_t *request, const sip_t *sip); /* nta's status */
/* A 2xx to a re-INVITE gets its ACK, now or by leg_ack(). */
void leg_acknowledge(struct leg *leg, nta_outgoing_t *request, bool now);
void leg_drop_offers(struct leg *leg);
void leg_offer_held(struct leg *leg); /* no PRACK is in the way any more */
timer_fn leg_offer_again;

#endif
