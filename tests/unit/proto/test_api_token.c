/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/log.h"
#include "proto/api.h"

#define WAIT_MS 10000

/* A token endpoint on loopback: one request a connection, the next answer of a
 * list (the last one stays), and what it was asked. */
struct endpoint {
	int fd, port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const char *const *answers; /* status line and body; NULL: stay silent */
	unsigned asked;
	mono_ms asked_at[8];
	char request[4096];
};

/* What the callback brought. */
struct news {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned tokens, errors;
	char token[256], error[512];
	unsigned expires_in_s, retry_ms, serial;
};

static struct endpoint endpoint;
static struct news news;
static char secret_path[] = "/tmp/breakout-secret-XXXXXX";
static char log_text[16384];

static const char good[] = "200 OK\r\n\r\n{\"access_token\":\"abc.DEF-123\",\"expires_in\":3600,"
			   "\"token_type\":\"bearer\",\"scope\":\"call.routing:write\"}";

static void on_log(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)level, (void)area, (void)arg;
	strncat(log_text, line, sizeof(log_text) - strlen(log_text) - 1);
}

static void on_token(const char *token, unsigned expires_in_s, const char *error, unsigned retry_ms,
		     unsigned serial, void *arg)
{
	(void)arg;
	pthread_mutex_lock(&news.lock);
	if (token) {
		news.tokens++;
		snprintf(news.token, sizeof(news.token), "%s", token);
		assert_null(error);
	} else {
		news.errors++;
		snprintf(news.error, sizeof(news.error), "%s", error);
	}
	news.expires_in_s = expires_in_s;
	news.retry_ms = retry_ms;
	news.serial = serial;
	pthread_cond_broadcast(&news.changed);
	pthread_mutex_unlock(&news.lock);
}

static void wait_until(pthread_mutex_t *lock, pthread_cond_t *changed, const unsigned *counter,
		       unsigned value)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += WAIT_MS / 1000;
	pthread_mutex_lock(lock);
	while (*counter < value)
		if (pthread_cond_timedwait(changed, lock, &end) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(lock);
	assert_true(*counter >= value);
}

static void wait_news(const unsigned *counter, unsigned value)
{
	wait_until(&news.lock, &news.changed, counter, value);
}

/* ---- the endpoint ---- */

static void read_request(int fd, char *request, size_t room)
{
	size_t length = 0, body;
	const char *end = NULL, *field;
	ssize_t n;

	while (length + 1 < room && (n = read(fd, request + length, room - length - 1)) > 0) {
		length += (size_t)n;
		request[length] = '\0';
		end = strstr(request, "\r\n\r\n");
		field = strcasestr(request, "content-length:");
		if (!end || !field)
			continue;
		body = strtoul(field + strlen("content-length:"), NULL, 10);
		if (length >= (size_t)(end + 4 - request) + body)
			return;
	}
}

static void write_all(int fd, const char *text)
{
	size_t length = strlen(text);

	while (length) {
		ssize_t n = send(fd, text, length, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		length -= (size_t)n;
	}
}

static void *endpoint_thread(void *arg)
{
	char request[4096];
	int fd;

	(void)arg;
	while ((fd = accept(endpoint.fd, NULL, NULL)) >= 0) {
		const char *answer;

		request[0] = '\0';
		read_request(fd, request, sizeof(request));
		pthread_mutex_lock(&endpoint.lock);
		memcpy(endpoint.request, request, sizeof(request));
		if (endpoint.asked < 8)
			endpoint.asked_at[endpoint.asked] = clock_now();
		endpoint.asked++;
		answer = *endpoint.answers;
		if (answer && endpoint.answers[1])
			endpoint.answers++;
		pthread_cond_broadcast(&endpoint.changed);
		pthread_mutex_unlock(&endpoint.lock);
		if (answer) {
			write_all(fd, "HTTP/1.0 ");
			write_all(fd, answer);
		} else {
			(void)!read(fd, request, 1); /* until the client gives up */
		}
		close(fd);
	}
	return NULL;
}

static void answer_with(const char *const *answers)
{
	pthread_mutex_lock(&endpoint.lock);
	endpoint.answers = answers;
	endpoint.asked = 0;
	pthread_mutex_unlock(&endpoint.lock);
}

static int start_endpoint(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);

	(void)state;
	pthread_mutex_init(&endpoint.lock, NULL);
	pthread_cond_init(&endpoint.changed, NULL);
	pthread_mutex_init(&news.lock, NULL);
	pthread_cond_init(&news.changed, NULL);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	endpoint.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(endpoint.fd, (struct sockaddr *)&address, length) || listen(endpoint.fd, 8) ||
	    getsockname(endpoint.fd, (struct sockaddr *)&address, &length))
		return -1;
	endpoint.port = ntohs(address.sin_port);
	close(mkstemp(secret_path));
	log_set_sink(on_log, NULL);
	return pthread_create(&endpoint.thread, NULL, endpoint_thread, NULL);
}

static int stop_endpoint(void **state)
{
	(void)state;
	shutdown(endpoint.fd, SHUT_RDWR);
	pthread_join(endpoint.thread, NULL);
	close(endpoint.fd);
	unlink(secret_path);
	log_set_sink(NULL, NULL);
	return 0;
}

/* ---- helpers of the tests ---- */

static void write_secret(const char *text)
{
	FILE *file = fopen(secret_path, "w");

	fputs(text, file);
	fclose(file);
}

static struct api_token *start(struct api_token_options *more)
{
	struct api_token_options options = { .client_id = "me",
					     .client_secret_file = secret_path,
					     .scope = "call.routing:write" };
	struct api_token *token;
	char url[64];

	if (more)
		options = *more;
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/oauth2/token", endpoint.port);
	if (!options.url)
		options.url = url;
	assert_int_equal(api_token_create(&token, &options, on_token, NULL), 0);
	return token;
}

static int fresh(void **state)
{
	(void)state;
	news.tokens = news.errors = 0;
	news.token[0] = news.error[0] = log_text[0] = '\0';
	write_secret("hush\n");
	return 0;
}

/* The error that one answer leads to. */
static const char *error_of(const char *answer)
{
	const char *const answers[] = { answer, NULL };
	struct api_token *token;

	(void)fresh(NULL);
	answer_with(answers);
	token = start(NULL);
	wait_news(&news.errors, 1);
	api_token_destroy(token);
	assert_int_equal(news.tokens, 0);
	assert_null(strstr(news.error, "hush"));
	assert_null(strstr(log_text, "hush"));
	return news.error;
}

/* ---- tests ---- */

static void the_form_and_basic_header_are_as_the_rfc_says(void **state)
{
	static const char *const answers[] = { good, NULL };
	struct api_token_options options = { .client_id = "my id",
					     .client_secret_file = secret_path,
					     .scope = "a:b c" };
	struct api_token *token;

	(void)state;
	write_secret("s+c:r%t\r\nthe second line is not read\n");
	answer_with(answers);
	token = start(&options);
	wait_news(&news.tokens, 1);
	api_token_destroy(token);
	assert_string_equal(news.token, "abc.DEF-123");
	assert_int_equal(news.expires_in_s, 3600);
	assert_memory_equal(endpoint.request, "POST /oauth2/token ", 19);
	/* my%20id:s%2Bc%3Ar%25t */
	assert_non_null(
		strstr(endpoint.request, "Authorization: Basic bXklMjBpZDpzJTJCYyUzQXIlMjV0\r\n"));
	assert_non_null(
		strstr(endpoint.request, "\r\n\r\ngrant_type=client_credentials&scope=a%3Ab%20c"));
	assert_non_null(strstr(endpoint.request, "User-Agent: breakout/"));
}

static void raw_basic_sends_id_and_secret_as_they_are(void **state)
{
	static const char *const answers[] = { good, NULL };
	struct api_token_options options = { .client_id = "my id",
					     .client_secret_file = secret_path,
					     .raw_basic = true };
	struct api_token *token;

	(void)state;
	write_secret("s+c:r%t");
	answer_with(answers);
	token = start(&options);
	wait_news(&news.tokens, 1);
	api_token_destroy(token);
	/* my id:s+c:r%t */
	assert_non_null(strstr(endpoint.request, "Authorization: Basic bXkgaWQ6cytjOnIldA==\r\n"));
	assert_non_null(strstr(endpoint.request, "\r\n\r\ngrant_type=client_credentials"));
	assert_null(strstr(endpoint.request, "scope"));
}

static void a_refusal_says_which_setting_to_check(void **state)
{
	(void)state;
	assert_non_null(strstr(error_of("401 No\r\n\r\n{\"error\":\"invalid_client\","
					"\"error_description\":\"bad secret\"}"),
			       "401 invalid_client, bad secret: check client_id and the secret"));
	assert_non_null(
		strstr(error_of("400 No\r\n\r\n{\"error\":\"invalid_scope\"}"), "check scope"));
	assert_non_null(strstr(error_of("400 No\r\n\r\n{\"error\":\"unauthorized_client\"}"),
			       "developer portal"));
	assert_non_null(strstr(error_of("404 No\r\n\r\n<html>"), "404: check token_url"));
	assert_non_null(strstr(error_of("503 No\r\n\r\n"), "at the token endpoint"));
	assert_non_null(strstr(error_of("302 Go\r\nLocation: http://127.0.0.1/\r\n\r\n"), "302"));
}

static void an_answer_that_is_no_token_is_refused(void **state)
{
	(void)state;
	assert_non_null(strstr(error_of("200 OK\r\n\r\nhello"), "is not JSON"));
	assert_non_null(strstr(error_of("200 OK\r\n\r\n[]"), "is not JSON"));
	assert_non_null(strstr(error_of("200 OK\r\n\r\n{}"), "no usable access_token"));
	assert_non_null(strstr(error_of("200 OK\r\n\r\n{\"access_token\":7}"), "no usable"));
	assert_non_null(strstr(error_of("200 OK\r\n\r\n{\"access_token\":\"\"}"), "no usable"));
	assert_non_null(
		strstr(error_of("200 OK\r\n\r\n{\"access_token\":\"a\\nb\"}"), "no usable"));
	assert_non_null(strstr(error_of("200 OK\r\n\r\n{\"access_token\":\"a\",\"expires_in\":0}"),
			       "expired"));
	assert_non_null(strstr(error_of("200 OK\r\n\r\n{\"access_token\":\"a\","
					"\"token_type\":\"mac\"}"),
			       "another type"));
}

static void an_endless_answer_is_cut_off(void **state)
{
	static char answer[200001]; /* the endpoint may still be sending it afterwards */

	(void)state;
	memset(answer, 'a', sizeof(answer) - 1);
	memcpy(answer, "200 OK\r\n\r\n", 10);
	assert_non_null(strstr(error_of(answer), "far too large"));
}

static void a_missing_or_empty_secret_file_is_named(void **state)
{
	static const char *const answers[] = { good, NULL };
	struct api_token_options options = { .client_id = "me",
					     .client_secret_file = "/nonexistent/secret" };
	struct api_token *token;

	(void)state;
	answer_with(answers);
	token = start(&options);
	wait_news(&news.errors, 1);
	api_token_destroy(token);
	assert_non_null(strstr(news.error, "/nonexistent/secret: No such file"));
	write_secret("\n");
	token = start(NULL);
	wait_news(&news.errors, 2);
	assert_non_null(strstr(news.error, "is empty"));
	/* Mended while running: the next try succeeds. */
	write_secret("hush\n");
	wait_news(&news.tokens, 1);
	api_token_destroy(token);
}

static void nobody_at_the_endpoint_is_an_error_that_is_tried_again(void **state)
{
	struct api_token_options options = { .url = "http://127.0.0.1:9/",
					     .client_id = "me",
					     .client_secret_file = secret_path };
	struct api_token *token;

	(void)state;
	token = start(&options);
	wait_news(&news.errors, 1);
	assert_non_null(strstr(news.error, "check token_url"));
	assert_in_range(news.retry_ms, 1, 2000);
	api_token_destroy(token);
}

static void the_secret_goes_over_tls_or_stays_on_this_machine(void **state)
{
	static const char *const urls[] = {
		"http://id.example.com/token",
		"http://127.0.0.1@id.example.com/token",
		"http://127.0.0.1.example.com/",
		"ftp://127.0.0.1/",
		"file:///etc/passwd",
		"id.example.com/token",
		"",
	};
	struct api_token_options options = { .client_id = "me", .client_secret_file = secret_path };
	struct api_token *token = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		options.url = urls[i];
		assert_int_equal(api_token_create(&token, &options, on_token, NULL), -EINVAL);
	}
	options.url = NULL;
	assert_int_equal(api_token_create(&token, &options, on_token, NULL), -EINVAL);
	assert_null(token);
}

static void a_token_is_renewed_at_70_to_80_percent_of_its_life(void **state)
{
	static const char *const answers[] = {
		"200 OK\r\n\r\n{\"access_token\":\"first\",\"expires_in\":2}",
		"200 OK\r\n\r\n{\"access_token\":\"second\",\"expires_in\":\"3600\"}", NULL
	};
	struct api_token *token;
	mono_ms gap;

	(void)state;
	answer_with(answers);
	token = start(NULL);
	wait_news(&news.tokens, 2);
	api_token_destroy(token);
	assert_string_equal(news.token, "second");
	assert_int_equal(news.expires_in_s, 3600);
	gap = endpoint.asked_at[1] - endpoint.asked_at[0];
	assert_in_range(gap, 1400, 1900);
}

/* ---- other credentials ---- */

static void change(struct api_token *token, const char *id, bool anew, int expected)
{
	struct api_token_options options = { .client_id = id,
					     .client_secret_file = secret_path,
					     .serial = 7 };
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/other/token", endpoint.port);
	options.url = expected ? "ftp://127.0.0.1/" : url;
	assert_int_equal(api_token_change(token, &options, anew), expected);
}

static void wait_asked(unsigned count)
{
	wait_until(&endpoint.lock, &endpoint.changed, &endpoint.asked, count);
}

static void other_credentials_are_asked_with_at_once(void **state)
{
	static const char *const answers[] = { "200 OK\r\n\r\n{\"access_token\":\"first\"}",
					       "200 OK\r\n\r\n{\"access_token\":\"second\"}",
					       NULL };
	struct api_token *token;

	(void)state;
	answer_with(answers);
	token = start(NULL);
	wait_news(&news.tokens, 1);
	change(token, "other", true, -EINVAL); /* changes nothing */
	change(token, "you", true, 0);
	wait_news(&news.tokens, 2);
	api_token_invalidate(token, "first"); /* of before: means nothing any more */
	api_token_destroy(token);
	assert_string_equal(news.token, "second");
	assert_int_equal(news.serial, 7);
	assert_int_equal(endpoint.asked, 2);
	assert_true(endpoint.asked_at[1] - endpoint.asked_at[0] < 900);
	assert_memory_equal(endpoint.request, "POST /other/token ", 18);
	assert_non_null(strstr(endpoint.request, "Basic eW91Omh1c2g=\r\n")); /* you:hush */
}

static void a_fetch_with_credentials_of_before_is_given_up_and_not_told(void **state)
{
	static const char *const answers[] = { NULL, NULL };
	static const char *const then[] = { "200 OK\r\n\r\n{\"access_token\":\"second\"}", NULL };
	struct api_token *token;

	(void)state;
	answer_with(answers); /* never */
	token = start(NULL);
	wait_asked(1);
	answer_with(then);
	change(token, "you", true, 0);
	wait_news(&news.tokens, 1);
	api_token_destroy(token);
	assert_int_equal(news.errors, 0);
	assert_string_equal(news.token, "second");
}

static void what_is_no_other_credential_waits_for_the_next_fetch(void **state)
{
	static const char *const answers[] = {
		"200 OK\r\n\r\n{\"access_token\":\"first\",\"expires_in\":2}",
		"200 OK\r\n\r\n{\"access_token\":\"second\"}", NULL
	};
	struct api_token *token;

	(void)state;
	answer_with(answers);
	token = start(NULL);
	wait_news(&news.tokens, 1);
	change(token, "me", false, 0);
	change(token, "me", false, 0);
	wait_news(&news.tokens, 2);
	api_token_destroy(token);
	assert_true(endpoint.asked_at[1] - endpoint.asked_at[0] >= 1400);
	assert_memory_equal(endpoint.request, "POST /other/token ", 18);
}

static void who_quits_tells_nothing_more(void **state)
{
	static const char *const answers[] = { NULL, NULL };
	struct api_token *token;

	(void)state;
	answer_with(answers);
	token = start(NULL);
	wait_asked(1);
	api_token_quit(token);
	api_token_destroy(token);
	assert_int_equal(news.tokens + news.errors, 0);
}

static void a_refused_token_is_fetched_anew_once_and_not_within_a_second(void **state)
{
	static const char *const answers[] = { "200 OK\r\n\r\n{\"access_token\":\"first\"}",
					       "200 OK\r\n\r\n{\"access_token\":\"second\"}",
					       NULL };
	struct api_token *token;

	(void)state;
	answer_with(answers);
	token = start(NULL);
	wait_news(&news.tokens, 1);
	for (int i = 0; i < 100; i++)
		api_token_invalidate(token, "first");
	wait_news(&news.tokens, 2);
	for (int i = 0; i < 100; i++)
		api_token_invalidate(token, "first"); /* late: a newer one is in hand */
	api_token_destroy(token);
	assert_int_equal(endpoint.asked, 2);
	assert_true(endpoint.asked_at[1] - endpoint.asked_at[0] >= 990);
}

static void the_end_does_not_wait_for_a_silent_endpoint(void **state)
{
	static const char *const answers[] = { NULL };
	struct api_token *token;
	mono_ms start_ms;

	(void)state;
	answer_with(answers);
	token = start(NULL);
	wait_until(&endpoint.lock, &endpoint.changed, &endpoint.asked, 1);
	start_ms = clock_now();
	api_token_destroy(token);
	assert_true(clock_now() - start_ms < 5000);
	assert_int_equal(news.tokens + news.errors, 0);
	assert_null(api_token_destroy(NULL));
}

static void another_scope_than_asked_for_is_noticed(void **state)
{
	static const char *const answers[] = {
		"200 OK\r\n\r\n{\"access_token\":\"a\",\"scope\":\"sms:send\"}", NULL
	};
	struct api_token *token;

	(void)state;
	answer_with(answers);
	token = start(NULL);
	wait_news(&news.tokens, 1);
	api_token_destroy(token);
	assert_non_null(strstr(log_text, "granted scope \"sms:send\""));
	assert_int_equal(news.expires_in_s, 3600); /* RFC 6749 5.1: may be left out */
}

#define FRESH(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(the_form_and_basic_header_are_as_the_rfc_says),
		FRESH(raw_basic_sends_id_and_secret_as_they_are),
		FRESH(a_refusal_says_which_setting_to_check),
		FRESH(an_answer_that_is_no_token_is_refused),
		FRESH(an_endless_answer_is_cut_off),
		FRESH(a_missing_or_empty_secret_file_is_named),
		FRESH(nobody_at_the_endpoint_is_an_error_that_is_tried_again),
		FRESH(the_secret_goes_over_tls_or_stays_on_this_machine),
		FRESH(a_token_is_renewed_at_70_to_80_percent_of_its_life),
		FRESH(a_refused_token_is_fetched_anew_once_and_not_within_a_second),
		FRESH(the_end_does_not_wait_for_a_silent_endpoint),
		FRESH(another_scope_than_asked_for_is_noticed),
		FRESH(other_credentials_are_asked_with_at_once),
		FRESH(a_fetch_with_credentials_of_before_is_given_up_and_not_told),
		FRESH(what_is_no_other_credential_waits_for_the_next_fetch),
		FRESH(who_quits_tells_nothing_more),
	};

	return cmocka_run_group_tests_name("proto/api_token", tests, start_endpoint, stop_endpoint);
}
