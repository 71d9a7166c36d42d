/* SPDX-License-Identifier: Apache-2.0 */
#include "media/voice_opus.h"
#include <opus/opus.h>
#include <string.h>
#include "media/codecs.h"

/* Bits a second, mono speech in packets of 20 ms: RFC 7587 3.1.1 names 8 to 12
 * kbit/s for narrow band and 16 to 20 for wide band; FEC takes some of it. */
#define NARROW_BITRATE 14000
#define WIDE_BITRATE   24000
#define LEAST_BITRATE  6000
#define LOSS_PERCENT   5 /* that FEC is made for */

static int bitrate_of(const struct voice_encoding *encoding)
{
	unsigned usual = encoding->rate > 8000 ? WIDE_BITRATE : NARROW_BITRATE;
	unsigned limit = codecs_fmtp_number(encoding->fmtp, "maxaveragebitrate", usual);

	if (limit < LEAST_BITRATE)
		return LEAST_BITRATE;
	return (int)(limit < usual ? limit : usual);
}

void *voice_opus_encoder(const struct voice_encoding *encoding)
{
	int error;
	OpusEncoder *encoder =
		opus_encoder_create((opus_int32)encoding->rate, 1, OPUS_APPLICATION_VOIP, &error);

	if (!encoder)
		return NULL;
	/* None of these values can be refused: they are all in libopus' ranges. */
	(void)opus_encoder_ctl(encoder, OPUS_SET_BITRATE(bitrate_of(encoding)));
	(void)opus_encoder_ctl(encoder, OPUS_SET_COMPLEXITY((opus_int32)encoding->complexity));
	(void)opus_encoder_ctl(encoder, OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE));
	(void)opus_encoder_ctl(encoder, OPUS_SET_PACKET_LOSS_PERC(LOSS_PERCENT));
	(void)opus_encoder_ctl(
		encoder,
		OPUS_SET_INBAND_FEC(codecs_fmtp_number(encoding->fmtp, "useinbandfec", 0) == 1));
	(void)opus_encoder_ctl(encoder,
			       OPUS_SET_DTX(codecs_fmtp_number(encoding->fmtp, "usedtx", 0) == 1));
	(void)opus_encoder_ctl(encoder,
			       OPUS_SET_VBR(codecs_fmtp_number(encoding->fmtp, "cbr", 0) != 1));
	return encoder;
}

void voice_opus_encoder_free(void *encoder)
{
	opus_encoder_destroy(encoder);
}

size_t voice_opus_encode(void *encoder, const int16_t *samples, size_t count, uint8_t *ret_payload)
{
	opus_int32 length =
		opus_encode(encoder, samples, (int)count, ret_payload, VOICE_PAYLOAD_MAX);

	return length > 2 ? (size_t)length : 0; /* 2 bytes or fewer: DTX, opus_encode(3) */
}

void *voice_opus_decoder(unsigned rate)
{
	int error;

	return opus_decoder_create((opus_int32)rate, 1, &error);
}

void voice_opus_decoder_free(void *decoder)
{
	opus_decoder_destroy(decoder);
}

size_t voice_opus_decode(void *decoder, const uint8_t *payload, size_t length, int16_t *ret_samples)
{
	int count = opus_decode(decoder, payload, (opus_int32)length, ret_samples, VOICE_FRAME_MAX,
				/* decode_fec= */ 0);

	return count > 0 ? (size_t)count : 0;
}

void voice_opus_conceal(void *decoder, const uint8_t *next, size_t next_length,
			int16_t *ret_samples, size_t count)
{
	int made = opus_decode(decoder, next, (opus_int32)next_length, ret_samples, (int)count,
			       /* decode_fec= */ next ? 1 : 0);

	if (made < (int)count)
		memset(ret_samples + (made > 0 ? made : 0), 0,
		       (count - (size_t)(made > 0 ? made : 0)) * sizeof(*ret_samples));
}
