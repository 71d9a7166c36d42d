/* SPDX-License-Identifier: Apache-2.0 */
/* test_replace.c - a new INVITE takes the place of a dialog (RFC 3891). */
#include <errno.h>
#include "tests/fake/call_rig.h"

static struct call_step pbx(void)
{
	struct call_step step = rig_dial("dial pbx");

	step.peer = 1;
	return step;
}

/* Somebody's INVITE with Replaces; the call room has decided when this returns. */
static struct leg *replaces(struct rig *rig, int peer, const char *sdp)
{
	struct leg *leg = fake_leg_incoming("201", "202", sdp);

	leg->info.peer = peer;
	fake_leg_say(leg, &leg->info.replaces, "c@h;to-tag=1;from-tag=2");
	call_replace(rig->room, leg);
	return leg;
}

static void refused(struct rig *rig, int peer, int status)
{
	struct leg *leg = replaces(rig, peer, "offer-n");

	assert_true(leg->released);
	assert_int_equal(leg->farewell_status, status);
}

/* The new leg's offer has gone to A, and its answer comes back. */
static void joined(struct rig *rig, struct leg *taker)
{
	assert_true(fake_media_reply(fake_media_last(), "offer-for-a"));
	assert_did(rig->a, FAKE_LEG_OFFER, 0, "offer-for-a");
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 200, "answer-a");
	assert_true(fake_media_reply(fake_media_last(), "answer-for-n"));
	assert_did(taker, FAKE_LEG_ANSWER, 200, "answer-for-n");
	fake_leg_event(taker, LEG_EV_CONFIRMED, 0, NULL);
	assert_int_equal(fake_media_count(), 1);
}

static void a_peer_takes_the_place_of_its_own_leg(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(pbx())), *taker;

	fake_leg_named(b, LEG_STAGE_TALKING, false);
	taker = replaces(rig, 1, "offer-n");
	assert_false(taker->released || b->released); /* nothing changes before A agrees */
	joined(rig, taker);
	assert_true(b->released && !rig->a->released);
	/* It is a call as any other. */
	fake_leg_event(taker, LEG_EV_OFFER, 0, "hold");
	assert_true(fake_media_reply(fake_media_last(), "hold-for-a"));
	assert_did(rig->a, FAKE_LEG_OFFER, 0, "hold-for-a");
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 200, "held");
	fake_media_reply(fake_media_last(), "held-for-n");
	assert_did(taker, FAKE_LEG_OFFER_ACCEPT, 200, "held-for-n");
	fake_leg_end(taker, LEG_END_BYE, 200);
	assert_true(rig->a->released);
	assert_true(rig_ended_with(rig, "normal", "b"));
}

static void a_callers_place_is_taken_too(void **state)
{
	struct rig *rig = *state;
	struct leg *b, *taker;

	rig->peer = 1;
	rig_start(rig, "offer-a", RIG_PLAN(rig_loop()));
	fake_media_reply(fake_media_last(), "offer-for-b");
	b = fake_leg_last();
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	fake_media_reply(fake_media_last(), "answer-for-a");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	fake_leg_named(rig->a, LEG_STAGE_TALKING, false);
	taker = replaces(rig, 1, "offer-n");
	fake_media_reply(fake_media_last(), "offer-for-b");
	assert_did(b, FAKE_LEG_OFFER, 0, "offer-for-b");
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, "answer-b");
	fake_media_reply(fake_media_last(), "answer-for-n");
	assert_did(taker, FAKE_LEG_ANSWER, 200, "answer-for-n");
	assert_true(rig->a->released);
	fake_leg_end(b, LEG_END_BYE, 200);
	assert_true(taker->released);
}

static void nobody_takes_what_is_somebody_elses(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(pbx()));

	fake_leg_named(b, LEG_STAGE_TALKING, false);
	refused(rig, 2, 481);
	fake_leg_named(rig->a, LEG_STAGE_TALKING, false); /* the core's */
	refused(rig, 1, 481);
	assert_false(b->released || rig->a->released);
	fake_leg_end(b, LEG_END_BYE, 200);
}

static void what_cannot_be_replaced_is_refused_by_its_status(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(pbx())), *twice;

	fake_leg_named(b, LEG_STAGE_TALKING, true); /* only while it rings */
	refused(rig, 1, 486);
	fake_leg_named(NULL, LEG_STAGE_OVER, false);
	refused(rig, 1, 603);
	fake_leg_named(b, LEG_STAGE_BETWEEN, false);
	refused(rig, 1, 481);
	fake_leg_named_fails(-ENOENT);
	refused(rig, 1, 481);
	fake_leg_named_fails(-EINVAL);
	refused(rig, 1, 400);
	fake_leg_named_fails(0);
	twice = fake_leg_incoming("201", "202", "offer-n");
	twice->info.peer = 1;
	fake_leg_say(twice, &twice->info.replaces, "x");
	assert_int_equal(sip_headers_add(&twice->headers, "Replaces", "x"), 0);
	assert_int_equal(sip_headers_add(&twice->headers, "replaces", "y"), 0);
	call_replace(rig->room, twice);
	assert_int_equal(twice->farewell_status, 400);
	fake_leg_named(b, LEG_STAGE_TALKING, false);
	twice = replaces(rig, 1, NULL);
	assert_int_equal(twice->farewell_status, 488);
	fake_leg_event(b, LEG_EV_OFFER, 0, "hold"); /* an exchange is under way */
	refused(rig, 1, 491);
	fake_leg_end(b, LEG_END_BYE, 200);
}

static void who_is_not_understood_by_the_other_side_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(pbx())), *taker;

	fake_leg_named(b, LEG_STAGE_TALKING, false);
	taker = replaces(rig, 1, "offer-n");
	fake_media_reply(fake_media_last(), "offer-for-a");
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 488, NULL);
	assert_true(taker->released);
	assert_int_equal(taker->farewell_status, 488);
	assert_false(b->released || rig->a->released);
	assert_int_equal(fake_media_count(), 1);
	taker = replaces(rig, 1, "offer-n"); /* a second one that gives up */
	fake_leg_end(taker, LEG_END_CANCELLED, 487);
	assert_true(taker->released);
	assert_false(b->released || rig->a->released);
	fake_leg_end(b, LEG_END_BYE, 200);
}

/* A has been answered by ourselves, and acknowledges. */
static void answered_for(struct rig *rig, const char *sdp)
{
	assert_true(fake_media_reply(fake_media_last(), sdp));
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, sdp);
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
}

/* A has the new leg's media when that leg gives up: B is asked for an offer, and both
 * are joined again. */
static void who_gives_up_too_late_leaves_the_call_as_it_was(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(pbx())), *taker;

	fake_leg_named(b, LEG_STAGE_TALKING, false);
	taker = replaces(rig, 1, "offer-n");
	fake_media_reply(fake_media_last(), "offer-for-a");
	fake_leg_end(taker, LEG_END_CANCELLED, 487);
	assert_true(taker->released);
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 200, "answer-a");
	assert_did(b, FAKE_LEG_OFFER, 0, NULL);
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, "offer-b");
	assert_true(fake_media_reply(fake_media_last(), "again-for-a"));
	assert_did(rig->a, FAKE_LEG_OFFER, 0, "again-for-a");
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 200, "answer-a");
	assert_true(fake_media_reply(fake_media_last(), "again-for-b"));
	assert_did(b, FAKE_LEG_ACK, 0, "again-for-b");
	assert_int_equal(fake_media_count(), 1);
	assert_false(b->released || rig->a->released);
	/* It is a call as before. */
	fake_leg_event(b, LEG_EV_OFFER, 0, "hold");
	assert_true(fake_media_reply(fake_media_last(), "hold-for-a"));
	assert_did(rig->a, FAKE_LEG_OFFER, 0, "hold-for-a");
	fake_leg_end(b, LEG_END_BYE, 200);
	assert_true(rig->a->released);
}

static void who_gives_up_while_the_offer_is_refused_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(pbx())), *taker;

	fake_leg_named(b, LEG_STAGE_TALKING, false);
	taker = replaces(rig, 1, "offer-n");
	fake_media_reply(fake_media_last(), "offer-for-a");
	fake_leg_end(taker, LEG_END_CANCELLED, 487);
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 491, NULL);
	assert_int_equal(fake_media_count(), 1);
	fake_leg_event(b, LEG_EV_OFFER, 0, "hold");
	assert_true(fake_media_reply(fake_media_last(), "hold-for-a"));
	fake_leg_end(b, LEG_END_BYE, 200);
	assert_true(rig->a->released);
}

static void who_hangs_up_while_it_is_joined_again_ends_the_call(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(pbx())), *taker;

	fake_leg_named(b, LEG_STAGE_TALKING, false);
	taker = replaces(rig, 1, "offer-n");
	fake_media_reply(fake_media_last(), "offer-for-a");
	fake_leg_end(taker, LEG_END_CANCELLED, 487);
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 200, "answer-a");
	fake_leg_end(b, LEG_END_BYE, 200);
	assert_true(b->released && rig->a->released);
}

static void a_call_that_rings_is_picked_up(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(pbx(), rig_rescue())), *taker;

	fake_leg_event(b, LEG_EV_PROVISIONAL, 180, NULL);
	fake_leg_named(b, LEG_STAGE_RINGING, true);
	taker = replaces(rig, 1, "offer-n");
	assert_true(b->released);
	assert_non_null(strstr(b->farewell_reason, "completed elsewhere"));
	assert_int_equal(fake_leg_invite_count(), 1); /* the other steps are not tried */
	answered_for(rig, "silence");
	joined(rig, taker);
	/* It is the PBX's leg now, for a next time too. */
	fake_leg_named(taker, LEG_STAGE_TALKING, false);
	refused(rig, 2, 481);
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	assert_true(taker->released);
}

static void one_of_several_that_ring_is_picked_up(void **state)
{
	struct rig *rig = *state;
	struct call_step phones[2] = { pbx(), rig_loop() };
	struct leg *first, *second, *taker;

	rig_start(rig, "offer-a", RIG_PLAN(rig_ring(phones, 2)));
	fake_media_reply(fake_media_nth(0), "offer-1");
	fake_media_reply(fake_media_nth(1), "offer-2");
	first = fake_leg_out(0);
	second = fake_leg_out(1);
	fake_leg_event(first, LEG_EV_PROVISIONAL, 180, NULL);
	fake_leg_named(second, LEG_STAGE_RINGING, false);
	refused(rig, 1, 481); /* the core's, not the PBX's */
	fake_leg_named(first, LEG_STAGE_RINGING, false);
	taker = replaces(rig, 1, "offer-n");
	assert_true(first->released && second->released);
	assert_non_null(strstr(second->farewell_reason, "completed elsewhere"));
	answered_for(rig, "silence");
	joined(rig, taker);
	fake_leg_end(taker, LEG_END_BYE, 200);
	assert_true(rig->a->released);
}

static void what_the_caller_was_told_stays_when_it_is_picked_up(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(pbx())), *taker;
	struct media_session *session = fake_media_last();

	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "early-b");
	fake_media_reply(session, "early-for-a");
	fake_leg_named(b, LEG_STAGE_RINGING, false);
	taker = replaces(rig, 1, "offer-n");
	assert_int_equal(session->turns, 1);
	answered_for(rig, "early-for-a");
	joined(rig, taker);
	fake_leg_end(taker, LEG_END_BYE, 200);
}

static void a_pickup_that_is_given_up_ends_the_call(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(pbx())), *taker;

	fake_leg_named(b, LEG_STAGE_RINGING, false);
	taker = replaces(rig, 1, "offer-n");
	fake_leg_end(taker, LEG_END_CANCELLED, 487);
	assert_true(taker->released && rig->a->released);
	assert_int_equal(rig->a->farewell_status, 480);
	assert_true(rig_ended_with(rig, "unavailable", "b"));
}

static void a_caller_that_gives_up_lets_who_picks_up_go(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(pbx())), *taker;

	fake_leg_named(b, LEG_STAGE_RINGING, false);
	taker = replaces(rig, 1, "offer-n");
	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
	assert_true(taker->released);
	assert_int_equal(taker->farewell_status, 480);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_peer_takes_the_place_of_its_own_leg),
		T(a_callers_place_is_taken_too),
		T(nobody_takes_what_is_somebody_elses),
		T(what_cannot_be_replaced_is_refused_by_its_status),
		T(who_is_not_understood_by_the_other_side_changes_nothing),
		T(who_gives_up_too_late_leaves_the_call_as_it_was),
		T(who_gives_up_while_the_offer_is_refused_changes_nothing),
		T(who_hangs_up_while_it_is_joined_again_ends_the_call),
		T(a_call_that_rings_is_picked_up),
		T(one_of_several_that_ring_is_picked_up),
		T(what_the_caller_was_told_stays_when_it_is_picked_up),
		T(a_pickup_that_is_given_up_ends_the_call),
		T(a_caller_that_gives_up_lets_who_picks_up_go),
	};

	return cmocka_run_group_tests_name("tas/call/replace", tests, NULL, NULL);
}
