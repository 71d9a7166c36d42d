/* SPDX-License-Identifier: Apache-2.0 */
#include "media/stream.h"
#include <errno.h>
#include <sys/random.h>

int stream_init(struct stream *stream)
{
	/* RFC 3550 5.1: all three start at random. */
	if (getrandom(&stream->ssrc, sizeof(stream->ssrc), 0) < 0 ||
	    getrandom(&stream->timestamp, sizeof(stream->timestamp), 0) < 0 ||
	    getrandom(&stream->sequence, sizeof(stream->sequence), 0) < 0)
		return -EIO;
	/* A receiver that misses the first packets before a wrap guesses the rollover
	 * counter wrong (RFC 3711 3.3.1): the lower half leaves it time. */
	stream->sequence &= 0x7fff;
	stream->marker = true;
	return 0;
}

void stream_header(struct stream *stream, uint8_t *packet, uint8_t type, uint32_t timestamp)
{
	packet[0] = 0x80;
	packet[1] = (uint8_t)(type | (stream->marker ? 0x80 : 0));
	packet[2] = (uint8_t)(stream->sequence >> 8);
	packet[3] = (uint8_t)stream->sequence;
	for (unsigned i = 0; i < 4; i++) {
		packet[4 + i] = (uint8_t)(timestamp >> (24 - 8 * i));
		packet[8 + i] = (uint8_t)(stream->ssrc >> (24 - 8 * i));
	}
	stream->sequence++;
	stream->marker = false;
}

const uint8_t *stream_payload(const uint8_t *packet, size_t length, size_t *ret_length)
{
	size_t header = STREAM_HEADER + (packet[0] & 0x0fu) * 4;

	if (packet[0] & 0x10)
		header += 4 + (size_t)(packet[header + 2] << 8 | packet[header + 3]) * 4;
	*ret_length = length - header - (packet[0] & 0x20 ? packet[length - 1] : 0);
	return packet + header;
}
