/* SPDX-License-Identifier: Apache-2.0 */
/* transfer_begin.c - who is to talk in place of who asked, and how it is called:
 * somebody new, or the far side of another call. transfer.c has the story.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "tas/call/transfer_private.h"
#include "tas/sip/leg_info.h"

#define PEER_CORE 0 /* as leg_info.peer */

/* A record tells of the first INVITE, whose leg is about to leave. */
static int remember_first(struct call *call)
{
	if (!call->first)
		call->first = leg_info_copy(leg_info(call->leg[MEDIA_A]));
	return call->first ? 0 : -ENOMEM;
}

static void on_timer(struct timer *timer, void *arg)
{
	struct transfer *transfer = arg;

	(void)timer;
	call_handle(transfer->call,
		    &(struct happening){ .what = HAPPENED_TIMER, .transfer = true });
}

bool transfer_may_begin(const struct call *call)
{
	return call->state == CALL_TALKING && !call->ahead && !call->transfer && !call->lent_to &&
	       !exchange_active(call);
}

struct transfer *transfer_begin(struct call *call, enum media_side by)
{
	struct transfer *transfer = remember_first(call) < 0 ? NULL : calloc(1, sizeof(*transfer));

	if (!transfer)
		return NULL;
	transfer->call = call;
	transfer->by = by;
	timer_init(&transfer->timer, on_timer, transfer);
	call->transfer = transfer;
	return transfer;
}

void transfer_call_target(struct call *call)
{
	struct transfer *transfer = call->transfer;
	const struct call_step *step = &transfer->plan->steps[transfer->step];

	transfer->phase = TRANSFER_CALLING;
	if (call_invite(call, step, transfer->own_offer, &transfer->target) < 0)
		transfer_fail_for(call, CAUSE_INTERNAL, 0);
	else
		transfer_wait(transfer, step->ring_ms ? step->ring_ms : TRANSFER_RING_MS);
	if (call->transfer)
		transfer->due_ms = transfer->timer.due_ms;
}

/* What we told the side that stays, but for a hold: it is a list of codecs here. */
static char *without_direction(const char *sdp)
{
	static const char *const lines[] = { "a=sendonly", "a=recvonly", "a=inactive" };
	struct str text = { 0 };

	while (*sdp) {
		size_t length = strcspn(sdp, "\n");
		bool kept = true;

		length += sdp[length] == '\n';
		for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
			kept = kept && strncmp(sdp, lines[i], strlen(lines[i])) != 0;
		if (kept)
			str_addf(&text, "%.*s", (int)length, sdp);
		sdp += length;
	}
	return str_take(&text);
}

/* An offer as if the side that stays had made it; it is taken back in the session once
 * the target has said something, so that nothing of it touches that side. */
static void make_offer(struct call *call)
{
	struct transfer *transfer = call->transfer;
	char *sdp = without_direction(call->sent[transfer_stays(transfer)]);
	int err = sdp ? transfer_open_session(transfer) : -ENOMEM;

	if (!err)
		err = media_offer(transfer->session, transfer_stays(transfer), sdp);
	free(sdp);
	if (err) {
		transfer_fail_for(call, CAUSE_INTERNAL, 500);
		return;
	}
	transfer->phase = TRANSFER_OFFERING;
	transfer_wait(transfer, TRANSFER_ANSWER_MS);
}

static void refuse(struct call *call, enum media_side by, const struct call_refusal *refusal)
{
	log_info("call", "call=%s transfer by=%c refused status=%d%s%s", call->id,
		 by == MEDIA_A ? 'a' : 'b', refusal->status, refusal->phrase ? " why=" : "",
		 refusal->phrase ? refusal->phrase : "");
	sip_trace_note(call->room->trace, call->id, "transfer by=%c refused status=%d%s%s",
		       by == MEDIA_A ? 'a' : 'b', refusal->status, refusal->phrase ? " why=" : "",
		       refusal->phrase ? refusal->phrase : "");
	(void)leg_refer_refuse(call->leg[by], refusal->status, refusal->phrase);
}

static void to_new_target(struct call *call, enum media_side by, const struct leg_event *event)
{
	struct call_transfer asked = {
		.peer = call->peer[by],
		.caller_asks = by == MEDIA_A,
		.from_the_start = call->transfers == 0,
		.loops = call_current_step(call)->loops,
		.a = call->transfers == 0 ? leg_info(call->leg[MEDIA_A]) : call_caller(call),
		.refer = event->refer,
		.headers = event->headers,
	};
	struct call_refusal refusal = { .status = 603 };
	struct call_plan *plan = NULL;
	struct transfer *transfer;

	if (call->room->transfer)
		plan = call->room->transfer(&asked, &refusal, call->room->transfer_arg);
	transfer = plan ? transfer_begin(call, by) : NULL;
	if (!transfer) {
		if (plan)
			refusal = (struct call_refusal){ .status = 500 };
		call_plan_free(plan);
		refuse(call, by, &refusal);
		return;
	}
	transfer->plan = plan;
	transfer->kind = plan->steps[0].media; /* and of the other gateways */
	log_info("call", "call=%s transfer by=%c to step=\"%s\"", call->id,
		 by == MEDIA_A ? 'a' : 'b', plan->steps[0].label);
	(void)leg_refer_answer(call->leg[by], 202); /* a lost 202 is asked for again */
	if (plan->hold_music)
		transfer_play(call);
	if (call->sent[transfer_stays(transfer)])
		make_offer(call);
	else /* its media never was ours: we have no offer in its name */
		transfer_call_target(call);
}

/* ---- the far side of another call ---- */

/* Who asks for a dialog has to be its other end: the same peer. */
static bool may_join(const struct call *call, enum media_side by, const struct call *other,
		     enum media_side side)
{
	enum media_side far = call_other_side(side);

	return other && other != call && transfer_may_begin(other) && other->leg[far] &&
	       other->peer[side] == call->peer[by];
}

static void to_other_call(struct call *call, enum media_side by, struct leg *replaced)
{
	enum media_side side = MEDIA_A;
	struct call *other = call_of_leg(call->room, replaced, &side);
	enum media_side far = call_other_side(side);
	struct transfer *transfer;

	if (!may_join(call, by, other, side) || remember_first(other) < 0) {
		(void)leg_refer_answer(call->leg[by], 481);
		return;
	}
	transfer = transfer_begin(call, by);
	if (!transfer) {
		(void)leg_refer_answer(call->leg[by], 500);
		return;
	}
	log_info("call", "call=%s transfer by=%c to the other side of call=%s", call->id,
		 by == MEDIA_A ? 'a' : 'b', other->id);
	(void)leg_refer_answer(call->leg[by], 202); /* a lost 202 is asked for again */
	transfer->kind = transfer_kind_of(other, far);
	if (far == MEDIA_B)
		call_b_leaves(other);
	transfer->target = other->leg[far];
	transfer->lender = other;
	transfer->lent = far;
	other->leg[far] = NULL;
	other->lent_to = transfer;
	leg_set_handler(transfer->target, call_on_leg, call);
	transfer->phase = TRANSFER_ASKING;
	transfer_wait(transfer, TRANSFER_ANSWER_MS);
	if (leg_offer(transfer->target, NULL, false) < 0)
		transfer_fail_for(call, CAUSE_UNAVAILABLE, 491);
}

void transfer_asked(struct call *call, enum media_side by, const struct leg_event *event)
{
	enum media_side other = call_other_side(by);
	const char *replaces = event->refer->replaces;
	struct leg_named named;
	/* Behind the core's one address are all subscribers: it proves nothing by it. */
	bool ours = replaces && call->peer[by] != PEER_CORE &&
		    leg_by_replaces(call->room->endpoint, replaces, &named) == 0 &&
		    named.stage == LEG_STAGE_TALKING;

	if (!transfer_may_begin(call))
		(void)leg_refer_answer(call->leg[by], 491);
	else if (!call->leg[other]) /* it talks to ourselves */
		(void)leg_refer_answer(call->leg[by], 603);
	else if (ours)
		to_other_call(call, by, named.leg);
	else
		to_new_target(call, by, event);
}
