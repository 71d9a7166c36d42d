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
#include "media/voice.h"

#define SECOND_MS 1000
#define HZ        1000

static struct voice_encoder *encoder;
static struct voice_decoder *decoder;

static void open_both(enum voice_kind kind, unsigned rate)
{
	const struct voice_encoding encoding = {
		.kind = kind, .rate = rate, .complexity = 1, .fmtp = "useinbandfec=1"
	};

	assert_int_equal(voice_encoder_create(&encoder, &encoding), 0);
	assert_int_equal(voice_decoder_create(&decoder, kind, rate), 0);
}

static void close_both(void)
{
	encoder = voice_encoder_destroy(encoder);
	decoder = voice_decoder_destroy(decoder);
}

/* Mean square of one frequency, and of all. */
static double power(const int16_t *samples, size_t count, unsigned hz, unsigned rate)
{
	double real = 0, imaginary = 0;

	for (size_t i = 0; i < count; i++) {
		real += samples[i] * cos(2 * M_PI * hz * (double)i / rate);
		imaginary += samples[i] * sin(2 * M_PI * hz * (double)i / rate);
	}
	return 2 * (real * real + imaginary * imaginary) / ((double)count * (double)count);
}

static double energy(const int16_t *samples, size_t count)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += (double)samples[i] * samples[i];
	return sum / (double)count;
}

/* A second of a tone through the codec; what comes out, without its first 200 ms. */
static void assert_carries(enum voice_kind kind, unsigned rate, double least_share)
{
	static int16_t heard[VOICE_RATE_MAX + VOICE_FRAME_MAX];
	int16_t frame[VOICE_RATE_MAX / 50];
	uint8_t payload[VOICE_PAYLOAD_MAX];
	struct tone_source source;
	size_t count = 0, skip = rate / 5;
	double share, level;

	open_both(kind, rate);
	tone_source_init_at(&source, HZ, rate);
	for (unsigned ms = 0; ms < SECOND_MS; ms += 20) {
		size_t length;

		for (unsigned i = 0; i < rate / 50; i++)
			frame[i] = tone_source_next(&source);
		length = voice_encode(encoder, frame, rate / 50, payload);
		assert_true(length > 0);
		count += voice_decode(decoder, payload, length, heard + count);
	}
	assert_int_equal(count, rate);
	share = power(heard + skip, count - skip, HZ, rate) / energy(heard + skip, count - skip);
	level = 10 * log10(energy(heard + skip, count - skip) / (8000.0 * 8000.0 / 2));
	assert_true(share > least_share);
	assert_true(level > -2 && level < 2); /* dB */
	close_both();
}

static void a_tone_keeps_its_frequency_and_level_in_every_codec(void **state)
{
	(void)state;
	assert_carries(VOICE_PCMA, 8000, 0.999);
	assert_carries(VOICE_PCMU, 8000, 0.999);
	assert_carries(VOICE_G722, 8000, 0.99);
	assert_carries(VOICE_G722, 16000, 0.99);
	assert_carries(VOICE_OPUS, 8000, 0.9);
	assert_carries(VOICE_OPUS, 16000, 0.9);
}

static void a_lost_packet_is_made_up_from_the_sound_before_it(void **state)
{
	static const enum voice_kind kinds[] = { VOICE_PCMA, VOICE_G722, VOICE_OPUS };
	int16_t frame[160], heard[VOICE_FRAME_MAX];
	uint8_t payload[VOICE_PAYLOAD_MAX];

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct tone_source source;

		open_both(kinds[k], 8000);
		tone_source_init(&source, 400);
		for (unsigned n = 0; n < 20; n++) {
			for (unsigned i = 0; i < 160; i++)
				frame[i] = tone_source_next(&source);
			(void)voice_decode(decoder, payload,
					   voice_encode(encoder, frame, 160, payload), heard);
		}
		voice_conceal(decoder, NULL, 0, heard, 160);
		assert_true(energy(heard, 160) > 1e6);
		close_both();
	}
}

static void what_is_no_payload_gives_no_samples(void **state)
{
	static const uint8_t long_payload[1300];
	int16_t heard[VOICE_FRAME_MAX];

	(void)state;
	open_both(VOICE_OPUS, 8000);
	assert_int_equal(voice_decode(decoder, (const uint8_t *)"\xff\xff\xff", 3, heard), 0);
	close_both();
	open_both(VOICE_G722, 16000);
	assert_int_equal(voice_decode(decoder, long_payload, sizeof(long_payload), heard), 0);
	assert_int_equal(voice_decode(decoder, long_payload, 0, heard), 0);
	close_both();
}

static void opus_keeps_silent_for_a_receiver_that_wants_dtx(void **state)
{
	const struct voice_encoding encoding = {
		.kind = VOICE_OPUS, .rate = 8000, .complexity = 1, .fmtp = "usedtx=1"
	};
	static const int16_t silence[160];
	uint8_t payload[VOICE_PAYLOAD_MAX];
	unsigned sent = 0;

	(void)state;
	assert_int_equal(voice_encoder_create(&encoder, &encoding), 0);
	for (unsigned n = 0; n < 100; n++)
		sent += voice_encode(encoder, silence, 160, payload) > 0;
	assert_true(sent < 30);
	encoder = voice_encoder_destroy(encoder);
}

static void frames_are_as_long_as_wanted_where_the_codec_has_them(void **state)
{
	(void)state;
	assert_int_equal(voice_frame_ms(VOICE_PCMA, 0, 0), 20);
	assert_int_equal(voice_frame_ms(VOICE_PCMA, 30, 0), 30);
	assert_int_equal(voice_frame_ms(VOICE_OPUS, 30, 0), 20);
	assert_int_equal(voice_frame_ms(VOICE_PCMA, 60, 40), 40);
	assert_int_equal(voice_frame_ms(VOICE_G722, 120, 0), 60);
	assert_int_equal(voice_frame_ms(VOICE_PCMU, 5, 0), 10);
}

static void codecs_are_known_by_name_clock_and_channels(void **state)
{
	struct sdp_codec codec = { .name = "OPUS", .rate = 48000, .channels = 2 };

	(void)state;
	assert_int_equal(voice_kind_of(&codec), VOICE_OPUS);
	codec = (struct sdp_codec){ .name = "PCMA", .rate = 16000, .channels = 1 };
	assert_int_equal(voice_kind_of(&codec), VOICE_NONE);
	codec = (struct sdp_codec){ .name = "L16", .rate = 8000, .channels = 1 };
	assert_int_equal(voice_kind_of(&codec), VOICE_NONE);
	voice_describe(VOICE_NOISE, &codec);
	assert_int_equal(voice_kind_of(&codec), VOICE_NOISE);
	assert_int_equal(voice_rate(VOICE_OPUS, VOICE_G722), 16000);
	assert_int_equal(voice_rate(VOICE_OPUS, VOICE_PCMA), 8000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tone_keeps_its_frequency_and_level_in_every_codec),
		cmocka_unit_test(a_lost_packet_is_made_up_from_the_sound_before_it),
		cmocka_unit_test(what_is_no_payload_gives_no_samples),
		cmocka_unit_test(opus_keeps_silent_for_a_receiver_that_wants_dtx),
		cmocka_unit_test(frames_are_as_long_as_wanted_where_the_codec_has_them),
		cmocka_unit_test(codecs_are_known_by_name_clock_and_channels),
	};

	return cmocka_run_group_tests_name("media/voice", tests, NULL, NULL);
}
