/* SPDX-License-Identifier: Apache-2.0 */
#include "media/mid.h"
#include <stdbool.h>
#include <string.h>
#include "media/relay.h"

#define RTP_HEADER 12 /* bytes, RFC 3550 5.1 */
#define HEAD       4  /* bytes: profile, length in words */
#define ONE_BYTE   0xbede

void mid_agree(struct mid *mid, uint8_t number, const char *text)
{
	size_t length = strlen(text);

	if (length == 0 || length > MID_MAX)
		number = 0;
	if (number == mid->number && number != 0 && length == mid->length &&
	    memcmp(text, mid->text, length) == 0)
		return; /* the stream goes on */
	*mid = (struct mid){ .number = number };
	if (number == 0)
		return;
	mid->length = (uint8_t)length;
	memcpy(mid->text, text, length);
}

static bool is_due(struct mid *mid, const uint8_t *packet)
{
	uint32_t ssrc = relay_word_at(packet + 8);

	if (ssrc != mid->ssrc) {
		mid->ssrc = ssrc;
		mid->count = 0;
	}
	mid->count++;
	return mid->count <= MID_PACKETS || mid->count % MID_PACKETS == 0;
}

/* Room for the element, a whole number of words, behind the extension that is there or
 * in a new one; NULL: it is of the other form. */
static uint8_t *open_extension(uint8_t *packet, size_t length, size_t size, size_t *ret_grown)
{
	uint8_t *extension = packet + RTP_HEADER + (packet[0] & 0x0fu) * 4, *end;
	bool has = packet[0] & 0x10;
	size_t words = has ? (size_t)(extension[2] << 8 | extension[3]) : 0;

	if (has && (extension[0] << 8 | extension[1]) != ONE_BYTE)
		return NULL;
	end = extension + (has ? HEAD + words * 4 : 0);
	*ret_grown = size + (has ? 0 : HEAD);
	memmove(end + *ret_grown, end, length - (size_t)(end - packet));
	words += size / 4;
	packet[0] |= 0x10;
	extension[0] = ONE_BYTE >> 8;
	extension[1] = ONE_BYTE & 0xff;
	extension[2] = (uint8_t)(words >> 8);
	extension[3] = (uint8_t)words;
	return end + *ret_grown - size;
}

size_t mid_add(struct mid *mid, uint8_t *packet, size_t length)
{
	size_t size = (1u + mid->length + 3u) / 4 * 4, grown;
	uint8_t *element;

	if (mid->number == 0 || !is_due(mid, packet) || length + MID_ROOM > RELAY_PACKET_MAX)
		return length;
	element = open_extension(packet, length, size, &grown);
	if (!element)
		return length;
	memset(element, 0, size); /* padding: RFC 8285 4.2 */
	element[0] = (uint8_t)(mid->number << 4 | (mid->length - 1));
	memcpy(element + 1, mid->text, mid->length);
	return length + grown;
}
