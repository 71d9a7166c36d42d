/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <glib.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "media/ice.h"

#define PATIENCE_MS 20000

struct end {
	struct ice *ice;
	unsigned packets, connected, failed;
	uint8_t last[64];
};

static GMainContext *context;
static struct end ends[2];
static uint16_t next_port = 22400;

static void on_packet(uint8_t *packet, size_t length, void *arg)
{
	struct end *end = arg;

	end->packets++;
	memcpy(end->last, packet, length < sizeof(end->last) ? length : sizeof(end->last));
}

static void on_connected(const char *remote, void *arg)
{
	struct end *end = arg;

	assert_memory_equal(remote, "127.0.0.1:", 10);
	end->connected++;
}

static void on_failed(void *arg)
{
	struct end *end = arg;

	end->failed++;
}

static int make(void **state)
{
	(void)state;
	memset(ends, 0, sizeof(ends));
	for (unsigned i = 0; i < 2; i++) {
		const struct ice_handlers handlers = { on_packet, on_connected, on_failed,
						       &ends[i] };
		union net_address address;

		if (net_parse("127.0.0.1", next_port++, &address) ||
		    ice_create(&ends[i].ice, context, &address, &handlers))
			return -1;
	}
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	ice_destroy(ends[0].ice);
	ice_destroy(ends[1].ice);
	return 0;
}

static void tell_each_other(void)
{
	static struct media_desc desc;

	for (unsigned i = 0; i < 2; i++) {
		memset(&desc, 0, sizeof(desc));
		ice_describe(ends[1 - i].ice, &desc);
		assert_int_equal(ice_set_remote(ends[i].ice, &desc), 0);
	}
}

static void run_until(const unsigned *count, unsigned wanted)
{
	mono_ms deadline = clock_now() + PATIENCE_MS;

	while (*count < wanted) {
		assert_true(clock_now() < deadline);
		if (!g_main_context_iteration(context, FALSE))
			(void)poll(NULL, 0, 1);
	}
}

static void connect_both(void)
{
	ice_set_controlling(ends[0].ice, true);
	ice_set_controlling(ends[1].ice, false);
	tell_each_other();
	run_until(&ends[0].connected, 1);
	run_until(&ends[1].connected, 1);
}

static void two_agents_connect_and_carry_datagrams(void **state)
{
	(void)state;
	connect_both();
	assert_true(ice_send(ends[0].ice, (const uint8_t *)"\x80hello", 6));
	run_until(&ends[1].packets, 1);
	assert_memory_equal(ends[1].last, "\x80hello", 6);
}

static void nothing_is_sent_before_a_pair_is_found(void **state)
{
	(void)state;
	assert_false(ice_send(ends[0].ice, (const uint8_t *)"\x80hello", 6));
	assert_false(ice_is_connected(ends[0].ice));
}

static void two_controlling_agents_settle_their_conflict(void **state)
{
	(void)state;
	ice_set_controlling(ends[0].ice, true);
	ice_set_controlling(ends[1].ice, true);
	tell_each_other();
	run_until(&ends[0].connected, 1);
	run_until(&ends[1].connected, 1);
}

static void a_peer_without_candidates_is_found_by_its_checks(void **state)
{
	static struct media_desc desc;

	(void)state;
	memset(&desc, 0, sizeof(desc));
	ice_describe(ends[1].ice, &desc);
	desc.candidate_count = 0;
	assert_int_equal(ice_set_remote(ends[0].ice, &desc), 0);
	memset(&desc, 0, sizeof(desc));
	ice_describe(ends[0].ice, &desc);
	ice_set_controlling(ends[1].ice, false);
	assert_int_equal(ice_set_remote(ends[1].ice, &desc), 0);
	run_until(&ends[0].connected, 1);
	run_until(&ends[1].connected, 1);
	assert_true(ice_send(ends[0].ice, (const uint8_t *)"\x80", 1));
	run_until(&ends[1].packets, 1);
}

static void a_restart_changes_credentials_and_carries_on(void **state)
{
	static struct media_desc before, after;

	(void)state;
	connect_both();
	memset(&before, 0, sizeof(before));
	memset(&after, 0, sizeof(after));
	ice_describe(ends[0].ice, &before);
	assert_int_equal(ice_restart(ends[0].ice, true), 0);
	assert_int_equal(ice_restart(ends[1].ice, true), 0);
	ice_describe(ends[0].ice, &after);
	assert_string_not_equal(before.ufrag, after.ufrag);
	assert_string_not_equal(before.password, after.password);
	assert_int_equal(before.candidate_count, after.candidate_count);
	assert_true(ice_send(ends[0].ice, (const uint8_t *)"\x80", 1));
	run_until(&ends[1].packets, 1);
	ends[0].connected = ends[1].connected = 0;
	tell_each_other();
	run_until(&ends[0].connected, 1);
	run_until(&ends[1].connected, 1);
	assert_true(ice_send(ends[1].ice, (const uint8_t *)"\x80", 1));
	run_until(&ends[0].packets, 1);
}

static void credentials_promised_before_can_be_kept(void **state)
{
	static struct media_desc before, after;

	(void)state;
	memset(&before, 0, sizeof(before));
	memset(&after, 0, sizeof(after));
	ice_describe(ends[0].ice, &before);
	assert_int_equal(ice_restart(ends[0].ice, false), 0);
	ice_describe(ends[0].ice, &after);
	assert_string_equal(before.ufrag, after.ufrag);
	assert_string_equal(before.password, after.password);
	connect_both();
}

static void a_stranger_is_not_heard(void **state)
{
	static struct media_desc desc;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	union net_address to;

	(void)state;
	connect_both();
	memset(&desc, 0, sizeof(desc));
	ice_describe(ends[1].ice, &desc);
	to = desc.candidates[0].address;
	for (unsigned i = 0; i < 100; i++) /* as DTLS and as RTP */
		(void)sendto(fd, i % 2 ? "\x16\xfe\xfd stranger" : "\x80 stranger..", 12, 0,
			     &to.any, net_size(&to));
	assert_true(ice_send(ends[0].ice, (const uint8_t *)"\x80", 1));
	run_until(&ends[1].packets, 1);
	assert_int_equal(ends[1].packets, 1);
	assert_int_equal(recv(fd, desc.ufrag, 1, MSG_DONTWAIT), -1); /* nor answered */
	close(fd);
}

static void credentials_are_long_and_differ(void **state)
{
	static struct media_desc a, b;

	(void)state;
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	ice_describe(ends[0].ice, &a);
	ice_describe(ends[1].ice, &b);
	assert_true(strlen(a.ufrag) >= 4);     /* 6 bits each: 24 */
	assert_true(strlen(a.password) >= 22); /* 128 */
	assert_string_not_equal(a.ufrag, b.ufrag);
	assert_string_not_equal(a.password, b.password);
}

static int start(void **state)
{
	(void)state;
	context = g_main_context_new();
	g_main_context_push_thread_default(context);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	g_main_context_pop_thread_default(context);
	g_main_context_unref(context);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_agents_connect_and_carry_datagrams, make,
						unmake),
		cmocka_unit_test_setup_teardown(nothing_is_sent_before_a_pair_is_found, make,
						unmake),
		cmocka_unit_test_setup_teardown(two_controlling_agents_settle_their_conflict, make,
						unmake),
		cmocka_unit_test_setup_teardown(a_peer_without_candidates_is_found_by_its_checks,
						make, unmake),
		cmocka_unit_test_setup_teardown(a_restart_changes_credentials_and_carries_on, make,
						unmake),
		cmocka_unit_test_setup_teardown(credentials_promised_before_can_be_kept, make,
						unmake),
		cmocka_unit_test_setup_teardown(a_stranger_is_not_heard, make, unmake),
		cmocka_unit_test_setup_teardown(credentials_are_long_and_differ, make, unmake),
	};

	return cmocka_run_group_tests_name("media/ice", tests, start, stop);
}
