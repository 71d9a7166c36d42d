/* SPDX-License-Identifier: Apache-2.0 */
/* harmless.h - output without what a terminal would obey: texts of peers stand in
 * tables, and must not move the cursor or colour the screen.
 */
#ifndef BREAKOUT_TOOLS_LOOK_HARMLESS_H
#define BREAKOUT_TOOLS_LOOK_HARMLESS_H

#include <stddef.h>
#include "base/str.h"

/* Zero-initialise. */
struct harmless {
	unsigned char
		held; /* the last byte of a piece whose meaning depends on the next; 0: none */
};

/* Adds `bytes` to `to` with control characters as \xNN: C0 but tab and the ends of lines,
 * DEL, and C1 in its UTF-8 form (ECMA-48). A pair of bytes may be cut by pieces. */
void harmless_add(struct harmless *harmless, struct str *to, const char *bytes, size_t length);
/* What is still held, at the end of all. */
void harmless_end(struct harmless *harmless, struct str *to);

#endif
