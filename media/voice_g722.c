/* SPDX-License-Identifier: Apache-2.0 */
#include "media/voice_g722.h"
#include <spandsp/telephony.h>
#include <spandsp/g722.h>

#define BITRATE 64000

static int option_of(unsigned rate)
{
	return rate == 8000 ? G722_SAMPLE_RATE_8000 : 0;
}

void *voice_g722_encoder(unsigned rate)
{
	return g722_encode_init(NULL, BITRATE, option_of(rate));
}

void voice_g722_encoder_free(void *encoder)
{
	(void)g722_encode_free(encoder);
}

size_t voice_g722_encode(void *encoder, const int16_t *samples, size_t count, uint8_t *ret_payload)
{
	return (size_t)g722_encode(encoder, ret_payload, samples, (int)count);
}

void *voice_g722_decoder(unsigned rate)
{
	return g722_decode_init(NULL, BITRATE, option_of(rate));
}

void voice_g722_decoder_free(void *decoder)
{
	(void)g722_decode_free(decoder);
}

size_t voice_g722_decode(void *decoder, const uint8_t *payload, size_t length, int16_t *ret_samples)
{
	return (size_t)g722_decode(decoder, ret_samples, payload, (int)length);
}
