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

/* Notes a piece of the line under way. */
static void add_to_line(struct framing *framing, const char *bytes, size_t length)
{
	size_t room = sizeof(framing->line) - 1;

	if (framing->line_length < room)
		memcpy(framing->line + framing->line_length, bytes,
		       length < room - framing->line_length ? length : room - framing->line_length);
	framing->line_length += length;
}

/* Each takes some of the bytes and returns how many. */

static size_t feed_between(struct framing *framing, const char *bytes, size_t length)
{
	size_t blank = 0;

	/* Keep-alive: RFC 5626 section 4.4.1. */
	while (blank < length && (bytes[blank] == '\r' || bytes[blank] == '\n'))
		blank++;
	if (blank < length) {
		framing->phase = FRAMING_HEADERS;
		framing->body_left = 0;
		framing->line_length = 0;
	}
	return blank;
}

/* By its first letter: the end of the headers, or one that may be Content-Length. */
static bool is_of_interest(char first)
{
	return first == '\r' || first == '\n' || (first | 0x20) == 'c' || (first | 0x20) == 'l';
}

static size_t feed_headers(struct framing *framing, const char *bytes, size_t length)
{
	const char *end = memchr(bytes, '\n', length);
	size_t part = end ? (size_t)(end - bytes) : length;

	if (end && !framing->line_length && !is_of_interest(*bytes))
		return part + 1; /* most lines: nobody looks at them */
	add_to_line(framing, bytes, part);
	if (!end)
		return part;
	end_of_line(framing);
	return part + 1;
}

static size_t feed_body(struct framing *framing, size_t length)
{
	size_t part = length < framing->body_left ? length : framing->body_left;

	framing->body_left -= part;
	if (!framing->body_left) {
		framing->phase = FRAMING_BETWEEN;
		framing->completed = true;
	}
	return part;
}

void framing_feed(struct framing *framing, const char *bytes, size_t length)
{
	framing->completed = false;
	while (length) {
		size_t taken = 0;

		switch (framing->phase) {
		case FRAMING_BETWEEN:
			taken = feed_between(framing, bytes, length);
			break;
		case FRAMING_HEADERS:
			taken = feed_headers(framing, bytes, length);
			break;
		case FRAMING_BODY:
			taken = feed_body(framing, length);
			break;
		}
		bytes += taken;
		length -= taken;
	}
}
