/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include <errno.h>

#include "base/log.h"
#include "tas/sip/peer.h"

#define TEXT(text) ((char *)(text))

static char *uris[] = { TEXT("sip:a"), TEXT("sip:b"), TEXT("sip:c") };
static unsigned usual_failover[] = { 408, 500, 502, 503, 504 }, usual_down[] = { 408, 503 };
static struct config_trunk config;
static struct sip_peer *peer;
static char logged[400];

static void note(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)level;
	(void)area;
	(void)arg;
	(void)snprintf(logged + strlen(logged), sizeof(logged) - strlen(logged), "%s\n", line);
}

static int set_up(void **state)
{
	(void)state;
	clock_fake_set(100000);
	log_set_sink(note, NULL);
	logged[0] = '\0';
	config = (struct config_trunk){ .name = TEXT("pbx"),
					.uris = uris,
					.uri_count = 3,
					.failover_on = usual_failover,
					.failover_count = 5,
					.options_s = 30,
					.down_after = 3,
					.up_after = 2,
					.down_on = usual_down,
					.down_count = 2 };
	return sip_peer_create(&peer, "pbx") || sip_peer_configure(peer, &config);
}

static int tear_down(void **state)
{
	(void)state;
	sip_peer_retire(peer);
	peer = sip_peer_unref(peer);
	log_set_sink(NULL, NULL);
	clock_real();
	return 0;
}

/* The last letters of the URIs to try. */
static const char *order(void)
{
	static char text[8];
	struct sip_line *const *lines;
	size_t count = sip_peer_choose(peer, &lines);

	for (size_t i = 0; i < count; i++)
		text[i] = sip_line_uri(lines[i])[4];
	text[count] = '\0';
	return text;
}

static struct sip_line *line(char letter)
{
	struct sip_line *const *lines;
	size_t count = sip_peer_choose(peer, &lines);

	for (size_t i = 0; i < count; i++)
		if (sip_line_uri(lines[i])[4] == letter)
			return lines[i];
	fail_msg("%c is not there", letter);
	return NULL;
}

static void addresses_are_tried_in_order(void **state)
{
	(void)state;
	assert_string_equal(order(), "abc");
	assert_string_equal(order(), "abc");
}

static void round_robin_begins_with_the_next_each_time(void **state)
{
	(void)state;
	config.order = TRUNK_ROUND_ROBIN;
	assert_int_equal(sip_peer_configure(peer, &config), 0);
	assert_string_equal(order(), "abc");
	assert_string_equal(order(), "bca");
	assert_string_equal(order(), "cab");
	assert_string_equal(order(), "abc");
}

static void weights_are_kept_over_many_calls(void **state)
{
	unsigned weights[] = { 6, 3, 1 }, first[3] = { 0 }, last[3] = { 0 };

	(void)state;
	config.order = TRUNK_WEIGHTED;
	config.weights = weights;
	config.weight_count = 3;
	assert_int_equal(sip_peer_configure(peer, &config), 0);
	for (int i = 0; i < 10000; i++) {
		const char *tried = order();

		first[tried[0] - 'a']++;
		last[tried[2] - 'a']++;
		assert_int_equal(strlen(tried), 3);
	}
	/* 5 standard deviations of a fair draw */
	assert_in_range(first[0], 5755, 6245);
	assert_in_range(first[1], 2770, 3230);
	assert_in_range(first[2], 850, 1150);
	assert_true(last[2] > last[1] && last[1] > last[0]);
}

static void a_silent_address_is_skipped_until_it_answers(void **state)
{
	struct sip_line *b = line('b');

	(void)state;
	sip_line_silent(b, "no response in time");
	assert_string_equal(order(), "ac");
	clock_fake_advance(3600 * 1000); /* OPTIONS would have brought it back */
	assert_string_equal(order(), "ac");
	sip_line_heard(b, 486);
	assert_string_equal(order(), "abc");
	assert_string_equal(logged, "trunk=pbx address=sip:b is down: no response in time\n"
				    "trunk=pbx address=sip:b is up again\n");
}

static void when_all_are_down_all_are_tried(void **state)
{
	struct sip_line *lines[] = { line('a'), line('b'), line('c') };

	(void)state;
	for (int i = 0; i < 3; i++)
		sip_line_silent(lines[i], "x");
	assert_string_equal(order(), "abc");
}

static void a_status_of_down_on_opens_the_breaker_after_some(void **state)
{
	struct sip_line *a = line('a');

	(void)state;
	sip_line_heard(a, 503);
	sip_line_heard(a, 503);
	sip_line_heard(a, 500); /* is an answer */
	sip_line_heard(a, 503);
	sip_line_heard(a, 503);
	assert_string_equal(order(), "abc");
	sip_line_heard(a, 503);
	assert_string_equal(order(), "bc");
	assert_non_null(strstr(logged, "is down: calls get 503"));
}

static void without_options_a_call_tries_it_again_after_a_while(void **state)
{
	(void)state;
	config.options_s = 0;
	assert_int_equal(sip_peer_configure(peer, &config), 0);
	sip_line_silent(line('a'), "x");
	clock_fake_advance(29000);
	assert_string_equal(order(), "bc");
	clock_fake_advance(1000);
	assert_string_equal(order(), "abc");
}

static void failover_follows_the_list_and_never_a_6xx(void **state)
{
	unsigned mine[] = { 404, 599 };

	(void)state;
	assert_true(sip_line_fails_over(line('a'), 503));
	assert_true(sip_line_fails_over(line('a'), 408));
	assert_false(sip_line_fails_over(line('a'), 486));
	assert_false(sip_line_fails_over(line('a'), 501));
	assert_false(sip_line_fails_over(line('a'), 603));
	assert_true(sip_line_fails_over(NULL, 500));
	assert_false(sip_line_fails_over(NULL, 302));
	config.failover_on = mine;
	config.failover_count = 2;
	assert_int_equal(sip_peer_configure(peer, &config), 0);
	assert_true(sip_line_fails_over(line('a'), 404));
	assert_true(sip_line_fails_over(line('a'), 599));
	assert_false(sip_line_fails_over(line('a'), 503));
}

static void no_more_calls_at_a_time_than_allowed(void **state)
{
	(void)state;
	config.max_calls = 2;
	assert_int_equal(sip_peer_configure(peer, &config), 0);
	assert_int_equal(sip_peer_enter(peer), 0);
	assert_int_equal(sip_line_enter(line('a')), 0);
	assert_int_equal(sip_line_enter(line('b')), -EBUSY);
	sip_peer_leave(peer);
	assert_int_equal(sip_peer_enter(peer), 0);
	assert_int_equal(sip_peer_enter(peer), -EBUSY);
	sip_peer_leave(peer);
	sip_peer_set_beside(peer, 1); /* another process has the second */
	assert_int_equal(sip_peer_enter(peer), -EBUSY);
	sip_peer_set_beside(peer, 0);
	assert_int_equal(sip_peer_enter(peer), 0);
	sip_peer_leave(peer);
	sip_peer_leave(peer);
}

static void no_more_calls_a_second_than_allowed(void **state)
{
	unsigned begun = 0;

	(void)state;
	config.max_rate = 5;
	assert_int_equal(sip_peer_configure(peer, &config), 0);
	for (int ms = 0; ms < 10000; ms += 10) {
		begun += sip_peer_enter(peer) == 0;
		clock_fake_advance(10);
	}
	assert_in_range(begun, 54, 55); /* five at once, then five a second */
	while (begun--)
		sip_peer_leave(peer);
}

static void a_reload_keeps_what_is_known_of_an_address(void **state)
{
	char *fewer[] = { TEXT("sip:d"), TEXT("sip:a") };
	struct sip_line *b = sip_line_ref(line('b'));

	(void)state;
	sip_line_silent(line('a'), "x");
	assert_int_equal(sip_peer_enter(peer), 0);
	config.uris = fewer;
	config.uri_count = 2;
	config.max_calls = 1;
	assert_int_equal(sip_peer_configure(peer, &config), 0);
	assert_string_equal(order(), "d");
	assert_int_equal(sip_peer_enter(peer), -EBUSY); /* the one from before still counts */
	sip_peer_leave(peer);
	sip_line_heard(b, 200); /* a call that began before */
	sip_line_unref(b);
}

static void a_call_outlives_its_trunk(void **state)
{
	struct sip_line *a = sip_line_ref(line('a'));
	struct sip_peer *held = sip_peer_ref(sip_line_peer(a));

	(void)state;
	assert_int_equal(sip_line_enter(a), 0);
	sip_peer_retire(peer);
	assert_string_equal(order(), "");
	sip_line_silent(a, "x");
	sip_peer_leave(held);
	sip_peer_unref(held);
	sip_line_unref(a);
	assert_null(sip_line_peer(NULL));
	sip_line_heard(NULL, 503);
	sip_line_silent(NULL, "x");
}

static void look(const struct sip_line_info *info, void *arg)
{
	unsigned *seen = arg;

	++*seen;
	assert_string_equal(info->peer, "pbx");
	if (strcmp(info->uri, "sip:b") != 0)
		return;
	assert_int_equal(info->state, HEALTH_DOWN);
	assert_int_equal(info->since_ms, 100000);
	assert_string_equal(info->why, "refused");
	assert_int_equal(info->status, 0);
	assert_int_equal(info->calls, 1);
	assert_int_equal(info->failures, 1);
	assert_int_equal(info->peer_calls, 1);
}

static void people_are_told_each_address(void **state)
{
	struct sip_line *b = line('b');
	unsigned seen = 0;

	(void)state;
	assert_int_equal(sip_line_enter(b), 0);
	sip_line_silent(b, "refused");
	clock_fake_advance(5000);
	sip_peer_each_line(peer, look, &seen);
	assert_int_equal(seen, 3);
	sip_peer_leave(peer);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(addresses_are_tried_in_order),
		T(round_robin_begins_with_the_next_each_time),
		T(weights_are_kept_over_many_calls),
		T(a_silent_address_is_skipped_until_it_answers),
		T(when_all_are_down_all_are_tried),
		T(a_status_of_down_on_opens_the_breaker_after_some),
		T(without_options_a_call_tries_it_again_after_a_while),
		T(failover_follows_the_list_and_never_a_6xx),
		T(no_more_calls_at_a_time_than_allowed),
		T(no_more_calls_a_second_than_allowed),
		T(a_reload_keeps_what_is_known_of_an_address),
		T(a_call_outlives_its_trunk),
		T(people_are_told_each_address),
	};

	return cmocka_run_group_tests_name("tas/sip/peer", tests, NULL, NULL);
}
