/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.c - one re-INVITE or UPDATE at a time between two sides that have
 * agreed on SDP; before the answer only UPDATE (RFC 3311 section 5.1).
 *
 * With a session, the offer goes through the media room to the other side and
 * its answer comes back the same way. An offerless re-INVITE (RFC 3261 14.1)
 * asks the other side for its offer, which is how a held call resumes: only
 * that side knows what it is ready for. The answer in the ACK goes back into the
 * other side's ACK. Where the other side is ourselves, or makes no offer, the
 * SDP this side knows of us is the offer. Passed through, every text crosses as it is.
 */
#include <errno.h>
#include <stdlib.h>
#include "base/log.h"
#include "tas/call/call_state.h"

/* The 2xx to an offerless re-INVITE needs an answer even when there is none
 * (RFC 3261 13.2.2.4): what was agreed before stays. */
static void pay_ack(struct call *call, const char *sdp)
{
	enum media_side other = call_other_side(call->exchange.from);

	if (!call->exchange.owes_ack)
		return;
	call->exchange.owes_ack = false;
	(void)leg_ack(call->leg[other], sdp); /* what fails there ends that leg */
}

static void finish(struct call *call)
{
	pay_ack(call, call->pass_through ? NULL : call->sent[call_other_side(call->exchange.from)]);
	call_timer_stop(call, CALL_TIMER_PEER);
	call_timer_stop(call, CALL_TIMER_MEDIA);
	call->expecting = false;
	free(call->exchange.offered);
	sip_headers_done(&call->exchange.headers);
	call->exchange = (struct exchange){ .phase = EXCHANGE_NONE };
}

bool exchange_active(const struct call *call)
{
	return call->exchange.phase != EXCHANGE_NONE;
}

void exchange_refuse(struct call *call, enum media_side side, int status, const char *reason)
{
	if (leg_offer_refuse(call->leg[side], status, reason) < 0)
		log_debug("call", "call=%s side=%c offer is gone", call->id,
			  side == MEDIA_A ? 'a' : 'b');
}

/* An offer that was cancelled meanwhile has nobody to accept it; what can be
 * done about it is nothing, and no reason to end the call. */
static void accept_offer(struct call *call, const char *sdp)
{
	if (leg_offer_accept(call->leg[call->exchange.from], sdp) < 0)
		exchange_refuse(call, call->exchange.from, 500, NULL);
}

void exchange_give_up(struct call *call, int status, const char *reason)
{
	struct exchange *exchange = &call->exchange;
	bool owed = exchange->phase != EXCHANGE_ACK && !exchange->accepted;
	enum media_side from = exchange->from;

	if (exchange->phase == EXCHANGE_NONE)
		return;
	if (!call->pass_through)
		media_rollback(call->session);
	finish(call);
	if (owed)
		exchange_refuse(call, from, status, reason);
	early_pump(call); /* what B has answered meanwhile; may end the call */
}

static void to_peer(struct call *call, const char *sdp)
{
	struct exchange *exchange = &call->exchange;
	int err;

	exchange->phase = EXCHANGE_PEER; /* else giving up would find nothing to refuse */
	err = leg_offer_on(call->leg[call_other_side(exchange->from)], sdp, exchange->update,
			   &exchange->headers);
	if (err) {
		/* RFC 3261 14.2: an offer of its own is in flight there. Or its INVITE is
		 * not answered yet, and no UPDATE may go: later it may. */
		bool later = err == -EBUSY || err == -EOPNOTSUPP || call->state != CALL_TALKING;

		exchange_give_up(call, later ? 491 : 500, NULL);
		return;
	}
	call_timer_begin(call, CALL_TIMER_PEER, 0);
}

static void to_media(struct call *call, const char *sdp)
{
	struct exchange *exchange = &call->exchange;
	bool local = !call->leg[MEDIA_B];
	int err;

	exchange->phase = EXCHANGE_MEDIA_OFFER;
	err = media_offer(call->session, exchange->from, sdp);
	if (err)
		exchange_give_up(call, err == -EINVAL ? 488 : 500, NULL);
	else if (local)
		call_expect(call, MEDIA_EV_ANSWER, exchange->from);
	else
		call_expect(call, MEDIA_EV_OFFER, call_other_side(exchange->from));
}

static void wait_for_ack(struct call *call, const char *offer)
{
	if (leg_offer_accept(call->leg[call->exchange.from], offer) < 0) { /* cancelled */
		exchange_give_up(call, 500, NULL);
		return;
	}
	call->exchange.phase = EXCHANGE_ACK;
	call->exchange.accepted = true;
	call_timer_begin(call, CALL_TIMER_PEER, 0);
}

/* Before the answer B's responses use the media room too. */
static bool may_begin(const struct call *call)
{
	bool quiet = !call->expecting && !call->early && call->leg[MEDIA_B];

	return !exchange_active(call) && (call->state == CALL_TALKING || quiet);
}

/* On a loop an offer brings its headers along, as the INVITE did. What a trunk says of
 * itself, also of who is there now (RFC 4916), is told as in its answers; a trunk is told
 * nothing, as the caller it knows was hidden, or written in its own way. */
static int take_headers(struct call *call, enum media_side from, const struct sip_headers *headers)
{
	const struct call_step *step = call_current_step(call);

	if (from == MEDIA_A && !step->to_core)
		return 0;
	return early_copy_headers(call, &call->exchange.headers, headers);
}

void exchange_offer(struct call *call, enum media_side from, const struct leg_event *event)
{
	struct exchange *exchange = &call->exchange;
	const char *sdp = event->sdp;

	if (!may_begin(call)) {
		exchange_refuse(call, from, 491, NULL);
		return;
	}
	if (take_headers(call, from, event->headers) < 0) {
		sip_headers_done(&exchange->headers);
		exchange_refuse(call, from, 500, NULL);
		return;
	}
	exchange->from = from;
	exchange->update = event->update;
	exchange->offerless = !sdp;
	if (call->pass_through)
		to_peer(call, sdp);
	else if (sdp)
		to_media(call, sdp);
	else if (call->leg[MEDIA_B])
		to_peer(call, NULL);
	else
		wait_for_ack(call, call->sent[from]);
}

/* The other side's offer, in its 2xx, on its way to the one that asked. */
static void offer_back(struct call *call, enum media_side side, const char *sdp)
{
	struct exchange *exchange = &call->exchange;
	int err;

	if (call->pass_through) {
		wait_for_ack(call, sdp);
		return;
	}
	exchange->phase = EXCHANGE_MEDIA_OFFER;
	err = media_offer(call->session, side, sdp);
	if (err)
		exchange_give_up(call, err == -EINVAL ? 488 : 500, NULL);
	else
		call_expect(call, MEDIA_EV_OFFER, exchange->from);
}

/* An answer of `side` for the other one, by way of the media room. */
static void answer_through(struct call *call, enum media_side side, const char *sdp)
{
	int err = media_answer(call->session, side, sdp);

	if (err) {
		exchange_give_up(call, err == -EINVAL ? 488 : 500, NULL);
		return;
	}
	call->exchange.phase = EXCHANGE_MEDIA_ANSWER;
	call_expect(call, MEDIA_EV_ANSWER, call_other_side(side));
}

void exchange_answered(struct call *call, enum media_side side, const struct leg_event *event)
{
	struct exchange *exchange = &call->exchange;
	bool asked = exchange->offerless && !exchange->accepted; /* it, too, for an offer */

	if (exchange->phase != EXCHANGE_PEER || side != call_other_side(exchange->from)) {
		/* Given up before; an offer in it wants its ACK all the same. */
		if (event->status < 300 && exchange->phase == EXCHANGE_NONE)
			(void)leg_ack(call->leg[side], call->sent[side]); /* none owed: no harm */
		return;
	}
	call_timer_stop(call, CALL_TIMER_PEER);
	exchange->owes_ack = event->status < 300 && asked;
	if (event->status >= 300 && event->status != 491 && asked && !call->pass_through) {
		wait_for_ack(call, call->sent[exchange->from]); /* what it knows, then */
	} else if (event->status >= 300) {
		exchange_give_up(call, event->status, event->reason);
	} else if (!event->sdp) { /* RFC 3264: a 2xx to an offer carries the answer */
		exchange_give_up(call, 500, NULL);
	} else if (asked) {
		offer_back(call, side, event->sdp);
	} else if (call->pass_through) {
		accept_offer(call, event->sdp);
		finish(call);
		early_pump(call);
	} else {
		answer_through(call, side, event->sdp);
	}
}

void exchange_confirmed(struct call *call, enum media_side side, const char *sdp)
{
	struct exchange *exchange = &call->exchange;

	if (exchange->phase != EXCHANGE_ACK || side != exchange->from)
		return; /* the ACK of an ordinary re-INVITE */
	call_timer_stop(call, CALL_TIMER_PEER);
	if (call->pass_through) {
		pay_ack(call, sdp);
		finish(call);
	} else if (!sdp) {
		exchange_give_up(call, 0, NULL);
	} else if (exchange->owes_ack) {
		answer_through(call, side, sdp);
	} else {
		to_media(call, sdp);
	}
}

/* Both sides agree; `sdp` is for the one whose offer it answers. */
static void agree(struct call *call, const char *sdp)
{
	struct exchange *exchange = &call->exchange;
	enum media_side answered =
		exchange->owes_ack ? call_other_side(exchange->from) : exchange->from;

	if (call_remember_sdp(&call->sent[answered], sdp) < 0 ||
	    (exchange->offered &&
	     call_remember_sdp(&call->sent[call_other_side(answered)], exchange->offered) < 0))
		log_debug("call", "call=%s no memory for its last SDP", call->id);
	if (exchange->owes_ack)
		pay_ack(call, sdp);
	else if (!exchange->accepted)
		accept_offer(call, sdp);
	finish(call);
	early_pump(call);
}

void exchange_media(struct call *call, const struct media_event *event)
{
	struct exchange *exchange = &call->exchange;

	if (event->type == MEDIA_EV_ANSWER) {
		agree(call, event->sdp);
	} else if (call_remember_sdp(&exchange->offered, event->sdp) < 0) {
		exchange_give_up(call, 500, NULL);
	} else if (exchange->owes_ack) {
		wait_for_ack(call, event->sdp);
	} else {
		to_peer(call, event->sdp);
	}
}
