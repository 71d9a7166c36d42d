/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "media/plain.h"

static struct plain_latch latch;
static union net_address named, named_rtcp, other_port, attacker;
static const union net_address nowhere;
static mono_ms now_ms;

static int set_up(void **state)
{
	(void)state;
	memset(&latch, 0, sizeof(latch));
	now_ms = 0;
	if (net_parse("198.51.100.1", 4000, &named) ||
	    net_parse("198.51.100.1", 4001, &named_rtcp) ||
	    net_parse("198.51.100.1", 6000, &other_port) ||
	    net_parse("203.0.113.9", 4000, &attacker))
		return -1;
	plain_latch_set(&latch, &named, &named_rtcp, false, 0);
	return 0;
}

static bool sends_to(const union net_address *address, bool rtcp)
{
	union net_address to;

	return plain_latch_to(&latch, rtcp, &to) && net_equal(&to, address);
}

/* A packet of the stream that each address here sends: one every 5 ms at most. */
static bool rtp_from(const union net_address *from, mono_ms now)
{
	uint16_t sequence = (uint16_t)(now / 5);
	uint8_t packet[12] = { 0x80, 8, (uint8_t)(sequence >> 8), (uint8_t)sequence };

	memcpy(packet + 8, &from->v4.sin_port, 2);
	return plain_latch_rtp(&latch, from, packet, now);
}

static bool takes_one(const union net_address *from, uint8_t type, uint32_t ssrc, uint16_t sequence)
{
	uint8_t packet[12] = { 0x80, type, (uint8_t)(sequence >> 8), (uint8_t)sequence };

	memcpy(packet + 8, &ssrc, sizeof(ssrc));
	return plain_latch_rtp(&latch, from, packet, now_ms) &&
	       plain_latch_stream(&latch, packet, /* event= */ type == 101, now_ms);
}

/* One of another stream, of whoever may send, 20 ms later. */
static bool taken(const union net_address *from, uint32_t ssrc, uint16_t sequence)
{
	now_ms += 20;
	return takes_one(from, 8, ssrc, sequence);
}

static bool pressed(const union net_address *from, uint32_t ssrc, uint16_t sequence)
{
	now_ms += 20;
	return takes_one(from, 101, ssrc, sequence);
}

static void the_named_address_is_believed_at_once(void **state)
{
	(void)state;
	assert_true(sends_to(&named, false));
	assert_true(sends_to(&named_rtcp, true));
	assert_true(rtp_from(&named, 1));
	assert_true(plain_latch_rtcp(&latch, &named_rtcp));
	assert_int_equal(latch.lock, PLAIN_NAMED);
}

static void a_foreign_host_is_never_believed_when_the_named_one_is_public(void **state)
{
	(void)state;
	for (mono_ms now = 0; now < 20000; now += 20)
		assert_false(rtp_from(&attacker, now));
	assert_false(plain_latch_rtcp(&latch, &attacker));
	assert_true(sends_to(&named, false));
	assert_true(rtp_from(&named, 20000));
}

static void another_port_of_the_named_host_is_learned_after_its_probation(void **state)
{
	mono_ms now = 0;
	union net_address rtcp = other_port;

	(void)state;
	for (; now < PLAIN_PROBATION_MS; now += 20) {
		assert_false(rtp_from(&other_port, now));
		assert_true(sends_to(&named, false)); /* not a byte to it yet */
	}
	assert_true(rtp_from(&other_port, now));
	assert_true(sends_to(&other_port, false));
	net_set_port(&rtcp, 6001);
	assert_true(sends_to(&rtcp, true));
}

static bool spray(uint32_t ssrc, uint16_t sequence, mono_ms now)
{
	uint8_t packet[12] = { 0x80, 8, (uint8_t)(sequence >> 8), (uint8_t)sequence };

	memcpy(packet + 8, &ssrc, sizeof(ssrc));
	return plain_latch_rtp(&latch, &other_port, packet, now);
}

static void a_stream_that_does_not_go_on_is_not_learned(void **state)
{
	(void)state;
	for (mono_ms now = 0; now < 3000; now += 20)
		assert_false(spray(/* ssrc= */ (uint32_t)now, (uint16_t)(now / 20), now));
	for (mono_ms now = 3000; now < 6000; now += 20)
		assert_false(spray(7, /* sequence= */ 5, now)); /* one packet, again and again */
	for (mono_ms now = 6000; now < 9000; now += 20)
		assert_false(spray(7, (uint16_t)(now * 40503), now));
	assert_true(sends_to(&named, false));
}

/* On its way packets are lost, repeated, and overtaken. */
static void a_stream_in_bad_weather_is_learned(void **state)
{
	uint16_t sequence = 65530;
	mono_ms now = 0;

	(void)state;
	for (; latch.lock == PLAIN_OPEN && now < 2000; now += 20, sequence++) {
		if (sequence % 5 == 0)
			continue;
		(void)spray(7, sequence, now);
		if (sequence % 3 == 0)
			(void)spray(7, sequence, now);
		if (sequence % 4 == 0)
			(void)spray(7, (uint16_t)(sequence - 3), now);
	}
	assert_in_range(now, PLAIN_PROBATION_MS, PLAIN_PROBATION_MS + 60);
}

/* The RTP bleed: spray from the start, the legitimate party comes later. */
static void a_sprayer_gets_nothing_and_injects_nothing(void **state)
{
	(void)state;
	for (mono_ms now = 0; now < 200; now += 5)
		assert_false(rtp_from(&other_port, now));
	for (mono_ms now = 200; now < 8000; now += 5) {
		assert_false(rtp_from(&other_port, now));
		if (now % 20 == 0)
			assert_true(rtp_from(&named, now));
		assert_true(sends_to(&named, false));
	}
}

/* Behind a NAT, and a sprayer was there before: by the address alone nobody can tell who is
 * who, unless one of them is where the SIP comes from. */
static void of_two_that_apply_the_one_beside_its_sip_is_learned(void **state)
{
	union net_address inside, late = other_port;
	mono_ms now = 0;

	(void)state;
	assert_int_equal(net_parse("192.168.1.7", 4000, &inside), 0);
	latch.learns = MEDIA_LATCHING_ANY;
	latch.near = other_port;
	plain_latch_set(&latch, &inside, &inside, true, 0);
	for (; now < 200; now += 5)
		assert_false(rtp_from(&attacker, now));
	for (; latch.lock == PLAIN_OPEN && now < 2000; now += 5) {
		assert_false(rtp_from(&attacker, now));
		(void)rtp_from(&late, now);
	}
	assert_int_equal(now, 200 + PLAIN_PROBATION_MS + 5);
	assert_true(sends_to(&late, false));
	assert_false(rtp_from(&attacker, now));
}

static void of_two_that_apply_from_anywhere_neither_is_learned(void **state)
{
	union net_address inside;
	mono_ms now = 0;

	(void)state;
	assert_int_equal(net_parse("192.168.1.7", 4000, &inside), 0);
	latch.learns = MEDIA_LATCHING_ANY;
	plain_latch_set(&latch, &inside, &inside, true, 0);
	for (; now < 200; now += 5)
		assert_false(rtp_from(&attacker, now));
	for (; now < 5000; now += 5) {
		assert_false(rtp_from(&attacker, now));
		assert_false(rtp_from(&other_port, now));
	}
	while (!rtp_from(&other_port, now) && now < 6000) /* the sprayer has gone */
		now += 5;
	assert_true(sends_to(&other_port, false));
}

static void the_named_address_overrules_a_learned_one(void **state)
{
	(void)state;
	for (mono_ms now = 0; now <= PLAIN_PROBATION_MS; now += 20)
		(void)rtp_from(&other_port, now);
	assert_int_equal(latch.lock, PLAIN_LEARNED);
	assert_true(rtp_from(&named, 2000));
	assert_true(sends_to(&named, false));
	assert_false(rtp_from(&other_port, 2010));
}

static void the_window_closes(void **state)
{
	(void)state;
	for (mono_ms now = PLAIN_WINDOW_MS + 1; now < PLAIN_WINDOW_MS + 5000; now += 20)
		assert_false(rtp_from(&other_port, now));
}

static void it_opens_again_for_who_sends_only_once_the_call_is_answered(void **state)
{
	const mono_ms answered = 6 * PLAIN_WINDOW_MS; /* it rang for a minute */

	(void)state;
	assert_false(rtp_from(&other_port, answered - 20));
	plain_latch_answered(&latch, answered);
	for (mono_ms now = answered; now <= answered + PLAIN_PROBATION_MS; now += 20)
		(void)rtp_from(&other_port, now);
	assert_int_equal(latch.lock, PLAIN_LEARNED);
}

/* Whether what comes from there is learned, of a peer whose SDP says 192.168.1.7. */
static bool learned_inside(enum media_latching learns, const union net_address *from)
{
	union net_address inside;
	bool learned = false;

	memset(&latch, 0, sizeof(latch));
	latch.learns = learns;
	assert_int_equal(net_parse("198.51.100.1", 0, &latch.near), 0);
	assert_int_equal(net_parse("192.168.1.7", 4000, &inside), 0);
	plain_latch_set(&latch, &inside, &inside, true, 0);
	for (mono_ms now = 0; now <= PLAIN_PROBATION_MS; now += 20)
		learned = rtp_from(from, now);
	assert_int_equal(learned, sends_to(from, true)); /* rtcp-mux: the same port */
	return learned;
}

static void a_private_address_is_learned_from_where_its_sip_comes_from(void **state)
{
	(void)state;
	assert_true(learned_inside(MEDIA_LATCHING_SIGNALLED, &other_port));
	assert_false(learned_inside(MEDIA_LATCHING_SIGNALLED, &attacker));
	assert_true(learned_inside(MEDIA_LATCHING_ANY, &other_port));
	assert_true(learned_inside(MEDIA_LATCHING_ANY, &attacker));
	assert_false(learned_inside(MEDIA_LATCHING_OFF, &other_port));
}

static void without_latching_only_the_named_address_is_believed(void **state)
{
	(void)state;
	latch.learns = MEDIA_LATCHING_OFF;
	for (mono_ms now = 0; now < 2000; now += 20)
		assert_false(rtp_from(&other_port, now));
	assert_false(plain_latch_admits(&latch, &other_port, 10)); /* with SRTP either */
	assert_true(plain_latch_admits(&latch, &named, 10));
	assert_true(rtp_from(&named, 2000));
}

/* RFC 3550 A.1: a source is valid once some packets of it are in sequence. */
static void another_ssrc_is_on_probation_while_the_stream_goes_on(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 500; i++) {
		assert_true(taken(&named, 1, (uint16_t)(65400 + i)));
		assert_false(taken(&named, 2, i)); /* it can forge the address */
	}
	for (uint16_t i = 0; i < PLAIN_SEQUENTIAL - 1; i++)
		assert_false(taken(&named, 3, i));
	assert_true(taken(&named, 3, PLAIN_SEQUENTIAL - 1));
	assert_true(taken(&named, 3, PLAIN_SEQUENTIAL));
	assert_false(taken(&named, 1, 364)); /* which is the foreign one then */
	assert_true(taken(&named, 3, PLAIN_SEQUENTIAL + 1));
}

static void a_burst_between_two_packets_ends_no_stream(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 100; i++) {
		assert_true(taken(&named, 1, (uint16_t)(500 + i)));
		for (uint16_t k = 0; k < 10; k++) {
			assert_false(takes_one(&named, 8, 2, (uint16_t)(i * 10 + k)));
			assert_false(takes_one(&named, 8, 1, (uint16_t)(30000 + i * 10 + k)));
		}
		for (uint16_t k = 0; k < 10; k++)
			assert_false(takes_one(&named, 8, 3, k));
	}
	now_ms += PLAIN_SILENT_MS;
	assert_false(takes_one(&named, 8, 4, 0));
	assert_false(takes_one(&named, 8, 4, 1));
	assert_true(
		takes_one(&named, 8, 4, 2)); /* all of it waited somewhere, as on a radio network */
}

static void random_numbers_never_become_the_stream(void **state)
{
	(void)state;
	assert_true(taken(&named, 1, 100));
	for (unsigned i = 0; i < 10000; i++) {
		uint16_t sequence = (uint16_t)(10000 + i * 40503u % 40000u);

		assert_false(taken(&named, 1, sequence)); /* the SSRC is guessed */
		assert_false(taken(&named, i + 2, sequence));
	}
	assert_true(taken(&named, 1, 101));
}

static void a_jump_counts_once_it_goes_on(void **state)
{
	(void)state;
	assert_true(taken(&named, 1, 100));
	assert_true(taken(&named, 1, 102));
	assert_true(taken(&named, 1, 101));  /* reordered, */
	assert_true(taken(&named, 1, 2900)); /* or after much was lost */
	assert_true(taken(&named, 1, 2850));
	assert_false(taken(&named, 1, 30000));
	assert_false(taken(&named, 1, 30001));
	assert_true(taken(&named, 1, 30002));
	assert_false(taken(&named, 1, 2901));
}

static void the_stream_of_a_learned_address_is_bound_too(void **state)
{
	mono_ms now = 0;

	(void)state;
	while (!rtp_from(&other_port, now))
		now += 20;
	assert_true(taken(&other_port, 7, 100));
	assert_false(taken(&other_port, 8, 100));
	assert_true(taken(&named, 9, 5)); /* the named one begins with any */
	assert_false(taken(&named, 7, 101));
	assert_false(taken(&other_port, 7, 101));
	assert_false(taken(&attacker, 9, 6));
}

/* As some gateways send them: an SSRC of their own, and the speech goes on. */
static void digits_of_another_ssrc_are_taken_beside_the_speech(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 100; i++) {
		assert_true(taken(&named, 1, (uint16_t)(500 + i)));
		assert_int_equal(pressed(&named, 2, (uint16_t)(65534 + i)),
				 i >= PLAIN_SEQUENTIAL - 1);
	}
	assert_true(pressed(&named, 1, 600)); /* or under that of the speech */
	assert_true(taken(&named, 1, 601));
	assert_false(pressed(&attacker, 2, 98));
	assert_false(taken(&named, 2, 98)); /* which makes it no speech */
	assert_true(taken(&named, 1, 602));
}

static void digits_may_share_the_numbers_of_the_speech(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 20; i += 2) {
		assert_true(taken(&named, 1, (uint16_t)(500 + i)));
		assert_int_equal(pressed(&named, 2, (uint16_t)(501 + i)),
				 i >= 2 * (PLAIN_SEQUENTIAL - 1));
	}
}

static void other_digits_wait_while_those_in_force_go_on(void **state)
{
	(void)state;
	assert_true(taken(&named, 1, 500));
	for (uint16_t i = 0; i < 3; i++)
		(void)pressed(&named, 2, i);
	for (uint16_t i = 3; i < 50; i++) {
		assert_true(pressed(&named, 2, i));
		assert_false(pressed(&named, 3, i));
		assert_false(pressed(&named, 10u + i, i)); /* never the same twice */
	}
	for (uint16_t i = 0; i < PLAIN_SEQUENTIAL; i++)
		assert_int_equal(pressed(&named, 4, i), i == PLAIN_SEQUENTIAL - 1);
	assert_true(taken(&named, 1, 501)); /* nothing of it touches the speech */
}

static void who_begins_with_a_digit_is_heard_from_the_first_packet_on(void **state)
{
	(void)state;
	assert_true(pressed(&named, 2, 100));
	assert_false(pressed(&named, 3, 100));
	assert_true(pressed(&named, 2, 101));
	assert_true(taken(&named, 1, 7)); /* the speech has another SSRC, */
	assert_true(pressed(&named, 2, 102));
	plain_latch_set(&latch, &other_port, &other_port, true, 0);
	assert_true(pressed(&other_port, 2, 100));
	assert_true(taken(&other_port, 2, 101)); /* or the same */
	assert_true(pressed(&other_port, 2, 102));
}

static void an_unchanged_re_offer_keeps_the_lock_and_a_moved_one_opens_it(void **state)
{
	(void)state;
	assert_true(rtp_from(&named, 1));
	plain_latch_set(&latch, &named, &named_rtcp, false, 50000);
	assert_int_equal(latch.lock, PLAIN_NAMED);
	plain_latch_set(&latch, &other_port, &other_port, true, 60000);
	assert_int_equal(latch.lock, PLAIN_OPEN);
	assert_true(sends_to(&other_port, false));
}

static void a_hold_address_gets_nothing(void **state)
{
	union net_address zero, to;

	(void)state;
	assert_int_equal(net_parse("0.0.0.0", 4000, &zero), 0);
	plain_latch_set(&latch, &zero, &zero, false, 0);
	assert_false(plain_latch_to(&latch, false, &to));
	plain_latch_set(&latch, &nowhere, &nowhere, false, 0);
	assert_false(plain_latch_to(&latch, true, &to));
	assert_false(rtp_from(&attacker, 10));
}

static void who_proves_itself_within_the_window_is_believed_at_once(void **state)
{
	(void)state;
	assert_true(plain_latch_admits(&latch, &attacker, 10));
	assert_true(sends_to(&named, false)); /* trying moves nothing */
	plain_latch_proven(&latch, &other_port);
	assert_true(sends_to(&other_port, false));
	assert_false(plain_latch_admits(&latch, &attacker, 20)); /* not even decrypted */
	assert_true(plain_latch_admits(&latch, &named, 20));
	plain_latch_proven(&latch, &named);
	assert_true(sends_to(&named, false));
}

static void nobody_but_the_named_may_prove_itself_after_the_window(void **state)
{
	(void)state;
	assert_false(plain_latch_admits(&latch, &attacker, PLAIN_WINDOW_MS + 1));
	assert_true(plain_latch_admits(&latch, &named, PLAIN_WINDOW_MS + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_named_address_is_believed_at_once, set_up),
		cmocka_unit_test_setup(
			a_foreign_host_is_never_believed_when_the_named_one_is_public, set_up),
		cmocka_unit_test_setup(
			another_port_of_the_named_host_is_learned_after_its_probation, set_up),
		cmocka_unit_test_setup(a_stream_in_bad_weather_is_learned, set_up),
		cmocka_unit_test_setup(a_sprayer_gets_nothing_and_injects_nothing, set_up),
		cmocka_unit_test_setup(of_two_that_apply_the_one_beside_its_sip_is_learned, set_up),
		cmocka_unit_test_setup(of_two_that_apply_from_anywhere_neither_is_learned, set_up),
		cmocka_unit_test_setup(the_named_address_overrules_a_learned_one, set_up),
		cmocka_unit_test_setup(the_window_closes, set_up),
		cmocka_unit_test_setup(it_opens_again_for_who_sends_only_once_the_call_is_answered,
				       set_up),
		cmocka_unit_test_setup(a_private_address_is_learned_from_where_its_sip_comes_from,
				       set_up),
		cmocka_unit_test_setup(without_latching_only_the_named_address_is_believed, set_up),
		cmocka_unit_test_setup(another_ssrc_is_on_probation_while_the_stream_goes_on,
				       set_up),
		cmocka_unit_test_setup(a_burst_between_two_packets_ends_no_stream, set_up),
		cmocka_unit_test_setup(random_numbers_never_become_the_stream, set_up),
		cmocka_unit_test_setup(a_jump_counts_once_it_goes_on, set_up),
		cmocka_unit_test_setup(the_stream_of_a_learned_address_is_bound_too, set_up),
		cmocka_unit_test_setup(digits_of_another_ssrc_are_taken_beside_the_speech, set_up),
		cmocka_unit_test_setup(digits_may_share_the_numbers_of_the_speech, set_up),
		cmocka_unit_test_setup(other_digits_wait_while_those_in_force_go_on, set_up),
		cmocka_unit_test_setup(who_begins_with_a_digit_is_heard_from_the_first_packet_on,
				       set_up),
		cmocka_unit_test_setup(
			an_unchanged_re_offer_keeps_the_lock_and_a_moved_one_opens_it, set_up),
		cmocka_unit_test_setup(a_hold_address_gets_nothing, set_up),
		cmocka_unit_test_setup(who_proves_itself_within_the_window_is_believed_at_once,
				       set_up),
		cmocka_unit_test_setup(nobody_but_the_named_may_prove_itself_after_the_window,
				       set_up),
		cmocka_unit_test_setup(a_stream_that_does_not_go_on_is_not_learned, set_up),
	};

	return cmocka_run_group_tests_name("media/plain", tests, NULL, NULL);
}
