/* SPDX-License-Identifier: Apache-2.0 */
/* transfer_end.c - a transfer comes to nothing: the target is let go, and those that
 * talked before do so again. transfer.c has the story.
 */
#include <stdlib.h>
#include "tas/call/transfer_private.h"

void transfer_free(struct transfer *transfer)
{
	timer_cancel(&transfer->timer);
	if (transfer->lender)
		transfer->lender->lent_to = NULL;
	media_session_destroy(transfer->session);
	call_plan_free(transfer->plan);
	free(transfer->offer);
	free(transfer->own_offer);
	free(transfer->early);
	free(transfer->told);
	free(transfer->answer);
	free(transfer);
}

/* The other call has its leg back, with the SDP agreed there before. */
static void give_back(struct transfer *transfer)
{
	struct call *lender = transfer->lender;

	(void)leg_ack(transfer->target, lender->sent[transfer->lent]); /* none owed: no harm */
	leg_set_handler(transfer->target, call_on_leg, lender);
	lender->leg[transfer->lent] = transfer->target;
	transfer->target = NULL;
}

/* status: for one that has called us. */
static void drop_target(struct transfer *transfer, int status)
{
	if (transfer->target && transfer->lender)
		give_back(transfer);
	transfer->target =
		leg_release(transfer->target, &(struct leg_farewell){ .status = status });
}

void transfer_abandon(struct call *call)
{
	if (call->transfer) {
		if (call->leg[call->transfer->by])
			leg_refer_report(call->leg[call->transfer->by], 487, NULL);
		drop_target(call->transfer, 480);
		transfer_free(call->transfer);
		call->transfer = NULL;
	}
	if (call->lent_to) /* its target stays with it */
		call->lent_to->lender = NULL;
	call->lent_to = NULL;
}

void transfer_done(struct call *call)
{
	call_plan_free(call->transferred);
	free(call->first);
}

enum media_leg_kind transfer_kind_of(const struct call *call, enum media_side side)
{
	if (side == MEDIA_A)
		return call->plan->media_a;
	return call->session ? call->session_kind_b : call_current_step(call)->media;
}

void transfer_fail_for(struct call *call, enum cause cause, int status)
{
	transfer_fail(call, &(struct ending){ .cause = cause, .by = "us", .status = status });
}

/* The side that stays has our new SDP, or may get it: the old session is of no use to
 * it any more. */
static void join_again(struct call *call)
{
	struct transfer *transfer = call->transfer;
	enum media_side by = transfer->by;

	if (transfer->offer) {
		free(call->sent[transfer_stays(transfer)]);
		call->sent[transfer_stays(transfer)] = transfer->offer;
	}
	transfer->offer = NULL;
	transfer->moved = false;
	transfer->back = true;
	transfer->called_us = false;
	transfer->kind = transfer_kind_of(call, by);
	transfer->target = call->leg[by];
	call->leg[by] = NULL;
	transfer->phase = TRANSFER_ASKING;
	transfer_wait(transfer, TRANSFER_ANSWER_MS);
	if (leg_offer(transfer->target, NULL, false) < 0)
		transfer_fail_for(call, CAUSE_UNAVAILABLE, 0);
}

/* Where the side that stays hears us. */
static struct media_session *session_of_stays(const struct call *call)
{
	return call->transfer->moved ? call->transfer->session : call->session;
}

/* While the target is called. */
void transfer_play(struct call *call)
{
	struct transfer *transfer = call->transfer;

	if (!transfer->played)
		waiting_for_target(call, session_of_stays(call), transfer_stays(transfer),
				   transfer->plan->hold_music);
	transfer->played = true;
}

void transfer_stop_playing(struct call *call)
{
	if (call->transfer->played)
		waiting_over(call, session_of_stays(call), transfer_stays(call->transfer));
	call->transfer->played = false;
}

/* The target is let go, whatever comes of the rest. */
static void let_go(struct transfer *transfer, int status)
{
	drop_target(transfer, status);
	transfer->session = media_session_destroy(transfer->session);
	transfer->plan = call_plan_free(transfer->plan);
	free(transfer->own_offer);
	transfer->own_offer = NULL; /* who asked is never called with it */
	if (transfer->lender)
		transfer->lender->lent_to = NULL;
	transfer->lender = NULL;
}

void transfer_fail(struct call *call, const struct ending *ending)
{
	struct transfer *transfer = call->transfer;
	int status = ending->status ? ending->status : cause_to_status(ending->cause);
	enum media_side by = transfer->by;
	bool left = transfer->offer || transfer->moved; /* the side that stays, or it may have */

	log_info("call", "call=%s transfer failed cause=%s status=%d", call->id,
		 cause_name(ending->cause), status);
	if (call->leg[by])
		leg_refer_report(call->leg[by], status, ending->phrase);
	transfer_stop_playing(call);
	let_go(transfer, status);
	transfer->hearing = false;
	if (call->leg[by] && transfer->offer && transfer->phase == TRANSFER_REOFFER) {
		transfer->phase = TRANSFER_SETTLING;
		transfer_wait(transfer, TRANSFER_ANSWER_MS);
		return;
	}
	if (call->leg[by] && left) {
		join_again(call);
		return;
	}
	transfer_free(transfer);
	call->transfer = NULL;
	if (!call->leg[by])
		call_end(call, ending);
}
