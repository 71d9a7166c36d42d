/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h - an RTP stream of our own making: headers of packets going out, and
 * what stands behind the headers of those coming in. */
#ifndef BREAKOUT_MEDIA_STREAM_H
#define BREAKOUT_MEDIA_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"

#define STREAM_HEADER 12 /* bytes, RFC 3550 5.1 */

struct stream {
	uint32_t ssrc, timestamp;
	uint16_t sequence;
	bool marker; /* on the next packet */
};

int stream_init(struct stream *stream) MUST_CHECK; /* 0 or -EIO (no randomness) */
/* Writes STREAM_HEADER bytes; the sequence number moves on, the marker goes. */
void stream_header(struct stream *stream, uint8_t *packet, uint8_t type, uint32_t timestamp);

/* Behind contributing sources and extension, without padding. The packet has been
 * found sound by relay_rtp_is_sound(). */
const uint8_t *stream_payload(const uint8_t *packet, size_t length, size_t *ret_length);

#endif
