/* SPDX-License-Identifier: Apache-2.0 */
/* test_leg_hop.c - peers that send the requests of a dialog elsewhere. */
#include "tests/unit/tas/sip/wire.h"

static struct wire wire, other; /* other: somebody at 127.0.0.2 */

static int set_up(void **state)
{
	struct sockaddr_in there = wire_address(0);

	(void)state;
	scene_open_pair(SIP_TRANSPORT_UDP);
	wire_open(&wire, SOCK_DGRAM, 0);
	memset(&other, 0, sizeof(other));
	there.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	other.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(other.fd, (struct sockaddr *)&there, sizeof(there)), 0);
	wire_name(&other);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	wire_close(&wire);
	wire_close(&other);
	scene_close();
	return 0;
}

/* Our call to the wire, whose answer has these lines more; then our BYE. */
static void called(const char *extra)
{
	const char *invite;
	char uri[128];

	scene_uri(uri, sizeof(uri), "x", "127.0.0.1", wire.port, SIP_TRANSPORT_UDP);
	assert_int_equal(scene_try_call(uri, OFFER), 0);
	invite = wire_take_from(&wire, "INVITE");
	wire_respond(&wire, invite, "200 OK", "t", extra, ANSWER);
	scene_wait(&scene.caller, "ANSWERED+sdp");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
}

/* A header line with our port between these. */
static const char *line(const char *before, unsigned port, const char *after)
{
	static char text[200];

	(void)snprintf(text, sizeof(text), "%s%u%s\r\n", before, port, after);
	return text;
}

static void stays_here(void)
{
	(void)wire_expect(&wire, "ACK sip:");
	(void)wire_expect(&wire, "BYE sip:");
	wire_settle(&other);
	assert_int_equal(other.length, 0);
}

static void a_route_to_a_foreign_host_is_not_followed(void **state)
{
	(void)state;
	called(line("Record-Route: <sip:127.0.0.2:", other.port, ";lr>"));
	stays_here();
}

/* maddr is where it would really go. */
static void a_maddr_hides_no_foreign_host(void **state)
{
	(void)state;
	called(line("Record-Route: <sip:127.0.0.1:", other.port, ";maddr=127.0.0.2;lr>"));
	stays_here();
}

static void a_route_to_a_host_we_know_is_followed(void **state)
{
	(void)state;
	scene.known_host = "127.0.0.2";
	called(line("Record-Route: <sip:127.0.0.2:", other.port, ";lr>"));
	(void)wire_expect(&other, "ACK sip:");
	(void)wire_expect(&other, "BYE sip:");
}

static void another_port_of_the_same_host_is_followed(void **state)
{
	struct wire second;

	(void)state;
	wire_open(&second, SOCK_DGRAM, 0);
	called(line("Record-Route: <sip:127.0.0.1:", second.port, ";lr>"));
	(void)wire_expect(&second, "ACK sip:");
	(void)wire_expect(&second, "BYE sip:");
	wire_close(&second);
}

/* The wire's own call, with this Contact; we answer and hang up. */
static void calls(const char *contact)
{
	struct sockaddr_in there = wire_address(sip_endpoint_port(scene.b, 0));
	char extra[200], to[200];
	const char *ok;

	assert_int_equal(connect(wire.fd, (struct sockaddr *)&there, sizeof(there)), 0);
	(void)snprintf(extra, sizeof(extra), "%sContent-Type: application/sdp\r\n", contact);
	wire_request(&wire, "INVITE", "sip:x@127.0.0.1", "UDP", extra, OFFER);
	scene_wait_invite(1);
	assert_int_equal(leg_answer(scene.callee.leg, ANSWER, NULL), 0);
	ok = wire_expect(&wire, "SIP/2.0 200");
	wire_send(&wire,
		  "ACK sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKa\r\n"
		  "From: <sip:+4799000001@127.0.0.1:%u>;tag=wire\r\nTo: %s\r\nCall-ID: %s\r\n"
		  "CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
		  wire.port, wire.port, wire_header(ok, "To", to, sizeof(to)),
		  leg_info(scene.callee.leg)->call_id);
	scene_wait(&scene.callee, "CONFIRMED");
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
}

static void a_callers_foreign_contact_is_passed_over_too(void **state)
{
	const char *bye;
	char start[80];

	(void)state;
	calls(line("Contact: <sip:w@127.0.0.2:", other.port, ">"));
	bye = wire_expect(&wire, "BYE sip:");
	(void)snprintf(start, sizeof(start), "BYE sip:w@127.0.0.2:%u SIP/2.0", other.port);
	assert_int_equal(strncmp(bye, start, strlen(start)), 0); /* it says for whom it is */
	wire_settle(&other);
	assert_int_equal(other.length, 0);
}

static void a_name_is_no_way_out(void **state)
{
	(void)state;
	calls("Contact: <sip:w@thief.invalid>\r\n");
	(void)wire_expect(&wire, "BYE sip:w@thief.invalid");
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_route_to_a_foreign_host_is_not_followed),
		T(a_maddr_hides_no_foreign_host),
		T(a_route_to_a_host_we_know_is_followed),
		T(another_port_of_the_same_host_is_followed),
		T(a_callers_foreign_contact_is_passed_over_too),
		T(a_name_is_no_way_out),
	};

	return cmocka_run_group_tests_name("tas/sip/leg_hop", tests, NULL, NULL);
}
