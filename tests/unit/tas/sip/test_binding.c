/* SPDX-License-Identifier: Apache-2.0 */
/* test_binding.c - registering at a PBX whose answers are written by hand, in
 * scripted time. */
#include "tests/unit/tas/sip/wire.h"

#include <errno.h>

#include "tas/sip/binding.h"
#include "tas/sip/digest.h"

static struct wire wire;
static struct sip_peer *peer;
static struct binding *binding;
static char uri[64], *uris[] = { uri };
static unsigned down_on[] = { 408, 503 };
static struct config_trunk config;
static const struct binding_options options = { .aor = "sip:tas@pbx.example", .expires_s = 600 };

static void look(const struct sip_line_info *info, void *arg)
{
	*(const char **)arg = info->binding;
}

static const char *state_of(void)
{
	const char *text = "?";

	sip_peer_each_line(peer, look, &text);
	return text;
}

static void wait_state(const char *wanted)
{
	for (int i = 0; i < 400 && strcmp(state_of(), wanted) != 0; i++)
		scene_step();
	assert_string_equal(state_of(), wanted);
}

static int set_up(void **state)
{
	struct config_listen listen;
	struct sip_endpoint_options endpoint_options;
	struct digest_identity *identity = NULL;

	(void)state;
	scene_open();
	endpoint_options = scene_options(&listen, SIP_TRANSPORT_UDP);
	endpoint_options.t1_ms = 4000; /* repetitions would only be in the way */
	scene.a = scene_endpoint(&endpoint_options);
	scene.b = scene_endpoint(&endpoint_options);
	clock_fake_set(clock_now());
	wire_open(&wire, SOCK_DGRAM, 0);
	(void)snprintf(uri, sizeof(uri), "sip:127.0.0.1:%u", wire.port);
	config = (struct config_trunk){
		.uris = uris, .uri_count = 1, .down_after = 3, .down_on = down_on, .down_count = 2
	};
	assert_int_equal(sip_peer_create(&peer, "pbx"), 0);
	assert_int_equal(sip_peer_configure(peer, &config), 0);
	assert_int_equal(digest_identity_create(&identity,
						&(struct digest_identity_options){
							.username = "tas", .password = "secret" }),
			 0);
	sip_peer_set_identity(peer, identity);
	assert_int_equal(binding_create(&binding, scene.a, peer, &options), 0);
	assert_string_equal(state_of(), "trying");
	scene_pass(2100);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sip_peer_retire(peer);
	peer = sip_peer_unref(peer);
	scene.a = sip_endpoint_destroy(scene.a);
	scene.a = NULL;
	wire_close(&wire);
	scene_close();
	return 0;
}

static void grant(const char *message, unsigned expires_s)
{
	char contact[200], extra[400];

	(void)snprintf(extra, sizeof(extra),
		       "Contact: <sip:other@192.0.2.1>;expires=9\r\nContact: %s;expires=%u\r\n",
		       wire_header(message, "Contact", contact, sizeof(contact)), expires_s);
	wire_respond(&wire, message, "200 OK", "r", extra, "");
	wait_state("registered");
}

static unsigned long cseq_of(const char *message)
{
	char value[50];

	return strtoul(wire_header(message, "CSeq", value, sizeof(value)), NULL, 10);
}

/* Past repetitions of the request that was challenged. */
static const char *expect_answer(char *ret_authorization, size_t room)
{
	const char *message, *found;

	do {
		message = wire_expect(&wire, "REGISTER sip:");
		found = strstr(message, "\r\nAuthorization: ");
	} while (!found || found > strstr(message, "\r\n\r\n"));
	(void)wire_header(message, "Authorization", ret_authorization, room);
	return message;
}

static bool asked(void)
{
	wire_settle(&wire);
	return strstr(wire.got + wire.seen, "REGISTER sip:") != NULL;
}

/* At most so long; not longer than needed, since a request without an answer is
 * repeated and given up. */
static void pass_until_asked(unsigned ms)
{
	for (unsigned passed = 0; passed < ms && !asked(); passed += 1000)
		scene_pass(1000);
}

static void it_registers_and_refreshes_well_before_its_time_is_over(void **state)
{
	char value[200], call_id[200];
	const char *message = wire_take_from(&wire, "REGISTER");
	unsigned long cseq = cseq_of(message);

	(void)state;
	assert_int_equal(strncmp(message, "REGISTER sip:pbx.example SIP/2.0\r\n", 34), 0);
	assert_string_equal(wire_header(message, "To", value, sizeof(value)),
			    "<sip:tas@pbx.example>");
	assert_string_equal(wire_header(message, "Expires", value, sizeof(value)), "600");
	assert_non_null(strstr(wire_header(message, "Contact", value, sizeof(value)),
			       "<sip:tas@127.0.0.1:"));
	(void)wire_header(message, "Call-ID", call_id, sizeof(call_id));
	grant(message, 100);
	scene_pass(49000);
	assert_false(asked());
	pass_until_asked(12000);
	message = wire_expect(&wire, "REGISTER sip:");
	assert_string_equal(wire_header(message, "Call-ID", value, sizeof(value)), call_id);
	assert_int_equal(cseq_of(message), cseq + 1); /* RFC 3261 section 10.2.4 */
	assert_string_equal(state_of(), "registered");
	grant(message, 100);
}

static void a_challenge_is_answered_once(void **state)
{
	static const char challenge[] = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n1\", "
					"algorithm=SHA-256, qop=\"auth\"\r\n";
	const char *message = wire_take_from(&wire, "REGISTER");
	char value[600];

	(void)state;
	wire_respond(&wire, message, "401 Unauthorized", "r", challenge, "");
	message = expect_answer(value, sizeof(value));
	assert_non_null(strstr(value, "username=\"tas\", realm=\"pbx\", nonce=\"n1\", "
				      "uri=\"sip:pbx.example\""));
	assert_non_null(strstr(value, "nc=00000001"));
	grant(message, 100);
	scene_pass(49000);
	pass_until_asked(12000);
	message = wire_expect(&wire, "REGISTER sip:");
	wire_respond(&wire, message, "401 Unauthorized", "r", challenge, "");
	message = expect_answer(value, sizeof(value));
	assert_non_null(strstr(value, "nc=00000002"));
	wire_respond(&wire, message, "401 Unauthorized", "r", challenge, "");
	wait_state("not registered");
	assert_false(asked());
	scene_pass(140000); /* a refusal is not asked about often */
	assert_false(asked());
	scene_pass(170000);
	assert_true(asked());
}

static void a_longer_time_is_asked_for_if_ours_is_too_brief(void **state)
{
	const char *message = wire_take_from(&wire, "REGISTER");
	char value[50];

	(void)state;
	wire_respond(&wire, message, "423 Interval Too Brief", "r", "Min-Expires: 1800\r\n", "");
	message = wire_expect(&wire, "REGISTER sip:");
	assert_string_equal(wire_header(message, "Expires", value, sizeof(value)), "1800");
	wire_respond(&wire, message, "423 Interval Too Brief", "r", "Min-Expires: 1800\r\n", "");
	wait_state("not registered"); /* it asks for what it has */
}

static void failures_are_retried_later_each_time(void **state)
{
	static const struct {
		unsigned least, most;
	} waits[] = { { 2000, 4000 }, { 4000, 8000 }, { 8000, 16000 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		wire_respond(&wire,
			     i ? wire_expect(&wire, "REGISTER sip:")
			       : wire_take_from(&wire, "REGISTER"),
			     "500 Server Internal Error", "r", "", "");
		wait_state("not registered");
		scene_settle();
		scene_pass(waits[i].least - 100);
		assert_false(asked());
		pass_until_asked(waits[i].most - waits[i].least + 200);
	}
	grant(wire_expect(&wire, "REGISTER sip:"), 100);
}

static void retry_after_is_obeyed(void **state)
{
	(void)state;
	wire_respond(&wire, wire_take_from(&wire, "REGISTER"), "503 Service Unavailable", "r",
		     "Retry-After: 30\r\n", "");
	wait_state("not registered");
	scene_pass(29000);
	assert_false(asked());
	scene_pass(2000);
	assert_true(asked());
}

static void silence_is_a_failure(void **state)
{
	(void)state;
	(void)wire_take_from(&wire, "REGISTER");
	scene_pass(8200);
	assert_string_equal(state_of(), "not registered");
}

static void no_time_granted_is_a_failure(void **state)
{
	(void)state;
	wire_respond(&wire, wire_take_from(&wire, "REGISTER"), "200 OK", "r", "Expires: 0\r\n", "");
	wait_state("not registered");
}

static void leaving_unregisters(void **state)
{
	const char *message = wire_take_from(&wire, "REGISTER");
	char value[50];

	(void)state;
	grant(message, 100);
	assert_null(binding_leave(binding));
	assert_int_equal(sip_endpoint_binding_count(scene.a), 1);
	message = wire_expect(&wire, "REGISTER sip:");
	assert_string_equal(wire_header(message, "Expires", value, sizeof(value)), "0");
	wire_respond(&wire, message, "200 OK", "r", "", "");
	scene_settle();
	assert_int_equal(sip_endpoint_binding_count(scene.a), 0);
	assert_string_equal(state_of(), "");
}

static void leaving_does_not_wait_for_ever(void **state)
{
	(void)state;
	grant(wire_take_from(&wire, "REGISTER"), 100);
	assert_null(binding_leave(binding));
	scene_pass(2200);
	assert_int_equal(sip_endpoint_binding_count(scene.a), 0);
	assert_null(binding_leave(NULL));
}

static void what_is_no_address_of_record_is_refused(void **state)
{
	static const char *const wrong[] = { "sip:pbx.example", "tel:+47", "tas@pbx", "sip:a@b c" };
	struct binding *none = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(binding_create(&none, scene.a, peer,
						&(struct binding_options){ wrong[i], 600 }),
				 -EINVAL);
	assert_null(none);
	assert_true(binding_is_for(binding, &options));
	assert_false(binding_is_for(binding, &(struct binding_options){ options.aor, 60 }));
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(it_registers_and_refreshes_well_before_its_time_is_over),
		T(a_challenge_is_answered_once),
		T(a_longer_time_is_asked_for_if_ours_is_too_brief),
		T(failures_are_retried_later_each_time),
		T(retry_after_is_obeyed),
		T(silence_is_a_failure),
		T(no_time_granted_is_a_failure),
		T(leaving_unregisters),
		T(leaving_does_not_wait_for_ever),
		T(what_is_no_address_of_record_is_refused),
	};

	return cmocka_run_group_tests_name("tas/sip/binding", tests, NULL, NULL);
}
