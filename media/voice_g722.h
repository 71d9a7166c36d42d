/* SPDX-License-Identifier: Apache-2.0 */
/* voice_g722.h - G.722 at 64 kbit/s for voice.c, by spandsp. */
#ifndef BREAKOUT_MEDIA_VOICE_G722_H
#define BREAKOUT_MEDIA_VOICE_G722_H

#include "media/voice.h"

void *voice_g722_encoder(unsigned rate); /* NULL: no memory */
void voice_g722_encoder_free(void *encoder);
size_t voice_g722_encode(void *encoder, const int16_t *samples, size_t count, uint8_t *ret_payload);

void *voice_g722_decoder(unsigned rate);
void voice_g722_decoder_free(void *decoder);
/* At most VOICE_FRAME_MAX / 2 bytes. */
size_t voice_g722_decode(void *decoder, const uint8_t *payload, size_t length,
			 int16_t *ret_samples);

#endif
