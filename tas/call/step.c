/* SPDX-License-Identifier: Apache-2.0 */
/* step.c - the steps of a call's plan: how each begins, and what follows when it has come
 * to nothing. */
#include "tas/call/call_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"

static bool next_step(struct call *call, const struct ending *ending)
{
	bool core = call_current_step(call)->to_core;

	for (size_t i = call->step + 1; i < call->plan->step_count; i++) {
		const struct call_step *step = &call->plan->steps[i];

		if (step->other_address && !ending->failover)
			continue;
		/* What the core itself could not do it cannot do a second time, but by
		 * another of its addresses. */
		if (step->only_after_trouble &&
		    (!ending->trouble || (step->to_core && core && !step->other_address)))
			continue;
		if (step->turn == (call->advised ? CALL_TURN_UNADVISED : CALL_TURN_ADVISED))
			continue;
		call->step = i;
		call->target = NULL;
		return true;
	}
	return false;
}

void call_let_b_go(struct call *call, const char *reason)
{
	early_clear(call);
	exchange_give_up(call, 500, NULL);
	call_b_leaves(call);
	call->leg[MEDIA_B] =
		leg_release(call->leg[MEDIA_B], &(struct leg_farewell){ .reason = reason });
	call->expecting = false;
	call_timer_stop(call, CALL_TIMER_RING);
	call_timer_stop(call, CALL_TIMER_MEDIA);
	call_timer_stop(call, CALL_TIMER_PEER);
}

void call_step_over(struct call *call, const struct ending *ending)
{
	const char *label = call_current_step(call)->label;
	char reason[128];

	replace_drop(call, 480); /* its chance is gone */
	if ((call->a_answered && !call->ahead) || !next_step(call, ending)) {
		call_end(call, ending);
		return;
	}
	log_info("call", "call=%s step=\"%s\" failed cause=%s, going on with step=\"%s\"", call->id,
		 label, cause_name(ending->cause), call_current_step(call)->label);
	sip_trace_note(call->room->trace, call->id,
		       "step=\"%s\" failed cause=%s, going on with step=\"%s\"", label,
		       cause_name(ending->cause), call_current_step(call)->label);
	cause_to_reason(ending->cause, reason, sizeof(reason));
	call_let_b_go(call, reason);
	ring_destroy(call);
	if (call->ahead)
		waiting_over(call, call->session, MEDIA_A);
	call_enter(call, CALL_INCOMING);
	call_run_step(call);
}

void call_step_failed(struct call *call, const struct ending *ending)
{
	struct ending best;
	char reason[128];

	if (!call->ring) {
		call_step_over(call, ending);
		return;
	}
	ring_note(call, ending);
	if (ring_is_open(call)) { /* it was to have the call, but others still ring */
		cause_to_reason(ending->cause, reason, sizeof(reason));
		call_let_b_go(call, reason);
		call_drop_session(call);
		ring_go_on(call);
		return;
	}
	best = ring_best(call);
	call_step_over(call, &best);
}

void call_trouble(struct call *call, enum cause cause)
{
	call_step_failed(
		call,
		&(struct ending){ .cause = cause, .by = "us", .trouble = true, .failover = true });
}

/* B may be reliable to the extent that A is; a trunk need not be because A is. Of
 * several that ring none is: its SDP would be agreed before it has won. */
static enum leg_100rel rel100_of(const struct call *call, const struct call_step *step)
{
	enum leg_100rel a;

	if (call->ring || call->transfer)
		return LEG_100REL_NONE;
	a = leg_info(call->leg[MEDIA_A])->rel100;
	return a == LEG_100REL_REQUIRED && !step->to_core ? LEG_100REL_SUPPORTED : a;
}

int call_invite(struct call *call, const struct call_step *step, const char *sdp,
		struct leg **ret_leg)
{
	struct leg_invite invite = {
		.request_uri = step->request_uri,
		.next_hop = step->next_hop,
		.keep_hop = step->keep_hop,
		.from_uri = step->from_uri,
		.from_display = step->from_display,
		.to_uri = step->to_uri,
		.to_display = step->to_display,
		.headers = &step->headers,
		.max_forwards = step->max_forwards,
		.line = step->line,
		.rel100 = rel100_of(call, step),
		.sdp = sdp,
	};
	int err = leg_invite(ret_leg, call->room->endpoint, &invite, call_on_leg, call);

	if (err)
		return err;
	sip_trace_link(call->room->trace, call->id, leg_info(*ret_leg)->call_id);
	if (!call->transfer)
		record_leg_b(call, *ret_leg);
	call_tell_target(call, step, CALL_TARGET_TAKEN);
	return 0;
}

enum cause call_invite_cause(int err)
{
	return err == -EBUSY ? CAUSE_OVERLOAD : CAUSE_INTERNAL;
}

void call_dial(struct call *call, const char *sdp)
{
	const struct call_step *step = call_current_step(call);

	int err = call_invite(call, step, sdp, &call->leg[MEDIA_B]);

	if (err) {
		call_trouble(call, call_invite_cause(err));
		return;
	}
	call->step_b = step;
	call->peer[MEDIA_B] = step->peer;
	call_enter(call, CALL_DIALLING);
	call_timer_begin(call, CALL_TIMER_RING, step->ring_ms);
}

static void dial_passed_through(struct call *call, enum call_bypass bypass)
{
	call_drop_session(call);
	call->pass_through = true;
	call->anchored = false;
	record_bypass(call, bypass);
	call_dial(call, leg_info(call->leg[MEDIA_A])->sdp);
}

void call_reject(struct call *call)
{
	const struct call_step *step = call_current_step(call);

	call_end(call, &(struct ending){ .cause = step->cause,
					 .by = "us",
					 .status = step->status,
					 .phrase = step->phrase,
					 .contact = step->request_uri });
}

/* It is followed by the next step. */
bool call_says_ahead(const struct call_step *step)
{
	return step->kind == CALL_STEP_ANSWER && (step->early || step->goes_on);
}

void call_media_trouble(struct call *call, int err)
{
	enum cause cause = err == -ENOSPC ? CAUSE_OVERLOAD : CAUSE_MEDIA_FAILED;

	if (call_current_step(call)->kind == CALL_STEP_REJECT) { /* without its announcement */
		call_reject(call);
		return;
	}
	if (call_says_ahead(call_current_step(call)) && !call->ahead)
		call_drop_session(call); /* the next step begins with A anew */
	if (call_current_step(call)->to_core && call->state == CALL_INCOMING && !call->ahead) {
		log_notice("call", "call=%s no media session (%s): the call goes on without us",
			   call->id, strerror(-err));
		dial_passed_through(call, CALL_BYPASS_NO_MEDIA);
		return;
	}
	call_trouble(call, cause);
}

const struct media_codecs *call_codecs(const struct call *call, enum media_side side)
{
	return side == MEDIA_A ? &call->plan->codecs_a : &call_current_step(call)->codecs;
}

int call_open_session(struct call *call, const struct call_step *step, enum media_leg_kind kind_b,
		      const struct media_local *local, struct media_session **ret_session)
{
	struct media_session_options options = {
		.kind = { call->plan->media_a, kind_b },
		.local = *local,
		.rules = { call->plan->codecs_a, step->codecs },
		.name = call->id,
		.steps = sip_trace_listens(call->room->trace),
		.on_event = call_on_media,
		.arg = call,
	};

	return media_session_create(ret_session, call->room->media, &options);
}

/* A has heard us: what it was told of our side stays. */
static bool may_turn(const struct call *call)
{
	return call->session && (call->announced || call->ahead);
}

static int turn_session(struct call *call, enum media_leg_kind kind_b,
			const struct media_local *local)
{
	call->session_kind_b = kind_b;
	call->b_spoke = false;
	free(call->sent[MEDIA_B]);
	call->sent[MEDIA_B] = NULL;
	free(call->answer_b);
	call->answer_b = NULL;
	return media_turn(call->session, kind_b, local, &call_current_step(call)->codecs,
			  call->ahead);
}

/* A session in which side B is of this kind, and A's offer on its way to it. */
static int open_session(struct call *call, enum media_leg_kind kind_b,
			const struct media_local *local)
{
	const char *offer = leg_info(call->leg[MEDIA_A])->sdp;
	int err;

	call->address_b = media_engine_address(call->room->media, &call_current_step(call)->codecs);
	if (may_turn(call))
		return turn_session(call, kind_b, local);
	call_drop_session(call);
	call->anchored = true;
	record_bypass(call, CALL_BYPASS_NOT);
	call->session_kind_b = kind_b;
	err = call_open_session(call, call_current_step(call), kind_b, local, &call->session);
	return !err && offer ? media_offer(call->session, MEDIA_A, offer) : err;
}

static void start_dial(struct call *call, const struct call_step *step)
{
	const char *offer = leg_info(call->leg[MEDIA_A])->sdp;
	int err;

	call->pass_through = step->bypass;
	if (step->bypass && !may_turn(call)) {
		dial_passed_through(call, step->bypass);
		return;
	}
	call->pass_through = false;
	/* The next gateway of a trunk gets the offer the dead one did not answer, unless it is
	 * reached from another address of ours. */
	if (call->session && call->sent[MEDIA_B] && !call->b_spoke &&
	    call->session_kind_b == step->media &&
	    call->address_b == media_engine_address(call->room->media, &step->codecs)) {
		call_dial(call, call->sent[MEDIA_B]);
		return;
	}
	err = open_session(call, step->media, &step->local);
	if (!err && !offer && !call->ahead) {
		call_dial(call, NULL);
		return;
	}
	if (err)
		call_media_trouble(call, err);
	else
		call_expect(call, MEDIA_EV_OFFER, MEDIA_B);
}

static int open_local(struct call *call, const struct call_step *step)
{
	struct media_local local = step->local;
	struct message message = { 0 };
	int err = 0;

	if (step->mailbox) {
		err = message_init(&message, call, step->mailbox);
		local.recording = &message.recording;
	}
	if (!err)
		err = open_session(call, MEDIA_LEG_LOCAL, &local);
	message_done(&message);
	return err;
}

static void start_answer(struct call *call, const struct call_step *step)
{
	const char *offer = leg_info(call->leg[MEDIA_A])->sdp;
	int err = open_local(call, step);

	bool offered = offer || call->ahead;

	call->pass_through = false;
	if (!err && !offered)
		err = media_start(call->session, MEDIA_A);
	if (err)
		call_media_trouble(call, err);
	else
		call_expect(call, offered ? MEDIA_EV_ANSWER : MEDIA_EV_OFFER, MEDIA_A);
}

void call_go_on(struct call *call)
{
	static const struct ending no_trouble;

	if (next_step(call, &no_trouble))
		call_run_step(call);
	else
		call_end_for(call, CAUSE_UNAVAILABLE, "us");
}

/* What A was told by is one session's: whoever gets the call comes into that. */
static void start_ring(struct call *call, const struct call_step *step)
{
	if (!may_turn(call)) {
		call_drop_session(call);
		ring_start(call, step);
	} else if (ahead_take_turns(call) < 0) {
		call_trouble(call, CAUSE_INTERNAL);
	} else {
		call_go_on(call);
	}
}

void call_run_step(struct call *call)
{
	const struct call_step *step = call_current_step(call);

	call->steps_tried++;
	switch (step->kind) {
	case CALL_STEP_DIAL:
		start_dial(call, step);
		break;
	case CALL_STEP_RING:
		start_ring(call, step);
		break;
	case CALL_STEP_ANSWER:
		/* An offer of ours in a 183 would find its answer only by PRACK. */
		if (step->early && call->delayed)
			call_go_on(call);
		else
			start_answer(call, step);
		break;
	case CALL_STEP_REJECT:
		if (step->local.sound && !(step->early && call->delayed))
			start_answer(call, step);
		else
			call_reject(call);
		break;
	case CALL_STEP_ASK:
		question_start(call, step);
		break;
	}
}

/* A trunk's response below 400 sends the caller elsewhere, and its challenge asks
 * for our password there: neither is for leg A. What the core says in leg 3 is
 * for leg 2 all the same. */
static struct ending judge_refusal(const struct call_step *step, const struct leg_event *event)
{
	bool challenge = event->status == 401 || event->status == 407;
	bool ours = challenge && !step->to_core;
	/* RFC 3263 section 4.3: a 503 is for the next address too. */
	bool other = step->to_core ? event->status == 503
				   : sip_line_fails_over(step->line, event->status);
	bool failover = other && !event->rang;
	struct cause_reason said = farewell_read(event->headers);
	struct ending ending = {
		.cause = ours ? CAUSE_INTERNAL : cause_from_response(event->status, &said),
		.by = "b",
		.q850 = said.q850,
		.headers = event->headers,
		.trouble = ours || failover || (event->status >= 500 && event->status < 600),
		.failover = failover,
	};

	if ((event->status >= 400 && !ours) || (step->to_core && event->headers->redirect)) {
		ending.status = event->status;
		ending.phrase = event->reason;
	}
	return ending;
}

struct ending call_judge(const struct call *call, const struct call_step *step,
			 const struct leg_event *event)
{
	if (event->end == LEG_END_REFUSED)
		return judge_refusal(step, event);
	log_notice("call", "call=%s step=\"%s\" next_hop=%s %s: %s", call->id, step->label,
		   step->next_hop ? step->next_hop : "-", leg_end_reason_name(event->end),
		   event->reason);
	return (struct ending){ .cause = CAUSE_NEXT_HOP_DOWN,
				.by = "us",
				.status = event->status >= 500 ? event->status : 0,
				.trouble = true,
				.failover = !event->rang };
}
