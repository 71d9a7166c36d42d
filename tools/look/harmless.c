/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/look/harmless.h"

#include <stdbool.h>

#define C1_LEAD 0xc2

static bool is_c0(unsigned char byte)
{
	return (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f;
}

static void add_byte(struct str *to, unsigned char byte)
{
	if (is_c0(byte))
		str_addf(to, "\\x%02x", byte);
	else
		str_add_n(to, (const char *)&byte, 1);
}

/* The held byte, now that the next one is known. True: that one is dealt with, too. */
static bool add_held(struct harmless *harmless, struct str *to, unsigned char next)
{
	unsigned char held = harmless->held;

	harmless->held = 0;
	if (held == '\r' && next == '\n') {
		str_add(to, "\r\n");
		return true;
	}
	if (held == C1_LEAD && next >= 0x80 && next <= 0x9f) {
		str_addf(to, "\\x%02x\\x%02x", held, next);
		return true;
	}
	add_byte(to, held);
	return false;
}

void harmless_add(struct harmless *harmless, struct str *to, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		if (harmless->held && add_held(harmless, to, byte))
			continue;
		if (byte == '\r' || byte == C1_LEAD)
			harmless->held = byte;
		else
			add_byte(to, byte);
	}
}

void harmless_end(struct harmless *harmless, struct str *to)
{
	if (harmless->held)
		add_byte(to, harmless->held);
	harmless->held = 0;
}
