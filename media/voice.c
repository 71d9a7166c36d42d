/* SPDX-License-Identifier: Apache-2.0 */
#include "media/voice.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "media/filler.h"
#include "media/tone.h"
#include "media/voice_g722.h"
#include "media/voice_opus.h"

struct voice_encoder {
	enum voice_kind kind;
	void *state; /* G.722, Opus */
};

struct voice_decoder {
	enum voice_kind kind;
	unsigned rate;
	void *state;          /* G.722, Opus */
	struct filler filler; /* not Opus, which has its own */
};

static const struct {
	const char *name;
	unsigned clock; /* RFC 3551 4.5.2: G.722 says 8000; RFC 7587 4.1: Opus 48000 */
} known[VOICE_KINDS] = {
	[VOICE_PCMA] = { "PCMA", 8000 }, [VOICE_PCMU] = { "PCMU", 8000 },
	[VOICE_G722] = { "G722", 8000 }, [VOICE_OPUS] = { "opus", 48000 },
	[VOICE_NOISE] = { "CN", 8000 },
};

enum voice_kind voice_kind_of(const struct sdp_codec *codec)
{
	for (enum voice_kind kind = VOICE_PCMA; kind < VOICE_KINDS; kind++)
		if (codec->rate == known[kind].clock &&
		    str_equal_nocase(codec->name, known[kind].name) &&
		    (kind == VOICE_OPUS || codec->channels <= 1))
			return kind;
	return VOICE_NONE;
}

bool voice_kind_speaks(enum voice_kind kind)
{
	return kind != VOICE_NONE && kind != VOICE_NOISE;
}

unsigned voice_clock(enum voice_kind kind)
{
	return known[kind].clock;
}

enum voice_kind voice_kind_named(const char *name)
{
	for (enum voice_kind kind = VOICE_PCMA; kind < VOICE_KINDS; kind++)
		if (str_equal_nocase(name, known[kind].name))
			return kind;
	return VOICE_NONE;
}

void voice_describe(enum voice_kind kind, struct sdp_codec *ret_codec)
{
	memset(ret_codec, 0, sizeof(*ret_codec));
	(void)snprintf(ret_codec->name, sizeof(ret_codec->name), "%s", known[kind].name);
	ret_codec->rate = known[kind].clock;
	ret_codec->channels = 1;
	if (kind != VOICE_OPUS)
		return;
	ret_codec->channels = 2; /* RFC 7587 7: always */
	(void)snprintf(ret_codec->fmtp, sizeof(ret_codec->fmtp), "useinbandfec=1");
}

static bool is_wide(enum voice_kind kind)
{
	return kind == VOICE_G722 || kind == VOICE_OPUS;
}

unsigned voice_rate(enum voice_kind a, enum voice_kind b)
{
	return is_wide(a) && is_wide(b) ? VOICE_RATE_MAX : 8000;
}

unsigned voice_frame_ms(enum voice_kind kind, unsigned ptime, unsigned maxptime)
{
	static const unsigned lengths[] = { 60, 40, 30, 20, 10 };
	unsigned wanted = ptime ? ptime : 20;

	if (maxptime && wanted > maxptime)
		wanted = maxptime;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
		if (lengths[i] <= wanted && !(kind == VOICE_OPUS && lengths[i] == 30))
			return lengths[i];
	return 10;
}

int voice_encoder_create(struct voice_encoder **ret_encoder, const struct voice_encoding *encoding)
{
	struct voice_encoder *encoder = calloc(1, sizeof(*encoder));

	if (!encoder)
		return -ENOMEM;
	encoder->kind = encoding->kind;
	if (encoding->kind == VOICE_OPUS)
		encoder->state = voice_opus_encoder(encoding);
	else if (encoding->kind == VOICE_G722)
		encoder->state = voice_g722_encoder(encoding->rate);
	if (is_wide(encoding->kind) && !encoder->state) {
		voice_encoder_destroy(encoder);
		return -ENOMEM;
	}
	*ret_encoder = encoder;
	return 0;
}

struct voice_encoder *voice_encoder_destroy(struct voice_encoder *encoder)
{
	if (!encoder)
		return NULL;
	if (encoder->state && encoder->kind == VOICE_OPUS)
		voice_opus_encoder_free(encoder->state);
	else if (encoder->state)
		voice_g722_encoder_free(encoder->state);
	free(encoder);
	return NULL;
}

size_t voice_encode(struct voice_encoder *encoder, const int16_t *samples, size_t count,
		    uint8_t ret_payload[static VOICE_PAYLOAD_MAX])
{
	if (encoder->kind == VOICE_OPUS)
		return voice_opus_encode(encoder->state, samples, count, ret_payload);
	if (encoder->kind == VOICE_G722)
		return voice_g722_encode(encoder->state, samples, count, ret_payload);
	for (size_t i = 0; i < count; i++)
		ret_payload[i] = encoder->kind == VOICE_PCMA ? g711_encode_a(samples[i])
							     : g711_encode_u(samples[i]);
	return count;
}

int voice_decoder_create(struct voice_decoder **ret_decoder, enum voice_kind kind, unsigned rate)
{
	struct voice_decoder *decoder = calloc(1, sizeof(*decoder));

	if (!decoder)
		return -ENOMEM;
	decoder->kind = kind;
	decoder->rate = rate;
	if (kind == VOICE_OPUS)
		decoder->state = voice_opus_decoder(rate);
	else if (kind == VOICE_G722)
		decoder->state = voice_g722_decoder(rate);
	filler_init(&decoder->filler, rate);
	if (is_wide(kind) && !decoder->state) {
		voice_decoder_destroy(decoder);
		return -ENOMEM;
	}
	*ret_decoder = decoder;
	return 0;
}

struct voice_decoder *voice_decoder_destroy(struct voice_decoder *decoder)
{
	if (!decoder)
		return NULL;
	if (decoder->state && decoder->kind == VOICE_OPUS)
		voice_opus_decoder_free(decoder->state);
	else if (decoder->state)
		voice_g722_decoder_free(decoder->state);
	free(decoder);
	return NULL;
}

static size_t decode_g711(const struct voice_decoder *decoder, const uint8_t *payload,
			  size_t length, int16_t *ret_samples)
{
	for (size_t i = 0; i < length; i++)
		ret_samples[i] = decoder->kind == VOICE_PCMA ? g711_decode_a(payload[i])
							     : g711_decode_u(payload[i]);
	return length;
}

size_t voice_decode(struct voice_decoder *decoder, const uint8_t *payload, size_t length,
		    int16_t ret_samples[static VOICE_FRAME_MAX])
{
	size_t count;

	if (decoder->kind == VOICE_OPUS)
		return voice_opus_decode(decoder->state, payload, length, ret_samples);
	if (length > VOICE_FRAME_MAX / 2)
		return 0;
	count = decoder->kind == VOICE_G722
			? voice_g722_decode(decoder->state, payload, length, ret_samples)
			: decode_g711(decoder, payload, length, ret_samples);
	filler_hear(&decoder->filler, ret_samples, count);
	return count;
}

void voice_conceal(struct voice_decoder *decoder, const uint8_t *next, size_t next_length,
		   int16_t *ret_samples, size_t count)
{
	if (decoder->kind == VOICE_OPUS)
		voice_opus_conceal(decoder->state, next, next_length, ret_samples, count);
	else
		filler_fill(&decoder->filler, ret_samples, count);
}
