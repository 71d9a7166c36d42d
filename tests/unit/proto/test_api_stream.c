/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "proto/api.h"
#include "tests/unit/proto/grpc_peer.h"
#include "tests/unit/proto/things.h"

static struct peer *peer;

struct seen {
	struct api_client *client;
	struct api_stream *stream;
	unsigned messages, ends, to_send;
	bool in_order;
	enum api_status status;
	char details[128];
};

/* Keeps the queue filled until all are sent, then closes our side. */
static void send_on(struct seen *seen)
{
	static unsigned number;
	char text[16];

	if (!seen->messages)
		number = seen->to_send;
	while (seen->to_send) {
		snprintf(text, sizeof(text), "%u", number - seen->to_send);
		Wgtwo__Common__V1__E164 message = thing(text);

		if (api_stream_send(seen->stream, &message.base))
			return;
		if (!--seen->to_send)
			api_stream_half_close(seen->stream);
	}
}

static void on_message(struct api_stream *stream, const ProtobufCMessage *message, void *arg)
{
	struct seen *seen = arg;

	assert_ptr_equal(message->descriptor, &wgtwo__common__v1__e164__descriptor);
	if (strtoul(((const Wgtwo__Common__V1__E164 *)message)->e164, NULL, 10) != seen->messages)
		seen->in_order = false;
	seen->messages++;
	seen->stream = stream;
	if (seen->to_send)
		send_on(seen);
}

static void on_end(struct api_stream *stream, enum api_status status, const char *details,
		   void *arg)
{
	struct seen *seen = arg;

	(void)stream;
	seen->ends++;
	seen->status = status;
	snprintf(seen->details, sizeof(seen->details), "%s", details);
}

static const struct api_stream_handlers handlers = { on_message, on_end };

static int start(struct seen *seen, const char *method, const char *first, bool half_close)
{
	Wgtwo__Common__V1__E164 message = thing(first);

	seen->in_order = true;
	return api_stream_open(seen->client, &things, method, first ? &message.base : NULL,
			       half_close, NULL, &handlers, seen, &seen->stream);
}

static void poll_to_end(struct seen *seen)
{
	mono_ms end = clock_now() + 10000;

	while (!seen->ends && clock_now() < end)
		api_client_poll(seen->client, end);
	assert_int_equal(seen->ends, 1);
}

static int set_up(void **state)
{
	struct api_client_options options = { .plaintext = true };
	struct seen *seen = calloc(1, sizeof(*seen));
	char target[32], error[256];

	if (!peer)
		peer = peer_start(NULL, NULL, "", 0);
	snprintf(target, sizeof(target), "127.0.0.1:%d", peer->port);
	options.target = target;
	*state = seen;
	return api_client_create(&seen->client, &options, error, sizeof(error));
}

static int tear_down(void **state)
{
	struct seen *seen = *state;

	api_client_destroy(seen->client);
	free(seen);
	return 0;
}

static void both_sides_speak_in_order_until_we_close(void **state)
{
	struct seen *seen = *state;

	assert_int_equal(start(seen, "Echo", NULL, false), 0);
	seen->to_send = 1000;
	send_on(seen);
	poll_to_end(seen);
	assert_int_equal(seen->messages, 1000);
	assert_true(seen->in_order);
	assert_int_equal(seen->status, API_OK);
}

static void a_server_stream_brings_its_messages_and_ends(void **state)
{
	struct seen *seen = *state;

	assert_int_equal(start(seen, "Count", "0", /* half_close= */ true), 0);
	poll_to_end(seen);
	assert_int_equal(seen->messages, PEER_COUNT);
	assert_int_equal(seen->status, API_OK);
}

static void a_refused_stream_ends_with_the_reason(void **state)
{
	struct seen *seen = *state;

	assert_int_equal(start(seen, "Fail", "0", true), 0);
	poll_to_end(seen);
	assert_int_equal(seen->status, API_NOT_FOUND);
	assert_string_equal(seen->details, "no such thing");
}

static void garbage_ends_the_stream(void **state)
{
	struct seen *seen = *state;

	assert_int_equal(start(seen, "Garbage", "0", false), 0);
	poll_to_end(seen);
	assert_int_equal(seen->messages, 0);
}

static void the_send_queue_is_bounded(void **state)
{
	Wgtwo__Common__V1__E164 message = thing("1");
	struct seen *seen = *state;
	unsigned taken = 0;
	int err;

	assert_int_equal(start(seen, "Hang", NULL, false), 0);
	while (!(err = api_stream_send(seen->stream, &message.base)))
		taken++;
	assert_int_equal(err, -ENOBUFS);
	assert_int_equal(taken, 256);
	api_stream_cancel(seen->stream);
	poll_to_end(seen);
	assert_int_equal(seen->status, API_CANCELLED);
}

static void nothing_goes_after_the_half_close(void **state)
{
	Wgtwo__Common__V1__E164 message = thing("1"), bad = thing("\xff");
	struct seen *seen = *state;

	assert_int_equal(start(seen, "Echo", "0", false), 0);
	assert_int_equal(api_stream_send(seen->stream, &bad.base), -EINVAL);
	api_stream_half_close(seen->stream);
	api_stream_half_close(seen->stream); /* twice is once */
	assert_int_equal(api_stream_send(seen->stream, &message.base), -EPIPE);
	poll_to_end(seen);
	assert_int_equal(seen->messages, 1);
	assert_int_equal(seen->status, API_OK);
}

static void the_end_of_the_client_ends_its_streams(void **state)
{
	struct seen *seen = *state;
	struct api_client_options options = { .plaintext = true, .target = "127.0.0.1:9" };
	char error[64];

	assert_int_equal(start(seen, "Echo", "0", false), 0);
	while (!seen->messages)
		api_client_poll(seen->client, clock_now() + 10000);
	api_client_destroy(seen->client);
	assert_int_equal(seen->ends, 1);
	assert_int_equal(seen->status, API_CANCELLED);
	assert_int_equal(api_client_create(&seen->client, &options, error, sizeof(error)), 0);
}

static void a_stream_with_bad_options_does_not_open(void **state)
{
	struct api_call_options options = { .token = "a\nb" };
	struct seen *seen = *state;
	struct api_stream *stream = NULL;

	assert_int_equal(api_stream_open(seen->client, &things, "Echo", NULL, false, &options,
					 &handlers, seen, &stream),
			 -EINVAL);
	assert_int_equal(api_stream_open(seen->client, &things, "Nothing", NULL, false, NULL,
					 &handlers, seen, &stream),
			 -EINVAL);
	assert_null(stream);
	assert_int_equal(seen->ends, 0);
}

#define STREAM(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM(both_sides_speak_in_order_until_we_close),
		STREAM(a_server_stream_brings_its_messages_and_ends),
		STREAM(a_refused_stream_ends_with_the_reason),
		STREAM(garbage_ends_the_stream),
		STREAM(the_send_queue_is_bounded),
		STREAM(nothing_goes_after_the_half_close),
		STREAM(the_end_of_the_client_ends_its_streams),
		STREAM(a_stream_with_bad_options_does_not_open),
	};
	int failed = cmocka_run_group_tests_name("proto/api_stream", tests, NULL, NULL);

	peer_stop(peer);
	return failed;
}
