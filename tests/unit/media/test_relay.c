/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
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
	(void)packet;
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

static void random_packets_never_leave_their_buffer(void **state)
{
	uint8_t packet[RELAY_BUFFER];

	(void)state;
	srand(3);
	for (unsigned n = 0; n < 256 * 64 * 50; n++) {
		size_t length = 2 + n / 256 % 64;

		for (size_t i = 0; i < length; i++)
			packet[i] = (uint8_t)rand();
		packet[0] = (uint8_t)n;
		if (wire_of(packet[0]) != WIRE_RTP)
			continue;
		if (wire_is_rtcp(packet))
			relay_rtcp(&legs[0], packet, length);
		else
			relay_rtp(&legs[0], packet, length);
	}
	assert_true(arrived_rtp > 0); /* one in 128 has the number that is agreed */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(first_bytes_fall_into_their_classes, set_up),
		cmocka_unit_test_setup(
			a_packet_gets_the_other_sides_payload_number_and_keeps_its_marker, set_up),
		cmocka_unit_test_setup(a_payload_number_that_was_not_agreed_is_dropped_and_counted,
				       set_up),
		cmocka_unit_test_setup(lying_lengths_are_dropped, set_up),
		cmocka_unit_test_setup(rtcp_compounds_must_fill_their_datagram, set_up),
		cmocka_unit_test_setup(a_closed_leg_and_a_leg_without_keys_drop, set_up),
		cmocka_unit_test_setup(random_packets_never_leave_their_buffer, set_up),
	};

	return cmocka_run_group_tests_name("media/relay", tests, NULL, NULL);
}
