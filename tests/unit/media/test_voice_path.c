/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "media/tone.h"
#include "media/voice_path.h"

#define PCMA 8
#define CN   13

static struct voice_path *path;
static struct tone_source source;
static uint16_t sequence;
static uint32_t timestamp;
static mono_ms now;
static int16_t heard[VOICE_PATH_FRAME_MAX];

static int set_up(void **state)
{
	uint8_t kinds[128] = { [PCMA] = VOICE_PCMA, [CN] = VOICE_NOISE };

	(void)state;
	sequence = 65530; /* wraps on the way */
	timestamp = 0xfffff000;
	now = 1000;
	tone_source_init(&source, 500);
	return voice_path_create(&path, kinds, 8000);
}

static int tear_down(void **state)
{
	(void)state;
	path = voice_path_destroy(path);
	return 0;
}

static void put(uint16_t number, uint8_t type, const uint8_t *payload, size_t length)
{
	const struct jitter_piece piece = { .ssrc = 7,
					    .timestamp = timestamp,
					    .sequence = number,
					    .type = type,
					    .payload = payload,
					    .length = length };

	voice_path_put(path, &piece, now);
}

/* 20 ms of the tone. */
static void make(uint8_t payload[static 160])
{
	for (unsigned i = 0; i < 160; i++)
		payload[i] = g711_encode_a(tone_source_next(&source));
	timestamp += 160;
}

static void put_tone(void)
{
	uint8_t payload[160];

	make(payload);
	put(sequence++, PCMA, payload, sizeof(payload));
}

static bool take(void)
{
	now += 20;
	return voice_path_take(path, now, heard, 160);
}

static double loudness(void)
{
	double sum = 0;

	for (unsigned i = 0; i < 160; i++)
		sum += (double)heard[i] * heard[i];
	return sqrt(sum / 160);
}

static struct voice_path_figures figures(void)
{
	struct voice_path_figures read;

	voice_path_read(path, &read);
	return read;
}

static void run(unsigned frames)
{
	for (unsigned i = 0; i < frames; i++) {
		put_tone();
		assert_true(take());
	}
}

static void a_steady_stream_comes_out_whole(void **state)
{
	(void)state;
	run(100);
	assert_true(loudness() > 5000);
	assert_int_equal(figures().concealed, 0);
	assert_int_equal(figures().shortened, 0);
	assert_true(figures().level_ms <= 40);
}

static void packets_out_of_order_and_twice_are_put_right(void **state)
{
	uint8_t first[160], second[160];

	(void)state;
	run(10);
	put_tone(); /* one more waits from now on */
	for (unsigned n = 0; n < 50; n++) {
		make(first);
		make(second);
		put((uint16_t)(sequence + 1), PCMA, second, 160);
		put(sequence, PCMA, first, 160);
		put(sequence, PCMA, first, 160);
		sequence += 2;
		assert_true(take());
		assert_true(loudness() > 5000);
		assert_true(take());
		assert_true(loudness() > 5000);
	}
	assert_int_equal(figures().concealed, 0);
}

static void what_is_lost_is_made_up(void **state)
{
	uint8_t lost[160];

	(void)state;
	run(20);
	for (unsigned n = 0; n < 20; n++) {
		make(lost);
		sequence++;
		assert_true(take());
		assert_true(loudness() > 1000);
		run(4);
	}
	assert_true(figures().concealed >= 20 * 160);
	assert_true(figures().level_ms <= 80);
}

static void a_sender_that_pauses_is_followed_and_taken_up_again(void **state)
{
	unsigned frames = 0;

	(void)state;
	run(20);
	while (take())
		frames++;
	assert_in_range(frames, VOICE_PATH_PAUSE_MS / 20 - 3, VOICE_PATH_PAUSE_MS / 20 + 3);
	assert_true(loudness() < 20);
	run(20);
	assert_true(loudness() > 5000);
}

static void comfort_noise_goes_on_for_as_long_as_the_sender_is_silent(void **state)
{
	static const uint8_t level = 50; /* -dBov */

	(void)state;
	run(20);
	put(sequence++, CN, &level, 1);
	for (unsigned n = 0; n < 500; n++)
		assert_true(take());
	assert_true(loudness() > 50 && loudness() < 200); /* 32767 / 10^2.5 = 104 */
	run(20);
	assert_true(loudness() > 5000);
}

static void a_faster_clock_does_not_pile_up(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 3000; n++) { /* 1 % fast, a minute */
		put_tone();
		if (n % 100 == 99)
			put_tone();
		assert_true(take());
		assert_true(figures().level_ms < VOICE_PATH_LEVEL_MAX);
	}
	assert_true(figures().level_ms <= 120);
	assert_in_range(figures().shortened, 20 * 160, 32 * 160);
}

static void a_slower_clock_is_made_up_for(void **state)
{
	(void)state;
	run(10);
	for (unsigned n = 0; n < 3000; n++) {
		if (n % 100 != 99)
			put_tone();
		assert_true(take());
	}
	assert_in_range(figures().concealed, 20 * 160, 40 * 160);
}

static void lateness_makes_the_next_beginning_wait_longer_within_bounds(void **state)
{
	(void)state;
	run(20);
	for (unsigned n = 0; n < 200; n++) { /* bursts: nothing for 80 ms, then four */
		for (unsigned i = 0; i < 3; i++)
			assert_true(take());
		for (unsigned i = 0; i < 4; i++)
			put_tone();
		assert_true(take());
	}
	assert_true(figures().wait_ms <= VOICE_PATH_WAIT_MAX);
	assert_true(figures().level_ms <= VOICE_PATH_LEVEL_MAX);
	assert_true(figures().concealed < 60 * 160); /* it has learned to wait */
}

static void longer_and_shorter_packets_become_frames(void **state)
{
	uint8_t payload[480];

	(void)state;
	for (unsigned n = 0; n < 40; n++) { /* 60 ms in, 20 ms out */
		make(payload);
		make(payload + 160);
		make(payload + 320);
		put(sequence++, PCMA, payload, 480);
		for (unsigned i = 0; i < 3; i++)
			assert_true(take());
		assert_true(loudness() > 5000);
	}
	for (unsigned n = 0; n < 40; n++) { /* 10 ms in */
		make(payload);
		put(sequence++, PCMA, payload, 80);
		put(sequence++, PCMA, payload + 80, 80);
		assert_true(take());
	}
	assert_true(loudness() > 5000);
}

static void another_stream_begins_anew(void **state)
{
	(void)state;
	run(20);
	sequence = (uint16_t)(sequence + 20000);
	run(20);
	assert_true(loudness() > 5000);
	assert_true(figures().level_ms <= 60);
}

static void packets_that_are_no_speech_are_not_lost_ones(void **state)
{
	(void)state;
	run(20);
	put(sequence++, 101, (const uint8_t *)"", 0);
	run(20);
	assert_int_equal(figures().concealed, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_steady_stream_comes_out_whole),
		T(packets_out_of_order_and_twice_are_put_right),
		T(what_is_lost_is_made_up),
		T(a_sender_that_pauses_is_followed_and_taken_up_again),
		T(comfort_noise_goes_on_for_as_long_as_the_sender_is_silent),
		T(a_faster_clock_does_not_pile_up),
		T(a_slower_clock_is_made_up_for),
		T(lateness_makes_the_next_beginning_wait_longer_within_bounds),
		T(longer_and_shorter_packets_become_frames),
		T(another_stream_begins_anew),
		T(packets_that_are_no_speech_are_not_lost_ones),
	};

	return cmocka_run_group_tests_name("media/voice_path", tests, NULL, NULL);
}
