/* SPDX-License-Identifier: Apache-2.0 */
/* leg.c - the life of a leg, and what is the same for both directions. */
#include "tas/sip/leg_private.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/str.h"

const char *leg_end_reason_name(enum leg_end_reason reason)
{
	static const char *const names[] = {
		[LEG_END_REFUSED] = "refused", [LEG_END_TIMEOUT] = "timeout",
		[LEG_END_TLS] = "tls",         [LEG_END_CANCELLED] = "cancelled",
		[LEG_END_BYE] = "bye",         [LEG_END_NO_ACK] = "no_ack",
		[LEG_END_LOST] = "lost",       [LEG_END_EXPIRED] = "expired",
	};

	return names[reason];
}

static const char *state_name(enum leg_state state)
{
	static const char *const names[] = {
		[LEG_INVITED] = "INVITED",   [LEG_ACCEPTED] = "ACCEPTED",
		[LEG_UNACKED] = "UNACKED",   [LEG_CALLING] = "CALLING",
		[LEG_ANSWERED] = "ANSWERED", [LEG_CANCELLING] = "CANCELLING",
		[LEG_TALKING] = "TALKING",   [LEG_HANGING_UP] = "HANGING_UP",
		[LEG_OVER] = "OVER",
	};

	return names[state];
}

/* One system call for many: a call takes five. SIP thread. */
uint32_t leg_random(void)
{
	static uint32_t pool[64];
	static size_t left;
	uint32_t bits;

	if (!left) {
		/* Up to 256 bytes never come short (getrandom(2)). */
		if (getrandom(pool, sizeof(pool), 0) != sizeof(pool))
			return (uint32_t)clock_now_ns();
		left = ARRAY_SIZE(pool);
	}
	bits = pool[--left];
	pool[left] = 0; /* nobody finds afterwards what was given out */
	return bits;
}

/* 64 random bits: sofia's own tags follow each other by a constant. */
void leg_new_tag(char ret_tag[17])
{
	(void)snprintf(ret_tag, 17, "%08x%08x", leg_random(), leg_random());
}

/* ---- creation and end ---- */

/* It is no longer one of its peer's calls. */
static void leave_peer(struct leg *leg)
{
	if (leg->peer)
		sip_peer_leave(leg->peer);
	leg->peer = sip_peer_unref(leg->peer);
}

static void leg_free(struct leg *leg)
{
	struct sip_endpoint *endpoint = leg->endpoint;

	leg_drop_offers(leg);
	leg_drop_refer(leg);
	leg_drop_inform(leg);
	leg_drop_errands(leg);
	leg_drop_early(leg);
	timer_cancel(&leg->connect_timer);
	timer_cancel(&leg->reaper);
	nta_outgoing_destroy(leg->bye_out);
	nta_outgoing_destroy(leg->invite_out);
	nta_incoming_destroy(leg->invite_in);
	nta_leg_destroy(leg->dialog);
	leave_peer(leg);
	sip_line_unref(leg->line);
	digest_identity_unref(leg->identity);
	free(leg->auth_name);
	free(leg->auth_text);
	*leg->link = leg->next;
	if (leg->next)
		leg->next->link = leg->link;
	endpoint->leg_count--;
	sip_headers_done(&leg->headers);
	free((char *)leg->info.sdp);
	free(leg->ack_branch);
	free(leg->peer_tag);
	free(leg->early_tag);
	free(leg->local_sdp);
	free(leg->reason);
	su_home_unref(leg->home);
	su_free(NULL, leg->address);
	su_free(NULL, leg->contact);
	free(leg->next_hop);
	free(leg->source);
	free(leg->texts);
	free(leg);
}

static void on_reaper(struct timer *timer, void *arg)
{
	(void)timer;
	leg_free(arg);
}

struct leg *leg_new(struct sip_endpoint *endpoint, bool incoming)
{
	struct leg *leg = calloc(1, sizeof(*leg));

	if (!leg)
		return NULL;
	leg->endpoint = endpoint;
	leg->incoming = incoming;
	leg->state = incoming ? LEG_INVITED : LEG_CALLING;
	leg->info.headers = &leg->headers;
	leg->allows = LEG_ALLOWS_INFO; /* a peer that sends no Allow may know it: RFC 3261 20.5 */
	timer_init(&leg->connect_timer, leg_reach_on_timer, leg);
	timer_init(&leg->offer_timer, leg_offer_again, leg);
	timer_init(&leg->session_timer, leg_session_due, leg);
	timer_init(&leg->reaper, on_reaper, leg);
	leg->next = endpoint->legs;
	leg->link = &endpoint->legs;
	if (leg->next)
		leg->next->link = &leg->next;
	endpoint->legs = leg;
	endpoint->leg_count++;
	return leg;
}

void leg_discard(struct leg *leg)
{
	if (leg)
		leg_free(leg);
}

static void reap(struct leg *leg)
{
	if (leg->released && leg->state == LEG_OVER)
		timer_start(endpoint_wheel(leg->endpoint), &leg->reaper, 0); /* next turn */
}

/* The only function that writes leg->state. */
void leg_enter(struct leg *leg, enum leg_state state)
{
	log_debug("sip", "leg=%s %s -> %s", leg->info.call_id ? leg->info.call_id : "-",
		  state_name(leg->state), state_name(state));
	leg->state = state;
	if (state != LEG_CALLING)
		timer_cancel(&leg->connect_timer);
	if (state == LEG_HANGING_UP || state == LEG_OVER) {
		leg_drop_offers(leg);
		leg_drop_refer(leg);
		leg_drop_inform(leg);
		leg_session_stop(leg);
		leave_peer(leg);
	} else if (state == LEG_TALKING) {
		leg_session_begin(leg);
	}
	reap(leg);
}

const struct leg_info *leg_info(const struct leg *leg)
{
	return &leg->info;
}

int leg_keep_texts(struct leg *leg)
{
	leg->texts = leg_info_pack(&leg->info);
	return leg->texts ? 0 : -ENOMEM;
}

void leg_settle(struct leg *leg)
{
	free((char *)leg->info.sdp);
	leg->info.sdp = NULL;
	if (!leg->incoming)
		sip_headers_done(&leg->headers);
}

int leg_count_for(struct leg *leg, struct sip_peer *peer)
{
	int err = sip_peer_enter(peer);

	if (err)
		return err;
	leg->peer = sip_peer_ref(peer);
	leg_auth_as(leg, peer);
	return 0;
}

void leg_set_handler(struct leg *leg, leg_event_fn *on_event, void *arg)
{
	leg->on_event = on_event;
	leg->arg = arg;
}

/* ---- telling the owner ---- */

void leg_tell(struct leg *leg, const struct leg_event *event, const msg_t *msg)
{
	struct sip_headers headers = { 0 };
	struct leg_event told = *event;
	leg_event_fn *on_event = leg->on_event;

	if (!on_event)
		return;
	/* Without memory the event matters more than its headers. */
	if (message_headers(msg, &headers) < 0)
		sip_headers_done(&headers);
	told.headers = &headers;
	if (!told.reason)
		told.reason = "";
	if (told.type == LEG_EV_ENDED) {
		leg->ended = true;
		leg->on_event = NULL;
	}
	on_event(leg, &told, leg->arg);
	sip_headers_done(&headers);
}

void leg_end(struct leg *leg, enum leg_end_reason end, int status, const char *reason,
	     const msg_t *msg)
{
	struct leg_event event = {
		.type = LEG_EV_ENDED,
		.end = end,
		.status = status,
		.rang = leg->rang,
		.reason = reason,
	};

	if (!leg->ended)
		leg_tell(leg, &event, msg);
}

/* ---- sending ---- */

nta_leg_t *leg_dialog(const struct leg *leg)
{
	nta_leg_t *early = leg->early_tag ? leg_early_dialog(leg, leg->early_tag) : NULL;

	return early ? early : leg->dialog;
}

/* Requests that may change where the peer finds us (RFC 3261 section 20.10 and
 * RFC 3311 section 5.1). */
static bool refreshes_target(sip_method_t method)
{
	return method == sip_method_invite || method == sip_method_update;
}

/* The other side's user agent, told on. */
static bool names_agent(const sip_unknown_t *more)
{
	for (; more; more = more->un_next)
		if (str_equal_nocase(more->un_name, "User-Agent"))
			return true;
	return false;
}

nta_outgoing_t *leg_request(struct leg *leg, const struct leg_request *request)
{
	nta_leg_t *dialog = request->dialog ? request->dialog : leg_dialog(leg);
	bool ack = request->method == sip_method_ack, timed;
	struct leg_authorization authorization = leg_authorize(leg, ack);
	su_home_t home[1] = { SU_HOME_INIT(home) };
	const sip_unknown_t *more = request->method == sip_method_bye
					    ? leg->farewell
					    : message_more(home, request->headers);
	nta_outgoing_t *sent;
	char cseq[32] = "", expires[40] = "", session[LEG_SESSION_ID_LINE];
	/* What crosses brings its own, or has none. */
	bool identified = !more && leg_session_id_line(leg, session);

	timed = refreshes_target(request->method) && leg->session.interval_s &&
		leg->state == LEG_TALKING;
	if (ack)
		(void)snprintf(cseq, sizeof(cseq), "%u ACK", leg->ack_seq);
	if (timed)
		session_timer_text(&leg->session, true, expires, sizeof(expires));
	sent = nta_outgoing_tcreate(
		dialog, request->on_response, leg, (const url_string_t *)leg_hop(leg, dialog, home),
		request->method, request->method_name, NULL,
		TAG_IF(ack, NTATAG_ACK_BRANCH(leg->ack_branch)),
		TAG_IF(cseq[0], SIPTAG_CSEQ_STR(cseq)),
		TAG_IF(request->method != sip_method_bye, SIPTAG_CONTACT_STR(leg->contact)),
		TAG_IF(request->method == sip_method_invite,
		       SIPTAG_UNKNOWN_STR(MESSAGE_ALLOW_LINE)),
		TAG_IF(timed, SIPTAG_SUPPORTED_STR(LEG_SUPPORTED)),
		TAG_IF(timed, SIPTAG_SESSION_EXPIRES_STR(expires)),
		TAG_IF(request->rack, SIPTAG_RACK_STR(request->rack)),
		TAG_IF(authorization.to_server, SIPTAG_AUTHORIZATION_STR(authorization.to_server)),
		TAG_IF(authorization.to_proxy,
		       SIPTAG_PROXY_AUTHORIZATION_STR(authorization.to_proxy)),
		TAG_IF(identified, SIPTAG_HEADER_STR(session)),
		TAG_IF(!more || !names_agent(more),
		       SIPTAG_USER_AGENT_STR(leg->endpoint->user_agent)),
		TAG_IF(request->reason, SIPTAG_REASON_STR(request->reason)),
		TAG_IF(more, SIPTAG_UNKNOWN(more)),
		TAG_IF(request->event, SIPTAG_EVENT_STR(request->event)),
		TAG_IF(request->state, SIPTAG_SUBSCRIPTION_STATE_STR(request->state)),
		TAG_IF(request->body, SIPTAG_CONTENT_TYPE_STR(request->body_type)),
		TAG_IF(request->body, SIPTAG_PAYLOAD_STR(request->body)),
		TAG_IF(request->sdp, SIPTAG_CONTENT_TYPE_STR("application/sdp")),
		TAG_IF(request->sdp, SIPTAG_PAYLOAD_STR(request->sdp)), TAG_END());
	su_home_deinit(home);
	return sent;
}

void leg_send_ack(struct leg *leg, const char *sdp)
{
	nta_outgoing_t *ack = leg_request(
		leg, &(struct leg_request){ SIP_METHOD_ACK, .dialog = leg->dialog, .sdp = sdp });

	if (leg_remember_local(leg, sdp) < 0)
		log_debug("sip", "leg=%s no memory for its last SDP", leg->info.call_id);
	/* It stays inside sofia for 64*T1 and answers repetitions of the 2xx. */
	nta_outgoing_destroy(ack);
}

const char *leg_told(const struct leg *leg)
{
	return leg->local_sdp;
}

int leg_remember_local(struct leg *leg, const char *sdp)
{
	char *copy = sdp ? strdup(sdp) : NULL;

	if (!copy)
		return sdp ? -ENOMEM : 0;
	free(leg->local_sdp);
	leg->local_sdp = copy;
	return 0;
}

bool leg_session_id_line(const struct leg *leg, char ret_line[static LEG_SESSION_ID_LINE])
{
	char text[SESSION_ID_TEXT];

	if (!session_id_text(&leg->session_id, text))
		return false;
	(void)snprintf(ret_line, LEG_SESSION_ID_LINE, "Session-ID: %s", text);
	return true;
}

void leg_heard(struct leg *leg, const sip_t *sip)
{
	if (!sip)
		return;
	for (const sip_unknown_t *more = sip->sip_unknown; more; more = more->un_next)
		if (str_equal_nocase(more->un_name, "Session-ID"))
			session_id_heard(&leg->session_id, more->un_value);
	if (!sip->sip_allow)
		return;
	leg->allows = 0;
	if (sip_is_allowed(sip->sip_allow, SIP_METHOD_UPDATE))
		leg->allows |= LEG_ALLOWS_UPDATE;
	if (sip_is_allowed(sip->sip_allow, SIP_METHOD_INFO))
		leg->allows |= LEG_ALLOWS_INFO;
}

static int on_bye_response(void *arg, nta_outgoing_t *request, const sip_t *sip)
{
	struct leg *leg = arg;
	int status = sip ? sip->sip_status->st_status : 408;

	if (status < 200)
		return 0;
	leg->bye_out = leg_auth_again(leg, request, sip, on_bye_response);
	nta_outgoing_destroy(request);
	if (!leg->bye_out) /* whatever it says: RFC 3261 section 15.1.1 */
		leg_enter(leg, LEG_OVER);
	return 0;
}

int leg_take_features(struct leg *leg, const struct sip_headers *headers)
{
	const char *features = headers && headers->features ? headers->features : "";
	char *contact;

	if (leg->contact && !*features)
		return 0; /* a response without leaves what an earlier one said */
	contact = su_sprintf(NULL, "%s%s", leg->address, features);
	if (!contact)
		return -ENOMEM;
	su_free(NULL, leg->contact);
	leg->contact = contact;
	return 0;
}

void leg_hang_up(struct leg *leg, const char *reason)
{
	leg_enter(leg, LEG_HANGING_UP);
	leg->bye_out =
		leg_request(leg, &(struct leg_request){ SIP_METHOD_BYE, on_bye_response,
							.dialog = leg->dialog, .reason = reason });
	if (!leg->bye_out)
		leg_enter(leg, LEG_OVER);
}

/* A 2xx to a request that could set the timer tells what was set. */
static bool tells_session(const struct leg *leg, nta_incoming_t *request, int status)
{
	sip_method_t method = nta_incoming_method(request);

	if (status < 200 || status >= 300 || !leg->session.interval_s)
		return false;
	return method == sip_method_invite ||
	       (method == sip_method_update && leg->state == LEG_TALKING);
}

msg_t *leg_make_reply(struct leg *leg, nta_incoming_t *request, int status, const char *phrase,
		      const char *sdp, const struct sip_headers *headers)
{
	msg_t *msg = nta_msg_create(leg->endpoint->agent, 0);
	bool success = status < 300, timed = tells_session(leg, request, status);
	bool relayed = headers && request == leg->invite_in;
	char expires[40] = "", session[LEG_SESSION_ID_LINE];
	bool identified = !relayed && leg_session_id_line(leg, session);

	if (!msg)
		return NULL;
	if (timed)
		session_timer_text(&leg->session, false, expires, sizeof(expires));
	if (relayed)
		session_id_sent(&leg->session_id, message_find(headers, "Session-ID"));
	if (leg_take_features(leg, headers) < 0 || message_add(msg, headers, sdp) < 0 ||
	    nta_incoming_complete_response(
		    request, msg, status, phrase ? message_phrase(msg_home(msg), phrase) : NULL,
		    TAG_IF(success, SIPTAG_CONTACT_STR(leg->contact)),
		    TAG_IF(identified, SIPTAG_HEADER_STR(session)),
		    TAG_IF(success && !message_find(headers, "Allow"),
			   SIPTAG_UNKNOWN_STR(MESSAGE_ALLOW_LINE)),
		    TAG_IF(timed, SIPTAG_SESSION_EXPIRES_STR(expires)),
		    /* RFC 4028 section 9: it has to know that it refreshes. */
		    TAG_IF(timed && !leg->session.ours, SIPTAG_REQUIRE_STR("timer")),
		    TAG_IF(timed, SIPTAG_SUPPORTED_STR(LEG_SUPPORTED)),
		    TAG_IF(!message_find(headers, "Server"),
			   SIPTAG_SERVER_STR(leg->endpoint->user_agent)),
		    TAG_END()) < 0) {
		msg_destroy(msg);
		return NULL;
	}
	return msg;
}

int leg_reply(struct leg *leg, nta_incoming_t *request, int status, const char *phrase,
	      const char *sdp, const struct sip_headers *headers)
{
	msg_t *msg = leg_make_reply(leg, request, status, phrase, sdp, headers);

	if (!msg)
		return -ENOMEM;
	/* What cannot be sent now is repeated by sofia, or asked for again. */
	(void)nta_incoming_mreply(request, msg);
	return 0;
}

/* ---- requests inside the dialog ---- */

int leg_close_request(const struct leg *leg, nta_incoming_t *request, int status)
{
	char seconds[16] = "", min_se[16] = "", session[LEG_SESSION_ID_LINE];
	bool identified = leg_session_id_line(leg, session);

	if (status == 500)
		(void)snprintf(seconds, sizeof(seconds), "%u",
			       offer_answer_retry_after_s(leg_random()));
	if (status == 422)
		(void)snprintf(min_se, sizeof(min_se), "%u", leg->endpoint->session_terms.min_se_s);
	nta_incoming_treply(request, status, NULL, TAG_IF(identified, SIPTAG_HEADER_STR(session)),
			    TAG_IF(status == 500, SIPTAG_RETRY_AFTER_STR(seconds)),
			    TAG_IF(status == 422, SIPTAG_MIN_SE_STR(min_se)), TAG_END());
	nta_incoming_destroy(request);
	return status;
}

static int on_bye(struct leg *leg, nta_incoming_t *request)
{
	msg_t *msg = nta_incoming_getrequest(request);

	(void)leg_close_request(leg, request, 200);
	switch (leg->state) {
	case LEG_INVITED: /* RFC 3261 section 15: the caller may end an early dialog so */
		leg_refuse_invite(leg, NULL);
		leg_end(leg, LEG_END_CANCELLED, 487, "BYE before the answer", msg);
		break;
	case LEG_ACCEPTED:
	case LEG_ANSWERED:
	case LEG_TALKING:
		leg_enter(leg, LEG_OVER);
		leg_end(leg, LEG_END_BYE, 200, "BYE", msg);
		break;
	case LEG_UNACKED: /* spares us our own */
	case LEG_HANGING_UP:
		leg_enter(leg, LEG_OVER);
		break;
	case LEG_CALLING:
	case LEG_CANCELLING: /* an early dialog of a fork; the INVITE itself goes on */
	case LEG_OVER:
		break;
	}
	msg_destroy(msg);
	return 200;
}

int leg_on_request(struct leg *leg, nta_leg_t *dialog, nta_incoming_t *request, const sip_t *sip)
{
	(void)dialog;
	leg_heard(leg, sip);
	switch ((int)sip->sip_request->rq_method) { /* all others: not allowed */
	case sip_method_ack:
		nta_incoming_destroy(request); /* of a transaction that is over */
		return 0;
	case sip_method_bye:
		return on_bye(leg, request);
	case sip_method_invite:
	case sip_method_update:
		return leg_on_offer(leg, request, sip);
	case sip_method_refer:
		return leg_on_refer(leg, request, sip);
	case sip_method_info:
		return leg_on_info(leg, request, sip);
	case sip_method_options:
		nta_incoming_treply(request, SIP_200_OK, SIPTAG_ALLOW_STR(MESSAGE_ALLOW),
				    SIPTAG_ACCEPT_STR("application/sdp"), TAG_END());
		nta_incoming_destroy(request);
		return 200;
	default:
		nta_incoming_treply(request, SIP_405_METHOD_NOT_ALLOWED,
				    SIPTAG_ALLOW_STR(MESSAGE_ALLOW), TAG_END());
		nta_incoming_destroy(request);
		return 405;
	}
}

/* ---- the owner's hand ---- */

int leg_ack(struct leg *leg, const char *sdp)
{
	if (leg->state == LEG_ANSWERED) {
		leg_send_ack(leg, sdp);
		leg->offers.to_ack = false;
		/* Sofia keeps it to know repetitions and forks of the 2xx. */
		nta_outgoing_destroy(leg->invite_out);
		leg->invite_out = NULL;
		leg_enter(leg, LEG_TALKING);
		return 0;
	}
	if (leg->state == LEG_TALKING && leg->offers.to_ack) {
		leg_send_ack(leg, sdp);
		leg->offers.to_ack = false;
		return 0;
	}
	return -EINVAL;
}

struct leg *leg_release(struct leg *leg, const struct leg_farewell *farewell)
{
	const char *reason = farewell ? farewell->reason : NULL;

	if (!leg)
		return NULL;
	assert(!leg->released);
	leg->on_event = NULL;
	leg->released = true;
	if (farewell && farewell->headers && farewell->headers->count) {
		leg->home = su_home_create();
		leg->farewell = leg->home ? message_more(leg->home, farewell->headers) : NULL;
	}
	switch (leg->state) {
	case LEG_INVITED:
		leg_refuse_invite(leg, farewell);
		break;
	case LEG_ACCEPTED: /* RFC 3261 section 15: no BYE before the ACK */
		leg->reason = str_dup_or_null(reason);
		leg_enter(leg, LEG_UNACKED);
		break;
	case LEG_CALLING:
		leg_cancel(leg, reason);
		break;
	case LEG_ANSWERED:
		(void)leg_ack(leg, NULL); /* cannot fail in this state */
		leg_hang_up(leg, reason);
		break;
	case LEG_TALKING:
		leg_hang_up(leg, reason);
		break;
	case LEG_UNACKED:
	case LEG_CANCELLING:
	case LEG_HANGING_UP:
	case LEG_OVER:
		reap(leg);
		break;
	}
	return NULL;
}
