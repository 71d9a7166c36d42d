/* SPDX-License-Identifier: Apache-2.0 */
/* e164.c - telephone numbers: checking, comparing, masking. */
#include "base/e164.h"

#include <stdio.h>
#include <string.h>

#define DIGITS_MIN 3
#define DIGITS_MAX 15 /* ITU-T E.164 (11/2010) section 6.2.1 */
#define PACKED_MIN UINT64_C(100)
#define PACKED_END UINT64_C(1000000000000000)

uint64_t e164_pack(const char *text)
{
	uint64_t packed = 0;
	size_t digits;

	if (!text || text[0] != '+' || text[1] == '0')
		return 0;
	for (digits = 0; text[1 + digits]; digits++) {
		char c = text[1 + digits];

		if (c < '0' || c > '9' || digits == DIGITS_MAX)
			return 0;
		packed = packed * 10 + (uint64_t)(c - '0');
	}
	return digits >= DIGITS_MIN ? packed : 0;
}

bool e164_valid(const char *text)
{
	return e164_pack(text) != 0;
}

void e164_unpack(uint64_t packed, char ret_text[static E164_ROOM])
{
	char digits[DIGITS_MAX];
	size_t count = 0;

	packed %= PACKED_END; /* whatever is above never came from e164_pack() */
	do
		digits[count++] = (char)('0' + packed % 10);
	while (packed /= 10);
	*ret_text++ = '+';
	while (count)
		*ret_text++ = digits[--count];
	*ret_text = '\0';
}

bool e164_packed(uint64_t packed)
{
	return packed >= PACKED_MIN && packed < PACKED_END;
}

bool e164_begins(uint64_t packed, const char *digits)
{
	uint64_t front = 0;

	if (!*digits || *digits == '0') /* no number does */
		return false;
	for (; *digits; digits++)
		front = front * 10 + (uint64_t)(*digits - '0');
	if (packed <= front)
		return false;
	while (packed > front)
		packed /= 10;
	return packed == front;
}

void e164_mask(const char *number, char *ret_masked, size_t room)
{
	size_t length = number ? strlen(number) : 0;
	size_t front = 2;

	if (!room)
		return;
	if (length <= 4 && strspn(length ? number : "", "0123456789") == length) {
		(void)snprintf(ret_masked, room, "%s", length ? number : "");
		return;
	}
	if (length < 4) {
		(void)snprintf(ret_masked, room, "***");
		return;
	}
	/* The longer front must leave at least three digits hidden. */
	if (length >= 10 && e164_valid(number))
		front = 5;
	(void)snprintf(ret_masked, room, "%.*s***%s", (int)front, number, number + length - 2);
}

void e164_mask_name(const char *name, char *ret_masked, size_t room)
{
	if (strspn(name, "+0123456789") == strlen(name))
		e164_mask(name, ret_masked, room);
	else
		(void)snprintf(ret_masked, room, "%s", name);
}
