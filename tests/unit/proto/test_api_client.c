/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/log.h"
#include "proto/api.h"
#include "tests/unit/proto/grpc_peer.h"
#include "tests/unit/proto/things.h"
#include "wgtwo/sipbreakout/v1/sipbreakout.pb-c.h"

#define BREAKOUT_SERVICE (&wgtwo__sipbreakout__v1__sip_breakout_service__descriptor)
#define SECRET           "very-secret-token"

static struct peer *peer;
static char log_text[65536];

struct result {
	unsigned count;
	enum api_status status;
	char details[256];
	bool had_response;
	int64_t ttl_s;
};

static void on_log(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)level, (void)arg;
	strncat(log_text, area, sizeof(log_text) - strlen(log_text) - 1);
	strncat(log_text, line, sizeof(log_text) - strlen(log_text) - 1);
}

static void on_done(enum api_status status, const char *details, const ProtobufCMessage *response,
		    void *arg)
{
	struct result *result = arg;

	result->count++;
	result->status = status;
	snprintf(result->details, sizeof(result->details), "%s", details);
	result->had_response = response != NULL;
	if (response && response->descriptor ==
				&wgtwo__sipbreakout__v1__upsert_registration_response__descriptor)
		result->ttl_s =
			((const Wgtwo__Sipbreakout__V1__UpsertRegistrationResponse *)response)
				->time_to_live->seconds;
}

static struct api_client *connect_to(int port)
{
	struct api_client_options options = { .plaintext = true };
	struct api_client *client;
	char target[32], error[256];

	snprintf(target, sizeof(target), "127.0.0.1:%d", port);
	options.target = target;
	assert_int_equal(api_client_create(&client, &options, error, sizeof(error)), 0);
	return client;
}

static void poll_until(struct api_client *client, const unsigned *counter, unsigned value)
{
	mono_ms end = clock_now() + 10000;

	while (*counter < value && clock_now() < end)
		api_client_poll(client, end);
	assert_int_equal(*counter, value);
}

static int send_thing(struct api_client *client, const char *method,
		      const struct api_call_options *options, struct result *result)
{
	Wgtwo__Common__V1__E164 message = thing("+4799000001");

	return api_unary(client, &things, method, &message.base, options, on_done, result);
}

static int start_peer(void **state)
{
	Wgtwo__Sipbreakout__V1__UpsertRegistrationResponse response;
	Google__Protobuf__Duration ttl;
	uint8_t bytes[64];

	(void)state;
	wgtwo__sipbreakout__v1__upsert_registration_response__init(&response);
	google__protobuf__duration__init(&ttl);
	ttl.seconds = 1234;
	response.status_code = WGTWO__SIPBREAKOUT__V1__STATUS_CODE__STATUS_CODE_OK;
	response.time_to_live = &ttl;
	peer = peer_start(NULL, NULL, bytes, protobuf_c_message_pack(&response.base, bytes));
	log_set_sink(on_log, NULL);
	log_set_level(LOG_LEVEL_DEBUG);
	return 0;
}

static int stop_peer(void **state)
{
	(void)state;
	peer_stop(peer);
	log_set_sink(NULL, NULL);
	return 0;
}

static int connect_client(void **state)
{
	log_text[0] = '\0';
	*state = connect_to(peer->port);
	return 0;
}

static int end_client(void **state)
{
	api_client_destroy(*state);
	return 0;
}

static void an_upsert_carries_its_headers_and_brings_the_response(void **state)
{
	struct api_call_options options = { .token = SECRET, .msisdn = "4799000001" };
	Wgtwo__Sipbreakout__V1__UpsertRegistrationRequest request;
	struct result result = { 0 };

	wgtwo__sipbreakout__v1__upsert_registration_request__init(&request);
	assert_int_equal(api_unary(*state, BREAKOUT_SERVICE, "UpsertRegistration", &request.base,
				   &options, on_done, &result),
			 0);
	poll_until(*state, &result.count, 1);
	assert_int_equal(result.status, API_OK);
	assert_int_equal(result.ttl_s, 1234);
	pthread_mutex_lock(&peer->lock);
	assert_string_equal(peer->authorization, "Bearer " SECRET);
	assert_string_equal(peer->msisdn, "4799000001");
	assert_memory_equal(peer->user_agent, "breakout/" BREAKOUT_VERSION " ",
			    strlen("breakout/" BREAKOUT_VERSION " "));
	pthread_mutex_unlock(&peer->lock);
}

static void a_status_comes_with_its_words(void **state)
{
	struct result result = { 0 };

	assert_int_equal(send_thing(*state, "Fail", NULL, &result), 0);
	poll_until(*state, &result.count, 1);
	assert_int_equal(result.status, API_NOT_FOUND);
	assert_string_equal(result.details, "no such thing");
	assert_false(result.had_response);
}

static void bytes_that_are_no_message_are_an_internal_error(void **state)
{
	struct result result = { 0 };

	assert_int_equal(send_thing(*state, "Garbage", NULL, &result), 0);
	poll_until(*state, &result.count, 1);
	assert_int_equal(result.status, API_INTERNAL);
	assert_false(result.had_response);
}

static void a_silent_server_meets_the_deadline(void **state)
{
	struct api_call_options options = { .deadline_ms = 100 };
	struct result result = { 0 };
	mono_ms start = clock_now();

	assert_int_equal(send_thing(*state, "Hang", &options, &result), 0);
	poll_until(*state, &result.count, 1);
	assert_int_equal(result.status, API_DEADLINE_EXCEEDED);
	assert_in_range(clock_now() - start, 100, 3000);
}

static void nobody_listening_is_unavailable(void **state)
{
	struct api_client *client;
	struct result result = { 0 };

	(void)state;
	client = connect_to(9); /* discard: nobody */
	assert_int_equal(send_thing(client, "Echo", NULL, &result), 0);
	poll_until(client, &result.count, 1);
	assert_int_equal(result.status, API_UNAVAILABLE);
	assert_non_null(strstr(result.details, "Connection refused"));
	api_client_destroy(client);
}

static void an_illegal_header_is_refused_and_never_logged(void **state)
{
	static const char *const tokens[] = { SECRET "\n", "\x7f" SECRET, "caf\xc3\xa9" SECRET,
					      "" };
	struct result result = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++) {
		struct api_call_options options = { .token = tokens[i], .msisdn = "47" };

		/* An empty one is legal in HTTP, and of no use as a token. */
		if (i == 3)
			options = (struct api_call_options){ .msisdn = "" };
		assert_int_equal(send_thing(*state, "Echo", &options, &result), -EINVAL);
	}
	assert_int_equal(result.count, 0);
	assert_null(strstr(log_text, SECRET));
}

static void a_message_that_may_not_go_out_is_refused(void **state)
{
	Wgtwo__Common__V1__E164 bad = thing("+47\xff"), good = thing("+47");
	struct result result = { 0 };

	assert_int_equal(api_unary(*state, &things, "Echo", &bad.base, NULL, on_done, &result),
			 -EINVAL);
	assert_int_equal(api_unary(*state, &things, "Nothing", &good.base, NULL, on_done, &result),
			 -EINVAL);
	assert_int_equal(api_unary(*state, BREAKOUT_SERVICE, "UpsertRegistration", &good.base, NULL,
				   on_done, &result),
			 -EINVAL);
	assert_int_equal(result.count, 0);
}

struct chain {
	struct api_client *client;
	unsigned left, done;
};

static void on_link(enum api_status status, const char *details, const ProtobufCMessage *response,
		    void *arg)
{
	Wgtwo__Common__V1__E164 message = thing("+47");
	struct chain *chain = arg;

	(void)details, (void)response;
	assert_int_equal(status, API_NOT_FOUND);
	chain->done++;
	if (chain->left--)
		assert_int_equal(api_unary(chain->client, &things, "Fail", &message.base, NULL,
					   on_link, chain),
				 0);
}

static void a_callback_may_start_the_next_call(void **state)
{
	Wgtwo__Common__V1__E164 message = thing("+47");
	struct chain chain = { .client = *state, .left = 50 };

	assert_int_equal(api_unary(*state, &things, "Fail", &message.base, NULL, on_link, &chain),
			 0);
	poll_until(*state, &chain.done, 51);
}

static void on_last(enum api_status status, const char *details, const ProtobufCMessage *response,
		    void *arg)
{
	struct chain *chain = arg;
	struct result none = { 0 };

	(void)details, (void)response;
	assert_int_equal(status, API_CANCELLED);
	chain->done++;
	assert_int_equal(send_thing(chain->client, "Echo", NULL, &none), -ESHUTDOWN);
}

static void the_end_cancels_what_is_open_and_takes_nothing_new(void **state)
{
	Wgtwo__Common__V1__E164 message = thing("+47");
	struct chain chain = { 0 };

	(void)state;
	chain.client = connect_to(peer->port);
	for (int i = 0; i < 50; i++)
		assert_int_equal(api_unary(chain.client, &things, "Hang", &message.base, NULL,
					   on_last, &chain),
				 0);
	api_client_destroy(chain.client);
	assert_int_equal(chain.done, 50);
}

static void *wake_it(void *arg)
{
	api_client_wake(arg);
	return NULL;
}

static void waking_ends_a_poll_at_once_and_again(void **state)
{
	mono_ms start = clock_now();
	pthread_t thread;

	for (int i = 0; i < 20; i++) {
		assert_int_equal(pthread_create(&thread, NULL, wake_it, *state), 0);
		api_client_poll(*state, clock_now() + 10000);
		pthread_join(thread, NULL);
	}
	assert_true(clock_now() - start < 5000);
}

static void a_poll_without_news_ends_in_time(void **state)
{
	mono_ms start = clock_now();

	api_client_poll(*state, start + 50);
	assert_in_range(clock_now() - start, 50, 3000);
	api_client_poll(*state, start - 50); /* gone by already */
}

static void a_client_that_cannot_work_is_refused_with_a_sentence(void **state)
{
	struct api_client_options options = { .target = "127.0.0.1:1",
					      .ca_file = "/nonexistent/ca.pem" };
	struct api_client *client = NULL;
	char error[256];

	(void)state;
	assert_int_equal(api_client_create(&client, &options, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "/nonexistent/ca.pem"));
	options = (struct api_client_options){ .target = "" };
	assert_int_equal(api_client_create(&client, &options, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "target"));
	assert_null(client);
}

static void every_status_has_its_name(void **state)
{
	(void)state;
	assert_string_equal(api_status_name(API_OK), "OK");
	assert_string_equal(api_status_name(API_UNAUTHENTICATED), "UNAUTHENTICATED");
	assert_string_equal(api_status_name((enum api_status)99), "UNKNOWN");
	assert_string_equal(api_status_name((enum api_status) - 1), "UNKNOWN");
}

/* ---- another connection ---- */

static int renew(struct api_client *client, int port, bool at_once)
{
	struct api_client_options options = { .plaintext = true, .backoff_initial_ms = 50 };
	char target[32], error[256];

	snprintf(target, sizeof(target), "127.0.0.1:%d", port);
	options.target = target;
	return api_client_renew(client, &options, at_once, error, sizeof(error));
}

static void ask(struct api_client *client, const char *method, enum api_status expected)
{
	struct result result = { 0 };

	assert_int_equal(send_thing(client, method, NULL, &result), 0);
	poll_until(client, &result.count, 1);
	assert_int_equal(result.status, expected);
}

static void poll_until_renewed(struct api_client *client)
{
	mono_ms end = clock_now() + 10000;

	while (api_client_renewing(client) && clock_now() < end)
		api_client_poll(client, end);
	assert_false(api_client_renewing(client));
}

static void a_connection_that_serves_stays_until_the_new_one_does(void **state)
{
	struct peer *other = peer_start(NULL, NULL, "", 0);
	unsigned before;

	ask(*state, "Fail", API_NOT_FOUND);
	assert_int_equal(renew(*state, 9, false), 0); /* discard: nobody */
	before = peer->calls;
	for (int i = 0; i < 3; i++) {
		ask(*state, "Fail", API_NOT_FOUND);
		api_client_poll(*state, clock_now() + 50);
	}
	assert_int_equal(peer->calls - before, 3);
	assert_true(api_client_renewing(*state));
	assert_int_equal(renew(*state, other->port, false), 0); /* a third in place of it */
	poll_until_renewed(*state);
	ask(*state, "Fail", API_NOT_FOUND);
	assert_int_equal(peer->calls - before, 3);
	assert_int_equal(other->calls, 1);
	api_client_wake(*state);
	api_client_poll(*state, clock_now() + 10000);
	/* peer_stop() waits for its connections to end. */
	assert_int_equal(renew(*state, peer->port, true), 0);
	peer_stop(other);
	ask(*state, "Fail", API_NOT_FOUND);
}

static void what_has_begun_ends_on_the_connection_it_began_on(void **state)
{
	struct api_call_options options = { .deadline_ms = 300 };
	struct peer *other = peer_start(NULL, NULL, "", 0);
	struct api_client *client = connect_to(peer->port);
	struct result slow = { 0 };

	(void)state;
	ask(client, "Fail", API_NOT_FOUND);
	assert_int_equal(send_thing(client, "Hang", &options, &slow), 0);
	assert_int_equal(renew(client, other->port, true), 0);
	assert_false(api_client_renewing(client));
	ask(client, "Fail", API_NOT_FOUND);
	assert_int_equal(slow.count, 0);
	assert_int_equal(other->calls, 1);
	poll_until(client, &slow.count, 1);
	assert_int_equal(slow.status, API_DEADLINE_EXCEEDED); /* and not cancelled */
	api_client_destroy(client);
	peer_stop(other);
}

static void what_waits_for_a_connection_that_is_given_up_is_told(void **state)
{
	struct api_call_options options = { .deadline_ms = 60000, .wait_for_ready = true };
	struct api_client *client = connect_to(9);
	struct result probe = { 0 };

	(void)state;
	assert_int_equal(send_thing(client, "Fail", &options, &probe), 0);
	assert_int_equal(renew(client, peer->port, false), 0);
	poll_until_renewed(client);
	poll_until(client, &probe.count, 1);
	assert_int_equal(probe.status, API_CANCELLED);
	ask(client, "Fail", API_NOT_FOUND);
	api_client_destroy(client);
}

static void the_end_may_come_while_one_is_being_replaced(void **state)
{
	struct api_client *client = connect_to(peer->port);
	struct result open = { 0 };

	(void)state;
	ask(client, "Fail", API_NOT_FOUND);
	assert_int_equal(send_thing(client, "Hang", NULL, &open), 0);
	assert_int_equal(renew(client, 9, false), 0);
	api_client_poll(client, clock_now());
	assert_int_equal(renew(client, 9, true), 0);
	assert_int_equal(renew(client, 9, false), 0);
	api_client_destroy(client);
	assert_int_equal(open.status, API_CANCELLED);
}

static void a_connection_that_cannot_be_leaves_the_old_one(void **state)
{
	struct api_client_options options = { .target = "127.0.0.1:1",
					      .ca_file = "/nonexistent/ca.pem" };
	char error[256];

	assert_int_equal(api_client_renew(*state, &options, true, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "/nonexistent/ca.pem"));
	assert_false(api_client_renewing(*state));
	ask(*state, "Fail", API_NOT_FOUND);
}

#define WITH_CLIENT(test) cmocka_unit_test_setup_teardown(test, connect_client, end_client)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CLIENT(an_upsert_carries_its_headers_and_brings_the_response),
		WITH_CLIENT(a_status_comes_with_its_words),
		WITH_CLIENT(bytes_that_are_no_message_are_an_internal_error),
		WITH_CLIENT(a_silent_server_meets_the_deadline),
		cmocka_unit_test(nobody_listening_is_unavailable),
		WITH_CLIENT(an_illegal_header_is_refused_and_never_logged),
		WITH_CLIENT(a_message_that_may_not_go_out_is_refused),
		WITH_CLIENT(a_callback_may_start_the_next_call),
		cmocka_unit_test(the_end_cancels_what_is_open_and_takes_nothing_new),
		WITH_CLIENT(waking_ends_a_poll_at_once_and_again),
		WITH_CLIENT(a_poll_without_news_ends_in_time),
		cmocka_unit_test(a_client_that_cannot_work_is_refused_with_a_sentence),
		cmocka_unit_test(every_status_has_its_name),
		WITH_CLIENT(a_connection_that_serves_stays_until_the_new_one_does),
		cmocka_unit_test(what_has_begun_ends_on_the_connection_it_began_on),
		cmocka_unit_test(what_waits_for_a_connection_that_is_given_up_is_told),
		cmocka_unit_test(the_end_may_come_while_one_is_being_replaced),
		WITH_CLIENT(a_connection_that_cannot_be_leaves_the_old_one),
	};

	return cmocka_run_group_tests_name("proto/api_client", tests, start_peer, stop_peer);
}
