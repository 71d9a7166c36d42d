/* SPDX-License-Identifier: Apache-2.0 */
/* test_leg_inform.c - INFO, one at a time (RFC 6086). */
#include <errno.h>
#include "tests/unit/tas/sip/wire.h"

#define DIGIT "Signal=5\r\nDuration=160\r\n"
#define TYPE  "application/dtmf-relay"

static void it_crosses_with_its_answer(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_UDP);
	scene_talk(SIP_TRANSPORT_UDP);
	assert_int_equal(leg_inform(scene.caller.leg, TYPE, DIGIT), 0);
	assert_int_equal(leg_inform(scene.caller.leg, TYPE, DIGIT), -EBUSY);
	scene_wait(&scene.callee, "INFO");
	assert_string_equal(scene.callee.text, TYPE "|" DIGIT);
	assert_int_equal(leg_inform_answer(scene.callee.leg, 200), 0);
	assert_int_equal(leg_inform_answer(scene.callee.leg, 200), -EINVAL);
	scene_wait(&scene.caller, "INFO_ANSWERED:200");
	assert_int_equal(leg_inform(scene.callee.leg, TYPE, DIGIT), 0);
	scene_wait(&scene.caller, "INFO_ANSWERED:200 INFO");
	assert_int_equal(leg_inform_answer(scene.caller.leg, 415), 0);
	scene_wait(&scene.callee, "INFO_ANSWERED:415");
	scene_close();
}

static void a_peer_that_allows_none_is_not_asked(void **state)
{
	static struct wire wire;
	const char *invite;
	char uri[128];

	(void)state;
	scene_open_pair(SIP_TRANSPORT_UDP);
	wire_open(&wire, SOCK_DGRAM, 0);
	scene_uri(uri, sizeof(uri), "x", "127.0.0.1", wire.port, SIP_TRANSPORT_UDP);
	assert_int_equal(scene_try_call(uri, OFFER), 0);
	invite = wire_take_from(&wire, "INVITE");
	assert_int_equal(leg_inform(scene.caller.leg, TYPE, DIGIT), -EINVAL);
	wire_respond(&wire, invite, "200 OK", "t", "Allow: INVITE, ACK, BYE\r\n", ANSWER);
	scene_wait(&scene.caller, "ANSWERED");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	assert_int_equal(leg_inform(scene.caller.leg, TYPE, DIGIT), -EOPNOTSUPP);
	wire_close(&wire);
	scene_close();
}

static void what_is_not_answered_when_the_call_ends_is_let_go(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_UDP);
	scene_talk(SIP_TRANSPORT_UDP);
	assert_int_equal(leg_inform(scene.caller.leg, TYPE, DIGIT), 0);
	scene_wait(&scene.callee, "INFO");
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene_wait(&scene.callee, "ENDED:bye");
	assert_int_equal(leg_inform_answer(scene.callee.leg, 200), -EINVAL);
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	scene_wait_gone();
	scene_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_crosses_with_its_answer),
		cmocka_unit_test(a_peer_that_allows_none_is_not_asked),
		cmocka_unit_test(what_is_not_answered_when_the_call_ends_is_let_go),
	};

	return cmocka_run_group_tests_name("tas/sip/leg_inform", tests, NULL, NULL);
}
