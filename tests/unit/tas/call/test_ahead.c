/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/call_rig.h"

/* A is answered and has heard the announcement. */
static struct media_session *answered(struct rig *rig, struct call_plan *plan)
{
	struct media_session *session;

	rig_start(rig, "offer-a", plan);
	session = fake_media_last();
	assert_int_equal(session->kind[MEDIA_B], MEDIA_LEG_LOCAL);
	fake_media_reply(session, "told");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "told");
	assert_null(fake_leg_last()); /* nobody is called yet */
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	fake_media_event(session, MEDIA_EV_PLAYED, MEDIA_B, NULL);
	return session;
}

static void assert_record_has(struct rig *rig, const char *member)
{
	char text[4096];

	rig_read_cdr(rig, text, sizeof(text));
	if (!strstr(text, member))
		fail_msg("no %s in %s", member, text);
}

/* B is called in the session A was answered by; what A did last is still the 200. */
static struct leg *called(struct rig *rig, struct media_session *session, const char *offer)
{
	struct leg *before = fake_leg_last();

	assert_true(session->settled);
	fake_media_reply(session, offer);
	assert_ptr_not_equal(fake_leg_last(), before);
	assert_string_equal(leg_info(fake_leg_last())->sdp, offer);
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "told");
	return fake_leg_last();
}

static void the_next_step_is_taken_once_it_is_said(void **state)
{
	struct rig *rig = *state;
	struct media_session *session =
		answered(rig, RIG_PLAN(rig_announce_ahead(), rig_dial("dial pbx")));
	struct leg *b = called(rig, session, "offer-for-b");

	rig_advance(rig, 3000);
	fake_leg_event(b, LEG_EV_PROVISIONAL, 180, NULL);
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "told");
	assert_int_equal(session->waits[MEDIA_A], MEDIA_WAIT_ALWAYS);
	assert_null(session->music[MEDIA_A]); /* a ring-back tone */
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	fake_media_reply(session, "told");
	assert_int_equal(session->waits[MEDIA_A], MEDIA_WAIT_NOT);
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "told"); /* it is told nothing more */
	assert_int_equal(fake_media_created(), 1);
	/* As any other call: a hold of B reaches A. */
	fake_leg_event(b, LEG_EV_OFFER, 0, "hold");
	fake_media_reply(session, "hold-for-a");
	assert_did(rig->a, FAKE_LEG_OFFER, 0, "hold-for-a");
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 200, "held");
	fake_media_reply(session, "held-for-b");
	fake_leg_end(b, LEG_END_BYE, 200);
	assert_true(rig_ended_with(rig, "normal", "b"));
	assert_record_has(rig, "\"connected\":\"2023-11-14T22:13:23.123Z\"");
}

static void a_call_to_a_core_is_never_passed_by(void **state)
{
	struct rig *rig = *state;
	struct media_session *session = answered(rig, RIG_PLAN(rig_announce_ahead(), rig_passed()));
	struct leg *b = called(rig, session, "offer-for-core");

	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	fake_media_reply(session, "told");
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	assert_true(b->released);
	assert_true(rig_ended_with(rig, "normal", "a"));
}

static void who_hangs_up_while_it_is_said_calls_nobody(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_announce_ahead(), rig_dial("dial pbx")));
	fake_media_reply(fake_media_last(), "told");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	assert_null(fake_leg_last());
	assert_true(rig_ended_with(rig, "normal", "a"));
	assert_record_has(rig, "\"connected\":null");
}

static void who_hangs_up_while_it_rings_cancels_it(void **state)
{
	struct rig *rig = *state;
	struct leg *b = called(
		rig, answered(rig, RIG_PLAN(rig_announce_ahead(), rig_dial("dial pbx"))), "b");

	fake_leg_end(rig->a, LEG_END_BYE, 200);
	assert_true(b->released);
	assert_true(rig_ended_with(rig, "normal", "a"));
}

static void a_busy_one_is_followed_by_the_next(void **state)
{
	struct rig *rig = *state;
	struct media_session *session = answered(
		rig, RIG_PLAN(rig_announce_ahead(), rig_dial("dial pbx"), rig_loop(), rig_play()));
	struct leg *b = called(rig, session, "offer-for-b");

	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "early-b");
	fake_media_reply(session, "told");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "told");
	fake_leg_end(b, LEG_END_REFUSED, 486);
	assert_int_equal(session->waits[MEDIA_A], MEDIA_WAIT_NOT);
	b = called(rig, session, "offer-for-core");
	rig_advance(rig, 181 * 1000); /* it rings for ever */
	assert_true(b->released);
	fake_media_reply(session, "told"); /* and the last is ourselves */
	assert_int_equal(session->kind[MEDIA_B], MEDIA_LEG_LOCAL);
	fake_media_event(session, MEDIA_EV_PLAYED, MEDIA_B, NULL);
	assert_true(rig->a->released);
	assert_true(rig_ended_with(rig, "normal", "us"));
}

static void all_that_fail_end_it_with_a_bye(void **state)
{
	struct rig *rig = *state;
	struct leg *b = called(
		rig, answered(rig, RIG_PLAN(rig_announce_ahead(), rig_dial("dial pbx"))), "b");

	fake_leg_end(b, LEG_END_REFUSED, 486);
	assert_string_equal(rig->a->farewell_reason, "Q.850;cause=17;text=\"User busy\"");
	assert_true(rig_ended_with(rig, "busy", "b"));
}

static void a_rejection_is_a_bye_too(void **state)
{
	struct rig *rig = *state;
	struct media_session *session =
		answered(rig, RIG_PLAN(rig_announce_ahead(), rig_announced_reject(true)));

	fake_media_reply(session, "told");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "told"); /* no 183 */
	fake_media_event(session, MEDIA_EV_PLAYED, MEDIA_B, NULL);
	assert_true(rig->a->released);
	assert_true(rig_ended_with(rig, "rejected", "us"));
}

static void what_is_said_before_the_ack_waits_for_it(void **state)
{
	struct rig *rig = *state;
	struct media_session *session;

	rig_start(rig, "offer-a", RIG_PLAN(rig_announce_ahead(), rig_dial("dial pbx")));
	session = fake_media_last();
	fake_media_reply(session, "told");
	fake_media_event(session, MEDIA_EV_PLAYED, MEDIA_B, NULL);
	assert_int_equal(session->turns, 0);
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	assert_int_equal(session->turns, 1);
	called(rig, session, "offer-for-b");
	fake_leg_end(rig->a, LEG_END_BYE, 200);
}

static void who_hears_nothing_goes_on_all_the_same(void **state)
{
	struct rig *rig = *state;
	struct media_session *session;

	rig_start(rig, "offer-a", RIG_PLAN(rig_announce_ahead(), rig_dial("dial pbx")));
	session = fake_media_last();
	fake_media_reply(session, "told");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	rig_advance(rig, FAKE_SOUND_MS + 11 * 1000);
	called(rig, session, "offer-for-b");
	fake_leg_end(rig->a, LEG_END_BYE, 200);
}

static void one_without_an_offer_is_offered_ours(void **state)
{
	struct rig *rig = *state;
	struct media_session *session;
	struct leg *b;

	rig_start(rig, NULL, RIG_PLAN(rig_announce_ahead(), rig_dial("dial pbx")));
	session = fake_media_last();
	assert_int_equal(session->starts, 1);
	fake_media_reply(session, "told");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, "answer-a");
	assert_int_equal(session->answers, 1);
	fake_media_event(session, MEDIA_EV_PLAYED, MEDIA_B, NULL);
	b = called(rig, session, "offer-for-b");
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	assert_did(b, FAKE_LEG_ACK, 0, NULL);
	fake_media_reply(session, "told");
	fake_leg_end(b, LEG_END_BYE, 200);
	assert_true(rig->a->released);
}

static void what_is_asked_too_soon_may_come_again(void **state)
{
	struct rig *rig = *state;
	struct media_session *session =
		answered(rig, RIG_PLAN(rig_announce_ahead(), rig_dial("dial pbx")));

	fake_media_reply(session, "offer-for-b");
	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "hold");
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 491, NULL);
	fake_leg_refer(rig->a, "201", NULL);
	assert_did(rig->a, FAKE_LEG_REFER_ANSWER, 491, NULL);
	fake_leg_info(rig->a, "application/dtmf-relay", "Signal=1");
	assert_did(rig->a, FAKE_LEG_INFORM_ANSWER, 200, NULL);
	assert_int_equal(session->rollbacks, 0); /* the offer B has */
	fake_media_event(session, MEDIA_EV_FAILED, MEDIA_A, NULL);
	assert_true(rig_ended_with(rig, "media_failed", "us"));
}

static void a_group_is_rung_in_turn(void **state)
{
	struct rig *rig = *state;
	struct media_session *session =
		answered(rig, RIG_PLAN(rig_announce_ahead(),
				       RIG_RING(rig_dial("desk 1"), rig_dial("desk 2"))));
	struct leg *first = called(rig, session, "offer-for-b"), *b;

	rig_advance(rig, 31 * 1000);
	assert_true(first->released);
	b = fake_leg_last();
	assert_ptr_not_equal(b, first);
	assert_string_equal(leg_info(b)->sdp, "offer-for-b"); /* nobody has answered it */
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	fake_media_reply(session, "told");
	fake_leg_end(b, LEG_END_BYE, 200);
	assert_true(rig_ended_with(rig, "normal", "b"));
}

static void an_announcement_that_cannot_be_made_is_passed_over(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_announce_ahead(), rig_loop()));
	fake_media_refuse(fake_media_last(), MEDIA_A, 488);
	assert_int_equal(fake_media_created(), 2); /* begun anew, and A is not answered */
	fake_media_reply(fake_media_last(), "offer-for-b");
	assert_null(fake_leg_did(rig->a));
	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
}

/* Without a port for the next one: as if that one had failed. */
static void one_that_has_no_media_is_passed_over(void **state)
{
	struct rig *rig = *state;
	struct media_session *session = answered(
		rig, RIG_PLAN(rig_announce_ahead(), rig_dial("dial pbx"), rig_dial("dial 2")));

	fake_media_refuse(session, MEDIA_B, 503);
	assert_int_equal(session->turns, 2);
	called(rig, session, "offer-for-2");
	fake_leg_end(rig->a, LEG_END_BYE, 200);
}

static void nobody_is_said_to_be_silent_while_it_rings(void **state)
{
	struct rig *rig = *state;
	static const struct media_receipt silent = { .kind = MEDIA_LEG_RTP,
						     .agreed = true,
						     .sends = true };
	struct media_session *session =
		answered(rig, RIG_PLAN(rig_announce_ahead(), rig_dial("dial pbx")));

	fake_media_reply(session, "offer-for-b");
	fake_media_receipt(MEDIA_B, &silent);
	rig_advance(rig, 20 * 1000);
	assert_int_equal(call_room_verdict_count(VERDICT_ONE_WAY), 0);
	fake_leg_event(fake_leg_last(), LEG_EV_ANSWERED, 200, "answer-b");
	fake_media_reply(session, "told");
	rig_advance(rig, 20 * 1000);
	assert_int_equal(call_room_verdict_count(VERDICT_ONE_WAY), 1);
	fake_media_receipt(MEDIA_B, NULL);
	fake_leg_end(rig->a, LEG_END_BYE, 200);
}

/* The looks at A alone, two and seven seconds after its answer, do not set the pace. */
static void the_verdict_stands_two_seconds_after_somebody_is_found(void **state)
{
	struct rig *rig = *state;
	static const struct media_receipt silent = { .kind = MEDIA_LEG_RTP,
						     .agreed = true,
						     .sends = true };
	struct media_session *session =
		answered(rig, RIG_PLAN(rig_announce_ahead(), rig_dial("dial pbx")));

	fake_media_reply(session, "offer-for-b");
	fake_media_receipt(MEDIA_B, &silent);
	rig_advance(rig, 3000);
	fake_leg_event(fake_leg_last(), LEG_EV_ANSWERED, 200, "answer-b");
	fake_media_reply(session, "told");
	rig_advance(rig, 1900);
	assert_int_equal(call_room_verdict_count(VERDICT_ONE_WAY), 0);
	rig_advance(rig, 200);
	assert_int_equal(call_room_verdict_count(VERDICT_ONE_WAY), 1);
	fake_media_receipt(MEDIA_B, NULL);
	fake_leg_end(rig->a, LEG_END_BYE, 200);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_next_step_is_taken_once_it_is_said),
		T(a_call_to_a_core_is_never_passed_by),
		T(who_hangs_up_while_it_is_said_calls_nobody),
		T(who_hangs_up_while_it_rings_cancels_it),
		T(a_busy_one_is_followed_by_the_next),
		T(all_that_fail_end_it_with_a_bye),
		T(a_rejection_is_a_bye_too),
		T(what_is_said_before_the_ack_waits_for_it),
		T(who_hears_nothing_goes_on_all_the_same),
		T(one_without_an_offer_is_offered_ours),
		T(what_is_asked_too_soon_may_come_again),
		T(a_group_is_rung_in_turn),
		T(an_announcement_that_cannot_be_made_is_passed_over),
		T(one_that_has_no_media_is_passed_over),
		T(nobody_is_said_to_be_silent_while_it_rings),
		T(the_verdict_stands_two_seconds_after_somebody_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
