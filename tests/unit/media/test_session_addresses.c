/* SPDX-License-Identifier: Apache-2.0 */
/* Engines on several addresses, of both families, or behind a NAT. */
#define RIG_PORTS 25800

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "tests/unit/media/session_rig.h"

static void ipv6_carries_audio_too(void **state)
{
	const struct media_engine_options full = { .address = "::1",
						   .port_min = RIG_PORTS + 400,
						   .port_max = RIG_PORTS + 499,
						   .threads = 1 };
	const struct media_engine_options lite = { .address = "::1",
						   .port_min = RIG_PORTS + 500,
						   .port_max = RIG_PORTS + 519,
						   .threads = 1,
						   .ice_lite = true };
	struct media_engine *before[2];

	(void)state;
	before[0] = exchange(0, &full);
	if (!before[0])
		skip(); /* a host without IPv6 */
	talk(MEDIA_LEG_WEBRTC, MEDIA_LEG_RTP);
	talk(MEDIA_LEG_SDES, MEDIA_LEG_DTLS);
	before[1] = exchange(1, &lite);
	assert_non_null(before[1]);
	talk_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC);
	put_back(1, before[1]);
	put_back(0, before[0]);
}

/* What an engine on 127.0.0.2 offers by which it is told as 203.0.113.7. */
static void assert_advertised(enum media_leg_kind kind)
{
	struct party *party = party_create_on(engines[1], kind, MEDIA_LEG_LOCAL, &tone_440);
	const char *sdp = offer_of(party);
	unsigned port = 0;
	char wanted[64];

	assert_null(strstr(sdp, "127.0.0.2"));
	assert_non_null(strstr(sdp, "c=IN IP4 203.0.113.7\r\n"));
	assert_int_equal(sscanf(line_of(sdp, "m=audio "), "m=audio %u", &port), 1);
	(void)snprintf(wanted, sizeof(wanted), " 203.0.113.7 %u typ host", port);
	if (kind == MEDIA_LEG_WEBRTC)
		assert_non_null(strstr(line_of(sdp, "a=candidate:"), wanted));
	else
		assert_null(strstr(sdp, "a=candidate:"));
	party_destroy(party);
}

static void an_advertised_address_stands_wherever_ours_would(void **state)
{
	struct media_engine_options options = { .address = "127.0.0.2",
						.advertised = "203.0.113.7",
						.port_min = RIG_PORTS + 520,
						.port_max = RIG_PORTS + 539,
						.threads = 1 };
	struct media_engine *before = exchange(1, &options);

	(void)state;
	assert_non_null(before);
	for (enum media_leg_kind kind = MEDIA_LEG_WEBRTC; kind < MEDIA_LEG_LOCAL; kind++)
		assert_advertised(kind);
	put_back(1, before);
	options.ice_lite = true;
	before = exchange(1, &options);
	assert_non_null(before);
	assert_advertised(MEDIA_LEG_WEBRTC);
	put_back(1, before);
	options.advertised = "2001:db8::1";
	assert_null(exchange(1, &options));
	options.advertised = "media.example";
	assert_null(exchange(1, &options));
}

static void a_full_agent_is_on_all_addresses(void **state)
{
	static const struct media_address others[] = { { "::1", "2001:db8::7" } };
	const struct media_engine_options v6 = { .address = "::1",
						 .port_min = RIG_PORTS + 400,
						 .port_max = RIG_PORTS + 499,
						 .threads = 1 };
	const struct media_engine_options both = { .address = "127.0.0.2",
						   .advertised = "203.0.113.7",
						   .others = others,
						   .other_count = 1,
						   .port_min = RIG_PORTS + 520,
						   .port_max = RIG_PORTS + 539,
						   .threads = 1 };
	struct media_engine *before[2] = { exchange(0, &v6), NULL };
	struct party *relay, *caller;
	const char *offer;

	(void)state;
	if (!before[0])
		skip(); /* a host without IPv6 */
	before[1] = exchange(1, &both);
	assert_non_null(before[1]);
	talk_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC); /* by IPv6 alone */
	relay = party_create_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_440);
	offer = offer_of(relay);
	assert_non_null(strstr(offer, "c=IN IP4 203.0.113.7\r\n"));
	assert_non_null(strstr(offer, " 203.0.113.7 "));
	assert_non_null(strstr(offer, " 2001:db8::7 "));
	assert_null(strstr(offer, "127.0.0.2"));
	party_destroy(relay);

	caller = phone(MEDIA_LEG_WEBRTC, &tone_440); /* who is answered in its family */
	relay = party_create_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_440);
	assert_int_equal(media_offer(relay->session, MEDIA_A, offer_of(caller)), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_non_null(strstr(relay->sdp[MEDIA_EV_ANSWER][MEDIA_A], "c=IN IP6 2001:db8::7\r\n"));
	party_destroy(relay);
	party_destroy(caller);

	put_back(1, before[1]);
	put_back(0, before[0]);
}

/* engines[1] is on an address of each family, the IPv6 one first; NULL: this machine has
 * none. */
static struct media_engine *exchange_for_both(bool ice_lite)
{
	static const struct media_address others[] = { { "127.0.0.2", NULL } };
	const struct media_engine_options both = { .address = "::1",
						   .others = others,
						   .other_count = 1,
						   .port_min = RIG_PORTS + 540,
						   .port_max = RIG_PORTS + 579,
						   .threads = 1,
						   .ice_lite = ice_lite };

	return exchange(1, &both);
}

/* The caller is at ::1, the callee at 127.0.0.1; what is known of the callee before its
 * answer is where its signalling is. */
static void talk_across_families(enum media_leg_kind kind, bool shared)
{
	struct party *caller, *callee = phone(kind, &tone_600), *relay;

	places[MEDIA_A].near = "::1";
	caller = party_create_on(engines[1], kind, MEDIA_LEG_LOCAL, &tone_440);
	places[MEDIA_A].near = NULL;
	places[MEDIA_B].near = "127.0.0.1";
	shared_ports = shared;
	relay = party_create_on(engines[1], kind, kind, NULL);
	shared_ports = false;
	places[MEDIA_B].near = NULL;
	connect_through(caller, relay, callee);
	assert_non_null(strstr(caller->sdp[MEDIA_EV_OFFER][MEDIA_A], "c=IN IP6 ::1\r\n"));
	assert_non_null(strstr(relay->sdp[MEDIA_EV_OFFER][MEDIA_B], "c=IN IP4 127.0.0.2\r\n"));
	assert_non_null(strstr(relay->sdp[MEDIA_EV_ANSWER][MEDIA_A], "c=IN IP6 ::1\r\n"));
	await_tone(caller, MEDIA_B, 600);
	await_tone(callee, MEDIA_B, 440);
	assert_int_equal(receipt(callee, MEDIA_A).dropped_source, 0);
	party_destroy(caller);
	party_destroy(callee);
	party_destroy(relay);
}

static void without_ice_each_side_is_served_in_its_family(void **state)
{
	struct media_engine *before = exchange_for_both(false);

	(void)state;
	if (!before)
		skip(); /* a host without IPv6 */
	for (enum media_leg_kind kind = MEDIA_LEG_RTP; kind < MEDIA_LEG_LOCAL; kind++)
		talk_across_families(kind, /* shared= */ false);
	talk_across_families(MEDIA_LEG_RTP, /* shared= */ true);
	talk_across_families(MEDIA_LEG_SDES, /* shared= */ true);
	talk_on(engines[1], MEDIA_LEG_RTP, MEDIA_LEG_WEBRTC); /* the phones are IPv4 */
	put_back(1, before);
}

/* Who is at ::1 and moves to 127.0.0.1, as by a transfer within a PBX (RFC 3264 8.3.1). */
static void a_peer_without_ice_moves_to_the_other_family(void **state)
{
	struct media_engine *before = exchange_for_both(false);
	struct party *first, *second, *relay;
	const char *answer;

	(void)state;
	if (!before)
		skip();
	places[MEDIA_A].near = "::1";
	first = party_create_on(engines[1], MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);
	places[MEDIA_A].near = NULL;
	second = phone(MEDIA_LEG_RTP, &tone_600);
	relay = party_create_on(engines[1], MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);
	assert_int_equal(media_offer(relay->session, MEDIA_A, offer_of(first)), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_answer(first->session, MEDIA_A, relay->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_tone(first, MEDIA_B, 440);
	assert_int_equal(media_offer(relay->session, MEDIA_A, offer_of(second)), 0);
	await_event(relay, MEDIA_EV_ANSWER, MEDIA_A, 2);
	answer = relay->sdp[MEDIA_EV_ANSWER][0];
	assert_non_null(strstr(answer, "c=IN IP4 127.0.0.2\r\n"));
	assert_int_equal(media_answer(second->session, MEDIA_A, answer), 0);
	await_tone(second, MEDIA_B, 440);
	assert_int_equal(receipt(second, MEDIA_A).dropped_source, 0);
	party_destroy(first);
	party_destroy(second);
	party_destroy(relay);
	put_back(1, before);
}

/* We have offered ::1; who answers with 127.0.0.1 hears us from 127.0.0.2. */
static void an_answer_of_the_other_family_is_sent_to_from_that(void **state)
{
	struct media_engine *before = exchange_for_both(false);
	struct party *callee, *us;
	const char *offer;

	(void)state;
	if (!before)
		skip();
	latching = MEDIA_LATCHING_ANY; /* our offer has named nobody */
	callee = phone(MEDIA_LEG_RTP, &tone_600);
	latching = MEDIA_LATCHING_SIGNALLED;
	places[MEDIA_A].near = "::1";
	us = party_create_on(engines[1], MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);
	places[MEDIA_A].near = NULL;
	offer = edited(offer_of(us), "c=IN IP6 ::1", "c=IN IP4 127.0.0.3"); /* nobody's */
	assert_int_equal(media_offer(callee->session, MEDIA_A, offer), 0);
	await_event(callee, MEDIA_EV_ANSWER, MEDIA_A, 1);
	assert_int_equal(media_answer(us->session, MEDIA_A, callee->sdp[MEDIA_EV_ANSWER][0]), 0);
	await_tone(callee, MEDIA_B, 440);
	assert_int_equal(strncmp(receipt(callee, MEDIA_A).remote, "127.0.0.2:", 10), 0);
	party_destroy(callee);
	party_destroy(us);
	put_back(1, before);
}

static void the_address_that_is_named_for_a_side_is_offered(void **state)
{
	struct media_engine *before = exchange_for_both(false);
	struct media_codecs named = { .address = "127.0.0.2" }, there = { .near = "::1" };
	struct media_codecs unknown = { .near = "pbx.example.com" };
	struct party *party;

	(void)state;
	if (!before)
		skip();
	places[MEDIA_A].near = "::1";
	places[MEDIA_A].address = "127.0.0.2";
	party = party_create_on(engines[1], MEDIA_LEG_RTP, MEDIA_LEG_LOCAL, &tone_440);
	places[MEDIA_A].near = places[MEDIA_A].address = NULL;
	assert_non_null(strstr(offer_of(party), "c=IN IP4 127.0.0.2\r\n"));
	assert_int_not_equal(media_engine_address(engines[1], &named),
			     media_engine_address(engines[1], &there));
	assert_int_equal(media_engine_address(engines[1], &unknown), 0); /* the first */
	party_destroy(party);
	put_back(1, before);
}

static void a_lite_agent_is_on_all_addresses(void **state)
{
	const struct media_engine_options v6 = { .address = "::1",
						 .port_min = RIG_PORTS + 400,
						 .port_max = RIG_PORTS + 499,
						 .threads = 1 };
	struct media_engine *before[2] = { NULL, exchange_for_both(true) };
	struct party *party;
	const char *offer;

	(void)state;
	if (!before[1])
		skip();
	talk_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC); /* by IPv4 */
	before[0] = exchange(0, &v6);
	assert_non_null(before[0]);
	talk_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC);
	put_back(0, before[0]);
	places[MEDIA_A].near = "127.0.0.1";
	party = party_create_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_LOCAL, &tone_440);
	places[MEDIA_A].near = NULL;
	offer = offer_of(party);
	assert_non_null(strstr(offer, "c=IN IP4 127.0.0.2\r\n")); /* who reads no candidates */
	assert_non_null(strstr(offer, "a=ice-lite\r\n"));
	assert_non_null(strstr(offer, "a=candidate:1 1 UDP 2130706431 ::1 "));
	assert_non_null(strstr(offer, "a=candidate:2 1 UDP 2130706175 127.0.0.2 "));
	party_destroy(party);
	put_back(1, before[1]);
}

/* Nobody is at 127.0.0.9: the phones learn the address from what we send, a peer-
 * reflexive one with ICE, the source of RTP without. */
static void who_cannot_reach_the_advertised_address_is_reached_by_us(void **state)
{
	const struct media_engine_options options = { .address = "127.0.0.2",
						      .advertised = "127.0.0.9",
						      .port_min = RIG_PORTS + 580,
						      .port_max = RIG_PORTS + 599,
						      .threads = 1 };
	struct media_engine *before = exchange(1, &options);

	(void)state;
	assert_non_null(before);
	talk_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_WEBRTC);
	latching = MEDIA_LATCHING_ANY;
	talk_on(engines[1], MEDIA_LEG_WEBRTC, MEDIA_LEG_RTP);
	latching = MEDIA_LATCHING_SIGNALLED;
	put_back(1, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv6_carries_audio_too),
		cmocka_unit_test(without_ice_each_side_is_served_in_its_family),
		cmocka_unit_test(a_peer_without_ice_moves_to_the_other_family),
		cmocka_unit_test(an_answer_of_the_other_family_is_sent_to_from_that),
		cmocka_unit_test(the_address_that_is_named_for_a_side_is_offered),
		cmocka_unit_test(a_lite_agent_is_on_all_addresses),
		cmocka_unit_test(an_advertised_address_stands_wherever_ours_would),
		cmocka_unit_test(a_full_agent_is_on_all_addresses),
		cmocka_unit_test(who_cannot_reach_the_advertised_address_is_reached_by_us),
	};

	return cmocka_run_group_tests_name("media/session_addresses", tests, start_engines,
					   stop_engines);
}
