/* SPDX-License-Identifier: Apache-2.0 */
#include "codec_cost.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "media/tone.h"

#define PACKETS 5000

static void must(int err, const char *what)
{
	if (!err)
		return;
	(void)fprintf(stderr, "cost of codecs: %s: error %d\n", what, err);
	exit(1);
}

static double cpu_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static struct voice_encoder *make_encoder(enum voice_kind kind, unsigned rate)
{
	const struct voice_encoding encoding = { .kind = kind,
						 .rate = rate,
						 .complexity = CODEC_COST_COMPLEXITY,
						 .fmtp = "useinbandfec=1" };
	struct voice_encoder *encoder;

	must(voice_encoder_create(&encoder, &encoding), "encoder");
	return encoder;
}

/* A tone that rises and falls under noise. */
void codec_speech_make(struct codec_speech *speech, enum voice_kind kind, unsigned rate)
{
	struct voice_encoder *encoder = make_encoder(kind, rate);
	struct tone_source source;
	int16_t samples[VOICE_RATE_MAX / 50];

	for (unsigned n = 0; n < CODEC_COST_KEPT; n++) {
		tone_source_init_at(&source, 150 + 40 * (n % 9), rate);
		for (unsigned i = 0; i < rate / 50; i++)
			samples[i] = (int16_t)(tone_source_next(&source) / (1 + (int)n % 5) +
					       rand() % 400);
		speech->lengths[n] = voice_encode(encoder, samples, rate / 50, speech->payloads[n]);
	}
	voice_encoder_destroy(encoder);
}

double codec_cost_ns(const struct codec_speech *speech, enum voice_kind from, enum voice_kind to,
		     unsigned rate)
{
	struct voice_encoder *encoder = make_encoder(to, rate);
	struct voice_decoder *decoder;
	int16_t samples[VOICE_FRAME_MAX];
	uint8_t payload[VOICE_PAYLOAD_MAX];
	double began;

	must(voice_decoder_create(&decoder, from, rate), "decoder");
	began = cpu_ns();
	for (unsigned n = 0; n < PACKETS; n++) {
		unsigned at = n % CODEC_COST_KEPT;

		(void)voice_encode(
			encoder, samples,
			voice_decode(decoder, speech->payloads[at], speech->lengths[at], samples),
			payload);
	}
	began = cpu_ns() - began;
	voice_encoder_destroy(encoder);
	voice_decoder_destroy(decoder);
	return began / PACKETS;
}
