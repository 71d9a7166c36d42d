/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <glib.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <stun/stunagent.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "media/ice.h"
#include "tests/fake/fake_stun.h"

#define PATIENCE_MS 20000

struct end {
	struct ice *ice;
	unsigned packets, connected, failed, lost, gathered;
	bool whole;
	uint8_t last[64];
};

static GMainContext *context;
static struct timer_wheel *wheel;
static struct end ends[2];
static uint16_t next_port = 22400;
static unsigned gone;
static struct net_hosts hosts; /* 127.0.0.1 unless a test says otherwise */

static bool on_packet(uint8_t *packet, size_t length, void *arg)
{
	struct end *end = arg;

	end->packets++;
	memcpy(end->last, packet, length < sizeof(end->last) ? length : sizeof(end->last));
	return true;
}

static void on_connected(const char *remote, void *arg)
{
	struct end *end = arg;

	assert_memory_equal(remote, "127.0.0.", 8);
	end->connected++;
}

static void on_failed(void *arg)
{
	struct end *end = arg;

	end->failed++;
}

static void on_lost(void *arg)
{
	struct end *end = arg;

	end->lost++;
}

static void on_gathered(bool whole, void *arg)
{
	struct end *end = arg;

	end->gathered++;
	end->whole = whole;
}

static void on_gone(void *arg)
{
	(*(unsigned *)arg)++;
}

static int make_end(struct end *end, const struct servers_now *servers)
{
	const struct ice_setup setup = {
		.context = context,
		.wheel = wheel,
		.hosts = &hosts,
		.port = next_port++,
		.servers = servers,
		.handlers = { on_packet, on_connected, on_failed, on_lost, end },
		.gathered = on_gathered,
		.gone = on_gone,
		.gone_arg = &gone,
	};

	return ice_create(&end->ice, &setup);
}

static int make(void **state)
{
	static const struct servers_now none;

	(void)state;
	memset(ends, 0, sizeof(ends));
	for (unsigned i = 0; i < 2; i++) {
		if (make_end(&ends[i], &none))
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

/* One that trickles: nothing it has told so far leads anywhere, and it does not know us yet. */
static void candidates_that_come_later_are_tried(void **state)
{
	static struct media_desc desc, later;

	(void)state;
	memset(&desc, 0, sizeof(desc));
	ice_describe(ends[1].ice, &desc);
	later = desc;
	desc.candidate_count = 0;
	ice_set_controlling(ends[0].ice, true);
	ice_set_controlling(ends[1].ice, false);
	assert_int_equal(ice_set_remote(ends[0].ice, &desc), 0);
	memset(&desc, 0, sizeof(desc));
	ice_describe(ends[0].ice, &desc);
	desc.candidate_count = 0;
	assert_int_equal(ice_set_remote(ends[1].ice, &desc), 0);
	for (unsigned i = 0; i < 100; i++) {
		(void)g_main_context_iteration(context, FALSE);
		(void)poll(NULL, 0, 1);
	}
	assert_int_equal(ends[0].connected, 0);
	assert_int_equal(ice_add_remote(ends[0].ice, &later), 0);
	run_until(&ends[0].connected, 1);
	run_until(&ends[1].connected, 1);
	assert_int_equal(ice_add_remote(ends[0].ice, &later), 0); /* once more: no harm */
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

/* A connectivity check as a stranger makes it; key NULL: without integrity. */
static size_t make_check(const struct media_desc *to, const char *key, uint8_t bytes[1300])
{
	StunAgent agent;
	StunMessage message;
	char username[SDP_CREDENTIAL_ROOM + 8];

	stun_agent_init(&agent, STUN_ALL_KNOWN_ATTRIBUTES, STUN_COMPATIBILITY_RFC5389,
			STUN_AGENT_USAGE_USE_FINGERPRINT |
				(key ? STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS : 0));
	assert_true(stun_agent_init_request(&agent, &message, bytes, 1300, STUN_BINDING));
	if (key) {
		(void)snprintf(username, sizeof(username), "%s:abcd", to->ufrag);
		assert_int_equal(
			stun_message_append_string(&message, STUN_ATTRIBUTE_USERNAME, username),
			STUN_MESSAGE_RETURN_SUCCESS);
	}
	return stun_agent_finish_message(&agent, &message, (const uint8_t *)key,
					 key ? strlen(key) : 0);
}

static void a_check_without_the_right_integrity_gets_no_answer(void **state)
{
	static struct media_desc desc;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint8_t bytes[1300], answer[1300];
	size_t length;

	(void)state;
	connect_both();
	memset(&desc, 0, sizeof(desc));
	ice_describe(ends[1].ice, &desc);
	assert_int_equal(
		connect(fd, &desc.candidates[0].address.any, net_size(&desc.candidates[0].address)),
		0);
	for (unsigned i = 0; i < 1000; i++) {
		length = make_check(&desc, i % 2 ? "wrong password, twenty-two" : NULL, bytes);
		assert_true(length > 20);
		if (i % 5 == 0) /* lies about its length, or about an attribute's */
			bytes[i % 2 ? 3 : 23] ^= (uint8_t)i;
		assert_int_equal(send(fd, bytes, length, 0), length);
		while (g_main_context_iteration(context, FALSE))
			;
	}
	assert_int_equal(recv(fd, answer, sizeof(answer), MSG_DONTWAIT), -1);

	length = make_check(&desc, desc.password, bytes); /* the test's own check: the right one */
	assert_int_equal(send(fd, bytes, length, 0), length);
	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) < 0) {
		(void)g_main_context_iteration(context, FALSE);
		(void)poll(NULL, 0, 1);
	}
	close(fd);
}

/* A pair that a check has proven, but that is not the one nominated (RFC 8445 5.3): the
 * peer's hello may come by it first. */
static void a_proven_pair_is_heard_before_it_is_chosen(void **state)
{
	static const char hello[] = "\x16\xfe\xfd hello";
	static struct media_desc desc;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint8_t bytes[1300];
	size_t length;

	(void)state;
	connect_both();
	memset(&desc, 0, sizeof(desc));
	ice_describe(ends[1].ice, &desc);
	assert_int_equal(
		connect(fd, &desc.candidates[0].address.any, net_size(&desc.candidates[0].address)),
		0);
	assert_int_equal(send(fd, hello, sizeof(hello), 0), sizeof(hello)); /* proves nothing */
	length = make_check(&desc, "wrong password, twenty-two", bytes);
	assert_int_equal(send(fd, bytes, length, 0), length); /* nor does this */
	assert_int_equal(send(fd, hello, sizeof(hello), 0), sizeof(hello));
	for (unsigned i = 0; i < 100; i++)
		(void)g_main_context_iteration(context, FALSE);
	assert_int_equal(ends[1].packets, 0);

	length = make_check(&desc, desc.password, bytes);
	assert_int_equal(send(fd, bytes, length, 0), length);
	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) < 0) {
		(void)g_main_context_iteration(context, FALSE);
		(void)poll(NULL, 0, 1);
	}
	assert_int_equal(send(fd, hello, sizeof(hello), 0), sizeof(hello));
	run_until(&ends[1].packets, 1);
	assert_memory_equal(ends[1].last, hello, sizeof(hello));
	/* What is answered goes to who was chosen. */
	assert_true(ice_send(ends[1].ice, (const uint8_t *)hello, sizeof(hello)));
	run_until(&ends[0].packets, 1);
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

/* Six seconds of the wheel's; with `answers` the peer's reach us meanwhile. */
static void pass_six_seconds(bool answers)
{
	clock_fake_advance(6000);
	(void)timer_wheel_advance(wheel, clock_now(), 0);
	for (unsigned i = 0; answers && i < 30; i++) {
		while (g_main_context_iteration(context, FALSE))
			;
		(void)poll(NULL, 0, 1);
	}
}

static void consent_lasts_while_most_questions_are_answered(void **state)
{
	(void)state;
	connect_both();
	clock_fake_set(clock_now());
	for (unsigned i = 0; i < 20; i++) /* two minutes; every third answer is late */
		pass_six_seconds(i % 3 != 0);
	assert_int_equal(ends[0].lost + ends[1].lost, 0);
	assert_int_equal(ends[0].packets + ends[1].packets, 0); /* STUN stays inside */
	assert_true(ice_send(ends[0].ice, (const uint8_t *)"\x80", 1));
	clock_real();
}

static void consent_ends_thirty_seconds_after_the_last_answer(void **state)
{
	(void)state;
	connect_both();
	clock_fake_set(clock_now());
	pass_six_seconds(true);
	ends[1].ice = ice_destroy(ends[1].ice);
	for (unsigned i = 0; i < 4; i++)
		pass_six_seconds(true);
	assert_int_equal(ends[0].lost, 0);
	assert_true(ice_send(ends[0].ice, (const uint8_t *)"\x80", 1));
	for (unsigned i = 0; i < 2; i++)
		pass_six_seconds(true);
	assert_int_equal(ends[0].lost, 1);
	assert_false(ice_send(ends[0].ice, (const uint8_t *)"\x80", 1));
	clock_real();
}

static void consent_goes_on_after_a_restart(void **state)
{
	(void)state;
	connect_both();
	assert_int_equal(ice_restart(ends[0].ice, true), 0);
	assert_int_equal(ice_restart(ends[1].ice, true), 0);
	ends[0].connected = ends[1].connected = 0;
	tell_each_other();
	run_until(&ends[0].connected, 1);
	run_until(&ends[1].connected, 1);
	clock_fake_set(clock_now());
	for (unsigned i = 0; i < 10; i++)
		pass_six_seconds(true);
	assert_int_equal(ends[0].lost + ends[1].lost, 0);
	clock_real();
}

static bool has_ipv6(void)
{
	const struct sockaddr_in6 loopback = { .sin6_family = AF_INET6,
					       .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	bool bound = fd >= 0 && bind(fd, (const struct sockaddr *)&loopback, sizeof(loopback)) == 0;

	if (fd >= 0)
		close(fd);
	return bound;
}

/* And a peer that has but one of them is met there. */
static void an_agent_is_on_all_its_addresses(void **state)
{
	static const struct servers_now none;
	static struct media_desc desc;
	union net_address first = hosts.own[0];
	bool has_v6 = false;

	(void)state;
	memset(ends, 0, sizeof(ends));
	memset(&desc, 0, sizeof(desc));
	assert_int_equal(net_parse("127.0.0.2", 0, &hosts.own[1]), 0);
	assert_int_equal(net_parse("::1", 0, &hosts.own[2]), 0);
	hosts.count = has_ipv6() ? 3 : 2;
	assert_int_equal(make_end(&ends[0], &none), 0);
	ice_describe(ends[0].ice, &desc);
	assert_int_equal(desc.candidate_count, hosts.count);
	for (unsigned i = 0; i < hosts.count; i++) {
		assert_int_equal(net_port(&desc.candidates[i].address), next_port - 1);
		has_v6 = has_v6 || desc.candidates[i].address.any.sa_family == AF_INET6;
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(desc.candidates[i].priority,
					     desc.candidates[k].priority);
	}
	assert_true(has_v6 || hosts.count == 2);
	hosts.count = 1;
	hosts.own[0] = hosts.own[1];
	assert_int_equal(make_end(&ends[1], &none), 0);
	hosts.own[0] = first;
	connect_both();
	ice_destroy(ends[0].ice);
	ice_destroy(ends[1].ice);
}

static struct servers_now asking(const struct fake_stun *server, bool turn, unsigned gather_ms)
{
	struct servers_now servers = { .gather_ms = gather_ms, .turn_count = turn };

	assert_int_equal(net_parse("127.0.0.1", server->port, &servers.stun), 0);
	servers.turn[0] = (struct servers_turn){ .address = servers.stun,
						 .username = "breakout",
						 .password = "sesame" };
	return servers;
}

static void turn_until_gathered(const struct end *end)
{
	mono_ms deadline = clock_now() + PATIENCE_MS;

	while (end->gathered == 0) {
		assert_true(clock_now() < deadline);
		(void)timer_wheel_advance(wheel, clock_now(), 0);
		if (!g_main_context_iteration(context, FALSE))
			(void)poll(NULL, 0, 1);
	}
}

static void what_a_stun_server_sees_is_a_candidate(void **state)
{
	struct fake_stun server = { .mapped = "203.0.113.9" };
	struct servers_now servers;
	static struct media_desc desc;

	(void)state;
	memset(ends, 0, sizeof(ends));
	memset(&desc, 0, sizeof(desc));
	assert_int_equal(fake_stun_start(&server), 0);
	servers = asking(&server, /* turn= */ false, PATIENCE_MS);
	assert_int_equal(make_end(&ends[0], &servers), 0);
	assert_true(ice_is_gathering(ends[0].ice));
	turn_until_gathered(&ends[0]);
	assert_false(ice_is_gathering(ends[0].ice));
	assert_true(ends[0].whole);
	ice_describe(ends[0].ice, &desc);
	assert_int_equal(desc.candidate_count, 2);
	assert_int_equal(desc.candidates[0].type, SDP_HOST);
	assert_int_equal(desc.candidates[1].type, SDP_SRFLX);
	assert_int_equal(net_port(&desc.candidates[1].address), 4242);
	assert_true(desc.candidates[0].priority > desc.candidates[1].priority);
	ends[0].ice = ice_destroy(ends[0].ice);
	assert_int_equal(ends[0].gathered, 1);
	fake_stun_stop(&server);
}

/* While a server is asked libnice would take a check without integrity for its answer. */
static void strangers_are_not_heard_while_a_server_is_silent(void **state)
{
	static const uint8_t check[20] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3 };
	struct fake_stun server = { .mapped = NULL };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct servers_now servers;
	static struct media_desc desc;
	uint8_t answer[1300];

	(void)state;
	memset(ends, 0, sizeof(ends));
	memset(&desc, 0, sizeof(desc));
	assert_int_equal(fake_stun_start(&server), 0);
	servers = asking(&server, /* turn= */ false, /* gather_ms= */ 200);
	assert_int_equal(make_end(&ends[0], &servers), 0);
	ice_describe(ends[0].ice, &desc);
	assert_int_equal(desc.candidate_count, 1); /* the host's, at once */
	for (unsigned i = 0; i < PATIENCE_MS && server.asked == 0; i++) {
		(void)g_main_context_iteration(context, FALSE);
		(void)poll(NULL, 0, 1);
	}
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(sendto(fd, check, sizeof(check), 0,
					&desc.candidates[0].address.any,
					net_size(&desc.candidates[0].address)),
				 sizeof(check));
		(void)g_main_context_iteration(context, FALSE);
		(void)poll(NULL, 0, 1);
	}
	assert_int_equal(recv(fd, answer, sizeof(answer), MSG_DONTWAIT), -1);
	turn_until_gathered(&ends[0]);
	assert_false(ends[0].whole);
	ends[0].ice = ice_destroy(ends[0].ice);
	fake_stun_stop(&server);
	close(fd);
}

static void without_the_relay_it_wanted_it_is_not_whole(void **state)
{
	struct fake_stun server = { .mapped = "127.0.0.1", .code = 486 };
	struct servers_now servers;

	(void)state;
	memset(ends, 0, sizeof(ends));
	assert_int_equal(fake_stun_start(&server), 0);
	servers = asking(&server, /* turn= */ true, PATIENCE_MS);
	servers.relay_only = true;
	assert_int_equal(make_end(&ends[0], &servers), 0);
	assert_false(ice_has_candidates(ends[0].ice));
	turn_until_gathered(&ends[0]);
	assert_false(ends[0].whole);
	assert_false(ice_has_candidates(ends[0].ice));
	gone = 0;
	ends[0].ice = ice_destroy(ends[0].ice);
	run_until(&gone, 1); /* once what it had from servers was given back */
	fake_stun_stop(&server);
}

static void servers_that_cannot_be_reached_are_not_waited_for(void **state)
{
	struct servers_now servers = { .gather_ms = PATIENCE_MS, .turn_count = 1 };

	(void)state;
	memset(ends, 0, sizeof(ends));
	servers.turn[0] = (struct servers_turn){ .tcp = true, .username = "u", .password = "p" };
	assert_int_equal(net_parse("255.255.255.255", 1, &servers.turn[0].address), 0);
	assert_int_equal(make_end(&ends[0], &servers), 0);
	assert_false(ice_is_gathering(ends[0].ice));
	assert_int_equal(ends[0].gathered, 0);
	gone = 0;
	ends[0].ice = ice_destroy(ends[0].ice);
	run_until(&gone, 1);
}

static int start(void **state)
{
	(void)state;
	hosts.count = 1;
	if (net_parse("127.0.0.1", 0, &hosts.own[0]) || timer_wheel_create(&wheel, clock_now()))
		return -1;
	context = g_main_context_new();
	g_main_context_push_thread_default(context);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	g_main_context_pop_thread_default(context);
	g_main_context_unref(context);
	timer_wheel_destroy(wheel);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_agent_is_on_all_its_addresses),
		/* first those that live in real time */
		cmocka_unit_test(what_a_stun_server_sees_is_a_candidate),
		cmocka_unit_test(strangers_are_not_heard_while_a_server_is_silent),
		cmocka_unit_test(without_the_relay_it_wanted_it_is_not_whole),
		cmocka_unit_test(servers_that_cannot_be_reached_are_not_waited_for),
		cmocka_unit_test_setup_teardown(two_agents_connect_and_carry_datagrams, make,
						unmake),
		cmocka_unit_test_setup_teardown(nothing_is_sent_before_a_pair_is_found, make,
						unmake),
		cmocka_unit_test_setup_teardown(two_controlling_agents_settle_their_conflict, make,
						unmake),
		cmocka_unit_test_setup_teardown(a_peer_without_candidates_is_found_by_its_checks,
						make, unmake),
		cmocka_unit_test_setup_teardown(candidates_that_come_later_are_tried, make, unmake),
		cmocka_unit_test_setup_teardown(a_restart_changes_credentials_and_carries_on, make,
						unmake),
		cmocka_unit_test_setup_teardown(credentials_promised_before_can_be_kept, make,
						unmake),
		cmocka_unit_test_setup_teardown(a_stranger_is_not_heard, make, unmake),
		cmocka_unit_test_setup_teardown(a_proven_pair_is_heard_before_it_is_chosen, make,
						unmake),
		cmocka_unit_test_setup_teardown(consent_lasts_while_most_questions_are_answered,
						make, unmake),
		cmocka_unit_test_setup_teardown(consent_ends_thirty_seconds_after_the_last_answer,
						make, unmake),
		cmocka_unit_test_setup_teardown(consent_goes_on_after_a_restart, make, unmake),
		cmocka_unit_test_setup_teardown(a_check_without_the_right_integrity_gets_no_answer,
						make, unmake),
		cmocka_unit_test_setup_teardown(credentials_are_long_and_differ, make, unmake),
	};

	return cmocka_run_group_tests_name("media/ice", tests, start, stop);
}
