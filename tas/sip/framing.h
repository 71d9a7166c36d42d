/* SPDX-License-Identifier: Apache-2.0 */
/* framing.h - where messages begin and end in a stream (RFC 3261 section 18.3),
 * watched from the side: only to know since when one is incomplete.
 */
#ifndef BREAKOUT_TAS_SIP_FRAMING_H
#define BREAKOUT_TAS_SIP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialise. */
struct framing {
	enum { FRAMING_BETWEEN, FRAMING_HEADERS, FRAMING_BODY } phase;
	size_t body_left;   /* bytes */
	size_t line_length; /* of the header line under way */
	char line[32];      /* its beginning */
	bool completed;     /* a message ended in the last framing_feed() */
};

void framing_feed(struct framing *framing, const char *bytes, size_t length);

#endif
