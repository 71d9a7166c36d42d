/* SPDX-License-Identifier: Apache-2.0 */
/* branch.c - a RING step: several targets, of which one gets the call.
 *
 * Each target is a branch with a leg and a media session of its own, so kinds may
 * be mixed. The first branch that answers hands both to the call; once its answer
 * has reached A the others are let go, with a reason that keeps them off the lists
 * of missed calls. Should media refuse that answer, they still ring. While
 * more than one may still win, A hears one 180 without SDP and nothing else: two
 * answers in one dialog would contradict each other, and the early media of a
 * branch that loses is worth nothing to A, whose phone makes its own ringback
 * (RFC 3960 section 3.2). When one is left and has been heard, the call goes on as
 * if it had been the only one, early media included.
 *
 *   WAITING -- its turn or its time --> PREPARING -- offer made --> RINGING
 *      |                                   |                          |
 *      +-----------------------------------+--> OVER <----------------+
 *
 * Threads: the SIP thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tas/call/best.h"
#include "tas/call/call_state.h"

/* RFC 3261 13.3.1.1: a 180 is repeated every minute, or proxies give up. */
#define AGAIN_MS (60 * 1000)

/* As CALL_TIMER_MEDIA. */
#define MEDIA_MS (5 * 1000)

enum branch_state { BRANCH_WAITING, BRANCH_PREPARING, BRANCH_RINGING, BRANCH_OVER };

struct branch {
	struct call *call;
	enum branch_state state;
	const struct call_step *step, *end; /* being tried; after the last that stands in */
	struct leg *leg;
	struct media_session *session; /* NULL: passed through, or not yet */
	char *offer;                   /* the session's for the target; NULL: not yet, or none */
	unsigned address;              /* of ours, that is in it: media_engine_address() */
	enum call_bypass bypass;       /* why it is passed through */
	bool heard;                    /* an 18x came: nobody stands in any more */
	int early_status;              /* of the last 18x with SDP, while A may not have it */
	char *early_sdp;
	struct timer timer; /* until it begins, until media is ready, until it has rung enough */
	struct call_try *try;
};

struct ring {
	struct best best;
	bool told;               /* A has its 180 */
	struct timer again;      /* and gets another one */
	bool refused_for_all;    /* 6xx */
	struct call_try *winner; /* who has the call, for the time being */
	mono_ms due_ms;          /* they have rung long enough */
	size_t count;
	struct branch branches[];
};

/* ---- what becomes of failures ---- */

struct ending ring_best(struct call *call)
{
	const struct best *best = &call->ring->best;

	call->target = best->step; /* its headers cross as its kind says */
	return best->ending;
}

void ring_note(struct call *call, const struct ending *ending)
{
	record_try_over(call->ring->winner, cause_name(ending->cause), ending->status);
	best_note(&call->ring->best, call_current_step(call), ending);
}

/* ---- one branch ---- */

static void branch_done(struct branch *branch)
{
	timer_cancel(&branch->timer);
	branch->session = media_session_destroy(branch->session);
	free(branch->offer);
	free(branch->early_sdp);
	branch->offer = branch->early_sdp = NULL;
	branch->state = BRANCH_OVER;
}

static void branch_hang_up(struct branch *branch, const char *reason)
{
	if (branch->leg)
		call_tell_target(branch->call, branch->step, CALL_TARGET_FREE);
	branch->leg = leg_release(branch->leg, &(struct leg_farewell){ .reason = reason });
}

static void branch_release(struct branch *branch, const char *reason)
{
	branch_hang_up(branch, reason);
	branch_done(branch);
}

static void branch_failed(struct branch *branch, const struct ending *ending)
{
	struct ring *ring = branch->call->ring;
	char reason[128];

	log_info("call", "call=%s target=\"%s\" failed cause=%s", branch->call->id,
		 branch->step->label, cause_name(ending->cause));
	record_try_over(branch->try, cause_name(ending->cause), ending->status);
	best_note(&ring->best, branch->step, ending);
	ring->refused_for_all = ring->refused_for_all || ending->status >= 600;
	cause_to_reason(ending->cause, reason, sizeof(reason));
	branch_release(branch, reason);
}

static void branch_trouble(struct branch *branch, enum cause cause)
{
	branch_failed(branch, &(struct ending){ .cause = cause, .by = "us", .trouble = true });
}

static void branch_begin(struct branch *branch);

/* The next gateway stands in for a dead one that had not been heard. */
static bool stand_in(struct branch *branch, const struct ending *ending)
{
	if (!ending->failover || branch->heard || branch->step + 1 == branch->end)
		return false;
	record_try_over(branch->try, cause_name(ending->cause), ending->status);
	branch_hang_up(branch, NULL);
	branch->step++;
	branch_begin(branch);
	return true;
}

/* To who stands in, if there is anybody. */
static void branch_fail_over(struct branch *branch, const struct ending *ending)
{
	if (!stand_in(branch, ending))
		branch_failed(branch, ending);
}

static void branch_timer(struct branch *branch, mono_ms ms)
{
	timer_start(branch->call->room->wheel, &branch->timer, clock_now() + ms);
}

static void branch_dial(struct branch *branch, const char *sdp)
{
	int err;

	timer_cancel(&branch->timer);
	err = call_invite(branch->call, branch->step, sdp, &branch->leg);
	if (err) {
		branch_fail_over(branch, &(struct ending){ .cause = call_invite_cause(err),
							   .by = "us",
							   .trouble = true,
							   .failover = true });
		return;
	}
	branch->state = BRANCH_RINGING;
	if (branch->step->ring_ms)
		branch_timer(branch, branch->step->ring_ms);
}

static void branch_dial_passed_through(struct branch *branch, enum call_bypass bypass)
{
	branch->bypass = bypass;
	branch->session = media_session_destroy(branch->session);
	branch_dial(branch, leg_info(branch->call->leg[MEDIA_A])->sdp);
}

/* Other branches have sessions of their own: only this one suffers. */
static void branch_media_trouble(struct branch *branch, int err)
{
	if (branch->step->to_core) {
		log_notice("call", "call=%s target=\"%s\" no media session (%s): goes on without",
			   branch->call->id, branch->step->label, strerror(-err));
		branch_dial_passed_through(branch, CALL_BYPASS_NO_MEDIA);
		return;
	}
	branch_trouble(branch, err == -ENOSPC ? CAUSE_OVERLOAD : CAUSE_MEDIA_FAILED);
}

static void branch_prepare(struct branch *branch)
{
	struct call *call = branch->call;
	const char *offer = leg_info(call->leg[MEDIA_A])->sdp;
	int err = call_open_session(call, branch->step, branch->step->media, &branch->step->local,
				    &branch->session);

	branch->address = media_engine_address(call->room->media, &branch->step->codecs);
	if (!err && !offer) {
		branch_dial(branch, NULL);
		return;
	}
	if (!err)
		err = media_offer(branch->session, MEDIA_A, offer);
	if (err) {
		branch_media_trouble(branch, err);
		return;
	}
	branch->state = BRANCH_PREPARING;
	branch_timer(branch, MEDIA_MS);
}

/* Who stands in may be reached from another address of ours than the offer has. */
static void drop_offer_elsewhere(struct branch *branch)
{
	const struct media_engine *media = branch->call->room->media;

	if (!branch->session ||
	    branch->address == media_engine_address(media, &branch->step->codecs))
		return;
	branch->session = media_session_destroy(branch->session);
	free(branch->offer);
	branch->offer = NULL;
}

static void branch_begin(struct branch *branch)
{
	timer_cancel(&branch->timer);
	drop_offer_elsewhere(branch);
	branch->try = record_try(branch->call, branch->step->label);
	if (branch->step->bypass)
		branch_dial_passed_through(branch, branch->step->bypass);
	else if (branch->session) /* one stands in, with the offer nobody answered */
		branch_dial(branch, branch->offer);
	else
		branch_prepare(branch);
}

/* ---- the group ---- */

/* How many may still win; ret_one is one of them. */
static size_t count_open(struct ring *ring, struct branch **ret_one)
{
	size_t count = 0;

	for (size_t i = 0; i < ring->count; i++) {
		if (ring->branches[i].state == BRANCH_OVER)
			continue;
		*ret_one = &ring->branches[i];
		count++;
	}
	return count;
}

/* Whose turn it is when nobody rings: the one that would begin first. NULL:
 * somebody rings, or nobody is left. */
static struct branch *find_next(struct ring *ring)
{
	struct branch *next = NULL;

	for (size_t i = 0; i < ring->count; i++) {
		struct branch *branch = &ring->branches[i];

		if (branch->state == BRANCH_PREPARING || branch->state == BRANCH_RINGING)
			return NULL;
		if (branch->state == BRANCH_WAITING &&
		    (!next || branch->step->after_ms < next->step->after_ms))
			next = branch;
	}
	return next;
}

void ring_release(struct call *call, const char *reason)
{
	for (size_t i = 0; call->ring && i < call->ring->count; i++)
		branch_release(&call->ring->branches[i], reason);
}

void ring_destroy(struct call *call)
{
	struct ring *ring = call->ring;

	if (!ring)
		return;
	timer_cancel(&ring->again);
	for (size_t i = 0; i < ring->count; i++)
		branch_done(&ring->branches[i]);
	best_done(&ring->best);
	free(ring);
	call->ring = NULL;
}

/* The branch's leg and session become the call's. */
static void adopt(struct branch *branch)
{
	struct call *call = branch->call;

	call->target = call->step_b = branch->step;
	call->peer[MEDIA_B] = branch->step->peer;
	call->leg[MEDIA_B] = branch->leg;
	call->session = branch->session;
	call->session_kind_b = branch->step->media;
	call->pass_through = !branch->session;
	call->anchored = branch->session;
	record_bypass(call, branch->session ? CALL_BYPASS_NOT : branch->bypass);
	call->sent[MEDIA_B] = branch->offer;
	call->ring->winner = branch->try;
	record_leg_b(call, branch->leg);
	branch->leg = NULL;
	branch->session = NULL;
	branch->offer = NULL;
	branch->state = BRANCH_OVER;
}

bool ring_is_open(const struct call *call)
{
	struct branch *one;

	return call->ring && count_open(call->ring, &one) > 0;
}

void ring_answered(struct call *call)
{
	if (!call->ring)
		return;
	record_try_over(call->ring->winner, "answered", 200);
	ring_picked_up(call);
}

void ring_picked_up(struct call *call)
{
	if (!call->ring)
		return;
	record_tries_over(call, "elsewhere");
	ring_release(call, CALL_ELSEWHERE);
	ring_destroy(call);
}

/* The only one left is the call's B from here on; what is to be told of it. */
static void go_on_with(struct branch *branch, const struct leg_event *event)
{
	struct call *call = branch->call;
	mono_ms due = branch->timer.due_ms;

	adopt(branch);
	timer_cancel(&call->ring->again);
	call_enter(call, CALL_DIALLING);
	if (timer_active(&branch->timer) && due < call->timer[CALL_TIMER_RING].due_ms)
		timer_start(call->room->wheel, &call->timer[CALL_TIMER_RING], due);
	timer_cancel(&branch->timer);
	if (event)
		early_push(call, event);
}

/* The others have failed after it was heard: A gets the early media it missed. */
static void go_on_late(struct branch *branch)
{
	static const struct sip_headers none;
	struct leg_event missed = { .type = LEG_EV_PROVISIONAL,
				    .status = branch->early_status,
				    .reason = "Session Progress",
				    .sdp = branch->early_sdp,
				    .headers = &none };

	go_on_with(branch, missed.sdp ? &missed : NULL);
}

static void finish(struct call *call)
{
	struct ending ending = ring_best(call);
	char reason[128];

	cause_to_reason(ending.cause, reason, sizeof(reason));
	ring_release(call, reason);
	record_tries_over(call, "elsewhere");
	call_step_over(call, &ending);
}

/* What follows once a branch is over, unless one has the call. The ring may be
 * gone when this returns. */
static void proceed(struct call *call)
{
	struct ring *ring = call->ring;
	struct branch *branch = NULL;
	size_t open;

	if (call->state != CALL_RINGING)
		return;
	while (!ring->refused_for_all && (branch = find_next(ring)))
		branch_begin(branch);
	open = count_open(ring, &branch);
	if (open == 0 || ring->refused_for_all)
		finish(call);
	else if (open == 1 && branch->heard)
		go_on_late(branch);
}

void ring_go_on(struct call *call)
{
	struct ring *ring = call->ring;

	call->target = NULL;
	call->pass_through = false;
	call_enter(call, CALL_RINGING);
	timer_start(call->room->wheel, &call->timer[CALL_TIMER_RING], ring->due_ms);
	if (ring->told)
		timer_start(call->room->wheel, &ring->again, clock_now() + AGAIN_MS);
	proceed(call);
}

/* ---- what can happen ---- */

static void say_ringing(struct call *call)
{
	static const struct sip_headers none;

	early_push(call, &(struct leg_event){ .type = LEG_EV_PROVISIONAL,
					      .status = 180,
					      .reason = "Ringing",
					      .headers = &none });
	timer_start(call->room->wheel, &call->ring->again, clock_now() + AGAIN_MS);
}

static void on_again(struct timer *timer, void *arg)
{
	(void)timer;
	say_ringing(arg);
}

/* 183 without the SDP says no more than 180, and makes no phone ring back. */
static void tell_ringing(struct call *call)
{
	if (call->ring->told)
		return;
	call->ring->told = true;
	say_ringing(call);
}

static void heard(struct branch *branch, const struct leg_event *event)
{
	struct call *call = branch->call;
	struct branch *open;

	if (event->status < 180)
		return;
	branch->heard = true;
	if (call->state == CALL_RINGING && count_open(call->ring, &open) == 1) {
		go_on_with(branch, event);
		return;
	}
	if (event->sdp && call_remember_sdp(&branch->early_sdp, event->sdp) == 0)
		branch->early_status = event->status;
	if (call->state == CALL_RINGING && (event->status == 180 || event->status == 183))
		tell_ringing(call);
}

/* A second answer comes while the first is on its way to A: too late, as if A
 * had it already. */
static void answered(struct branch *branch, const struct leg_event *event)
{
	struct call *call = branch->call;

	if (call->state != CALL_RINGING) {
		record_try_over(branch->try, "elsewhere", event->status);
		branch_release(branch, CALL_ELSEWHERE);
		return;
	}
	timer_cancel(&call->ring->again);
	timer_cancel(&branch->timer);
	adopt(branch);
	call_b_answered(call, event);
}

static void on_leg(struct branch *branch, const struct leg_event *event)
{
	struct call *call = branch->call;
	struct ending ending;

	if (event->type == LEG_EV_PROVISIONAL) {
		heard(branch, event);
	} else if (event->type == LEG_EV_ANSWERED) {
		answered(branch, event);
	} else if (event->type == LEG_EV_ENDED) {
		ending = call_judge(call, branch->step, event);
		branch_fail_over(branch, &ending);
		proceed(call);
	}
}

static void on_offer_made(struct branch *branch, const struct media_event *event)
{
	if (event->type == MEDIA_EV_FAILED ||
	    (event->type == MEDIA_EV_REFUSED && event->status >= 500))
		branch_media_trouble(branch, -EIO);
	else if (event->type == MEDIA_EV_REFUSED)
		branch_failed(branch, &(struct ending){ .cause = CAUSE_NOT_ACCEPTABLE,
							.by = "us",
							.status = event->status,
							.warning = event->reason });
	else if (event->type != MEDIA_EV_OFFER || event->side != MEDIA_B)
		return;
	else if (call_remember_sdp(&branch->offer, event->sdp) < 0)
		branch_media_trouble(branch, -ENOMEM);
	else
		branch_dial(branch, branch->offer);
}

static void on_media(struct branch *branch, const struct media_event *event)
{
	struct call *call = branch->call;

	if (branch->state == BRANCH_PREPARING)
		on_offer_made(branch, event);
	else if (event->type == MEDIA_EV_FAILED)
		branch_trouble(branch, CAUSE_MEDIA_FAILED);
	proceed(call);
}

static void on_timer(struct branch *branch)
{
	struct call *call = branch->call;

	if (branch->state == BRANCH_WAITING)
		branch_begin(branch);
	else if (branch->state == BRANCH_PREPARING)
		branch_media_trouble(branch, -ETIMEDOUT);
	else
		branch_failed(branch, &(struct ending){ .cause = CAUSE_NO_ANSWER, .by = "us" });
	proceed(call);
}

/* Those that still ring have rung long enough. */
static void rung_out(struct call *call)
{
	const struct ending ending = { .cause = CAUSE_NO_ANSWER, .by = "us" };

	for (size_t i = 0; i < call->ring->count; i++)
		if (call->ring->branches[i].state != BRANCH_OVER)
			branch_failed(&call->ring->branches[i], &ending);
	proceed(call);
}

void ring_handle(struct call *call, const struct happening *h)
{
	if (h->what == HAPPENED_TIMER && !h->branch && h->timer == CALL_TIMER_RING)
		rung_out(call);
	else if (!h->branch)
		return;
	else if (h->what == HAPPENED_LEG)
		on_leg(h->branch, h->leg);
	else if (h->what == HAPPENED_MEDIA)
		on_media(h->branch, h->media);
	else
		on_timer(h->branch);
}

struct branch *ring_find(const struct call *call, const struct leg *leg,
			 const struct media_session *session)
{
	for (size_t i = 0; call->ring && i < call->ring->count; i++) {
		struct branch *branch = &call->ring->branches[i];

		if ((leg && branch->leg == leg) || (session && branch->session == session))
			return branch;
	}
	return NULL;
}

const struct call_step *ring_step(const struct branch *branch)
{
	return branch->step;
}

static void on_branch_timer(struct timer *timer, void *arg)
{
	struct branch *branch = arg;

	(void)timer;
	call_handle(branch->call, &(struct happening){ .what = HAPPENED_TIMER, .branch = branch });
}

/* ---- the beginning ---- */

static void add_branch(struct ring *ring, struct call *call, const struct call_step *step)
{
	struct branch *branch;

	if (step->only_after_trouble && ring->count) {
		ring->branches[ring->count - 1].end = step + 1;
		return;
	}
	branch = &ring->branches[ring->count++];
	branch->call = call;
	branch->step = step;
	branch->end = step + 1;
	timer_init(&branch->timer, on_branch_timer, branch);
}

void ring_start(struct call *call, const struct call_step *step)
{
	struct ring *ring =
		calloc(1, sizeof(*ring) + step->target_count * sizeof(ring->branches[0]));

	if (!ring || step->target_count == 0) {
		free(ring);
		call_step_over(
			call,
			&(struct ending){ .cause = CAUSE_INTERNAL, .by = "us", .trouble = true });
		return;
	}
	call->ring = ring;
	timer_init(&ring->again, on_again, call);
	for (size_t i = 0; i < step->target_count; i++)
		add_branch(ring, call, &step->targets[i]);
	call_enter(call, CALL_RINGING);
	call_timer_begin(call, CALL_TIMER_RING, step->ring_ms);
	ring->due_ms = call->timer[CALL_TIMER_RING].due_ms;
	for (size_t i = 0; i < ring->count && !step->in_sequence; i++) {
		struct branch *branch = &ring->branches[i];

		if (branch->step->after_ms)
			branch_timer(branch, branch->step->after_ms);
		else
			branch_begin(branch);
	}
	proceed(call);
}
