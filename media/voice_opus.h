/* SPDX-License-Identifier: Apache-2.0 */
/* voice_opus.h - Opus for voice.c (RFC 6716, RFC 7587). */
#ifndef BREAKOUT_MEDIA_VOICE_OPUS_H
#define BREAKOUT_MEDIA_VOICE_OPUS_H

#include "media/voice.h"

/* NULL: no memory. */
void *voice_opus_encoder(const struct voice_encoding *encoding);
void voice_opus_encoder_free(void *encoder);
size_t voice_opus_encode(void *encoder, const int16_t *samples, size_t count, uint8_t *ret_payload);

void *voice_opus_decoder(unsigned rate);
void voice_opus_decoder_free(void *decoder);
size_t voice_opus_decode(void *decoder, const uint8_t *payload, size_t length,
			 int16_t *ret_samples);
void voice_opus_conceal(void *decoder, const uint8_t *next, size_t next_length,
			int16_t *ret_samples, size_t count);

#endif
