/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/hook/http_peer.h"

#include <netdb.h>
#include "hook/poster.h"

/* A name server that is silent until the tests are over: libcurl's look-up lands
 * here, for the program's own symbol comes first. */
static pthread_mutex_t silence = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint looked_up;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **res)
{
	(void)node;
	(void)service;
	(void)hints;
	(void)res;
	atomic_fetch_add(&looked_up, 1);
	pthread_mutex_lock(&silence);
	pthread_mutex_unlock(&silence);
	return EAI_AGAIN;
}

static struct poster *poster;
static struct mailbox *replies;
static struct job *answered;
static unsigned answers;

static void on_answered(struct mail *mail, void *receiver)
{
	(void)receiver;
	job_free(answered);
	answered = CONTAINER_OF(mail, struct job, mail);
	answers++;
}

static int setup(void **state)
{
	(void)state;
	answers = 0;
	answered = NULL;
	assert_int_equal(mailbox_create(&replies, NULL), 0);
	assert_int_equal(poster_create(&poster, replies, on_answered), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	poster = poster_destroy(poster);
	answered = job_free(answered);
	mailbox_destroy(replies, NULL);
	return 0;
}

static void post(const char *url, mono_ms for_ms)
{
	struct job *job = calloc(1, sizeof(*job));

	assert_non_null(job);
	job->ticket = (struct ticket){ .slot = 1, .generation = 1 };
	job->url = strdup(url);
	job->body = strdup("{}");
	snprintf(job->signature, sizeof(job->signature), "t=1,v1=00");
	job->due_ms = clock_now() + for_ms;
	poster_post(poster, job);
}

static void wait_answer(void)
{
	struct pollfd fd = { .fd = mailbox_fd(replies), .events = POLLIN };
	unsigned before = answers;

	while (answers == before) {
		assert_true(poll(&fd, 1, 10000) == 1);
		mailbox_drain(replies, 0);
	}
}

static void an_answer_comes_back_with_its_job(void **state)
{
	struct http_peer peer;

	(void)state;
	peer_start(&peer, HTTP_OK);
	post(peer.url, 5000);
	wait_answer();
	assert_int_equal(answered->result, HOOK_ANSWERED);
	assert_int_equal(answered->status, 200);
	assert_string_equal(answered->answer.text, "{}");
	assert_non_null(strstr(peer.last, "POST /calls HTTP/1.1\r\n"));
	assert_non_null(strstr(peer.last, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(peer.last, "Breakout-Signature: t=1,v1=00\r\n"));
	assert_null(strstr(peer.last, "Expect:"));
	peer_stop(&peer);
}

static void a_connection_is_used_again(void **state)
{
	struct http_peer peer;

	(void)state;
	peer_start(&peer, HTTP_OK);
	for (int i = 0; i < 5; i++) {
		post(peer.url, 5000);
		wait_answer();
		assert_int_equal(answered->result, HOOK_ANSWERED);
	}
	assert_int_equal(atomic_load(&peer.connections), 1);
	peer_stop(&peer);
}

static void an_answer_of_64_kib_is_taken_and_one_byte_more_is_not(void **state)
{
	static char text[HOOK_BODY_MAX + 200];

	(void)state;
	for (size_t more = 0; more < 2; more++) {
		struct http_peer peer;
		int head = snprintf(text, sizeof(text),
				    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
				    HOOK_BODY_MAX + more);

		memset(text + head, 'x', HOOK_BODY_MAX + more);
		text[(size_t)head + HOOK_BODY_MAX + more] = '\0';
		peer_start(&peer, text);
		post(peer.url, 5000);
		wait_answer();
		assert_int_equal(answered->result, more ? HOOK_TOO_LARGE : HOOK_ANSWERED);
		peer_stop(&peer);
	}
}

static void a_redirect_is_an_answer_and_not_followed(void **state)
{
	struct http_peer peer;

	(void)state;
	peer_start(&peer, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
			  "Content-Length: 0\r\n\r\n");
	post(peer.url, 5000);
	wait_answer();
	assert_int_equal(answered->result, HOOK_STATUS);
	assert_int_equal(answered->status, 302);
	peer_stop(&peer);
}

static void silence_ends_at_the_deadline(void **state)
{
	struct http_peer peer;
	mono_ms began = clock_now();

	(void)state;
	peer_start(&peer, NULL);
	post(peer.url, 60);
	wait_answer();
	assert_int_equal(answered->result, HOOK_TIMEOUT);
	assert_in_range(clock_now() - began, 59, 5000);
	post(peer.url, -1);
	wait_answer();
	assert_int_equal(answered->result, HOOK_TIMEOUT);
	assert_string_equal(answered->detail, "it waited too long for a connection");
	peer_stop(&peer);
}

static void a_silent_name_server_holds_up_neither_deadline_nor_stop(void **state)
{
	(void)state;
	pthread_mutex_lock(&silence);
	post("http://silent.example/", 60);
	wait_answer();
	assert_int_equal(answered->result, HOOK_TIMEOUT);
	assert_int_equal(atomic_load(&looked_up), 1);
	post("http://silent.example/", 600000);
	poster = poster_destroy(poster); /* returns */
	pthread_mutex_unlock(&silence);
}

static void nobody_there_is_unreachable(void **state)
{
	struct http_peer peer;

	(void)state;
	peer_start(&peer, NULL);
	peer_stop(&peer);
	post(peer.url, 5000);
	wait_answer();
	assert_int_equal(answered->result, HOOK_UNREACHABLE);
	assert_true(answered->detail[0]);
}

static void a_proxy_of_the_environment_is_not_used(void **state)
{
	struct http_peer peer;

	(void)state;
	peer_start(&peer, HTTP_OK);
	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
	post(peer.url, 5000);
	wait_answer();
	assert_int_equal(answered->result, HOOK_ANSWERED);
	unsetenv("http_proxy");
	peer_stop(&peer);
}

static void a_cancelled_job_does_not_come_back(void **state)
{
	struct http_peer silent, peer;

	(void)state;
	peer_start(&silent, NULL);
	peer_start(&peer, HTTP_OK);
	post(silent.url, 60000);
	poster_cancel(poster, (struct ticket){ .slot = 1, .generation = 1 });
	poster_cancel(poster, (struct ticket){ .slot = 2, .generation = 1 }); /* nobody's */
	post(peer.url, 5000);
	wait_answer();
	assert_int_equal(answers, 1);
	assert_int_equal(answered->result, HOOK_ANSWERED);
	peer_stop(&peer);
	peer_stop(&silent);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_answer_comes_back_with_its_job),
		T(a_connection_is_used_again),
		T(an_answer_of_64_kib_is_taken_and_one_byte_more_is_not),
		T(a_redirect_is_an_answer_and_not_followed),
		T(silence_ends_at_the_deadline),
		T(a_silent_name_server_holds_up_neither_deadline_nor_stop),
		T(nobody_there_is_unreachable),
		T(a_proxy_of_the_environment_is_not_used),
		T(a_cancelled_job_does_not_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
