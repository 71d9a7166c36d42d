/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.c - one re-INVITE at a time between two talking sides.
 *
 * With a session, the offer goes through the media room to the other side and
 * its answer comes back the same way. An offerless re-INVITE (RFC 3261 14.1)
 * gets the SDP this side knows of us as offer; the answer in its ACK is then
 * carried to the other side like any new offer. Passed through, every text
 * crosses as it is.
 */
#include <errno.h>
#include <stdlib.h>
#include "base/log.h"
#include "tas/call/call_state.h"

static enum media_side other_of(enum media_side side)
{
	return side == MEDIA_A ? MEDIA_B : MEDIA_A;
}

static void finish(struct call *call)
{
	call_timer_stop(call, CALL_TIMER_PEER);
	call_timer_stop(call, CALL_TIMER_MEDIA);
	call->expecting = false;
	free(call->exchange.offered);
	call->exchange = (struct exchange){ .phase = EXCHANGE_NONE };
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
	bool owed = exchange->phase != EXCHANGE_ACK && (call->pass_through || !exchange->offerless);
	enum media_side from = exchange->from;

	if (exchange->phase == EXCHANGE_NONE)
		return;
	if (!call->pass_through && exchange->phase != EXCHANGE_ACK)
		media_rollback(call->session);
	finish(call);
	if (owed)
		exchange_refuse(call, from, status, reason);
}

static void to_peer(struct call *call, const char *sdp)
{
	struct exchange *exchange = &call->exchange;
	int err = leg_offer(call->leg[other_of(exchange->from)], sdp);

	if (err) { /* RFC 3261 14.2: an offer of its own is in flight there */
		exchange_give_up(call, err == -EBUSY ? 491 : 500, NULL);
		return;
	}
	exchange->phase = EXCHANGE_PEER;
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
		call_expect(call, MEDIA_EV_OFFER, other_of(exchange->from));
}

static void wait_for_ack(struct call *call, const char *offer)
{
	call->exchange.phase = EXCHANGE_ACK;
	call_timer_begin(call, CALL_TIMER_PEER, 0);
	accept_offer(call, offer);
}

void exchange_offer(struct call *call, enum media_side from, const char *sdp)
{
	struct exchange *exchange = &call->exchange;

	if (exchange->phase != EXCHANGE_NONE) {
		exchange_refuse(call, from, 491, NULL);
		return;
	}
	exchange->from = from;
	exchange->offerless = !sdp;
	if (call->pass_through)
		to_peer(call, sdp);
	else if (sdp)
		to_media(call, sdp);
	else
		wait_for_ack(call, call->sent[from]);
}

void exchange_answered(struct call *call, enum media_side side, const struct leg_event *event)
{
	struct exchange *exchange = &call->exchange;
	int err;

	if (exchange->phase != EXCHANGE_PEER || side != other_of(exchange->from))
		return; /* given up before */
	call_timer_stop(call, CALL_TIMER_PEER);
	if (event->status >= 300) {
		exchange_give_up(call, event->status, event->reason);
	} else if (!event->sdp) { /* RFC 3264: a 2xx to an offer carries the answer */
		exchange_give_up(call, 500, NULL);
	} else if (call->pass_through && exchange->offerless) {
		wait_for_ack(call, event->sdp);
	} else if (call->pass_through) {
		accept_offer(call, event->sdp);
		finish(call);
	} else {
		err = media_answer(call->session, side, event->sdp);
		if (err) {
			exchange_give_up(call, err == -EINVAL ? 488 : 500, NULL);
			return;
		}
		exchange->phase = EXCHANGE_MEDIA_ANSWER;
		call_expect(call, MEDIA_EV_ANSWER, exchange->from);
	}
}

void exchange_confirmed(struct call *call, enum media_side side, const char *sdp)
{
	struct exchange *exchange = &call->exchange;

	if (exchange->phase != EXCHANGE_ACK || side != exchange->from)
		return; /* the ACK of an ordinary re-INVITE */
	call_timer_stop(call, CALL_TIMER_PEER);
	if (call->pass_through) {
		(void)leg_ack(call->leg[other_of(side)], sdp); /* what fails there ends that leg */
		finish(call);
	} else if (sdp) {
		to_media(call, sdp);
	} else {
		finish(call);
	}
}

static void agree(struct call *call, const char *sdp)
{
	struct exchange *exchange = &call->exchange;
	enum media_side other = other_of(exchange->from);

	if (call_remember_sdp(&call->sent[exchange->from], sdp) < 0 ||
	    (exchange->offered && call_remember_sdp(&call->sent[other], exchange->offered) < 0))
		log_debug("call", "call=%s no memory for its last SDP", call->id);
	if (!exchange->offerless)
		accept_offer(call, sdp);
	finish(call);
}

void exchange_media(struct call *call, const struct media_event *event)
{
	struct exchange *exchange = &call->exchange;

	if (event->type == MEDIA_EV_ANSWER) {
		agree(call, event->sdp);
	} else if (call_remember_sdp(&exchange->offered, event->sdp) < 0) {
		exchange_give_up(call, 500, NULL);
	} else {
		to_peer(call, event->sdp);
	}
}
