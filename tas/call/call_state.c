/* SPDX-License-Identifier: Apache-2.0 */
/* call_state.c - the life of one call: one function per state, and the only
 * place that changes the state. The diagram stands above enum call_state. */
#include "tas/call/call_state.h"

#include <assert.h>
#include <errno.h>
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

void call_tell_near(const struct call *call, struct media_session *session, enum media_side side,
		    const struct leg *leg)
{
	const char *source = leg ? leg_info(leg)->source : NULL;

	if (source && *source && session && media_near(session, side, source) < 0)
		log_debug("call", "call=%s no memory for where its media may come from", call->id);
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

void call_drop_session(struct call *call)
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
	notes_end(call);
	record_end(call, ending); /* reads legs and session */
	message_tell(call);
	call_b_leaves(call);
	transfer_abandon(call);
	replace_drop(call, 480);
	farewell_say(call, ending);
	call_drop_session(call);
	ring_destroy(call);
}

void call_end_for(struct call *call, enum cause cause, const char *by)
{
	call_end(call, &(struct ending){ .cause = cause, .by = by });
}

/* ---- what can happen, state by state ---- */

void call_answer_a(struct call *call, const char *sdp, const struct sip_headers *headers)
{
	if (call->ahead) {
		ahead_join(call);
		return;
	}
	if (leg_answer(call->leg[MEDIA_A], sdp, headers) < 0) {
		call_end_for(call, CAUSE_INTERNAL, "us");
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
		call_reject(call);
	} else if (call_says_ahead(step)) {
		exchange_give_up(call, 491, NULL);
		call_enter(call, CALL_INCOMING);
		call_go_on(call);
	} else {
		call_end_for(call, CAUSE_NORMAL, "us");
	}
}

/* What the local side has to tell, once the call is answered. */
static bool local_side_is_over(struct call *call, const struct media_event *event)
{
	if (event->type == MEDIA_EV_PLAYED)
		played(call);
	else if (event->type == MEDIA_EV_RECORDED)
		call_end_for(call, strcmp(event->reason, "disk") ? CAUSE_NORMAL : CAUSE_INTERNAL,
			     "us");
	else
		return false;
	return true;
}

static void media_refused(struct call *call, const struct media_event *event)
{
	call->expecting = false;
	call_timer_stop(call, CALL_TIMER_MEDIA);
	if (event->status >= 500 || call->ahead || call_says_ahead(call_current_step(call)) ||
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
		call_dial(call, h->media->sdp);
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
		call_trouble(call, CAUSE_MEDIA_FAILED);
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
		call_trouble(call, CAUSE_MEDIA_FAILED);
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

/* What only the beginning of a call needs is let go: it may last for hours. */
static void settle(struct call *call)
{
	for (size_t i = 0; i < ARRAY_SIZE(call->leg); i++)
		if (call->leg[i])
			leg_settle(call->leg[i]);
	plan_settle(call->plan);
	free(call->answer_b);
	call->answer_b = NULL;
}

void call_talk(struct call *call)
{
	call_timer_stop(call, CALL_TIMER_PEER);
	call_enter(call, CALL_TALKING);
	if (!call->ahead)
		settle(call);
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
		call_end_for(call, CAUSE_MEDIA_FAILED, "us");
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
		call_end_for(call, CAUSE_MEDIA_SILENT, "us");
	} else if (local_side_is_over(call, event)) {
		; /* and so is the call */
	} else if (!for_b) {
		media_of_response(call, event);
	} else if (call_expected(call, event)) {
		if (call_remember_sdp(&call->sent[MEDIA_B], event->sdp) < 0) {
			call_end_for(call, CAUSE_INTERNAL, "us");
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
		call_end_for(call,
			     h->timer == CALL_TIMER_PEER ? CAUSE_DIALOG_LOST : CAUSE_MEDIA_FAILED,
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
		call_end_for(call, CAUSE_MEDIA_SILENT, "us");
	} else if (local_side_is_over(call, event)) {
		; /* and so is the call */
	} else if (event->type == MEDIA_EV_FAILED) {
		log_notice("call", "call=%s media side=%c failed: %s", call->id,
			   event->side == MEDIA_A ? 'a' : 'b', event->reason);
		call_end_for(call, CAUSE_MEDIA_FAILED, "us");
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
		call_end_for(call, CAUSE_TIME_LIMIT, "us");
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
	call_run_step(call);
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

void call_on_media(struct media_session *session, const struct media_event *event, void *arg)
{
	notes_media(arg, event);
	if (event->type == MEDIA_EV_STEP)
		return; /* for the trace only */
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
