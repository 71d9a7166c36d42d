/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include "tests/fake/call_rig.h"

#include <errno.h>

static bool ended(const struct rig *rig)
{
	return call_room_count(rig->room) == 0;
}

/* ---- the ordinary way ---- */

static void anchored_call_carries_each_sdp_through_the_session(void **state)
{
	struct rig *rig = *state;
	struct leg *b;

	rig_start(rig, "offer-a", RIG_PLAN(rig_loop()));
	assert_null(fake_leg_last());
	assert_int_equal(fake_media_last()->kind[MEDIA_A], MEDIA_LEG_WEBRTC);
	assert_int_equal(fake_media_last()->kind[MEDIA_B], MEDIA_LEG_WEBRTC);

	fake_media_reply(fake_media_last(), "offer-for-b");
	b = fake_leg_last();
	assert_string_equal(leg_info(b)->sdp, "offer-for-b");
	assert_int_equal(leg_info(b)->max_forwards, 69);

	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	assert_true(b->acked);
	assert_null(fake_leg_did(rig->a));
	fake_media_reply(fake_media_last(), "answer-for-a");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-for-a");

	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	fake_leg_end(b, LEG_END_BYE, 200);
	assert_true(ended(rig));
	assert_true(rig_ended_with(rig, "normal", "b"));
}

static void passed_through_call_has_no_session_and_untouched_sdp(void **state)
{
	struct rig *rig = *state;
	struct leg *b;

	rig_start(rig, "offer-a", RIG_PLAN(rig_passed()));
	b = fake_leg_last();
	assert_int_equal(fake_media_created(), 0);
	assert_string_equal(leg_info(b)->sdp, "offer-a");
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	assert_did(b, FAKE_LEG_ACK, 0, NULL);
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-b");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	assert_true(rig_ended_with(rig, "normal", "a"));
}

static void delayed_offer_travels_in_2xx_and_ack_when_passed_through(void **state)
{
	struct rig *rig = *state;
	struct leg *b;

	rig_start(rig, NULL, RIG_PLAN(rig_passed()));
	b = fake_leg_last();
	assert_null(leg_info(b)->sdp);
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "offer-b");
	assert_false(b->acked);
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "offer-b");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, "answer-a");
	assert_did(b, FAKE_LEG_ACK, 0, "answer-a");
}

static void delayed_offer_travels_through_the_session(void **state)
{
	struct rig *rig = *state;
	struct leg *b;

	rig_start(rig, NULL, RIG_PLAN(rig_loop()));
	b = fake_leg_last();
	assert_null(leg_info(b)->sdp);
	assert_int_equal(fake_media_created(), 1);
	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "not an answer");
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, NULL);
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "offer-b");
	assert_true(fake_media_reply(fake_media_last(), "offer-for-a"));
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "offer-for-a");
	assert_false(b->acked);
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, "answer-a");
	assert_true(fake_media_reply(fake_media_last(), "answer-for-b"));
	assert_did(b, FAKE_LEG_ACK, 0, "answer-for-b");
	fake_leg_end(b, LEG_END_BYE, 200);
	assert_true(rig_ended_with(rig, "normal", "b"));
}

static void ack_without_the_answer_it_owes_ends_both_legs(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, NULL, RIG_PLAN(rig_loop()));
	fake_leg_event(fake_leg_last(), LEG_EV_ANSWERED, 200, "offer-b");
	fake_media_reply(fake_media_last(), "offer-for-a");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	assert_true(rig_ended_with(rig, "not_acceptable", "a"));
	assert_true(ended(rig));
}

static void answer_in_the_ack_that_media_will_not_take_ends_the_call(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, NULL, RIG_PLAN(rig_loop()));
	fake_leg_event(fake_leg_last(), LEG_EV_ANSWERED, 200, "offer-b");
	fake_media_reply(fake_media_last(), "offer-for-a");
	fake_media_answer_fails(-22);
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, "answer-a");
	assert_true(ended(rig));
	assert_true(rig_ended_with(rig, "media_failed", "us"));
}

static void step_after_a_skipped_one_is_tried(void **state)
{
	struct rig *rig = *state;
	struct call_step standby = rig_dial("dial pbx/2");
	struct leg *b;

	standby.only_after_trouble = true;
	b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx"), standby, rig_answer()));
	fake_leg_end(b, LEG_END_REFUSED, 486);
	assert_int_equal(fake_leg_invite_count(), 1);
	assert_int_equal(fake_media_last()->kind[MEDIA_B], MEDIA_LEG_LOCAL);
}

static struct call_step other_address(const char *label)
{
	struct call_step step = rig_stand_in(label);

	step.other_address = true;
	return step;
}

static void another_address_is_tried_after_a_status_it_stands_in_for(void **state)
{
	static const struct {
		int status;
		size_t invites;
	} rows[] = { { 503, 2 }, { 408, 2 }, { 500, 2 }, { 501, 1 }, { 404, 1 }, { 603, 1 } };
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct leg *b;

		if (i) {
			(void)rig_teardown(state);
			(void)rig_setup(state);
			rig = *state;
		}
		b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx"), other_address("dial pbx/2"),
					       rig_reject(600)));
		fake_leg_end(b, LEG_END_REFUSED, rows[i].status);
		assert_int_equal(fake_leg_invite_count(), rows[i].invites);
		if (rows[i].invites == 2)
			fake_leg_end(fake_leg_last(), LEG_END_REFUSED, 486);
	}
}

static void another_address_is_not_tried_once_the_first_rang(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(
		rig, RIG_PLAN(rig_dial("dial pbx"), other_address("dial pbx/2"), rig_rescue()));

	fake_leg_event(b, LEG_EV_PROVISIONAL, 180, NULL);
	fake_leg_end(b, LEG_END_REFUSED, 503);
	assert_int_equal(fake_leg_invite_count(), 2); /* the rescue is */
	assert_true(fake_leg_last()->info.sdp);
	fake_leg_end(fake_leg_last(), LEG_END_REFUSED, 486);
	assert_int_equal(fake_leg_invite_count(), 2);
}

static void a_full_trunk_is_passed_by(void **state)
{
	struct rig *rig = *state;

	fake_leg_invite_fails(-EBUSY);
	rig_start(rig, "offer-a", RIG_PLAN(rig_dial("dial pbx"), rig_dial("dial other")));
	(void)fake_media_reply(fake_media_last(), "offer-for-b");
	assert_int_equal(fake_leg_invite_count(), 1); /* that of the other one */
	fake_leg_end(fake_leg_last(), LEG_END_REFUSED, 486);
	assert_true(rig_ended_with(rig, "busy", "b"));
}

static void a_full_trunk_without_another_is_overload(void **state)
{
	struct rig *rig = *state;

	fake_leg_invite_fails(-EBUSY);
	rig_start(rig, "offer-a", RIG_PLAN(rig_dial("dial pbx")));
	(void)fake_media_reply(fake_media_last(), "offer-for-b");
	assert_true(rig_ended_with(rig, "overload", "us"));
	assert_int_equal(rig->a->farewell_status, 503);
}

static void answer_step_answers_from_a_local_side(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_answer()));
	assert_int_equal(fake_media_last()->kind[MEDIA_B], MEDIA_LEG_LOCAL);
	assert_int_equal(fake_media_last()->local.tone_hz, 425);
	fake_media_reply(fake_media_last(), "answer-for-a");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-for-a");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	assert_true(rig_ended_with(rig, "normal", "a"));
	assert_int_equal(fake_leg_invite_count(), 0);
}

static void answer_step_offers_when_the_caller_did_not(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, NULL, RIG_PLAN(rig_answer()));
	assert_int_equal(fake_media_last()->starts, 1);
	fake_media_reply(fake_media_last(), "offer-for-a");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "offer-for-a");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, "answer-a");
	assert_int_equal(fake_media_last()->answers, 1);
	rig_advance(rig, 60 * 1000);
	assert_false(ended(rig));
}

static void reject_step_refuses_with_its_status_and_phrase(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_reject(603)));
	assert_true(ended(rig));
	assert_int_equal(rig->a->farewell_status, 603);
	assert_string_equal(rig->a->farewell_phrase, "Not Today");
	assert_true(rig_ended_with(rig, "rejected", "us"));
}

/* ---- what we play ourselves ---- */

static void call_ends_normally_when_its_sound_is_over(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_play()));
	assert_non_null(fake_media_last()->local.sound);
	fake_media_reply(fake_media_last(), "answer-for-a");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-for-a");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	rig_advance(rig, 20 * 1000); /* however long it is: on hold it waits */
	assert_false(ended(rig));
	fake_media_event(fake_media_last(), MEDIA_EV_PLAYED, MEDIA_B, NULL);
	assert_true(ended(rig));
	assert_true(rig_ended_with(rig, "normal", "us"));
}

static void sound_that_is_over_before_the_ack_ends_the_call(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_play()));
	fake_media_reply(fake_media_last(), "answer-for-a");
	fake_media_event(fake_media_last(), MEDIA_EV_PLAYED, MEDIA_B, NULL);
	assert_true(rig_ended_with(rig, "normal", "us"));
}

static void announcement_is_early_media_before_the_rejection(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_announced_reject(true)));
	assert_int_equal(fake_media_last()->kind[MEDIA_B], MEDIA_LEG_LOCAL);
	fake_media_reply(fake_media_last(), "answer-for-a");
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, "answer-for-a");
	fake_media_event(fake_media_last(), MEDIA_EV_PLAYED, MEDIA_B, NULL);
	assert_true(ended(rig));
	assert_int_equal(rig->a->farewell_status, 603);
	assert_string_equal(rig->a->farewell_phrase, "Not Today");
	assert_string_equal(rig->a->farewell_headers,
			    "Reason: Q.850;cause=21;text=\"Call rejected\"\n");
	assert_true(rig_ended_with(rig, "rejected", "us"));
}

static void announcement_that_nobody_can_hear_does_not_hold_the_rejection(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_announced_reject(true)));
	fake_media_reply(fake_media_last(), "answer-for-a");
	rig_advance(rig, 2 * FAKE_SOUND_MS + 9000);
	assert_false(ended(rig));
	rig_advance(rig, 1500);
	assert_int_equal(rig->a->farewell_status, 603);
	assert_true(rig_ended_with(rig, "rejected", "us"));
}

static void caller_that_gives_up_during_an_announcement_gets_487(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_announced_reject(true)));
	fake_media_reply(fake_media_last(), "answer-for-a");
	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
	assert_true(rig_ended_with(rig, "cancelled", "a"));
	assert_int_equal(fake_media_count(), 0);
}

static void rejection_may_be_told_in_an_answered_call(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, NULL, RIG_PLAN(rig_announced_reject(false)));
	fake_media_reply(fake_media_last(), "offer-for-a");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "offer-for-a");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, "answer-a");
	fake_media_event(fake_media_last(), MEDIA_EV_PLAYED, MEDIA_B, NULL);
	assert_true(rig_ended_with(rig, "rejected", "us"));
	assert_string_equal(rig->a->farewell_reason, "Q.850;cause=21;text=\"Call rejected\"");
}

/* Up to the end of what A hears first. */
static struct media_session *announced(struct rig *rig, struct call_plan *plan)
{
	struct media_session *session;

	rig_start(rig, "offer-a", plan);
	session = fake_media_last();
	fake_media_reply(session, "told");
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, "told");
	fake_media_event(session, MEDIA_EV_PLAYED, MEDIA_B, NULL);
	return session;
}

static void call_goes_on_after_an_announcement_in_the_same_session(void **state)
{
	struct rig *rig = *state;
	struct media_session *session =
		announced(rig, RIG_PLAN(rig_announce(), rig_dial("dial pbx")));
	struct leg *b;

	assert_int_equal(session->turns, 1);
	assert_int_equal(session->kind[MEDIA_B], MEDIA_LEG_RTP);
	fake_media_reply(session, "offer-for-b");
	b = fake_leg_last();
	assert_string_equal(leg_info(b)->sdp, "offer-for-b");
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	fake_media_reply(session, "told");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "told");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	fake_leg_end(b, LEG_END_BYE, 200);
	assert_true(rig_ended_with(rig, "normal", "b"));
	assert_int_equal(fake_media_created(), 1);
}

static void gateway_that_fails_after_an_announcement_is_turned_from_too(void **state)
{
	struct rig *rig = *state;
	struct media_session *session = announced(
		rig, RIG_PLAN(rig_announce(), rig_dial("dial pbx"), rig_play(), rig_rescue()));

	fake_media_reply(session, "offer-for-b");
	fake_leg_event(fake_leg_last(), LEG_EV_PROVISIONAL, 183, "early-b");
	fake_media_reply(session, "told");
	fake_leg_end(fake_leg_last(), LEG_END_REFUSED, 486);
	assert_int_equal(session->turns, 2);
	assert_int_equal(session->kind[MEDIA_B], MEDIA_LEG_LOCAL);
	fake_media_reply(session, "told");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "told");
	assert_int_equal(fake_media_created(), 1);
}

static void rescue_after_an_announcement_keeps_what_the_caller_was_told(void **state)
{
	struct rig *rig = *state;
	struct media_session *session =
		announced(rig, RIG_PLAN(rig_announce(), rig_dial("dial pbx"), rig_rescue()));

	fake_media_reply(session, "offer-for-b");
	fake_leg_end(fake_leg_last(), LEG_END_TIMEOUT, 503);
	fake_media_reply(session, "offer-for-core");
	assert_int_equal(fake_leg_invite_count(), 2);
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-for-core");
}

static void announcement_that_cannot_be_played_is_passed_over(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_announce(), rig_loop()));
	fake_media_refuse(fake_media_last(), MEDIA_A, 488);
	assert_int_equal(fake_media_created(), 2); /* begun anew */
	fake_media_reply(fake_media_last(), "offer-for-b");
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-for-b");
	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
	/* Without an offer there is nothing to answer early. */
	rig_start(rig, NULL, RIG_PLAN(rig_announce(), rig_passed()));
	assert_int_equal(fake_media_count(), 0);
	assert_null(leg_info(fake_leg_last())->sdp);
}

static void announcement_with_nothing_behind_it_ends_unanswered(void **state)
{
	struct rig *rig = *state;

	announced(rig, RIG_PLAN(rig_announce(), rig_rescue()));
	assert_int_equal(rig->a->farewell_status, 480);
	assert_true(rig_ended_with(rig, "unavailable", "us"));
}

/* Each of these may go wrong with the announcement; the rejection stands. */
static void rejection_without_its_announcement_is_the_same(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, NULL, RIG_PLAN(rig_announced_reject(true))); /* no offer to answer */
	assert_int_equal(rig->a->farewell_status, 603);
	fake_media_create_fails(-ENOSPC);
	rig_start(rig, "offer-a", RIG_PLAN(rig_announced_reject(true)));
	assert_int_equal(rig->a->farewell_status, 603);
	fake_media_create_fails(0);
	rig_start(rig, "offer-a", RIG_PLAN(rig_announced_reject(true)));
	fake_media_refuse(fake_media_last(), MEDIA_A, 488);
	assert_int_equal(rig->a->farewell_status, 603);
	rig_start(rig, "offer-a", RIG_PLAN(rig_announced_reject(true)));
	rig_advance(rig, 6000); /* the media room says nothing */
	assert_int_equal(rig->a->farewell_status, 603);
	rig_start(rig, "offer-a", RIG_PLAN(rig_announced_reject(true)));
	fake_media_reply(fake_media_last(), "answer-for-a");
	fake_media_event(fake_media_last(), MEDIA_EV_FAILED, MEDIA_A, NULL);
	assert_int_equal(rig->a->farewell_status, 603);
	assert_true(rig_ended_with(rig, "rejected", "us"));
}

/* ---- B fails ---- */

static void refusal_of_b_reaches_a_with_its_reason(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx")));
	struct sip_headers headers = { 0 };

	assert_int_equal(sip_headers_add(&headers, "Reason", "Q.850;cause=17"), 0);
	assert_int_equal(sip_headers_add(&headers, "X-Inner", "secret"), 0);
	fake_leg_end_headers(b, LEG_END_REFUSED, 486, &headers);
	sip_headers_done(&headers);

	assert_int_equal(rig->a->farewell_status, 486);
	assert_string_equal(rig->a->farewell_headers, "Reason: Q.850;cause=17\n");
	assert_true(rig_ended_with(rig, "busy", "b"));
}

static void refusal_of_leg_3_keeps_unknown_headers(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));
	struct sip_headers headers = { 0 };

	assert_int_equal(sip_headers_add(&headers, "X-Core", "kept"), 0);
	fake_leg_end_headers(b, LEG_END_REFUSED, 480, &headers);
	sip_headers_done(&headers);
	assert_non_null(strstr(rig->a->farewell_headers, "X-Core: kept\n"));
}

static void busy_callee_moves_on_to_the_next_step(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx"), rig_answer()));

	fake_leg_end(b, LEG_END_REFUSED, 486);
	assert_int_equal(fake_media_last()->kind[MEDIA_B], MEDIA_LEG_LOCAL);
	fake_media_reply(fake_media_last(), "answer-for-a");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-for-a");
}

static void busy_callee_is_not_rescued(void **state)
{
	struct rig *rig = *state;
	const int decided[] = { 480, 486, 404, 603, 600, 487 };

	for (size_t i = 0; i < ARRAY_SIZE(decided); i++) {
		struct leg *b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx"), rig_rescue()));

		fake_leg_end(b, LEG_END_REFUSED, decided[i]);
		assert_true(ended(rig));
		assert_int_equal(rig->a->farewell_status, decided[i]);
	}
	assert_int_equal(fake_leg_invite_count(), ARRAY_SIZE(decided));
}

static void trouble_is_rescued_by_a_passed_through_loop(void **state)
{
	struct rig *rig = *state;
	const struct {
		enum leg_end_reason reason;
		int status;
	} troubles[] = { { LEG_END_TIMEOUT, 504 }, { LEG_END_TLS, 502 },
			 { LEG_END_REFUSED, 503 }, { LEG_END_REFUSED, 500 },
			 { LEG_END_REFUSED, 401 }, { LEG_END_REFUSED, 407 } };

	for (size_t i = 0; i < ARRAY_SIZE(troubles); i++) {
		struct leg *b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx"), rig_rescue()));

		fake_leg_end(b, troubles[i].reason, troubles[i].status);
		assert_int_equal(fake_media_count(), 0);
		assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-a");
		fake_leg_end(fake_leg_last(), LEG_END_REFUSED, 486);
		assert_true(ended(rig));
	}
}

static void challenge_of_a_trunk_never_reaches_the_caller(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx")));

	fake_leg_end(b, LEG_END_REFUSED, 407);
	assert_int_equal(rig->a->farewell_status, 500);
}

static void redirection_is_not_followed_and_not_passed_on(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx")));

	fake_leg_end(b, LEG_END_REFUSED, 302);
	assert_true(rig->a->farewell_status >= 400);
	assert_true(ended(rig));
}

static void redirection_of_leg_3_is_for_leg_2(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));
	struct sip_headers headers = { .redirect = strdup("<sip:+47@h>") };

	fake_leg_end_headers(b, LEG_END_REFUSED, 302, &headers);
	sip_headers_done(&headers);
	assert_int_equal(rig->a->farewell_status, 302);
	b = rig_dialling(rig, RIG_PLAN(rig_loop()));
	fake_leg_end(b, LEG_END_REFUSED, 302); /* names nobody to go to */
	assert_int_equal(rig->a->farewell_status, 603);
}

static void dead_next_hop_shows_the_legs_status(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx")));

	fake_leg_end(b, LEG_END_TIMEOUT, 504);
	assert_int_equal(rig->a->farewell_status, 504);
	assert_true(rig_ended_with(rig, "next_hop_down", "us"));
}

static void second_gateway_gets_the_offer_the_dead_one_did_not_answer(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx"), rig_dial("dial pbx 2")));

	fake_leg_end(b, LEG_END_TIMEOUT, 504);
	assert_ptr_not_equal(fake_leg_last(), b);
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-for-b");
	assert_int_equal(fake_media_created(), 1);
}

static void second_gateway_of_another_family_gets_an_offer_of_its_own(void **state)
{
	struct rig *rig = *state;
	struct call_step second = rig_dial("dial pbx 2");
	struct leg *b;

	(void)snprintf(second.codecs.near, sizeof(second.codecs.near), "2001:db8::2");
	b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx"), second));
	fake_leg_end(b, LEG_END_TIMEOUT, 504);
	assert_int_equal(fake_media_created(), 2);
	assert_int_equal(fake_media_count(), 1);
	fake_media_reply(fake_media_last(), "offer-2");
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-2");
}

static void gateway_that_spoke_leaves_a_fresh_session_to_the_next(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx"), rig_dial("dial pbx 2")));

	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "early-b");
	fake_media_reply(fake_media_last(), "early-for-a");
	fake_leg_end(b, LEG_END_REFUSED, 503);
	assert_int_equal(fake_media_created(), 2);
	assert_int_equal(fake_media_count(), 1);
	fake_media_reply(fake_media_last(), "offer-2");
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-2");
}

static void invite_that_cannot_be_built_is_our_trouble(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_dial("dial pbx"), rig_rescue()));
	fake_leg_invite_fails(-22);
	fake_media_reply(fake_media_last(), "offer-for-b");
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-a");
}

static void unanswered_ringing_ends_with_a_cancel_and_480(void **state)
{
	struct rig *rig = *state;
	struct call_step step = rig_dial("dial pbx");
	struct leg *b;

	step.ring_ms = 25 * 1000;
	b = rig_dialling(rig, RIG_PLAN(step, rig_rescue()));
	fake_leg_event(b, LEG_EV_PROVISIONAL, 180, NULL);
	rig_advance(rig, 24 * 1000);
	assert_false(b->released);
	rig_advance(rig, 1100);
	assert_true(b->released);
	assert_non_null(b->farewell_reason);
	assert_true(ended(rig));
	assert_true(rig->a->farewell_status == 480 || rig->a->farewell_status == 408);
	assert_true(rig_ended_with(rig, "no_answer", "us"));
}

static void ringing_has_an_end_even_without_a_configured_one(void **state)
{
	struct rig *rig = *state;

	rig_dialling(rig, RIG_PLAN(rig_loop()));
	rig_advance(rig, 181 * 1000);
	assert_true(ended(rig));
}

/* ---- media ---- */

static void offer_at_fault_gets_488_and_a_warning(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_loop(), rig_rescue()));
	fake_media_refuse(fake_media_last(), MEDIA_A, 488);
	assert_true(ended(rig));
	assert_int_equal(rig->a->farewell_status, 488);
	assert_non_null(
		strstr(rig->a->farewell_headers, "Warning: 399 breakout \"no 'common' codec\"\n"));
	assert_true(rig_ended_with(rig, "not_acceptable", "us"));
}

static void loop_without_media_resources_goes_on_untouched(void **state)
{
	struct rig *rig = *state;

	fake_media_create_fails(-28);
	rig_start(rig, "offer-a", RIG_PLAN(rig_loop()));
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-a");
	fake_media_create_fails(0);

	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
	fake_media_offer_fails(-12);
	rig_start(rig, "offer-a", RIG_PLAN(rig_loop()));
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-a");
	assert_int_equal(fake_media_count(), 0);

	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
	rig_start(rig, "offer-a", RIG_PLAN(rig_loop()));
	fake_media_refuse(fake_media_last(), MEDIA_A, 503);
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-a");
}

static void silent_media_room_does_not_hold_a_loop(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_loop()));
	rig_advance(rig, 5100);
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-a");
	assert_int_equal(fake_media_count(), 0);
}

static void trunk_without_media_resources_falls_to_the_rescue(void **state)
{
	struct rig *rig = *state;

	fake_media_create_fails(-28);
	rig_start(rig, "offer-a", RIG_PLAN(rig_dial("dial pbx"), rig_rescue()));
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-a");
}

static void answer_without_media_resources_is_refused_with_5xx(void **state)
{
	struct rig *rig = *state;

	fake_media_create_fails(-28);
	rig_start(rig, "offer-a", RIG_PLAN(rig_answer()));
	assert_true(ended(rig));
	assert_true(rig->a->farewell_status >= 500);
	assert_true(rig_ended_with(rig, "overload", "us"));
}

static void failed_media_before_the_invite_lets_a_loop_go_on(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_loop()));
	fake_media_event(fake_media_last(), MEDIA_EV_FAILED, MEDIA_A, NULL);
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-a");
}

static void failed_media_while_ringing_is_trouble(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx"), rig_rescue()));

	fake_media_event(fake_media_last(), MEDIA_EV_FAILED, MEDIA_B, NULL);
	assert_true(b->released);
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-a");
}

static void failed_media_ends_a_talking_call_on_both_sides(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_dial("dial pbx"), rig_rescue()));

	fake_media_event(fake_media_last(), MEDIA_EV_FLOWING, MEDIA_A, NULL);
	fake_media_event(fake_media_last(), MEDIA_EV_FAILED, MEDIA_B, NULL);
	assert_true(ended(rig));
	assert_true(b->released && rig->a->released);
	assert_true(rig_ended_with(rig, "media_failed", "us"));
}

static void silence_ends_a_talking_call(void **state)
{
	struct rig *rig = *state;

	rig_talking(rig, RIG_PLAN(rig_loop()));
	fake_media_event(fake_media_last(), MEDIA_EV_SILENT, MEDIA_A, NULL);
	assert_true(rig_ended_with(rig, "media_silent", "us"));
	assert_true(ended(rig));
}

static void refused_answer_of_b_ends_with_488(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	fake_media_refuse(fake_media_last(), MEDIA_B, 488);
	assert_true(b->released && b->acked);
	assert_int_equal(rig->a->farewell_status, 488);
}

static void answer_without_sdp_ends_the_step(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx")));

	fake_leg_event(b, LEG_EV_ANSWERED, 200, NULL);
	assert_true(ended(rig));
	assert_true(rig_ended_with(rig, "media_failed", "us"));
}

static void media_that_never_turns_the_answer_ends_the_call(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	rig_advance(rig, 5100);
	assert_true(ended(rig));
	assert_true(b->released);
}

/* ---- races ---- */

static void cancel_before_b_is_invited(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_loop()));
	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
	assert_true(ended(rig));
	assert_int_equal(fake_media_count(), 0);
	assert_int_equal(fake_leg_invite_count(), 0);
	assert_true(rig_ended_with(rig, "cancelled", "a"));
}

static void cancel_while_ringing_cancels_b(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_PROVISIONAL, 180, NULL);
	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
	assert_true(b->released);
	assert_int_equal(fake_media_count(), 0);
}

static void answer_that_crosses_the_cancel_is_let_go(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
	assert_true(ended(rig));
	assert_true(b->released);
	assert_true(rig_ended_with(rig, "cancelled", "a"));
	assert_null(fake_leg_did(rig->a));
}

static void a_hangs_up_before_its_ack(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	fake_media_reply(fake_media_last(), "answer-for-a");
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	assert_true(ended(rig));
	assert_true(rig_ended_with(rig, "normal", "a"));
}

static void both_hang_up_at_once(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_end(rig->a, LEG_END_BYE, 200);
	fake_leg_end(b, LEG_END_BYE, 200);
	assert_true(ended(rig));
	assert_int_equal(rig->ends, 1);
}

static void b_hangs_up_while_a_waits_for_its_answer(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	fake_leg_end(b, LEG_END_BYE, 200);
	assert_true(ended(rig));
	assert_true(rig_ended_with(rig, "normal", "b"));
	assert_int_equal(rig->a->farewell_status, 480);
}

static void a_that_never_acknowledges_is_dropped(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	fake_media_reply(fake_media_last(), "answer-for-a");
	fake_leg_end(rig->a, LEG_END_NO_ACK, 408);
	assert_true(rig_ended_with(rig, "dialog_lost", "a"));
	assert_true(ended(rig));
}

static void leg_that_reports_no_end_is_dropped_by_the_timer(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	fake_media_reply(fake_media_last(), "answer-for-a");
	rig_advance(rig, 41 * 1000);
	assert_true(ended(rig));
}

static void reinvite_before_the_ack_gets_491(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	fake_leg_event(b, LEG_EV_OFFER, 0, "re-offer-b");
	assert_did(b, FAKE_LEG_OFFER_REFUSE, 491, NULL);
	assert_false(ended(rig));
}

static void lost_dialog_ends_the_other_leg(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_end(b, LEG_END_LOST, 481);
	assert_true(rig->a->released);
	assert_true(rig_ended_with(rig, "dialog_lost", "b"));
}

static void no_call_outlives_the_limit(void **state)
{
	struct rig *rig = *state;

	rig_talking(rig, RIG_PLAN(rig_loop()));
	rig_advance(rig, 4 * 3600 * 1000 - 2000);
	assert_false(ended(rig));
	rig_advance(rig, 3000);
	assert_true(ended(rig));
	assert_true(rig_ended_with(rig, "time_limit", "us"));
}

static void every_state_has_a_timer(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_dial("incoming")));
	rig_dialling(rig, RIG_PLAN(rig_dial("dialling")));
	fake_leg_event(rig_dialling(rig, RIG_PLAN(rig_dial("answering"))), LEG_EV_ANSWERED, 200,
		       "x");
	rig_talking(rig, RIG_PLAN(rig_dial("talking")));
	assert_int_equal(call_room_count(rig->room), 4);
	for (int i = 0; i < 5 * 3600; i++)
		rig_advance(rig, 1000);
	assert_int_equal(call_room_count(rig->room), 0);
}

/* ---- any order of events ---- */

#ifdef __SANITIZE_ADDRESS__
#define SEEDS 20000 /* each costs five times as much */
#else
#define SEEDS 100000
#endif

static unsigned dice_state;

static unsigned dice(unsigned sides)
{
	dice_state = dice_state * 1103515245u + 12345u;
	return (dice_state >> 16) % sides;
}

static const char *some_sdp(void)
{
	static const char *const texts[] = { NULL, "one", "two", "three" };

	return texts[dice(4)];
}

static void leg_rolls(struct leg *leg)
{
	static const int refusals[] = { 302, 401, 404, 480, 486, 487, 488, 500, 503, 603 };

	if (!leg || leg->released || leg->ended)
		return;
	switch (dice(14)) {
	case 11:
		if (leg->answered && !leg->refer_asked)
			fake_leg_refer(leg, "201", NULL);
		break;
	case 12:
		if (leg->answered && !leg->inform_in)
			fake_leg_info(leg, "application/dtmf-relay", "Signal=1");
		break;
	case 13:
		if (leg->inform_out)
			fake_leg_event(leg, LEG_EV_INFO_ANSWERED, 200, NULL);
		break;
	case 8:
		if (leg->outgoing && !leg->answered)
			fake_leg_reliable(leg, 180 + (int)dice(4), some_sdp());
		break;
	case 9:
		if (!leg->outgoing && !leg->answered)
			fake_leg_event(leg, LEG_EV_PRACKED, 200, some_sdp());
		break;
	case 10:
		if ((leg->answered || leg->agreed_early) && !leg->offer_in && !leg->offer_out)
			fake_leg_update(leg, "update");
		break;
	case 0:
		if (leg->outgoing && !leg->answered)
			fake_leg_event(leg, LEG_EV_PROVISIONAL, 180 + (int)dice(4), some_sdp());
		break;
	case 1:
		if (leg->outgoing && !leg->answered)
			fake_leg_event(leg, LEG_EV_ANSWERED, 200, some_sdp());
		break;
	case 2:
		if (!leg->outgoing && leg->answered && !leg->confirmed)
			fake_leg_event(leg, LEG_EV_CONFIRMED, 0, some_sdp());
		break;
	case 3:
		if (leg->answered && !leg->offer_in && !leg->offer_out)
			fake_leg_event(leg, LEG_EV_OFFER, 0, some_sdp());
		break;
	case 4:
	case 5:
		if (leg->offer_out)
			fake_leg_event(leg, LEG_EV_OFFER_ANSWERED, dice(3) ? 200 : 488, some_sdp());
		break;
	case 6:
		if (dice(4) == 0)
			fake_leg_end(leg,
				     !leg->answered ? leg->outgoing ? dice(2) ? LEG_END_REFUSED
									      : LEG_END_TIMEOUT
								    : LEG_END_CANCELLED
						    : LEG_END_BYE,
				     refusals[dice(ARRAY_SIZE(refusals))]);
		break;
	default:
		break;
	}
}

static struct leg *some_b(void)
{
	size_t count = fake_leg_invite_count();

	return count ? fake_leg_out(dice((unsigned)count)) : NULL;
}

static void media_rolls(void)
{
	size_t count = fake_media_count();
	struct media_session *session;

	if (!count)
		return;
	session = fake_media_nth(dice((unsigned)count));
	switch (dice(12)) {
	case 0:
		fake_media_event(session, MEDIA_EV_FLOWING, dice(2), NULL);
		break;
	case 1:
		if (dice(8) == 0)
			fake_media_event(session, MEDIA_EV_FAILED, dice(2), NULL);
		break;
	case 2:
		if (dice(8) == 0)
			fake_media_event(session, MEDIA_EV_SILENT, dice(2), NULL);
		break;
	case 3:
		if (session->due)
			fake_media_refuse(session, dice(2), dice(3) ? 488 : 503);
		break;
	case 4:
		if (session->kind[MEDIA_B] == MEDIA_LEG_LOCAL && !session->due)
			fake_media_event(session, dice(2) ? MEDIA_EV_PLAYED : MEDIA_EV_RECORDED,
					 MEDIA_B, NULL);
		break;
	default:
		(void)fake_media_reply(session, dice(2) ? "text one" : "text two");
		break;
	}
}

static long taken; /* targets in a call */

static void count_taken(const char *target, enum call_target_news news, void *arg)
{
	(void)target;
	(void)arg;
	taken += news == CALL_TARGET_TAKEN ? 1 : -1;
}

static struct call_step some_target(bool first)
{
	struct call_step step;

	switch (dice(4)) {
	case 0:
		return rig_passed();
	case 1:
		return rig_loop();
	default:
		step = rig_dial("target");
		step.target_name = strdup("phone");
		step.only_after_trouble = !first && dice(4) == 0;
		step.after_ms = dice(3) ? 0 : dice(40000);
		step.ring_ms = dice(3) ? 0 : 1 + dice(40000);
		return step;
	}
}

static struct call_step some_ring(void)
{
	struct call_step targets[4], ring;
	unsigned count = 1 + dice(4);

	for (unsigned i = 0; i < count; i++)
		targets[i] = some_target(i == 0);
	ring = rig_ring(targets, count);
	ring.in_sequence = dice(3) == 0;
	return ring;
}

static struct call_plan *some_plan_ahead(void)
{
	switch (dice(5)) {
	case 0:
		return RIG_PLAN(rig_announce_ahead(), rig_dial("dial 1"), rig_loop());
	case 1:
		return RIG_PLAN(rig_announce_ahead(), some_ring(), rig_answer(), rig_rescue());
	case 2:
		return RIG_PLAN(rig_announce_ahead(), rig_announce_ahead(), rig_passed(),
				rig_announced_reject(dice(2)));
	case 3:
		return RIG_PLAN(rig_announce(), rig_announce_ahead(), rig_dial("dial 1"),
				rig_play());
	default:
		return RIG_PLAN(rig_dial("dial 1"), rig_announce_ahead(), rig_announce(),
				rig_dial("dial 2"), rig_rescue());
	}
}

static struct call_plan *some_plan(void)
{
	switch (dice(13)) {
	case 10:
	case 11:
	case 12:
		return some_plan_ahead();
	case 6:
		return RIG_PLAN(some_ring());
	case 7:
		return RIG_PLAN(some_ring(), rig_rescue());
	case 8:
		return RIG_PLAN(some_ring(), some_ring(), rig_rescue());
	case 9:
		return RIG_PLAN(rig_dial("dial 1"), some_ring(), rig_answer(), rig_rescue());
	case 0:
		return RIG_PLAN(rig_loop());
	case 1:
		return RIG_PLAN(rig_passed());
	case 2:
		if (dice(2))
			return RIG_PLAN(rig_announce(), rig_dial("dial 1"), rig_play(),
					rig_rescue());
		return RIG_PLAN(rig_dial("dial 1"), rig_dial("dial 2"), rig_rescue());
	case 3:
		return RIG_PLAN(rig_dial("dial 1"), rig_answer(), rig_rescue());
	case 4:
		return RIG_PLAN(dice(2) ? rig_answer() : rig_play(), rig_rescue());
	default:
		return RIG_PLAN(rig_dial("dial 1"),
				dice(2) ? rig_reject(480) : rig_announced_reject(dice(2)));
	}
}

static struct call_plan *some_transfer(const struct call_transfer *transfer,
				       struct call_refusal *ret_refusal, void *arg)
{
	(void)transfer;
	(void)arg;
	ret_refusal->status = 403;
	return dice(4) ? RIG_PLAN(rig_dial("dial pbx"), rig_dial("dial pbx/2")) : NULL;
}

static struct leg *newcomer; /* who named a dialog last */

/* Somebody takes the place of a leg, or picks up where it rings. */
static void somebody_replaces(struct rig *rig)
{
	struct leg *named = dice(3) ? some_b() : rig->a;
	enum leg_stage stage;

	if (!named || named->released || named->ended)
		return;
	stage = named->answered   ? LEG_STAGE_TALKING
		: named->outgoing ? LEG_STAGE_RINGING
				  : LEG_STAGE_BETWEEN;
	fake_leg_named(named, stage, dice(6) == 0);
	newcomer = fake_leg_incoming("201", "202", dice(6) ? "offer-n" : NULL);
	fake_leg_say(newcomer, &newcomer->info.replaces, "c@h;to-tag=1;from-tag=2");
	call_replace(rig->room, newcomer);
}

static unsigned long steps_taken;

static void one_random_call(struct rig *rig, unsigned seed)
{
	dice_state = seed;
	rig->rel100 = (enum leg_100rel)dice(3);
	fake_media_create_fails(dice(10) ? 0 : -28);
	call_room_on_transfer(rig->room, some_transfer, NULL);
	rig_start(rig, dice(4) ? "offer-a" : NULL, some_plan());
	for (unsigned i = 0; i < 60 && call_room_count(rig->room); i++) {
		steps_taken++;
		switch (dice(5)) {
		case 0:
		case 1:
			leg_rolls(some_b());
			break;
		case 2:
			leg_rolls(dice(3) ? rig->a : newcomer);
			break;
		case 3:
			media_rolls();
			break;
		default:
			if (dice(6) == 0)
				rig_advance(rig, 1 + (mono_ms)dice(60000));
			else if (dice(6) == 0)
				somebody_replaces(rig);
			break;
		}
	}
	/* Whatever happened: left alone, it ends. */
	rig_advance(rig, 4 * 3600 * 1000 + 1000);
	rig_advance(rig, 1000);
	if (call_room_count(rig->room) || fake_media_count() || fake_leg_live_count() || taken)
		fail_msg("seed %u: a call, session, leg or target is left", seed);
	fake_legs_reset();
	newcomer = NULL;
}

static void any_order_of_events_ends_every_call_once(void **state)
{
	struct rig *rig = *state;
	const char *seeds = getenv("BREAKOUT_SEEDS");
	unsigned count = seeds ? (unsigned)strtoul(seeds, NULL, 10) : SEEDS;

	call_room_on_target(rig->room, count_taken, NULL);
	for (unsigned seed = 1; seed <= count; seed++) {
		one_random_call(rig, seed);
		if (rig->ends != seed)
			fail_msg("seed %u: %u ends", seed, rig->ends);
	}
	print_message("%u calls, %lu steps\n", count, steps_taken);
	assert_true(steps_taken >= 10 * (unsigned long)count);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(anchored_call_carries_each_sdp_through_the_session),
		T(passed_through_call_has_no_session_and_untouched_sdp),
		T(delayed_offer_travels_in_2xx_and_ack_when_passed_through),
		T(delayed_offer_travels_through_the_session),
		T(ack_without_the_answer_it_owes_ends_both_legs),
		T(answer_in_the_ack_that_media_will_not_take_ends_the_call),
		T(step_after_a_skipped_one_is_tried),
		T(another_address_is_tried_after_a_status_it_stands_in_for),
		T(another_address_is_not_tried_once_the_first_rang),
		T(a_full_trunk_is_passed_by),
		T(a_full_trunk_without_another_is_overload),
		T(answer_step_answers_from_a_local_side),
		T(answer_step_offers_when_the_caller_did_not),
		T(reject_step_refuses_with_its_status_and_phrase),
		T(call_ends_normally_when_its_sound_is_over),
		T(sound_that_is_over_before_the_ack_ends_the_call),
		T(announcement_is_early_media_before_the_rejection),
		T(announcement_that_nobody_can_hear_does_not_hold_the_rejection),
		T(caller_that_gives_up_during_an_announcement_gets_487),
		T(rejection_may_be_told_in_an_answered_call),
		T(rejection_without_its_announcement_is_the_same),
		T(call_goes_on_after_an_announcement_in_the_same_session),
		T(gateway_that_fails_after_an_announcement_is_turned_from_too),
		T(rescue_after_an_announcement_keeps_what_the_caller_was_told),
		T(announcement_that_cannot_be_played_is_passed_over),
		T(announcement_with_nothing_behind_it_ends_unanswered),
		T(refusal_of_b_reaches_a_with_its_reason),
		T(refusal_of_leg_3_keeps_unknown_headers),
		T(busy_callee_moves_on_to_the_next_step),
		T(busy_callee_is_not_rescued),
		T(trouble_is_rescued_by_a_passed_through_loop),
		T(challenge_of_a_trunk_never_reaches_the_caller),
		T(redirection_is_not_followed_and_not_passed_on),
		T(redirection_of_leg_3_is_for_leg_2),
		T(dead_next_hop_shows_the_legs_status),
		T(second_gateway_gets_the_offer_the_dead_one_did_not_answer),
		T(second_gateway_of_another_family_gets_an_offer_of_its_own),
		T(gateway_that_spoke_leaves_a_fresh_session_to_the_next),
		T(invite_that_cannot_be_built_is_our_trouble),
		T(unanswered_ringing_ends_with_a_cancel_and_480),
		T(ringing_has_an_end_even_without_a_configured_one),
		T(offer_at_fault_gets_488_and_a_warning),
		T(loop_without_media_resources_goes_on_untouched),
		T(silent_media_room_does_not_hold_a_loop),
		T(trunk_without_media_resources_falls_to_the_rescue),
		T(answer_without_media_resources_is_refused_with_5xx),
		T(failed_media_before_the_invite_lets_a_loop_go_on),
		T(failed_media_while_ringing_is_trouble),
		T(failed_media_ends_a_talking_call_on_both_sides),
		T(silence_ends_a_talking_call),
		T(refused_answer_of_b_ends_with_488),
		T(answer_without_sdp_ends_the_step),
		T(media_that_never_turns_the_answer_ends_the_call),
		T(cancel_before_b_is_invited),
		T(cancel_while_ringing_cancels_b),
		T(answer_that_crosses_the_cancel_is_let_go),
		T(a_hangs_up_before_its_ack),
		T(both_hang_up_at_once),
		T(b_hangs_up_while_a_waits_for_its_answer),
		T(a_that_never_acknowledges_is_dropped),
		T(leg_that_reports_no_end_is_dropped_by_the_timer),
		T(reinvite_before_the_ack_gets_491),
		T(lost_dialog_ends_the_other_leg),
		T(no_call_outlives_the_limit),
		T(every_state_has_a_timer),
		T(any_order_of_events_ends_every_call_once),
	};

	return cmocka_run_group_tests_name("tas/call/call_state", tests, NULL, NULL);
}
