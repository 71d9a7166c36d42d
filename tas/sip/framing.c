/* SPDX-License-Identifier: Apache-2.0 */
/* framing.c - see framing.h. */
#include "tas/sip/framing.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The number in a line "Content-Length: n" or "l: n"; 0 for any other. */
static size_t content_length(const char *line)
{
	const char *at = line;

	if (strncasecmp(at, "content-length", strlen("content-length")) == 0)
		at += strlen("content-length");
	else if (*at == 'l' || *at == 'L')
		at++;
	else
		return 0;
	at += strspn(at, " \t");
	return *at == ':' ? strtoul(at + 1, NULL, 10) : 0;
}

static void end_of_line(struct framing *framing)
{
	size_t seen = framing->line_length < sizeof(framing->line) ? framing->line_length
								   : sizeof(framing->line) - 1;
	size_t announced;

	framing->line[seen] = '\0';
	if (framing->line_length == 0 || strcmp(framing->line, "\r") == 0) {
		framing->phase = framing->body_left ? FRAMING_BODY : FRAMING_BETWEEN;
		framing->completed = framing->phase == FRAMING_BETWEEN;
	} else {
		announced = content_length(framing->line);
		if (announced)
			framing->body_left = announced;
	}
	framing->line_length = 0;
}

void framing_feed(struct framing *framing, const char *bytes, size_t length)
{
	framing->completed = false;
	for (size_t i = 0; i < length;) {
		char c = bytes[i];

		if (framing->phase == FRAMING_BODY) {
			size_t part =
				length - i < framing->body_left ? length - i : framing->body_left;

			framing->body_left -= part;
			i += part;
			if (!framing->body_left) {
				framing->phase = FRAMING_BETWEEN;
				framing->completed = true;
			}
			continue;
		}
		i++;
		if (framing->phase == FRAMING_BETWEEN) {
			if (c == '\r' || c == '\n')
				continue; /* keep-alive, RFC 5626 section 4.4.1 */
			framing->phase = FRAMING_HEADERS;
			framing->body_left = 0;
			framing->line_length = 0;
		}
		if (c == '\n') {
			end_of_line(framing);
			continue;
		}
		if (framing->line_length < sizeof(framing->line) - 1)
			framing->line[framing->line_length] = c;
		framing->line_length++;
	}
}
