/* SPDX-License-Identifier: Apache-2.0 */
/* voice.h - samples to payloads and back: G.711, G.722, Opus.
 *
 * Samples are mono, 16 bit, at 8000 or 16000 Hz as the creator chose; no codec
 * needs another rate: libopus works at either, and at 8000 Hz G.722 is its lower
 * band alone. Nothing here allocates after creation.
 *
 * Threads: none of its own; an object belongs to one thread.
 */
#ifndef BREAKOUT_MEDIA_VOICE_H
#define BREAKOUT_MEDIA_VOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"
#include "media/sdp.h"

#define VOICE_FRAME_MAX   1920 /* samples that one payload may hold: 120 ms (RFC 6716 2.1.4) */
#define VOICE_PAYLOAD_MAX 1275 /* bytes of one that we write (RFC 6716 3.2.1) */
#define VOICE_RATE_MAX    16000

/* NOISE says how loud silence is (RFC 3389); it has neither encoder nor decoder. */
enum voice_kind { VOICE_NONE, VOICE_PCMA, VOICE_PCMU, VOICE_G722, VOICE_OPUS, VOICE_NOISE };
#define VOICE_KINDS (VOICE_NOISE + 1)

enum voice_kind voice_kind_of(const struct sdp_codec *codec); /* NONE: opaque to us */
bool voice_kind_speaks(enum voice_kind kind);                 /* neither NONE nor NOISE */
unsigned voice_clock(enum voice_kind kind);                   /* Hz of RTP */
enum voice_kind voice_kind_named(const char *name);
/* The codec as SDP says it, without payload type number. */
void voice_describe(enum voice_kind kind, struct sdp_codec *ret_codec);

/* The rate at which all that both can carry is carried. */
unsigned voice_rate(enum voice_kind a, enum voice_kind b);

/* A frame length near to what is wanted (0: nothing said) that the codec has. */
unsigned voice_frame_ms(enum voice_kind kind, unsigned ptime, unsigned maxptime);

struct voice_encoder; /* opaque */
struct voice_decoder; /* opaque */

struct voice_encoding {
	enum voice_kind kind;
	unsigned rate;
	unsigned complexity; /* of Opus, 0 to 10 */
	const char *fmtp;    /* what the receiver says of Opus; "" nothing */
};
int voice_encoder_create(struct voice_encoder **ret_encoder,
			 const struct voice_encoding *encoding) MUST_CHECK;
struct voice_encoder *voice_encoder_destroy(struct voice_encoder *encoder);
/* One frame. Returns the bytes of its payload; 0: nothing is to be sent (DTX). */
size_t voice_encode(struct voice_encoder *encoder, const int16_t *samples, size_t count,
		    uint8_t ret_payload[static VOICE_PAYLOAD_MAX]);

int voice_decoder_create(struct voice_decoder **ret_decoder, enum voice_kind kind,
			 unsigned rate) MUST_CHECK;
struct voice_decoder *voice_decoder_destroy(struct voice_decoder *decoder);
/* Returns how many samples; 0: it is no payload of this codec. */
size_t voice_decode(struct voice_decoder *decoder, const uint8_t *payload, size_t length,
		    int16_t ret_samples[static VOICE_FRAME_MAX]);
/* `count` samples in place of a payload that is lost. `next`: the payload after it,
 * which may hold a copy (Opus FEC); NULL: not there. */
void voice_conceal(struct voice_decoder *decoder, const uint8_t *next, size_t next_length,
		   int16_t *ret_samples, size_t count);

#endif
