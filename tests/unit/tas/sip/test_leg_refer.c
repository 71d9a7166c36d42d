/* SPDX-License-Identifier: Apache-2.0 */
/* test_leg_refer.c - a peer asks for a transfer (RFC 3515). */
#include <errno.h>
#include "tests/unit/tas/sip/wire.h"

static struct wire wire;

/* A call from our side to a callee written by hand, which asks. */
static const char *talk(void)
{
	const char *invite;
	char uri[128];

	scene_open_pair(SIP_TRANSPORT_UDP);
	wire_open(&wire, SOCK_DGRAM, 0);
	scene_uri(uri, sizeof(uri), "x", "127.0.0.1", wire.port, SIP_TRANSPORT_UDP);
	assert_int_equal(scene_try_call(uri, OFFER), 0);
	invite = wire_take_from(&wire, "INVITE");
	wire_respond(&wire, invite, "200 OK", "t", "", ANSWER);
	scene_wait(&scene.caller, "ANSWERED+sdp");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	wire_expect(&wire, "ACK sip:");
	return invite;
}

static void end(void)
{
	wire_close(&wire);
	scene_close();
}

static void ask(const char *invite, unsigned cseq, const char *lines)
{
	char from[200], to[200], call_id[100];

	wire_send(&wire,
		  "REFER sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP "
		  "127.0.0.1:%u;branch=z9hG4bKr%u\r\n"
		  "From: %s;tag=t\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u REFER\r\n"
		  "Contact: <sip:x@127.0.0.1:%u>\r\n%sContent-Length: 0\r\n\r\n",
		  wire.port, cseq, wire_header(invite, "To", to, sizeof(to)),
		  wire_header(invite, "From", from, sizeof(from)),
		  wire_header(invite, "Call-ID", call_id, sizeof(call_id)), cseq, wire.port, lines);
}

static void who_asks_is_told_how_it_goes(void **state)
{
	const char *invite = talk(), *notify;
	char text[100];

	(void)state;
	ask(invite, 5, "Refer-To: \"Bob\" <sip:+4722000000@pbx.example;user=phone>\r\n");
	scene_wait(&scene.caller, "REFER:+4722000000");
	assert_string_equal(scene.caller.text, "sip:+4722000000@pbx.example;user=phone -");
	assert_int_equal(leg_refer_answer(scene.caller.leg, 202), 0);
	wire_expect(&wire, "SIP/2.0 202");
	notify = wire_expect(&wire, "NOTIFY sip:");
	assert_string_equal(wire_header(notify, "Event", text, sizeof(text)), "refer");
	assert_string_equal(wire_header(notify, "Content-Type", text, sizeof(text)),
			    "message/sipfrag;version=2.0");
	wire_expect(&wire, "SIP/2.0 100 Trying\r\n");
	wire_respond(&wire, notify, "200 OK", NULL, "", "");
	leg_refer_report(scene.caller.leg, 180, "Ringing");
	notify = wire_expect(&wire, "NOTIFY sip:");
	wire_expect(&wire, "SIP/2.0 180 Ringing\r\n");
	assert_non_null(strstr(notify, "Subscription-State: active"));
	wire_respond(&wire, notify, "200 OK", NULL, "", "");
	leg_refer_report(scene.caller.leg, 486, NULL);
	notify = wire_expect(&wire, "NOTIFY sip:");
	wire_expect(&wire, "SIP/2.0 486 Busy Here\r\n");
	assert_non_null(strstr(notify, "Subscription-State: terminated;reason=noresource"));
	wire_respond(&wire, notify, "200 OK", NULL, "", "");
	leg_refer_report(scene.caller.leg, 200, NULL); /* it was over */
	wire_settle(&wire);
	assert_null(strstr(wire.got + wire.seen, "NOTIFY"));
	end();
}

static void a_second_one_is_told_apart(void **state)
{
	const char *invite = talk();

	(void)state;
	ask(invite, 5, "Refer-To: <sip:201@pbx>\r\n");
	scene_wait(&scene.caller, "REFER:201");
	ask(invite, 6, "Refer-To: <sip:202@pbx>\r\n");
	wire_expect(&wire, "SIP/2.0 491");
	assert_int_equal(leg_refer_answer(scene.caller.leg, 603), 0);
	wire_expect(&wire, "SIP/2.0 603");
	ask(invite, 7, "r: <sip:203@pbx>\r\n");
	scene_wait(&scene.caller, "REFER:203");
	assert_int_equal(leg_refer_answer(scene.caller.leg, 202), 0);
	wire_expect(&wire, "Event: refer;id=7\r\n");
	assert_int_equal(leg_refer_answer(scene.caller.leg, 202), -EINVAL);
	end();
}

static void who_wants_no_news_gets_none(void **state)
{
	const char *invite = talk();

	(void)state;
	ask(invite, 5, "Refer-To: <sip:201@pbx>\r\nRefer-Sub: false\r\n");
	scene_wait(&scene.caller, "REFER:201");
	assert_int_equal(leg_refer_answer(scene.caller.leg, 202), 0);
	wire_expect(&wire, "Refer-Sub: false");
	leg_refer_report(scene.caller.leg, 200, NULL);
	wire_settle(&wire);
	assert_null(strstr(wire.got, "NOTIFY"));
	end();
}

static void replaces_is_read_as_the_new_invite_would_have_it(void **state)
{
	const char *invite = talk();

	(void)state;
	ask(invite, 5,
	    "Refer-To: "
	    "<sip:201@pbx?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&Priority=urgent>\r\n");
	scene_wait(&scene.caller, "REFER:201");
	assert_string_equal(scene.caller.text, "sip:201@pbx a@b;to-tag=1;from-tag=2");
	end();
}

static void what_is_no_transfer_is_refused(void **state)
{
	const char *invite = talk();

	(void)state;
	ask(invite, 5, "");
	wire_expect(&wire, "SIP/2.0 400");
	ask(invite, 6, "Refer-To: <http://example.com/>\r\n");
	wire_expect(&wire, "SIP/2.0 501");
	ask(invite, 7, "Refer-To: <sip:201@pbx;method=BYE>\r\n");
	wire_expect(&wire, "SIP/2.0 501");
	ask(invite, 8, "Refer-To: <sip:2%0001@pbx>\r\n");
	wire_expect(&wire, "SIP/2.0 400");
	assert_string_equal(scene.caller.heard, " ANSWERED+sdp");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_asks_is_told_how_it_goes),
		cmocka_unit_test(a_second_one_is_told_apart),
		cmocka_unit_test(who_wants_no_news_gets_none),
		cmocka_unit_test(replaces_is_read_as_the_new_invite_would_have_it),
		cmocka_unit_test(what_is_no_transfer_is_refused),
	};

	wire.fd = -1;
	return cmocka_run_group_tests_name("tas/sip/leg_refer", tests, NULL, NULL);
}
