/* SPDX-License-Identifier: Apache-2.0 */
/* transfer_join.c - the side that stays and the target agree, one SDP after the other:
 * the target's offer, the answer to it, and then the target is a side of the call.
 * transfer.c has the story.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "tas/call/transfer_private.h"

/* What the peer of a leg has of us. That of media which went past us was another's, and goes
 * on as ours: the leg alone knows it. NULL: nothing, or there is no leg. */
static const char *told(const char *sent, const struct leg *leg)
{
	return sent || !leg ? sent : leg_told(leg);
}

int transfer_open_session(struct transfer *transfer)
{
	struct call *call = transfer->call;
	enum media_side stays = transfer_stays(transfer);
	struct media_session_options options = {
		.name = call->id,
		.replaces = true,
		.steps = sip_trace_listens(call->room->trace),
		.on_event = call_on_media,
		.arg = call,
	};
	int err;

	options.kind[stays] = transfer_kind_of(call, stays);
	options.kind[transfer->by] = transfer->kind;
	/* Who is called for it is a peer of who asked. */
	options.rules[MEDIA_A] = *call_codecs(call, MEDIA_A);
	options.rules[MEDIA_B] = *call_codecs(call, MEDIA_B);
	options.before[stays] = told(call->sent[stays], call->leg[stays]);
	options.streams[stays] = (struct media_stream){ call->session, stays };
	if (transfer->lender) {
		options.before[transfer->by] =
			told(transfer->lender->sent[transfer->lent], transfer->target);
		options.streams[transfer->by] =
			(struct media_stream){ transfer->lender->session, transfer->lent };
	} else if (transfer->back) {
		options.before[transfer->by] = told(call->sent[transfer->by], transfer->target);
		options.streams[transfer->by] =
			(struct media_stream){ call->session, transfer->by };
	}
	err = media_session_create(&transfer->session, call->room->media, &options);
	if (!err)
		call_tell_near(call, transfer->session, stays, call->leg[stays]);
	return err;
}

void transfer_offered(struct call *call, const char *sdp)
{
	struct transfer *transfer = call->transfer;
	int err = -EPROTO;

	transfer_stop_playing(call);
	if (exchange_active(call)) /* its own re-INVITE would meet ours */
		exchange_give_up(call, 491, NULL);
	if (sdp && transfer->own_offer) {
		media_rollback(transfer->session); /* nothing, once it has been heard */
		err = 0;
	} else if (sdp) {
		err = transfer_open_session(transfer);
	}
	if (!err) {
		call_tell_near(call, transfer->session, transfer->by, transfer->target);
		err = media_offer(transfer->session, transfer->by, sdp);
	}
	if (err) {
		transfer_fail_for(call, CAUSE_NOT_ACCEPTABLE, err == -EPROTO ? 488 : 500);
		return;
	}
	transfer->phase = TRANSFER_MEDIA_OFFER;
	transfer_wait(transfer, TRANSFER_ANSWER_MS);
}

void transfer_replace(struct call *call, enum media_side side, struct leg *take_leg)
{
	enum media_leg_kind kind =
		call->leg[side] ? transfer_kind_of(call, side) : call_current_step(call)->media;
	struct transfer *transfer = transfer_begin(call, side);

	if (!transfer) {
		leg_release(take_leg, &(struct leg_farewell){ .status = 500 });
		return;
	}
	transfer->called_us = true;
	transfer->target = take_leg;
	transfer->kind = kind;
	transfer_offered(call, leg_info(take_leg)->sdp);
}

void transfer_reoffer(struct call *call, const char *sdp)
{
	struct transfer *transfer = call->transfer;

	if (leg_offer(call->leg[transfer_stays(transfer)], sdp, false) < 0) {
		if (transfer->hearing)
			transfer_unheard(call);
		else
			transfer_fail_for(call, CAUSE_UNAVAILABLE, 491);
		return;
	}
	transfer->phase = TRANSFER_REOFFER;
	transfer->offer = strdup(sdp);
	if (!transfer->offer) {
		transfer_fail_for(call, CAUSE_INTERNAL, 500);
		return;
	}
	transfer_wait(transfer, TRANSFER_ANSWER_MS);
}

void transfer_reanswered(struct call *call, const struct leg_event *event)
{
	struct transfer *transfer = call->transfer;
	bool settles = transfer->phase == TRANSFER_SETTLING;

	if (event->status >= 300) { /* nothing has changed for it */
		free(transfer->offer);
		transfer->offer = NULL;
		if (transfer->hearing)
			transfer_unheard(call);
		else
			transfer_fail_for(call, CAUSE_NOT_ACCEPTABLE, event->status);
		return;
	}
	transfer->phase = TRANSFER_MEDIA_ANSWER;
	transfer_wait(transfer, TRANSFER_ANSWER_MS);
	if (settles || !event->sdp ||
	    media_answer(transfer->session, transfer_stays(transfer), event->sdp) < 0)
		transfer_fail_for(call, CAUSE_NOT_ACCEPTABLE, 488);
}

/* Who the target is, for the record. */
static const char *how(const struct transfer *transfer)
{
	if (transfer->plan)
		return transfer->plan->steps[transfer->step].label;
	return transfer->called_us ? "replaces" : "attended";
}

/* Whose the target is: what it may ask for later. */
static int peer_of_target(const struct transfer *transfer)
{
	if (transfer->plan)
		return transfer->plan->steps[transfer->step].peer;
	if (transfer->lender)
		return transfer->lender->peer[transfer->lent];
	return transfer->call->peer[transfer->by]; /* the same peer's */
}

static struct media_sound *music_of_target(const struct transfer *transfer)
{
	if (transfer->plan)
		return transfer->plan->steps[transfer->step].hold_music;
	if (transfer->lender)
		return transfer->lender->music[transfer->lent];
	return transfer->call->music[transfer->by]; /* the same peer's */
}

/* The target takes the place of who asked. */
void transfer_complete(struct call *call, const char *answer)
{
	struct transfer *transfer = call->transfer;
	enum media_side by = transfer->by;
	struct call *lender = transfer->lender;
	int peer = peer_of_target(transfer);

	if (transfer->called_us && leg_answer(transfer->target, answer, NULL) < 0) {
		transfer_fail_for(call, CAUSE_INTERNAL, 500);
		return;
	}
	if (!transfer->called_us && !transfer->own_offer)
		(void)leg_ack(transfer->target, answer); /* what fails there ends that leg */
	if (by == MEDIA_B)
		record_leg_b(call, transfer->target);
	if (!transfer->back)
		record_transfer(call, by, how(transfer), leg_info(transfer->target)->call_id);
	if (call->leg[by])
		leg_refer_report(call->leg[by], 200, NULL);
	if (by == MEDIA_B)
		call_b_leaves(call);
	call->leg[by] = leg_release(call->leg[by], NULL);
	call->leg[by] = transfer->target;
	call->peer[by] = peer;
	transfer->target = NULL;
	media_session_destroy(call->session);
	call->session = transfer->session;
	transfer->session = NULL;
	waiting_moved(call, by, music_of_target(transfer));
	call->pass_through = false;
	call->anchored = true;
	record_bypass(call, CALL_BYPASS_NOT);
	if (by == MEDIA_A)
		call->plan->media_a = transfer->kind;
	else
		call->session_kind_b = transfer->kind;
	if (transfer->offer) { /* else it has been told before */
		free(call->sent[transfer_stays(transfer)]);
		call->sent[transfer_stays(transfer)] = transfer->offer;
	}
	transfer->offer = NULL;
	if (call_remember_sdp(&call->sent[by], answer) < 0)
		log_debug("call", "call=%s no memory for its last SDP", call->id);
	log_info("call", "call=%s %s", call->id, transfer->back ? "as before" : "transferred");
	if (by == MEDIA_B && transfer->plan) {
		call_plan_free(call->transferred);
		call->transferred = transfer->plan;
		call->target = &transfer->plan->steps[transfer->step];
		transfer->plan = NULL;
	}
	transfer_free(transfer);
	call->transfer = NULL;
	if (lender)
		call_finish(lender, &(struct ending){ .cause = CAUSE_NORMAL, .by = "us" });
}
