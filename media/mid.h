/* SPDX-License-Identifier: Apache-2.0 */
/* mid.h - the name of our section in the packets that we send (RFC 8843 section 15).
 *
 * Some BUNDLE peers give a stream to a section by that name alone, not by the SSRC in the
 * SDP. The name stands in each packet of a stream's first second, and in one of every fifty from
 * then on, for who was not there yet.
 *
 * Nothing here allocates or locks. Threads: the media thread of the leg.
 */
#ifndef BREAKOUT_MEDIA_MID_H
#define BREAKOUT_MEDIA_MID_H

#include <stddef.h>
#include <stdint.h>

#define MID_MAX     16 /* bytes: of an element of the one-byte form, RFC 8285 4.2 */
#define MID_ROOM    24 /* by so much a packet grows at most */
#define MID_PACKETS 50

struct mid {
	uint8_t number; /* of the extension; 0: it is not sent */
	uint8_t length;
	char text[MID_MAX];
	uint32_t ssrc;  /* of the stream, and */
	unsigned count; /* how many packets of it were sent; 0: none of any */
};

/* number 0, or a text that is empty or longer than MID_MAX: it is not sent. */
void mid_agree(struct mid *mid, uint8_t number, const char *text);

/* Into a sound packet with MID_ROOM behind it. Returns the packet's length. */
size_t mid_add(struct mid *mid, uint8_t *packet, size_t length);

#endif
