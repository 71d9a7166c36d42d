/* SPDX-License-Identifier: Apache-2.0 */
/* test_leg.c - whole calls between two endpoints, over each transport. */
#include "tests/unit/tas/sip/scene.h"

#include <errno.h>

static void whole_call(enum sip_transport transport)
{
	struct sip_headers headers = { 0 };
	const struct leg_info *info;

	scene_open_pair(transport);
	scene_call(transport, OFFER);
	info = leg_info(scene.callee.leg);
	assert_string_equal(info->request_user, "+004799000002");
	assert_string_equal(info->from_user, "+4799000001");
	assert_string_equal(info->from_display, "Al \"Q\" Ice");
	assert_string_equal(info->to_user, "+4799000002");
	assert_string_equal(info->sdp, OFFER);
	assert_int_equal(info->transport, transport);
	assert_int_equal(info->max_forwards, 70);
	assert_string_equal(info->call_id, leg_info(scene.caller.leg)->call_id);

	scene.caller.watch = "X-Test";
	assert_int_equal(sip_headers_add(&headers, "X-Test", "a b"), 0);
	assert_int_equal(leg_provisional(scene.callee.leg, 183, NULL, ANSWER, &headers), 0);
	assert_int_equal(leg_provisional(scene.callee.leg, 180, NULL, NULL, NULL), 0);
	scene_wait(&scene.caller, "183+sdp 180");
	assert_string_equal(scene.caller.header, "a b");
	assert_int_equal(leg_answer(scene.callee.leg, ANSWER, NULL), 0);
	scene_wait(&scene.caller, "ANSWERED+sdp");
	assert_string_equal(scene.caller.sdp, ANSWER);
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	scene_wait(&scene.callee, "CONFIRMED");

	scene.callee.watch = "Reason";
	scene.caller.leg =
		leg_release(scene.caller.leg,
			    &(struct leg_farewell){ .reason = "Q.850;cause=16;text=\"bye\"" });
	scene_wait(&scene.callee, "ENDED:bye:200");
	assert_string_equal(scene.callee.header, "Q.850;cause=16;text=\"bye\"");
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	scene_wait_gone();
	sip_headers_done(&headers);
	scene_close();
}

static void a_call_over_tls_rings_talks_and_ends(void **state)
{
	(void)state;
	whole_call(SIP_TRANSPORT_TLS);
}

static void a_call_over_tcp_rings_talks_and_ends(void **state)
{
	(void)state;
	whole_call(SIP_TRANSPORT_TCP);
}

static void a_call_over_udp_rings_talks_and_ends(void **state)
{
	(void)state;
	whole_call(SIP_TRANSPORT_UDP);
}

static void release_both(void)
{
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
}

static void a_refusal_reaches_the_caller_with_status_phrase_and_headers(void **state)
{
	struct sip_headers headers = { 0 };

	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	scene_call(SIP_TRANSPORT_TLS, OFFER);
	scene.caller.watch = "Reason";
	assert_int_equal(sip_headers_add(&headers, "Reason", "Q.850;cause=17"), 0);
	scene.callee.leg =
		leg_release(scene.callee.leg, &(struct leg_farewell){ .status = 486,
								      .phrase = "Busy\r\nX: y",
								      .headers = &headers });
	scene_wait(&scene.caller, "ENDED:refused:486");
	assert_string_equal(scene.caller.header, "Q.850;cause=17");
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene_wait_gone();
	sip_headers_done(&headers);
	scene_close();
}

static void letting_go_of_a_ringing_call_cancels_it(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	scene_call(SIP_TRANSPORT_TLS, OFFER);
	scene.callee.watch = "Reason";
	assert_int_equal(leg_provisional(scene.callee.leg, 180, NULL, NULL, NULL), 0);
	scene_wait(&scene.caller, "180");
	scene.caller.leg =
		leg_release(scene.caller.leg, &(struct leg_farewell){ .reason = "SIP;cause=200" });
	scene_wait(&scene.callee, "ENDED:cancelled:487");
	assert_string_equal(scene.callee.header, "SIP;cause=200");
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	scene_wait_gone();
	scene_close();
}

/* Headers as a peer may have sent them: good ones, and some whose meaning
 * sofia knows but whose value it cannot read. */
static const char *const farewell_names[] = { "X-Own", "Date", "Warning", "Session-ID",
					      "Retry-After" };

static void expect_farewell(bool answered)
{
	struct sip_headers headers = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(farewell_names); i++)
		assert_int_equal(sip_headers_add(&headers, farewell_names[i], "a%%<b;,"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(farewell_names); i++) {
		scene_call(SIP_TRANSPORT_TLS, OFFER);
		scene.callee.watch = farewell_names[i];
		scene.callee.header[0] = '\0';
		assert_int_equal(answered
					 ? leg_answer(scene.callee.leg, ANSWER, NULL)
					 : leg_provisional(scene.callee.leg, 180, NULL, NULL, NULL),
				 0);
		scene_wait(&scene.caller, answered ? "ANSWERED+sdp" : "180");
		scene.caller.leg = leg_release(scene.caller.leg,
					       &(struct leg_farewell){ .headers = &headers });
		scene_wait(&scene.callee, "ENDED");
		assert_string_equal(scene.callee.header, "a%%<b;,");
		scene.callee.leg = leg_release(scene.callee.leg, NULL);
		scene_wait_gone();
		scene.caller.heard[0] = scene.callee.heard[0] = '\0';
	}
	sip_headers_done(&headers);
}

static void bye_and_cancel_take_headers_along_whatever_they_hold(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	expect_farewell(true);
	expect_farewell(false);
	scene_close();
}

static void a_call_given_up_before_any_response_is_cancelled_after_the_100(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_UDP);
	scene_call(SIP_TRANSPORT_UDP, OFFER);
	/* The 100 is on its way: nothing was read on this side yet. */
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene_wait(&scene.callee, "ENDED:cancelled:487");
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	scene_wait_gone();
	scene_close();
}

static void a_200_that_crosses_the_cancel_is_acknowledged_and_ended(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	scene_call(SIP_TRANSPORT_TLS, OFFER);
	assert_int_equal(leg_provisional(scene.callee.leg, 180, NULL, NULL, NULL), 0);
	scene_wait(&scene.caller, "180");
	assert_int_equal(leg_answer(scene.callee.leg, ANSWER, NULL), 0);
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene_wait(&scene.callee, "CONFIRMED");
	scene_wait(&scene.callee, "ENDED:bye:200");
	assert_null(strstr(scene.caller.heard, "ANSWERED"));
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	scene_wait_gone();
	scene_close();
}

static void the_called_side_may_hang_up_too(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_TCP);
	scene_talk(SIP_TRANSPORT_TCP);
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	scene_wait(&scene.caller, "ENDED:bye:200");
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene_wait_gone();
	scene_close();
}

static void both_may_hang_up_at_once(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	scene_talk(SIP_TRANSPORT_TLS);
	release_both();
	scene_wait_gone();
	scene_close();
}

static void an_answered_leg_let_go_before_the_ack_waits_for_it(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_UDP);
	scene_call(SIP_TRANSPORT_UDP, OFFER);
	assert_int_equal(leg_answer(scene.callee.leg, ANSWER, NULL), 0);
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	scene_wait(&scene.caller, "ANSWERED+sdp");
	scene_settle();
	assert_null(strstr(scene.caller.heard, "ENDED"));
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	scene_wait(&scene.caller, "ENDED:bye:200");
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene_wait_gone();
	scene_close();
}

static void an_ack_is_repeated_when_the_200_is(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_UDP);
	clock_fake_set(clock_now());
	scene_call(SIP_TRANSPORT_UDP, OFFER);
	assert_int_equal(leg_answer(scene.callee.leg, ANSWER, NULL), 0);
	scene_wait(&scene.caller, "ANSWERED+sdp");
	scene_pass(3000); /* the 200 is repeated; not told again */
	assert_string_equal(scene.caller.heard, " ANSWERED+sdp");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	scene_wait(&scene.callee, "CONFIRMED");
	assert_string_equal(scene.callee.heard, " CONFIRMED");
	scene_close();
}

static void no_ack_in_64_t1_ends_the_call_with_bye(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	clock_fake_set(clock_now());
	scene_call(SIP_TRANSPORT_TLS, OFFER);
	assert_int_equal(leg_answer(scene.callee.leg, ANSWER, NULL), 0);
	scene_wait(&scene.caller, "ANSWERED+sdp");
	scene_pass(31000);
	assert_string_equal(scene.callee.heard, "");
	scene_pass(2000);
	scene_wait(&scene.callee, "ENDED:no_ack:408");
	scene_wait(&scene.caller, "ENDED:bye:200");
	release_both();
	scene_wait_gone();
	scene_close();
}

static void a_settled_leg_forgets_its_offer_and_goes_on(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	scene_talk(SIP_TRANSPORT_TLS);
	leg_settle(scene.caller.leg);
	leg_settle(scene.caller.leg);
	leg_settle(scene.callee.leg);
	assert_null(leg_info(scene.caller.leg)->sdp);
	assert_int_equal(leg_info(scene.caller.leg)->headers->count, 0);
	assert_null(leg_info(scene.callee.leg)->sdp);
	assert_string_equal(leg_told(scene.caller.leg), OFFER);
	assert_string_equal(leg_told(scene.callee.leg), ANSWER);
	assert_string_equal(leg_info(scene.callee.leg)->request_user, "+004799000002");
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene_wait(&scene.callee, "ENDED:bye:200");
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	scene_wait_gone();
	scene_close();
}

static void an_answer_may_carry_the_offer_and_the_ack_the_answer(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	scene_call(SIP_TRANSPORT_TLS, NULL);
	assert_null(leg_info(scene.callee.leg)->sdp);
	assert_int_equal(leg_answer(scene.callee.leg, OFFER, NULL), 0);
	scene_wait(&scene.caller, "ANSWERED+sdp");
	assert_int_equal(leg_ack(scene.caller.leg, ANSWER), 0);
	scene_wait(&scene.callee, "CONFIRMED+sdp");
	assert_string_equal(scene.callee.sdp, ANSWER);
	scene_close();
}

static void an_offer_inside_the_call_is_answered_either_way_round(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	scene_talk(SIP_TRANSPORT_TLS);
	assert_int_equal(leg_offer(scene.caller.leg, OFFER, false), 0);
	assert_int_equal(leg_offer(scene.caller.leg, OFFER, false), -EBUSY);
	scene_wait(&scene.callee, "OFFER+sdp");
	assert_int_equal(leg_offer(scene.callee.leg, OFFER, false), -EBUSY);
	assert_int_equal(leg_offer_accept(scene.callee.leg, ANSWER), 0);
	scene_wait(&scene.caller, "OFFER_ANSWERED:200+sdp");
	scene_settle();

	assert_int_equal(leg_offer(scene.callee.leg, OFFER, false), 0);
	scene_wait(&scene.caller, "OFFER+sdp");
	assert_int_equal(leg_offer_refuse(scene.caller.leg, 488, "No"), 0);
	scene_wait(&scene.callee, "OFFER_ANSWERED:488");
	scene_settle();

	assert_int_equal(leg_offer(scene.caller.leg, NULL, false), 0);
	scene_wait(&scene.callee, "OFFER_ANSWERED:488 OFFER");
	assert_int_equal(leg_offer_accept(scene.callee.leg, OFFER), 0);
	scene_settle();
	scene_wait(&scene.caller, "OFFER_ANSWERED:200+sdp OFFER+sdp OFFER_ANSWERED:200+sdp");
	assert_int_equal(leg_ack(scene.caller.leg, ANSWER), 0);
	scene_wait(&scene.callee, "CONFIRMED+sdp");
	release_both();
	scene_wait_gone();
	scene_close();
}

static void offers_that_meet_are_tried_again_after_their_pauses(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_UDP);
	clock_fake_set(clock_now());
	scene_talk(SIP_TRANSPORT_UDP);
	assert_int_equal(leg_offer(scene.caller.leg, OFFER, false), 0);
	assert_int_equal(leg_offer(scene.callee.leg, OFFER, false), 0);
	scene_settle();
	assert_string_equal(scene.caller.heard, " ANSWERED+sdp");
	assert_string_equal(scene.callee.heard, " CONFIRMED");
	scene_pass(2000); /* the called side does not own the Call-ID: it comes first */
	scene_wait(&scene.caller, "OFFER+sdp");
	assert_int_equal(leg_offer_accept(scene.caller.leg, ANSWER), 0);
	scene_wait(&scene.callee, "OFFER_ANSWERED:200+sdp");
	scene_pass(8000);
	scene_wait(&scene.callee, "OFFER+sdp");
	assert_int_equal(leg_offer_accept(scene.callee.leg, ANSWER), 0);
	scene_wait(&scene.caller, "OFFER_ANSWERED:200+sdp");
	release_both();
	scene_wait_gone();
	scene_close();
}

static void a_leg_may_be_let_go_inside_its_event(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	scene_call(SIP_TRANSPORT_TLS, OFFER);
	scene.caller.release_at_once = true;
	assert_int_equal(leg_provisional(scene.callee.leg, 180, NULL, NULL, NULL), 0);
	scene_wait(&scene.callee, "ENDED:cancelled:487");
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	scene_wait_gone();

	memset(&scene.caller, 0, sizeof(scene.caller));
	memset(&scene.callee, 0, sizeof(scene.callee));
	scene_talk(SIP_TRANSPORT_TLS);
	scene.callee.release_at_once = true;
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene_wait(&scene.callee, "ENDED:bye:200");
	scene_wait_gone();
	scene_close();
}

static void texts_that_cannot_be_sent_are_refused_at_once(void **state)
{
	static const char *const bad[] = { "",    "sip:",        "sip:a b@h", "sip:a@h\r\nX: y",
					   "h",   "http://h",    "sip:a@h>x", "sips:x@h?Subject=y",
					   "sip", "mailto:a@b.c" };
	struct leg_invite invite = { .from_uri = "sip:a@b", .to_uri = "sip:c@d" };
	struct sip_headers headers = { 0 };
	struct leg *leg = NULL;

	(void)state;
	scene_open_pair(SIP_TRANSPORT_UDP);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		invite.request_uri = bad[i];
		assert_int_equal(leg_invite(&leg, scene.a, &invite, party_on_event, NULL), -EINVAL);
	}
	invite.request_uri = "sip:x@127.0.0.1";
	invite.from_uri = "sip:a@b>;tag=1";
	assert_int_equal(leg_invite(&leg, scene.a, &invite, party_on_event, NULL), -EINVAL);
	assert_int_equal(sip_headers_add(&headers, "X", "a\r\nb"), -EINVAL);
	sip_headers_done(&headers);
	assert_int_equal(sip_endpoint_leg_count(scene.a), 0);
	scene_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_over_udp_rings_talks_and_ends),
		cmocka_unit_test(a_call_over_tcp_rings_talks_and_ends),
		cmocka_unit_test(a_call_over_tls_rings_talks_and_ends),
		cmocka_unit_test(a_refusal_reaches_the_caller_with_status_phrase_and_headers),
		cmocka_unit_test(letting_go_of_a_ringing_call_cancels_it),
		cmocka_unit_test(bye_and_cancel_take_headers_along_whatever_they_hold),
		cmocka_unit_test(a_call_given_up_before_any_response_is_cancelled_after_the_100),
		cmocka_unit_test(a_200_that_crosses_the_cancel_is_acknowledged_and_ended),
		cmocka_unit_test(the_called_side_may_hang_up_too),
		cmocka_unit_test(both_may_hang_up_at_once),
		cmocka_unit_test(a_settled_leg_forgets_its_offer_and_goes_on),
		cmocka_unit_test(an_answered_leg_let_go_before_the_ack_waits_for_it),
		cmocka_unit_test(an_ack_is_repeated_when_the_200_is),
		cmocka_unit_test(no_ack_in_64_t1_ends_the_call_with_bye),
		cmocka_unit_test(an_answer_may_carry_the_offer_and_the_ack_the_answer),
		cmocka_unit_test(an_offer_inside_the_call_is_answered_either_way_round),
		cmocka_unit_test(offers_that_meet_are_tried_again_after_their_pauses),
		cmocka_unit_test(a_leg_may_be_let_go_inside_its_event),
		cmocka_unit_test(texts_that_cannot_be_sent_are_refused_at_once),
	};

	return cmocka_run_group_tests_name("tas/sip/leg", tests, NULL, NULL);
}
