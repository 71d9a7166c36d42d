/* SPDX-License-Identifier: Apache-2.0 */
/* ahead.c - A is answered, and hears something of ours, before whom it is to talk to
 * has been found.
 *
 * The session A was answered by stays for good: each B is turned into it (media_turn()),
 * in the codecs that A was told, so that A needs no re-INVITE. Responses of B are for
 * nobody's dialog: A hears a ring-back tone, or B's early media. What A asks for
 * meanwhile (a hold, a transfer) is 491, until there is somebody to agree with.
 *
 *   INCOMING -- 200 --> ANSWERING -- ACK --> TALKING (to us) -- it is said --> INCOMING
 *       --> DIALLING -- B's 2xx --> ANSWERING --> TALKING
 *
 * Threads: the SIP thread.
 */
#include "tas/call/call_state.h"

/* As for early media: beyond its length it may take as long as ICE and DTLS do. */
#define GRACE_MS (10 * 1000)
/* Of several that would ring together. */
#define TURN_MS (30 * 1000)

void ahead_begin(struct call *call)
{
	call->ahead = call->was_ahead = true;
	record_answered(call);
}

/* One who hears nothing is not kept for ever. */
static void say(struct call *call)
{
	const struct media_local *local = &call_current_step(call)->local;
	mono_ms ms = (mono_ms)media_sound_ms(local->sound) * local->repeat;

	call_timer_begin(call, CALL_TIMER_RING, ms + GRACE_MS);
}

void ahead_talk(struct call *call)
{
	if (!call->said)
		say(call);
}

static void connected(struct call *call)
{
	call->ahead = false;
	call->connected_ms = clock_now();
	verdict_look_anew(call);
	record_answered(call); /* more is known of it */
}

void ahead_speak(struct call *call)
{
	const struct call_step *step = call_current_step(call);

	call->said = false;
	if (step->kind == CALL_STEP_REJECT || step->early || step->goes_on)
		say(call);
	else
		connected(call);
	call_talk(call);
}

void ahead_join(struct call *call)
{
	connected(call);
	waiting_over(call, call->session, MEDIA_A);
	waiting_moved(call, MEDIA_B, call_current_step(call)->hold_music);
	call_timer_stop(call, CALL_TIMER_RING);
	call_talk(call);
}

void ahead_hear_ringing(struct call *call)
{
	if (call->early->status >= 180)
		waiting_for_target(call, call->session, MEDIA_A, NULL);
}

bool ahead_alone(const struct call *call)
{
	return call->ahead && call->session_kind_b != MEDIA_LEG_LOCAL;
}

static bool asked_too_soon(struct call *call, const struct leg_event *event)
{
	struct leg *a = call->leg[MEDIA_A];

	if (event->type == LEG_EV_OFFER)
		exchange_refuse(call, MEDIA_A, 491, NULL);
	else if (event->type == LEG_EV_REFER)
		(void)leg_refer_answer(a, 491); /* a lost one is asked for again */
	else if (event->type == LEG_EV_INFO)
		(void)leg_inform_answer(a, 200); /* digits that nobody waits for */
	else
		return false;
	return true;
}

bool ahead_handle(struct call *call, const struct happening *h)
{
	if (!call->ahead || call->state == CALL_TALKING || h->side != MEDIA_A)
		return false;
	if (h->what == HAPPENED_LEG)
		return asked_too_soon(call, h->leg);
	if (h->what != HAPPENED_MEDIA)
		return false;
	if (h->media->type == MEDIA_EV_FAILED)
		call_end(call, &(struct ending){ .cause = CAUSE_MEDIA_FAILED, .by = "us" });
	else if (h->media->type == MEDIA_EV_SILENT)
		call_end(call, &(struct ending){ .cause = CAUSE_MEDIA_SILENT, .by = "us" });
	else
		return false;
	return true;
}

int ahead_take_turns(struct call *call)
{
	return plan_unfold(call->plan, call->step, TURN_MS);
}
