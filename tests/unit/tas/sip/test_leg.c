/* SPDX-License-Identifier: Apache-2.0 */
/* test_leg.c - whole calls between two endpoints, over each transport. */
#include "tests/unit/tas/sip/scene.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_over_udp_rings_talks_and_ends),
		cmocka_unit_test(a_call_over_tcp_rings_talks_and_ends),
		cmocka_unit_test(a_call_over_tls_rings_talks_and_ends),
	};

	return cmocka_run_group_tests_name("tas/sip/leg", tests, NULL, NULL);
}
