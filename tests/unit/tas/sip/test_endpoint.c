/* SPDX-License-Identifier: Apache-2.0 */
/* test_endpoint.c - who gets in and how far, over TCP and UDP by hand. */
#include "tests/unit/tas/sip/wire.h"

#define CONTACT "Contact: <sip:x@127.0.0.1:5999>\r\n"

static struct wire wire;

/* One endpoint, one peer connected to it. */
static void open_wire(enum sip_transport transport)
{
	struct config_listen listen;
	struct sip_endpoint_options options;

	scene_open();
	options = scene_options(&listen, transport);
	options.certificate = options.private_key = NULL;
	scene.b = scene_endpoint(&options);
	scene.a = scene_endpoint(&options);
	wire_open(&wire, transport == SIP_TRANSPORT_UDP ? SOCK_DGRAM : SOCK_STREAM,
		  sip_endpoint_port(scene.b, 0));
}

static void close_wire(void)
{
	wire_close(&wire);
	scene_close();
}

static void a_stranger_gets_one_403_a_second_and_leaves_nothing(void **state)
{
	(void)state;
	open_wire(SIP_TRANSPORT_UDP);
	clock_fake_set(clock_now());
	scene.identity = -1;
	for (int i = 0; i < 5; i++)
		wire_request(&wire, "INVITE", "sip:x@127.0.0.1", "UDP", CONTACT, "");
	wire_expect(&wire, "SIP/2.0 403 ");
	wire_settle(&wire);
	assert_null(strstr(wire.got + wire.seen, "SIP/2.0 "));
	clock_fake_advance(1001);
	wire_request(&wire, "REGISTER", "sip:127.0.0.1", "UDP", "", "");
	wire_expect(&wire, "SIP/2.0 403 ");
	assert_int_equal(scene.invites, 0);
	assert_int_equal(sip_endpoint_leg_count(scene.b), 0);
	close_wire();
}

static void a_strangers_connection_is_closed(void **state)
{
	(void)state;
	open_wire(SIP_TRANSPORT_TCP);
	scene.identity = -1;
	wire_request(&wire, "OPTIONS", "sip:127.0.0.1", "TCP", "", "");
	wire_expect(&wire, "SIP/2.0 403 ");
	wire_settle(&wire);
	assert_true(wire.closed);
	wire_close(&wire);
	wire_open(&wire, SOCK_STREAM, sip_endpoint_port(scene.b, 0));
	wire_request(&wire, "OPTIONS", "sip:127.0.0.1", "TCP", "", "");
	wire_settle(&wire);
	assert_true(wire.closed);
	assert_string_equal(wire.got, "");
	close_wire();
}

static void what_we_do_not_do_is_refused_with_the_right_status(void **state)
{
	static const struct {
		const char *method, *uri, *extra, *body, *status;
	} cases[] = {
		{ "REGISTER", "sip:127.0.0.1", "", "", "405" },
		{ "SUBSCRIBE", "sip:x@127.0.0.1", CONTACT "Event: presence\r\n", "", "405" },
		{ "MESSAGE", "sip:x@127.0.0.1", "", "", "405" },
		{ "REFER", "sip:x@127.0.0.1", CONTACT "Refer-To: <sip:y@z>\r\n", "", "405" },
		{ "NOTIFY", "sip:x@127.0.0.1", CONTACT "Event: x\r\n", "", "405" },
		{ "PUBLISH", "sip:x@127.0.0.1", "Event: presence\r\n", "", "405" },
		{ "NEWMETHOD", "sip:x@127.0.0.1", "", "", "405" },
		{ "BYE", "sip:x@127.0.0.1", "", "", "481" },
		{ "CANCEL", "sip:x@127.0.0.1", "", "", "481" },
		{ "UPDATE", "sip:x@127.0.0.1", CONTACT, "", "481" },
		{ "PRACK", "sip:x@127.0.0.1", "RAck: 1 1 INVITE\r\n", "", "481" },
		{ "INVITE", "http://x/", CONTACT, "", "416" },
		{ "INVITE", "sip:x@127.0.0.1", CONTACT "Require: foo\r\n", "", "420" },
		{ "INVITE", "sip:x@127.0.0.1", CONTACT "Proxy-Require: bar\r\n", "", "420" },
		{ "INVITE", "sip:x@127.0.0.1", CONTACT "Max-Forwards: 0\r\n", "", "483" },
		{ "INVITE", "sip:x@127.0.0.1", CONTACT "Content-Type: text/plain\r\n", "hi",
		  "415" },
		{ "INVITE", "sip:x%00y@127.0.0.1", CONTACT, "", "400" },
		{ "INVITE", "sip:x%0d%0aVia@127.0.0.1", CONTACT, "", "400" },
		{ "INVITE", "sip:x@127.0.0.1?Subject=y", CONTACT, "", "400" },
	};
	char expected[32];

	(void)state;
	open_wire(SIP_TRANSPORT_UDP);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		wire_request(&wire, cases[i].method, cases[i].uri, "UDP", cases[i].extra,
			     cases[i].body);
		(void)snprintf(expected, sizeof(expected), "SIP/2.0 %s ", cases[i].status);
		wire_expect(&wire, expected);
		if (strcmp(cases[i].status, "405") == 0)
			wire_expect(&wire, "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS");
	}
	assert_int_equal(scene.invites, 0);
	assert_int_equal(sip_endpoint_leg_count(scene.b), 0);
	close_wire();
}

static void options_tells_our_true_state(void **state)
{
	(void)state;
	open_wire(SIP_TRANSPORT_UDP);
	wire_request(&wire, "OPTIONS", "sip:127.0.0.1", "UDP", "", "");
	wire_expect(&wire, "SIP/2.0 200 ");
	wire_expect(&wire, "Accept: application/sdp");
	scene.options_status = 503;
	wire_request(&wire, "OPTIONS", "sip:127.0.0.1", "UDP", "", "");
	wire_expect(&wire, "SIP/2.0 503 ");
	close_wire();
}

static void an_invite_may_have_to_prove_who_sends_it(void **state)
{
	const char *message;
	char value[100];

	(void)state;
	open_wire(SIP_TRANSPORT_UDP);
	scene_password = "open sesame";
	wire_request(&wire, "INVITE", "sip:x@127.0.0.1", "UDP", CONTACT, "");
	message = wire_expect(&wire, "SIP/2.0 401 ");
	assert_string_equal(wire_header(message, "WWW-Authenticate", value, sizeof(value)),
			    "Digest realm=\"r\", nonce=\"1\"");
	assert_non_null(strstr(message, "nonce=\"2\""));
	wire_request(&wire, "INVITE", "sip:x@127.0.0.1", "UDP",
		     CONTACT "Authorization: Digest realm=\"other\"\r\n"
			     "Authorization: Digest realm=\"r\", nonce=\"wrong\"\r\n",
		     "");
	wire_expect(&wire, "SIP/2.0 401 ");
	assert_int_equal(scene.invites, 0);
	assert_int_equal(sip_endpoint_leg_count(scene.b), 0);
	wire_request(
		&wire, "INVITE", "sip:x@127.0.0.1", "UDP",
		CONTACT
		"Authorization: Digest realm=\"r\",\r\n cnonce=\"b,c\", nonce=\"open sesame\"\r\n",
		"");
	scene_wait_invite(1);
	scene_password = NULL;
	close_wire();
}

static void an_invite_without_sdp_body_forms_is_told_what_it_carried(void **state)
{
	static const char multipart[] =
		"--b1\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
		"--b1\r\nContent-Type: application/sdp\r\n\r\n" OFFER "\r\n--b1--\r\n";

	(void)state;
	open_wire(SIP_TRANSPORT_UDP);
	wire_request(&wire, "INVITE", "sip:+00112@127.0.0.1", "UDP",
		     CONTACT "Content-Type: multipart/mixed;boundary=\"b1\"\r\n", multipart);
	wire_expect(&wire, "SIP/2.0 100 ");
	assert_int_equal(scene.invites, 1);
	assert_non_null(strstr(leg_info(scene.callee.leg)->sdp, OFFER));
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	wire_expect(&wire, "SIP/2.0 487 ");
	close_wire();
}

static void headers_arrive_as_sent_whatever_their_shape(void **state)
{
	static const char odd[] = CONTACT "P-Asserted-Identity : \"A, \\\"B\" <sip:+4799000009@h>,"
					  " <tel:+4799000009>\r\n"
					  "session-id:  ab0123;remote=00 \r\n"
					  "X-Folded: one\r\n two\r\n\tthree\r\n"
					  "Privacy: id\r\nPrivacy: critical\r\n"
					  "k: timer\r\n"
					  "s: compact subject\r\n"
					  "X-Empty:\r\n"
					  "Supported: replaces\r\n"
					  "History-Info: <sip:a@b>;index=1,<sip:c@d>;index=1.1\r\n";
	const struct leg_info *info;
	const struct sip_headers *headers;
	unsigned privacy = 0;

	(void)state;
	open_wire(SIP_TRANSPORT_UDP);
	wire_request(&wire, "INVITE", "sip:%2B4799000002@127.0.0.1", "UDP", odd, "");
	wire_expect(&wire, "SIP/2.0 100 ");
	assert_non_null(scene.callee.leg);
	info = leg_info(scene.callee.leg);
	headers = info->headers;
	assert_string_equal(info->request_user, "+4799000002");
	assert_string_equal(info->asserted_user, "+4799000009");
	assert_string_equal(info->session_id, "ab0123;remote=00");
	assert_string_equal(sip_headers_find(headers, "X-Folded"), "one two three");
	assert_string_equal(sip_headers_find(headers, "Subject"), "compact subject");
	assert_string_equal(sip_headers_find(headers, "X-Empty"), "");
	assert_string_equal(sip_headers_find(headers, "History-Info"),
			    "<sip:a@b>;index=1,<sip:c@d>;index=1.1");
	for (size_t i = 0; i < headers->count; i++) {
		privacy += strcmp(headers->items[i].name, "Privacy") == 0;
		assert_string_not_equal(headers->items[i].name, "Via");
		assert_string_not_equal(headers->items[i].name, "Contact");
		assert_string_not_equal(headers->items[i].name, "Content-Length");
	}
	assert_int_equal(privacy, 2);
	close_wire();
}

/* A call from the wire, answered. Returns the To header with our tag. */
static const char *talk_to_wire(const char *extra)
{
	static char to[200];

	wire_request(&wire, "INVITE", "sip:+4799000002@127.0.0.1", "UDP", extra, "");
	wire_expect(&wire, "SIP/2.0 100 ");
	assert_int_equal(leg_answer(scene.callee.leg, OFFER, NULL), 0);
	wire_header(wire_expect(&wire, "SIP/2.0 200 "), "To", to, sizeof(to));
	return to;
}

static void in_dialog(const char *method, unsigned cseq, const char *to, const char *extra,
		      const char *body)
{
	char call_id[64];

	wire_send(&wire,
		  "%s sip:127.0.0.1 SIP/2.0\r\n"
		  "Via: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKd%u%s\r\n"
		  "From: <sip:+4799000001@127.0.0.1:%u>;tag=wire\r\nTo: %s\r\nCall-ID: %s\r\n"
		  "CSeq: %u %s\r\n%sContent-Length: %zu\r\n\r\n%s",
		  method, wire.port, cseq, method, wire.port, to,
		  wire_header(wire.got, "Call-ID", call_id, sizeof(call_id)), cseq, method, extra,
		  strlen(body), body);
}

static void requests_inside_a_call_get_their_due(void **state)
{
	const char *to;

	(void)state;
	open_wire(SIP_TRANSPORT_UDP);
	to = talk_to_wire(CONTACT);
	in_dialog("ACK", 1, to, "", "");
	scene_wait(&scene.callee, "CONFIRMED");
	in_dialog("OPTIONS", 2, to, "", "");
	wire_expect(&wire, "SIP/2.0 200 ");
	in_dialog("MESSAGE", 3, to, "", "");
	wire_expect(&wire, "SIP/2.0 405 ");
	in_dialog("UPDATE", 4, to, CONTACT, "");
	wire_expect(&wire, "SIP/2.0 200 ");
	in_dialog("UPDATE", 5, to, CONTACT "Content-Type: application/sdp\r\n", OFFER);
	scene_wait(&scene.callee, "UPDATE+sdp");
	in_dialog("INVITE", 6, to, CONTACT "Content-Type: application/sdp\r\n", OFFER);
	wire_expect(&wire, "SIP/2.0 500 ");
	wire_expect(&wire, "Retry-After: ");
	assert_int_equal(leg_offer_accept(scene.callee.leg, ANSWER), 0);
	wire_expect(&wire, "SIP/2.0 200 ");
	wire_expect(&wire, ANSWER);
	in_dialog("BYE", 2, to, "", ""); /* a number that was passed already */
	wire_expect(&wire, "SIP/2.0 500 ");
	in_dialog("SUBSCRIBE", 7, to, CONTACT "Event: x\r\n", "");
	wire_expect(&wire, "SIP/2.0 405 ");
	in_dialog("BYE", 8, to, "", "");
	wire_expect(&wire, "SIP/2.0 200 ");
	scene_wait(&scene.callee, "ENDED:bye:200");
	in_dialog("INVITE", 9, to, CONTACT, "");
	wire_expect(&wire, "SIP/2.0 481 ");
	close_wire();
}

static void a_bye_before_the_ack_ends_the_call(void **state)
{
	const char *to;

	(void)state;
	open_wire(SIP_TRANSPORT_UDP);
	to = talk_to_wire(CONTACT);
	in_dialog("BYE", 2, to, "", "");
	scene_wait(&scene.callee, "ENDED:bye:200");
	in_dialog("ACK", 1, to, "", "");
	scene_settle();
	assert_string_equal(scene.callee.heard, " ENDED:bye:200");
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	scene_wait_gone();
	close_wire();
}

static void a_reinvite_may_be_cancelled(void **state)
{
	const char *to;

	(void)state;
	open_wire(SIP_TRANSPORT_UDP);
	to = talk_to_wire(CONTACT);
	in_dialog("ACK", 1, to, "", "");
	scene_wait(&scene.callee, "CONFIRMED");
	in_dialog("INVITE", 2, to, CONTACT "Content-Type: application/sdp\r\n", OFFER);
	scene_wait(&scene.callee, "OFFER+sdp");
	wire_send(&wire,
		  "CANCEL sip:127.0.0.1 SIP/2.0\r\n"
		  "Via: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKd2INVITE\r\n"
		  "From: <sip:+4799000001@127.0.0.1:%u>;tag=wire\r\nTo: %s\r\n"
		  "Call-ID: %s\r\nCSeq: 2 CANCEL\r\n\r\n",
		  wire.port, wire.port, to, leg_info(scene.callee.leg)->call_id);
	wire_expect(&wire, "SIP/2.0 487 ");
	assert_int_equal(leg_offer_accept(scene.callee.leg, ANSWER), -EINVAL);
	assert_int_equal(leg_offer(scene.callee.leg, OFFER, false), 0);
	close_wire();
}

static void contacts_are_sips_when_the_request_is(void **state)
{
	(void)state;
	open_wire(SIP_TRANSPORT_UDP);
	(void)talk_to_wire(CONTACT);
	assert_non_null(strstr(wire.got, "Contact: <sip:127.0.0.1:"));
	close_wire();
}

static void a_message_without_end_is_not_kept_for_ever(void **state)
{
	static char big[70000];

	(void)state;
	open_wire(SIP_TRANSPORT_TCP);
	memset(big, 'x', sizeof(big) - 1);
	wire_send(&wire, "OPTIONS sip:127.0.0.1 SIP/2.0\r\nX: ");
	wire_send_raw(&wire, big, sizeof(big) - 1);
	wire_settle(&wire);
	wire_close(&wire);
	wire_open(&wire, SOCK_STREAM, sip_endpoint_port(scene.b, 0));
	wire_request(&wire, "OPTIONS", "sip:127.0.0.1", "TCP", "", "");
	wire_expect(&wire, "SIP/2.0 200 ");
	close_wire();
}

/* The port that is free for IPv6 may be somebody's connection for IPv4. */
static struct sip_endpoint *on_a_port_free_for_both(const struct sip_endpoint_options *options)
{
	struct sip_endpoint *endpoint = NULL;
	int err = -EADDRINUSE;

	for (int i = 0; i < 20 && err == -EADDRINUSE; i++)
		err = sip_endpoint_create(&endpoint, scene.loop, options, &scene_handlers,
					  scene.error, sizeof(scene.error));
	assert_int_equal(err, 0);
	return endpoint;
}

static void listening_on_any_address_means_ipv4_too(void **state)
{
	static char any[] = "::";
	struct config_listen listen;
	struct sip_endpoint_options options;

	(void)state;
	scene_open();
	options = scene_options(&listen, SIP_TRANSPORT_TCP);
	listen.host = any;
	scene.b = on_a_port_free_for_both(&options);
	scene.a = on_a_port_free_for_both(&options);
	wire_open(&wire, SOCK_STREAM, sip_endpoint_port(scene.b, 0));
	wire_request(&wire, "OPTIONS", "sip:127.0.0.1", "TCP", "", "");
	wire_expect(&wire, "SIP/2.0 200 ");
	close_wire();
}

static void expect_create_error(struct sip_endpoint_options *options, int err, const char *says)
{
	struct sip_endpoint *endpoint = NULL;

	scene.error[0] = '\0';
	assert_int_equal(sip_endpoint_create(&endpoint, scene.loop, options, &scene_handlers,
					     scene.error, sizeof(scene.error)),
			 err);
	assert_null(endpoint);
	if (!strstr(scene.error, says))
		fail_msg("\"%s\" does not say \"%s\"", scene.error, says);
}

static void what_is_wrong_with_the_options_is_said(void **state)
{
	struct config_listen listen, taken;
	struct sip_endpoint_options options;

	(void)state;
	scene_open();
	options = scene_options(&listen, SIP_TRANSPORT_TCP);
	scene.b = scene_endpoint(&options);
	taken = listen;
	taken.port = sip_endpoint_port(scene.b, 0);
	options.listen = &taken;
	expect_create_error(&options, -EADDRINUSE, "something else does");
	options.listen = &listen;
	listen.host = strdup("192.0.2.1");
	expect_create_error(&options, -EINVAL, "address of this machine");
	free(listen.host);
	options = scene_options(&listen, SIP_TRANSPORT_TLS);
	options.certificate = options.private_key = NULL;
	expect_create_error(&options, -EINVAL, "needs a certificate");
	options = scene_options(&listen, SIP_TRANSPORT_TCP);
	assert_int_equal(sip_endpoint_port(scene.b, 7), 0);
	scene_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stranger_gets_one_403_a_second_and_leaves_nothing),
		cmocka_unit_test(a_strangers_connection_is_closed),
		cmocka_unit_test(what_we_do_not_do_is_refused_with_the_right_status),
		cmocka_unit_test(options_tells_our_true_state),
		cmocka_unit_test(an_invite_may_have_to_prove_who_sends_it),
		cmocka_unit_test(an_invite_without_sdp_body_forms_is_told_what_it_carried),
		cmocka_unit_test(headers_arrive_as_sent_whatever_their_shape),
		cmocka_unit_test(requests_inside_a_call_get_their_due),
		cmocka_unit_test(a_bye_before_the_ack_ends_the_call),
		cmocka_unit_test(a_reinvite_may_be_cancelled),
		cmocka_unit_test(contacts_are_sips_when_the_request_is),
		cmocka_unit_test(a_message_without_end_is_not_kept_for_ever),
		cmocka_unit_test(listening_on_any_address_means_ipv4_too),
		cmocka_unit_test(what_is_wrong_with_the_options_is_said),
	};

	return cmocka_run_group_tests_name("tas/sip/endpoint", tests, NULL, NULL);
}
