/* SPDX-License-Identifier: Apache-2.0 */
/* test_leg_refresh.c - session timers between two dialogs, in faked minutes. */
#include "tests/unit/tas/sip/wire.h"

static struct wire wire;

static void open_pair(unsigned expires_s)
{
	struct config_listen listen;
	struct sip_endpoint_options options;

	scene_open();
	scene.expires_s = expires_s;
	options = scene_options(&listen, SIP_TRANSPORT_UDP);
	scene.a = scene_endpoint(&options);
	scene.b = scene_endpoint(&options);
	clock_fake_set(clock_now());
}

static void end(void)
{
	wire_close(&wire);
	scene_close();
}

/* Our caller and a callee written by hand, talking. `extra`: of its 2xx. */
static const char *talk_to_wire(const char *extra)
{
	const char *invite;
	char uri[128];

	wire_open(&wire, SOCK_DGRAM, 0);
	scene_uri(uri, sizeof(uri), "x", "127.0.0.1", wire.port, SIP_TRANSPORT_UDP);
	assert_int_equal(scene_try_call(uri, OFFER), 0);
	invite = wire_take_from(&wire, "INVITE");
	wire_respond(&wire, invite, "200 OK", "t", extra, ANSWER);
	scene_wait(&scene.caller, "ANSWERED+sdp");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	wire_expect(&wire, "ACK sip:");
	return invite;
}

static void a_refreshed_call_outlives_its_interval(void **state)
{
	(void)state;
	open_pair(100);
	scene_talk(SIP_TRANSPORT_UDP);
	scene_pass(450 * 1000);
	assert_string_equal(scene.caller.heard, " ANSWERED+sdp");
	assert_string_equal(scene.callee.heard, " CONFIRMED"); /* refreshes are nobody's business */
	end();
}

static void a_peer_that_does_not_refresh_is_hung_up(void **state)
{
	const char *bye;
	char reason[100];

	(void)state;
	open_pair(100);
	talk_to_wire("Session-Expires: 100;refresher=uas\r\nRequire: timer\r\n");
	scene_pass(66 * 1000);
	assert_string_equal(scene.caller.heard, " ANSWERED+sdp");
	scene_pass(3 * 1000); /* 100 s less the smaller of 32 s and a third */
	scene_wait(&scene.caller, "ENDED:expired:408");
	bye = wire_expect(&wire, "BYE sip:");
	assert_non_null(strstr(wire_header(bye, "Reason", reason, sizeof(reason)), "expired"));
	end();
}

static void without_update_the_refresh_is_a_reinvite_with_the_same_sdp(void **state)
{
	const char *again;

	(void)state;
	open_pair(100);
	talk_to_wire("Session-Expires: 100;refresher=uac\r\nAllow: INVITE, ACK, BYE\r\n");
	scene_pass(51 * 1000);
	again = wire_expect(&wire, "INVITE sip:");
	assert_non_null(strstr(again, OFFER));
	assert_non_null(strstr(again, "Session-Expires: 100;refresher=uac"));
	wire_respond(&wire, again, "200 OK", NULL, "Session-Expires: 100;refresher=uac\r\n",
		     ANSWER);
	wire_expect(&wire, "ACK sip:");
	scene_pass(51 * 1000);
	wire_expect(&wire, "INVITE sip:"); /* and again */
	assert_string_equal(scene.caller.heard, " ANSWERED+sdp");
	end();
}

static void an_update_that_is_not_known_after_all_becomes_a_reinvite(void **state)
{
	(void)state;
	open_pair(100);
	talk_to_wire("Session-Expires: 100;refresher=uac\r\nAllow: INVITE, ACK, BYE, UPDATE\r\n");
	scene_pass(51 * 1000);
	wire_respond(&wire, wire_expect(&wire, "UPDATE sip:"), "405 Method Not Allowed", NULL, "",
		     "");
	wire_settle(&wire);
	scene_pass(1000);
	wire_expect(&wire, "INVITE sip:");
	end();
}

static void a_refresh_that_finds_no_dialog_ends_the_call(void **state)
{
	(void)state;
	open_pair(100);
	talk_to_wire("Session-Expires: 100;refresher=uac\r\nAllow: UPDATE\r\n");
	scene_pass(51 * 1000);
	wire_respond(&wire, wire_expect(&wire, "UPDATE sip:"), "481 Gone", NULL, "", "");
	scene_wait(&scene.caller, "ENDED:lost:481");
	end();
}

static void a_peer_without_timers_is_left_alone(void **state)
{
	(void)state;
	open_pair(100);
	talk_to_wire("");
	scene_pass(300 * 1000);
	wire_settle(&wire);
	assert_null(strstr(wire.got + wire.seen, "UPDATE sip:"));
	assert_null(strstr(wire.got + wire.seen, "INVITE sip:"));
	assert_string_equal(scene.caller.heard, " ANSWERED+sdp");
	end();
}

static void a_422_is_met_by_asking_for_longer(void **state)
{
	const char *invite;
	char uri[128], text[100], call_id[100];

	(void)state;
	open_pair(100);
	wire_open(&wire, SOCK_DGRAM, 0);
	scene_uri(uri, sizeof(uri), "x", "127.0.0.1", wire.port, SIP_TRANSPORT_UDP);
	assert_int_equal(scene_try_call(uri, OFFER), 0);
	invite = wire_take_from(&wire, "INVITE");
	assert_non_null(strstr(wire_header(invite, "Supported", text, sizeof(text)), "timer"));
	wire_header(invite, "Call-ID", call_id, sizeof(call_id));
	wire_respond(&wire, invite, "422 Session Interval Too Small", "a", "Min-SE: 600\r\n", "");
	wire_expect(&wire, "ACK sip:");
	invite = wire_expect(&wire, "INVITE sip:");
	assert_string_equal(wire_header(invite, "Session-Expires", text, sizeof(text)), "600");
	assert_string_equal(wire_header(invite, "Min-SE", text, sizeof(text)), "600");
	assert_string_equal(wire_header(invite, "Call-ID", text, sizeof(text)), call_id);
	assert_non_null(strstr(invite, OFFER));
	wire_respond(&wire, invite, "200 OK", "t", "Session-Expires: 600;refresher=uac\r\n",
		     ANSWER);
	scene_wait(&scene.caller, "ANSWERED+sdp");
	assert_string_equal(scene.caller.heard, " ANSWERED+sdp");
	end();
}

static void a_422_that_asks_for_nothing_is_a_refusal(void **state)
{
	char uri[128];

	(void)state;
	open_pair(100);
	wire_open(&wire, SOCK_DGRAM, 0);
	scene_uri(uri, sizeof(uri), "x", "127.0.0.1", wire.port, SIP_TRANSPORT_UDP);
	assert_int_equal(scene_try_call(uri, OFFER), 0);
	wire_respond(&wire, wire_take_from(&wire, "INVITE"), "422 Too Small", "a", "Min-SE: 90\r\n",
		     "");
	scene_wait(&scene.caller, "ENDED:refused:422");
	end();
}

static void a_timer_too_small_is_refused_with_what_we_bear(void **state)
{
	const char *response;
	char text[20];

	(void)state;
	open_pair(1800);
	wire_open(&wire, SOCK_DGRAM, sip_endpoint_port(scene.b, 0));
	wire_request(&wire, "INVITE", "sip:x@127.0.0.1", "UDP",
		     "Contact: <sip:w@127.0.0.1:9>\r\nSupported: timer\r\nSession-Expires: 30\r\n"
		     "Content-Type: application/sdp\r\n",
		     OFFER);
	response = wire_expect(&wire, "SIP/2.0 422");
	assert_string_equal(wire_header(response, "Min-SE", text, sizeof(text)), "90");
	assert_int_equal(scene.invites, 0);
	end();
}

static void our_2xx_says_what_was_agreed(void **state)
{
	const char *response;
	char text[60];

	(void)state;
	open_pair(1800);
	wire_open(&wire, SOCK_DGRAM, sip_endpoint_port(scene.b, 0));
	wire_request(&wire, "INVITE", "sip:x@127.0.0.1", "UDP",
		     "Contact: <sip:w@127.0.0.1:9>\r\nRequire: timer\r\nSupported: timer\r\n"
		     "Session-Expires: 600;refresher=uac\r\nContent-Type: application/sdp\r\n",
		     OFFER);
	scene_wait_invite(1);
	assert_int_equal(leg_answer(scene.callee.leg, ANSWER, NULL), 0);
	response = wire_expect(&wire, "SIP/2.0 200");
	wire_settle(&wire);
	assert_string_equal(wire_header(response, "Session-Expires", text, sizeof(text)),
			    "600;refresher=uac");
	assert_string_equal(wire_header(response, "Require", text, sizeof(text)), "timer");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refreshed_call_outlives_its_interval),
		cmocka_unit_test(a_peer_that_does_not_refresh_is_hung_up),
		cmocka_unit_test(without_update_the_refresh_is_a_reinvite_with_the_same_sdp),
		cmocka_unit_test(an_update_that_is_not_known_after_all_becomes_a_reinvite),
		cmocka_unit_test(a_refresh_that_finds_no_dialog_ends_the_call),
		cmocka_unit_test(a_peer_without_timers_is_left_alone),
		cmocka_unit_test(a_422_is_met_by_asking_for_longer),
		cmocka_unit_test(a_422_that_asks_for_nothing_is_a_refusal),
		cmocka_unit_test(a_timer_too_small_is_refused_with_what_we_bear),
		cmocka_unit_test(our_2xx_says_what_was_agreed),
	};

	wire.fd = -1;
	return cmocka_run_group_tests_name("tas/sip/leg_refresh", tests, NULL, NULL);
}
