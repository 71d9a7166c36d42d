/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/extensions.h"
#include "media/relay.h"

#define SSRC_LEVEL "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
#define CSRC_LEVEL "urn:ietf:params:rtp-hdrext:csrc-audio-level"

#define PAYLOAD 160

static void lines_of_use_are_read(void **state)
{
	struct extensions read = { 0 };

	(void)state;
	extensions_read(&read, "3 " SSRC_LEVEL);
	extensions_read(&read, "14/sendrecv " CSRC_LEVEL " some attributes");
	extensions_read(&read, "4 " SSRC_LEVEL); /* again: the first counts */
	extensions_read(&read, "14 http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time");
	assert_int_equal(read.numbers[EXTENSION_SSRC_AUDIO_LEVEL], 3);
	assert_int_equal(read.numbers[EXTENSION_CSRC_AUDIO_LEVEL], 14);
	assert_int_equal(read.numbers[EXTENSION_CAPTURE_TIME], 0); /* 14 is taken */
}

static void other_lines_are_passed_over(void **state)
{
	static const char *const lines[] = {
		"",
		"1",
		" " SSRC_LEVEL,
		"0 " SSRC_LEVEL,
		"15 " SSRC_LEVEL,
		"256 " SSRC_LEVEL,
		"-1 " SSRC_LEVEL,
		"x " SSRC_LEVEL,
		"1/recvonly " SSRC_LEVEL,
		"1/inactive " SSRC_LEVEL,
		"1 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
		"1 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
		"1 " SSRC_LEVEL SSRC_LEVEL,
	};
	struct extensions read = { 0 }, none = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		extensions_read(&read, lines[i]);
	assert_memory_equal(&read, &none, sizeof(none));
}

/* A packet with this extension; the payload is 1, 2, 3 ... */
static size_t make(uint8_t *packet, unsigned sources, unsigned profile, const uint8_t *body,
		   size_t length)
{
	size_t at = 12 + sources * 4;

	assert_int_equal(length % 4, 0);
	memset(packet, 0, RELAY_BUFFER);
	packet[0] = (uint8_t)(0x90 | sources);
	packet[at] = (uint8_t)(profile >> 8);
	packet[at + 1] = (uint8_t)profile;
	packet[at + 3] = (uint8_t)(length / 4);
	memcpy(packet + at + 4, body, length);
	at += 4 + length;
	for (unsigned i = 0; i < PAYLOAD; i++)
		packet[at + i] = (uint8_t)(i + 1);
	assert_true(relay_rtp_is_sound(packet, at + PAYLOAD));
	return at + PAYLOAD;
}

static void assert_payload(const uint8_t *packet, size_t length)
{
	assert_true(relay_rtp_is_sound(packet, length));
	for (unsigned i = 0; i < PAYLOAD; i++)
		assert_int_equal(packet[length - PAYLOAD + i], (uint8_t)(i + 1));
}

static void what_both_took_goes_on_under_the_others_number(void **state)
{
	const struct extensions from = { .numbers = { 3, 5 } }, to = { .numbers = { 9 } };
	/* Of 1 a byte, of 3 one, of 5 two, padding. */
	const uint8_t body[] = { 0x10, 0xaa, 0x30, 0x7f, 0, 0x51, 0xbb, 0xcc };
	const uint8_t wanted[] = { 0xbe, 0xde, 0, 1, 0x90, 0x7f, 0, 0 };
	uint8_t packet[RELAY_BUFFER];
	struct extensions_map map;
	size_t length = make(packet, 2, 0xbede, body, sizeof(body));

	(void)state;
	extensions_agree(&map, &from, &to);
	assert_int_equal(extensions_rewrite(&map, packet, length), length - 4);
	assert_memory_equal(packet + 12 + 8, wanted, sizeof(wanted));
	assert_payload(packet, length - 4);
	assert_int_equal(packet[0], 0x92);
}

static void the_form_of_two_bytes_too(void **state)
{
	const struct extensions from = { .numbers = { 3, 5 } }, to = { .numbers = { 1, 2 } };
	const uint8_t body[] = { 3, 1, 0x7f, 200, 2, 1, 2, 0, 5, 0, 0, 0 };
	const uint8_t wanted[] = { 0x10, 0x00, 0, 2, 1, 1, 0x7f, 2, 0, 0, 0, 0 };
	uint8_t packet[RELAY_BUFFER];
	struct extensions_map map;
	size_t length = make(packet, 0, 0x1000, body, sizeof(body));

	(void)state;
	extensions_agree(&map, &from, &to);
	assert_int_equal(extensions_rewrite(&map, packet, length), length - 4);
	assert_memory_equal(packet + 12, wanted, sizeof(wanted));
	assert_payload(packet, length - 4);
}

static void what_is_not_agreed_is_taken_out(void **state)
{
	static const unsigned profiles[] = { 0xbede, 0x1000, 0x100f, 0x1234 };
	const struct extensions_map none = { 0 };
	const uint8_t body[] = { 0x10, 0xaa, 0x30, 0x7f };
	uint8_t packet[RELAY_BUFFER];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		size_t length = make(packet, 1, profiles[i], body, sizeof(body));

		assert_int_equal(extensions_rewrite(&none, packet, length), length - 8);
		assert_int_equal(packet[0], 0x81);
		assert_payload(packet, length - 8);
		length = make(packet, 0, profiles[i], body, 0);
		assert_int_equal(extensions_rewrite(&none, packet, length), length - 4);
		assert_payload(packet, length - 4);
	}
}

static void a_packet_without_one_is_left_alone(void **state)
{
	const struct extensions_map none = { 0 };
	uint8_t packet[RELAY_BUFFER] = { 0x80 }, before[RELAY_BUFFER];

	(void)state;
	memcpy(before, packet, sizeof(before));
	assert_int_equal(extensions_rewrite(&none, packet, 172), 172);
	assert_memory_equal(packet, before, sizeof(before));
}

static void a_stop_and_a_length_that_lies_end_it(void **state)
{
	const struct extensions one = { .numbers = { 3 } };
	static const uint8_t bodies[][8] = {
		{ 0x30, 0x7f, 0xf0, 0, 0x30, 0x11, 0, 0 }, /* 15: nothing behind it is read */
		{ 0x30, 0x7f, 0x3f, 1, 2, 3, 4, 5 },       /* 16 bytes where 5 are left */
		{ 0x30, 0x7f, 0x02, 0x30, 0x11, 0, 0, 0 }, /* 0 with a length */
	};
	const uint8_t wanted[] = { 0xbe, 0xde, 0, 1, 0x30, 0x7f, 0, 0 };
	uint8_t packet[RELAY_BUFFER];
	struct extensions_map map;

	(void)state;
	extensions_agree(&map, &one, &one);
	for (unsigned i = 0; i < 3; i++) {
		size_t length = make(packet, 0, 0xbede, bodies[i], 8);

		assert_int_equal(extensions_rewrite(&map, packet, length), length - 4);
		assert_memory_equal(packet + 12, wanted, sizeof(wanted));
		assert_payload(packet, length - 4);
	}
}

/* Whatever stands there: the packet stays sound, its payload as it is, and only numbers
 * of the other side's go out. */
static void rubbish_stays_a_packet(void **state)
{
	const struct extensions from = { .numbers = { 1, 2, 7 } }, to = { .numbers = { 14, 2, 0 } };
	uint8_t packet[RELAY_BUFFER], body[256];
	struct extensions_map map;

	(void)state;
	extensions_agree(&map, &from, &to);
	srand(8285);
	for (unsigned run = 0; run < 50000; run++) {
		size_t words = (size_t)rand() % 64, length, after;

		for (size_t i = 0; i < words * 4; i++)
			body[i] = (uint8_t)(rand() >> 4);
		length = make(packet, (unsigned)rand() % 16, rand() % 2 ? 0xbede : 0x1000, body,
			      words * 4);
		after = extensions_rewrite(&map, packet, length);
		assert_true(after <= length);
		assert_payload(packet, after);
		assert_int_equal(extensions_rewrite(&map, packet, after) <= after, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_use_are_read),
		cmocka_unit_test(other_lines_are_passed_over),
		cmocka_unit_test(what_both_took_goes_on_under_the_others_number),
		cmocka_unit_test(the_form_of_two_bytes_too),
		cmocka_unit_test(what_is_not_agreed_is_taken_out),
		cmocka_unit_test(a_packet_without_one_is_left_alone),
		cmocka_unit_test(a_stop_and_a_length_that_lies_end_it),
		cmocka_unit_test(rubbish_stays_a_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
