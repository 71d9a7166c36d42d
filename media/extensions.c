/* SPDX-License-Identifier: Apache-2.0 */
#include "media/extensions.h"
#include <stdio.h>
#include <string.h>

#define RTP_HEADER   12 /* bytes, RFC 3550 5.1 */
#define HEAD         4  /* bytes: profile, length in words */
#define ONE_BYTE     0xbede
#define TWO_BYTE     0x1000 /* and four bits of the application's */
#define ONE_BYTE_END 15     /* nothing after it is read, RFC 8285 4.2 */

static const char *const uris[EXTENSION_COUNT] = {
	[EXTENSION_SSRC_AUDIO_LEVEL] = "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
	[EXTENSION_CSRC_AUDIO_LEVEL] = "urn:ietf:params:rtp-hdrext:csrc-audio-level",
	[EXTENSION_CAPTURE_TIME] = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
	[EXTENSION_MID] = "urn:ietf:params:rtp-hdrext:sdes:mid",
};

const char *extension_uri(enum extension extension)
{
	return uris[extension];
}

bool extensions_have_number(const struct extensions *extensions, unsigned number)
{
	for (unsigned i = 0; i < EXTENSION_COUNT; i++)
		if (extensions->numbers[i] == number)
			return true;
	return false;
}

void extensions_read(struct extensions *extensions, const char *value)
{
	char digits[3], direction[10] = "", uri[80];

	if (sscanf(value, "%2[0-9]/%9[a-z] %79s", digits, direction, uri) != 3 &&
	    sscanf(value, "%2[0-9] %79s", digits, uri) != 2)
		return;
	if (direction[0] != '\0' && strcmp(direction, "sendrecv") != 0)
		return;
	for (unsigned i = 0; i < EXTENSION_COUNT; i++) {
		unsigned number = 0;

		if (strcmp(uri, uris[i]) != 0 || extensions->numbers[i] != 0)
			continue;
		for (const char *digit = digits; *digit != '\0'; digit++)
			number = number * 10 + (unsigned)(*digit - '0');
		if (number > 0 && number <= EXTENSION_NUMBER_MAX &&
		    !extensions_have_number(extensions, number))
			extensions->numbers[i] = (uint8_t)number;
	}
}

void extensions_restrict(struct extensions *extensions, const struct extensions *other)
{
	for (unsigned i = 0; i < EXTENSION_CROSSING; i++)
		if (other->numbers[i] == 0)
			extensions->numbers[i] = 0;
}

void extensions_agree(struct extensions_map *map, const struct extensions *from,
		      const struct extensions *to)
{
	memset(map, 0, sizeof(*map));
	for (unsigned i = 0; i < EXTENSION_CROSSING; i++)
		if (from->numbers[i] != 0)
			map->out[from->numbers[i]] = to->numbers[i];
}

/* One element of either form. */
struct element {
	uint8_t number; /* 0: padding */
	size_t head, length;
};

/* False: the extension ends here, or is broken from here on. */
static bool read_element(const uint8_t *at, size_t left, bool two_byte, struct element *ret)
{
	*ret = (struct element){ .head = 1 };
	if (at[0] == 0)
		return true;
	if (two_byte) {
		if (left < 2)
			return false;
		*ret = (struct element){ .number = at[0], .head = 2, .length = at[1] };
	} else {
		*ret = (struct element){ .number = at[0] >> 4,
					 .head = 1,
					 .length = (at[0] & 0x0fu) + 1 };
		if (ret->number == ONE_BYTE_END || ret->number == 0)
			return false;
	}
	return ret->head + ret->length <= left;
}

/* The elements that cross move to the front under their new numbers; returns how many
 * bytes those are. */
static size_t keep_elements(const struct extensions_map *map, uint8_t *body, size_t length,
			    bool two_byte)
{
	struct element element;
	size_t at = 0, kept = 0;

	for (; at < length && read_element(body + at, length - at, two_byte, &element);
	     at += element.head + element.length) {
		uint8_t out = element.number <= EXTENSION_NUMBER_MAX ? map->out[element.number] : 0;

		if (out == 0)
			continue;
		memmove(body + kept, body + at, element.head + element.length);
		if (!two_byte)
			out = (uint8_t)(out << 4 | (body[kept] & 0x0f));
		body[kept] = out;
		kept += element.head + element.length;
	}
	return kept;
}

size_t extensions_rewrite(const struct extensions_map *map, uint8_t *packet, size_t length)
{
	size_t head = RTP_HEADER + (packet[0] & 0x0fu) * 4, before, kept = 0, room;
	uint8_t *extension = packet + head, *body = extension + HEAD;
	unsigned profile;

	if (!(packet[0] & 0x10))
		return length;
	profile = (unsigned)extension[0] << 8 | extension[1];
	before = (size_t)(extension[2] << 8 | extension[3]) * 4;
	if (profile == ONE_BYTE || (profile & 0xfff0) == TWO_BYTE)
		kept = keep_elements(map, body, before, profile != ONE_BYTE);
	room = (kept + 3) / 4 * 4;
	memset(body + kept, 0, room - kept);
	extension[2] = (uint8_t)(room / 4 >> 8);
	extension[3] = (uint8_t)(room / 4);
	if (kept == 0) {
		packet[0] &= (uint8_t)~0x10;
		before += HEAD;
		body = extension;
	}
	if (room < before)
		memmove(body + room, body + before,
			length - head - (size_t)(body - extension) - before);
	return length - (before - room);
}
