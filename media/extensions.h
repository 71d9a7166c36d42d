/* SPDX-License-Identifier: Apache-2.0 */
/* extensions.h - RTP header extensions (RFC 8285): which ones cross, and under which
 * numbers each side knows them.
 *
 * Only what means the same at the other end crosses: what is about a single hop (a time
 * of sending, numbers of a transport, the mid of a section) is neither offered on nor let
 * through. What the two sides did not agree on is taken out of each packet.
 *
 * Nothing here allocates or locks. Threads: any; a map belongs to its leg's.
 */
#ifndef BREAKOUT_MEDIA_EXTENSIONS_H
#define BREAKOUT_MEDIA_EXTENSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum extension {
	EXTENSION_SSRC_AUDIO_LEVEL, /* RFC 6464 */
	EXTENSION_CSRC_AUDIO_LEVEL, /* RFC 6465 */
	EXTENSION_CAPTURE_TIME,     /* when it was recorded, by the sender's clock */
	EXTENSION_CROSSING,
	/* From here on: of one hop, so it is agreed with each side by itself. */
	EXTENSION_MID = EXTENSION_CROSSING, /* RFC 8843 15: mid.h */
	EXTENSION_COUNT
};

#define EXTENSION_NUMBER_MAX 14 /* of the one-byte form; 15 ends an extension */

/* The numbers of a description; 0: it does not have that one. */
struct extensions {
	uint8_t numbers[EXTENSION_COUNT];
};

/* "1 urn:ietf:params:rtp-hdrext:ssrc-audio-level", what follows a=extmap: (RFC 8285 8).
 * One we do not know, of one direction, or with a number of the two-byte form, is passed
 * over, as is a number or a URI that comes again. */
void extensions_read(struct extensions *extensions, const char *value);
const char *extension_uri(enum extension extension);
bool extensions_have_number(const struct extensions *extensions, unsigned number);

/* Leaves of what crosses in `extensions` what `other` has as well. */
void extensions_restrict(struct extensions *extensions, const struct extensions *other);

/* From a number that comes in to the one that goes out; 0: it stays here. */
struct extensions_map {
	uint8_t out[EXTENSION_NUMBER_MAX + 1];
};
void extensions_agree(struct extensions_map *map, const struct extensions *from,
		      const struct extensions *to);

/* Rewrites the extension of a packet that relay_rtp_is_sound(), in place. Returns the
 * packet's length, which is not longer than before. */
size_t extensions_rewrite(const struct extensions_map *map, uint8_t *packet, size_t length);

#endif
