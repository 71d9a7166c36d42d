/* SPDX-License-Identifier: Apache-2.0 */
/* transfer_early.c - a target that is heard before it answers: an announcement, or the
 * ring-back tone of where it is.
 *
 * SDP in an 18x answers our offer. The side that stays is moved to the target's session
 * at once, by the re-INVITE it would get at the answer; if nothing comes of the target,
 * it is moved back (transfer_end.c). At the answer there is then nothing more to do. What
 * else it hears meanwhile is as before: our ring-back tone or music, where the target
 * sends nothing.
 *
 * Threads: the SIP thread.
 */
#include <stdlib.h>
#include <string.h>
#include "tas/call/transfer_private.h"

/* The target goes on ringing, or has answered meanwhile. */
static void go_on(struct call *call)
{
	struct transfer *transfer = call->transfer;
	char *answer = transfer->answer;

	transfer->hearing = false;
	transfer->phase = TRANSFER_CALLING;
	timer_start(call->room->wheel, &transfer->timer, transfer->due_ms);
	transfer->answer = NULL;
	if (transfer->answered)
		transfer_answered(call, answer);
	free(answer);
}

void transfer_hear(struct call *call, const char *sdp)
{
	struct transfer *transfer = call->transfer;

	if (!transfer->own_offer || transfer->phase != TRANSFER_CALLING || transfer->unheard ||
	    exchange_active(call) || (transfer->early && strcmp(transfer->early, sdp) == 0) ||
	    call_remember_sdp(&transfer->early, sdp) < 0)
		return;
	transfer->hearing = true;
	media_rollback(transfer->session); /* our offer, unless it is taken back already */
	call_tell_near(call, transfer->session, transfer->by, transfer->target);
	if (media_offer(transfer->session, transfer->by, sdp) < 0) {
		transfer_unheard(call);
		return;
	}
	transfer->phase = TRANSFER_MEDIA_OFFER;
	transfer_wait(transfer, TRANSFER_ANSWER_MS);
}

void transfer_unheard(struct call *call)
{
	struct transfer *transfer = call->transfer;

	log_info("call", "call=%s the transfer's target is not heard before it answers", call->id);
	media_rollback(transfer->session);
	transfer->unheard = true;
	go_on(call);
}

void transfer_heard(struct call *call, const char *told)
{
	struct transfer *transfer = call->transfer;
	enum media_side stays = transfer_stays(transfer);
	bool played = transfer->played;

	if (call_remember_sdp(&transfer->told, told) < 0)
		log_debug("call", "call=%s no memory for its last SDP", call->id);
	transfer_stop_playing(call);
	transfer->moved = true;
	if (played)
		transfer_play(call);
	free(call->sent[stays]);
	call->sent[stays] = transfer->offer;
	transfer->offer = NULL;
	go_on(call);
}

void transfer_answered(struct call *call, const char *sdp)
{
	struct transfer *transfer = call->transfer;

	if (transfer->own_offer && !transfer->answered)
		(void)leg_ack(transfer->target, NULL); /* what fails there ends that leg */
	transfer->answered = true;
	if (transfer->hearing) {
		if (sdp && call_remember_sdp(&transfer->answer, sdp) < 0)
			transfer_fail_for(call, CAUSE_INTERNAL, 500);
	} else if (transfer->moved && transfer->told &&
		   (!sdp || strcmp(sdp, transfer->early) == 0)) {
		transfer_stop_playing(call);
		transfer_complete(call, transfer->told);
	} else {
		transfer_offered(call, sdp ? sdp : transfer->early);
	}
}
