/* SPDX-License-Identifier: Apache-2.0 */
/* test_leg_out.c - next hops that are dead, silent, slow or many. */
#include "tests/unit/tas/sip/wire.h"

static struct wire wire;

static void open_caller(enum sip_transport transport)
{
	scene_open_pair(transport);
	clock_fake_set(clock_now());
}

static void call_wire(enum sip_transport transport, uint16_t port)
{
	char uri[128];

	scene_uri(uri, sizeof(uri), "x", "127.0.0.1", port, transport);
	assert_int_equal(scene_try_call(uri, OFFER), 0);
}

static void end(void)
{
	wire_close(&wire);
	scene_close();
}

static const char *wire_take(const char *method)
{
	return wire_take_from(&wire, method);
}

static void respond(const char *message, const char *status, const char *tag, const char *extra)
{
	wire_respond(&wire, message, status, tag, extra, "");
}

static void a_closed_port_is_known_at_once(void **state)
{
	uint16_t port;

	(void)state;
	open_caller(SIP_TRANSPORT_TCP);
	wire_open(&wire, SOCK_STREAM, 0);
	port = wire.port;
	wire_close(&wire);
	call_wire(SIP_TRANSPORT_TCP, port);
	scene_wait(&scene.caller, "ENDED:timeout:503"); /* no time has passed */
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene_wait_gone();
	end();
}

static void a_next_hop_that_accepts_and_never_answers_tls_is_given_up(void **state)
{
	(void)state;
	open_caller(SIP_TRANSPORT_TLS);
	wire_open(&wire, SOCK_STREAM, 0);
	call_wire(SIP_TRANSPORT_TLS, wire.port);
	scene_settle();
	scene_pass(900);
	assert_string_equal(scene.caller.heard, "");
	scene_pass(200);
	scene_wait(&scene.caller, "ENDED:timeout:408");
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene_wait_gone(); /* nothing was sent, so nothing is waited for */
	for (int i = 0; i < 400 && tls_guard_live(); i++)
		scene_step();
	assert_int_equal(tls_guard_live(), 0);
	end();
}

static void a_silent_next_hop_is_given_up_and_its_late_ringing_cancelled(void **state)
{
	const char *invite;

	(void)state;
	open_caller(SIP_TRANSPORT_UDP);
	wire_open(&wire, SOCK_DGRAM, 0);
	call_wire(SIP_TRANSPORT_UDP, wire.port);
	invite = wire_take("INVITE");
	scene_pass(1100);
	assert_string_equal(scene.caller.heard, " ENDED:timeout:408");
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	respond(invite, "180 Ringing", "late", "");
	respond(wire_take("CANCEL"), "200 OK", "late", "");
	respond(invite, "487 Request Terminated", "late", "");
	wire_expect(&wire, "ACK sip:");
	scene_wait_gone();
	end();
}

static void a_late_200_is_acknowledged_and_ended(void **state)
{
	const char *invite;

	(void)state;
	open_caller(SIP_TRANSPORT_UDP);
	wire_open(&wire, SOCK_DGRAM, 0);
	call_wire(SIP_TRANSPORT_UDP, wire.port);
	invite = wire_take("INVITE");
	scene_pass(1100);
	respond(invite, "200 OK", "late", "");
	wire_expect(&wire, "ACK sip:");
	respond(wire_take("BYE"), "200 OK", NULL, "");
	assert_string_equal(scene.caller.heard, " ENDED:timeout:408");
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene_wait_gone();
	end();
}

static void a_100_is_enough_to_go_on_waiting(void **state)
{
	const char *invite;

	(void)state;
	open_caller(SIP_TRANSPORT_UDP);
	wire_open(&wire, SOCK_DGRAM, 0);
	call_wire(SIP_TRANSPORT_UDP, wire.port);
	invite = wire_take("INVITE");
	respond(invite, "100 Trying", NULL, "");
	scene_settle();
	scene_pass(60000);
	assert_string_equal(scene.caller.heard, "");
	respond(invite, "404 Not Found", "t", "Warning: 399 x \"y\"\r\n");
	scene_wait(&scene.caller, "ENDED:refused:404");
	wire_expect(&wire, "ACK sip:");
	end();
}

static void a_challenge_is_a_refusal(void **state)
{
	const char *invite;

	(void)state;
	open_caller(SIP_TRANSPORT_UDP);
	wire_open(&wire, SOCK_DGRAM, 0);
	call_wire(SIP_TRANSPORT_UDP, wire.port);
	invite = wire_take("INVITE");
	respond(invite, "407 Proxy Authentication Required", "t",
		"Proxy-Authenticate: Digest realm=\"x\", nonce=\"y\", algorithm=MD5\r\n");
	scene_wait(&scene.caller, "ENDED:refused:407");
	wire_settle(&wire);
	assert_null(strstr(wire.got, "Authorization"));
	end();
}

static void a_second_200_from_another_fork_is_acknowledged_and_ended(void **state)
{
	const char *invite, *bye;
	char to[200];

	(void)state;
	open_caller(SIP_TRANSPORT_UDP);
	wire_open(&wire, SOCK_DGRAM, 0);
	call_wire(SIP_TRANSPORT_UDP, wire.port);
	invite = wire_take("INVITE");
	respond(invite, "180 Ringing", "one", "");
	respond(invite, "180 Ringing", "two", "");
	respond(invite, "200 OK", "two", "");
	scene_wait(&scene.caller, "180 180 ANSWERED");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	wire_header(wire_expect(&wire, "ACK sip:"), "To", to, sizeof(to));
	assert_non_null(strstr(to, "tag=two"));
	respond(invite, "200 OK", "one", "");
	wire_header(wire_expect(&wire, "ACK sip:"), "To", to, sizeof(to));
	assert_non_null(strstr(to, "tag=one"));
	bye = wire_take("BYE");
	wire_header(bye, "To", to, sizeof(to));
	assert_non_null(strstr(to, "tag=one"));
	respond(bye, "200 OK", NULL, "");
	scene_settle();
	assert_string_equal(scene.caller.heard, " 180 180 ANSWERED");
	end();
}

static void a_lost_dialog_is_told(void **state)
{
	const char *invite;

	(void)state;
	open_caller(SIP_TRANSPORT_UDP);
	wire_open(&wire, SOCK_DGRAM, 0);
	call_wire(SIP_TRANSPORT_UDP, wire.port);
	invite = wire_take("INVITE");
	respond(invite, "200 OK", "t", "");
	scene_wait(&scene.caller, "ANSWERED");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	wire_expect(&wire, "ACK sip:");
	assert_int_equal(leg_offer(scene.caller.leg, OFFER, false), 0);
	respond(wire_take("INVITE"), "481 Gone", NULL, "");
	scene_wait(&scene.caller, "ENDED:lost:481");
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene_wait_gone();
	end();
}

static void record_routes_and_a_new_target_are_followed(void **state)
{
	const char *invite, *ack, *bye;
	struct wire other;
	char route[200], extra[300];

	(void)state;
	open_caller(SIP_TRANSPORT_UDP);
	wire_open(&wire, SOCK_DGRAM, 0);
	wire_open(&other, SOCK_DGRAM, 0);
	call_wire(SIP_TRANSPORT_UDP, wire.port);
	invite = wire_take("INVITE");
	/* The same proxy twice, as one that changes transports writes it (RFC 5658). */
	(void)snprintf(extra, sizeof(extra),
		       "Record-Route: <sip:127.0.0.1:%u;lr>,<sip:127.0.0.1:%u;lr;x=2>\r\n",
		       wire.port, other.port);
	respond(invite, "200 OK", "t", extra);
	scene_wait(&scene.caller, "ANSWERED");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	ack = wire_expect(&other, "ACK sip:x@127.0.0.1:"); /* the last is the nearest to us */
	wire_header(ack, "Route", route, sizeof(route));
	assert_non_null(strstr(route, "x=2"));
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	bye = wire_expect(&other, "BYE sip:x@127.0.0.1:");
	assert_non_null(strstr(bye, "Route: "));
	wire_close(&other);
	end();
}

static void a_call_outlives_its_connection(void **state)
{
	struct wire connection, again;
	const char *invite;

	(void)state;
	open_caller(SIP_TRANSPORT_TCP);
	wire_open(&wire, SOCK_STREAM, 0);
	call_wire(SIP_TRANSPORT_TCP, wire.port);
	wire_accept(&connection, &wire);
	invite = wire_expect(&connection, "INVITE sip:");
	{
		char via[200], from[200], call_id[100], to[200];

		wire_send(&connection,
			  "SIP/2.0 200 OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s;tag=t\r\nCall-ID: %s\r\n"
			  "CSeq: %u INVITE\r\nContact: <sip:x@127.0.0.1:%u;transport=tcp>\r\n"
			  "Content-Length: 0\r\n\r\n",
			  wire_header(invite, "Via", via, sizeof(via)),
			  wire_header(invite, "From", from, sizeof(from)),
			  wire_header(invite, "To", to, sizeof(to)),
			  wire_header(invite, "Call-ID", call_id, sizeof(call_id)),
			  (unsigned)strtoul(strstr(invite, "CSeq: ") + 6, NULL, 10), wire.port);
	}
	scene_wait(&scene.caller, "ANSWERED");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	wire_expect(&connection, "ACK sip:");
	wire_close(&connection);
	scene_settle();
	assert_string_equal(scene.caller.heard, " ANSWERED");
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	wire_accept(&again, &wire);
	wire_expect(&again, "BYE sip:");
	wire_close(&again);
	end();
}

static void options_keep_watch_over_the_next_hop(void **state)
{
	struct config_listen listen;
	struct sip_endpoint_options options;
	char uri[64];
	const char *next_hop = uri;

	(void)state;
	scene_open();
	wire_open(&wire, SOCK_DGRAM, 0);
	(void)snprintf(uri, sizeof(uri), "sip:127.0.0.1:%u", wire.port);
	options = scene_options(&listen, SIP_TRANSPORT_UDP);
	scene.b = scene_endpoint(&options);
	clock_fake_set(clock_now());
	options.keepalive_s = 30;
	scene.a = scene_endpoint(&options);
	assert_int_equal(sip_endpoint_keep_alive(scene.a, &next_hop, 1), 0);
	assert_int_equal(sip_endpoint_answers(scene.a, uri), SIP_SILENT);
	scene_pass(100);
	respond(wire_take("OPTIONS"), "404 Not Found", "t", "");
	scene_settle();
	/* It is there, whatever it says. */
	assert_int_equal(sip_endpoint_answers(scene.a, uri), SIP_ANSWERS);
	scene_pass(31000);
	wire_expect(&wire, "OPTIONS sip:");
	scene_pass(5000);
	assert_int_equal(sip_endpoint_answers(scene.a, uri), SIP_SILENT);
	scene_pass(5000);
	/* Repetitions of given-up ones come first. */
	for (int i = 0; i < 50 && sip_endpoint_answers(scene.a, uri) != SIP_ANSWERS; i++) {
		respond(wire_take("OPTIONS"), "200 OK", "t", "");
		scene_settle();
	}
	assert_int_equal(sip_endpoint_answers(scene.a, uri), SIP_ANSWERS);
	end();
}

#define END_A   "ab30317f1a784dc48ff824d0d3715d86"
#define END_B   "47755a9de7794ba387653f2099600ef2"
#define SESSION "Session-ID: " END_A ";remote=" END_B "\r\n"

static bool tells_session(const char *message)
{
	const char *found = strstr(message, SESSION);

	return found && found < strstr(message, "\r\n\r\n");
}

/* RFC 7989: in each message of ours that crosses from nowhere. */
static void messages_of_our_own_name_the_session(void **state)
{
	struct sip_headers headers = { 0 };
	const char *invite, *message;
	char uri[128], from[200], to[200];

	(void)state;
	open_caller(SIP_TRANSPORT_UDP);
	wire_open(&wire, SOCK_DGRAM, 0);
	scene_uri(uri, sizeof(uri), "x", "127.0.0.1", wire.port, SIP_TRANSPORT_UDP);
	assert_int_equal(sip_headers_add(&headers, "Session-ID", END_A), 0);
	assert_int_equal(leg_invite(&scene.caller.leg, scene.a,
				    &(struct leg_invite){ .request_uri = uri,
							  .from_uri = "sip:a@example.com",
							  .to_uri = uri,
							  .headers = &headers,
							  .sdp = OFFER },
				    party_on_event, &scene.caller),
			 0);
	invite = wire_take("INVITE");
	wire_respond(&wire, invite, "200 OK", "t", "Session-ID: " END_B ";remote=" END_A "\r\n",
		     ANSWER);
	scene_wait(&scene.caller, "ANSWERED+sdp");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	assert_true(tells_session(wire_expect(&wire, "ACK sip:")));
	assert_int_equal(leg_inform(scene.caller.leg, "application/dtmf", "5"), 0);
	message = wire_expect(&wire, "INFO sip:");
	assert_true(tells_session(message));
	wire_respond(&wire, message, "200 OK", NULL, "", "");
	/* What crosses brings its own. */
	assert_int_equal(sip_headers_set(&headers, "Session-ID", END_A ";remote=" END_B), 0);
	assert_int_equal(sip_headers_add(&headers, "P-Asserted-Identity", "<sip:b@h>"), 0);
	assert_int_equal(leg_offer_on(scene.caller.leg, OFFER, false, &headers), 0);
	message = wire_expect(&wire, "INVITE sip:");
	assert_true(tells_session(message));
	assert_null(strstr(strstr(message, SESSION) + 1, SESSION));
	assert_non_null(strstr(message, "P-Asserted-Identity: <sip:b@h>\r\n"));
	sip_headers_done(&headers);
	wire_respond(&wire, message, "200 OK", NULL, "", ANSWER);
	assert_true(tells_session(wire_expect(&wire, "ACK sip:")));
	wire_send(&wire,
		  "BYE sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKb\r\n"
		  "From: %s;tag=t\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 9 BYE\r\n"
		  "Content-Length: 0\r\n\r\n",
		  wire.port, wire_header(invite, "To", to, sizeof(to)),
		  wire_header(invite, "From", from, sizeof(from)),
		  leg_info(scene.caller.leg)->call_id);
	assert_true(tells_session(wire_expect(&wire, "SIP/2.0 200")));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_closed_port_is_known_at_once),
		cmocka_unit_test(a_next_hop_that_accepts_and_never_answers_tls_is_given_up),
		cmocka_unit_test(a_silent_next_hop_is_given_up_and_its_late_ringing_cancelled),
		cmocka_unit_test(a_late_200_is_acknowledged_and_ended),
		cmocka_unit_test(a_100_is_enough_to_go_on_waiting),
		cmocka_unit_test(a_challenge_is_a_refusal),
		cmocka_unit_test(a_second_200_from_another_fork_is_acknowledged_and_ended),
		cmocka_unit_test(a_lost_dialog_is_told),
		cmocka_unit_test(record_routes_and_a_new_target_are_followed),
		cmocka_unit_test(a_call_outlives_its_connection),
		cmocka_unit_test(options_keep_watch_over_the_next_hop),
		cmocka_unit_test(messages_of_our_own_name_the_session),
	};

	return cmocka_run_group_tests_name("tas/sip/leg_out", tests, NULL, NULL);
}
