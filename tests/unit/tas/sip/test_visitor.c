/* SPDX-License-Identifier: Apache-2.0 */
/* test_visitor.c - what is read of a visitor's requests, and what is answered. */
#include "tests/unit/tas/sip/wire.h"

static struct wire wire;
static struct sip_endpoint *endpoint;

/* What the visitor's host says, and what it was told. */
static int welcome, status;
static const char *lines;
static char visited[64], authorization[600], enrolled[1200];
static struct leg *called;

static int on_visit(const struct sip_visitor *visitor, struct str *ret_headers, void *arg)
{
	(void)arg;
	snprintf(visited, sizeof(visited), "%s %s %zu", visitor->method, visitor->address,
		 visitor->authorization_count);
	if (visitor->authorization_count)
		snprintf(authorization, sizeof(authorization), "%s", visitor->authorizations[0]);
	if (welcome == SIP_VISITOR_CHALLENGED)
		str_add(ret_headers, lines);
	return welcome;
}

static int on_enrol(int peer, const struct sip_register *request, struct str *ret_headers,
		    void *arg)
{
	size_t used = (size_t)snprintf(enrolled, sizeof(enrolled), "%d %s %s %u %s%s", peer,
				       request->user, request->call_id, request->cseq, request->hop,
				       request->star ? " *" : "");

	(void)arg;
	if (request->expires_s != SIP_EXPIRES_NONE)
		used += (size_t)snprintf(enrolled + used, sizeof(enrolled) - used, " E%u",
					 request->expires_s);
	for (size_t i = 0; i < request->contact_count; i++)
		used += (size_t)snprintf(enrolled + used, sizeof(enrolled) - used, " <%s|%s|%d>",
					 request->contacts[i].uri, request->contacts[i].key,
					 (int)request->contacts[i].expires_s);
	str_add(ret_headers, lines);
	return status;
}

static void on_call(struct leg *leg, void *arg)
{
	(void)arg;
	called = leg;
	leg_set_handler(leg, party_on_event, &scene.callee);
	scene.callee.leg = leg;
}

static int setup(void **state)
{
	const struct sip_endpoint_handlers handlers = { .identify = scene_identify,
							.visit = on_visit,
							.enrol = on_enrol,
							.invite = on_call,
							.options_status = scene_options_status };
	struct config_listen listen;
	struct sip_endpoint_options options;

	(void)state;
	scene_open();
	scene.identity = -1;
	options = scene_options(&listen, SIP_TRANSPORT_TCP);
	assert_int_equal(sip_endpoint_create(&endpoint, scene.loop, &options, &handlers,
					     scene.error, sizeof(scene.error)),
			 0);
	welcome = 77;
	status = 200;
	lines = "";
	visited[0] = authorization[0] = enrolled[0] = '\0';
	called = NULL;
	wire_open(&wire, SOCK_STREAM, sip_endpoint_port(endpoint, 0));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	wire_close(&wire);
	endpoint = sip_endpoint_destroy(endpoint);
	scene_close();
	return 0;
}

static void send_register(const char *extra)
{
	wire_request(&wire, "REGISTER", "sip:127.0.0.1", "TCP", extra, "");
}

static void a_challenge_is_sent_line_by_line(void **state)
{
	const char *message;

	(void)state;
	welcome = SIP_VISITOR_CHALLENGED;
	lines = "WWW-Authenticate: Digest realm=\"a\", nonce=\"1\"\r\n"
		"WWW-Authenticate: Digest realm=\"a\", nonce=\"2\"\r\n";
	send_register("");
	message = wire_expect(&wire, "SIP/2.0 401 ");
	wire_expect(&wire, "nonce=\"1\"");
	wire_expect(&wire, "nonce=\"2\"");
	assert_non_null(strstr(message, ";tag=")); /* a final response has one */
	assert_string_equal(visited, "REGISTER 127.0.0.1 0");
	assert_string_equal(enrolled, "");
}

static void an_authorization_is_handed_on_as_it_came(void **state)
{
	(void)state;
	send_register("Authorization: Digest username=\"x\", realm=\"a\",\r\n"
		      " uri=\"sip:a\", cnonce=\"b,c\", nc=00000001\r\n");
	wire_expect(&wire, "SIP/2.0 200 ");
	assert_string_equal(visited, "REGISTER 127.0.0.1 1");
	assert_string_equal(authorization, "Digest username=\"x\", realm=\"a\", uri=\"sip:a\", "
					   "cnonce=\"b,c\", nc=00000001");
}

static void a_register_is_read_in_whole(void **state)
{
	char wanted[300];

	(void)state;
	lines = "Contact: <sip:x@10.0.0.1>;expires=60\r\n";
	send_register("Contact: <sip:X@Host.Example:5070;transport=TCP>;expires=90, "
		      "<sip:y@10.0.0.1>\r\nExpires: 300\r\n");
	wire_expect(&wire, "SIP/2.0 200 ");
	wire_expect(&wire, "Contact: <sip:x@10.0.0.1>;expires=60");
	assert_non_null(strstr(enrolled, "77 x wire-"));
	snprintf(wanted, sizeof(wanted),
		 " 1 sip:127.0.0.1:%u;transport=tcp E300 "
		 "<sip:X@Host.Example:5070;transport=TCP|sip:X@host.example:5070;transport=tcp|90> "
		 "<sip:y@10.0.0.1|sip:y@10.0.0.1:;transport=|-1>",
		 wire.port);
	assert_non_null(strstr(enrolled, wanted));
}

static void a_phone_that_names_itself_is_known_by_that(void **state)
{
	(void)state;
	send_register("Contact: <sip:x@10.0.0.1>;+sip.instance=\"<urn:uuid:1>\";reg-id=2\r\n");
	wire_expect(&wire, "SIP/2.0 200 ");
	assert_non_null(strstr(enrolled, "<sip:x@10.0.0.1|\"<urn:uuid:1>\" 2|-1>"));
}

static void a_star_is_no_contact(void **state)
{
	(void)state;
	send_register("Contact: *\r\nExpires: 0\r\n");
	wire_expect(&wire, "SIP/2.0 200 ");
	assert_non_null(strstr(enrolled, " * E0"));
}

static void what_cannot_be_sent_to_is_refused(void **state)
{
	static const char *const contacts[] = {
		"Contact: <tel:+4799000001>\r\n",
		"Contact: <mailto:a@b>\r\n",
		"Contact: <sip:x@10.0.0.1?Subject=x>\r\n",
		"Contact: <sip:x@10.0.0.1>, <urn:service:sos>\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(contacts); i++) {
		send_register(contacts[i]);
		wire_expect(&wire, "SIP/2.0 400 ");
	}
	assert_string_equal(enrolled, "");
	send_register("Require: path\r\n");
	wire_expect(&wire, "SIP/2.0 420 ");
}

static void a_malformed_expiry_is_an_hour(void **state)
{
	(void)state;
	send_register("Contact: <sip:x@10.0.0.1>;expires=soon\r\n");
	wire_expect(&wire, "SIP/2.0 ");
	if (enrolled[0]) /* or sofia has refused it */
		assert_non_null(strstr(enrolled, "|3600>"));
}

static void who_is_forbidden_or_ignored_registers_nothing(void **state)
{
	(void)state;
	welcome = SIP_VISITOR_FORBIDDEN;
	send_register("Contact: <sip:x@10.0.0.1>\r\n");
	wire_expect(&wire, "SIP/2.0 403 ");
	welcome = SIP_VISITOR_IGNORED;
	send_register("Contact: <sip:x@10.0.0.1>\r\n");
	for (int i = 0; i < 400 && !wire.closed; i++)
		wire_poll(&wire);
	assert_true(wire.closed);
	assert_string_equal(enrolled, "");
}

static void a_peer_by_address_that_is_no_device_may_not_register(void **state)
{
	(void)state;
	scene.identity = 3;
	welcome = SIP_VISITOR_STRANGER;
	send_register("Contact: <sip:x@10.0.0.1>\r\n");
	wire_expect(&wire, "SIP/2.0 405 ");
	wire_request(&wire, "OPTIONS", "sip:127.0.0.1", "TCP", "", "");
	wire_expect(&wire, "SIP/2.0 200 ");
	assert_string_equal(enrolled, "");
}

static void an_ack_of_a_challenge_leaves_the_connection(void **state)
{
	(void)state;
	welcome = SIP_VISITOR_UNANSWERED;
	wire_request(&wire, "ACK", "sip:127.0.0.1", "TCP", "", "");
	wire_settle(&wire);
	assert_false(wire.closed);
	assert_int_equal(wire.length, 0);
}

/* The dialog of who came in by a password stays on his connection. */
static void a_visitor_is_called_back_over_his_connection(void **state)
{
	const char *message;

	(void)state;
	wire_request(&wire, "INVITE", "sip:y@127.0.0.1", "TCP",
		     "Contact: <sip:x@10.255.255.1;transport=tcp>\r\n", "");
	wire_expect(&wire, "SIP/2.0 100 ");
	assert_non_null(called);
	assert_int_equal(leg_info(called)->peer, 77);
	assert_int_equal(leg_answer(called, ANSWER, NULL), 0);
	message = wire_expect(&wire, "SIP/2.0 200 ");
	assert_non_null(message);
	wire_send(&wire,
		  "ACK sip:y@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKack\r\n"
		  "From: <sip:+4799000001@127.0.0.1:%u>;tag=wire\r\n",
		  wire.port);
	{
		char to[200], call_id[100];

		wire_send(&wire,
			  "To: %s\r\nCall-ID: %s\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
			  wire_header(message, "To", to, sizeof(to)),
			  wire_header(message, "Call-ID", call_id, sizeof(call_id)));
	}
	wire_settle(&wire);
	scene.callee.leg = leg_release(called, NULL);
	wire_expect(&wire, "BYE sip:x@10.255.255.1;transport=tcp SIP/2.0");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_challenge_is_sent_line_by_line),
		T(an_authorization_is_handed_on_as_it_came),
		T(a_register_is_read_in_whole),
		T(a_phone_that_names_itself_is_known_by_that),
		T(a_star_is_no_contact),
		T(what_cannot_be_sent_to_is_refused),
		T(a_malformed_expiry_is_an_hour),
		T(who_is_forbidden_or_ignored_registers_nothing),
		T(a_peer_by_address_that_is_no_device_may_not_register),
		T(an_ack_of_a_challenge_leaves_the_connection),
		T(a_visitor_is_called_back_over_his_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
