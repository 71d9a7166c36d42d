/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "media/quality.h"

#define MS UINT64_C(1000000)

static struct receipt receipts[2];
static struct quality qualities[2];

static int set_up(void **state)
{
	(void)state;
	memset(receipts, 0, sizeof(receipts));
	memset(qualities, 0, sizeof(qualities));
	quality_agree(&qualities[0], &receipts[0], 8000, /* sends= */ true);
	return 0;
}

static void hear(uint32_t ssrc, uint16_t number, uint32_t timestamp, uint64_t now_ms)
{
	uint8_t packet[12] = { 0x80, 8 };

	packet[2] = (uint8_t)(number >> 8);
	packet[3] = (uint8_t)number;
	for (unsigned i = 0; i < 4; i++) {
		packet[4 + i] = (uint8_t)(timestamp >> (24 - 8 * i));
		packet[8 + i] = (uint8_t)(ssrc >> (24 - 8 * i));
	}
	receipt_add(&receipts[0].packets_in, 1);
	quality_packet(&qualities[0], &receipts[0], packet, (1000 + now_ms) * MS);
}

static struct media_receipt receipt(void)
{
	struct media_receipt receipt;

	receipt_read(&receipts[0], &receipt);
	return receipt;
}

static struct media_receipt after(const uint16_t *numbers, unsigned count)
{
	(void)set_up(NULL);
	for (unsigned i = 0; i < count; i++)
		hear(1, numbers[i], numbers[i] * 160u, i * 20u);
	return receipt();
}
#define AFTER(...)                                                                                 \
	after((const uint16_t[]){ __VA_ARGS__ },                                                   \
	      sizeof((const uint16_t[]){ __VA_ARGS__ }) / sizeof(uint16_t))

static void loss_is_counted_over_wraps_reorder_and_restarts(void **state)
{
	(void)state;
	assert_int_equal(AFTER(1, 2, 3).lost, 0);
	assert_int_equal(AFTER(1, 2, 5).lost, 2);
	assert_int_equal(AFTER(1, 3, 2, 4).lost, 0);
	assert_int_equal(AFTER(65534, 65535, 0, 2).lost, 1);
	assert_int_equal(AFTER(1, 4, 30000, 30001).lost, 2);
	assert_int_equal(AFTER(0, 65535, 1).lost, 0); /* the first came late */
}

static void what_came_twice_hides_no_loss(void **state)
{
	struct media_receipt receipt = AFTER(7, 7, 7, 10);

	(void)state;
	assert_int_equal(receipt.duplicates, 2);
	assert_int_equal(receipt.reordered, 0);
	assert_int_equal(receipt.lost, 2);
}

static void late_packets_are_told_from_copies(void **state)
{
	struct media_receipt receipt = AFTER(1, 2, 5, 3, 4, 3, 6);

	(void)state;
	assert_int_equal(receipt.reordered, 2);
	assert_int_equal(receipt.duplicates, 1);
	assert_int_equal(receipt.lost, 0);
	receipt = AFTER(1, 200, 2);
	assert_int_equal(receipt.reordered, 1);
	assert_int_equal(receipt.lost, 197);
}

static void a_new_source_keeps_what_the_last_one_lost(void **state)
{
	(void)state;
	hear(1, 1, 160, 0);
	hear(1, 3, 480, 40);
	hear(2, 700, 5, 60);
	hear(2, 702, 325, 100);
	assert_int_equal(receipt().lost, 2);
}

static void an_even_stream_has_no_jitter(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		hear(1, (uint16_t)i, i * 160, i * 20);
	assert_int_equal(receipt().jitter_us, 0);
	assert_int_equal(receipt().gap_ms, 20);
}

/* Every second packet 10 ms late: |D| is 80 units each time, and J tends to it. */
static void jitter_is_that_of_rfc_3550(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 400; i++)
		hear(1, (uint16_t)i, i * 160, i * 20 + (i % 2) * 10);
	assert_in_range(receipt().jitter_us, 9800, 10100);
	assert_int_equal(receipt().gap_ms, 30);
}

static void repeated_and_late_timestamps_are_no_jitter(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 50; i++) { /* a key: all its packets have its timestamp */
		hear(1, (uint16_t)(2 * i), i * 160, i * 20);
		hear(1, (uint16_t)(2 * i + 1), 0, i * 20);
	}
	assert_int_equal(receipt().jitter_us, 0);
}

static void a_jump_of_the_senders_clock_is_no_jitter(void **state)
{
	(void)state;
	hear(1, 1, 160, 0);
	hear(1, 2, 160 + 800000, 20);
	hear(1, 3, 320 + 800000, 40);
	assert_int_equal(receipt().jitter_us, 0);
}

static void the_longest_gap_leaves_hold_out(void **state)
{
	(void)state;
	hear(1, 1, 160, 0);
	hear(1, 2, 320, 420);
	quality_agree(&qualities[0], &receipts[0], 8000, /* sends= */ false);
	assert_false(receipt().sends);
	quality_agree(&qualities[0], &receipts[0], 8000, /* sends= */ true);
	hear(1, 3, 480, 90000);
	assert_int_equal(receipt().gap_ms, 420);
}

#define OUR_SSRC 9
static uint8_t about = OUR_SSRC; /* what a report is about */
static int32_t told_lost;

/* What the peer 1 sends passes to peer 0, which answers by a report. */
static void pass(unsigned from, uint8_t type, uint32_t middle, uint32_t delay, uint64_t now_ms)
{
	uint8_t packet[52] = { 0x80, 200, 0, 6 };
	size_t length = 28;
	uint8_t *block = packet + 8;

	if (type == 201) {
		memcpy(packet, (const uint8_t[]){ 0x81, 201, 0, 7 }, 4);
		length = 32;
		block[3] = about;
		block[4] = 26;
		block[7] = 3;
		block[15] = 80;
		for (unsigned i = 0; i < 4; i++) {
			block[16 + i] = (uint8_t)(middle >> (24 - 8 * i));
			block[20 + i] = (uint8_t)(delay >> (24 - 8 * i));
		}
	} else {
		for (unsigned i = 0; i < 4; i++)
			packet[10 + i] = (uint8_t)(middle >> (24 - 8 * i));
	}
	quality_reports(&qualities[from], &qualities[!from], &receipts[from], OUR_SSRC, packet,
			length, (1000 + now_ms) * MS, &told_lost);
}

static void the_round_trip_is_that_of_one_leg(void **state)
{
	(void)state;
	pass(1, 200, 0xabcd0001, 0, 0);
	pass(1, 200, 0xabcd0002, 0, 500);
	pass(0, 201, 0xabcd0001, 65536 / 2, 540); /* kept for half a second */
	assert_int_equal(receipt().rtt_us, 40000);
	assert_int_equal(receipts[1].rtt_us, 0);
}

static void reports_about_what_never_passed_measure_nothing(void **state)
{
	(void)state;
	pass(0, 201, 0xabcd0001, 0, 10);
	pass(1, 200, 0xabcd0001, 0, 20);
	pass(0, 201, 0xabcd0001, 65536, 30); /* kept longer than it has been gone */
	pass(0, 201, 0, 0, 30);
	assert_int_equal(receipt().rtt_us, 0);
}

static void what_the_peer_receives_is_told(void **state)
{
	(void)state;
	told_lost = 0;
	about = OUR_SSRC + 1; /* no stream of ours */
	pass(0, 201, 0, 0, 10);
	about = OUR_SSRC;
	assert_false(receipt().reported);
	assert_int_equal(told_lost, 0);
	pass(0, 201, 1, 0, 10);
	assert_true(receipt().reported);
	assert_int_equal(receipt().reported_percent, 10);
	assert_int_equal(receipt().reported_lost, 3);
	assert_int_equal(told_lost, 3);
	assert_int_equal(receipt().reported_jitter_us, 10000);
}

static void what_is_told_of_a_stream_begins_with_it(void **state)
{
	(void)state;
	assert_int_equal(quality_lost(&qualities[0]), 0); /* none has come yet */
	hear(1, 1, 160, 0);
	hear(1, 4, 640, 60);
	assert_int_equal(quality_lost_untold(&qualities[0]), 2);
	quality_told(&qualities[0]);
	hear(1, 6, 960, 100);
	assert_int_equal(quality_lost_untold(&qualities[0]), 1);
	hear(2, 700, 5, 120);
	assert_int_equal(quality_lost_untold(&qualities[0]), 0);
	hear(2, 702, 325, 160);
	assert_int_equal(quality_lost_untold(&qualities[0]), 1);
	assert_int_equal(quality_lost(&qualities[0]), 4);
}

static void the_sender_report_last_heard_is_of_the_stream(void **state)
{
	(void)state;
	pass(0, 200, 0xabcd0001, 0, 10); /* of 0: it has no stream yet */
	assert_int_equal(qualities[0].last_sr.at_ns, 0);
	hear(1, 1, 160, 20);
	pass(0, 200, 0xabcd0002, 0, 30); /* of another */
	assert_int_equal(qualities[0].last_sr.at_ns, 0);
	hear(0, 1, 160, 40);
	pass(0, 200, 0xabcd0003, 0, 50);
	assert_int_equal(qualities[0].last_sr.ntp, 0xabcd0003);
	hear(1, 2, 320, 60);
	assert_int_equal(qualities[0].last_sr.at_ns, 0);
}

static double mos(const char *codec, unsigned lost, unsigned rtt_ms)
{
	struct media_receipt receipt = { .packets_in = 1000 - lost,
					 .lost = lost,
					 .rtt_us = rtt_ms * 1000 };

	strcpy(receipt.codec, codec);
	return quality_mos(&receipt);
}

static void the_score_falls_with_loss_and_delay(void **state)
{
	(void)state;
	assert_true(fabs(mos("PCMA", 0, 0) - 4.40) < 0.02);
	assert_true(fabs(mos("PCMA", 50, 0) - 3.96) < 0.06);
	assert_true(mos("PCMA", 0, 800) < mos("PCMA", 0, 200));
	assert_true(mos("AMR", 50, 0) < mos("PCMA", 50, 0));
	assert_true(mos("PCMA", 1, 60000) == 1);
	assert_true(mos("PCMA", 1000, 0) == 0); /* nothing came */
}

#define T(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(loss_is_counted_over_wraps_reorder_and_restarts),
		T(what_came_twice_hides_no_loss),
		T(late_packets_are_told_from_copies),
		T(a_new_source_keeps_what_the_last_one_lost),
		T(an_even_stream_has_no_jitter),
		T(jitter_is_that_of_rfc_3550),
		T(repeated_and_late_timestamps_are_no_jitter),
		T(a_jump_of_the_senders_clock_is_no_jitter),
		T(the_longest_gap_leaves_hold_out),
		T(the_round_trip_is_that_of_one_leg),
		T(reports_about_what_never_passed_measure_nothing),
		T(what_the_peer_receives_is_told),
		T(what_is_told_of_a_stream_begins_with_it),
		T(the_sender_report_last_heard_is_of_the_stream),
		T(the_score_falls_with_loss_and_delay),
	};

	return cmocka_run_group_tests_name("media/quality", tests, NULL, NULL);
}
