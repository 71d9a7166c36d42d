/* SPDX-License-Identifier: Apache-2.0 */
/* transfer.c - a side asks for the other one to talk to somebody else.
 *
 * The REFER ends here (RFC 3515): we make the new call ourselves, so that
 * neither the core nor the side that stays has to know transfers. The target gets an
 * offer of what the side that stays agreed to, in a media session of its own, so that
 * nothing changes for that side until the target says what it speaks; that is then taken
 * for the target's offer, and goes to the side that stays as a re-INVITE (RFC 3725
 * section 4.3 has the order).
 *
 *   OFFERING --> CALLING --2xx--> MEDIA_OFFER --> REOFFER --2xx--> MEDIA_ANSWER --> the
 *                 ^  \--failed: next gateway, or the transfer fails      target's leg is
 *                 \--- heard: the same, for SDP in an 18x (transfer_early.c)  the call's
 *
 * Where the media went past us we have no such offer: the target is called without one,
 * and the answer goes into its ACK.
 *
 *   ASKING: with Replaces (RFC 3891) that names a dialog of ours the target is
 *   the far side of that other call, asked for an offer by a re-INVITE
 *
 * A target that has called us itself, to take the place of a side (replace.c), begins
 * with MEDIA_OFFER and is answered where others get an ACK.
 *
 * Who stays hears music of the peer that asked while the target is called, or a ring-back
 * tone once it rings, unless who asked still sends something (RFC 3960 section 3.2).
 *
 * Who asked is told by NOTIFY. It may hang up meanwhile: the transfer goes on. If it
 * fails and nobody is left to talk to, the call ends as the target's did. If it fails
 * when the side that stays has taken the offer, or may still take it (SETTLING), both
 * sides are joined again in the same way, with who asked as the target.
 *
 * Threads: the SIP thread.
 */
#include "tas/call/transfer_private.h"

void transfer_wait(struct transfer *transfer, mono_ms ms)
{
	timer_start(transfer->call->room->wheel, &transfer->timer, clock_now() + ms);
}

static void target_failed(struct call *call, const struct leg_event *event)
{
	struct transfer *transfer = call->transfer;
	struct call *lender;
	struct ending ending;

	if (transfer->called_us || transfer->back) { /* it has given up, or hung up */
		transfer_fail_for(call, CAUSE_CANCELLED, 487);
		return;
	}
	ending = call_judge(call,
			    transfer->plan ? &transfer->plan->steps[transfer->step]
					   : call_current_step(call),
			    event);

	if (transfer->plan && transfer->phase == TRANSFER_CALLING && !transfer->moved &&
	    ending.trouble && transfer->step + 1 < transfer->plan->step_count) {
		transfer->target = leg_release(transfer->target, NULL);
		transfer->step++;
		transfer_call_target(call);
		return;
	}
	lender = transfer->lender;
	transfer->lender = NULL;
	transfer_fail(call, &ending);
	if (!lender)
		return;
	lender->lent_to = NULL;
	call_finish(lender, &ending); /* it has lost its other side */
}

static void target_said(struct call *call, const struct leg_event *event)
{
	struct transfer *transfer = call->transfer;

	switch (event->type) {
	case LEG_EV_ENDED:
		target_failed(call, event);
		break;
	case LEG_EV_PROVISIONAL:
		if (transfer->plan && event->status >= 180)
			transfer_play(call);
		if (call->leg[transfer->by])
			leg_refer_report(call->leg[transfer->by], event->status, event->reason);
		if (event->sdp)
			transfer_hear(call, event->sdp);
		break;
	case LEG_EV_ANSWERED:
		transfer_answered(call, event->sdp);
		break;
	case LEG_EV_OFFER_ANSWERED:
		if (transfer->phase == TRANSFER_ASKING && event->status < 300)
			transfer_offered(call, event->sdp);
		else if (transfer->phase == TRANSFER_ASKING)
			transfer_fail_for(call, CAUSE_NOT_ACCEPTABLE, event->status);
		break;
	case LEG_EV_OFFER: /* ours is on its way */
		if (leg_offer_refuse(transfer->target, 491, NULL) < 0)
			log_debug("call", "call=%s target's offer is gone", call->id);
		break;
	case LEG_EV_REFER:
		(void)leg_refer_answer(transfer->target, 491);
		break;
	case LEG_EV_INFO:
		(void)leg_inform_answer(transfer->target, 491);
		break;
	case LEG_EV_PRACKED: /* of incoming legs, or of what was asked before */
	case LEG_EV_CONFIRMED:
	case LEG_EV_INFO_ANSWERED:
		break;
	}
}

static void call_with_offer(struct call *call, const char *sdp)
{
	if (call_remember_sdp(&call->transfer->own_offer, sdp) < 0)
		transfer_fail_for(call, CAUSE_INTERNAL, 500);
	else
		transfer_call_target(call);
}

static void media_said(struct call *call, const struct media_event *event)
{
	struct transfer *transfer = call->transfer;

	if (event->type == MEDIA_EV_OFFER && transfer->phase == TRANSFER_OFFERING)
		call_with_offer(call, event->sdp);
	else if (event->type == MEDIA_EV_OFFER && transfer->phase == TRANSFER_MEDIA_OFFER)
		transfer_reoffer(call, event->sdp);
	else if (event->type == MEDIA_EV_ANSWER && transfer->phase == TRANSFER_MEDIA_ANSWER)
		(transfer->hearing ? transfer_heard : transfer_complete)(call, event->sdp);
	else if (event->type == MEDIA_EV_REFUSED && transfer->hearing &&
		 transfer->phase == TRANSFER_MEDIA_OFFER)
		transfer_unheard(call);
	else if (event->type == MEDIA_EV_REFUSED || event->type == MEDIA_EV_FAILED)
		transfer_fail_for(call, CAUSE_NOT_ACCEPTABLE, event->status ? event->status : 488);
}

/* The two sides of the call, while the transfer goes on. True: that was it. */
static bool side_said(struct call *call, enum media_side side, const struct leg_event *event)
{
	struct transfer *transfer = call->transfer;
	bool leaving = side == transfer->by;

	if (event->type == LEG_EV_ENDED && leaving) {
		exchange_give_up(call, 487, NULL);
		if (side == MEDIA_B)
			call_b_leaves(call);
		call->leg[side] = leg_release(call->leg[side], NULL);
	} else if (event->type == LEG_EV_OFFER_ANSWERED && !leaving &&
		   (transfer->phase == TRANSFER_REOFFER || transfer->phase == TRANSFER_SETTLING)) {
		transfer_reanswered(call, event);
	} else if (event->type == LEG_EV_OFFER &&
		   ((transfer->phase != TRANSFER_CALLING && transfer->phase != TRANSFER_OFFERING) ||
		    transfer->moved || !call->leg[transfer->by])) {
		exchange_refuse(call, side, 491, NULL);
	} else {
		return false; /* holds and resumes go on, and who stays may hang up */
	}
	return true;
}

/* A call that has lent one of its sides: only its end matters. */
static bool lender_said(struct call *call, const struct happening *h)
{
	if (h->what == HAPPENED_MEDIA)
		return true;
	if (h->what != HAPPENED_LEG || h->leg->type == LEG_EV_ENDED)
		return false;
	if (h->leg->type == LEG_EV_OFFER)
		exchange_refuse(call, h->side, 491, NULL);
	else if (h->leg->type == LEG_EV_REFER)
		(void)leg_refer_answer(call->leg[h->side], 491);
	else
		return false;
	return true;
}

bool transfer_handle(struct call *call, const struct happening *h)
{
	if (call->lent_to)
		return lender_said(call, h);
	if (!call->transfer)
		return false;
	if (h->transfer && h->what == HAPPENED_LEG)
		target_said(call, h->leg);
	else if (h->transfer && h->what == HAPPENED_MEDIA)
		media_said(call, h->media);
	else if (h->transfer)
		transfer_fail_for(call, CAUSE_NO_ANSWER,
				  call->transfer->phase == TRANSFER_CALLING ? 480 : 408);
	else if (h->what == HAPPENED_MEDIA) /* the old session: about to go */
		return h->media->type == MEDIA_EV_SILENT ||
		       (call->transfer->moved && h->media->type == MEDIA_EV_FAILED);
	else if (h->what == HAPPENED_LEG)
		return side_said(call, h->side, h->leg);
	else
		return false;
	return true;
}

bool transfer_is_away(const struct call *call)
{
	return call->transfer && call->transfer->moved;
}

bool transfer_owns(const struct call *call, const struct leg *leg,
		   const struct media_session *session)
{
	const struct transfer *transfer = call->transfer;

	if (!transfer)
		return false;
	return (leg && leg == transfer->target) || (session && session == transfer->session);
}
