/* SPDX-License-Identifier: Apache-2.0 */
/* test_leg_auth.c - a trunk that challenges us, and others that would like to. */
#include "tests/unit/tas/sip/wire.h"

#include "tas/sip/digest.h"

static struct wire wire, other; /* the trunk; somebody at 127.0.0.2 */
static struct sip_peer *peer;
static struct digest_guard *guard;
static char uri[64], *uris[] = { uri };
static struct config_trunk config;

static void be_known_as(const char *password, bool md5)
{
	struct digest_identity *identity = NULL;

	assert_int_equal(digest_identity_create(
				 &identity, &(struct digest_identity_options){ .username = "tas",
									       .password = password,
									       .md5 = md5 }),
			 0);
	sip_peer_set_identity(peer, identity);
}

static void open_other(void)
{
	struct sockaddr_in there = wire_address(0);

	memset(&other, 0, sizeof(other));
	there.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	other.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(other.fd, (struct sockaddr *)&there, sizeof(there)), 0);
	wire_name(&other);
}

static int set_up(void **state)
{
	struct config_listen listen;
	struct sip_endpoint_options options;

	(void)state;
	scene_open();
	options = scene_options(&listen, SIP_TRANSPORT_UDP);
	scene.a = scene_endpoint(&options);
	scene.b = scene_endpoint(&options);
	clock_fake_set(clock_now());
	wire_open(&wire, SOCK_DGRAM, 0);
	open_other();
	(void)snprintf(uri, sizeof(uri), "sip:x@127.0.0.1:%u", wire.port);
	config = (struct config_trunk){ .uris = uris, .uri_count = 1, .down_after = 3 };
	assert_int_equal(digest_guard_create(&guard, 60), 0);
	return sip_peer_create(&peer, "pbx") || sip_peer_configure(peer, &config);
}

static int tear_down(void **state)
{
	(void)state;
	guard = digest_guard_destroy(guard);
	sip_peer_retire(peer);
	peer = sip_peer_unref(peer);
	wire_close(&wire);
	wire_close(&other);
	scene_close();
	return 0;
}

static void call(void)
{
	struct sip_line *const *lines;
	struct leg_invite invite = {
		.request_uri = uri, .from_uri = "sip:a@example.com", .to_uri = uri, .sdp = OFFER
	};

	assert_int_equal(sip_peer_choose(peer, &lines), 1);
	invite.line = lines[0];
	assert_int_equal(
		leg_invite(&scene.caller.leg, scene.a, &invite, party_on_event, &scene.caller), 0);
}

/* Challenges the request at `message`, with SHA-256. */
static void challenge(struct wire *by, const char *message, bool proxy, bool stale)
{
	const struct digest_challenge asked = { .realm = "pbx",
						.source = "127.0.0.1",
						.stale = stale };
	char *values[DIGEST_ALGORITHM_COUNT], header[400];
	size_t count = digest_challenge(guard, &asked, values);

	assert_int_equal(count, 2);
	(void)snprintf(header, sizeof(header), "%s-Authenticate: %s\r\n", proxy ? "Proxy" : "WWW",
		       values[1]);
	wire_respond(by, message, proxy ? "407 Proxy Authentication Required" : "401 Unauthorized",
		     "c", header, "");
	while (count)
		free(values[--count]);
}

static enum digest_verdict verdict(const char *message, const char *method, bool proxy)
{
	char value[600];
	const struct digest_check check = {
		.authorization =
			wire_header(message, proxy ? "Proxy-Authorization" : "Authorization", value,
				    sizeof(value)),
		.realm = "pbx",
		.source = "127.0.0.1",
		.method = method,
		.password = "secret",
	};

	return digest_verify(guard, &check);
}

static bool is_authorized(const char *message)
{
	const char *found = strstr(message, "uthorization: ");

	return found && found < strstr(message, "\r\n\r\n");
}

/* A call that the trunk has challenged and answered; `contact` takes the rest. */
static void talk(uint32_t contact_port, const char *contact_host)
{
	char extra[100];
	const char *message;

	call();
	message = wire_take_from(&wire, "INVITE");
	assert_false(is_authorized(message));
	challenge(&wire, message, true, false);
	wire_expect(&wire, "ACK sip:");
	message = wire_take_from(&wire, "INVITE");
	assert_int_equal(verdict(message, "INVITE", true), DIGEST_ACCEPTED);
	assert_non_null(strstr(message, "CSeq"));
	(void)snprintf(extra, sizeof(extra), "Record-Route: <sip:%s:%u;lr>\r\n", contact_host,
		       contact_port);
	wire_respond(&wire, message, "200 OK", "t", extra, ANSWER);
	scene_wait(&scene.caller, "ANSWERED+sdp");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
}

static void a_challenged_invite_is_sent_again_with_our_answer(void **state)
{
	const char *message;

	(void)state;
	be_known_as("secret", false);
	talk(wire.port, "127.0.0.1");
	message = wire_expect(&wire, "ACK sip:");
	assert_true(is_authorized(message)); /* RFC 3261 section 22.1 */
	assert_string_equal(scene.caller.heard, " ANSWERED+sdp");
}

static void requests_in_the_dialog_are_answered_for_the_same_host(void **state)
{
	const char *message;

	(void)state;
	be_known_as("secret", false);
	talk(wire.port, "127.0.0.1");
	wire_expect(&wire, "ACK sip:");
	assert_int_equal(leg_offer(scene.caller.leg, OFFER, false), 0);
	message = wire_expect(&wire, "INVITE sip:");
	assert_false(is_authorized(message));
	challenge(&wire, message, false, false);
	wire_expect(&wire, "ACK sip:");
	message = wire_expect(&wire, "INVITE sip:");
	assert_int_equal(verdict(message, "INVITE", false), DIGEST_ACCEPTED);
	wire_respond(&wire, message, "200 OK", NULL, "", ANSWER);
	scene_wait(&scene.caller, "OFFER_ANSWERED:200+sdp");
	scene.caller.leg =
		leg_release(scene.caller.leg, &(struct leg_farewell){ .reason = "Q.850;cause=16" });
	message = wire_expect(&wire, "BYE sip:");
	challenge(&wire, message, true, false);
	message = wire_expect(&wire, "BYE sip:");
	assert_int_equal(verdict(message, "BYE", true), DIGEST_ACCEPTED);
	assert_non_null(strstr(message, "Reason: Q.850"));
	wire_respond(&wire, message, "200 OK", NULL, "", "");
	scene_wait_gone();
}

static void another_host_gets_no_answer(void **state)
{
	struct sockaddr_in us = wire_address(sip_endpoint_port(scene.a, 0));
	const char *message;

	(void)state;
	be_known_as("secret", false);
	talk(other.port, "127.0.0.2"); /* the dialog's requests now go there */
	wire_expect(&other, "ACK sip:");
	assert_int_equal(connect(other.fd, (struct sockaddr *)&us, sizeof(us)), 0);
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	message = wire_expect(&other, "BYE sip:");
	assert_false(is_authorized(message));
	challenge(&other, message, true, false);
	scene_wait_gone();
	wire_settle(&other);
	assert_null(strstr(other.got + other.seen, "uthorization"));
}

static void a_stale_nonce_is_answered_again_a_wrong_password_is_not(void **state)
{
	const char *message;

	(void)state;
	be_known_as("guess", false);
	call();
	challenge(&wire, wire_take_from(&wire, "INVITE"), false, false);
	wire_expect(&wire, "ACK sip:");
	message = wire_expect(&wire, "INVITE sip:");
	challenge(&wire, message, false, true);
	wire_expect(&wire, "ACK sip:");
	message = wire_expect(&wire, "INVITE sip:");
	assert_int_equal(verdict(message, "INVITE", false), DIGEST_REFUSED);
	challenge(&wire, message, false, false);
	scene_wait(&scene.caller, "ENDED:refused:401");
	wire_expect(&wire, "ACK sip:");
	wire_settle(&wire);
	assert_null(strstr(wire.got + wire.seen, "INVITE sip:"));
}

static void md5_is_not_answered_unless_allowed(void **state)
{
	(void)state;
	be_known_as("secret", false);
	call();
	wire_respond(&wire, wire_take_from(&wire, "INVITE"), "401 Unauthorized", "c",
		     "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\", algorithm=MD5\r\n", "");
	scene_wait(&scene.caller, "ENDED:refused:401");
	assert_null(strstr(wire.got, "uthorization"));
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene.caller.heard[0] = '\0';
	be_known_as("secret", true);
	call();
	wire_respond(&wire, wire_take_from(&wire, "INVITE"), "401 Unauthorized", "c",
		     "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\", algorithm=MD5\r\n", "");
	wire_expect(&wire, "ACK sip:");
	assert_true(is_authorized(wire_expect(&wire, "INVITE sip:")));
}

static void a_challenge_after_the_caller_gave_up_is_not_answered(void **state)
{
	const char *message;

	(void)state;
	be_known_as("secret", false);
	call();
	message = wire_take_from(&wire, "INVITE");
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	challenge(&wire, message, false, false);
	scene_wait_gone();
	wire_settle(&wire);
	assert_null(strstr(wire.got, "uthorization"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_challenged_invite_is_sent_again_with_our_answer),
		T(requests_in_the_dialog_are_answered_for_the_same_host),
		T(another_host_gets_no_answer),
		T(a_stale_nonce_is_answered_again_a_wrong_password_is_not),
		T(md5_is_not_answered_unless_allowed),
		T(a_challenge_after_the_caller_gave_up_is_not_answered),
	};

	return cmocka_run_group_tests_name("tas/sip/leg_auth", tests, NULL, NULL);
}
