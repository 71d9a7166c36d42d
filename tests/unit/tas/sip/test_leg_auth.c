/* SPDX-License-Identifier: Apache-2.0 */
/* test_leg_auth.c - a trunk that challenges us, and others that would like to. */
#include "tests/unit/tas/sip/pbx.h"

#include "tas/sip/digest.h"

static struct wire other; /* somebody at 127.0.0.2 */
static struct digest_guard *guard;

static void be_known_as(const char *password, bool md5)
{
	struct digest_identity *identity = NULL;

	assert_int_equal(digest_identity_create(
				 &identity, &(struct digest_identity_options){ .username = "tas",
									       .password = password,
									       .md5 = md5 }),
			 0);
	sip_peer_set_identity(pbx.peer, identity);
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
	(void)state;
	pbx_open();
	open_other();
	pbx.config.down_after = 3;
	assert_int_equal(digest_guard_create(&guard, 60), 0);
	return sip_peer_configure(pbx.peer, &pbx.config);
}

static int tear_down(void **state)
{
	(void)state;
	guard = digest_guard_destroy(guard);
	wire_close(&other);
	pbx_close();
	return 0;
}

static void call(void)
{
	assert_int_equal(pbx_invite(&scene.caller.leg, OFFER), 0);
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
	message = wire_take_from(&pbx.wire, "INVITE");
	assert_false(is_authorized(message));
	challenge(&pbx.wire, message, true, false);
	wire_expect(&pbx.wire, "ACK sip:");
	message = wire_take_from(&pbx.wire, "INVITE");
	assert_int_equal(verdict(message, "INVITE", true), DIGEST_ACCEPTED);
	assert_non_null(strstr(message, "CSeq"));
	(void)snprintf(extra, sizeof(extra), "Record-Route: <sip:%s:%u;lr>\r\n", contact_host,
		       contact_port);
	wire_respond(&pbx.wire, message, "200 OK", "t", extra, ANSWER);
	scene_wait(&scene.caller, "ANSWERED+sdp");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
}

static void a_challenged_invite_is_sent_again_with_our_answer(void **state)
{
	const char *message;

	(void)state;
	be_known_as("secret", false);
	talk(pbx.wire.port, "127.0.0.1");
	message = wire_expect(&pbx.wire, "ACK sip:");
	assert_true(is_authorized(message)); /* RFC 3261 section 22.1 */
	assert_string_equal(scene.caller.heard, " ANSWERED+sdp");
}

static void requests_in_the_dialog_are_answered_for_the_same_host(void **state)
{
	const char *message;

	(void)state;
	be_known_as("secret", false);
	talk(pbx.wire.port, "127.0.0.1");
	wire_expect(&pbx.wire, "ACK sip:");
	assert_int_equal(leg_offer(scene.caller.leg, OFFER, false), 0);
	message = wire_expect(&pbx.wire, "INVITE sip:");
	assert_false(is_authorized(message));
	challenge(&pbx.wire, message, false, false);
	wire_expect(&pbx.wire, "ACK sip:");
	message = wire_expect(&pbx.wire, "INVITE sip:");
	assert_int_equal(verdict(message, "INVITE", false), DIGEST_ACCEPTED);
	wire_respond(&pbx.wire, message, "200 OK", NULL, "", ANSWER);
	scene_wait(&scene.caller, "OFFER_ANSWERED:200+sdp");
	scene.caller.leg =
		leg_release(scene.caller.leg, &(struct leg_farewell){ .reason = "Q.850;cause=16" });
	message = wire_expect(&pbx.wire, "BYE sip:");
	challenge(&pbx.wire, message, true, false);
	message = wire_expect(&pbx.wire, "BYE sip:");
	assert_int_equal(verdict(message, "BYE", true), DIGEST_ACCEPTED);
	assert_non_null(strstr(message, "Reason: Q.850"));
	wire_respond(&pbx.wire, message, "200 OK", NULL, "", "");
	scene_wait_gone();
}

static void another_host_gets_no_answer(void **state)
{
	struct sockaddr_in us = wire_address(sip_endpoint_port(scene.a, 0));
	const char *message;

	(void)state;
	be_known_as("secret", false);
	scene.known_host = "127.0.0.2";
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
	challenge(&pbx.wire, wire_take_from(&pbx.wire, "INVITE"), false, false);
	wire_expect(&pbx.wire, "ACK sip:");
	message = wire_expect(&pbx.wire, "INVITE sip:");
	challenge(&pbx.wire, message, false, true);
	wire_expect(&pbx.wire, "ACK sip:");
	message = wire_expect(&pbx.wire, "INVITE sip:");
	assert_int_equal(verdict(message, "INVITE", false), DIGEST_REFUSED);
	challenge(&pbx.wire, message, false, false);
	scene_wait(&scene.caller, "ENDED:refused:401");
	wire_expect(&pbx.wire, "ACK sip:");
	wire_settle(&pbx.wire);
	assert_null(strstr(pbx.wire.got + pbx.wire.seen, "INVITE sip:"));
}

static void md5_is_not_answered_unless_allowed(void **state)
{
	(void)state;
	be_known_as("secret", false);
	call();
	wire_respond(&pbx.wire, wire_take_from(&pbx.wire, "INVITE"), "401 Unauthorized", "c",
		     "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\", algorithm=MD5\r\n", "");
	scene_wait(&scene.caller, "ENDED:refused:401");
	assert_null(strstr(pbx.wire.got, "uthorization"));
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene.caller.heard[0] = '\0';
	be_known_as("secret", true);
	call();
	wire_respond(&pbx.wire, wire_take_from(&pbx.wire, "INVITE"), "401 Unauthorized", "c",
		     "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\", algorithm=MD5\r\n", "");
	wire_expect(&pbx.wire, "ACK sip:");
	assert_true(is_authorized(wire_expect(&pbx.wire, "INVITE sip:")));
}

static void a_challenge_after_the_caller_gave_up_is_not_answered(void **state)
{
	const char *message;

	(void)state;
	be_known_as("secret", false);
	call();
	message = wire_take_from(&pbx.wire, "INVITE");
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	challenge(&pbx.wire, message, false, false);
	scene_wait_gone();
	wire_settle(&pbx.wire);
	assert_null(strstr(pbx.wire.got, "uthorization"));
}

/* A call that the trunk answers without a challenge. */
static const char *answered(const char *extra)
{
	const char *invite;

	call();
	invite = wire_take_from(&pbx.wire, "INVITE");
	wire_respond(&pbx.wire, invite, "200 OK", "t", extra, ANSWER);
	scene_wait(&scene.caller, "ANSWERED+sdp");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	wire_expect(&pbx.wire, "ACK sip:");
	return invite;
}

/* The next request of this kind is challenged; the same with our answer follows. */
static const char *challenged(const char *method)
{
	char start[32], before[100] = "", after[100] = "";
	const char *message;

	(void)snprintf(start, sizeof(start), "%s sip:", method);
	message = wire_expect(&pbx.wire, start);
	assert_false(is_authorized(message));
	if (strcmp(method, "PRACK") == 0)
		wire_header(message, "RAck", before, sizeof(before));
	challenge(&pbx.wire, message, true, false);
	message = wire_expect(&pbx.wire, start);
	assert_int_equal(verdict(message, method, true), DIGEST_ACCEPTED);
	if (before[0])
		assert_string_equal(wire_header(message, "RAck", after, sizeof(after)), before);
	return message;
}

static void a_challenged_prack_and_an_update_after_it_are_answered(void **state)
{
	const char *invite, *message;

	(void)state;
	be_known_as("secret", false);
	scene.rel100 = LEG_100REL_SUPPORTED;
	call();
	invite = wire_take_from(&pbx.wire, "INVITE");
	wire_respond(&pbx.wire, invite, "183 Session Progress", "t",
		     "Require: 100rel\r\nRSeq: 7\r\nAllow: UPDATE\r\n", ANSWER);
	message = challenged("PRACK");
	assert_int_equal(leg_offer(scene.caller.leg, OFFER, true), 0);
	wire_respond(&pbx.wire, message, "200 OK", NULL, "", "");
	message = challenged("UPDATE");
	assert_non_null(strstr(message, OFFER));
	wire_respond(&pbx.wire, message, "200 OK", NULL, "", ANSWER);
	scene_wait(&scene.caller, "OFFER_ANSWERED:200+sdp");
}

static void a_challenged_session_refresh_is_answered(void **state)
{
	const char *message;
	char expires[40];

	(void)state;
	be_known_as("secret", false);
	(void)answered("Allow: UPDATE\r\nSession-Expires: 90;refresher=uac\r\n");
	scene_pass(45100);
	message = challenged("UPDATE");
	assert_string_equal(wire_header(message, "Session-Expires", expires, sizeof(expires)),
			    "90;refresher=uac");
	wire_respond(&pbx.wire, message, "200 OK", NULL, "Session-Expires: 90;refresher=uac\r\n",
		     "");
	scene_pass(44000);
	assert_string_equal(scene.caller.heard, " ANSWERED+sdp");
}

static void a_challenged_notify_and_info_are_answered(void **state)
{
	const char *invite, *message;
	char from[200], to[200], call_id[100];

	(void)state;
	be_known_as("secret", false);
	invite = answered("Allow: INFO\r\n");
	wire_send(&pbx.wire,
		  "REFER sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP "
		  "127.0.0.1:%u;branch=z9hG4bKr\r\nFrom: %s;tag=t\r\nTo: %s\r\nCall-ID: %s\r\n"
		  "CSeq: 5 REFER\r\nContact: <sip:x@127.0.0.1:%u>\r\nRefer-To: <sip:y@h>\r\n"
		  "Content-Length: 0\r\n\r\n",
		  pbx.wire.port, wire_header(invite, "To", to, sizeof(to)),
		  wire_header(invite, "From", from, sizeof(from)),
		  wire_header(invite, "Call-ID", call_id, sizeof(call_id)), pbx.wire.port);
	scene_wait(&scene.caller, "REFER:y");
	assert_int_equal(leg_refer_answer(scene.caller.leg, 202), 0);
	message = challenged("NOTIFY");
	assert_non_null(strstr(message, "Subscription-State: active;expires=180"));
	assert_non_null(strstr(message, "Event: refer"));
	wire_expect(&pbx.wire, "SIP/2.0 100 Trying\r\n");
	wire_respond(&pbx.wire, message, "200 OK", NULL, "", "");
	assert_int_equal(leg_inform(scene.caller.leg, "application/dtmf", "5"), 0);
	message = challenged("INFO");
	assert_non_null(strstr(message, "Content-Type: application/dtmf\r\n"));
	wire_respond(&pbx.wire, message, "200 OK", NULL, "", "");
	scene_wait(&scene.caller, "INFO_ANSWERED:200");
}

/* The trunk's own call: we are its callee. */
static void called_by_trunk(void)
{
	struct sockaddr_in there = wire_address(sip_endpoint_port(scene.b, 0));
	const char *answer;
	char to[200], extra[100];

	(void)snprintf(extra, sizeof(extra),
		       "Contact: <sip:w@127.0.0.1:%u>\r\nContent-Type: application/sdp\r\n",
		       pbx.wire.port);
	assert_int_equal(connect(pbx.wire.fd, (struct sockaddr *)&there, sizeof(there)), 0);
	wire_request(&pbx.wire, "INVITE", "sip:x@127.0.0.1", "UDP", extra, OFFER);
	scene_wait_invite(1);
	assert_int_equal(leg_count_for(scene.callee.leg, pbx.peer), 0);
	assert_int_equal(leg_answer(scene.callee.leg, ANSWER, NULL), 0);
	answer = wire_expect(&pbx.wire, "SIP/2.0 200");
	wire_send(&pbx.wire,
		  "ACK sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKa\r\n"
		  "From: <sip:+4799000001@127.0.0.1:%u>;tag=wire\r\nTo: %s\r\nCall-ID: %s\r\n"
		  "CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
		  pbx.wire.port, pbx.wire.port, wire_header(answer, "To", to, sizeof(to)),
		  leg_info(scene.callee.leg)->call_id);
	scene_wait(&scene.callee, "CONFIRMED");
}

static void a_trunk_that_called_may_challenge_too(void **state)
{
	const char *message;

	(void)state;
	be_known_as("secret", false);
	called_by_trunk();
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	message = challenged("BYE");
	wire_respond(&pbx.wire, message, "200 OK", NULL, "", "");
	scene_wait_gone();
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
		T(a_challenged_prack_and_an_update_after_it_are_answered),
		T(a_challenged_session_refresh_is_answered),
		T(a_challenged_notify_and_info_are_answered),
		T(a_trunk_that_called_may_challenge_too),
	};

	return cmocka_run_group_tests_name("tas/sip/leg_auth", tests, NULL, NULL);
}
