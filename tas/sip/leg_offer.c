/* SPDX-License-Identifier: Apache-2.0 */
/* leg_offer.c - offers inside a dialog, theirs and ours (RFC 3261 section 14,
 * RFC 3311). */
#include "tas/sip/leg_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* A peer that answers 491 again and again is left alone with its offer. */
#define TRIES_MAX 5

/* ---- theirs ---- */

static void forget_theirs(struct leg *leg)
{
	nta_incoming_destroy(leg->offer_in);
	leg->offer_in = NULL;
	leg->offers.theirs = leg->offers.unacked = false;
}

/* ACK or CANCEL of a re-INVITE; sip NULL: no ACK came (timer H). */
static int on_ack_cancel(struct leg *leg, nta_incoming_t *request, const sip_t *sip)
{
	msg_t *msg = nta_incoming_getrequest_ackcancel(request);
	struct leg_event event = { .type = LEG_EV_CONFIRMED, .status = 200, .reason = "ACK" };
	bool answered = leg->offers.unacked;
	char *sdp = NULL;

	if (sip && sip->sip_request->rq_method == sip_method_cancel) {
		if (!answered)
			nta_incoming_treply(request, SIP_487_REQUEST_TERMINATED, TAG_END());
		forget_theirs(leg);
	} else if (sip) {
		forget_theirs(leg);
		sdp = message_sdp_or_null(sip);
		event.sdp = sdp;
		if (answered)
			leg_tell(leg, &event, msg);
		free(sdp);
	} else {
		forget_theirs(leg);
		if (leg->state == LEG_TALKING) {
			leg_hang_up(leg, NULL); /* RFC 3261 section 13.3.1.4 */
			leg_end(leg, LEG_END_NO_ACK, 408, "no ACK", NULL);
		}
	}
	msg_destroy(msg);
	return 0;
}

/* An UPDATE without offer refreshes the target (RFC 3311 section 5.2) and the
 * session (RFC 4028 section 10). */
static int refresh(struct leg *leg, nta_incoming_t *request, const sip_t *sip)
{
	if (leg->state == LEG_TALKING)
		(void)nta_leg_server_route(leg->dialog, sip->sip_record_route, sip->sip_contact);
	if (leg_reply(leg, request, 200, NULL, NULL, NULL) < 0)
		return 500;
	nta_incoming_destroy(request);
	return 200;
}

/* RFC 3311 section 5.1: before the final response, once the INVITE's own
 * offer has its answer. The peer of an outgoing leg has to be the one whose SDP
 * was told on. */
static bool early_offer_fits(const struct leg *leg, const sip_t *sip)
{
	const char *tag = sip->sip_from->a_tag;

	if (!leg->agreed_early)
		return false;
	if (leg->state == LEG_INVITED)
		return true;
	return leg->state == LEG_CALLING && tag && leg->early_tag &&
	       strcmp(tag, leg->early_tag) == 0;
}

/* What an offer gets at once; 0: it may go to the owner. */
static int judge(const struct leg *leg, const sip_t *sip, bool is_update)
{
	bool early = is_update && early_offer_fits(leg, sip);
	int status = offer_answer_judge(&leg->offers);

	if (!status && ((leg->state != LEG_TALKING && !early) || !leg->on_event))
		status = 491;
	return status;
}

int leg_on_offer(struct leg *leg, nta_incoming_t *request, const sip_t *sip)
{
	bool is_update = sip->sip_request->rq_method != sip_method_invite;
	struct leg_event event = { .type = LEG_EV_OFFER, .reason = "", .update = is_update };
	struct session_timer_said said = leg_session_said(sip);
	msg_t *msg;
	char *sdp = NULL;
	int status, err;

	if (leg->state == LEG_HANGING_UP || leg->state == LEG_OVER)
		return leg_close_request(leg, request, 481);
	if (session_timer_too_small(&leg->endpoint->session_terms, &said))
		return leg_close_request(leg, request, 422);
	err = message_sdp(sip, &sdp);
	if (err)
		return leg_close_request(leg, request,
					 err == -ENOTSUP  ? 415
					 : err == -EINVAL ? 400
							  : 500);
	if (is_update && !sdp) {
		leg_session_reanswer(leg, &said);
		return refresh(leg, request, sip);
	}
	status = judge(leg, sip, is_update);
	if (status) {
		free(sdp);
		return leg_close_request(leg, request, status);
	}
	if (sip->sip_request->rq_method != sip_method_prack)
		leg_session_reanswer(leg, &said);
	(void)nta_leg_server_route(leg->dialog, sip->sip_record_route, sip->sip_contact);
	leg->offer_in = request;
	leg->offer_is_update = is_update;
	leg->offers.theirs = true;
	if (!is_update) {
		nta_incoming_bind(request, on_ack_cancel, leg);
		nta_incoming_treply(request, SIP_100_TRYING, TAG_END());
	}
	msg = nta_incoming_getrequest(request);
	event.sdp = sdp;
	leg_tell(leg, &event, msg);
	msg_destroy(msg);
	free(sdp);
	return 0;
}

int leg_offer_accept(struct leg *leg, const char *sdp)
{
	int err;

	if (!leg->offer_in || !leg->offers.theirs)
		return -EINVAL;
	err = leg_reply(leg, leg->offer_in, 200, NULL, sdp, NULL);
	if (!err)
		err = leg_remember_local(leg, sdp);
	if (err)
		return err;
	leg->offers.theirs = false;
	if (leg->offer_is_update)
		forget_theirs(leg);
	else
		leg->offers.unacked = true;
	return 0;
}

int leg_offer_refuse(struct leg *leg, int status, const char *reason)
{
	int err;

	if (!leg->offer_in || !leg->offers.theirs || status < 300 || status > 699)
		return -EINVAL;
	err = leg_reply(leg, leg->offer_in, status, reason, NULL, NULL);
	if (err)
		return err;
	forget_theirs(leg);
	return 0;
}

/* ---- ours ---- */

static int send_offer(struct leg *leg);

static bool may_offer(const struct leg *leg)
{
	bool early = leg->state == LEG_INVITED || leg->state == LEG_CALLING;

	return leg->state == LEG_TALKING || (early && leg->agreed_early);
}

static void on_glare(struct leg *leg)
{
	leg->offers.retry = true;
	timer_start(endpoint_wheel(leg->endpoint), &leg->offer_timer,
		    clock_now() + offer_answer_pause_ms(!leg->incoming, leg_random()));
}

void leg_offer_again(struct timer *timer, void *arg)
{
	struct leg *leg = arg;
	struct leg_event event = { .type = LEG_EV_OFFER_ANSWERED,
				   .status = 500,
				   .reason = "offer could not be sent" };

	(void)timer;
	leg->offers.retry = false;
	if (!may_offer(leg) && leg->state != LEG_ANSWERED)
		return;
	if (offer_answer_may_send(&leg->offers) < 0)
		on_glare(leg); /* theirs came first, or our ACK has to: after it */
	else if (send_offer(leg) < 0)
		leg_tell(leg, &event, NULL);
}

static void on_offer_failed(struct leg *leg, int status, const sip_t *sip, const msg_t *msg)
{
	struct leg_event event = { .type = LEG_EV_OFFER_ANSWERED,
				   .status = status,
				   .reason = sip ? sip->sip_status->st_phrase : "timeout" };

	if (status == 491 && ++leg->offer_tries < TRIES_MAX) {
		on_glare(leg);
	} else if (leg->state == LEG_TALKING && (status == 481 || status == 408)) {
		/* RFC 3261 section 12.2.1.2 */
		if (status == 408)
			leg_hang_up(leg, NULL);
		else
			leg_enter(leg, LEG_OVER);
		leg_end(leg, LEG_END_LOST, status, event.reason, msg);
	} else {
		leg_tell(leg, &event, msg);
	}
}

void leg_acknowledge(struct leg *leg, nta_outgoing_t *request, bool now)
{
	free(leg->ack_branch);
	leg->ack_branch = str_dup_or_null(nta_outgoing_branch(request));
	leg->ack_seq = nta_outgoing_cseq(request);
	if (now)
		leg_send_ack(leg, NULL);
	else
		leg->offers.to_ack = true; /* the ACK carries the answer: leg_ack() */
}

static void on_offer_accepted(struct leg *leg, nta_outgoing_t *request, const sip_t *sip,
			      const msg_t *msg)
{
	struct leg_event event = { .type = LEG_EV_OFFER_ANSWERED,
				   .status = sip->sip_status->st_status,
				   .reason = sip->sip_status->st_phrase };
	char *sdp = NULL;

	(void)nta_leg_client_reroute(leg_dialog(leg), sip->sip_record_route, sip->sip_contact, 0);
	if (leg->state == LEG_TALKING)
		leg_session_agreed(leg, sip);
	if (leg_remember_local(leg, leg->offer_sdp) < 0)
		log_debug("sip", "leg=%s no memory for its last SDP", leg->info.call_id);
	if (nta_outgoing_method(request) == sip_method_invite)
		leg_acknowledge(leg, request, leg->offer_sdp != NULL);
	sdp = message_sdp_or_null(sip);
	event.sdp = sdp;
	leg_tell(leg, &event, msg);
	free(sdp);
}

static int send_offer(struct leg *leg);

static int on_offer_response(void *arg, nta_outgoing_t *request, const sip_t *sip)
{
	struct leg *leg = arg;
	int status = sip ? sip->sip_status->st_status : 408;
	msg_t *msg;

	if (status < 200)
		return 0;
	msg = nta_outgoing_getresponse(request);
	leg->offers.ours = false;
	if (leg->state != LEG_HANGING_UP && leg->state != LEG_OVER) {
		leg->offer_out = leg_auth_again(leg, request, sip, on_offer_response);
		leg->offers.ours = leg->offer_out != NULL;
		if (leg->offer_out)
			; /* the same again, with our answer */
		else if (status < 300)
			on_offer_accepted(leg, request, sip, msg);
		else
			on_offer_failed(leg, status, sip, msg);
	}
	if (leg->offer_out == request)
		leg->offer_out = NULL;
	msg_destroy(msg);
	nta_outgoing_destroy(request);
	return 0;
}

static int send_offer(struct leg *leg)
{
	const char *sdp = leg->offer_sdp;
	struct leg_request invite = { SIP_METHOD_INVITE, on_offer_response, .sdp = sdp,
				      .headers = &leg->offer_headers };
	struct leg_request update = { SIP_METHOD_UPDATE, on_offer_response, .sdp = sdp,
				      .headers = &leg->offer_headers };

	leg->offer_out = leg_request(leg, leg->offer_by_update ? &update : &invite);
	if (!leg->offer_out)
		return -ENOMEM;
	leg->offers.ours = true;
	return 0;
}

int leg_offer(struct leg *leg, const char *sdp, bool update)
{
	static const struct sip_headers none;

	return leg_offer_on(leg, sdp, update, &none);
}

int leg_offer_on(struct leg *leg, const char *sdp, bool update, const struct sip_headers *headers)
{
	bool by_update = update && sdp && (leg->allows & LEG_ALLOWS_UPDATE);
	int err;

	if (!may_offer(leg))
		return leg->state == LEG_ACCEPTED ? -EBUSY : -EINVAL;
	if (leg->state != LEG_TALKING && !by_update)
		return -EOPNOTSUPP;
	err = offer_answer_may_send(&leg->offers);
	if (err)
		return err;
	leg->offer_by_update = by_update;
	free(leg->offer_sdp);
	leg->offer_sdp = str_dup_or_null(sdp);
	sip_headers_done(&leg->offer_headers);
	if ((sdp && !leg->offer_sdp) || sip_headers_copy_all(&leg->offer_headers, headers) < 0)
		return -ENOMEM;
	session_id_sent(&leg->session_id, message_find(headers, "Session-ID"));
	leg->offer_tries = 0;
	if (leg_pracking(leg)) { /* RFC 3262 section 5: that offer or answer is not through yet */
		leg->offers.retry = true;
		return 0;
	}
	return send_offer(leg);
}

void leg_offer_held(struct leg *leg)
{
	if (leg->offers.retry && !timer_active(&leg->offer_timer))
		leg_offer_again(&leg->offer_timer, leg);
}

void leg_drop_offers(struct leg *leg)
{
	timer_cancel(&leg->offer_timer);
	nta_outgoing_destroy(leg->offer_out);
	leg->offer_out = NULL;
	forget_theirs(leg); /* an unanswered one gets sofia's 500 */
	leg->offers = (struct offer_answer){ 0 };
	free(leg->offer_sdp);
	leg->offer_sdp = NULL;
	sip_headers_done(&leg->offer_headers);
}
