/* SPDX-License-Identifier: Apache-2.0 */
#include "media/local.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/str.h"
#include "media/dictation.h"
#include "media/sounds.h"
#include "media/stream.h"
#include "media/tone.h"
#include "media/voice.h"

#define FRAME_SAMPLES (TONE_RATE / 1000 * LOCAL_FRAME_MS)
/* Silence before a sound: the caller's phone has heard of the answer by then. */
#define LEAD_SAMPLES (TONE_RATE / 5)
#define BEEP_HZ      1000
#define BEEP_SAMPLES (TONE_RATE * 2 / 5)
/* Sounds are short and calls with them many. */
#define OPUS_COMPLEXITY 1
#define STALE_MS        500 /* without a packet, what was detected no longer holds */

/* By payload type, besides enum voice_kind. */
#define KIND_EVENT 0xff

struct local {
	struct relay_leg *leg;
	struct timer_wheel *wheel;
	struct timer frame;
	struct media_local options;
	struct local_handlers handlers;
	/* The sound, as long as it is played. */
	const int16_t *sound; /* NULL: over, or none */
	size_t sound_count, sound_at, lead;
	unsigned times; /* it is still to be played; 0: without end */
	/* The message, until it is over. */
	struct dictation dictation;
	struct tone_source beep;
	size_t beep_left;
	bool key, key_known; /* a key ended it; key_at is valid */
	uint32_t key_at;
	struct tone_source source;
	struct tone_detector detector;
	uint8_t kinds[128]; /* enum voice_kind, or KIND_EVENT */
	struct voice_decoder *decoders[VOICE_KINDS];
	struct voice_encoder *encoder; /* of what we send; NULL: no memory */
	struct sdp_codec codec;        /* that we send */
	bool sending;
	mono_ms heard_ms;
	uint32_t heard_raw, heard_at; /* timestamp last heard; the same in TONE_RATE */
	struct stream out;
	/* Echo: their timestamps moved into our time line. */
	uint32_t echo_ssrc, echo_shift;
	uint32_t echo_digit, echo_digit_at; /* of a digit under another SSRC */
};

static const struct sdp_codec known[] = {
	{ .type = 8, .name = "PCMA", .rate = 8000, .channels = 1 },
	{ .type = 0, .name = "PCMU", .rate = 8000, .channels = 1 },
	{ .type = 9, .name = "G722", .rate = 8000, .channels = 1 },
	{ .type = 111,
	  .name = "opus",
	  .rate = 48000,
	  .channels = 2,
	  .fmtp = "minptime=10;useinbandfec=1" },
	{ .type = 101, .name = "telephone-event", .rate = 8000, .channels = 1, .fmtp = "0-15" },
	/* With Opus, whose clock it has. */
	{ .type = 110, .name = "telephone-event", .rate = 48000, .channels = 1, .fmtp = "0-15" },
};

int local_codecs(const char *const *names, unsigned count, struct media_desc *ret_desc)
{
	static const char *const all[] = { "PCMA", "PCMU", "G722", "opus", "telephone-event" };
	bool opus = false;

	if (count == 0) {
		names = all;
		count = ARRAY_SIZE(all);
	}
	ret_desc->codec_count = 0;
	for (unsigned i = 0; i < count; i++)
		opus = opus || str_equal_nocase(names[i], "opus");
	for (unsigned i = 0; i < count; i++)
		for (unsigned k = 0; k < ARRAY_SIZE(known); k++)
			if (str_equal_nocase(names[i], known[k].name) &&
			    (known[k].type != 110 || opus) &&
			    ret_desc->codec_count < ARRAY_SIZE(known))
				ret_desc->codecs[ret_desc->codec_count++] = known[k];
	return codecs_first_speech(ret_desc) ? 0 : -EINVAL;
}

/* The next sample of the sound; the last one ends it or begins it anew. */
static int16_t sound_next(struct local *local)
{
	int16_t sample = local->sound[local->sound_at++];

	if (local->sound_at < local->sound_count)
		return sample;
	local->sound_at = 0;
	if (local->times > 0 && --local->times == 0)
		local->sound = NULL;
	return sample;
}

static bool has_to_say(const struct local *local)
{
	return local->sound || local->beep_left > 0;
}

static int16_t next_sample(struct local *local)
{
	if (!has_to_say(local))
		return tone_source_next(&local->source);
	if (local->lead > 0) {
		local->lead--;
		return 0;
	}
	if (local->sound)
		return sound_next(local);
	local->beep_left--;
	return tone_source_next(&local->beep);
}

static void play_frame(struct local *local)
{
	uint8_t packet[RELAY_BUFFER];
	int16_t samples[FRAME_SAMPLES];
	size_t length;

	for (unsigned i = 0; i < FRAME_SAMPLES; i++)
		samples[i] = next_sample(local);
	length = voice_encode(local->encoder, samples, FRAME_SAMPLES, packet + STREAM_HEADER);
	if (length == 0) {
		local->out.marker = true; /* a peer that wants no silence: DTX */
		return;
	}
	stream_header(&local->out, packet, local->codec.type, local->out.timestamp);
	relay_rtp(local->leg, packet, STREAM_HEADER + length);
}

/* The beginning of a sound is not played to a peer whose keys are still to
 * come. */
static bool heard_by_nobody(const struct local *local)
{
	return has_to_say(local) && local->leg->peer->ops == &relay_ops_closed;
}

static void end_message(struct local *local, const char *why)
{
	struct dictation *dictation = &local->dictation;

	dictation->running = false;
	dictation->recording =
		recording_close(dictation->recording, dictation_ms(dictation) > 0, why);
}

/* One after the other: the sound, the beep, the message. */
static void step_on(struct local *local, bool was_playing, mono_ms now)
{
	struct dictation *dictation = &local->dictation;
	const char *why;

	if (has_to_say(local))
		return;
	if (!dictation->recording) {
		if (was_playing)
			local->handlers.played(local->handlers.arg);
		return;
	}
	if (!dictation->running)
		dictation_begin(dictation, now);
	why = local->key ? "key" : dictation_over(dictation, now);
	if (!why)
		return;
	end_message(local, why);
	local->handlers.recorded(why, local->handlers.arg);
}

static void on_frame(struct timer *timer, void *arg)
{
	struct local *local = arg;
	mono_ms now = clock_now();
	mono_ms next = timer->due_ms + LOCAL_FRAME_MS;
	bool was_playing = local->sound != NULL;

	if (local->sending && local->encoder && !local->options.echo && !heard_by_nobody(local))
		play_frame(local);
	step_on(local, was_playing, now);
	local->out.timestamp += LOCAL_FRAME_MS * (local->codec.rate / 1000);
	if (local->options.detect && now - local->heard_ms > STALE_MS)
		atomic_store_explicit(&local->leg->receipt->detected_hz, 0, memory_order_relaxed);
	/* On time on average; after a stall from now on, not in a burst. */
	timer_start(local->wheel, timer,
		    next + 10 * LOCAL_FRAME_MS < now ? now + LOCAL_FRAME_MS : next);
}

/* All packets of one digit have the time at which it began (RFC 4733 2.3). */
static uint32_t echo_time(struct local *local, const uint8_t *packet)
{
	uint32_t ssrc = relay_word_at(packet + 8), timestamp = relay_word_at(packet + 4);
	bool other = ssrc != local->echo_ssrc;

	if (other && local->kinds[packet[1] & 0x7f] == KIND_EVENT) {
		if (timestamp != local->echo_digit)
			local->echo_digit_at = local->out.timestamp;
		local->echo_digit = timestamp;
		return local->echo_digit_at;
	}
	if (other) {
		local->echo_ssrc = ssrc;
		local->echo_shift = local->out.timestamp - timestamp;
	}
	return timestamp + local->echo_shift;
}

static void echo(struct local *local, uint8_t *packet, size_t length)
{
	local->out.marker = (packet[1] & 0x80) != 0;
	stream_header(&local->out, packet, packet[1] & 0x7f, echo_time(local, packet));
	relay_rtp(local->leg, packet, length);
}

/* Codes 10 and 11 are * and #; all packets of one event have its timestamp (RFC
 * 4733 2.3 and 3.2). In the greeting such a key leads to the beep. */
static void press_key(struct local *local, const uint8_t *packet, const uint8_t *payload,
		      size_t count)
{
	uint32_t at = relay_word_at(packet + 4);

	if (!local->dictation.recording || count < 4 || (payload[0] != 10 && payload[0] != 11) ||
	    (local->key_known && at == local->key_at))
		return;
	local->key_known = true;
	local->key_at = at;
	if (local->sound)
		local->sound = NULL;
	else
		local->key = local->dictation.running;
}

static void hear(struct local *local, const struct dictation_piece *piece)
{
	struct receipt *receipt = local->leg->receipt;

	local->heard_ms = clock_now();
	if (local->options.detect) {
		for (size_t i = 0; i < piece->count; i++)
			tone_detector_add(&local->detector, piece->samples[i]);
		atomic_store_explicit(&receipt->detected_hz, local->detector.hz,
				      memory_order_relaxed);
	}
	if (!local->dictation.running)
		return;
	dictation_hear(&local->dictation, piece, local->heard_ms);
	atomic_store_explicit(&receipt->recorded_ms, dictation_ms(&local->dictation),
			      memory_order_relaxed);
}

/* In steps, so that a wrap of the sender's clock is one of ours. */
static uint32_t timestamp_heard(struct local *local, const uint8_t *packet, enum voice_kind kind)
{
	uint32_t raw = relay_word_at(packet + 4);
	int32_t ahead = (int32_t)(raw - local->heard_raw);

	local->heard_raw = raw;
	local->heard_at += (uint32_t)(kind == VOICE_OPUS ? ahead / 6 : ahead);
	return local->heard_at;
}

static void listen_to(struct local *local, const uint8_t *packet, size_t length)
{
	uint8_t kind = local->kinds[packet[1] & 0x7f];
	int16_t samples[VOICE_FRAME_MAX];
	size_t count;
	const uint8_t *payload = stream_payload(packet, length, &count);
	struct dictation_piece piece = { .ssrc = relay_word_at(packet + 8), .samples = samples };

	if (kind == KIND_EVENT)
		press_key(local, packet, payload, count);
	else if (local->decoders[kind]) {
		piece.timestamp = timestamp_heard(local, packet, (enum voice_kind)kind);
		piece.count = voice_decode(local->decoders[kind], payload, count, samples);
		hear(local, &piece);
	}
}

static void local_send_rtp(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	struct local *local = leg->local;

	relay_count_out(leg, length, /* sent= */ true);
	if (local->options.detect || local->dictation.recording)
		listen_to(local, packet, length);
	if (local->options.echo && local->sending)
		echo(local, packet, length);
}

static void local_send_rtcp(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	(void)packet;
	(void)length;
	receipt_add(&leg->receipt->rtcp_out, 1); /* nobody here reads reports */
}

static const struct relay_ops relay_ops_local = { local_send_rtp, local_send_rtcp };

static void take_message(struct local *local, struct recording *take_recording)
{
	const struct media_recording *options;

	if (!take_recording)
		return;
	options = recording_options(take_recording);
	local->dictation = (struct dictation){ .recording = take_recording,
					       .max_ms = options->max_ms,
					       .silence_ms = options->silence_ms };
	local->beep_left = options->beep ? BEEP_SAMPLES : 0;
	tone_source_init(&local->beep, BEEP_HZ);
}

int local_create(struct local **ret_local, struct timer_wheel *wheel, struct relay_leg *leg,
		 const struct media_local *options, struct recording *take_recording,
		 const struct local_handlers *handlers)
{
	struct local *local = calloc(1, sizeof(*local));

	if (!local) {
		recording_close(take_recording, /* keep= */ false, "");
		return -ENOMEM;
	}
	timer_init(&local->frame, on_frame, local);
	take_message(local, take_recording);
	if (stream_init(&local->out)) {
		local_destroy(local);
		return -EIO;
	}
	local->leg = leg;
	local->wheel = wheel;
	local->options = *options;
	local->handlers = *handlers;
	if (options->sound)
		local->sound = sound_samples(options->sound, &local->sound_count);
	local->times = options->repeat;
	local->lead = LEAD_SAMPLES;
	tone_source_init(&local->source, options->tone_hz);
	*ret_local = local;
	return 0;
}

struct local *local_destroy(struct local *local)
{
	if (!local)
		return NULL;
	timer_cancel(&local->frame);
	end_message(local, "hangup");
	for (unsigned i = 0; i < VOICE_KINDS; i++)
		voice_decoder_destroy(local->decoders[i]);
	voice_encoder_destroy(local->encoder);
	free(local);
	return NULL;
}

enum recording_state local_recording_state(const struct local *local)
{
	return local->dictation.recording ? recording_state(local->dictation.recording)
					  : RECORDING_OPEN;
}

static void hear_codec(struct local *local, const struct sdp_codec *codec)
{
	enum voice_kind kind = voice_kind_of(codec);

	local->kinds[codec->type] = (uint8_t)kind;
	if (str_equal_nocase(codec->name, "telephone-event"))
		local->kinds[codec->type] = KIND_EVENT;
	if (voice_kind_speaks(kind) && !local->decoders[kind] &&
	    voice_decoder_create(&local->decoders[kind], kind, TONE_RATE))
		log_error("media", "%s is not heard: out of memory", codec->name);
}

static void speak_codec(struct local *local, const struct sdp_codec *codec)
{
	const struct voice_encoding encoding = { .kind = voice_kind_of(codec),
						 .rate = TONE_RATE,
						 .complexity = OPUS_COMPLEXITY,
						 .fmtp = codec->fmtp };

	if (local->encoder && codecs_equal(&local->codec, codec))
		return;
	local->codec = *codec;
	local->encoder = voice_encoder_destroy(local->encoder);
	if (voice_kind_speaks(encoding.kind) && voice_encoder_create(&local->encoder, &encoding))
		log_error("media", "%s is not spoken: out of memory", codec->name);
}

void local_agree(struct local *local, const struct media_desc *agreed, bool sending)
{
	const struct sdp_codec *speech = codecs_first_speech(agreed);

	memset(local->kinds, VOICE_NONE, sizeof(local->kinds));
	for (unsigned i = 0; i < agreed->codec_count; i++)
		hear_codec(local, &agreed->codecs[i]);
	speak_codec(local, speech);
	local->out.marker = sending && !local->sending; /* a talk spurt begins (RFC 3551 4.1) */
	local->sending = sending;
	local->leg->ops = &relay_ops_local;
	if (!timer_active(&local->frame))
		timer_start(local->wheel, &local->frame, clock_now() + LOCAL_FRAME_MS);
}
