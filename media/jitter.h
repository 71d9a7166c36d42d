/* SPDX-License-Identifier: Apache-2.0 */
/* jitter.h - payloads put in the order they were sent, for a decoder.
 *
 * It only orders and bounds; when something is taken out, and what stands in for
 * what is missing, is the transcoder's. Threads: the media thread of the session.
 */
#ifndef BREAKOUT_MEDIA_JITTER_H
#define BREAKOUT_MEDIA_JITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JITTER_SLOTS   16 /* packets that wait at most: 320 ms of the usual 20 */
#define JITTER_PAYLOAD 1280

struct jitter_packet {
	uint32_t timestamp;
	uint16_t length;
	uint8_t type; /* RTP payload type */
	bool used;
	uint8_t payload[JITTER_PAYLOAD];
};

struct jitter {
	bool started;
	uint32_t ssrc;
	uint16_t next; /* sequence number that is taken next */
	unsigned count;
	struct jitter_packet slots[JITTER_SLOTS]; /* by sequence number */
};

/* What one RTP packet is without its header. */
struct jitter_piece {
	uint32_t ssrc, timestamp;
	uint16_t sequence;
	uint8_t type;
	const uint8_t *payload;
	size_t length;
};

enum jitter_put {
	JITTER_TAKEN,
	JITTER_REFUSED, /* too late, there already, or too long */
	JITTER_NEW      /* taken; another stream begins, what waited is gone */
};
enum jitter_put jitter_put(struct jitter *jitter, const struct jitter_piece *piece);

/* The next one, borrowed until the next call of this file; NULL: it is not there.
 * With jitter->count > 0 later ones are, and it is taken for lost. */
const struct jitter_packet *jitter_take(struct jitter *jitter);
/* The one jitter_take() would return. */
const struct jitter_packet *jitter_peek(const struct jitter *jitter);

#endif
