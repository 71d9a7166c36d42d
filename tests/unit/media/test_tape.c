/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "media/tape.h"
#include "media/tone.h"

#define START 1000000

static struct tape *tape;
static int16_t frames[80000][TAPE_CHANNELS];
static size_t frame_count;

static const struct media_desc g711 = {
	.codecs = { { .type = 8, .name = "PCMA", .channels = 1, .rate = 8000 },
		    { .type = 0, .name = "PCMU", .channels = 1, .rate = 8000 } },
	.codec_count = 2
};

static int setup(void **state)
{
	(void)state;
	frame_count = 0;
	if (tape_create(&tape, START))
		return -1;
	return tape_agree(tape, MEDIA_A, &g711) && tape_agree(tape, MEDIA_B, &g711) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	tape = tape_destroy(tape);
	return 0;
}

/* 20 ms of one loud sample. */
static void hear(enum media_side side, uint32_t timestamp, uint8_t code, mono_ms at)
{
	uint8_t packet[172] = { 0x80, 8 };

	for (unsigned i = 0; i < 4; i++)
		packet[4 + i] = (uint8_t)(timestamp >> (24 - 8 * i));
	packet[11] = 1;
	memset(packet + 12, code, 160);
	tape_hear(tape, side, packet, sizeof(packet), START + at);
}

static void play(mono_ms now, bool all)
{
	size_t count;

	do {
		count = tape_play(tape, frames + frame_count, 500, START + now, all);
		frame_count += count;
	} while (count > 0);
}

static int16_t at(mono_ms ms, unsigned channel)
{
	assert_true((size_t)ms * 8 < frame_count);
	return frames[ms * 8][channel];
}

static void sides_are_left_and_right_and_keep_together(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		hear(MEDIA_A, 5000 + i * 160, 0x10, i * 20);
		if (i >= 50)
			hear(MEDIA_B, 77000 + i * 160, 0x90, i * 20);
		play(i * 20, false);
	}
	play(2000, true);
	assert_int_equal(frame_count, 16000);
	assert_int_equal(at(500, 0), g711_decode_a(0x10));
	assert_int_equal(at(500, 1), 0);
	assert_int_equal(at(999, 1), 0);
	assert_int_equal(at(1000, 1), g711_decode_a(0x90));
	assert_int_equal(at(1999, 0), g711_decode_a(0x10));
	assert_true(tape_heard(tape));
	assert_int_equal(tape_dropped(tape), 0);
}

static void nothing_that_may_change_is_given_out(void **state)
{
	(void)state;
	hear(MEDIA_A, 0, 0x10, 0);
	play(900, false);
	assert_int_equal(frame_count, 0);
	play(1500, false);
	assert_int_equal(frame_count, 500 * 8); /* silence has its length too */
}

static void late_packets_find_their_place(void **state)
{
	(void)state;
	hear(MEDIA_A, 0, 0x10, 0);
	hear(MEDIA_A, 480, 0x10, 60);
	hear(MEDIA_A, 160, 0x20, 65);
	play(80, true);
	assert_int_equal(at(30, 0), g711_decode_a(0x20));
	assert_int_equal(at(50, 0), 0); /* lost */
	assert_int_equal(at(70, 0), g711_decode_a(0x10));
}

static void a_jump_of_the_senders_clock_stands_where_it_came(void **state)
{
	(void)state;
	hear(MEDIA_A, 0, 0x10, 0);
	hear(MEDIA_A, 4000000, 0x20, 1000);
	play(1100, true);
	assert_int_equal(frame_count, 1020 * 8);
	assert_int_equal(at(1010, 0), g711_decode_a(0x20));
}

static void hold_is_silence_of_its_length(void **state)
{
	(void)state;
	hear(MEDIA_A, 0, 0x10, 0);
	hear(MEDIA_A, 160, 0x20, 5000); /* the clock stood still meanwhile */
	play(6000, true);
	assert_int_equal(frame_count, 5020 * 8);
	assert_int_equal(at(2500, 0), 0);
	assert_int_equal(at(5010, 0), g711_decode_a(0x20));
}

static void a_recorder_that_is_late_loses_only_what_found_no_room(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 500; i++)
		hear(MEDIA_A, i * 160, 0x10, i * 20);
	play(10000, true);
	assert_true(tape_dropped(tape) > 0);
	assert_int_equal(frame_count, 500 * 160 - (size_t)tape_dropped(tape));
	assert_int_equal(at(3000, 0), g711_decode_a(0x10));
}

static void a_codec_that_is_not_decoded_is_told_and_left_out(void **state)
{
	static const struct media_desc amr = {
		.codecs = { { .type = 111, .name = "AMR", .rate = 8000 },
			    { .type = 8, .name = "PCMA", .channels = 1, .rate = 8000 } },
		.codec_count = 2
	};

	(void)state;
	assert_false(tape_agree(tape, MEDIA_A, &amr));
	assert_true(tape_agree(tape, MEDIA_B, &g711));
	hear(MEDIA_A, 0, 0x10, 0); /* of a codec that was agreed too */
	assert_int_equal(tape_dropped(tape), 0);
	play(100, true);
	assert_int_equal(frame_count, 160);
}

static void mu_law_and_headers_are_read(void **state)
{
	uint8_t packet[200] = { 0x91, 0 };

	(void)state;
	packet[18] = 0;
	packet[19] = 1; /* an extension of one word behind a contributing source */
	memset(packet + 24, 0x10, 160);
	tape_hear(tape, MEDIA_B, packet, 184, START);
	play(100, true);
	assert_int_equal(frame_count, 160);
	assert_int_equal(at(10, 1), g711_decode_u(0x10));
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(sides_are_left_and_right_and_keep_together),
		T(nothing_that_may_change_is_given_out),
		T(late_packets_find_their_place),
		T(a_jump_of_the_senders_clock_stands_where_it_came),
		T(hold_is_silence_of_its_length),
		T(a_recorder_that_is_late_loses_only_what_found_no_room),
		T(a_codec_that_is_not_decoded_is_told_and_left_out),
		T(mu_law_and_headers_are_read),
	};

	return cmocka_run_group_tests_name("media/tape", tests, NULL, NULL);
}
