/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/hook/http_peer.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "hook/hook.h"

struct heard {
	unsigned count;
	enum hook_result result;
	int status;
	char body[64];
};

static struct hook_room *room;

static int setup(void **state)
{
	(void)state;
	return hook_room_create(&room);
}

static int teardown(void **state)
{
	(void)state;
	room = hook_room_destroy(room);
	clock_real();
	return 0;
}

static void on_reply(const struct hook_reply *reply, void *arg)
{
	struct heard *heard = arg;

	heard->count++;
	heard->result = reply->result;
	heard->status = reply->status;
	snprintf(heard->body, sizeof(heard->body), "%s", reply->body);
	assert_int_equal(strlen(reply->body), reply->length);
}

static int post(struct hook_ask **ret_ask, const char *url, unsigned deadline_ms,
		struct heard *heard)
{
	const struct hook_request request = { .url = url,
					      .secret = "s3cret",
					      .deadline_ms = deadline_ms,
					      .connections = 2,
					      .queue = 1,
					      .body = "{\"version\":1}" };

	memset(heard, 0, sizeof(*heard));
	return hook_post(ret_ask, room, &request, on_reply, heard);
}

static void wait_for(const struct heard *heard)
{
	struct pollfd fd = { .fd = hook_room_fd(room), .events = POLLIN };

	while (!heard->count) {
		assert_int_equal(poll(&fd, 1, 10000), 1);
		hook_room_drain(room);
	}
}

static void find_metric(const struct metric *metric, void *arg)
{
	const struct metric **wanted = arg;

	if (!strcmp(metric->name, "breakout_webhook_requests_total") &&
	    !strcmp(metric->labels, (*wanted)->labels))
		*wanted = metric;
}

static int64_t counted(const char *labels)
{
	const struct metric none = { .labels = labels }, *metric = &none;

	metrics_each(find_metric, &metric);
	return metric_get(metric);
}

static void an_answer_is_heard_once_and_signed_for(void **state)
{
	int64_t before = counted("result=\"answered\"");
	struct http_peer peer;
	struct heard heard;
	struct hook_ask *ask;
	const char *signature;

	(void)state;
	peer_start(&peer, HTTP_OK);
	clock_fake_wall_set(1700000000123);
	assert_int_equal(post(&ask, peer.url, 5000, &heard), 0);
	assert_int_equal(heard.count, 0); /* never from inside */
	clock_real();
	wait_for(&heard);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.result, HOOK_ANSWERED);
	assert_string_equal(heard.body, "{}");
	signature = strstr(peer.last, "Breakout-Signature: t=1700000000,v1=a88b61052c4236878628");
	assert_non_null(signature);
	assert_int_equal(counted("result=\"answered\"") - before, 1);
	peer_stop(&peer);
}

static void more_than_connections_wait_and_more_than_the_queue_are_refused(void **state)
{
	int64_t before = counted("result=\"queue_full\"");
	struct http_peer peer;
	struct heard heard[4];
	struct hook_ask *ask[4];

	(void)state;
	peer_start(&peer, NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(post(&ask[i], peer.url, 60000, &heard[i]), 0);
	assert_int_equal(post(&ask[3], peer.url, 60000, &heard[3]), -EBUSY);
	assert_int_equal(counted("result=\"queue_full\"") - before, 1);
	/* One that waits makes room, and so does one that is being asked. */
	ask[2] = hook_cancel(ask[2]);
	assert_int_equal(post(&ask[2], peer.url, 60000, &heard[2]), 0);
	ask[0] = hook_cancel(ask[0]);
	assert_int_equal(post(&ask[3], peer.url, 60000, &heard[3]), 0);
	for (int i = 1; i < 4; i++)
		hook_cancel(ask[i]);
	peer_stop(&peer);
}

static void who_waits_is_asked_when_a_connection_is_free(void **state)
{
	struct http_peer peer;
	struct heard heard[3];
	struct hook_ask *ask;

	(void)state;
	peer_start(&peer, HTTP_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(post(&ask, peer.url, 10000, &heard[i]), 0);
	for (int i = 0; i < 3; i++) {
		wait_for(&heard[i]);
		assert_int_equal(heard[i].result, HOOK_ANSWERED);
	}
	assert_in_range(atomic_load(&peer.connections), 1, 2);
	peer_stop(&peer);
}

static void giving_up_past_the_deadline_is_a_timeout(void **state)
{
	int64_t timeouts = counted("result=\"timeout\""),
		cancelled = counted("result=\"cancelled\"");
	struct http_peer peer;
	struct heard heard;
	struct hook_ask *ask;

	(void)state;
	peer_start(&peer, NULL);
	clock_fake_set(1000);
	assert_int_equal(post(&ask, peer.url, 800, &heard), 0);
	clock_fake_advance(799);
	hook_cancel(ask);
	assert_int_equal(counted("result=\"cancelled\"") - cancelled, 1);
	assert_int_equal(post(&ask, peer.url, 800, &heard), 0);
	clock_fake_advance(800);
	hook_cancel(ask);
	assert_int_equal(counted("result=\"timeout\"") - timeouts, 1);
	assert_int_equal(heard.count, 0);
	assert_null(hook_cancel(NULL));
	peer_stop(&peer);
}

static void a_server_that_does_not_answer_is_left_alone_but_for_probes(void **state)
{
	struct http_peer peer;
	struct heard heard;
	struct hook_ask *ask;

	(void)state;
	peer_start(&peer, NULL);
	clock_fake_set(1000);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(post(&ask, peer.url, 800, &heard), 0);
		clock_fake_advance(800);
		hook_cancel(ask);
	}
	assert_int_equal(post(&ask, peer.url, 800, &heard), -EAGAIN);
	assert_true(counted("result=\"suspended\"") > 0);
	clock_fake_advance(1000);
	assert_int_equal(post(&ask, peer.url, 800, &heard), 0); /* the probe */
	hook_cancel(ask);
	assert_int_equal(post(&ask, peer.url, 800, &heard), -EAGAIN);
	/* Another server is not concerned. */
	assert_int_equal(post(&ask, "http://127.0.0.1:9/", 800, &heard), 0);
	hook_cancel(ask);
	peer_stop(&peer);
}

static void every_result_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i < HOOK_RESULT_COUNT; i++)
		assert_true(strlen(hook_result_name((enum hook_result)i)) > 3);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_answer_is_heard_once_and_signed_for),
		T(more_than_connections_wait_and_more_than_the_queue_are_refused),
		T(who_waits_is_asked_when_a_connection_is_free),
		T(giving_up_past_the_deadline_is_a_timeout),
		T(a_server_that_does_not_answer_is_left_alone_but_for_probes),
		cmocka_unit_test(every_result_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
