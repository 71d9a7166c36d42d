/* SPDX-License-Identifier: Apache-2.0 */
/* call_state.c - the life of one call: one function per state, and the only
 * place that changes the state. The diagram stands above enum call_state. */
#include "tas/call/call_state.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"

/* Beyond its length an announcement may take as long as ICE and DTLS do with
 * a patient caller. */
#define ANNOUNCE_GRACE_MS (10 * 1000)

static const struct {
	const char *name;
	mono_ms default_ms;
} timers[CALL_TIMER_COUNT] = {
	/* RFC 3261 16.6 step 11: a ringing INVITE may take 3 minutes (timer C). */
	[CALL_TIMER_RING] = { "ring", 180 * 1000 },
	/* The media room answers in microseconds; ICE gathering in milliseconds. */
	[CALL_TIMER_MEDIA] = { "media", 5 * 1000 },
	/* A transaction is over after 64 * T1 = 32 s: RFC 3261 17.1.1.2. */
	[CALL_TIMER_PEER] = { "peer", 40 * 1000 },
	/* Begun with the room's limit; the default is for nobody. */
	[CALL_TIMER_LIFE] = { "life", 4 * 3600 * 1000 },
	/* Begun with the step's deadline; the default is for nobody. */
	[CALL_TIMER_ASK] = { "ask", 1000 },
};

const char *call_state_name(enum call_state state)
{
	switch (state) {
	case CALL_INCOMING:
		return "INCOMING";
	case CALL_RINGING:
		return "RINGING";
	case CALL_DIALLING:
		return "DIALLING";
	case CALL_ANSWERING:
		return "ANSWERING";
	case CALL_TALKING:
		return "TALKING";
	case CALL_ENDED:
		return "ENDED";
	}
	return "?";
}

/* The only function that writes call->state. */
void call_enter(struct call *call, enum call_state next)
{
	if (call->state == next)
		return;
	log_debug("call", "call=%s %s -> %s step=\"%s\"", call->id, call_state_name(call->state),
		  call_state_name(next), call_current_step(call)->label);
	sip_trace_note(call->room->trace, call->id, "%s -> %s step=\"%s\"",
		       call_state_name(call->state), call_state_name(next),
		       call_current_step(call)->label);
	call->state = next;
}

const struct call_step *call_current_step(const struct call *call)
{
	return call->target ? call->target : &call->plan->steps[call->step];
}

void call_timer_begin(struct call *call, enum call_timer timer, mono_ms ms)
{
	timer_start(call->room->wheel, &call->timer[timer],
		    clock_now() + (ms ? ms : timers[timer].default_ms));
}

void call_timer_stop(struct call *call, enum call_timer timer)
{
	timer_cancel(&call->timer[timer]);
}

int call_remember_sdp(char **text, const char *sdp)
{
	char *copy = strdup(sdp);

	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

void call_expect(struct call *call, enum media_event_type type, enum media_side side)
{
	call->expecting = true;
	call->expected = type;
	call->expected_side = side;
	call_timer_begin(call, CALL_TIMER_MEDIA, 0);
}

bool call_expected(struct call *call, const struct media_event *event)
{
	if (!call->expecting || event->type != call->expected || event->side != call->expected_side)
		return false;
	call->expecting = false;
	call_timer_stop(call, CALL_TIMER_MEDIA);
	return true;
}

static void drop_session(struct call *call)
{
	call->session = media_session_destroy(call->session);
	call->expecting = false;
	call->b_spoke = false;
	call->announced = false;
	for (size_t i = 0; i < ARRAY_SIZE(call->sent); i++) {
		free(call->sent[i]);
		call->sent[i] = NULL;
	}
	free(call->answer_b);
	call->answer_b = NULL;
}

/* ---- the end ---- */

void call_b_leaves(struct call *call)
{
	if (call->step_b)
		call_tell_target(call, call->step_b,
				 call->a_answered && !call->ahead ? CALL_TARGET_DONE
								  : CALL_TARGET_FREE);
	call->step_b = NULL;
}

void call_end(struct call *call, const struct ending *ending)
{
	if (call->state == CALL_ENDED)
		return;
	call_enter(call, CALL_ENDED);
	question_stop(call, "cancelled");
	for (int i = 0; i < CALL_TIMER_COUNT; i++)
		timer_cancel(&call->timer[i]);
	verdict_end(call);
	record_end(call, ending); /* reads legs and session */
	message_tell(call);
	call_b_leaves(call);
	transfer_abandon(call);
	replace_drop(call, 480);
	farewell_say(call, ending);
	drop_session(call);
	ring_destroy(call);
}

static void end_for(struct call *call, enum cause cause, const char *by)
{
	call_end(call, &(struct ending){ .cause = cause, .by = by });
}

/* ---- steps ---- */

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

static void run_step(struct call *call);

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
	run_step(call);
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
		drop_session(call);
		ring_go_on(call);
		return;
	}
	best = ring_best(call);
	call_step_over(call, &best);
}

static void trouble(struct call *call, enum cause cause)
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

static void dial(struct call *call, const char *sdp)
{
	const struct call_step *step = call_current_step(call);

	int err = call_invite(call, step, sdp, &call->leg[MEDIA_B]);

	if (err) {
		trouble(call, call_invite_cause(err));
		return;
	}
	call->step_b = step;
	call->peer[MEDIA_B] = step->peer;
	call_enter(call, CALL_DIALLING);
	call_timer_begin(call, CALL_TIMER_RING, step->ring_ms);
}

static void dial_passed_through(struct call *call, enum call_bypass bypass)
{
	drop_session(call);
	call->pass_through = true;
	call->anchored = false;
	record_bypass(call, bypass);
	dial(call, leg_info(call->leg[MEDIA_A])->sdp);
}

static void reject(struct call *call)
{
	const struct call_step *step = call_current_step(call);

	call_end(call, &(struct ending){ .cause = step->cause,
					 .by = "us",
					 .status = step->status,
					 .phrase = step->phrase,
					 .contact = step->request_uri });
}

/* It is followed by the next step. */
static bool says_ahead(const struct call_step *step)
{
	return step->kind == CALL_STEP_ANSWER && (step->early || step->goes_on);
}

void call_media_trouble(struct call *call, int err)
{
	enum cause cause = err == -ENOSPC ? CAUSE_OVERLOAD : CAUSE_MEDIA_FAILED;

	if (call_current_step(call)->kind == CALL_STEP_REJECT) { /* without its announcement */
		reject(call);
		return;
	}
	if (says_ahead(call_current_step(call)) && !call->ahead)
		drop_session(call); /* the next step begins with A anew */
	if (call_current_step(call)->to_core && call->state == CALL_INCOMING && !call->ahead) {
		log_notice("call", "call=%s no media session (%s): the call goes on without us",
			   call->id, strerror(-err));
		dial_passed_through(call, CALL_BYPASS_NO_MEDIA);
		return;
	}
	trouble(call, cause);
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

	if (may_turn(call))
		return turn_session(call, kind_b, local);
	drop_session(call);
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
	/* The next gateway of a trunk gets the offer the dead one did not answer. */
	if (call->session && call->sent[MEDIA_B] && !call->b_spoke &&
	    call->session_kind_b == step->media) {
		dial(call, call->sent[MEDIA_B]);
		return;
	}
	err = open_session(call, step->media, &step->local);
	if (!err && !offer && !call->ahead) {
		dial(call, NULL);
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
		run_step(call);
	else
		end_for(call, CAUSE_UNAVAILABLE, "us");
}

/* What A was told by is one session's: whoever gets the call comes into that. */
static void start_ring(struct call *call, const struct call_step *step)
{
	if (!may_turn(call)) {
		drop_session(call);
		ring_start(call, step);
	} else if (ahead_take_turns(call) < 0) {
		trouble(call, CAUSE_INTERNAL);
	} else {
		call_go_on(call);
	}
}

static void run_step(struct call *call)
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
			reject(call);
		break;
	case CALL_STEP_ASK:
		question_start(call, step);
		break;
	}
}

void call_answer_a(struct call *call, const char *sdp, const struct sip_headers *headers)
{
	if (call->ahead) {
		ahead_join(call);
		return;
	}
	if (leg_answer(call->leg[MEDIA_A], sdp, headers) < 0) {
		end_for(call, CAUSE_INTERNAL, "us");
		return;
	}
	ring_answered(call);
	call->a_answered = true;
	call->answered_ms = clock_now();
	verdict_begin(call);
	waiting_begin(call);
	message_record(call);
	if (call->pdd_ms < 0)
		call->pdd_ms = call->answered_ms - call->started_ms;
	record_answered(call);
	call_enter(call, CALL_ANSWERING);
	call_timer_begin(call, CALL_TIMER_PEER, 0);
}

/* ---- what can happen, state by state ---- */

/* The announcement is A's early media: a caller that never hears it has its
 * final response all the same. */
static void announce(struct call *call, const char *sdp)
{
	const struct media_local *local = &call_current_step(call)->local;
	mono_ms ms = (mono_ms)media_sound_ms(local->sound) * local->repeat;

	if (call->pdd_ms < 0)
		call->pdd_ms = clock_now() - call->started_ms;
	(void)leg_provisional(call->leg[MEDIA_A], 183, NULL, sdp, NULL); /* the final one counts */
	call->announced = true;
	call_timer_begin(call, CALL_TIMER_RING, ms + ANNOUNCE_GRACE_MS);
}

static void answer_ourselves(struct call *call, const char *sdp)
{
	if (call->ahead) {
		ahead_speak(call);
	} else if (call_current_step(call)->early) {
		announce(call, sdp);
	} else {
		call_answer_a(call, sdp, NULL);
		if (call->state != CALL_ENDED && call_current_step(call)->goes_on)
			ahead_begin(call);
	}
}

/* What we had to say is said. */
static void played(struct call *call)
{
	const struct call_step *step = call_current_step(call);

	call_timer_stop(call, CALL_TIMER_RING);
	if (call->ahead && call->state == CALL_ANSWERING) {
		call->said = true; /* A's ACK comes first */
	} else if (step->kind == CALL_STEP_REJECT) {
		reject(call);
	} else if (says_ahead(step)) {
		exchange_give_up(call, 491, NULL);
		call_enter(call, CALL_INCOMING);
		call_go_on(call);
	} else {
		end_for(call, CAUSE_NORMAL, "us");
	}
}

/* What the local side has to tell, once the call is answered. */
static bool local_side_is_over(struct call *call, const struct media_event *event)
{
	if (event->type == MEDIA_EV_PLAYED)
		played(call);
	else if (event->type == MEDIA_EV_RECORDED)
		end_for(call, strcmp(event->reason, "disk") ? CAUSE_NORMAL : CAUSE_INTERNAL, "us");
	else
		return false;
	return true;
}

static void media_refused(struct call *call, const struct media_event *event)
{
	call->expecting = false;
	call_timer_stop(call, CALL_TIMER_MEDIA);
	if (event->status >= 500 || call->ahead || says_ahead(call_current_step(call)) ||
	    call_current_step(call)->kind == CALL_STEP_REJECT) {
		call_media_trouble(call, -EIO);
		return;
	}
	if (event->side == MEDIA_A) { /* another step would meet the same offer */
		call_end(call, &(struct ending){ .cause = CAUSE_NOT_ACCEPTABLE,
						 .by = "us",
						 .status = event->status,
						 .warning = event->reason });
		return;
	}
	call_step_failed(call, &(struct ending){ .cause = CAUSE_NOT_ACCEPTABLE,
						 .by = "us",
						 .warning = event->reason });
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

static void b_failed(struct call *call, const struct leg_event *event)
{
	struct ending ending = call_judge(call, call_current_step(call), event);

	call_step_failed(call, &ending);
}

/* A leg that was up is gone. */
static void leg_gone(struct call *call, enum media_side side, const struct leg_event *event)
{
	struct cause_reason said = farewell_read(event->headers);
	struct ending ending = { .cause = CAUSE_DIALOG_LOST,
				 .by = side == MEDIA_A ? "a" : "b",
				 .q850 = said.q850 };

	if (event->end == LEG_END_BYE)
		ending.cause = cause_from_bye(&said);
	else if (event->end == LEG_END_EXPIRED)
		ending.cause = CAUSE_SESSION_EXPIRED;
	else if (event->end == LEG_END_CANCELLED)
		ending.cause = CAUSE_CANCELLED;
	if (event->end == LEG_END_BYE || event->end == LEG_END_CANCELLED)
		ending.bye = event->headers;
	call_end(call, &ending);
}

static void on_incoming(struct call *call, const struct happening *h)
{
	if (call->asking) /* what an earlier step left behind decides nothing now */
		return;
	if (h->what == HAPPENED_TIMER && h->timer == CALL_TIMER_MEDIA) {
		call_media_trouble(call, -ETIMEDOUT);
		return;
	}
	if (h->what == HAPPENED_TIMER && h->timer == CALL_TIMER_RING) {
		played(call);
		return;
	}
	if (h->what == HAPPENED_LEG && h->leg->type == LEG_EV_OFFER) /* an UPDATE */
		exchange_refuse(call, h->side, 491, NULL);
	if (h->what != HAPPENED_MEDIA)
		return;
	if (h->media->type == MEDIA_EV_PLAYED && !call->expecting)
		played(call);
	else if (h->media->type == MEDIA_EV_REFUSED)
		media_refused(call, h->media);
	else if (h->media->type == MEDIA_EV_FAILED)
		call_media_trouble(call, -EIO);
	else if (!call_expected(call, h->media))
		return;
	else if (call_remember_sdp(&call->sent[h->side], h->media->sdp) < 0)
		call_media_trouble(call, -ENOMEM);
	else if (h->side == MEDIA_B)
		dial(call, h->media->sdp);
	else
		answer_ourselves(call, h->media->sdp);
}

void call_b_answered(struct call *call, const struct leg_event *event)
{
	call_enter(call, CALL_ANSWERING);
	call_timer_stop(call, CALL_TIMER_RING);
	if (!call->delayed)
		(void)leg_ack(call->leg[MEDIA_B], NULL); /* what fails there ends that leg */
	early_push(call, event);
}

/* What the media room can say while B's SDP is on its way to A. */
static void media_of_response(struct call *call, const struct media_event *event)
{
	if (event->type == MEDIA_EV_FAILED) {
		log_notice("call", "call=%s media side=%c failed: %s", call->id,
			   event->side == MEDIA_A ? 'a' : 'b', event->reason);
		trouble(call, CAUSE_MEDIA_FAILED);
	} else if (event->type == MEDIA_EV_REFUSED) {
		call->expecting = false;
		call_timer_stop(call, CALL_TIMER_MEDIA);
		if (!early_media_refused(call))
			media_refused(call, event);
	} else if (!call_expected(call, event)) {
		return;
	} else if (event->side == MEDIA_A) {
		early_media_ready(call, event->sdp);
	} else { /* A has answered B's offer in its PRACK */
		if (call_remember_sdp(&call->sent[MEDIA_B], event->sdp) < 0)
			log_debug("call", "call=%s no memory for its last SDP", call->id);
		(void)leg_prack(call->leg[MEDIA_B], event->sdp); /* B is refused by its own timer */
		early_pump(call);
	}
}

/* An UPDATE on its way while B's INVITE is not over. True: that was it. */
static bool exchanged(struct call *call, const struct happening *h)
{
	if (!exchange_active(call))
		return false;
	if (h->what == HAPPENED_MEDIA && h->media->type == MEDIA_EV_REFUSED)
		exchange_give_up(call, h->media->status, NULL);
	else if (h->what == HAPPENED_MEDIA && call_expected(call, h->media))
		exchange_media(call, h->media);
	else if (h->what == HAPPENED_TIMER && h->timer != CALL_TIMER_RING)
		exchange_give_up(call, h->timer == CALL_TIMER_PEER ? 408 : 500, NULL);
	else if (h->what == HAPPENED_LEG && h->leg->type == LEG_EV_OFFER_ANSWERED)
		exchange_answered(call, h->side, h->leg);
	else
		return false;
	return true;
}

static void on_dialling(struct call *call, const struct happening *h)
{
	if (exchanged(call, h))
		return;
	if (h->what == HAPPENED_MEDIA) {
		media_of_response(call, h->media);
	} else if (h->what == HAPPENED_TIMER && h->timer == CALL_TIMER_RING) {
		call_step_failed(call, &(struct ending){ .cause = CAUSE_NO_ANSWER, .by = "us" });
	} else if (h->what == HAPPENED_TIMER) {
		trouble(call, CAUSE_MEDIA_FAILED);
	} else if (h->leg->type == LEG_EV_OFFER) {
		exchange_offer(call, h->side, h->leg);
	} else if (h->leg->type == LEG_EV_PRACKED) {
		early_pracked(call, h->leg->sdp);
	} else if (h->side == MEDIA_B && h->leg->type == LEG_EV_PROVISIONAL) {
		early_push(call, h->leg);
	} else if (h->side == MEDIA_B && h->leg->type == LEG_EV_ANSWERED) {
		call_b_answered(call, h->leg);
	} else if (h->side == MEDIA_B && h->leg->type == LEG_EV_ENDED) {
		b_failed(call, h->leg);
	}
}

void call_talk(struct call *call)
{
	call_timer_stop(call, CALL_TIMER_PEER);
	call_enter(call, CALL_TALKING);
	if (call->session)
		media_established(call->session);
	replace_join(call);
}

/* A has acknowledged our 2xx. */
static void talk(struct call *call)
{
	call_talk(call);
	if (!call->ahead)
		return;
	call->delayed = false; /* it has agreed, whoever made the offer */
	ahead_talk(call);
	if (call->said)
		played(call);
}

/* A's ACK for our 2xx; with a delayed offer it carries the answer. */
static void confirmed(struct call *call, const char *sdp)
{
	if (!call->delayed) {
		talk(call);
		return;
	}
	if (!sdp) {
		call_end(call, &(struct ending){ .cause = CAUSE_NOT_ACCEPTABLE, .by = "a" });
		return;
	}
	if (call->pass_through) {
		(void)leg_ack(call->leg[MEDIA_B], sdp); /* what fails there ends that leg */
		talk(call);
		return;
	}
	if (media_answer(call->session, MEDIA_A, sdp) < 0) {
		end_for(call, CAUSE_MEDIA_FAILED, "us");
		return;
	}
	call_timer_stop(call, CALL_TIMER_PEER);
	if (call->leg[MEDIA_B])
		call_expect(call, MEDIA_EV_ANSWER, MEDIA_B);
	else
		talk(call);
}

static void answering_media(struct call *call, const struct media_event *event)
{
	bool for_b = event->type == MEDIA_EV_ANSWER && event->side == MEDIA_B;

	if (event->type == MEDIA_EV_SILENT) {
		end_for(call, CAUSE_MEDIA_SILENT, "us");
	} else if (local_side_is_over(call, event)) {
		; /* and so is the call */
	} else if (!for_b) {
		media_of_response(call, event);
	} else if (call_expected(call, event)) {
		if (call_remember_sdp(&call->sent[MEDIA_B], event->sdp) < 0) {
			end_for(call, CAUSE_INTERNAL, "us");
			return;
		}
		(void)leg_ack(call->leg[MEDIA_B], event->sdp); /* what fails there ends that leg */
		talk(call);
	}
}

/* An answer that comes to nothing: its leg is gone, or the media room is silent. */
static bool b_fails(const struct happening *h)
{
	return h->what == HAPPENED_LEG ? h->side == MEDIA_B && h->leg->type == LEG_EV_ENDED
				       : h->what == HAPPENED_TIMER;
}

static void on_answering(struct call *call, const struct happening *h)
{
	if (exchanged(call, h))
		return;
	if (ring_is_open(call) && b_fails(h)) { /* A has not been answered yet */
		call_step_failed(call, &(struct ending){ .cause = CAUSE_UNAVAILABLE, .by = "b" });
	} else if (h->what == HAPPENED_MEDIA) {
		answering_media(call, h->media);
	} else if (h->what == HAPPENED_TIMER) {
		end_for(call, h->timer == CALL_TIMER_PEER ? CAUSE_DIALOG_LOST : CAUSE_MEDIA_FAILED,
			"us");
	} else if (h->leg->type == LEG_EV_ENDED) {
		leg_gone(call, h->side, h->leg);
	} else if (h->leg->type == LEG_EV_CONFIRMED && call->a_answered && !call->expecting) {
		confirmed(call, h->leg->sdp);
	} else if (h->leg->type == LEG_EV_OFFER) {
		exchange_refuse(call, h->side, 491,
				NULL); /* RFC 3261 14.2: the first is not over */
	}
}

static void talking_media(struct call *call, const struct media_event *event)
{
	if (event->type == MEDIA_EV_SILENT) {
		end_for(call, CAUSE_MEDIA_SILENT, "us");
	} else if (local_side_is_over(call, event)) {
		; /* and so is the call */
	} else if (event->type == MEDIA_EV_FAILED) {
		log_notice("call", "call=%s media side=%c failed: %s", call->id,
			   event->side == MEDIA_A ? 'a' : 'b', event->reason);
		end_for(call, CAUSE_MEDIA_FAILED, "us");
	} else if (event->type == MEDIA_EV_REFUSED) {
		exchange_give_up(call, event->status, NULL);
	} else if (call_expected(call, event)) {
		exchange_media(call, event);
	}
}

static void talking_leg(struct call *call, enum media_side side, const struct leg_event *event)
{
	if (event->type == LEG_EV_ENDED)
		leg_gone(call, side, event);
	else if (event->type == LEG_EV_OFFER)
		exchange_offer(call, side, event);
	else if (event->type == LEG_EV_OFFER_ANSWERED)
		exchange_answered(call, side, event);
	else if (event->type == LEG_EV_CONFIRMED)
		exchange_confirmed(call, side, event->sdp);
	else if (event->type == LEG_EV_INFO)
		inform(call, side, event);
	else if (event->type == LEG_EV_INFO_ANSWERED)
		inform_answered(call, side, event->status);
	else if (event->type == LEG_EV_REFER)
		transfer_asked(call, side, event);
}

static void on_talking(struct call *call, const struct happening *h)
{
	if (h->what == HAPPENED_MEDIA)
		talking_media(call, h->media);
	else if (h->what == HAPPENED_LEG)
		talking_leg(call, h->side, h->leg);
	else if (h->timer == CALL_TIMER_RING) /* A hears nothing of what is said ahead */
		played(call);
	else /* the other side or the media room is silent; the call itself goes on */
		exchange_give_up(call, h->timer == CALL_TIMER_PEER ? 408 : 500, NULL);
}

/* What means the same in every state. */
static bool happened_anywhere(struct call *call, const struct happening *h)
{
	if (h->what == HAPPENED_LEG && h->side == MEDIA_A && h->leg->type == LEG_EV_ENDED) {
		leg_gone(call, MEDIA_A, h->leg);
		return true;
	}
	if (h->what == HAPPENED_TIMER && h->timer == CALL_TIMER_LIFE) {
		end_for(call, CAUSE_TIME_LIMIT, "us");
		return true;
	}
	if (h->what == HAPPENED_ADVICE ||
	    (h->what == HAPPENED_TIMER && h->timer == CALL_TIMER_ASK)) {
		question_handle(call, h);
		return true;
	}
	if (h->what == HAPPENED_MEDIA && h->media->type == MEDIA_EV_FLOWING) {
		log_debug("call", "call=%s media side=%c flows", call->id,
			  h->side == MEDIA_A ? 'a' : 'b');
		call->flowing[h->side] = true;
		return true;
	}
	if (h->what == HAPPENED_MEDIA && h->media->type == MEDIA_EV_DIGIT) {
		inform_of_digit(call, h->side, h->media->digit, h->media->digit_ms);
		return true;
	}
	return false;
}

void call_leave(struct call *call)
{
	assert(call->depth > 0);
	if (--call->depth == 0 && call->state == CALL_ENDED)
		call_free(call);
}

/* The call may be gone when this returns. */
void call_handle(struct call *call, const struct happening *h)
{
	call->depth++;
	if (call->state != CALL_ENDED && h->taker) {
		replace_said(call, h->leg);
	} else if (call->state != CALL_ENDED && h->branch) {
		ring_handle(call, h);
	} else if (call->state != CALL_ENDED && !transfer_handle(call, h) &&
		   !happened_anywhere(call, h) && !ahead_handle(call, h)) {
		switch (call->state) { /* no default: a new state must be placed here */
		case CALL_INCOMING:
			on_incoming(call, h);
			break;
		case CALL_RINGING:
			ring_handle(call, h);
			break;
		case CALL_DIALLING:
			on_dialling(call, h);
			break;
		case CALL_ANSWERING:
			on_answering(call, h);
			break;
		case CALL_TALKING:
			on_talking(call, h);
			break;
		case CALL_ENDED:
			break; /* late news is normal here */
		}
	}
	call_leave(call);
}

void call_begin(struct call *call)
{
	call->depth++;
	call->delayed = !leg_info(call->leg[MEDIA_A])->sdp;
	call_timer_begin(call, CALL_TIMER_LIFE, (mono_ms)call->room->limits.duration_s * 1000);
	run_step(call);
	call_leave(call);
}

void call_finish(struct call *call, const struct ending *ending)
{
	call->depth++;
	call_end(call, ending);
	call_leave(call);
}

void call_on_leg(struct leg *leg, const struct leg_event *event, void *arg)
{
	struct call *call = arg;
	struct happening h = { .what = HAPPENED_LEG, .leg = event };

	h.branch = ring_find(call, leg, NULL);
	h.transfer = transfer_owns(call, leg, NULL);
	h.taker = leg == call->taker;
	h.side = leg == call->leg[MEDIA_A] ? MEDIA_A : MEDIA_B;
	record_heard(call, leg);
	call_handle(call, &h);
}

static void note_media(const struct call *call, const struct media_event *event)
{
	static const char *const names[MEDIA_EV_COUNT] = {
		[MEDIA_EV_REFUSED] = "refused", [MEDIA_EV_FLOWING] = "flows",
		[MEDIA_EV_FAILED] = "failed",   [MEDIA_EV_SILENT] = "silent",
		[MEDIA_EV_PLAYED] = "played",   [MEDIA_EV_RECORDED] = "recorded"
	};

	if (names[event->type])
		sip_trace_note(call->room->trace, call->id, "media %s side=%s%s%s",
			       names[event->type], event->side == MEDIA_A ? "A" : "B",
			       event->reason ? ": " : "", event->reason ? event->reason : "");
}

void call_on_media(struct media_session *session, const struct media_event *event, void *arg)
{
	note_media(arg, event);
	call_handle(arg, &(struct happening){ .what = HAPPENED_MEDIA,
					      .side = event->side,
					      .media = event,
					      .branch = ring_find(arg, NULL, session),
					      .transfer = transfer_owns(arg, NULL, session) });
}

void call_on_timer(struct timer *timer, void *arg)
{
	struct call *call = arg;
	struct happening h = { .what = HAPPENED_TIMER };

	h.timer = (enum call_timer)(timer - call->timer);
	log_notice("call", "call=%s timer=%s ran out state=%s", call->id, timers[h.timer].name,
		   call_state_name(call->state));
	call_handle(call, &h);
}
