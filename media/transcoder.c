/* SPDX-License-Identifier: Apache-2.0 */
#include "media/transcoder.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "media/digit_detector.h"
#include "media/digits.h"
#include "media/stream.h"
#include "media/voice_path.h"

#define STALLED_FRAMES 10  /* behind by more: time goes on from now */
#define DIGIT_LOST_MS  200 /* without a packet, a digit whose end was lost is over */

/* A digit's packet in the words of the other side. */
struct mapped {
	uint8_t payload[DIGIT_PAYLOAD];
	size_t at;       /* of the payload in the packet */
	uint32_t offset; /* of the timestamp from the digit's begin */
	bool begins;
};

struct transcoder {
	struct relay_leg *from;
	struct timer_wheel *wheel;
	struct codecs_way way;
	void (*on_digit)(char digit, unsigned ms, void *arg);
	void *arg;
	/* Speech; NULL where none is converted. */
	struct voice_path *path;
	struct voice_encoder *encoder;
	struct digit_detector *detector; /* NULL: tones are not looked for */
	struct timer frame;
	unsigned frame_ms, rate;
	size_t frame_samples;
	/* What goes out. */
	struct stream out;
	uint32_t clock; /* of out.timestamp, Hz */
	mono_ms began_ms;
	bool heard; /* the next three are valid: of the newest packet that came */
	uint32_t in_ssrc, in_timestamp;
	uint8_t in_type;
	codecs_map pass; /* types that go on, once digits go between them */
	bool between;    /* they do: every packet comes here */
	/* Digits. */
	struct digit_map map;
	uint32_t map_at; /* timestamp of the one being mapped */
	bool mapping;
	uint8_t mapped_event;
	mono_ms mapped_ms; /* when its last packet came */
	unsigned mapped_length_ms;
	struct digit_queue queue;
	uint32_t queue_at; /* timestamp of the one being sent */
	struct timer step;
	unsigned tone_ms; /* of the tone being heard */
};

static void send_on(struct transcoder *transcoder, uint8_t *packet, size_t length)
{
	relay_send_rtp(transcoder->from->peer, packet, length, clock_now_ns());
}

static void start_timer(struct transcoder *transcoder, struct timer *timer, unsigned ms)
{
	if (!timer_active(timer))
		timer_start(transcoder->wheel, timer, clock_now() + ms);
}

/* On time on average; after a stall from now on, not in a burst. */
static void restart_timer(struct transcoder *transcoder, struct timer *timer, unsigned ms)
{
	mono_ms now = clock_now(), next = timer->due_ms + ms;

	if (next + STALLED_FRAMES * (mono_ms)ms < now)
		next = now + ms;
	timer_start(transcoder->wheel, timer, next);
}

/* While a digit is sent, its packets stand for the sound (RFC 4733 2.1). */
static bool digits_speak(const struct transcoder *transcoder)
{
	return transcoder->mapping || digit_queue_busy(&transcoder->queue);
}

static void send_frame(struct transcoder *transcoder, const int16_t *samples)
{
	uint8_t packet[RELAY_BUFFER];
	size_t length = voice_encode(transcoder->encoder, samples, transcoder->frame_samples,
				     packet + STREAM_HEADER);

	if (length == 0) {
		transcoder->out.marker = true; /* the next one begins a talk spurt */
		return;
	}
	stream_header(&transcoder->out, packet, transcoder->way.to.type, transcoder->out.timestamp);
	send_on(transcoder, packet, STREAM_HEADER + length);
}

static void hear_tones(struct transcoder *transcoder, const int16_t *samples)
{
	int16_t narrow[VOICE_PATH_FRAME_MAX / 2];
	size_t count = transcoder->frame_samples;

	transcoder->tone_ms += transcoder->frame_ms;
	if (transcoder->rate == TONE_RATE) {
		digit_detector_hear(transcoder->detector, samples, count);
		return;
	}
	for (size_t i = 0; i < count / 2; i++) /* DTMF is far below what this folds back */
		narrow[i] = (int16_t)((samples[2 * i] + samples[2 * i + 1]) / 2);
	digit_detector_hear(transcoder->detector, narrow, count / 2);
}

static bool plays_tones(const struct transcoder *transcoder)
{
	return transcoder->way.digits == CODECS_DIGITS_TONES &&
	       digit_queue_busy(&transcoder->queue);
}

static void on_frame(struct timer *timer, void *arg)
{
	struct transcoder *transcoder = arg;
	int16_t samples[VOICE_PATH_FRAME_MAX];
	bool sounds =
		voice_path_take(transcoder->path, clock_now(), samples, transcoder->frame_samples);

	if (sounds && transcoder->detector)
		hear_tones(transcoder, samples);
	if (plays_tones(transcoder)) {
		digit_queue_play(&transcoder->queue, transcoder->rate, samples,
				 transcoder->frame_samples);
		send_frame(transcoder, samples);
	} else if (sounds && !digits_speak(transcoder)) {
		send_frame(transcoder, samples);
	} else {
		transcoder->out.marker = true;
	}
	transcoder->out.timestamp += transcoder->frame_ms * (transcoder->clock / 1000);
	restart_timer(transcoder, timer, transcoder->frame_ms);
}

/* ---- digits ---- */

/* Where the stream is in time: converted speech moves it on itself. */
static uint32_t time_of_stream(const struct transcoder *transcoder, mono_ms now)
{
	uint32_t at = transcoder->out.timestamp;

	if (!transcoder->path)
		at += (uint32_t)(now - transcoder->began_ms) * (transcoder->clock / 1000);
	return at;
}

static void send_event(struct transcoder *transcoder, bool begins, uint32_t timestamp,
		       const uint8_t *payload)
{
	uint8_t packet[RELAY_BUFFER];

	transcoder->out.marker = begins; /* RFC 4733 2.5.1.2 */
	stream_header(&transcoder->out, packet, transcoder->way.event_type, timestamp);
	memcpy(packet + STREAM_HEADER, payload, DIGIT_PAYLOAD);
	send_on(transcoder, packet, STREAM_HEADER + DIGIT_PAYLOAD);
}

static int queue_digit(struct transcoder *transcoder, char digit, uint32_t ms)
{
	uint8_t event;

	if (!digit_event(digit, &event))
		return -EINVAL;
	if (transcoder->way.digits == CODECS_DIGITS_DROP)
		return -ENOENT;
	if (transcoder->way.digits == CODECS_DIGITS_TELL) {
		transcoder->on_digit(digit, ms, transcoder->arg);
		return 0;
	}
	if (!digit_queue_add(&transcoder->queue, event, ms))
		return -ENOBUFS;
	if (transcoder->way.digits == CODECS_DIGITS_EVENTS)
		start_timer(transcoder, &transcoder->step, 0);
	return 0;
}

/* From now on every packet of this direction comes here. */
static void come_between(struct transcoder *transcoder)
{
	uint8_t *types = transcoder->from->types;

	if (transcoder->between)
		return;
	transcoder->between = true;
	memcpy(transcoder->pass, types, sizeof(transcoder->pass));
	for (unsigned i = 0; i < sizeof(codecs_map); i++)
		if (types[i] != CODECS_DROP)
			types[i] = CODECS_CONVERT;
}

int transcoder_digit(struct transcoder *transcoder, char digit, unsigned ms)
{
	bool tones = transcoder->way.digits == CODECS_DIGITS_TONES;
	int err = tones && !transcoder->path ? -ENOENT : queue_digit(transcoder, digit, ms);

	if (err)
		return err;
	if (tones) /* whether or not there is speech to put them into */
		start_timer(transcoder, &transcoder->frame, transcoder->frame_ms);
	if (tones || (!transcoder->path && transcoder->way.digits == CODECS_DIGITS_EVENTS))
		come_between(transcoder);
	return 0;
}

static void on_tone(char digit, void *arg)
{
	struct transcoder *transcoder = arg;

	if (digit) {
		transcoder->tone_ms = transcoder->frame_ms;
		if (transcoder->way.digits == CODECS_DIGITS_EVENTS)
			(void)queue_digit(transcoder, digit, DIGIT_OPEN); /* full: one is lost */
		else
			(void)queue_digit(transcoder, digit, DIGIT_LEAST_MS);
	} else {
		digit_queue_close(&transcoder->queue, transcoder->tone_ms);
	}
}

/* The digit that is coming as packets is over, or its last packet is long ago. */
static void end_mapped(struct transcoder *transcoder)
{
	char digit = digit_of(transcoder->mapped_event);

	transcoder->mapping = false;
	if (transcoder->way.digits == CODECS_DIGITS_TONES)
		digit_queue_close(&transcoder->queue, transcoder->mapped_length_ms);
	else if (transcoder->way.digits == CODECS_DIGITS_TELL && digit)
		transcoder->on_digit(digit, transcoder->mapped_length_ms, transcoder->arg);
}

static void on_step(struct timer *timer, void *arg)
{
	struct transcoder *transcoder = arg;
	mono_ms now = clock_now();
	struct digit_step step = { .packet = false };

	if (transcoder->mapping && now - transcoder->mapped_ms > DIGIT_LOST_MS)
		end_mapped(transcoder);
	if (transcoder->way.digits == CODECS_DIGITS_EVENTS)
		digit_queue_step(&transcoder->queue, transcoder->way.event_rate, &step);
	if (step.begins)
		transcoder->queue_at = time_of_stream(transcoder, now);
	if (step.packet)
		send_event(transcoder, step.begins, transcoder->queue_at + step.offset,
			   step.payload);
	if (transcoder->mapping || digit_queue_busy(&transcoder->queue))
		restart_timer(transcoder, timer, DIGIT_STEP_MS);
}

static void begin_mapped(struct transcoder *transcoder, mono_ms now)
{
	if (transcoder->mapping)
		end_mapped(transcoder); /* the end of the one before was lost */
	transcoder->mapping = true;
	transcoder->mapped_event = transcoder->map.event;
	transcoder->map_at = time_of_stream(transcoder, now);
	start_timer(transcoder, &transcoder->step, DIGIT_STEP_MS);
	if (transcoder->way.digits == CODECS_DIGITS_TONES)
		(void)queue_digit(transcoder, digit_of(transcoder->map.event), DIGIT_OPEN);
}

/* ---- packets that go on, once digits go between them ---- */

static void pass(struct transcoder *transcoder, uint8_t *packet, size_t length, uint8_t type)
{
	if (digit_queue_busy(&transcoder->queue) && transcoder->way.digits == CODECS_DIGITS_EVENTS)
		return; /* our digit stands for it; sender.h closes the gap */
	packet[1] = (uint8_t)((packet[1] & 0x80) | type);
	send_on(transcoder, packet, length);
}

static void send_mapped(struct transcoder *transcoder, uint8_t *packet, size_t length,
			const struct mapped *mapped)
{
	if (transcoder->way.digits != CODECS_DIGITS_EVENTS)
		return;
	if (transcoder->path) {
		send_event(transcoder, mapped->begins, transcoder->map_at + mapped->offset,
			   mapped->payload);
		return;
	}
	/* Where no speech is converted a digit's packets stay in their own stream. */
	memcpy(packet + mapped->at, mapped->payload, DIGIT_PAYLOAD);
	if (transcoder->between) {
		pass(transcoder, packet, length, transcoder->way.event_type);
		return;
	}
	packet[1] = (uint8_t)((packet[1] & 0x80) | transcoder->way.event_type);
	send_on(transcoder, packet, length);
}

static void take_event(struct transcoder *transcoder, uint8_t *packet, size_t length, uint32_t rate)
{
	mono_ms now = clock_now();
	uint32_t to_rate = transcoder->way.event_rate;
	struct mapped mapped;
	size_t count;
	const uint8_t *payload = stream_payload(packet, length, &count);

	if (count < DIGIT_PAYLOAD)
		return;
	if (transcoder->way.lazy)
		come_between(transcoder); /* tones are put into speech from here on */
	mapped.at = (size_t)(payload - packet);
	memcpy(mapped.payload, payload, DIGIT_PAYLOAD);
	mapped.begins =
		digit_map_payload(&transcoder->map, rate, to_rate, relay_word_at(packet + 4),
				  (packet[1] & 0x80) != 0, mapped.payload, &mapped.offset);
	if (mapped.begins)
		begin_mapped(transcoder, now);
	transcoder->mapped_ms = now;
	transcoder->mapped_length_ms = digit_length_ms(mapped.payload, mapped.offset, to_rate);
	send_mapped(transcoder, packet, length, &mapped);
	if (transcoder->map.ended && transcoder->mapping)
		end_mapped(transcoder);
}

static void take_speech(struct transcoder *transcoder, const uint8_t *packet, size_t length)
{
	size_t count;
	const uint8_t *payload = stream_payload(packet, length, &count);
	const struct jitter_piece piece = { .ssrc = relay_word_at(packet + 8),
					    .timestamp = relay_word_at(packet + 4),
					    .sequence = (uint16_t)(packet[2] << 8 | packet[3]),
					    .type = packet[1] & 0x7f,
					    .payload = payload,
					    .length = count };

	transcoder->heard = true;
	transcoder->in_ssrc = piece.ssrc;
	transcoder->in_timestamp = piece.timestamp;
	transcoder->in_type = piece.type;
	voice_path_put(transcoder->path, &piece, clock_now());
	start_timer(transcoder, &transcoder->frame, transcoder->frame_ms);
}

void transcoder_take(struct transcoder *transcoder, uint8_t *packet, size_t length)
{
	uint8_t type = packet[1] & 0x7f;
	uint32_t event_rate = transcoder->way.event_rates[type];

	/* Digits in a stream of their own have no place among the packets of the speech. */
	if (transcoder->path &&
	    !(event_rate && transcoder->heard && relay_word_at(packet + 8) != transcoder->in_ssrc))
		take_speech(transcoder, packet, length);
	if (event_rate)
		take_event(transcoder, packet, length, event_rate);
	else if (transcoder->between && !transcoder->path && transcoder->pass[type] < 128)
		pass(transcoder, packet, length, transcoder->pass[type]);
}

bool transcoder_stream(const struct transcoder *transcoder, struct reports_stream *ret_stream)
{
	enum voice_kind kind = (enum voice_kind)transcoder->way.kinds[transcoder->in_type];

	if (!transcoder->heard)
		return false;
	*ret_stream = (struct reports_stream){
		.in_ssrc = transcoder->in_ssrc,
		.in_timestamp = transcoder->in_timestamp,
		.in_clock = voice_kind_speaks(kind) ? voice_clock(kind) : 8000,
		.out_ssrc = transcoder->out.ssrc,
		.out_timestamp = transcoder->out.timestamp,
		.out_clock = transcoder->clock,
	};
	return true;
}

/* ---- life ---- */

static int create_speech(struct transcoder *transcoder, unsigned complexity)
{
	const struct codecs_way *way = &transcoder->way;
	enum voice_kind to = voice_kind_of(&way->to);
	const struct voice_encoding encoding = {
		.kind = to, .rate = way->pcm_rate, .complexity = complexity, .fmtp = way->to.fmtp
	};
	int err = voice_path_create(&transcoder->path, way->kinds, way->pcm_rate);

	if (!err)
		err = voice_encoder_create(&transcoder->encoder, &encoding);
	if (!err && way->hear_tones)
		err = digit_detector_create(&transcoder->detector, on_tone, transcoder);
	transcoder->rate = way->pcm_rate;
	transcoder->frame_ms = way->frame_ms;
	transcoder->frame_samples = (size_t)way->frame_ms * way->pcm_rate / 1000;
	return err;
}

int transcoder_create(struct transcoder **ret_transcoder, const struct transcoder_setup *setup)
{
	struct transcoder *transcoder = calloc(1, sizeof(*transcoder));
	int err;

	if (!transcoder)
		return -ENOMEM;
	transcoder->from = setup->from;
	transcoder->wheel = setup->wheel;
	transcoder->way = *setup->way;
	transcoder->on_digit = setup->on_digit;
	transcoder->arg = setup->arg;
	transcoder->clock = setup->way->to.rate;
	transcoder->began_ms = clock_now();
	timer_init(&transcoder->frame, on_frame, transcoder);
	timer_init(&transcoder->step, on_step, transcoder);
	err = stream_init(&transcoder->out);
	if (!err && setup->way->converts)
		err = create_speech(transcoder, setup->complexity);
	if (err) {
		transcoder_destroy(transcoder);
		return err;
	}
	*ret_transcoder = transcoder;
	return 0;
}

bool transcoder_serves(const struct transcoder *transcoder, const struct codecs_way *way)
{
	return codecs_way_same(&transcoder->way, way);
}

struct transcoder *transcoder_destroy(struct transcoder *transcoder)
{
	if (!transcoder)
		return NULL;
	timer_cancel(&transcoder->frame);
	timer_cancel(&transcoder->step);
	voice_path_destroy(transcoder->path);
	voice_encoder_destroy(transcoder->encoder);
	digit_detector_destroy(transcoder->detector);
	free(transcoder);
	return NULL;
}
