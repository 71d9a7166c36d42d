/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/call_rig.h"

static bool alive(const struct rig *rig)
{
	return call_room_count(rig->room) == 1;
}

static void reinvite_goes_through_the_session_in_both_directions(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));
	struct leg *sides[2] = { rig->a, b };

	for (size_t i = 0; i < 2; i++) {
		struct leg *from = sides[i], *to = sides[1 - i];

		fake_leg_event(from, LEG_EV_OFFER, 0, "re-offer");
		assert_true(fake_media_reply(fake_media_last(), "re-offer-through"));
		assert_did(to, FAKE_LEG_OFFER, 0, "re-offer-through");
		fake_leg_event(to, LEG_EV_OFFER_ANSWERED, 200, "re-answer");
		assert_true(fake_media_reply(fake_media_last(), "re-answer-through"));
		assert_did(from, FAKE_LEG_OFFER_ACCEPT, 200, "re-answer-through");
	}
	assert_true(alive(rig));
}

static void refused_reinvite_rolls_back_and_keeps_its_status(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_OFFER, 0, "re-offer");
	fake_media_reply(fake_media_last(), "re-offer-through");
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 488, NULL);
	assert_int_equal(fake_media_last()->rollbacks, 1);
	assert_did(b, FAKE_LEG_OFFER_REFUSE, 488, NULL);
	assert_true(alive(rig));
}

static void later_of_two_offers_gets_491(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "re-offer-a");
	fake_leg_event(b, LEG_EV_OFFER, 0, "re-offer-b");
	assert_did(b, FAKE_LEG_OFFER_REFUSE, 491, NULL);
	fake_media_reply(fake_media_last(), "re-offer-for-b");
	assert_did(b, FAKE_LEG_OFFER, 0, "re-offer-for-b");
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, "re-answer-b");
	fake_media_reply(fake_media_last(), "re-answer-for-a");
	assert_did(rig->a, FAKE_LEG_OFFER_ACCEPT, 200, "re-answer-for-a");
}

static void busy_other_leg_means_491(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	b->offer_in = true; /* its own offer has arrived but is not told yet */
	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "re-offer-a");
	fake_media_reply(fake_media_last(), "re-offer-for-b");
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 491, NULL);
	assert_int_equal(fake_media_last()->rollbacks, 1);
}

static void reoffer_media_cannot_serve_gets_488(void **state)
{
	struct rig *rig = *state;

	rig_talking(rig, RIG_PLAN(rig_loop()));
	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "re-offer");
	fake_media_refuse(fake_media_last(), MEDIA_A, 488);
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 488, NULL);

	fake_media_offer_fails(-22);
	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "re-offer");
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 488, NULL);
	fake_media_offer_fails(-12);
	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "re-offer");
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 500, NULL);
	assert_true(alive(rig));
}

static void reoffer_nobody_answers_is_refused_by_timer(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "re-offer");
	rig_advance(rig, 5100);
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 500, NULL);

	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "re-offer");
	fake_media_reply(fake_media_last(), "re-offer-for-b");
	rig_advance(rig, 41 * 1000);
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 408, NULL);
	assert_true(alive(rig));

	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, "too late");
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 408, NULL);
}

static void answer_without_sdp_refuses_the_reoffer(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "re-offer");
	fake_media_reply(fake_media_last(), "re-offer-for-b");
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, NULL);
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 500, NULL);
	assert_true(alive(rig));
}

static void refused_reanswer_refuses_the_reoffer(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "re-offer");
	fake_media_reply(fake_media_last(), "re-offer-for-b");
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, "re-answer");
	fake_media_refuse(fake_media_last(), MEDIA_B, 488);
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 488, NULL);
	assert_true(alive(rig));
}

static void reanswer_out_of_order_refuses_the_reoffer(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "re-offer");
	fake_media_reply(fake_media_last(), "re-offer-for-b");
	fake_media_answer_fails(-22);
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, "re-answer");
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 488, NULL);
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL); /* an ACK of no exchange */
	assert_true(alive(rig));
}

static void offerless_reinvite_gets_the_other_sides_offer(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(rig->a, LEG_EV_OFFER, 0, NULL);
	assert_did(b, FAKE_LEG_OFFER, 0, NULL);
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, "resumed-b");
	assert_true(fake_media_reply(fake_media_last(), "resumed-for-a"));
	assert_did(rig->a, FAKE_LEG_OFFER_ACCEPT, 200, "resumed-for-a");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, "answer-a");
	assert_true(fake_media_reply(fake_media_last(), "answer-for-b"));
	assert_did(b, FAKE_LEG_ACK, 0, "answer-for-b");
	assert_int_equal(fake_media_last()->rollbacks, 0);

	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "next"); /* nothing is left in flight */
	assert_true(fake_media_reply(fake_media_last(), "next-for-b"));
	assert_did(b, FAKE_LEG_OFFER, 0, "next-for-b");
}

static void offerless_reinvite_without_an_answer_keeps_what_was_agreed(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(rig->a, LEG_EV_OFFER, 0, NULL);
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, "resumed-b");
	fake_media_reply(fake_media_last(), "resumed-for-a");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	assert_int_equal(fake_media_last()->rollbacks, 1);
	assert_did(b, FAKE_LEG_ACK, 0, "offer-for-b"); /* as B knows us */
	assert_true(alive(rig));
}

static void offerless_reinvite_whose_offer_media_refuses_gets_488(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(rig->a, LEG_EV_OFFER, 0, NULL);
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, "odd");
	fake_media_refuse(fake_media_last(), MEDIA_B, 488);
	assert_did(b, FAKE_LEG_ACK, 0, "offer-for-b");
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 488, NULL);
	assert_true(alive(rig));
}

static void offerless_reinvite_given_up_acks_a_late_offer(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(rig->a, LEG_EV_OFFER, 0, NULL);
	rig_advance(rig, 41 * 1000);
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 408, NULL);
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, "late");
	assert_did(b, FAKE_LEG_ACK, 0, "offer-for-b");
	assert_true(alive(rig));
}

static void offerless_reinvite_is_offered_what_that_side_knows(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(b, LEG_EV_OFFER, 0, NULL);
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 488, NULL); /* it makes no offer */
	assert_did(b, FAKE_LEG_OFFER_ACCEPT, 200, "offer-for-b");
	fake_leg_event(b, LEG_EV_CONFIRMED, 0, "moved-b");
	fake_media_reply(fake_media_last(), "moved-for-a");
	assert_did(rig->a, FAKE_LEG_OFFER, 0, "moved-for-a");
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 200, "ok-a");
	fake_media_reply(fake_media_last(), "ok-for-b");
	assert_did(b, FAKE_LEG_OFFER_ACCEPT, 200, "offer-for-b"); /* nothing more */

	fake_leg_event(b, LEG_EV_OFFER, 0, NULL); /* and the next offer is what it got */
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 488, NULL);
	assert_did(b, FAKE_LEG_OFFER_ACCEPT, 200, "ok-for-b");
}

static void passed_through_reinvites_are_untouched(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking_passed(rig);

	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "re-offer-a");
	assert_did(b, FAKE_LEG_OFFER, 0, "re-offer-a");
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, "re-answer-b");
	assert_did(rig->a, FAKE_LEG_OFFER_ACCEPT, 200, "re-answer-b");

	fake_leg_event(b, LEG_EV_OFFER, 0, NULL);
	assert_did(rig->a, FAKE_LEG_OFFER, 0, NULL);
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 200, "offer-a");
	assert_did(b, FAKE_LEG_OFFER_ACCEPT, 200, "offer-a");
	fake_leg_event(b, LEG_EV_CONFIRMED, 0, "answer-b");
	assert_did(rig->a, FAKE_LEG_ACK, 0, "answer-b");

	fake_leg_event(b, LEG_EV_OFFER, 0, "again");
	fake_leg_event(rig->a, LEG_EV_OFFER_ANSWERED, 606, NULL);
	assert_did(b, FAKE_LEG_OFFER_REFUSE, 606, NULL);
}

static void busy_other_leg_means_491_for_a_passed_through_reinvite_too(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking_passed(rig);

	rig->a->offer_in = true; /* the ACK of its own is still on its way */
	fake_leg_event(b, LEG_EV_OFFER, 0, "re-offer-b");
	assert_did(b, FAKE_LEG_OFFER_REFUSE, 491, NULL);
	rig->a->offer_in = false;
	fake_leg_event(b, LEG_EV_OFFER, 0, "again");
	assert_did(rig->a, FAKE_LEG_OFFER, 0, "again");
}

static void local_side_answers_a_reinvite_itself(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(rig_answer()));
	fake_media_reply(fake_media_last(), "answer-for-a");
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "re-offer");
	fake_media_reply(fake_media_last(), "re-answer");
	assert_did(rig->a, FAKE_LEG_OFFER_ACCEPT, 200, "re-answer");
}

static void cancelled_reoffer_leaves_the_call_alone(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "re-offer");
	fake_media_reply(fake_media_last(), "re-offer-for-b");
	rig->a->offer_in = false; /* the leg tells nobody of the CANCEL */
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, "re-answer");
	fake_media_reply(fake_media_last(), "re-answer-for-a");
	assert_true(alive(rig));
	fake_leg_event(b, LEG_EV_OFFER, 0, "next");
	assert_true(fake_media_reply(fake_media_last(), "next-for-a"));
}

static void hanging_up_during_a_reinvite_ends_the_call(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_event(rig->a, LEG_EV_OFFER, 0, "re-offer");
	fake_media_reply(fake_media_last(), "re-offer-for-b");
	fake_leg_end(b, LEG_END_BYE, 200);
	assert_false(alive(rig));
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

/* Both sides have agreed on SDP, and B's phone rings. */
static struct leg *agreed_early(struct rig *rig)
{
	struct leg *b;

	rig->rel100 = LEG_100REL_SUPPORTED;
	b = rig_dialling(rig, RIG_PLAN(rig_loop()));
	fake_leg_reliable(b, 183, "early-b");
	assert_true(fake_media_reply(fake_media_last(), "early-for-a"));
	return b;
}

static void an_update_crosses_before_the_answer_in_both_directions(void **state)
{
	struct rig *rig = *state;
	struct leg *b = agreed_early(rig);
	struct leg *sides[2] = { rig->a, b };

	for (size_t i = 0; i < 2; i++) {
		struct leg *from = sides[i], *to = sides[1 - i];

		fake_leg_update(from, "update");
		assert_true(fake_media_reply(fake_media_last(), "update-through"));
		assert_did(to, FAKE_LEG_OFFER, 0, "update-through");
		assert_true(fake_leg_did(to)->update);
		fake_leg_event(to, LEG_EV_OFFER_ANSWERED, 200, "re-answer");
		assert_true(fake_media_reply(fake_media_last(), "re-answer-through"));
		assert_did(from, FAKE_LEG_OFFER_ACCEPT, 200, "re-answer-through");
	}
	fake_leg_event(b, LEG_EV_ANSWERED, 200, NULL);
	assert_int_equal(fake_leg_did(rig->a)->what, FAKE_LEG_ANSWER);
	fake_leg_event(rig->a, LEG_EV_CONFIRMED, 0, NULL);
	assert_true(alive(rig));
}

static void an_update_while_talking_stays_an_update(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_update(rig->a, "update");
	fake_media_reply(fake_media_last(), "update-through");
	assert_true(fake_leg_did(b)->update);
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, "re-answer");
	fake_media_reply(fake_media_last(), "re-answer-through");
	fake_leg_event(b, LEG_EV_OFFER, 0, "re-offer");
	fake_media_reply(fake_media_last(), "re-offer-through");
	assert_false(fake_leg_did(rig->a)->update);
}

static void an_answer_waits_for_an_update_on_its_way(void **state)
{
	struct rig *rig = *state;
	struct leg *b = agreed_early(rig);

	fake_leg_update(rig->a, "update");
	fake_media_reply(fake_media_last(), "update-for-b");
	fake_leg_event(b, LEG_EV_ANSWERED, 200, NULL);
	assert_int_equal(fake_leg_did(rig->a)->what, FAKE_LEG_PROVISIONAL); /* not yet */
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 200, "re-answer");
	fake_media_reply(fake_media_last(), "re-answer-for-a");
	assert_int_equal(fake_leg_did(rig->a)->what, FAKE_LEG_ANSWER);
}

static void an_update_that_cannot_cross_yet_may_come_again(void **state)
{
	struct rig *rig = *state;
	struct leg *b;

	rig->rel100 = LEG_100REL_SUPPORTED; /* A is reliable, this trunk is not */
	b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx")));
	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "early-b");
	fake_media_reply(fake_media_last(), "early-for-a");
	fake_leg_update(rig->a, "update");
	fake_media_reply(fake_media_last(), "update-for-b");
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 491, NULL);
	assert_int_equal(fake_media_last()->rollbacks, 1);
	fake_leg_event(b, LEG_EV_ANSWERED, 200, NULL);
	assert_did(rig->a, FAKE_LEG_ANSWER, 200, "early-for-a");
}

static void an_update_behind_a_response_on_its_way_is_pending(void **state)
{
	struct rig *rig = *state;
	struct leg *b = agreed_early(rig);

	fake_leg_event(b, LEG_EV_PROVISIONAL, 183, "other-b"); /* in the media room */
	fake_leg_update(b, "update");
	assert_did(b, FAKE_LEG_OFFER_REFUSE, 491, NULL);
	fake_media_reply(fake_media_last(), "other-for-a");
}

static void a_refused_or_silent_update_leaves_the_call_ringing(void **state)
{
	struct rig *rig = *state;
	struct leg *b = agreed_early(rig);

	fake_leg_update(rig->a, "update");
	fake_media_refuse(fake_media_last(), MEDIA_A, 488);
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 488, NULL);
	fake_leg_update(rig->a, "update");
	fake_media_reply(fake_media_last(), "update-for-b");
	fake_leg_event(b, LEG_EV_OFFER_ANSWERED, 488, NULL);
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 488, NULL);
	b->offer_out = false;
	fake_leg_update(rig->a, "update");
	fake_media_reply(fake_media_last(), "update-for-b");
	rig_advance(rig, 41 * 1000);
	assert_did(rig->a, FAKE_LEG_OFFER_REFUSE, 408, NULL);
	assert_true(alive(rig));
}

static void a_busy_b_takes_the_update_of_a_with_it(void **state)
{
	struct rig *rig = *state;
	struct leg *b = agreed_early(rig);

	fake_leg_update(rig->a, "update");
	fake_media_reply(fake_media_last(), "update-for-b");
	fake_leg_end(b, LEG_END_REFUSED, 486);
	assert_true(rig->a->released);
	assert_int_equal(rig->a->farewell_status, 486);
}

/* Their headers, and what of them reached the other side with the offer. */
static const char *told(struct rig *rig, struct leg *from, struct leg *to)
{
	struct sip_headers headers = { 0 };

	assert_int_equal(sip_headers_add(&headers, "Session-ID", "abc"), 0);
	assert_int_equal(sip_headers_add(&headers, "P-Asserted-Identity", "<sip:+47@c>"), 0);
	assert_int_equal(sip_headers_add(&headers, "Session-Expires", "90"), 0);
	fake_leg_event_headers(from, LEG_EV_OFFER, 0, "re-offer", &headers);
	sip_headers_done(&headers);
	fake_media_reply(fake_media_last(), "re-offer-through");
	assert_did(to, FAKE_LEG_OFFER, 0, "re-offer-through");
	fake_leg_event(to, LEG_EV_OFFER_ANSWERED, 200, "re-answer");
	fake_media_reply(fake_media_last(), "re-answer-through");
	assert_true(alive(rig));
	return fake_leg_did(to)->headers;
}

static void on_a_loop_an_offer_brings_its_headers(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));
	static const char all[] = "Session-ID: abc\nP-Asserted-Identity: <sip:+47@c>\n";

	assert_string_equal(told(rig, rig->a, b), all);
	assert_string_equal(told(rig, b, rig->a), all);
}

static void what_a_trunk_says_of_itself_is_told_as_its_step_says(void **state)
{
	static const char *const names[] = { "P-Asserted-Identity" };
	struct rig *rig = *state;
	struct call_step step = rig_dial("dial pbx");
	struct leg *b;

	step.tell_headers = names;
	step.tell_count = 1;
	b = rig_talking(rig, RIG_PLAN(step));
	assert_string_equal(told(rig, b, rig->a), "P-Asserted-Identity: <sip:+47@c>\n");
	assert_string_equal(told(rig, rig->a, b), ""); /* it knows the caller in its own way */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reinvite_goes_through_the_session_in_both_directions),
		T(refused_reinvite_rolls_back_and_keeps_its_status),
		T(later_of_two_offers_gets_491),
		T(busy_other_leg_means_491),
		T(reoffer_media_cannot_serve_gets_488),
		T(reoffer_nobody_answers_is_refused_by_timer),
		T(answer_without_sdp_refuses_the_reoffer),
		T(refused_reanswer_refuses_the_reoffer),
		T(reanswer_out_of_order_refuses_the_reoffer),
		T(offerless_reinvite_is_offered_what_that_side_knows),
		T(offerless_reinvite_gets_the_other_sides_offer),
		T(offerless_reinvite_without_an_answer_keeps_what_was_agreed),
		T(offerless_reinvite_whose_offer_media_refuses_gets_488),
		T(offerless_reinvite_given_up_acks_a_late_offer),
		T(passed_through_reinvites_are_untouched),
		T(busy_other_leg_means_491_for_a_passed_through_reinvite_too),
		T(local_side_answers_a_reinvite_itself),
		T(cancelled_reoffer_leaves_the_call_alone),
		T(hanging_up_during_a_reinvite_ends_the_call),
		T(an_update_crosses_before_the_answer_in_both_directions),
		T(an_update_while_talking_stays_an_update),
		T(an_answer_waits_for_an_update_on_its_way),
		T(an_update_that_cannot_cross_yet_may_come_again),
		T(an_update_behind_a_response_on_its_way_is_pending),
		T(a_refused_or_silent_update_leaves_the_call_ringing),
		T(a_busy_b_takes_the_update_of_a_with_it),
		T(on_a_loop_an_offer_brings_its_headers),
		T(what_a_trunk_says_of_itself_is_told_as_its_step_says),
	};

	return cmocka_run_group_tests_name("tas/call/exchange", tests, NULL, NULL);
}
