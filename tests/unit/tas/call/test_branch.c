/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/call_rig.h"

#define ELSEWHERE "SIP;cause=200;text=\"Call completed elsewhere\""

static bool ended(const struct rig *rig)
{
	return call_room_count(rig->room) == 0;
}

/* Every session that has an offer to make makes it. */
static void offers_made(void)
{
	for (size_t i = 0; i < fake_media_count(); i++)
		(void)fake_media_reply(fake_media_nth(i), i ? "offer-for-b2" : "offer-for-b1");
}

/* A call whose targets all ring. */
static void rig_ringing(struct rig *rig, struct call_plan *plan)
{
	rig_start(rig, "offer-a", plan);
	offers_made();
}

static void two_ring(struct rig *rig)
{
	rig_ringing(rig, RIG_PLAN(RIG_RING(rig_dial("dial pbx"), rig_loop())));
	assert_int_equal(fake_leg_invite_count(), 2);
}

static size_t provisionals(const struct leg *a)
{
	size_t count = 0;

	for (size_t i = 0; fake_leg_did_nth(a, i); i++)
		count += fake_leg_did_nth(a, i)->what == FAKE_LEG_PROVISIONAL;
	return count;
}

/* The record of the only call. */
static void assert_cdr_has(struct rig *rig, const char *wanted)
{
	char text[8192];
	FILE *file;
	size_t n;

	rig->room = call_room_destroy(rig->room); /* what is written is on the disk then */
	file = fopen(rig->cdr, "r");
	assert_non_null(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	if (!strstr(text, wanted))
		fail_msg("wanted %s in %s", wanted, text);
}

/* ---- one answers ---- */

static void each_target_rings_with_a_leg_and_a_session_of_its_own(void **state)
{
	struct rig *rig = *state;

	two_ring(rig);
	assert_int_equal(fake_media_count(), 2);
	assert_int_equal(fake_media_nth(0)->kind[MEDIA_B], MEDIA_LEG_RTP);
	assert_int_equal(fake_media_nth(1)->kind[MEDIA_B], MEDIA_LEG_WEBRTC);
	assert_string_equal(leg_info(fake_leg_out(0))->sdp, "offer-for-b1");
	assert_string_equal(leg_info(fake_leg_out(1))->sdp, "offer-for-b2");
}

static void first_to_answer_has_the_call_and_the_others_know_why_they_stop(void **state)
{
	struct rig *rig = *state;
	struct leg *pbx, *mobile;

	two_ring(rig);
	pbx = fake_leg_out(0);
	mobile = fake_leg_out(1);
	fake_leg_event(mobile, LEG_EV_PROVISIONAL, 180, NULL);
	fake_leg_event(pbx, LEG_EV_ANSWERED, 200, "answer-pbx");
	assert_false(mobile->released);
	assert_true(fake_media_reply(fake_media_nth(0), "answer-for-a"));
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-for-a");
	assert_true(mobile->released && !pbx->released);
	assert_string_equal(mobile->farewell_reason, ELSEWHERE);
	assert_int_equal(fake_media_count(), 1);
	assert_int_equal(fake_media_last()->kind[MEDIA_B], MEDIA_LEG_RTP);
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	fake_leg_end(pbx, LEG_END_BYE, 200);
	assert_true(rig_ended_with(rig, "normal", "b"));
	assert_non_null(strstr(rig->end_line, "step=\"dial pbx\""));
}

static void second_to_answer_is_let_go(void **state)
{
	struct rig *rig = *state;

	two_ring(rig);
	fake_leg_event(fake_leg_out(1), LEG_EV_ANSWERED, 200, "answer-mobile");
	fake_leg_event(fake_leg_out(0), LEG_EV_ANSWERED, 200, "answer-pbx");
	assert_true(fake_leg_out(0)->released); /* leg_release() acknowledges and hangs up */
	assert_string_equal(fake_leg_out(0)->farewell_reason, ELSEWHERE);
	assert_false(fake_leg_out(1)->released);
	assert_true(fake_media_reply(fake_media_last(), "answer-for-a"));
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-for-a");
}

static void passed_through_target_and_pbx_ring_together(void **state)
{
	struct rig *rig = *state;

	rig_ringing(rig, RIG_PLAN(RIG_RING(rig_dial("dial pbx"), rig_passed())));
	assert_int_equal(fake_media_count(), 1);
	assert_string_equal(leg_info(fake_leg_out(0))->sdp, "offer-a");
	fake_leg_event(fake_leg_out(0), LEG_EV_ANSWERED, 200, "answer-mobile");
	assert_int_equal(fake_media_count(), 0);
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-mobile");
	assert_string_equal(fake_leg_out(1)->farewell_reason, ELSEWHERE);
}

static void delayed_offer_comes_from_whoever_answers(void **state)
{
	struct rig *rig = *state;
	struct leg *b;

	rig_start(rig, NULL, RIG_PLAN(RIG_RING(rig_dial("dial pbx"), rig_loop())));
	assert_int_equal(fake_leg_invite_count(), 2);
	b = fake_leg_out(1);
	assert_null(leg_info(b)->sdp);
	fake_leg_event(b, LEG_EV_ANSWERED, 200, "offer-b");
	assert_true(fake_media_reply(fake_media_last(), "offer-for-a"));
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "offer-for-a");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, "answer-a");
	assert_true(fake_media_reply(fake_media_last(), "answer-for-b"));
	assert_did(b, FAKE_LEG_ACK, 0, "answer-for-b");
}

static void others_still_ring_when_an_answer_cannot_be_used(void **state)
{
	struct rig *rig = *state;

	two_ring(rig);
	fake_leg_event(fake_leg_out(0), LEG_EV_ANSWERED, 200, "answer-pbx");
	fake_media_refuse(fake_media_nth(0), MEDIA_B, 488);
	assert_true(fake_leg_out(0)->released);
	assert_false(fake_leg_out(1)->released);
	assert_int_equal(fake_media_count(), 1);
	fake_leg_event(fake_leg_out(1), LEG_EV_PROVISIONAL, 183, "early-mobile");
	assert_true(fake_media_reply(fake_media_last(), "early-for-a"));
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, "early-for-a");
	fake_leg_event(fake_leg_out(1), LEG_EV_ANSWERED, 200, "early-mobile");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "early-for-a");
}

static void others_still_ring_when_an_answer_is_taken_back(void **state)
{
	struct rig *rig = *state;

	two_ring(rig);
	fake_leg_event(fake_leg_out(0), LEG_EV_ANSWERED, 200, "answer-pbx");
	fake_leg_event(fake_leg_out(1), LEG_EV_PROVISIONAL, 180, NULL);
	fake_leg_end(fake_leg_out(0), LEG_END_BYE, 200);
	assert_false(ended(rig));
	rig_advance(rig, 26 * 1000);
	assert_true(ended(rig));
	assert_true(fake_leg_out(1)->released);
	assert_true(rig_ended_with(rig, "unavailable", "b") ||
		    rig_ended_with(rig, "no_answer", "us"));
}

static void others_still_ring_when_media_says_nothing_of_an_answer(void **state)
{
	struct rig *rig = *state;

	two_ring(rig);
	fake_leg_event(fake_leg_out(0), LEG_EV_ANSWERED, 200, "answer-pbx");
	rig_advance(rig, 5100);
	assert_true(fake_leg_out(0)->released);
	assert_false(ended(rig) || fake_leg_out(1)->released);
	fake_leg_event(fake_leg_out(1), LEG_EV_ANSWERED, 200, "answer-mobile");
	assert_true(fake_media_reply(fake_media_last(), "answer-for-a"));
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-for-a");
}

static void others_that_refuse_meanwhile_are_counted(void **state)
{
	struct rig *rig = *state;

	two_ring(rig);
	fake_leg_event(fake_leg_out(0), LEG_EV_ANSWERED, 200, "answer-pbx");
	fake_leg_end(fake_leg_out(1), LEG_END_REFUSED, 486);
	assert_false(ended(rig));
	fake_media_refuse(fake_media_nth(0), MEDIA_B, 488);
	assert_true(ended(rig));
	assert_int_equal(rig->a->farewell_status, 486);
}

static void record_lists_each_target_with_its_outcome(void **state)
{
	struct rig *rig = *state;

	rig_ringing(rig, RIG_PLAN(RIG_RING(rig_dial("dial one"), rig_dial("dial two"),
					   rig_dial("dial three"))));
	rig_advance(rig, 300);
	fake_leg_end(fake_leg_out(0), LEG_END_REFUSED, 486);
	rig_advance(rig, 700);
	fake_leg_event(fake_leg_out(2), LEG_EV_ANSWERED, 200, "answer");
	assert_true(fake_media_reply(fake_media_nth(1), "answer-for-a"));
	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
	assert_cdr_has(
		rig, "\"targets\":["
		     "{\"target\":\"dial one\",\"outcome\":\"busy\",\"status\":486,\"ms\":300},"
		     "{\"target\":\"dial two\",\"outcome\":\"elsewhere\",\"status\":0,\"ms\":1000},"
		     "{\"target\":\"dial three\",\"outcome\":\"answered\",\"status\":200,"
		     "\"ms\":1000}]");
}

static void record_tells_of_sixteen_targets_at_most(void **state)
{
	struct rig *rig = *state;
	struct call_step targets[20];

	for (size_t i = 0; i < 20; i++) {
		targets[i] = rig_passed();
		targets[i].label[3] = (char)('a' + i);
	}
	rig_start(rig, "offer-a", RIG_PLAN(rig_ring(targets, 20)));
	assert_int_equal(fake_leg_invite_count(), 20);
	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
	assert_cdr_has(rig,
		       "\"target\":\"loop\",\"outcome\":\"cancelled\",\"status\":0,\"ms\":0}],");
}

/* ---- what A hears ---- */

static void caller_hears_one_180_without_sdp_while_several_ring(void **state)
{
	struct rig *rig = *state;

	two_ring(rig);
	fake_leg_event(fake_leg_out(0), LEG_EV_PROVISIONAL, 183, "early-pbx");
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 180, NULL);
	fake_leg_event(fake_leg_out(1), LEG_EV_PROVISIONAL, 180, NULL);
	fake_leg_event(fake_leg_out(1), LEG_EV_PROVISIONAL, 183, "early-mobile");
	fake_leg_event(fake_leg_out(0), LEG_EV_PROVISIONAL, 182, NULL);
	assert_int_equal(provisionals(rig->a), 1);
	assert_int_equal(fake_media_nth(0)->answers + fake_media_nth(1)->answers, 0);
}

static void caller_hears_it_again_every_minute(void **state)
{
	struct rig *rig = *state;
	struct call_step ring = RIG_RING(rig_dial("one"), rig_dial("two"));

	ring.ring_ms = 150 * 1000;
	rig_ringing(rig, RIG_PLAN(ring));
	rig_advance(rig, 70 * 1000);
	assert_int_equal(provisionals(rig->a), 0); /* nobody rings yet */
	fake_leg_event(fake_leg_out(0), LEG_EV_PROVISIONAL, 180, NULL);
	rig_advance(rig, 59 * 1000);
	assert_int_equal(provisionals(rig->a), 1);
	rig_advance(rig, 2 * 1000);
	assert_int_equal(provisionals(rig->a), 2);
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 180, NULL);
	rig_advance(rig, 20 * 1000);
	assert_true(ended(rig));
}

static void early_media_follows_when_one_is_left(void **state)
{
	struct rig *rig = *state;

	two_ring(rig);
	fake_leg_event(fake_leg_out(0), LEG_EV_PROVISIONAL, 183, "early-pbx");
	fake_leg_end(fake_leg_out(1), LEG_END_REFUSED, 486);
	assert_int_equal(fake_media_count(), 1);
	assert_true(fake_media_reply(fake_media_last(), "early-for-a"));
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, "early-for-a");
	fake_leg_event(fake_leg_out(0), LEG_EV_ANSWERED, 200, "early-pbx");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "early-for-a");
}

static void last_one_left_rings_like_a_single_target(void **state)
{
	struct rig *rig = *state;

	two_ring(rig);
	fake_leg_end(fake_leg_out(1), LEG_END_REFUSED, 404);
	assert_null(fake_leg_did(rig->a));
	fake_leg_event(fake_leg_out(0), LEG_EV_PROVISIONAL, 180, NULL);
	fake_leg_event(fake_leg_out(0), LEG_EV_PROVISIONAL, 182, NULL);
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 182, NULL);
	fake_leg_event(fake_leg_out(0), LEG_EV_PROVISIONAL, 183, "early-pbx");
	assert_true(fake_media_reply(fake_media_last(), "early-for-a"));
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, "early-for-a");
	rig_advance(rig, 26 * 1000);
	assert_true(ended(rig));
	assert_true(fake_leg_out(0)->released);
	assert_true(rig_ended_with(rig, "no_answer", "us"));
}

static void early_media_that_cannot_be_carried_is_left_out(void **state)
{
	struct rig *rig = *state;

	two_ring(rig);
	fake_leg_event(fake_leg_out(0), LEG_EV_PROVISIONAL, 183, "early-pbx");
	fake_leg_end(fake_leg_out(1), LEG_END_REFUSED, 486);
	fake_media_refuse(fake_media_last(), MEDIA_B, 488);
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, NULL);
	fake_leg_event(fake_leg_out(0), LEG_EV_ANSWERED, 200, "answer-pbx");
	assert_true(fake_media_reply(fake_media_last(), "answer-for-a"));
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-for-a");
}

static void trying_is_not_ringing(void **state)
{
	struct rig *rig = *state;

	two_ring(rig);
	fake_leg_event(fake_leg_out(0), LEG_EV_PROVISIONAL, 110, NULL);
	fake_leg_event(fake_leg_out(0), LEG_EV_PROVISIONAL, 181, NULL);
	assert_null(fake_leg_did(rig->a));
}

/* ---- nobody answers ---- */

/* Two targets refuse; A gets the status of the better one. */
static void assert_best(struct rig *rig, int one, int two, int best)
{
	const struct leg *a;
	size_t first = fake_leg_invite_count();

	rig_ringing(rig, RIG_PLAN(RIG_RING(rig_loop(), rig_loop())));
	a = rig->a;
	fake_leg_end(fake_leg_out(first), LEG_END_REFUSED, one);
	if (!ended(rig))
		fake_leg_end(fake_leg_out(first + 1), LEG_END_REFUSED, two);
	assert_true(ended(rig));
	if (a->farewell_status != best)
		fail_msg("%d and %d: wanted %d, got %d", one, two, best, a->farewell_status);
}

static void caller_gets_the_best_of_the_refusals(void **state)
{
	struct rig *rig = *state;
	static const int cases[][3] = {
		{ 486, 486, 486 }, { 486, 480, 486 }, { 408, 486, 486 }, { 404, 480, 480 },
		{ 503, 486, 486 }, { 480, 500, 480 }, { 404, 503, 404 }, { 486, 603, 603 },
		{ 600, 486, 600 }, { 302, 404, 404 }, { 302, 486, 486 }, { 503, 500, 503 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_best(rig, cases[i][0], cases[i][1], cases[i][2]);
		assert_best(rig, cases[i][1], cases[i][0], cases[i][2] == 503 ? 500 : cases[i][2]);
	}
}

static void challenges_and_redirections_do_not_reach_the_caller(void **state)
{
	struct rig *rig = *state;
	static const int theirs[] = { 401, 407, 302 };

	for (size_t i = 0; i < 3; i++) {
		size_t first = fake_leg_invite_count();

		rig_ringing(rig, RIG_PLAN(RIG_RING(rig_dial("one"), rig_dial("two"))));
		fake_leg_end(fake_leg_out(first), LEG_END_REFUSED, theirs[i]);
		fake_leg_end(fake_leg_out(first + 1), LEG_END_REFUSED, theirs[i]);
		assert_true(ended(rig));
		assert_int_equal(rig->a->farewell_status, theirs[i] == 302 ? 603 : 500);
	}
}

static void headers_of_the_best_refusal_cross_as_its_kind_allows(void **state)
{
	struct rig *rig = *state;
	struct sip_headers headers = { 0 };

	two_ring(rig);
	assert_int_equal(sip_headers_add(&headers, "X-Inner", "yes"), 0);
	fake_leg_end_headers(fake_leg_out(1), LEG_END_REFUSED, 486, &headers);
	fake_leg_end_headers(fake_leg_out(0), LEG_END_REFUSED, 480, NULL);
	assert_int_equal(rig->a->farewell_status, 486);
	assert_non_null(strstr(rig->a->farewell_headers, "X-Inner: yes"));

	rig_ringing(rig, RIG_PLAN(RIG_RING(rig_dial("dial pbx"), rig_loop())));
	fake_leg_end_headers(fake_leg_out(2), LEG_END_REFUSED, 486, &headers);
	fake_leg_end_headers(fake_leg_out(3), LEG_END_REFUSED, 480, NULL);
	sip_headers_done(&headers);
	assert_int_equal(rig->a->farewell_status, 486);
	assert_null(strstr(rig->a->farewell_headers, "X-Inner"));
}

static void six_hundreds_end_all_branches(void **state)
{
	struct rig *rig = *state;

	two_ring(rig);
	fake_leg_event(fake_leg_out(1), LEG_EV_PROVISIONAL, 180, NULL);
	fake_leg_end(fake_leg_out(0), LEG_END_REFUSED, 603);
	assert_true(fake_leg_out(1)->released);
	assert_true(ended(rig));
	assert_int_equal(rig->a->farewell_status, 603);
	assert_true(rig_ended_with(rig, "rejected", "b"));
}

static void six_hundreds_end_a_sequence_too(void **state)
{
	struct rig *rig = *state;
	struct call_step ring = RIG_RING(rig_dial("one"), rig_dial("two"));

	ring.in_sequence = true;
	rig_ringing(rig, RIG_PLAN(ring));
	fake_leg_end(fake_leg_out(0), LEG_END_REFUSED, 603);
	assert_true(ended(rig));
	assert_int_equal(fake_leg_invite_count(), 1);
}

static void all_busy_moves_on_to_the_next_step(void **state)
{
	struct rig *rig = *state;

	rig_ringing(rig, RIG_PLAN(RIG_RING(rig_dial("one"), rig_dial("two")), rig_answer(),
				  rig_rescue()));
	fake_leg_end(fake_leg_out(0), LEG_END_REFUSED, 486);
	fake_leg_end(fake_leg_out(1), LEG_END_REFUSED, 486);
	assert_int_equal(fake_media_count(), 1);
	assert_int_equal(fake_media_last()->kind[MEDIA_B], MEDIA_LEG_LOCAL);
	assert_true(fake_media_reply(fake_media_last(), "answer-for-a"));
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-for-a");
}

static void trouble_in_all_branches_is_rescued(void **state)
{
	struct rig *rig = *state;

	rig_ringing(rig, RIG_PLAN(RIG_RING(rig_dial("one"), rig_dial("two")), rig_rescue()));
	fake_leg_end(fake_leg_out(0), LEG_END_TIMEOUT, 504);
	fake_leg_end(fake_leg_out(1), LEG_END_REFUSED, 503);
	assert_int_equal(fake_leg_invite_count(), 3);
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-a");
	assert_false(ended(rig));
}

static void busy_beside_trouble_is_not_rescued(void **state)
{
	struct rig *rig = *state;

	rig_ringing(rig, RIG_PLAN(RIG_RING(rig_dial("one"), rig_dial("two")), rig_rescue()));
	fake_leg_end(fake_leg_out(0), LEG_END_REFUSED, 486);
	fake_leg_end(fake_leg_out(1), LEG_END_TIMEOUT, 504);
	assert_true(ended(rig));
	assert_int_equal(rig->a->farewell_status, 486);
	assert_int_equal(fake_leg_invite_count(), 2);
}

static void ring_step_follows_a_ring_step(void **state)
{
	struct rig *rig = *state;

	rig_ringing(rig, RIG_PLAN(RIG_RING(rig_dial("one"), rig_dial("two")),
				  RIG_RING(rig_dial("three"), rig_dial("four"))));
	rig_advance(rig, 25100);
	offers_made();
	assert_int_equal(fake_leg_invite_count(), 4);
	fake_leg_event(fake_leg_out(3), LEG_EV_ANSWERED, 200, "answer");
	assert_true(fake_media_reply(fake_media_last(), "answer-for-a"));
	assert_true(fake_leg_out(2)->released);
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-for-a");
}

/* ---- time ---- */

static void all_stop_when_they_have_rung_long_enough(void **state)
{
	struct rig *rig = *state;

	two_ring(rig);
	fake_leg_event(fake_leg_out(0), LEG_EV_PROVISIONAL, 180, NULL);
	rig_advance(rig, 24 * 1000);
	assert_false(fake_leg_out(0)->released || fake_leg_out(1)->released);
	rig_advance(rig, 1100);
	assert_true(fake_leg_out(0)->released && fake_leg_out(1)->released);
	assert_true(ended(rig));
	assert_int_equal(rig->a->farewell_status, 480);
	assert_true(rig_ended_with(rig, "no_answer", "us"));
}

static void each_target_has_its_own_end(void **state)
{
	struct rig *rig = *state;
	struct call_step brief = rig_dial("brief");

	brief.ring_ms = 5000;
	rig_ringing(rig, RIG_PLAN(RIG_RING(brief, rig_loop())));
	rig_advance(rig, 5100);
	assert_true(fake_leg_out(0)->released);
	assert_false(fake_leg_out(1)->released);
	fake_leg_event(fake_leg_out(1), LEG_EV_ANSWERED, 200, "answer");
	assert_true(fake_media_reply(fake_media_last(), "answer-for-a"));
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-for-a");
}

static void own_end_of_the_last_one_left_still_holds(void **state)
{
	struct rig *rig = *state;
	struct call_step brief = rig_dial("brief");

	brief.ring_ms = 5000;
	rig_ringing(rig, RIG_PLAN(RIG_RING(brief, rig_loop())));
	fake_leg_event(fake_leg_out(0), LEG_EV_PROVISIONAL, 180, NULL);
	fake_leg_end(fake_leg_out(1), LEG_END_REFUSED, 404);
	rig_advance(rig, 5100);
	assert_true(ended(rig));
	assert_int_equal(rig->a->farewell_status, 480); /* rather than the 404 */
}

static void delayed_target_rings_later(void **state)
{
	struct rig *rig = *state;
	struct call_step late = rig_loop();

	late.after_ms = 5000;
	rig_ringing(rig, RIG_PLAN(RIG_RING(rig_dial("dial pbx"), late)));
	assert_int_equal(fake_leg_invite_count(), 1);
	rig_advance(rig, 4900);
	assert_int_equal(fake_media_count(), 1);
	rig_advance(rig, 200);
	offers_made();
	assert_int_equal(fake_leg_invite_count(), 2);
	fake_leg_event(fake_leg_out(1), LEG_EV_ANSWERED, 200, "answer");
	assert_true(fake_media_reply(fake_media_last(), "answer-for-a"));
	assert_string_equal(fake_leg_out(0)->farewell_reason, ELSEWHERE);
}

static void delayed_target_need_not_wait_when_nobody_rings(void **state)
{
	struct rig *rig = *state;
	struct call_step late = rig_dial("late"), later = rig_dial("later");

	late.after_ms = 5000;
	later.after_ms = 9000;
	rig_ringing(rig, RIG_PLAN(RIG_RING(rig_dial("dial pbx"), later, late)));
	fake_leg_end(fake_leg_out(0), LEG_END_REFUSED, 486);
	offers_made();
	assert_int_equal(fake_leg_invite_count(), 2);
	rig_advance(rig, 5100);
	assert_int_equal(fake_media_count(), 1);
	rig_advance(rig, 4000);
	assert_int_equal(fake_media_count(), 2);
}

static void early_media_waits_for_a_target_that_is_still_to_ring(void **state)
{
	struct rig *rig = *state;
	struct call_step late = rig_dial("late");

	late.after_ms = 5000;
	rig_ringing(rig, RIG_PLAN(RIG_RING(rig_dial("dial pbx"), late)));
	fake_leg_event(fake_leg_out(0), LEG_EV_PROVISIONAL, 183, "early-pbx");
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 180, NULL);
}

static void sequence_rings_one_after_the_other(void **state)
{
	struct rig *rig = *state;
	struct call_step one = rig_dial("one"), two = rig_dial("two"), ring;

	one.ring_ms = 10 * 1000;
	ring = RIG_RING(one, two, rig_loop());
	ring.in_sequence = true;
	ring.ring_ms = 60 * 1000;
	rig_ringing(rig, RIG_PLAN(ring));
	assert_int_equal(fake_leg_invite_count(), 1);
	fake_leg_event(fake_leg_out(0), LEG_EV_PROVISIONAL, 180, NULL);
	rig_advance(rig, 10100);
	assert_true(fake_leg_out(0)->released);
	offers_made();
	assert_int_equal(fake_leg_invite_count(), 2);
	fake_leg_end(fake_leg_out(1), LEG_END_REFUSED, 486);
	offers_made();
	assert_int_equal(fake_leg_invite_count(), 3);
	fake_leg_event(fake_leg_out(2), LEG_EV_PROVISIONAL, 183, "early-mobile");
	assert_true(fake_media_reply(fake_media_last(), "early-for-a"));
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, "early-for-a");
	fake_leg_end(fake_leg_out(2), LEG_END_REFUSED, 480);
	assert_true(ended(rig));
	assert_int_equal(rig->a->farewell_status, 486); /* of the second */
}

/* ---- trouble of one ---- */

static void gateway_stands_in_for_a_dead_one_of_its_target(void **state)
{
	struct rig *rig = *state;

	rig_ringing(rig, RIG_PLAN(RIG_RING(rig_dial("dial pbx"), rig_stand_in("dial pbx/2"),
					   rig_loop())));
	assert_int_equal(fake_leg_invite_count(), 2);
	fake_leg_end(fake_leg_out(0), LEG_END_TIMEOUT, 504);
	assert_int_equal(fake_leg_invite_count(), 3);
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-for-b1");
	assert_int_equal(fake_media_created(), 2);
	fake_leg_end(fake_leg_out(2), LEG_END_REFUSED, 486);
	assert_int_equal(fake_leg_invite_count(), 3);
	assert_false(ended(rig));
}

static void gateway_of_another_family_stands_in_with_an_offer_of_its_own(void **state)
{
	struct rig *rig = *state;
	struct call_step second = rig_stand_in("dial pbx/2");

	(void)snprintf(second.codecs.near, sizeof(second.codecs.near), "2001:db8::2");
	rig_ringing(rig, RIG_PLAN(RIG_RING(rig_dial("dial pbx"), second, rig_loop())));
	fake_leg_end(fake_leg_out(0), LEG_END_TIMEOUT, 504);
	assert_int_equal(fake_leg_invite_count(), 2);
	assert_int_equal(fake_media_created(), 3);
	fake_media_reply(fake_media_last(), "offer-2");
	assert_int_equal(fake_leg_invite_count(), 3);
	assert_string_equal(leg_info(fake_leg_last())->sdp, "offer-2");
}

static void busy_phone_or_heard_gateway_has_no_stand_in(void **state)
{
	struct rig *rig = *state;

	rig_ringing(rig, RIG_PLAN(RIG_RING(rig_dial("dial pbx"), rig_stand_in("dial pbx/2"),
					   rig_dial("dial web"), rig_stand_in("dial web/2"))));
	fake_leg_end(fake_leg_out(0), LEG_END_REFUSED, 486);
	fake_leg_event(fake_leg_out(1), LEG_EV_PROVISIONAL, 180, NULL);
	fake_leg_end(fake_leg_out(1), LEG_END_REFUSED, 503);
	assert_true(ended(rig));
	assert_int_equal(fake_leg_invite_count(), 2);
	assert_int_equal(rig->a->farewell_status, 486);
}

static void media_failure_of_one_branch_is_its_own(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(RIG_RING(rig_dial("dial pbx"), rig_loop())));
	fake_media_refuse(fake_media_nth(0), MEDIA_B, 488);
	assert_int_equal(fake_media_count(), 1);
	offers_made();
	fake_leg_event(fake_leg_out(0), LEG_EV_ANSWERED, 200, "answer");
	assert_true(fake_media_reply(fake_media_last(), "answer-for-a"));
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-for-a");
}

static void branch_to_the_core_goes_on_without_media(void **state)
{
	struct rig *rig = *state;

	fake_media_create_fails(-28);
	rig_start(rig, "offer-a", RIG_PLAN(RIG_RING(rig_dial("dial pbx"), rig_loop())));
	assert_int_equal(fake_leg_invite_count(), 1);
	assert_string_equal(leg_info(fake_leg_out(0))->sdp, "offer-a");
	fake_media_create_fails(0);
	fake_leg_event(fake_leg_out(0), LEG_EV_PROVISIONAL, 183, "early-mobile");
	assert_did(rig->a, FAKE_LEG_PROVISIONAL, 183, "early-mobile"); /* it is alone */
	fake_leg_event(fake_leg_out(0), LEG_EV_ANSWERED, 200, "answer-mobile");
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "answer-mobile");
}

static void silent_media_room_fails_a_branch_and_lets_the_core_ring(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(RIG_RING(rig_dial("dial pbx"), rig_loop())));
	rig_advance(rig, 5100);
	assert_int_equal(fake_leg_invite_count(), 1);
	assert_string_equal(leg_info(fake_leg_out(0))->sdp, "offer-a");
	assert_int_equal(fake_media_count(), 0);
}

static void media_trouble_everywhere_is_rescued(void **state)
{
	struct rig *rig = *state;

	fake_media_create_fails(-28);
	rig_start(rig, "offer-a",
		  RIG_PLAN(RIG_RING(rig_dial("one"), rig_dial("two")), rig_rescue()));
	assert_int_equal(fake_leg_invite_count(), 1);
	assert_string_equal(leg_info(fake_leg_out(0))->sdp, "offer-a");
}

static void offer_of_a_that_no_session_takes_gets_488_and_a_warning(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(RIG_RING(rig_dial("one"), rig_dial("two"))));
	fake_media_refuse(fake_media_nth(1), MEDIA_A, 488);
	fake_media_refuse(fake_media_nth(0), MEDIA_A, 488);
	assert_true(ended(rig));
	assert_int_equal(rig->a->farewell_status, 488);
	assert_non_null(strstr(rig->a->farewell_headers, "Warning: 399"));
}

static void media_that_fails_while_ringing_ends_that_branch(void **state)
{
	struct rig *rig = *state;

	two_ring(rig);
	fake_media_event(fake_media_nth(0), MEDIA_EV_FLOWING, MEDIA_B, NULL);
	fake_media_event(fake_media_nth(0), MEDIA_EV_FAILED, MEDIA_B, NULL);
	assert_true(fake_leg_out(0)->released);
	assert_false(fake_leg_out(1)->released);
}

static void invite_that_cannot_be_built_fails_its_branch(void **state)
{
	struct rig *rig = *state;

	fake_leg_invite_fails(-22);
	rig_start(rig, "offer-a", RIG_PLAN(RIG_RING(rig_passed(), rig_dial("dial pbx"))));
	assert_int_equal(fake_leg_invite_count(), 0);
	offers_made();
	assert_int_equal(fake_leg_invite_count(), 1);
	assert_false(ended(rig));
}

/* ---- the caller ---- */

static void address_that_takes_no_more_calls_has_a_stand_in(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a",
		  RIG_PLAN(RIG_RING(rig_dial("dial pbx"), rig_stand_in("dial pbx/2"), rig_loop())));
	fake_leg_invite_fails(-16);
	offers_made();
	assert_int_equal(fake_leg_invite_count(), 2);
	assert_string_equal(leg_info(fake_leg_out(0))->sdp, "offer-for-b1");
}

static void group_of_nobody_is_our_trouble(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_ring(NULL, 0), rig_rescue()));
	assert_int_equal(fake_leg_invite_count(), 1);
	assert_string_equal(leg_info(fake_leg_out(0))->sdp, "offer-a");
}

static void callers_cancel_stops_all(void **state)
{
	struct rig *rig = *state;
	struct call_step late = rig_dial("late");

	late.after_ms = 5000;
	rig_ringing(rig, RIG_PLAN(RIG_RING(rig_dial("dial pbx"), rig_loop(), late), rig_rescue()));
	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
	assert_true(ended(rig));
	assert_string_equal(fake_leg_out(0)->farewell_reason,
			    "SIP;cause=487;text=\"Request Terminated\"");
	assert_string_equal(fake_leg_out(1)->farewell_reason,
			    "SIP;cause=487;text=\"Request Terminated\"");
	assert_int_equal(fake_media_count(), 0);
	assert_true(rig_ended_with(rig, "cancelled", "a"));
	rig_advance(rig, 6000);
	assert_int_equal(fake_leg_invite_count(), 2);
}

static void caller_may_cancel_before_anybody_is_invited(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(RIG_RING(rig_dial("dial pbx"), rig_loop())));
	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
	assert_true(ended(rig));
	assert_int_equal(fake_leg_invite_count(), 0);
	assert_int_equal(fake_media_count(), 0);
}

static void room_that_empties_ends_ringing_calls(void **state)
{
	struct rig *rig = *state;

	two_ring(rig);
	call_room_end_all(rig->room, CAUSE_DRAINING);
	assert_true(fake_leg_out(0)->released && fake_leg_out(1)->released);
	assert_int_equal(rig->a->farewell_status, 503);
}

/* ---- news of targets ---- */

static char news[256];

static void on_target(const char *target, enum call_target_news what, void *arg)
{
	static const char *const words[] = { [CALL_TARGET_TAKEN] = "taken",
					     [CALL_TARGET_FREE] = "free",
					     [CALL_TARGET_DONE] = "done" };

	(void)arg;
	snprintf(news + strlen(news), sizeof(news) - strlen(news), "%s %s, ", target, words[what]);
}

static struct call_step named(struct call_step step, const char *name)
{
	step.target_name = strdup(name);
	return step;
}

static void rig_news(struct rig *rig)
{
	news[0] = '\0';
	call_room_on_target(rig->room, on_target, NULL);
}

static void target_that_had_the_call_is_told_from_one_that_had_not(void **state)
{
	struct rig *rig = *state;

	rig_news(rig);
	rig_ringing(rig, RIG_PLAN(RIG_RING(named(rig_dial("dial a"), "a"),
					   named(rig_dial("dial b"), "b"), rig_loop())));
	assert_string_equal(news, "a taken, b taken, ");
	fake_leg_event(fake_leg_out(0), LEG_EV_ANSWERED, 200, "answer");
	assert_string_equal(news, "a taken, b taken, ");
	assert_true(fake_media_reply(fake_media_nth(0), "answer-for-a"));
	assert_string_equal(news, "a taken, b taken, b free, ");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	assert_string_equal(news, "a taken, b taken, b free, a done, ");
}

static void target_left_alone_is_free_when_it_refuses(void **state)
{
	struct rig *rig = *state;

	rig_news(rig);
	rig_ringing(rig, RIG_PLAN(RIG_RING(named(rig_dial("dial a"), "a"),
					   named(rig_dial("dial b"), "b")),
				  named(rig_dial("dial c"), "c")));
	fake_leg_event(fake_leg_out(0), LEG_EV_PROVISIONAL, 180, NULL);
	fake_leg_end(fake_leg_out(1), LEG_END_REFUSED, 486);
	fake_leg_end(fake_leg_out(0), LEG_END_REFUSED, 480);
	offers_made();
	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
	assert_string_equal(news, "a taken, b taken, b free, a free, c taken, c free, ");
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_target_rings_with_a_leg_and_a_session_of_its_own),
		T(first_to_answer_has_the_call_and_the_others_know_why_they_stop),
		T(second_to_answer_is_let_go),
		T(passed_through_target_and_pbx_ring_together),
		T(delayed_offer_comes_from_whoever_answers),
		T(others_still_ring_when_an_answer_cannot_be_used),
		T(others_still_ring_when_an_answer_is_taken_back),
		T(others_still_ring_when_media_says_nothing_of_an_answer),
		T(others_that_refuse_meanwhile_are_counted),
		T(record_lists_each_target_with_its_outcome),
		T(record_tells_of_sixteen_targets_at_most),
		T(caller_hears_one_180_without_sdp_while_several_ring),
		T(caller_hears_it_again_every_minute),
		T(early_media_follows_when_one_is_left),
		T(last_one_left_rings_like_a_single_target),
		T(early_media_that_cannot_be_carried_is_left_out),
		T(trying_is_not_ringing),
		T(caller_gets_the_best_of_the_refusals),
		T(challenges_and_redirections_do_not_reach_the_caller),
		T(headers_of_the_best_refusal_cross_as_its_kind_allows),
		T(six_hundreds_end_all_branches),
		T(six_hundreds_end_a_sequence_too),
		T(all_busy_moves_on_to_the_next_step),
		T(trouble_in_all_branches_is_rescued),
		T(busy_beside_trouble_is_not_rescued),
		T(ring_step_follows_a_ring_step),
		T(all_stop_when_they_have_rung_long_enough),
		T(each_target_has_its_own_end),
		T(own_end_of_the_last_one_left_still_holds),
		T(delayed_target_rings_later),
		T(delayed_target_need_not_wait_when_nobody_rings),
		T(early_media_waits_for_a_target_that_is_still_to_ring),
		T(sequence_rings_one_after_the_other),
		T(gateway_stands_in_for_a_dead_one_of_its_target),
		T(gateway_of_another_family_stands_in_with_an_offer_of_its_own),
		T(busy_phone_or_heard_gateway_has_no_stand_in),
		T(media_failure_of_one_branch_is_its_own),
		T(branch_to_the_core_goes_on_without_media),
		T(silent_media_room_fails_a_branch_and_lets_the_core_ring),
		T(media_trouble_everywhere_is_rescued),
		T(offer_of_a_that_no_session_takes_gets_488_and_a_warning),
		T(media_that_fails_while_ringing_ends_that_branch),
		T(invite_that_cannot_be_built_fails_its_branch),
		T(address_that_takes_no_more_calls_has_a_stand_in),
		T(group_of_nobody_is_our_trouble),
		T(callers_cancel_stops_all),
		T(caller_may_cancel_before_anybody_is_invited),
		T(room_that_empties_ends_ringing_calls),
		T(target_that_had_the_call_is_told_from_one_that_had_not),
		T(target_left_alone_is_free_when_it_refuses),
	};

	return cmocka_run_group_tests_name("tas/call/branch", tests, NULL, NULL);
}
