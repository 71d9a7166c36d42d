/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of others than the peer, and calls that have one port. */
#define RIG_PORTS 26400

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/unit/media/session_rig.h"

static void a_lite_side_that_nobody_checks_says_so_and_what_to_mend(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct media_engine *before;
	struct party *relay = lite_side(&before);

	(void)state;
	assert_int_equal(media_offer(relay->session, MEDIA_A, offer_of(caller)), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1); /* of which the caller hears nothing */
	clock_fake_set(clock_now());
	for (unsigned s = 0; relay->count[MEDIA_EV_FAILED][MEDIA_A] == 0 && s < 300; s++) {
		clock_fake_advance(1000);
		turn(clock_now() + PATIENCE_MS);
	}
	clock_real();
	assert_non_null(strstr(relay->reason, "no check with our password came within 30 s"));
	assert_non_null(strstr(relay->reason, " candidates, first 127.0.0.1:"));
	assert_non_null(strstr(relay->reason, "or set `media.ice: full`"));
	party_destroy(caller);
	end_lite_side(relay, before);
}

/* The address of a peer that has gone; its socket is closed on its own thread. */
static int take_address(const char *remote)
{
	mono_ms deadline = clock_now() + PATIENCE_MS;
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	address.sin_port = htons((uint16_t)atoi(strchr(remote, ':') + 1));
	while (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		turn(deadline);
	return fd;
}

static void spray(int fd, const struct sockaddr_in *to, uint16_t sequence)
{
	uint8_t packet[172] = { 0x80, 8, (uint8_t)(sequence >> 8), (uint8_t)sequence };

	packet[11] = 66;
	memset(packet + 12, 0x2a, 160);
	(void)sendto(fd, packet, sizeof(packet), 0, (const struct sockaddr *)to, sizeof(*to));
}

/* What needs no key: a check without a password, a ClientHello, RTP that does not
 * authenticate. The last has been read when this returns. */
static void forge(int fd, const struct sockaddr_in *to, struct party *relay)
{
	static const uint8_t check[28] = {
		0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42, [20] = 0x80, 0x28, 0, 4, 1, 2, 3, 4
	};
	static const uint8_t hello[115] = { 22, 0xfe, 0xff, [12] = 102, 1, [24] = 90, 0xfe, 0xfd };
	uint64_t before = receipt(relay, MEDIA_A).dropped_auth;
	const struct sockaddr *address = (const struct sockaddr *)to;

	assert_int_equal(sendto(fd, check, sizeof(check), 0, address, sizeof(*to)), sizeof(check));
	assert_int_equal(sendto(fd, hello, sizeof(hello), 0, address, sizeof(*to)), sizeof(hello));
	spray(fd, to, 1);
	while (receipt(relay, MEDIA_A).dropped_auth == before)
		turn(clock_now() + PATIENCE_MS);
}

/* RFC 7675 5.1. It has gone without a word, and somebody has its address. */
static void a_peer_of_a_lite_side_that_is_only_forged_is_sent_nothing(void **state)
{
	struct party *caller = phone(MEDIA_LEG_WEBRTC, &tone_440);
	struct media_engine *before;
	struct party *relay = lite_side(&before);
	uint64_t sent[100] = { 0 };
	struct sockaddr_in to;
	unsigned seconds = 0;
	int fd;

	(void)state;
	connect_directly(caller, relay);
	await_tone(caller, MEDIA_B, 600);
	to = port_of(relay->sdp[MEDIA_EV_ANSWER][MEDIA_A]);
	party_destroy(caller);
	fd = take_address(receipt(relay, MEDIA_A).remote);
	clock_fake_set(clock_now());
	for (; relay->count[MEDIA_EV_FAILED][MEDIA_A] == 0 && seconds < 100; seconds++) {
		clock_fake_advance(1000);
		forge(fd, &to, relay);
		turn(clock_now() + PATIENCE_MS);
		sent[seconds] = receipt(relay, MEDIA_A).packets_out;
	}
	clock_real();
	assert_in_range(seconds, 60, 75);
	assert_true(sent[25] > sent[15]);              /* our sound goes on, */
	assert_int_equal(sent[40], sent[seconds - 1]); /* and ends with the consent: 30 s, and 5
							* between two looks */
	assert_non_null(strstr(relay->reason, "ICE consent ended: 127.0.0.1:"));
	assert_false(receipt(relay, MEDIA_A).ice_ok);
	assert_non_null(strstr(relay->reason, "has sent neither a check with our password nor a "
					      "packet that authenticates for more than 60 s"));
	assert_non_null(strstr(relay->reason, "set `media.ice: full`"));
	close(fd);
	end_lite_side(relay, before);
}

static void junk_on_a_plain_port_is_counted_and_not_relayed(void **state)
{
	struct party *callee = phone(MEDIA_LEG_RTP, &tone_440);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in peer = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in to = peer;
	socklen_t size = sizeof(peer);
	mono_ms deadline = clock_now() + PATIENCE_MS;
	char sdp[256];
	uint8_t junk[1600];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&peer, sizeof(peer)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&peer, &size), 0);
	(void)snprintf(sdp, sizeof(sdp), "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio %u RTP/AVP 8\r\n",
		       ntohs(peer.sin_port));
	assert_int_equal(media_offer(callee->session, MEDIA_A, sdp), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, 1);
	to.sin_port =
		htons((uint16_t)atoi(strstr(callee->sdp[MEDIA_EV_ANSWER][0], "m=audio ") + 8));
	srand(5);
	for (unsigned first = 0; first < 256; first++) {
		for (size_t i = 0; i < sizeof(junk); i++)
			junk[i] = (uint8_t)rand();
		junk[0] = (uint8_t)first;
		(void)sendto(fd, junk, first == 128 ? sizeof(junk) : first % 40, 0,
			     (struct sockaddr *)&to, sizeof(to));
	}
	while (receipt(callee, MEDIA_A).dropped_other < 200)
		turn(deadline);
	close(fd);
	party_destroy(callee);
}

/* A ClientHello of somebody else, as it resets rtpengine 10.5 (CVE-2023-51275). */
static void greet(struct party *relay, int fd, const struct sockaddr_in *to, mono_ms deadline)
{
	static const uint8_t hello[115] = { 22, 0xfe, 0xff, [12] = 102, 1, [24] = 90, 0xfe, 0xfd };
	uint64_t before = receipt(relay, MEDIA_B).dropped_source;
	uint64_t heard = receipt(relay, MEDIA_B).packets_in;
	uint64_t unproven = receipt(relay, MEDIA_B).dropped_auth; /* before the peer was known */

	for (unsigned i = 0; i < 100; i++)
		(void)sendto(fd, hello, sizeof(hello), 0, (const struct sockaddr *)to, sizeof(*to));
	while (receipt(relay, MEDIA_B).dropped_source < before + 100 ||
	       receipt(relay, MEDIA_B).packets_in < heard + 5)
		turn(deadline);
	assert_int_equal(receipt(relay, MEDIA_B).dropped_auth, unproven);
}

static uint64_t dropped(struct party *party, enum media_side side)
{
	struct media_receipt of = receipt(party, side);

	return of.dropped_source + of.dropped_other + of.dropped_auth;
}

/* RTP bleed (CVE-2025-53399) and injection: a sprayer is there before the parties
 * and all the time; no byte comes to it, and none of it goes anywhere. */
static void sprayed_at(enum media_leg_kind kind)
{
	struct party *caller = phone(kind, &tone_440), *callee = phone(kind, &tone_600);
	struct party *relay = party_create(kind, kind, NULL);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in towards[2];
	mono_ms deadline = clock_now() + PATIENCE_MS;
	uint8_t byte;
	uint16_t sent = 0;

	connect_through(caller, relay, callee);
	towards[0] = port_of(relay->sdp[MEDIA_EV_ANSWER][MEDIA_A]);
	towards[1] = port_of(relay->sdp[MEDIA_EV_OFFER][MEDIA_B]);
	await_packets(relay, 1);
	for (uint64_t good = 1; good < 60; good++) {
		for (unsigned i = 0; i < 8; i++, sent++)
			spray(fd, &towards[i % 2], sent);
		while (receipt(relay, MEDIA_A).packets_in < good)
			turn(deadline);
	}
	await_tone(caller, MEDIA_B, 600);
	await_tone(callee, MEDIA_B, 440);
	/* Nearly all: the first ones may find a side that does not know its peer yet, or a
	 * full socket. */
	while (dropped(relay, MEDIA_A) + dropped(relay, MEDIA_B) < sent * 9u / 10u)
		turn(deadline);
	if (kind == MEDIA_LEG_DTLS)
		greet(relay, fd, &towards[1], deadline);
	assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) < 0);
	close(fd);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
}

static void a_sprayer_hears_nothing_and_is_not_heard(void **state)
{
	(void)state;
	sprayed_at(MEDIA_LEG_RTP);
	sprayed_at(MEDIA_LEG_SDES);
	sprayed_at(MEDIA_LEG_DTLS);
}

static struct party *shared_relay(enum media_leg_kind kind)
{
	struct party *relay;

	shared_ports = true;
	relay = party_create_on(engines[1], kind, kind, NULL);
	shared_ports = false;
	return relay;
}

/* All four sides of two calls have one port; each hears its own. */
static void shared_by(enum media_leg_kind kind)
{
	struct party *callers[2], *callees[2], *relays[2];

	for (unsigned i = 0; i < 2; i++) {
		callers[i] = phone(kind, i ? &tone_440 : &tone_600);
		callees[i] = phone(kind, i ? &tone_600 : &tone_440);
		relays[i] = shared_relay(kind);
		connect_through(callers[i], relays[i], callees[i]);
	}
	for (unsigned i = 0; i < 2; i++) {
		await_tone(callers[i], MEDIA_B, i ? 600 : 440);
		await_tone(callees[i], MEDIA_B, i ? 440 : 600);
		assert_int_equal(port_of(relays[i]->sdp[MEDIA_EV_OFFER][MEDIA_B]).sin_port,
				 port_of(relays[0]->sdp[MEDIA_EV_ANSWER][MEDIA_A]).sin_port);
	}
	for (unsigned i = 0; i < 2; i++) {
		party_destroy(callers[i]);
		party_destroy(callees[i]);
		party_destroy(relays[i]);
	}
}

/* An even port that is free, and so is the one above it. Not among those of daemons that
 * other tests start: the kernel gives it, from a range of its own. */
static uint16_t free_pair(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	int fds[2];

	for (;;) {
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		uint16_t port;
		unsigned count;

		assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
		port = ntohs(address.sin_port) & (uint16_t)~1;
		close(fd);
		count = occupy(port, port + 1, fds);
		for (unsigned i = 0; i < count; i++)
			close(fds[i]);
		if (count == 2)
			return port;
		address.sin_port = 0;
	}
}

/* Its one media thread has one pair of ports. */
static struct media_engine *use_one_thread(void)
{
	struct media_engine_options options = { .address = "127.0.0.1",
						.port_min = free_pair(),
						.threads = 1 };
	struct media_engine *before = engines[1];

	options.port_max = options.port_min + 1;
	assert_int_equal(media_engine_create(&engines[1], &options), 0);
	return before;
}

static void calls_share_a_port_and_are_told_apart_by_address(void **state)
{
	struct media_engine *before = use_one_thread();

	(void)state;
	shared_by(MEDIA_LEG_RTP);
	shared_by(MEDIA_LEG_SDES);
	shared_by(MEDIA_LEG_DTLS);
	media_engine_destroy(engines[1]);
	engines[1] = before;
}

/* It would have that call's packets; the call goes on. */
static void nobody_takes_the_address_of_another_call_on_a_shared_port(void **state)
{
	struct media_engine *others = use_one_thread();
	struct party *caller = phone(MEDIA_LEG_RTP, &tone_440);
	struct party *callee = phone(MEDIA_LEG_RTP, &tone_600);
	struct party *relay = shared_relay(MEDIA_LEG_RTP), *thief = shared_relay(MEDIA_LEG_RTP);
	uint64_t before;

	(void)state;
	connect_through(caller, relay, callee);
	await_tone(callee, MEDIA_B, 440);
	assert_int_equal(media_offer(thief->session, MEDIA_A, caller->sdp[MEDIA_EV_OFFER][0]), 0);
	await_event(thief, MEDIA_EV_OFFER, MEDIA_B, 1);
	assert_int_equal(media_answer(thief->session, MEDIA_B, callee->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_event(thief, MEDIA_EV_REFUSED, MEDIA_B, 1);
	before = receipt(relay, MEDIA_A).packets_in;
	await_packets(relay, before + 10);
	assert_int_equal(receipt(thief, MEDIA_A).packets_in, 0);
	party_destroy(thief);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
	media_engine_destroy(engines[1]);
	engines[1] = others;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lite_side_that_nobody_checks_says_so_and_what_to_mend),
		cmocka_unit_test(a_peer_of_a_lite_side_that_is_only_forged_is_sent_nothing),
		cmocka_unit_test(junk_on_a_plain_port_is_counted_and_not_relayed),
		cmocka_unit_test(a_sprayer_hears_nothing_and_is_not_heard),
		cmocka_unit_test(calls_share_a_port_and_are_told_apart_by_address),
		cmocka_unit_test(nobody_takes_the_address_of_another_call_on_a_shared_port),
	};

	return cmocka_run_group_tests_name("media/session_strangers", tests, start_engines,
					   stop_engines);
}
