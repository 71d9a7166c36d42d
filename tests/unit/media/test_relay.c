/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "media/relay.h"

static struct receipt receipts[2];
static struct relay_leg legs[2];
static uint8_t arrived[2048];
static size_t arrived_length;
static unsigned arrived_rtp, arrived_rtcp, firsts;

static void take_rtp(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	(void)leg;
	memcpy(arrived, packet, length);
	arrived_length = length;
	arrived_rtp++;
}

static void take_rtcp(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	(void)leg;
	memcpy(arrived, packet, length);
	arrived_length = length;
	arrived_rtcp++;
}

static const struct relay_ops ops = { take_rtp, take_rtcp };

static void on_first(struct relay_leg *leg)
{
	(void)leg;
	firsts++;
}

static int set_up(void **state)
{
	(void)state;
	memset(receipts, 0, sizeof(receipts));
	relay_leg_init(&legs[0], &legs[1], &receipts[0]);
	relay_leg_init(&legs[1], &legs[0], &receipts[1]);
	legs[1].ops = &ops;
	legs[0].on_first = on_first;
	legs[0].types[8] = 96;
	arrived_rtp = arrived_rtcp = firsts = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	legs[0].sender = sender_unref(legs[0].sender);
	legs[1].sender = sender_unref(legs[1].sender);
	return 0;
}

static size_t rtp(uint8_t *packet, uint8_t type, uint16_t sequence)
{
	memset(packet, 0, 172);
	packet[0] = 0x80;
	packet[1] = type;
	packet[2] = (uint8_t)(sequence >> 8);
	packet[3] = (uint8_t)sequence;
	packet[11] = 1;
	return 172;
}

static void first_bytes_fall_into_their_classes(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		enum wire expected = byte <= 3                    ? WIRE_STUN
				     : byte >= 20 && byte <= 63   ? WIRE_DTLS
				     : byte >= 128 && byte <= 191 ? WIRE_RTP
								  : WIRE_OTHER;

		assert_int_equal(wire_of((uint8_t)byte), expected);
	}
}

static void a_packet_gets_the_other_sides_payload_number_and_keeps_its_marker(void **state)
{
	uint8_t packet[RELAY_BUFFER];

	(void)state;
	relay_rtp(&legs[0], packet, rtp(packet, 0x80 | 8, 1));
	assert_int_equal(arrived_rtp, 1);
	assert_int_equal(arrived[1], 0x80 | 96);
	assert_int_equal(receipts[0].packets_in, 1);
	assert_int_equal(receipts[0].bytes_in, 172);
	assert_int_equal(firsts, 1);
	relay_rtp(&legs[0], packet, rtp(packet, 8, 2));
	assert_int_equal(firsts, 1);
}

static void a_payload_number_that_was_not_agreed_is_dropped_and_counted(void **state)
{
	uint8_t packet[RELAY_BUFFER];

	(void)state;
	relay_rtp(&legs[0], packet, rtp(packet, 0, 1));
	assert_int_equal(arrived_rtp, 0);
	assert_int_equal(receipts[0].dropped_other, 1);
}

static void lying_lengths_are_dropped(void **state)
{
	uint8_t packet[RELAY_BUFFER];

	(void)state;
	assert_int_equal(rtp(packet, 8, 1), 172);
	packet[0] = 0x8f; /* 15 contributing sources */
	assert_false(relay_rtp_is_sound(packet, 71));
	assert_true(relay_rtp_is_sound(packet, 72));
	packet[0] = 0x90; /* extension of 255 words */
	packet[15] = 255;
	assert_false(relay_rtp_is_sound(packet, 172));
	packet[0] = 0xa0; /* padding longer than the payload, and none */
	packet[171] = 161;
	assert_false(relay_rtp_is_sound(packet, 172));
	packet[171] = 0;
	assert_false(relay_rtp_is_sound(packet, 172));
	packet[171] = 160;
	assert_true(relay_rtp_is_sound(packet, 172));
	packet[0] = 0x40;
	assert_false(relay_rtp_is_sound(packet, 172));
	for (size_t length = 0; length < 12; length++)
		assert_false(relay_rtp_is_sound(packet, length));
}

static void rtcp_compounds_must_fill_their_datagram(void **state)
{
	uint8_t report[16] = { 0x80, 201, 0, 1, 0, 0, 0, 1, 0x81, 202, 0, 1, 0, 0, 0, 1 };

	(void)state;
	for (size_t length = 0; length < 16; length++)
		assert_int_equal(relay_rtcp_is_sound(report, length), length == 8);
	assert_true(relay_rtcp_is_sound(report, 16));
	report[11] = 2;
	assert_false(relay_rtcp_is_sound(report, 16));
	report[11] = 1;
	report[9] = 100; /* not an RTCP packet type */
	assert_false(relay_rtcp_is_sound(report, 16));
	relay_rtcp(&legs[0], report, 4);
	assert_int_equal(arrived_rtcp, 0);
	assert_int_equal(receipts[0].dropped_other, 1);
	relay_rtcp(&legs[0], report, 8);
	assert_int_equal(arrived_rtcp, 1);
	assert_int_equal(receipts[0].rtcp_in, 1);
}

static void a_closed_leg_and_a_leg_without_keys_drop(void **state)
{
	uint8_t packet[RELAY_BUFFER];

	(void)state;
	legs[1].ops = &relay_ops_closed;
	relay_rtp(&legs[0], packet, rtp(packet, 8, 1));
	assert_int_equal(receipts[1].dropped_other, 1);
	relay_srtp(&legs[0], packet, rtp(packet, 8, 1));
	assert_int_equal(receipts[0].dropped_other, 1);
}

static void put(uint8_t *bytes, uint32_t word)
{
	sender_put_word(bytes, word);
}

static void own_streams(void)
{
	assert_int_equal(sender_create(&legs[0].sender), 0);
	assert_int_equal(sender_create(&legs[1].sender), 0);
	legs[0].ops = &ops;
}

/* From leg 0 with this SSRC; true: it went on. */
static bool speak(uint32_t ssrc, uint16_t sequence)
{
	uint8_t packet[RELAY_BUFFER];
	unsigned before = arrived_rtp;

	(void)rtp(packet, 8, sequence);
	put(packet + 4, sequence * 160u);
	put(packet + 8, ssrc);
	relay_rtp(&legs[0], packet, 172);
	return arrived_rtp > before;
}

static void what_leaves_is_one_stream_of_ours(void **state)
{
	uint16_t first;

	(void)state;
	own_streams();
	assert_true(speak(7, 100));
	first = (uint16_t)(arrived[2] << 8 | arrived[3]);
	assert_int_equal(relay_word_at(arrived + 8), legs[1].sender->ssrc);
	assert_int_equal(arrived[1], 96);
	assert_true(speak(8, 9000));
	assert_int_equal((uint16_t)((arrived[2] << 8 | arrived[3]) - first), 1);
	assert_int_equal(relay_word_at(arrived + 8), legs[1].sender->ssrc);
	assert_int_equal(arrived[1], 0x80 | 96);
	assert_false(speak(7, 99)); /* of the one before */
	assert_int_equal(receipts[1].dropped_other, 1);
	legs[1].ops = &relay_ops_closed; /* what nobody gets has no number */
	assert_false(speak(8, 9001));
	legs[1].ops = &ops;
	assert_true(speak(8, 9001));
	assert_int_equal((uint16_t)((arrived[2] << 8 | arrived[3]) - first), 2);
}

static void digits_of_another_ssrc_are_no_loss_of_the_speech(void **state)
{
	uint8_t packet[RELAY_BUFFER];
	uint16_t first = 0;

	(void)state;
	own_streams();
	legs[0].types[101] = 97;
	legs[0].events[101 / 64] = UINT64_C(1) << 101 % 64;
	quality_agree(&legs[0].quality, &receipts[0], 8000, /* sends= */ true);
	clock_fake_set(1000);
	for (uint16_t i = 0; i < 50; i++, clock_fake_advance(20)) {
		assert_true(speak(7, (uint16_t)(100 + i)));
		assert_int_equal(arrived[1], 96); /* no talk spurt begins */
		if (i == 0)
			first = (uint16_t)(arrived[2] << 8 | arrived[3]);
		assert_int_equal((uint16_t)((arrived[2] << 8 | arrived[3]) - first), 2 * i);
		(void)rtp(packet, 101, (uint16_t)(30000 + i));
		put(packet + 4, 777);
		put(packet + 8, 8);
		relay_rtp(&legs[0], packet, 16);
		assert_int_equal(arrived[1], i == 0 ? 0x80 | 97 : 97);
		assert_int_equal(relay_word_at(arrived + 8), legs[1].sender->ssrc);
		assert_int_equal((uint16_t)((arrived[2] << 8 | arrived[3]) - first), 2 * i + 1);
	}
	assert_int_equal(legs[0].quality.ssrc, 7);
	assert_int_equal(receipts[0].packets_in, 100);
	assert_int_equal(receipts[0].lost + receipts[0].reordered + receipts[0].duplicates, 0);
	assert_true(speak(7, 151)); /* one is lost, and counted once */
	assert_int_equal(receipts[0].lost, 1);
	clock_real();
}

/* The report of leg 1's peer about what it got of leg 0's. */
static void reports_find_the_stream_that_is_sent_there_now(void **state)
{
	uint8_t report[RELAY_BUFFER] = { 0x81, 201, 0, 7, 0, 0, 0, 55 };

	(void)state;
	own_streams();
	assert_true(speak(7, 100));
	put(report + 8, legs[1].sender->ssrc);
	put(report + 16, (uint32_t)(arrived[2] << 8 | arrived[3]));
	relay_rtcp(&legs[1], report, 32);
	assert_int_equal(arrived_rtcp, 1);
	assert_int_equal(arrived_length, 32);
	assert_int_equal(relay_word_at(arrived + 4), legs[0].sender->ssrc);
	assert_int_equal(relay_word_at(arrived + 8), 7);
	assert_int_equal(relay_word_at(arrived + 16), 100);
	assert_true(receipts[1].reported);

	assert_true(speak(8, 9000)); /* the same report comes again, about the one before */
	memcpy(report, (const uint8_t[]){ 0x81, 201, 0, 7 }, 4);
	put(report + 8, legs[1].sender->ssrc);
	put(report + 16, legs[1].sender->next - 2);
	relay_rtcp(&legs[1], report, 32);
	assert_int_equal(arrived_length, 8);
}

static void a_senders_report_tells_of_our_stream(void **state)
{
	uint8_t report[RELAY_BUFFER] = { 0x80, 200, 0, 6, 0, 0, 0, 7 };
	uint8_t bye[RELAY_BUFFER] = { 0x81, 203, 0, 1, 0, 0, 0, 7 };
	uint32_t out;

	(void)state;
	own_streams();
	assert_true(speak(7, 100));
	assert_true(speak(7, 101));
	out = relay_word_at(arrived + 4);
	put(report + 16, 101 * 160 + 50);
	put(report + 20, 5000);
	relay_rtcp(&legs[0], report, 28);
	assert_int_equal(arrived_length, 28);
	assert_int_equal(relay_word_at(arrived + 4), legs[1].sender->ssrc);
	assert_int_equal(relay_word_at(arrived + 16), out + 50);
	assert_int_equal(relay_word_at(arrived + 20), 2);
	assert_int_equal(relay_word_at(arrived + 24), 2 * 160);
	relay_rtcp(&legs[0], bye, 8);
	assert_int_equal(arrived_rtcp, 1);
	assert_true(speak(7, 102));
}

static void an_ssrc_that_the_peer_has_too_is_left_with_a_bye(void **state)
{
	uint32_t before;

	(void)state;
	own_streams();
	before = legs[0].sender->ssrc;
	assert_true(speak(before, 100));
	assert_int_equal(arrived_rtcp, 1);
	assert_int_not_equal(legs[0].sender->ssrc, before);
	assert_int_equal(arrived_rtcp, 1);
}

static uint32_t next_random(void)
{
	static uint32_t x = 2463534242; /* xorshift32: the same each time */

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

/* Each first byte, 64 lengths, a thousand bodies each: by RFC 7983 it is of one class, and
 * what is RTP or RTCP goes on whole or is counted. Behind an RTP packet nothing is
 * written, and with the sanitizers nothing is read: it ends where its memory ends. */
static void random_packets_never_leave_their_buffer(void **state)
{
	enum { LENGTHS = 64, BODIES = 1000 };
	uint8_t room[RELAY_BUFFER]; /* a report may get a longer name */
	uint64_t judged = 0;

	(void)state;
	own_streams();
	for (size_t length = 2; length < 2 + LENGTHS; length++) {
		uint8_t *packet = test_malloc(length); /* cmocka looks behind it when it goes */
		uint32_t words[(LENGTHS + 2) / 4 + 1];

		for (unsigned n = 0; n < 256 * BODIES; n++) {
			for (size_t i = 0; i < ARRAY_SIZE(words); i++)
				words[i] = next_random();
			memcpy(packet, words, length);
			packet[0] = (uint8_t)n;
			if (wire_of(packet[0]) != WIRE_RTP)
				continue;
			judged++;
			if (wire_is_rtcp(packet))
				relay_rtcp(&legs[0], memcpy(room, packet, length), length);
			else
				relay_rtp(&legs[0], packet, length);
		}
		test_free(packet);
	}
	assert_int_equal(judged, (uint64_t)64 * LENGTHS * BODIES);
	/* A source's BYE alone goes no further, and is no loss. */
	assert_in_range(arrived_rtp + arrived_rtcp + receipts[0].dropped_other +
				receipts[1].dropped_other,
			judged - 10, judged);
	assert_true(arrived_rtp > 0); /* one in 128 has the number that is agreed */
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(first_bytes_fall_into_their_classes),
		T(a_packet_gets_the_other_sides_payload_number_and_keeps_its_marker),
		T(a_payload_number_that_was_not_agreed_is_dropped_and_counted),
		T(lying_lengths_are_dropped),
		T(rtcp_compounds_must_fill_their_datagram),
		T(a_closed_leg_and_a_leg_without_keys_drop),
		T(what_leaves_is_one_stream_of_ours),
		T(digits_of_another_ssrc_are_no_loss_of_the_speech),
		T(reports_find_the_stream_that_is_sent_there_now),
		T(a_senders_report_tells_of_our_stream),
		T(an_ssrc_that_the_peer_has_too_is_left_with_a_bye),
		T(random_packets_never_leave_their_buffer),
	};

	return cmocka_run_group_tests_name("media/relay", tests, NULL, NULL);
}
