/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "media/digits.h"
#include "media/stream.h"
#include "media/tone.h"
#include "media/transcoder.h"
#include "media/voice.h"

#define KEPT 4000

/* What side B got. */
static struct got {
	uint8_t bytes[600];
	size_t length;
	mono_ms at;
} got[KEPT];
static unsigned got_count;
static struct receipt receipts[2];
static struct relay_leg legs[2];
static struct timer_wheel *wheel;
static struct transcoder *transcoder;
static struct codecs_way way;
static struct stream in;
static struct tone_source source;
static char told;
static unsigned told_ms;

static void take_rtp(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	(void)leg;
	assert_true(got_count < KEPT && length <= sizeof(got[0].bytes));
	memcpy(got[got_count].bytes, packet, length);
	got[got_count].length = length;
	got[got_count++].at = clock_now();
}

static const struct relay_ops ops = { take_rtp, take_rtp };

static void on_digit(char digit, unsigned ms, void *arg)
{
	(void)arg;
	told = digit;
	told_ms = ms;
}

static int set_up(void **state)
{
	(void)state;
	clock_fake_set(1000);
	assert_int_equal(timer_wheel_create(&wheel, clock_now()), 0);
	memset(receipts, 0, sizeof(receipts));
	relay_leg_init(&legs[0], &legs[1], &receipts[0]);
	relay_leg_init(&legs[1], &legs[0], &receipts[1]);
	legs[1].ops = &ops;
	assert_int_equal(sender_create(&legs[1].sender), 0);
	got_count = 0;
	told = 0;
	memset(&way, 0, sizeof(way));
	memset(way.types, CODECS_DROP, sizeof(way.types));
	tone_source_init(&source, 1000);
	return stream_init(&in);
}

static int tear_down(void **state)
{
	(void)state;
	legs[0].transcoder = transcoder = transcoder_destroy(transcoder);
	legs[1].sender = sender_unref(legs[1].sender);
	wheel = timer_wheel_destroy(wheel);
	return 0;
}

static void begin(void)
{
	const struct transcoder_setup setup = {
		.from = &legs[0], .wheel = wheel, .way = &way, .complexity = 1, .on_digit = on_digit
	};

	assert_int_equal(transcoder_create(&transcoder, &setup), 0);
	legs[0].transcoder = transcoder;
	memcpy(legs[0].types, way.types, sizeof(way.types));
}

/* PCMA 8 and digits 101 at 8000 Hz on side A; `to` as 96, digits as 97, on side B. */
static void convert_to(enum voice_kind to, unsigned frame_ms)
{
	way.converts = true;
	way.kinds[8] = VOICE_PCMA;
	way.types[8] = way.types[101] = CODECS_CONVERT;
	way.event_rates[101] = 8000;
	voice_describe(to, &way.to);
	way.to.type = 96;
	way.pcm_rate = 8000;
	way.frame_ms = frame_ms;
	way.digits = CODECS_DIGITS_EVENTS;
	way.event_type = 97;
	way.event_rate = way.to.rate;
}

static void advance(unsigned ms)
{
	for (unsigned i = 0; i < ms; i += 10) {
		clock_fake_set(clock_now() + 10);
		(void)timer_wheel_advance(wheel, clock_now(), 0);
	}
}

static void put_speech(void)
{
	uint8_t packet[RELAY_BUFFER];

	stream_header(&in, packet, 8, in.timestamp);
	for (unsigned i = 0; i < 160; i++)
		packet[STREAM_HEADER + i] = g711_encode_a(tone_source_next(&source));
	in.timestamp += 160;
	relay_rtp(&legs[0], packet, STREAM_HEADER + 160);
}

static void put_event(uint32_t at, unsigned duration, bool marker, bool end)
{
	uint8_t packet[RELAY_BUFFER];

	in.marker = marker;
	stream_header(&in, packet, 101, at);
	packet[12] = 5;
	packet[13] = end ? 0x8a : 0x0a;
	packet[14] = (uint8_t)(duration >> 8);
	packet[15] = (uint8_t)duration;
	relay_rtp(&legs[0], packet, 16);
}

static void run(unsigned packets)
{
	for (unsigned i = 0; i < packets; i++) {
		put_speech();
		advance(20);
	}
}

static uint16_t sequence_of(unsigned i)
{
	return (uint16_t)(got[i].bytes[2] << 8 | got[i].bytes[3]);
}

static uint32_t timestamp_of(unsigned i)
{
	return relay_word_at(got[i].bytes + 4);
}

static unsigned duration_of(unsigned i)
{
	return (unsigned)(got[i].bytes[14] << 8 | got[i].bytes[15]);
}

/* One stream: numbers without a gap, and time that goes on as the clock does. */
static void assert_one_stream(unsigned ticks_a_ms)
{
	for (unsigned i = 1; i < got_count; i++) {
		assert_int_equal((uint16_t)(sequence_of(i) - sequence_of(i - 1)), 1);
		assert_int_equal(relay_word_at(got[i].bytes + 8), relay_word_at(got[0].bytes + 8));
		if (got[i].bytes[1] % 128 == 96 && got[i - 1].bytes[1] % 128 == 96)
			assert_int_equal(timestamp_of(i) - timestamp_of(i - 1),
					 (got[i].at - got[i - 1].at) * ticks_a_ms);
	}
}

/* How much of what B hears is a tone of 1000 Hz, and how loud it all is. */
static double heard(enum voice_kind kind, double *ret_rms)
{
	struct voice_decoder *decoder;
	int16_t samples[VOICE_FRAME_MAX];
	double real = 0, imaginary = 0, sum = 0, count = 0;

	assert_int_equal(voice_decoder_create(&decoder, kind, 8000), 0);
	for (unsigned i = 0; i < got_count; i++) {
		size_t made = voice_decode(decoder, got[i].bytes + 12, got[i].length - 12, samples);

		for (size_t s = 0; s < made && i > 10; s++, count++) {
			real += samples[s] * cos(2 * M_PI * count / 8);
			imaginary += samples[s] * sin(2 * M_PI * count / 8);
			sum += (double)samples[s] * samples[s];
		}
	}
	voice_decoder_destroy(decoder);
	*ret_rms = sqrt(sum / count);
	return 2 * (real * real + imaginary * imaginary) / count / sum;
}

static void a_tone_comes_out_of_another_codec_at_its_level(void **state)
{
	static const enum voice_kind kinds[] = { VOICE_OPUS, VOICE_G722, VOICE_PCMU };
	double rms;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		convert_to(kinds[k], 20);
		begin();
		run(100);
		assert_in_range(got_count, 96, 100);
		assert_one_stream(way.to.rate / 1000);
		assert_true(heard(kinds[k], &rms) > 0.9);
		assert_true(rms > 5000 && rms < 6300); /* 8000 / sqrt(2) = 5657 */
		(void)tear_down(state);
		(void)set_up(state);
	}
}

static void packets_get_the_length_the_other_side_wants(void **state)
{
	double rms;

	(void)state;
	convert_to(VOICE_PCMU, 60);
	begin();
	run(150);
	assert_in_range(got_count, 47, 50);
	assert_int_equal(got[0].length, STREAM_HEADER + 480);
	assert_one_stream(8);
	assert_true(heard(VOICE_PCMU, &rms) > 0.9);
}

static void time_goes_on_while_nothing_is_sent(void **state)
{
	(void)state;
	convert_to(VOICE_OPUS, 20);
	begin();
	run(50);
	advance(5000);
	assert_true(got_count < 110);
	run(50);
	assert_one_stream(48);
	for (unsigned i = 1; i < got_count; i++)
		assert_int_equal(got[i].bytes[1] >> 7, got[i].at - got[i - 1].at > 1000);
	assert_int_equal(got[0].bytes[1] >> 7, 1);
}

static void a_digit_is_carried_in_the_other_clock(void **state)
{
	unsigned events = 0, ends = 0, first = 0;
	uint32_t at;

	(void)state;
	convert_to(VOICE_OPUS, 20);
	begin();
	run(20);
	at = in.timestamp;
	for (unsigned n = 1; n <= 5; n++) {
		put_event(at, n * 160, n == 1, false);
		advance(20);
	}
	for (unsigned n = 0; n < 3; n++)
		put_event(at, 800, false, true);
	in.timestamp += 960;
	run(20);
	for (unsigned i = 0; i < got_count; i++) {
		if (got[i].bytes[1] % 128 != 97)
			continue;
		first = events++ ? first : i;
		ends += got[i].bytes[13] >> 7;
		assert_int_equal(timestamp_of(i), timestamp_of(first));
		assert_int_equal(got[i].bytes[1] >> 7, i == first);
	}
	assert_int_equal(events, 8);
	assert_int_equal(ends, 3);
	assert_int_equal(duration_of(first), 960);
	assert_int_equal(duration_of(first + events - 1), 4800);
	assert_one_stream(48);
}

/* Its numbers and its SSRC are nothing to the jitter buffer of the speech, which goes on. */
static void a_digit_of_another_ssrc_does_not_begin_the_speech_anew(void **state)
{
	struct stream speech, digit = { .ssrc = 99, .sequence = 30000 };
	struct reports_stream stream;
	unsigned events = 0, spoken = 0;

	(void)state;
	convert_to(VOICE_G722, 20);
	begin();
	run(20);
	for (unsigned n = 1; n <= 5; n++) {
		put_speech();
		speech = in;
		in = digit;
		put_event(555, n * 160, n == 1, n == 5);
		digit = in;
		in = speech;
		assert_true(transcoder_stream(transcoder, &stream));
		assert_int_equal(stream.in_ssrc, in.ssrc);
		advance(20);
	}
	spoken = got_count;
	run(20);
	spoken = got_count - spoken;
	for (unsigned i = 0; i < got_count; i++)
		events += got[i].bytes[1] % 128 == 97;
	assert_int_equal(events, 5);
	assert_in_range(spoken, 19, 20); /* at once, not after another wait for the first */
	assert_one_stream(8);
}

static void a_digit_of_ours_goes_between_packets_that_pass(void **state)
{
	unsigned events = 0, ends = 0;

	(void)state;
	voice_describe(VOICE_PCMA, &way.to);
	way.types[8] = 96;
	way.digits = CODECS_DIGITS_EVENTS;
	way.event_type = 97;
	way.event_rate = 8000;
	begin();
	run(5);
	assert_int_equal(transcoder_digit(transcoder, '7', 100), 0);
	run(30);
	assert_int_equal(transcoder_digit(transcoder, '#', 100), 0);
	run(30);
	for (unsigned i = 0; i < got_count; i++) {
		if (got[i].bytes[1] % 128 != 97)
			continue;
		events++;
		ends += got[i].bytes[13] >> 7;
		assert_int_equal(got[i].bytes[12], events <= 7 ? 7 : 11);
	}
	assert_int_equal(events, 14);
	assert_int_equal(ends, 6);
	assert_one_stream(8);
	assert_int_equal(transcoder_digit(transcoder, 'x', 100), -EINVAL);
}

static void a_digit_becomes_a_tone_where_the_other_side_has_no_events(void **state)
{
	struct got before;
	double rms;

	(void)state;
	convert_to(VOICE_PCMA, 20);
	way.types[8] = 8; /* speech passes until then */
	way.to.type = 8;
	way.lazy = true;
	way.digits = CODECS_DIGITS_TONES;
	way.event_rate = 8000;
	begin();
	tone_source_init(&source, 0);
	run(20);
	assert_int_equal(got_count, 20);
	assert_one_stream(8);
	before = got[19];
	got_count = 0;
	put_event(in.timestamp, 160, true, false);
	put_event(in.timestamp, 1600, false, true);
	run(30);
	assert_true(got_count > 20);
	assert_one_stream(8);
	assert_int_equal(relay_word_at(got[0].bytes + 8), relay_word_at(before.bytes + 8));
	assert_int_equal((uint16_t)(sequence_of(0) - (before.bytes[2] << 8 | before.bytes[3])), 1);
	assert_in_range(timestamp_of(0) - relay_word_at(before.bytes + 4), 160, 480);
	(void)heard(VOICE_PCMA, &rms);
	assert_int_equal(got[0].bytes[1] % 128, 8);
	assert_true(rms < 100); /* it is over: 200 ms of it */
	got_count = 5;
	for (unsigned i = 0; i < 160; i++)
		rms = fmax(rms, abs(g711_decode_a(got[3].bytes[12 + i])));
	assert_true(rms > 12000);
}

static void a_digit_of_ours_becomes_a_tone_even_in_silence(void **state)
{
	double most = 0;

	(void)state;
	convert_to(VOICE_PCMA, 20);
	way.types[8] = way.to.type = 8;
	way.lazy = true;
	way.digits = CODECS_DIGITS_TONES;
	begin();
	assert_int_equal(transcoder_digit(transcoder, '1', 100), 0);
	advance(200);
	assert_in_range(got_count, 7, 9); /* with the gap behind it */
	for (unsigned i = 0; i < 160; i++)
		most = fmax(most, abs(g711_decode_a(got[2].bytes[12 + i])));
	assert_true(most > 12000);
	assert_one_stream(8);
}

static void without_a_way_for_it_a_digit_is_refused(void **state)
{
	(void)state;
	voice_describe(VOICE_PCMA, &way.to);
	begin();
	assert_int_equal(transcoder_digit(transcoder, '1', 100), -ENOENT);
	(void)tear_down(state);
	(void)set_up(state);
	voice_describe(VOICE_PCMA, &way.to);
	way.digits = CODECS_DIGITS_TONES; /* but no speech can be converted */
	begin();
	assert_int_equal(transcoder_digit(transcoder, '1', 100), -ENOENT);
}

static void a_digit_is_told_to_one_who_takes_it_by_signalling(void **state)
{
	(void)state;
	way.types[101] = CODECS_CONVERT;
	way.event_rates[101] = 8000;
	way.event_rate = 8000;
	way.digits = CODECS_DIGITS_TELL;
	voice_describe(VOICE_PCMA, &way.to);
	begin();
	put_event(5000, 160, true, false);
	assert_int_equal(told, 0);
	put_event(5000, 1280, false, true);
	assert_int_equal(told, '5');
	assert_int_equal(told_ms, 160);
	told = 0;
	put_event(5000, 1280, false, true);
	assert_int_equal(told, 0); /* the end again */
	put_event(9000, 480, true, false);
	advance(300); /* its end is lost */
	assert_int_equal(told, '5');
	assert_int_equal(told_ms, 60);
	assert_int_equal(got_count, 0);
}

static void tones_become_events_on_request(void **state)
{
	struct digit_queue queue = { .count = 0 };
	unsigned events = 0, ends = 0;

	(void)state;
	convert_to(VOICE_PCMU, 20);
	way.hear_tones = true;
	way.event_rate = 8000;
	begin();
	run(10);
	assert_true(digit_queue_add(&queue, 9, 200));
	while (digit_queue_busy(&queue)) {
		uint8_t packet[RELAY_BUFFER];
		int16_t samples[160];

		digit_queue_play(&queue, 8000, samples, 160);
		stream_header(&in, packet, 8, in.timestamp);
		for (unsigned i = 0; i < 160; i++)
			packet[STREAM_HEADER + i] = g711_encode_a(samples[i]);
		in.timestamp += 160;
		relay_rtp(&legs[0], packet, STREAM_HEADER + 160);
		advance(20);
	}
	run(30);
	for (unsigned i = 0; i < got_count; i++) {
		if (got[i].bytes[1] % 128 != 97)
			continue;
		events++;
		ends += got[i].bytes[13] >> 7;
		assert_int_equal(got[i].bytes[12], 9);
	}
	assert_in_range(events, 8, 16);
	assert_int_equal(ends, 3);
	assert_one_stream(8);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_tone_comes_out_of_another_codec_at_its_level),
		T(packets_get_the_length_the_other_side_wants),
		T(time_goes_on_while_nothing_is_sent),
		T(a_digit_is_carried_in_the_other_clock),
		T(a_digit_of_another_ssrc_does_not_begin_the_speech_anew),
		T(a_digit_of_ours_goes_between_packets_that_pass),
		T(a_digit_becomes_a_tone_where_the_other_side_has_no_events),
		T(a_digit_of_ours_becomes_a_tone_even_in_silence),
		T(without_a_way_for_it_a_digit_is_refused),
		T(a_digit_is_told_to_one_who_takes_it_by_signalling),
		T(tones_become_events_on_request),
	};

	return cmocka_run_group_tests_name("media/transcoder", tests, NULL, NULL);
}
