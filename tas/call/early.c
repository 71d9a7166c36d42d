/* SPDX-License-Identifier: Apache-2.0 */
/* early.c - B's responses on their way to A, never one past another.
 *
 * A 183 with SDP waits for the media room while a 180 without could go at
 * once; so all of them queue, and the head alone decides when the next goes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "tas/call/call_state.h"

/* A peer that sends 18x faster than media answers loses the surplus. */
#define EARLY_MAX 16

static void early_free(struct early *item)
{
	if (!item)
		return;
	free(item->reason);
	free(item->sdp);
	sip_headers_done(&item->headers);
	free(item);
}

static void drop_head(struct call *call)
{
	struct early *head = call->early;

	call->early = head->next;
	if (!call->early)
		call->early_end = &call->early;
	call->early_count--;
	early_free(head);
}

void early_clear(struct call *call)
{
	while (call->early)
		drop_head(call);
}

/* Leg 3 answers as the core meant it; a trunk's answer tells what its step says. */
int early_copy_headers(const struct call *call, struct sip_headers *to,
		       const struct sip_headers *from)
{
	static const char *const told[] = { "Reason", "Warning" };

	const struct call_step *step = call_current_step(call);

	if (step->to_core)
		return sip_headers_copy_transparent(to, from);
	if (step->tell_headers)
		return sip_headers_copy_allowed(to, from, step->tell_headers, step->tell_count);
	return sip_headers_copy_allowed(to, from, told, ARRAY_SIZE(told));
}

static struct early *early_new(const struct call *call, const struct leg_event *event)
{
	struct early *item = calloc(1, sizeof(*item));

	if (!item)
		return NULL;
	item->status = event->status;
	item->reliable = event->reliable;
	item->reason = strdup(event->reason);
	item->sdp = str_dup_or_null(event->sdp);
	if (!item->reason || (event->sdp && !item->sdp) ||
	    early_copy_headers(call, &item->headers, event->headers) < 0) {
		early_free(item);
		return NULL;
	}
	return item;
}

void early_push(struct call *call, const struct leg_event *event)
{
	struct early *item;

	if (event->status < 200 && call->early_count >= EARLY_MAX)
		return;
	item = early_new(call, event);
	if (!item) {
		if (event->status >= 200)
			call_end(call, &(struct ending){ .cause = CAUSE_INTERNAL, .by = "us" });
		return; /* an 18x less is no harm */
	}
	*call->early_end = item;
	call->early_end = &item->next;
	call->early_count++;
	early_pump(call);
}

/* What A is told reliably is its answer, for good. While other steps may follow,
 * whose SDP is another, A gets the SDP of this one only as a preview. */
static bool may_commit(const struct call *call)
{
	return call->step + 1 == call->plan->step_count;
}

static enum leg_100rel rel100_of_a(const struct call *call)
{
	return leg_info(call->leg[MEDIA_A])->rel100;
}

/* As reliably as B has sent it; a trunk's SDP always, since only a reliable
 * answer lets A change the session before the 2xx (RFC 3311 section 5.1). */
static void provisional(struct call *call, const char *sdp)
{
	const struct early *head = call->early;
	bool commit = may_commit(call);
	bool reliably = commit && (head->reliable || (sdp && !call_current_step(call)->to_core));

	if (!commit && rel100_of_a(call) == LEG_100REL_REQUIRED)
		sdp = NULL;
	/* A lost 18x leaves the call alive. */
	(void)(reliably ? leg_provisional_reliably : leg_provisional)(
		call->leg[MEDIA_A], head->status, head->reason, sdp, &head->headers);
}

/* Sends the head to A with this SDP. */
static void relay(struct call *call, const char *sdp)
{
	struct early *head = call->early;

	if (head->status >= 200) {
		call_answer_a(call, sdp, &head->headers);
	} else if (call->ahead) {
		ahead_hear_ringing(call);
	} else {
		if (head->status >= 180 && !call->ringing_ms)
			call->ringing_ms = clock_now();
		if (call->pdd_ms < 0)
			call->pdd_ms = clock_now() - call->started_ms;
		provisional(call, sdp);
	}
	if (call->state != CALL_ENDED)
		drop_head(call);
}

/* Gives the head's SDP to the media room. True: its text comes later. */
static bool ask_media(struct call *call, int *ret_err)
{
	struct early *head = call->early;

	call_tell_near(call, call->session, MEDIA_B, call->leg[MEDIA_B]);
	if (call->delayed) { /* B's SDP is the offer: RFC 3261 section 13.2.1 */
		*ret_err = media_offer(call->session, MEDIA_B, head->sdp);
		if (!*ret_err)
			call_expect(call, MEDIA_EV_OFFER, MEDIA_A);
	} else {
		*ret_err = media_answer(call->session, MEDIA_B, head->sdp);
		if (!*ret_err)
			*ret_err = call_remember_sdp(&call->answer_b, head->sdp);
		if (!*ret_err) {
			call->b_spoke = true;
			call_expect(call, MEDIA_EV_ANSWER, MEDIA_A);
		}
	}
	return *ret_err == 0;
}

/* A 2xx whose SDP cannot be carried ends the step; an 18x goes on without. */
static void without_media(struct call *call, int err)
{
	if (call->early->status < 200) {
		relay(call, NULL);
		return;
	}
	call_media_trouble(call, err);
}

/* A reliable 18x may carry the offer that A did not make; A has to answer in its
 * PRACK (RFC 3262 section 5). */
static bool offers_in_18x(const struct call *call)
{
	return call->early->reliable && !call->pracking && may_commit(call) &&
	       rel100_of_a(call) != LEG_100REL_NONE;
}

/* SDP as it is; but B, whose answer came reliably, leaves it out of its 2xx,
 * where an A that got it otherwise needs it. */
static void relay_passed_through(struct call *call)
{
	struct early *head = call->early;
	const char *sdp = head->sdp;

	if (sdp && head->reliable && !call->delayed && call_remember_sdp(&call->answer_b, sdp) < 0)
		log_debug("call", "call=%s no memory for its answer", call->id);
	if (!sdp && head->status >= 200)
		sdp = call->answer_b;
	call->pracking = call->pracking || (sdp && call->delayed && offers_in_18x(call));
	relay(call, sdp);
}

void early_pump(struct call *call)
{
	while (call->state != CALL_ENDED && call->early && !call->expecting &&
	       !exchange_active(call)) {
		struct early *head = call->early;
		bool final = head->status >= 200;
		bool again = call->answer_b && call->sent[MEDIA_A] &&
			     (!head->sdp || strcmp(call->answer_b, head->sdp) == 0);
		int err;

		if (call->pass_through)
			relay_passed_through(call);
		else if (again && (head->sdp || final)) /* RFC 6337 2.2: 2xx repeats the 18x */
			relay(call, call->sent[MEDIA_A]);
		else if (!head->sdp && final && !call->pracked)
			call_media_trouble(call, -EPROTO);
		else if (!head->sdp || (call->delayed && !final && !offers_in_18x(call)))
			relay(call, NULL);
		else if (ask_media(call, &err))
			return;
		else
			without_media(call, err);
	}
}

void early_media_ready(struct call *call, const char *sdp)
{
	if (!call->early)
		return;
	if (call_remember_sdp(&call->sent[MEDIA_A], sdp) < 0) {
		without_media(call, -ENOMEM);
		return;
	}
	call->pracking = call->delayed && call->early->status < 200;
	relay(call, call->sent[MEDIA_A]);
	early_pump(call);
}

bool early_media_refused(struct call *call)
{
	if (!call->early || call->early->status >= 200)
		return false;
	free(call->answer_b); /* the same text again is asked again */
	call->answer_b = NULL;
	relay(call, NULL);
	early_pump(call);
	return true;
}

void early_pracked(struct call *call, const char *sdp)
{
	int err;

	if (!call->pracking)
		return;
	call->pracking = false;
	call->delayed = false;
	call->pracked = true;
	if (call->pass_through) {
		(void)leg_prack(call->leg[MEDIA_B], sdp); /* what fails there ends that leg */
		return;
	}
	err = sdp ? media_answer(call->session, MEDIA_A, sdp) : -EPROTO;
	if (err)
		call_media_trouble(call, err);
	else
		call_expect(call, MEDIA_EV_ANSWER, MEDIA_B);
}
