/* SPDX-License-Identifier: Apache-2.0 */
/* test_weather.c - converted speech over a path that loses, repeats, delays and overtakes
 * packets, for every pair of codecs: what leaves us goes on, and is the tone that came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "media/stream.h"
#include "media/tone.h"
#include "media/transcoder.h"
#include "media/voice.h"

#define TALK_MS   20000
#define STEP_MS   5
#define PACKET_MS 20
#define SLOTS     64
/* Per mille of all packets; and how late, where a packet is overtaken, or only out of step. */
#define LOST      50
#define REPEATED  20
#define LATE      100
#define LATE_MS   45
#define SPREAD_MS 15

struct flying {
	uint8_t bytes[RELAY_BUFFER];
	size_t length; /* 0: free */
	mono_ms due;
};

static struct receipt receipts[2];
static struct relay_leg legs[2];
static struct timer_wheel *wheel;
static struct codecs_way way;
static struct flying sky[SLOTS];
static struct voice_decoder *ear;
static struct tone_detector detector;
static unsigned tone_hz, windows, right, packets;
static mono_ms last_ms, gap_ms;

/* An ear without a jitter buffer, as a simulated phone's. */
static void take_rtp(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	int16_t samples[VOICE_FRAME_MAX];
	size_t count = voice_decode(ear, packet + STREAM_HEADER, length - STREAM_HEADER, samples);

	(void)leg;
	for (size_t i = 0; i < count; i++) {
		tone_detector_add(&detector, samples[i]);
		if (detector.count > 0)
			continue;
		windows++;
		right += detector.hz + 10 >= tone_hz && detector.hz <= tone_hz + 10;
	}
	if (packets++ > 0 && clock_now() - last_ms > gap_ms)
		gap_ms = clock_now() - last_ms;
	last_ms = clock_now();
}

static const struct relay_ops ops = { take_rtp, take_rtp };

static int set_up(void **state)
{
	(void)state;
	clock_fake_set(1000);
	srand(7);
	return 0;
}

static void fly(const uint8_t *packet, size_t length, mono_ms delay)
{
	struct flying *slot = sky;

	while (slot->length > 0)
		slot++;
	assert_true(slot < sky + SLOTS);
	memcpy(slot->bytes, packet, length);
	slot->length = length;
	slot->due = clock_now() + delay;
}

static void send_into_weather(const uint8_t *packet, size_t length)
{
	int luck = rand() % 1000;

	if (luck < LOST)
		return;
	if (luck < LOST + REPEATED)
		fly(packet, length, STEP_MS);
	fly(packet, length,
	    luck >= LOST + REPEATED && luck < LOST + REPEATED + LATE ? LATE_MS
								     : rand() % SPREAD_MS);
}

static void arrive(void)
{
	for (struct flying *slot = sky; slot < sky + SLOTS; slot++) {
		if (slot->length == 0 || slot->due > clock_now())
			continue;
		relay_rtp(&legs[0], slot->bytes, slot->length);
		slot->length = 0;
	}
}

static void begin(enum voice_kind from, enum voice_kind to)
{
	const struct transcoder_setup setup = {
		.from = &legs[0], .wheel = wheel, .way = &way, .complexity = 1
	};

	memset(&way, 0, sizeof(way));
	memset(way.types, CODECS_DROP, sizeof(way.types));
	way.converts = true;
	way.kinds[96] = (uint8_t)from;
	way.types[96] = CODECS_CONVERT;
	voice_describe(to, &way.to);
	way.to.type = 97;
	way.pcm_rate = voice_rate(from, to);
	way.frame_ms = PACKET_MS;
	assert_int_equal(transcoder_create(&legs[0].transcoder, &setup), 0);
	memcpy(legs[0].types, way.types, sizeof(way.types));
}

static void talk(enum voice_kind from)
{
	const struct voice_encoding encoding = {
		.kind = from, .rate = way.pcm_rate, .complexity = 1, .fmtp = "useinbandfec=1"
	};
	struct voice_encoder *encoder;
	struct tone_source source;
	struct stream out;
	uint8_t packet[RELAY_BUFFER];
	int16_t samples[VOICE_RATE_MAX / 1000 * PACKET_MS];
	size_t count = way.pcm_rate / 1000 * PACKET_MS;

	tone_source_init_at(&source, tone_hz, way.pcm_rate);
	assert_int_equal(stream_init(&out), 0);
	assert_int_equal(voice_encoder_create(&encoder, &encoding), 0);
	for (unsigned ms = 0; ms < TALK_MS; ms += STEP_MS, clock_fake_advance(STEP_MS)) {
		if (ms % PACKET_MS == 0) {
			for (size_t i = 0; i < count; i++)
				samples[i] = tone_source_next(&source);
			size_t length =
				voice_encode(encoder, samples, count, packet + STREAM_HEADER);

			stream_header(&out, packet, 96, out.timestamp);
			out.timestamp += voice_clock(from) / 1000 * PACKET_MS;
			send_into_weather(packet, STREAM_HEADER + length);
		}
		arrive();
		(void)timer_wheel_advance(wheel, clock_now(), 0);
	}
	voice_encoder_destroy(encoder);
}

static void open_path(enum voice_kind heard, unsigned hz)
{
	memset(receipts, 0, sizeof(receipts));
	memset(sky, 0, sizeof(sky));
	memset(&detector, 0, sizeof(detector));
	tone_hz = hz;
	windows = right = packets = 0;
	gap_ms = 0;
	assert_int_equal(timer_wheel_create(&wheel, clock_now()), 0);
	relay_leg_init(&legs[0], &legs[1], &receipts[0]);
	relay_leg_init(&legs[1], &legs[0], &receipts[1]);
	legs[1].ops = &ops;
	assert_int_equal(sender_create(&legs[1].sender), 0);
	assert_int_equal(voice_decoder_create(&ear, heard, TONE_RATE), 0);
}

static void close_path(void)
{
	legs[0].transcoder = transcoder_destroy(legs[0].transcoder);
	ear = voice_decoder_destroy(ear);
	legs[1].sender = sender_unref(legs[1].sender);
	wheel = timer_wheel_destroy(wheel);
}

static void converted(enum voice_kind from, enum voice_kind to)
{
	open_path(to, 700);
	begin(from, to);
	talk(from);
	assert_in_range(packets, TALK_MS / PACKET_MS - 10, TALK_MS / PACKET_MS);
	assert_in_range(gap_ms, PACKET_MS, 2 * PACKET_MS); /* a timer is late by a step */
	assert_true(right > windows * 9 / 10);
	close_path();
}

static void what_is_converted_is_heard_in_bad_weather_whatever_the_codecs(void **state)
{
	static const enum voice_kind kinds[] = { VOICE_PCMA, VOICE_PCMU, VOICE_G722, VOICE_OPUS };

	(void)state;
	for (size_t from = 0; from < ARRAY_SIZE(kinds); from++)
		for (size_t to = 0; to < ARRAY_SIZE(kinds); to++)
			if (from != to)
				converted(kinds[from], kinds[to]);
}

/* What passes is as good as the path: an ear that plays packets as they come has windows in which
 * no tone stands out, although hardly a packet is missing. So what such an ear says at one
 * moment, as a simulated phone's, is no judgement of the call. */
static void an_ear_without_a_jitter_buffer_misses_a_tone_that_is_there(void **state)
{
	static const enum voice_kind kinds[] = { VOICE_PCMA, VOICE_G722, VOICE_OPUS };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		open_path(kinds[i], 560); /* each packet that is missing turns its phase */
		legs[0].types[96] = 97;
		way.pcm_rate = voice_rate(kinds[i], kinds[i]);
		talk(kinds[i]);
		print_message("codec %u: a tone in %u of %u windows\n", kinds[i], right, windows);
		assert_in_range(packets, TALK_MS / PACKET_MS * 90 / 100, TALK_MS / PACKET_MS);
		assert_in_range(right, windows / 4, windows - 1);
		close_path();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			what_is_converted_is_heard_in_bad_weather_whatever_the_codecs, set_up),
		cmocka_unit_test_setup(an_ear_without_a_jitter_buffer_misses_a_tone_that_is_there,
				       set_up),
	};

	return cmocka_run_group_tests_name("media/weather", tests, NULL, NULL);
}
