/* SPDX-License-Identifier: Apache-2.0 */
/* test_leg_prack.c - reliable provisional responses, and what they make
 * possible before the answer (RFC 3262, RFC 3311). */
#include <errno.h>
#include "tests/unit/tas/sip/wire.h"

static struct wire wire;

static void open_pair(enum leg_100rel rel100)
{
	scene_open_pair(SIP_TRANSPORT_UDP);
	scene.rel100 = rel100;
}

static void end(void)
{
	wire_close(&wire);
	scene_close();
}

/* A hand-written callee; the rest of the message's headers are the test's. */
static const char *call_wire(const char *sdp)
{
	char uri[128];

	wire_open(&wire, SOCK_DGRAM, 0);
	scene_uri(uri, sizeof(uri), "x", "127.0.0.1", wire.port, SIP_TRANSPORT_UDP);
	assert_int_equal(scene_try_call(uri, sdp), 0);
	return wire_take_from(&wire, "INVITE");
}

static void ring(const char *invite, const char *tag, unsigned rseq, const char *body)
{
	char extra[200];

	(void)snprintf(extra, sizeof(extra), "Require: 100rel\r\nRSeq: %u\r\nAllow: UPDATE\r\n",
		       rseq);
	wire_respond(&wire, invite, "183 Session Progress", tag, extra, body);
}

/* A hand-written caller. */
static void called_by_wire(const char *extra, const char *body)
{
	wire_open(&wire, SOCK_DGRAM, sip_endpoint_port(scene.b, 0));
	wire_request(&wire, "INVITE", "sip:x@127.0.0.1", "UDP", extra, body);
	scene_wait_invite(1);
}

/* The wire's PRACK for the response at `message`. */
static void send_prack(const char *message, const char *body)
{
	char to[200], from[200], call_id[100], rseq[20];

	wire_send(
		&wire,
		"PRACK sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKp\r\n"
		"From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 2 PRACK\r\nRAck: %s 1 INVITE\r\n"
		"%sContent-Length: %zu\r\n\r\n%s",
		wire.port, wire_header(message, "From", from, sizeof(from)),
		wire_header(message, "To", to, sizeof(to)),
		wire_header(message, "Call-ID", call_id, sizeof(call_id)),
		wire_header(message, "RSeq", rseq, sizeof(rseq)),
		*body ? "Content-Type: application/sdp\r\n" : "", strlen(body), body);
}

#define CALLER_LINES                                                                               \
	"Contact: <sip:w@127.0.0.1:9>\r\nSupported: 100rel\r\nContent-Type: application/sdp\r\n"

static void a_reliable_18x_is_acknowledged_and_what_follows_is_reliable_too(void **state)
{
	(void)state;
	open_pair(LEG_100REL_SUPPORTED);
	scene_call(SIP_TRANSPORT_UDP, OFFER);
	assert_int_equal(leg_info(scene.callee.leg)->rel100, LEG_100REL_SUPPORTED);
	assert_int_equal(leg_provisional_reliably(scene.callee.leg, 183, NULL, ANSWER, NULL), 0);
	assert_int_equal(leg_provisional(scene.callee.leg, 180, NULL, NULL, NULL), 0);
	scene_wait(&scene.caller, "R180");
	assert_string_equal(scene.caller.heard, " R183+sdp R180");
	assert_int_equal(leg_answer(scene.callee.leg, ANSWER, NULL), 0);
	scene_wait(&scene.caller, "ANSWERED");
	/* The answer was given once (RFC 3261 13.2.1). */
	assert_string_equal(scene.caller.heard, " R183+sdp R180 ANSWERED");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	scene_wait(&scene.callee, "CONFIRMED");
	end();
}

static void who_cannot_be_reliable_gets_ordinary_ones(void **state)
{
	(void)state;
	open_pair(LEG_100REL_NONE);
	scene_call(SIP_TRANSPORT_UDP, OFFER);
	assert_int_equal(leg_provisional_reliably(scene.callee.leg, 183, NULL, ANSWER, NULL), 0);
	assert_int_equal(leg_answer(scene.callee.leg, ANSWER, NULL), 0);
	scene_wait(&scene.caller, "ANSWERED");
	assert_string_equal(scene.caller.heard, " 183+sdp ANSWERED+sdp");
	end();
}

static void who_requires_it_gets_every_18x_reliably(void **state)
{
	(void)state;
	open_pair(LEG_100REL_REQUIRED);
	scene_call(SIP_TRANSPORT_UDP, OFFER);
	assert_int_equal(leg_provisional(scene.callee.leg, 180, NULL, NULL, NULL), 0);
	assert_int_equal(leg_provisional(scene.callee.leg, 183, NULL, ANSWER, NULL), 0);
	scene_wait(&scene.caller, "R183+sdp");
	assert_string_equal(scene.caller.heard, " R180 R183+sdp");
	end();
}

static void the_answer_waits_for_the_prack_of_its_sdp(void **state)
{
	const char *progress;

	(void)state;
	open_pair(LEG_100REL_NONE);
	called_by_wire(CALLER_LINES, OFFER);
	assert_int_equal(leg_provisional_reliably(scene.callee.leg, 183, NULL, ANSWER, NULL), 0);
	progress = wire_expect(&wire, "SIP/2.0 183");
	assert_int_equal(leg_answer(scene.callee.leg, ANSWER, NULL), 0);
	wire_settle(&wire);
	assert_null(strstr(wire.got, "SIP/2.0 200"));
	send_prack(progress, "");
	wire_expect(&wire, "SIP/2.0 200");
	wire_expect(&wire, "SIP/2.0 200");
	assert_non_null(strstr(wire.got, "2 PRACK"));
	end();
}

static void without_a_prack_the_call_is_refused(void **state)
{
	(void)state;
	open_pair(LEG_100REL_NONE);
	clock_fake_set(clock_now());
	called_by_wire(CALLER_LINES, OFFER);
	assert_int_equal(leg_provisional_reliably(scene.callee.leg, 183, NULL, ANSWER, NULL), 0);
	scene_pass(40000); /* more than 64*T1: RFC 3262 section 3 */
	assert_string_equal(scene.callee.heard, " ENDED:no_ack:408");
	wire_expect(&wire, "SIP/2.0 503");
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	scene_pass(40000);
	assert_int_equal(sip_endpoint_leg_count(scene.b), 0);
	end();
}

static void a_caller_that_gives_up_unacknowledged_leaves_nothing_behind(void **state)
{
	(void)state;
	open_pair(LEG_100REL_NONE);
	called_by_wire(CALLER_LINES, OFFER);
	assert_int_equal(leg_provisional_reliably(scene.callee.leg, 183, NULL, ANSWER, NULL), 0);
	assert_int_equal(leg_provisional(scene.callee.leg, 180, NULL, NULL, NULL), 0);
	assert_int_equal(leg_answer(scene.callee.leg, ANSWER, NULL), 0);
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	end(); /* the sanitizer looks on */
}

static void both_sides_may_update_before_the_answer(void **state)
{
	(void)state;
	open_pair(LEG_100REL_SUPPORTED);
	scene_call(SIP_TRANSPORT_UDP, OFFER);
	assert_int_equal(leg_offer(scene.caller.leg, OFFER, true), -EINVAL); /* too early */
	assert_int_equal(leg_provisional_reliably(scene.callee.leg, 183, NULL, ANSWER, NULL), 0);
	scene_wait(&scene.caller, "R183+sdp");
	scene_settle(); /* the PRACK */
	assert_int_equal(leg_offer(scene.caller.leg, OFFER, false), -EOPNOTSUPP);
	assert_int_equal(leg_offer(scene.caller.leg, OFFER, true), 0);
	scene_wait(&scene.callee, "UPDATE+sdp");
	assert_int_equal(leg_offer_accept(scene.callee.leg, ANSWER), 0);
	scene_wait(&scene.caller, "OFFER_ANSWERED:200+sdp");
	assert_int_equal(leg_offer(scene.callee.leg, OFFER, true), 0);
	scene_wait(&scene.caller, "UPDATE+sdp");
	assert_int_equal(leg_offer_refuse(scene.caller.leg, 488, NULL), 0);
	scene_wait(&scene.callee, "OFFER_ANSWERED:488");
	assert_int_equal(leg_answer(scene.callee.leg, NULL, NULL), 0);
	scene_wait(&scene.caller, "ANSWERED");
	end();
}

static void an_answered_call_updates_instead_of_inviting_if_asked_to(void **state)
{
	(void)state;
	open_pair(LEG_100REL_NONE);
	scene_talk(SIP_TRANSPORT_UDP);
	assert_int_equal(leg_offer(scene.callee.leg, OFFER, true), 0);
	scene_wait(&scene.caller, "UPDATE+sdp");
	assert_int_equal(leg_offer_accept(scene.caller.leg, ANSWER), 0);
	scene_wait(&scene.callee, "OFFER_ANSWERED:200+sdp");
	end();
}

static void an_invite_without_offer_is_answered_in_the_prack(void **state)
{
	(void)state;
	open_pair(LEG_100REL_SUPPORTED);
	scene_call(SIP_TRANSPORT_UDP, NULL);
	assert_int_equal(leg_prack(scene.caller.leg, ANSWER), -EINVAL); /* nothing yet */
	assert_int_equal(leg_provisional_reliably(scene.callee.leg, 183, NULL, OFFER, NULL), 0);
	scene_wait(&scene.caller, "R183+sdp");
	assert_string_equal(scene.caller.sdp, OFFER);
	assert_string_equal(scene.callee.heard, "");
	assert_int_equal(leg_prack(scene.caller.leg, ANSWER), 0);
	scene_wait(&scene.callee, "PRACKED+sdp");
	assert_string_equal(scene.callee.sdp, ANSWER);
	assert_int_equal(leg_answer(scene.callee.leg, OFFER, NULL), 0);
	scene_wait(&scene.caller, "ANSWERED");
	assert_string_equal(scene.caller.heard, " R183+sdp ANSWERED");
	end();
}

static void a_prack_may_carry_a_new_offer(void **state)
{
	const char *progress;

	(void)state;
	open_pair(LEG_100REL_NONE);
	called_by_wire(CALLER_LINES, OFFER);
	assert_int_equal(leg_provisional_reliably(scene.callee.leg, 183, NULL, ANSWER, NULL), 0);
	progress = wire_expect(&wire, "SIP/2.0 183");
	send_prack(progress, OFFER);
	scene_wait(&scene.callee, "UPDATE+sdp");
	assert_null(strstr(wire.got, "SIP/2.0 200"));
	assert_int_equal(leg_offer_accept(scene.callee.leg, ANSWER), 0);
	progress = wire_expect(&wire, "SIP/2.0 200");
	wire_expect(&wire, ANSWER);
	assert_non_null(strstr(progress, "2 PRACK"));
	end();
}

static void a_prack_for_nothing_is_refused(void **state)
{
	const char *ringing;

	(void)state;
	open_pair(LEG_100REL_NONE);
	called_by_wire(CALLER_LINES, OFFER);
	assert_int_equal(leg_provisional(scene.callee.leg, 180, NULL, NULL, NULL), 0);
	ringing = wire_expect(&wire, "SIP/2.0 180");
	assert_null(strstr(ringing, "RSeq"));
	wire_send(&wire, "PRACK sip:x@127.0.0.1 SIP/2.0\r\n"
			 "Via: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bKq\r\n"
			 "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: none\r\n"
			 "CSeq: 2 PRACK\r\nRAck: 1 1 INVITE\r\nContent-Length: 0\r\n\r\n");
	wire_expect(&wire, "SIP/2.0 481");
	end();
}

static void an_update_before_anything_is_agreed_has_to_wait(void **state)
{
	const char *ringing;
	char to[200];

	(void)state;
	open_pair(LEG_100REL_NONE);
	called_by_wire(CALLER_LINES, OFFER);
	assert_int_equal(leg_provisional(scene.callee.leg, 180, NULL, NULL, NULL), 0);
	ringing = wire_expect(&wire, "SIP/2.0 180");
	wire_send(
		&wire,
		"UPDATE sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP "
		"127.0.0.1:%u;branch=z9hG4bKu\r\n"
		"From: <sip:+4799000001@127.0.0.1:%u>;tag=wire\r\nTo: %s\r\nCall-ID: %s\r\n"
		"CSeq: 2 UPDATE\r\nContent-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
		wire.port, wire.port, wire_header(ringing, "To", to, sizeof(to)),
		leg_info(scene.callee.leg)->call_id, strlen(OFFER), OFFER);
	wire_expect(&wire, "SIP/2.0 500"); /* RFC 3311 section 5.2 */
	assert_string_equal(scene.callee.heard, "");
	end();
}

static void a_fork_is_acknowledged_branch_by_branch(void **state)
{
	const char *invite, *prack;
	char to[200], rack[30];

	(void)state;
	open_pair(LEG_100REL_SUPPORTED);
	invite = call_wire(OFFER);
	ring(invite, "one", 7, ANSWER);
	prack = wire_expect(&wire, "PRACK sip:");
	assert_int_equal(strncmp(wire_header(prack, "RAck", rack, sizeof(rack)), "7 ", 2), 0);
	wire_respond(&wire, prack, "200 OK", NULL, "", "");
	ring(invite, "two", 1, OFFER);
	prack = wire_expect(&wire, "PRACK sip:");
	assert_non_null(strstr(wire_header(prack, "To", to, sizeof(to)), "tag=two"));
	wire_respond(&wire, prack, "200 OK", NULL, "", "");
	scene_wait(&scene.caller, "R183+sdp R183+sdp");
	assert_string_equal(scene.caller.sdp, OFFER); /* media follows the second one */
	wire_respond(&wire, invite, "200 OK", "two", "", OFFER);
	scene_wait(&scene.caller, "ANSWERED");
	assert_string_equal(scene.caller.heard, " R183+sdp R183+sdp ANSWERED"); /* it stands */
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	prack = wire_expect(&wire, "ACK sip:");
	assert_non_null(strstr(wire_header(prack, "To", to, sizeof(to)), "tag=two"));
	end();
}

static void the_dialog_that_answers_is_heard_again_if_another_spoke_since(void **state)
{
	const char *invite, *update;
	char to[200];

	(void)state;
	open_pair(LEG_100REL_SUPPORTED);
	invite = call_wire(OFFER);
	ring(invite, "one", 7, ANSWER);
	wire_respond(&wire, wire_expect(&wire, "PRACK sip:"), "200 OK", NULL, "", "");
	ring(invite, "two", 1, OFFER);
	wire_respond(&wire, wire_expect(&wire, "PRACK sip:"), "200 OK", NULL, "", "");
	scene_wait(&scene.caller, "R183+sdp R183+sdp");
	/* What goes into the dialog goes to who is heard. */
	assert_int_equal(leg_offer(scene.caller.leg, OFFER, true), 0);
	update = wire_expect(&wire, "UPDATE sip:");
	assert_non_null(strstr(wire_header(update, "To", to, sizeof(to)), "tag=two"));
	wire_respond(&wire, update, "488 Not Acceptable Here", NULL, "", "");
	ring(invite, "one", 8, ""); /* says nothing of media: the second stays */
	wire_respond(&wire, wire_expect(&wire, "PRACK sip:"), "200 OK", NULL, "", "");
	wire_respond(&wire, invite, "200 OK", "one", "", "");
	scene_wait(&scene.caller, "ANSWERED+sdp");
	assert_string_equal(scene.caller.sdp, ANSWER);
	end();
}

static void early_dialogs_that_are_not_reliable_are_heard_in_turn(void **state)
{
	const char *invite;

	(void)state;
	open_pair(LEG_100REL_NONE);
	invite = call_wire(OFFER);
	wire_respond(&wire, invite, "183 Session Progress", "one", "", ANSWER);
	wire_respond(&wire, invite, "183 Session Progress", "two", "", OFFER);
	scene_wait(&scene.caller, "183+sdp 183+sdp");
	assert_string_equal(scene.caller.sdp, OFFER);
	wire_respond(&wire, invite, "183 Session Progress", "one", "", ANSWER);
	scene_wait(&scene.caller, "183+sdp 183+sdp 183+sdp");
	assert_string_equal(scene.caller.sdp, ANSWER);
	wire_respond(&wire, invite, "200 OK", "two", "", OFFER);
	scene_wait(&scene.caller, "ANSWERED+sdp");
	assert_string_equal(scene.caller.sdp, OFFER);
	end();
}

static void only_the_first_dialogs_offer_is_told_on(void **state)
{
	const char *invite, *prack;
	char to[200];

	(void)state;
	open_pair(LEG_100REL_SUPPORTED);
	invite = call_wire(NULL);
	ring(invite, "one", 7, OFFER);
	scene_wait(&scene.caller, "R183+sdp");
	ring(invite, "two", 1, OFFER);
	prack = wire_expect(&wire, "PRACK sip:"); /* has nothing to answer it with */
	assert_non_null(strstr(wire_header(prack, "To", to, sizeof(to)), "tag=two"));
	assert_int_equal(leg_prack(scene.caller.leg, ANSWER), 0);
	prack = wire_expect(&wire, "PRACK sip:");
	assert_non_null(strstr(wire_header(prack, "To", to, sizeof(to)), "tag=one"));
	assert_string_equal(scene.caller.heard, " R183+sdp R183");
	end();
}

static void repetitions_and_gaps_are_not_told(void **state)
{
	const char *invite;

	(void)state;
	open_pair(LEG_100REL_SUPPORTED);
	invite = call_wire(OFFER);
	ring(invite, "t", 7, ANSWER);
	scene_wait(&scene.caller, "R183+sdp");
	wire_respond(&wire, wire_expect(&wire, "PRACK sip:"), "200 OK", NULL, "", "");
	ring(invite, "t", 7, ANSWER);
	ring(invite, "t", 9, "");
	wire_settle(&wire);
	assert_null(strstr(wire.got + wire.seen, "PRACK sip:"));
	assert_string_equal(scene.caller.heard, " R183+sdp");
	ring(invite, "t", 8, "");
	scene_wait(&scene.caller, "R183+sdp R183");
	wire_expect(&wire, "PRACK sip:");
	end();
}

static void what_follows_a_prack_waits_for_its_answer(void **state)
{
	const char *invite, *prack, *update;

	(void)state;
	open_pair(LEG_100REL_SUPPORTED);
	invite = call_wire(OFFER);
	ring(invite, "t", 7, ANSWER);
	prack = wire_expect(&wire, "PRACK sip:");
	scene_wait(&scene.caller, "R183+sdp");
	assert_int_equal(leg_offer(scene.caller.leg, OFFER, true), 0);
	assert_int_equal(leg_offer(scene.caller.leg, OFFER, true), -EBUSY); /* one at a time */
	wire_settle(&wire);
	assert_null(strstr(wire.got + wire.seen, "UPDATE sip:"));
	wire_respond(&wire, prack, "200 OK", NULL, "", "");
	update = wire_expect(&wire, "UPDATE sip:");
	wire_respond(&wire, update, "200 OK", NULL, "", ANSWER);
	scene_wait(&scene.caller, "OFFER_ANSWERED:200+sdp");
	end();
}

static void what_was_held_back_goes_after_the_2xx_that_came_first(void **state)
{
	const char *invite, *prack;

	(void)state;
	open_pair(LEG_100REL_SUPPORTED);
	clock_fake_set(clock_now());
	invite = call_wire(OFFER);
	ring(invite, "t", 7, ANSWER);
	prack = wire_expect(&wire, "PRACK sip:");
	scene_wait(&scene.caller, "R183+sdp");
	assert_int_equal(leg_offer(scene.caller.leg, OFFER, true), 0);
	wire_respond(&wire, invite, "200 OK", "t", "Allow: UPDATE, INFO\r\n", "");
	scene_wait(&scene.caller, "ANSWERED");
	wire_respond(&wire, prack, "200 OK", NULL, "", "");
	wire_settle(&wire);
	assert_null(strstr(wire.got + wire.seen, "UPDATE sip:")); /* our ACK first */
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	scene_pass(4100); /* the pause of RFC 3261 section 14.1 */
	wire_expect(&wire, "ACK sip:");
	wire_expect(&wire, "UPDATE sip:");
	end();
}

static void info_waits_for_the_answer_to_a_prack_too(void **state)
{
	const char *invite, *prack;

	(void)state;
	open_pair(LEG_100REL_SUPPORTED);
	invite = call_wire(OFFER);
	ring(invite, "t", 7, ANSWER);
	prack = wire_expect(&wire, "PRACK sip:");
	wire_respond(&wire, invite, "200 OK", "t", "Allow: UPDATE, INFO\r\n", "");
	scene_wait(&scene.caller, "ANSWERED");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	assert_int_equal(leg_inform(scene.caller.leg, "application/dtmf", "5"), 0);
	assert_int_equal(leg_inform(scene.caller.leg, "application/dtmf", "6"), -EBUSY);
	wire_expect(&wire, "ACK sip:");
	wire_settle(&wire);
	assert_null(strstr(wire.got + wire.seen, "INFO sip:"));
	wire_respond(&wire, prack, "200 OK", NULL, "", "");
	wire_respond(&wire, wire_expect(&wire, "INFO sip:"), "200 OK", NULL, "", "");
	scene_wait(&scene.caller, "INFO_ANSWERED:200");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reliable_18x_is_acknowledged_and_what_follows_is_reliable_too),
		cmocka_unit_test(who_cannot_be_reliable_gets_ordinary_ones),
		cmocka_unit_test(who_requires_it_gets_every_18x_reliably),
		cmocka_unit_test(the_answer_waits_for_the_prack_of_its_sdp),
		cmocka_unit_test(without_a_prack_the_call_is_refused),
		cmocka_unit_test(a_caller_that_gives_up_unacknowledged_leaves_nothing_behind),
		cmocka_unit_test(both_sides_may_update_before_the_answer),
		cmocka_unit_test(an_answered_call_updates_instead_of_inviting_if_asked_to),
		cmocka_unit_test(an_invite_without_offer_is_answered_in_the_prack),
		cmocka_unit_test(a_prack_may_carry_a_new_offer),
		cmocka_unit_test(a_prack_for_nothing_is_refused),
		cmocka_unit_test(an_update_before_anything_is_agreed_has_to_wait),
		cmocka_unit_test(a_fork_is_acknowledged_branch_by_branch),
		cmocka_unit_test(the_dialog_that_answers_is_heard_again_if_another_spoke_since),
		cmocka_unit_test(early_dialogs_that_are_not_reliable_are_heard_in_turn),
		cmocka_unit_test(only_the_first_dialogs_offer_is_told_on),
		cmocka_unit_test(repetitions_and_gaps_are_not_told),
		cmocka_unit_test(what_follows_a_prack_waits_for_its_answer),
		cmocka_unit_test(what_was_held_back_goes_after_the_2xx_that_came_first),
		cmocka_unit_test(info_waits_for_the_answer_to_a_prack_too),
	};

	wire.fd = -1;
	return cmocka_run_group_tests_name("tas/sip/leg_prack", tests, NULL, NULL);
}
