/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "media/relay.h"
#include "media/reports.h"

static const struct reports_stream own = { .in_ssrc = 1,
					   .in_timestamp = 1000,
					   .in_clock = 8000,
					   .in_sequence = 77,
					   .out_ssrc = 2,
					   .out_timestamp = 90000,
					   .out_clock = 48000,
					   .packets = 50,
					   .octets = 3000 };
static const struct reports_stream other = {
	.in_ssrc = 3, .in_clock = 48000, .in_sequence = 88, .out_ssrc = 4, .out_clock = 8000
};

static void word(uint8_t *bytes, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* SR with one block, and a feedback packet behind it. */
static size_t compound(uint8_t packet[static 100])
{
	memset(packet, 0, 100);
	packet[0] = 0x81;
	packet[1] = 200;
	packet[3] = 12; /* words behind the first: 52 bytes */
	word(packet + 4, 1);
	word(packet + 8, 0xaabbccdd);
	word(packet + 16, 1160);
	word(packet + 20, 1);
	word(packet + 28, 4);
	word(packet + 36, 5000);
	word(packet + 40, 80);
	word(packet + 44, 0x11223344);
	packet[52] = 0x81;
	packet[53] = 205;
	packet[55] = 3;
	return 52 + 16;
}

static void a_report_reads_as_if_about_the_stream_that_is_known(void **state)
{
	uint8_t packet[100];

	(void)state;
	assert_int_equal(reports_rewrite(packet, compound(packet), &own, &other), 52);
	assert_true(relay_rtcp_is_sound(packet, 52));
	assert_int_equal(relay_word_at(packet + 4), 2);
	assert_int_equal(relay_word_at(packet + 8), 0xaabbccdd);
	assert_int_equal(relay_word_at(packet + 16), 90000 + 160 * 6);
	assert_int_equal(relay_word_at(packet + 20), 50);
	assert_int_equal(relay_word_at(packet + 24), 3000);
	assert_int_equal(relay_word_at(packet + 28), 3);
	assert_int_equal(relay_word_at(packet + 36), 88);
	assert_int_equal(relay_word_at(packet + 40), 480);
	assert_int_equal(relay_word_at(packet + 44), 0x11223344); /* LSR: the round trip's */
}

static void what_is_not_converted_stays(void **state)
{
	uint8_t packet[100], before[100];

	(void)state;
	(void)compound(before);
	assert_int_equal(reports_rewrite(packet, compound(packet), NULL, NULL), 52);
	assert_memory_equal(packet, before, 52);
}

static void a_bye_names_our_stream_and_a_short_one_is_read_no_further(void **state)
{
	uint8_t bye[8] = { 0x81, 203, 0, 1, 0, 0, 0, 1 }, nobody[8] = { 0x80, 203, 0, 0 };
	uint8_t blocks[8] = { 0x9f, 201, 0, 1, 0, 0, 0, 1 };

	(void)state;
	assert_int_equal(reports_rewrite(bye, 8, &own, &other), 8);
	assert_int_equal(relay_word_at(bye + 4), 2);
	assert_int_equal(reports_rewrite(nobody, 4, &own, &other), 4);
	assert_int_equal(reports_rewrite(blocks, 8, &own, &other), 8); /* says 31, has none */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_reads_as_if_about_the_stream_that_is_known),
		cmocka_unit_test(what_is_not_converted_stays),
		cmocka_unit_test(a_bye_names_our_stream_and_a_short_one_is_read_no_further),
	};

	return cmocka_run_group_tests_name("media/reports", tests, NULL, NULL);
}
