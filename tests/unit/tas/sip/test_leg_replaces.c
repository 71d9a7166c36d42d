/* SPDX-License-Identifier: Apache-2.0 */
/* test_leg_replaces.c - dialogs of ours, named by a Replaces value (RFC 3891). */
#include <errno.h>
#include "tests/unit/tas/sip/wire.h"

static struct wire wire;

static void end(void)
{
	wire_close(&wire);
	scene_close();
}

static void a_dialog_of_ours_is_found_by_replaces(void **state)
{
	struct leg_named named;
	const char *ok;
	char tag[100], replaces[200], *end_of_tag;

	(void)state;
	scene_open_pair(SIP_TRANSPORT_UDP);
	wire_open(&wire, SOCK_DGRAM, sip_endpoint_port(scene.b, 0));
	wire_request(&wire, "INVITE", "sip:x@127.0.0.1", "UDP",
		     "Contact: <sip:w@127.0.0.1:9>\r\nContent-Type: application/sdp\r\n", OFFER);
	scene_wait_invite(1);
	assert_int_equal(leg_answer(scene.callee.leg, ANSWER, NULL), 0);
	ok = wire_expect(&wire, "SIP/2.0 200");
	wire_settle(&wire);
	(void)snprintf(tag, sizeof(tag), "%s", strstr(strstr(ok, "\r\nTo: "), ";tag=") + 5);
	end_of_tag = tag + strcspn(tag, "\r");
	*end_of_tag = '\0';
	(void)snprintf(replaces, sizeof(replaces), "%s;to-tag=%s;from-tag=wire",
		       leg_info(scene.callee.leg)->call_id, tag);
	assert_int_equal(leg_by_replaces(scene.b, replaces, &named), 0);
	assert_int_equal(named.stage, LEG_STAGE_BETWEEN); /* not confirmed yet */
	wire_send(
		&wire,
		"ACK sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKa\r\n"
		"From: <sip:+4799000001@127.0.0.1:%u>;tag=wire\r\nTo: <sip:x@127.0.0.1>;tag=%s\r\n"
		"Call-ID: %s\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
		wire.port, wire.port, tag, leg_info(scene.callee.leg)->call_id);
	scene_wait(&scene.callee, "CONFIRMED");
	assert_int_equal(leg_by_replaces(scene.b, replaces, &named), 0);
	assert_int_equal(named.stage, LEG_STAGE_TALKING);
	assert_false(named.early_only);
	assert_ptr_equal(named.leg, scene.callee.leg);
	assert_int_equal(leg_by_replaces(scene.b, "x@y;to-tag=1;from-tag=2", &named), -ENOENT);
	assert_int_equal(leg_by_replaces(scene.b, "no replaces at all", &named), -EINVAL);
	assert_int_equal(leg_by_replaces(scene.b, "", &named), -EINVAL);
	strcat(replaces, ";early-only");
	assert_int_equal(leg_by_replaces(scene.b, replaces, &named), 0);
	assert_true(named.early_only);
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	assert_int_equal(leg_by_replaces(scene.b, replaces, &named), 0);
	assert_int_equal(named.stage, LEG_STAGE_OVER);
	assert_null(named.leg);
	end();
}

/* Every early dialog of a fork, also one that no reliable response has opened. */
static void an_invite_that_rings_is_found_by_any_of_its_dialogs(void **state)
{
	const char *invite, *tag;
	char uri[128], from[200], replaces[400];
	struct leg_named named;

	(void)state;
	scene_open_pair(SIP_TRANSPORT_UDP);
	wire_open(&wire, SOCK_DGRAM, 0);
	scene_uri(uri, sizeof(uri), "x", "127.0.0.1", wire.port, SIP_TRANSPORT_UDP);
	assert_int_equal(scene_try_call(uri, OFFER), 0);
	invite = wire_take_from(&wire, "INVITE");
	tag = strstr(wire_header(invite, "From", from, sizeof(from)), "tag=") + 4;
	wire_respond(&wire, invite, "180 Ringing", "one", "", "");
	wire_respond(&wire, invite, "180 Ringing", "two", "", "");
	scene_wait(&scene.caller, "180 180");
	(void)snprintf(replaces, sizeof(replaces), "%s;to-tag=%s;from-tag=two",
		       leg_info(scene.caller.leg)->call_id, tag);
	assert_int_equal(leg_by_replaces(scene.a, replaces, &named), 0);
	assert_int_equal(named.stage, LEG_STAGE_RINGING);
	assert_ptr_equal(named.leg, scene.caller.leg);
	replaces[strlen(replaces) - 1] = 'x'; /* "twx" never rang */
	assert_int_equal(leg_by_replaces(scene.a, replaces, &named), -ENOENT);
	wire_respond(&wire, invite, "200 OK", "one", "", ANSWER);
	scene_wait(&scene.caller, "ANSWERED");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	replaces[strlen(replaces) - 1] = 'o'; /* the one that lost is none any more */
	assert_int_equal(leg_by_replaces(scene.a, replaces, &named), -ENOENT);
	end();
}

static void what_an_invite_wants_to_replace_is_told(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_UDP);
	wire_open(&wire, SOCK_DGRAM, sip_endpoint_port(scene.b, 0));
	wire_request(&wire, "INVITE", "sip:x@127.0.0.1", "UDP",
		     "Contact: <sip:w@127.0.0.1:9>\r\nRequire: replaces\r\n"
		     "Replaces: c@h;to-tag=1;from-tag=2\r\n",
		     "");
	scene_wait_invite(1);
	assert_string_equal(leg_info(scene.callee.leg)->replaces, "c@h;to-tag=1;from-tag=2");
	assert_true(leg_info(scene.callee.leg)->needs_replaces);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dialog_of_ours_is_found_by_replaces),
		cmocka_unit_test(an_invite_that_rings_is_found_by_any_of_its_dialogs),
		cmocka_unit_test(what_an_invite_wants_to_replace_is_told),
	};

	wire.fd = -1;
	return cmocka_run_group_tests_name("tas/sip/leg_replaces", tests, NULL, NULL);
}
