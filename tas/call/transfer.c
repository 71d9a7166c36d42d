/* SPDX-License-Identifier: Apache-2.0 */
/* transfer.c - a side asks for the other one to talk to somebody else.
 *
 * The REFER ends here (RFC 3515): we make the new call ourselves, so that
 * neither the core nor the side that stays has to know transfers. The target is
 * called without an offer, so that nothing changes for the side that stays until
 * the target has answered (RFC 3725 section 4.2); then its offer goes to that side
 * as a re-INVITE through a new media session, and the answer into the target's ACK.
 *
 * A target that refuses to be called without an offer gets one of what the side that
 * stays agreed to; its answer is then taken for its offer, and all goes on the same way.
 *
 *   CALLING --2xx--> MEDIA_OFFER --> REOFFER --2xx--> MEDIA_ANSWER --> the target's
 *      ^  \--failed: next gateway, or the transfer fails               leg is the call's
 *      ^ refused without an offer: OFFERING, then CALLING again
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
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/str.h"
#include "tas/call/call_state.h"

enum transfer_phase {
	TRANSFER_OFFERING,     /* media makes an offer for the target */
	TRANSFER_CALLING,      /* the target rings */
	TRANSFER_ASKING,       /* another call's side was asked for an offer */
	TRANSFER_MEDIA_OFFER,  /* the target's offer becomes one for the side that stays */
	TRANSFER_REOFFER,      /* the side that stays has it */
	TRANSFER_MEDIA_ANSWER, /* its answer becomes one for the target */
	TRANSFER_SETTLING      /* the target is gone, the side that stays has yet to answer */
};

struct transfer {
	struct call *call;
	enum transfer_phase phase;
	enum media_side by;     /* who asked: its leg is to be replaced */
	struct call_plan *plan; /* own; NULL: the target is another call's */
	size_t step;
	enum media_leg_kind kind; /* of the target */
	struct leg *target;       /* own, also while lent; NULL between two gateways */
	char *own_offer;          /* that the target is called with; NULL: none */
	bool called_us;           /* the target is an incoming leg; NULL plan, no lender */
	bool played;              /* who stays hears something of ours */
	bool back;                /* the target is who asked: as it was before */
	struct call *lender;      /* whose leg the target is; NULL: nobody's, or it has ended */
	enum media_side lent;     /* which of the lender's */
	struct media_session *session;
	char *offer; /* for the side that stays, unless it refused: becomes sent[] */
	struct timer timer;
};

/* The other side and the media room answer within a transaction: RFC 3261
 * 17.1.1.2; a target rings as long as its step says. */
#define ANSWER_MS (40 * 1000)
#define RING_MS   (60 * 1000)

static enum media_side stays(const struct transfer *transfer)
{
	return call_other_side(transfer->by);
}

static void wait(struct transfer *transfer, mono_ms ms)
{
	timer_start(transfer->call->room->wheel, &transfer->timer, clock_now() + ms);
}

/* ---- the end of it ---- */

static void free_transfer(struct transfer *transfer)
{
	timer_cancel(&transfer->timer);
	if (transfer->lender)
		transfer->lender->lent_to = NULL;
	media_session_destroy(transfer->session);
	call_plan_free(transfer->plan);
	free(transfer->offer);
	free(transfer->own_offer);
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
		free_transfer(call->transfer);
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

static enum media_leg_kind kind_of(const struct call *call, enum media_side side)
{
	if (side == MEDIA_A)
		return call->plan->media_a;
	return call->session ? call->session_kind_b : call_current_step(call)->media;
}

static void fail(struct call *call, const struct ending *ending);

static void fail_for(struct call *call, enum cause cause, int status)
{
	fail(call, &(struct ending){ .cause = cause, .by = "us", .status = status });
}

/* The side that stays has our new SDP, or may get it: the old session is of no use to
 * it any more. */
static void join_again(struct call *call)
{
	struct transfer *transfer = call->transfer;
	enum media_side by = transfer->by;

	free(call->sent[stays(transfer)]);
	call->sent[stays(transfer)] = transfer->offer;
	transfer->offer = NULL;
	transfer->back = true;
	transfer->called_us = false;
	transfer->kind = kind_of(call, by);
	transfer->target = call->leg[by];
	call->leg[by] = NULL;
	transfer->phase = TRANSFER_ASKING;
	wait(transfer, ANSWER_MS);
	if (leg_offer(transfer->target, NULL, false) < 0)
		fail_for(call, CAUSE_UNAVAILABLE, 0);
}

/* While the target is called. */
static void play(struct call *call)
{
	struct transfer *transfer = call->transfer;

	if (!transfer->played)
		waiting_for_target(call, stays(transfer), transfer->plan->hold_music);
	transfer->played = true;
}

static void stop_playing(struct call *call)
{
	if (call->transfer->played)
		waiting_over(call, stays(call->transfer));
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

static void fail(struct call *call, const struct ending *ending)
{
	struct transfer *transfer = call->transfer;
	int status = ending->status ? ending->status : cause_to_status(ending->cause);
	enum media_side by = transfer->by;

	log_info("call", "call=%s transfer failed cause=%s status=%d", call->id,
		 cause_name(ending->cause), status);
	if (call->leg[by])
		leg_refer_report(call->leg[by], status, ending->phrase);
	stop_playing(call);
	let_go(transfer, status);
	if (call->leg[by] && transfer->offer && transfer->phase == TRANSFER_REOFFER) {
		transfer->phase = TRANSFER_SETTLING;
		wait(transfer, ANSWER_MS);
		return;
	}
	if (call->leg[by] && transfer->offer) {
		join_again(call);
		return;
	}
	free_transfer(transfer);
	call->transfer = NULL;
	if (!call->leg[by])
		call_end(call, ending);
}

/* ---- the beginning ---- */

/* The texts of an INVITE that outlive its leg. */
static const size_t texts[] = {
	offsetof(struct leg_info, request_user), offsetof(struct leg_info, request_uri),
	offsetof(struct leg_info, from_uri),     offsetof(struct leg_info, from_user),
	offsetof(struct leg_info, from_display), offsetof(struct leg_info, to_uri),
	offsetof(struct leg_info, to_user),      offsetof(struct leg_info, asserted_user),
	offsetof(struct leg_info, call_id),      offsetof(struct leg_info, session_id),
	offsetof(struct leg_info, source),
};

static const char **text_of(const struct leg_info *info, size_t i)
{
	return (const char **)((char *)info + texts[i]);
}

/* A record tells of the first INVITE, whose leg is about to leave. */
static int remember_first(struct call *call)
{
	static const struct sip_headers none;
	const struct leg_info *a;
	struct leg_info *first;
	size_t room = sizeof(*first);
	char *at;

	if (call->first)
		return 0;
	a = leg_info(call->leg[MEDIA_A]);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		room += strlen(*text_of(a, i)) + 1;
	first = malloc(room);
	if (!first)
		return -ENOMEM;
	*first = *a;
	first->headers = &none;
	first->sdp = NULL;
	at = (char *)(first + 1);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		*text_of(first, i) = at;
		at = stpcpy(at, *text_of(a, i)) + 1;
	}
	call->first = first;
	return 0;
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
	return call->state == CALL_TALKING && !call->transfer && !call->lent_to &&
	       !exchange_active(call);
}

static struct transfer *begin(struct call *call, enum media_side by)
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

static void call_target(struct call *call)
{
	struct transfer *transfer = call->transfer;
	const struct call_step *step = &transfer->plan->steps[transfer->step];

	transfer->phase = TRANSFER_CALLING;
	transfer->kind = step->media;
	if (call_invite(call, step, transfer->own_offer, &transfer->target) < 0)
		fail_for(call, CAUSE_INTERNAL, 0);
	else
		wait(transfer, step->ring_ms ? step->ring_ms : RING_MS);
}

static void to_new_target(struct call *call, enum media_side by, const struct leg_event *event)
{
	struct call_transfer asked = {
		.peer = call->peer[by],
		.caller_asks = by == MEDIA_A,
		.a = call_caller(call),
		.refer = event->refer,
		.headers = event->headers,
	};
	int status = 603;
	struct call_plan *plan = NULL;
	struct transfer *transfer;

	if (call->room->transfer)
		plan = call->room->transfer(&asked, &status, call->room->transfer_arg);
	transfer = plan ? begin(call, by) : NULL;
	if (!transfer) {
		call_plan_free(plan);
		(void)leg_refer_answer(call->leg[by], plan ? 500 : status);
		return;
	}
	transfer->plan = plan;
	log_info("call", "call=%s transfer by=%c to step=\"%s\"", call->id,
		 by == MEDIA_A ? 'a' : 'b', plan->steps[0].label);
	(void)leg_refer_answer(call->leg[by], 202); /* a lost 202 is asked for again */
	if (plan->hold_music)
		play(call);
	call_target(call);
}

/* Whether it may be the missing offer that is refused: RFC 3261 section 13.2.1 asks for
 * no offer, but many that are called have never seen an INVITE without. */
static bool wants_offer(const struct call *call, const struct leg_event *event)
{
	static const int statuses[] = { 400, 406, 415, 488, 500, 501, 606 };
	const struct transfer *transfer = call->transfer;

	if (!transfer->plan || transfer->phase != TRANSFER_CALLING || transfer->own_offer ||
	    event->end != LEG_END_REFUSED || event->rang || !call->sent[stays(transfer)])
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (event->status == statuses[i])
			return true;
	return false;
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

static int open_session(struct transfer *transfer);

/* An offer as if the side that stays had made it; it is taken back in the session once
 * the target has answered, so that nothing of it touches that side. */
static void make_offer(struct call *call)
{
	struct transfer *transfer = call->transfer;
	char *sdp = without_direction(call->sent[stays(transfer)]);
	int err = sdp ? open_session(transfer) : -ENOMEM;

	if (!err)
		err = media_offer(transfer->session, stays(transfer), sdp);
	free(sdp);
	if (err) {
		fail_for(call, CAUSE_INTERNAL, 500);
		return;
	}
	log_info("call", "call=%s the transfer's target wants an offer", call->id);
	transfer->phase = TRANSFER_OFFERING;
	wait(transfer, ANSWER_MS);
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
	transfer = begin(call, by);
	if (!transfer) {
		(void)leg_refer_answer(call->leg[by], 500);
		return;
	}
	log_info("call", "call=%s transfer by=%c to the other side of call=%s", call->id,
		 by == MEDIA_A ? 'a' : 'b', other->id);
	(void)leg_refer_answer(call->leg[by], 202); /* a lost 202 is asked for again */
	transfer->kind = kind_of(other, far);
	if (far == MEDIA_B)
		call_b_leaves(other);
	transfer->target = other->leg[far];
	transfer->lender = other;
	transfer->lent = far;
	other->leg[far] = NULL;
	other->lent_to = transfer;
	leg_set_handler(transfer->target, call_on_leg, call);
	transfer->phase = TRANSFER_ASKING;
	wait(transfer, ANSWER_MS);
	if (leg_offer(transfer->target, NULL, false) < 0)
		fail_for(call, CAUSE_UNAVAILABLE, 491);
}

void transfer_asked(struct call *call, enum media_side by, const struct leg_event *event)
{
	enum media_side other = call_other_side(by);
	const char *replaces = event->refer->replaces;
	struct leg_named named;
	bool ours = replaces && leg_by_replaces(call->room->endpoint, replaces, &named) == 0 &&
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

/* ---- one SDP after the other ---- */

static int open_session(struct transfer *transfer)
{
	struct call *call = transfer->call;
	struct media_session_options options = {
		.name = call->id, .replaces = true, .on_event = call_on_media, .arg = call
	};

	options.kind[stays(transfer)] = kind_of(call, stays(transfer));
	options.kind[transfer->by] = transfer->kind;
	/* Who is called for it is a peer of who asked. */
	options.rules[MEDIA_A] = *call_codecs(call, MEDIA_A);
	options.rules[MEDIA_B] = *call_codecs(call, MEDIA_B);
	options.before[stays(transfer)] = call->sent[stays(transfer)];
	if (transfer->lender)
		options.before[transfer->by] = transfer->lender->sent[transfer->lent];
	else if (transfer->back)
		options.before[transfer->by] = call->sent[transfer->by];
	return media_session_create(&transfer->session, call->room->media, &options);
}

static void offered(struct call *call, const char *sdp)
{
	struct transfer *transfer = call->transfer;
	int err = -EPROTO;

	stop_playing(call);
	if (exchange_active(call)) /* its own re-INVITE would meet ours */
		exchange_give_up(call, 491, NULL);
	if (sdp && transfer->own_offer) {
		(void)leg_ack(transfer->target, NULL); /* what fails there ends that leg */
		media_rollback(transfer->session);
		err = 0;
	} else if (sdp) {
		err = open_session(transfer);
	}
	if (!err)
		err = media_offer(transfer->session, transfer->by, sdp);
	if (err) {
		fail_for(call, CAUSE_NOT_ACCEPTABLE, err == -EPROTO ? 488 : 500);
		return;
	}
	transfer->phase = TRANSFER_MEDIA_OFFER;
	wait(transfer, ANSWER_MS);
}

void transfer_replace(struct call *call, enum media_side side, struct leg *take_leg)
{
	enum media_leg_kind kind =
		call->leg[side] ? kind_of(call, side) : call_current_step(call)->media;
	struct transfer *transfer = begin(call, side);

	if (!transfer) {
		leg_release(take_leg, &(struct leg_farewell){ .status = 500 });
		return;
	}
	transfer->called_us = true;
	transfer->target = take_leg;
	transfer->kind = kind;
	offered(call, leg_info(take_leg)->sdp);
}

static void reoffer(struct call *call, const char *sdp)
{
	struct transfer *transfer = call->transfer;

	if (leg_offer(call->leg[stays(transfer)], sdp, false) < 0) {
		fail_for(call, CAUSE_UNAVAILABLE, 491);
		return;
	}
	transfer->phase = TRANSFER_REOFFER;
	transfer->offer = strdup(sdp);
	if (!transfer->offer) {
		fail_for(call, CAUSE_INTERNAL, 500);
		return;
	}
	wait(transfer, ANSWER_MS);
}

static void reanswered(struct call *call, const struct leg_event *event)
{
	struct transfer *transfer = call->transfer;
	bool settles = transfer->phase == TRANSFER_SETTLING;

	if (event->status >= 300) { /* nothing has changed for it */
		free(transfer->offer);
		transfer->offer = NULL;
		fail_for(call, CAUSE_NOT_ACCEPTABLE, event->status);
		return;
	}
	transfer->phase = TRANSFER_MEDIA_ANSWER;
	wait(transfer, ANSWER_MS);
	if (settles || !event->sdp ||
	    media_answer(transfer->session, stays(transfer), event->sdp) < 0)
		fail_for(call, CAUSE_NOT_ACCEPTABLE, 488);
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
static void complete(struct call *call, const char *answer)
{
	struct transfer *transfer = call->transfer;
	enum media_side by = transfer->by;
	struct call *lender = transfer->lender;
	int peer = peer_of_target(transfer);

	if (transfer->called_us && leg_answer(transfer->target, answer, NULL) < 0) {
		fail_for(call, CAUSE_INTERNAL, 500);
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
	free(call->sent[stays(transfer)]);
	call->sent[stays(transfer)] = transfer->offer;
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
	free_transfer(transfer);
	call->transfer = NULL;
	if (lender)
		call_finish(lender, &(struct ending){ .cause = CAUSE_NORMAL, .by = "us" });
}

/* ---- what can happen ---- */

static void target_failed(struct call *call, const struct leg_event *event)
{
	struct transfer *transfer = call->transfer;
	struct call *lender;
	struct ending ending;

	if (wants_offer(call, event)) {
		transfer->target = leg_release(transfer->target, NULL);
		make_offer(call);
		return;
	}
	if (transfer->called_us || transfer->back) { /* it has given up, or hung up */
		fail_for(call, CAUSE_CANCELLED, 487);
		return;
	}
	ending = call_judge(call,
			    transfer->plan ? &transfer->plan->steps[transfer->step]
					   : call_current_step(call),
			    event);

	if (transfer->plan && transfer->phase == TRANSFER_CALLING && ending.trouble &&
	    transfer->step + 1 < transfer->plan->step_count) {
		transfer->target = leg_release(transfer->target, NULL);
		transfer->step++;
		call_target(call);
		return;
	}
	lender = transfer->lender;
	transfer->lender = NULL;
	fail(call, &ending);
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
			play(call);
		if (call->leg[transfer->by])
			leg_refer_report(call->leg[transfer->by], event->status, event->reason);
		break;
	case LEG_EV_ANSWERED:
		offered(call, event->sdp);
		break;
	case LEG_EV_OFFER_ANSWERED:
		if (transfer->phase == TRANSFER_ASKING && event->status < 300)
			offered(call, event->sdp);
		else if (transfer->phase == TRANSFER_ASKING)
			fail_for(call, CAUSE_NOT_ACCEPTABLE, event->status);
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
		fail_for(call, CAUSE_INTERNAL, 500);
	else
		call_target(call);
}

static void media_said(struct call *call, const struct media_event *event)
{
	struct transfer *transfer = call->transfer;

	if (event->type == MEDIA_EV_OFFER && transfer->phase == TRANSFER_OFFERING)
		call_with_offer(call, event->sdp);
	else if (event->type == MEDIA_EV_OFFER && transfer->phase == TRANSFER_MEDIA_OFFER)
		reoffer(call, event->sdp);
	else if (event->type == MEDIA_EV_ANSWER && transfer->phase == TRANSFER_MEDIA_ANSWER)
		complete(call, event->sdp);
	else if (event->type == MEDIA_EV_REFUSED || event->type == MEDIA_EV_FAILED)
		fail_for(call, CAUSE_NOT_ACCEPTABLE, event->status ? event->status : 488);
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
		reanswered(call, event);
	} else if (event->type == LEG_EV_OFFER &&
		   ((transfer->phase != TRANSFER_CALLING && transfer->phase != TRANSFER_OFFERING) ||
		    !call->leg[transfer->by])) {
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
		fail_for(call, CAUSE_NO_ANSWER,
			 call->transfer->phase == TRANSFER_CALLING ? 480 : 408);
	else if (h->what == HAPPENED_MEDIA)
		return h->media->type == MEDIA_EV_SILENT; /* the old session: about to go */
	else if (h->what == HAPPENED_LEG)
		return side_said(call, h->side, h->leg);
	else
		return false;
	return true;
}

bool transfer_owns(const struct call *call, const struct leg *leg,
		   const struct media_session *session)
{
	const struct transfer *transfer = call->transfer;

	if (!transfer)
		return false;
	return (leg && leg == transfer->target) || (session && session == transfer->session);
}
