/* SPDX-License-Identifier: Apache-2.0 */
/* An endpoint calls itself, from another thread, with certificates good and bad. */
#include "tests/unit/tas/sip/scene.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include "tas/sip/tls_self_call.h"

static struct attempt {
	struct tls_self_call call;
	int err;
	char why[200];
	atomic_bool done;
} attempt;

static void *run(void *arg)
{
	struct attempt *at = arg;

	at->err = tls_self_call(&at->call, at->why, sizeof(at->why));
	atomic_store(&at->done, true);
	return NULL;
}

/* Calls b by this name; what came of it is in `attempt`. */
static void call_b_trusting(const char *name, const char *ca_file, const char *mark)
{
	pthread_t thread;

	attempt.call = (struct tls_self_call){ .host = "127.0.0.1",
					       .port = sip_endpoint_port(scene.b, 0),
					       .name = name,
					       .ca_file = ca_file,
					       .mark = mark,
					       .timeout_ms = 2000,
					       .tls_only = attempt.call.tls_only };
	attempt.why[0] = '\0';
	atomic_store(&attempt.done, false);
	assert_int_equal(pthread_create(&thread, NULL, run, &attempt), 0);
	while (!atomic_load(&attempt.done))
		sip_loop_step(scene.loop, 5);
	pthread_join(thread, NULL);
}

static void call_b(const char *name, const char *mark)
{
	call_b_trusting(name, scene.pki.ca, mark);
}

static void it_is_answered_though_strangers_are_not(void **state)
{
	(void)state;
	scene.identity = -1;
	call_b("localhost", sip_endpoint_mark(scene.b));
	assert_int_equal(attempt.err, 0);
	scene.options_status = 503;
	call_b("localhost", sip_endpoint_mark(scene.b));
	assert_int_equal(attempt.err, -EPROTO);
	assert_string_equal(attempt.why, "our listener answers 503");
}

static void a_name_the_certificate_does_not_carry_is_said(void **state)
{
	(void)state;
	call_b("tas.example.net", sip_endpoint_mark(scene.b));
	assert_int_equal(attempt.err, -EPROTO);
	assert_string_equal(attempt.why, "our certificate is not accepted: hostname mismatch");
}

static void a_signer_the_core_does_not_know_is_said(void **state)
{
	struct pki other;

	(void)state;
	pki_init(&other);
	call_b_trusting("localhost", other.ca, sip_endpoint_mark(scene.b));
	assert_int_equal(attempt.err, -EPROTO);
	assert_non_null(strstr(attempt.why, "our certificate is not accepted: "));
	pki_done(&other);
}

static void somebody_else_who_answers_is_no_proof(void **state)
{
	(void)state;
	scene.identity = -1;
	call_b("localhost", sip_endpoint_mark(scene.a));
	assert_int_equal(attempt.err, -EPROTO);
	assert_string_equal(attempt.why, "what answers there is not us");
}

static void a_listener_that_wants_certificates_is_judged_by_its_own(void **state)
{
	struct config_listen listen;
	struct sip_endpoint_options options = scene_options(&listen, SIP_TRANSPORT_TLS);

	(void)state;
	sip_endpoint_destroy(scene.b);
	options.client_ca = scene.pki.ca;
	scene.b = scene_endpoint(&options);
	call_b("localhost", sip_endpoint_mark(scene.b));
	assert_int_equal(attempt.err, -EPROTO);
	attempt.call.tls_only = true;
	call_b("localhost", sip_endpoint_mark(scene.b));
	assert_int_equal(attempt.err, 0);
	call_b("tas.example.net", sip_endpoint_mark(scene.b));
	assert_int_equal(attempt.err, -EPROTO);
	attempt.call.tls_only = false;
}

static void nobody_there_and_somebody_silent_are_told_apart(void **state)
{
	struct tls_self_call call = { .host = "127.0.0.1",
				      .port = 9,
				      .name = "localhost",
				      .ca_file = scene.pki.ca,
				      .mark = "0123456789abcdef0123456789abcdef",
				      .timeout_ms = 200 };
	char why[200];

	(void)state;
	assert_int_equal(tls_self_call(&call, why, sizeof(why)), -EPROTO);
	assert_string_equal(why, "no connection to 127.0.0.1 port 9: Connection refused");
	call.port = sip_endpoint_port(scene.b, 0); /* whose thread stands still meanwhile */
	assert_int_equal(tls_self_call(&call, why, sizeof(why)), -EPROTO);
	assert_string_equal(why, "TLS fails: no answer in time");
}

static int set_up(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	scene_close();
	return 0;
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(it_is_answered_though_strangers_are_not),
		SCENE(a_name_the_certificate_does_not_carry_is_said),
		SCENE(a_signer_the_core_does_not_know_is_said),
		SCENE(somebody_else_who_answers_is_no_proof),
		SCENE(a_listener_that_wants_certificates_is_judged_by_its_own),
		SCENE(nobody_there_and_somebody_silent_are_told_apart),
	};

	return cmocka_run_group_tests_name("tas/sip/tls_self_call", tests, NULL, NULL);
}
