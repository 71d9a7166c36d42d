/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "media/relay.h"
#include "media/stream.h"

static void headers_count_on_and_carry_the_marker_once(void **state)
{
	struct stream stream;
	uint8_t first[STREAM_HEADER], second[STREAM_HEADER];

	(void)state;
	assert_int_equal(stream_init(&stream), 0);
	assert_true(stream.sequence < 0x8000);
	stream.sequence = 0xffff;
	stream_header(&stream, first, 96, 0x01020304);
	stream_header(&stream, second, 96, 0x01020304);
	assert_true(relay_rtp_is_sound(first, sizeof(first)));
	assert_int_equal(first[1], 0x80 | 96);
	assert_int_equal(second[1], 96);
	assert_int_equal(relay_word_at(first + 4), 0x01020304);
	assert_int_equal(relay_word_at(first + 8), stream.ssrc);
	assert_memory_equal(first + 2, "\xff\xff", 2);
	assert_memory_equal(second + 2, "\0\0", 2);
}

static void the_payload_stands_between_extension_and_padding(void **state)
{
	uint8_t packet[12 + 4 + 4 + 4 + 3 + 2] = { 0xb1 }; /* P, X, one CSRC */
	size_t length;

	(void)state;
	packet[19] = 1; /* word of extension */
	packet[sizeof(packet) - 1] = 2;
	assert_true(relay_rtp_is_sound(packet, sizeof(packet)));
	assert_ptr_equal(stream_payload(packet, sizeof(packet), &length), packet + 24);
	assert_int_equal(length, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_count_on_and_carry_the_marker_once),
		cmocka_unit_test(the_payload_stands_between_extension_and_padding),
	};

	return cmocka_run_group_tests_name("media/stream", tests, NULL, NULL);
}
