/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/call_rig.h"

static void provisionals_reach_a_in_order_with_their_sdp(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "early-b");
	fake_leg_event(b, LEG_EV_PROVISIONAL, 180, NULL);
	fake_leg_event(b, LEG_EV_PROVISIONAL, 181, NULL);
	assert_null(fake_leg_did(rig->a)); /* nobody overtakes the 183 */
	fake_media_reply(fake_media_last(), "early-for-a");

	assert_int_equal(fake_leg_did_nth(rig->a, 0)->status, 183);
	assert_string_equal(fake_leg_did_nth(rig->a, 0)->sdp, "early-for-a");
	assert_int_equal(fake_leg_did_nth(rig->a, 1)->status, 180);
	assert_null(fake_leg_did_nth(rig->a, 1)->sdp);
	assert_int_equal(fake_leg_did_nth(rig->a, 2)->status, 181);
}

static void answer_waits_behind_an_early_one_in_the_media_room(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "early-b");
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "other-b");
	assert_true(b->acked);
	assert_string_equal(fake_media_last()->near[MEDIA_B], "192.0.2.1:5061"); /* its SIP is */
	fake_media_reply(fake_media_last(), "early-for-a");
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, "early-for-a");
	fake_media_reply(fake_media_last(), "other-for-a");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "other-for-a");
}

/* A fork: media follows who sent SDP last, and the 2xx decides. */
static void each_early_dialogs_sdp_goes_to_the_media_room(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "early-1");
	fake_media_reply(fake_media_last(), "for-a");
	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "early-2");
	assert_true(fake_media_reply(fake_media_last(), "for-a"));
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, "for-a");
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "early-1");
	assert_true(fake_media_reply(fake_media_last(), "for-a"));
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "for-a");
	assert_int_equal(fake_media_last()->answers, 3);
}

static void answer_that_repeats_the_early_one_needs_no_media(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "same-b");
	fake_media_reply(fake_media_last(), "same-for-a");
	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "same-b");
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, "same-for-a");
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "same-b");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "same-for-a");
	assert_int_equal(fake_media_last()->answers, 1);
}

static void answer_without_sdp_stands_on_the_early_one(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "early-b");
	fake_media_reply(fake_media_last(), "early-for-a");
	fake_leg_event(b, LEG_EV_ANSWERED, 200, NULL);
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "early-for-a");
}

static void early_sdp_that_cannot_be_served_is_left_out(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "bad-b");
	fake_media_refuse(fake_media_last(), MEDIA_B, 488);
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, NULL);
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "good-b");
	fake_media_reply(fake_media_last(), "good-for-a");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "good-for-a");
}

static void sdp_out_of_order_is_left_out_of_an_18x_and_ends_a_2xx(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx"), rig_rescue()));

	fake_media_answer_fails(-22);
	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "early-b");
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, NULL);
	fake_media_answer_fails(-22);
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	assert_true(b->released && b->acked);
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-a");
}

static void refused_early_sdp_is_not_answered_from_memory(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "good-b");
	fake_media_reply(fake_media_last(), "good-for-a");
	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "bad-b");
	fake_media_refuse(fake_media_last(), MEDIA_B, 488);
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "bad-b");
	assert_int_equal(fake_media_last()->answers, 3);
}

static void passed_through_provisionals_keep_their_sdp(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_passed()));
	fake_leg_event(fake_leg_last(), LEG_EV_PROVISIONAL, 183, "early-b");
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, "early-b");
}

static void leg_3_keeps_headers_of_its_responses(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));
	struct sip_headers headers = { 0 };

	assert_int_equal(sip_headers_add(&headers, "Session-ID", "abc"), 0);
	fake_leg_event_headers(b, LEG_EV_PROVISIONAL, 180, NULL, &headers);
	assert_string_equal(fake_leg_did(rig->a)->headers, "Session-ID: abc\n");
	fake_leg_event_headers(b, LEG_EV_ANSWERED, 200, "answer-b", &headers);
	sip_headers_done(&headers);
	fake_media_reply(fake_media_last(), "answer-for-a");
	assert_string_equal(fake_leg_did(rig->a)->headers, "Session-ID: abc\n");
}

static void trunk_tells_the_caller_nothing_but_reasons(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx")));
	struct sip_headers headers = { 0 };

	assert_int_equal(sip_headers_add(&headers, "P-Asserted-Identity", "<sip:boss@pbx>"), 0);
	fake_leg_event_headers(b, LEG_EV_PROVISIONAL, 180, NULL, &headers);
	sip_headers_done(&headers);
	assert_string_equal(fake_leg_did(rig->a)->headers, "");
}

static void flood_of_provisionals_is_bounded_and_loses_no_answer(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	for (int i = 0; i < 1000; i++)
		fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "early-b");
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "early-b");
	fake_media_reply(fake_media_last(), "early-for-a");
	assert_int_equal(rig->a->done_count, 17);
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "early-for-a");
}

static void early_answer_stuck_in_media_frees_the_caller(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx"), rig_rescue()));

	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "early-b");
	rig_advance(rig, 5100);
	assert_true(b->released);
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-a");
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

static bool was_reliable(const struct leg *leg)
{
	return fake_leg_did(leg)->what == FAKE_LEG_PROVISIONAL && fake_leg_did(leg)->reliably;
}

static void a_loop_is_as_reliable_as_the_core(void **state)
{
	struct rig *rig = *state;
	struct leg *b;

	rig->rel100 = LEG_100REL_REQUIRED;
	b = rig_dialling(rig, RIG_PLAN(rig_loop()));
	assert_int_equal(b->info.rel100, LEG_100REL_REQUIRED);
	fake_leg_event(b, LEG_EV_PROVISIONAL, 180, NULL);
	assert_false(was_reliable(rig->a)); /* the leg itself knows what A requires */
	fake_leg_reliable(b, 183, "early-b");
	fake_media_reply(fake_media_last(), "early-for-a");
	assert_true(was_reliable(rig->a));
	fake_leg_event(b, LEG_EV_ANSWERED, 200, NULL);
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "early-for-a");
}

static void a_trunk_need_not_be_reliable_but_its_sdp_becomes_so(void **state)
{
	struct rig *rig = *state;
	struct leg *b;

	rig->rel100 = LEG_100REL_REQUIRED;
	b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx")));
	assert_int_equal(b->info.rel100, LEG_100REL_SUPPORTED);
	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "early-b");
	fake_media_reply(fake_media_last(), "early-for-a");
	assert_true(was_reliable(rig->a));
}

static void what_another_step_may_replace_is_not_promised(void **state)
{
	struct rig *rig = *state;
	struct leg *b;

	rig->rel100 = LEG_100REL_SUPPORTED;
	b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx"), rig_loop()));
	fake_leg_reliable(b, 183, "early-b");
	fake_media_reply(fake_media_last(), "early-for-a");
	assert_false(was_reliable(rig->a));
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, "early-for-a");
}

static void who_requires_reliability_hears_no_sdp_that_may_be_replaced(void **state)
{
	struct rig *rig = *state;
	struct leg *b;

	rig->rel100 = LEG_100REL_REQUIRED;
	b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx"), rig_loop()));
	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "early-b");
	fake_media_reply(fake_media_last(), "early-for-a");
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, NULL);
}

static void a_delayed_offer_in_an_18x_is_answered_in_the_prack(void **state)
{
	struct rig *rig = *state;
	struct leg *b;

	rig->rel100 = LEG_100REL_SUPPORTED;
	rig_start(rig, NULL, RIG_PLAN(rig_loop()));
	b = fake_leg_last();
	fake_leg_reliable(b, 183, "offer-b");
	assert_true(fake_media_reply(fake_media_last(), "offer-for-a"));
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, "offer-for-a");
	assert_true(was_reliable(rig->a));
	fake_leg_event(rig->a, LEG_EV_PRACKED, 200, "answer-a");
	assert_true(fake_media_reply(fake_media_last(), "answer-for-b"));
	assert_did(b, FAKE_LEG_PRACK, 0, "answer-for-b");
	fake_leg_reliable(b, 180, NULL);
	fake_leg_event(b, LEG_EV_ANSWERED, 200, NULL);
	assert_true(b->acked); /* nothing is left to say in the ACK */
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, NULL);
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	assert_int_equal(call_room_count(rig->room), 1);
}

static void a_delayed_offer_is_passed_through_both_ways(void **state)
{
	struct rig *rig = *state;
	struct leg *b;

	rig->rel100 = LEG_100REL_SUPPORTED;
	rig_start(rig, NULL, RIG_PLAN(rig_passed()));
	b = fake_leg_last();
	fake_leg_reliable(b, 183, "offer-b");
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, "offer-b");
	fake_leg_event(rig->a, LEG_EV_PRACKED, 200, "answer-a");
	assert_did(b, FAKE_LEG_PRACK, 0, "answer-a");
	fake_leg_event(b, LEG_EV_ANSWERED, 200, NULL);
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, NULL);
}

static void a_prack_without_its_answer_fails_the_call(void **state)
{
	struct rig *rig = *state;
	struct leg *b;

	rig->rel100 = LEG_100REL_SUPPORTED;
	rig_start(rig, NULL, RIG_PLAN(rig_loop()));
	b = fake_leg_last();
	fake_leg_reliable(b, 183, "offer-b");
	fake_media_reply(fake_media_last(), "offer-for-a");
	fake_leg_event(rig->a, LEG_EV_PRACKED, 200, NULL);
	assert_true(b->released && rig->a->released);
}

static void an_answer_passed_through_is_kept_for_a_2xx_without_one(void **state)
{
	struct rig *rig = *state;
	struct leg *b;

	rig->rel100 = LEG_100REL_NONE; /* A has it as a preview only */
	rig_start(rig, "offer-a", RIG_PLAN(rig_passed()));
	b = fake_leg_last();
	fake_leg_reliable(b, 183, "answer-b");
	fake_leg_event(b, LEG_EV_ANSWERED, 200, NULL);
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(provisionals_reach_a_in_order_with_their_sdp),
		T(answer_waits_behind_an_early_one_in_the_media_room),
		T(answer_that_repeats_the_early_one_needs_no_media),
		T(each_early_dialogs_sdp_goes_to_the_media_room),
		T(answer_without_sdp_stands_on_the_early_one),
		T(early_sdp_that_cannot_be_served_is_left_out),
		T(sdp_out_of_order_is_left_out_of_an_18x_and_ends_a_2xx),
		T(refused_early_sdp_is_not_answered_from_memory),
		T(passed_through_provisionals_keep_their_sdp),
		T(leg_3_keeps_headers_of_its_responses),
		T(trunk_tells_the_caller_nothing_but_reasons),
		T(flood_of_provisionals_is_bounded_and_loses_no_answer),
		T(early_answer_stuck_in_media_frees_the_caller),
		T(a_loop_is_as_reliable_as_the_core),
		T(a_trunk_need_not_be_reliable_but_its_sdp_becomes_so),
		T(what_another_step_may_replace_is_not_promised),
		T(who_requires_reliability_hears_no_sdp_that_may_be_replaced),
		T(a_delayed_offer_in_an_18x_is_answered_in_the_prack),
		T(a_delayed_offer_is_passed_through_both_ways),
		T(a_prack_without_its_answer_fails_the_call),
		T(an_answer_passed_through_is_kept_for_a_2xx_without_one),
	};

	return cmocka_run_group_tests_name("tas/call/early", tests, NULL, NULL);
}
