/* SPDX-License-Identifier: Apache-2.0 */
/* body.c - see body.h. */
#include "tas/sip/body.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BOUNDARY_MAX 70 /* RFC 2046 section 5.1.1 */

/* "application/sdp" and "application/sdp; charset=x" are both of type application/sdp. */
static bool is_type(const char *value, size_t length, const char *type)
{
	size_t want = strlen(type);

	return length >= want && strncasecmp(value, type, want) == 0 &&
	       (length == want || strchr("; \t", value[want]));
}

static int copy_text(const char *text, size_t length, char **ret_copy)
{
	char *copy;

	if (memchr(text, '\0', length))
		return -EINVAL;
	copy = strndup(text, length);
	if (!copy)
		return -ENOMEM;
	*ret_copy = copy;
	return 0;
}

/* "--" and the boundary parameter, which may be quoted. */
static int make_delimiter(const char *content_type, char ret_delimiter[BOUNDARY_MAX + 3])
{
	const char *at = strcasestr(content_type, "boundary=");
	const char *ends = "; \t";
	size_t length;

	if (!at)
		return -EINVAL;
	at += strlen("boundary=");
	if (*at == '"') {
		at++;
		ends = "\"";
	}
	length = strcspn(at, ends);
	if (length == 0 || length > BOUNDARY_MAX)
		return -EINVAL;
	(void)snprintf(ret_delimiter, BOUNDARY_MAX + 3, "--%.*s", (int)length, at);
	return 0;
}

/* A delimiter stands at the beginning of a line. */
static const char *find_delimiter(const char *from, const char *end, const char *delimiter)
{
	size_t length = strlen(delimiter);

	for (const char *at = from; at && at + length <= end;) {
		if (memcmp(at, delimiter, length) == 0)
			return at;
		at = memchr(at, '\n', (size_t)(end - at));
		if (at)
			at++;
	}
	return NULL;
}

/* One part: headers, an empty line, content. NULL: not SDP. */
static const char *sdp_of_part(const char *part, const char *end, size_t *ret_length)
{
	bool sdp = false;

	while (part < end) {
		const char *newline = memchr(part, '\n', (size_t)(end - part));
		size_t length = newline ? (size_t)(newline - part) : (size_t)(end - part);
		const char *colon = memchr(part, ':', length);

		if (length && part[length - 1] == '\r')
			length--;
		if (length == 0) {
			*ret_length = newline ? (size_t)(end - newline - 1) : 0;
			return sdp && newline ? newline + 1 : NULL;
		}
		if (colon && strncasecmp(part, "Content-Type", strlen("Content-Type")) == 0) {
			const char *value = colon + 1;
			const char *line_end = part + length;

			while (value < line_end && (*value == ' ' || *value == '\t'))
				value++;
			sdp = is_type(value, (size_t)(line_end - value), "application/sdp");
		}
		part = newline ? newline + 1 : end;
	}
	return NULL;
}

static int from_multipart(const char *content_type, const char *body, size_t length, char **ret_sdp)
{
	char delimiter[BOUNDARY_MAX + 3];
	const char *end = body + length;
	const char *at;
	int err = make_delimiter(content_type, delimiter);

	if (err)
		return err;
	at = find_delimiter(body, end, delimiter);
	if (!at)
		return -EINVAL;
	for (;;) {
		const char *part = memchr(at, '\n', (size_t)(end - at));
		const char *next, *sdp;
		size_t room;

		if (end - at >= (ptrdiff_t)strlen(delimiter) + 2 &&
		    memcmp(at + strlen(delimiter), "--", 2) == 0)
			return 0; /* the closing delimiter: no part was SDP */
		next = part ? find_delimiter(++part, end, delimiter) : NULL;
		if (!next)
			return -EINVAL;
		sdp = sdp_of_part(part, next, &room);
		if (sdp) {
			/* The line break before a delimiter belongs to the delimiter. Our
			 * SDP readers want the last line ended, so it stays. */
			return copy_text(sdp, room, ret_sdp);
		}
		at = next;
	}
}

int body_find_sdp(const char *content_type, const char *body, size_t length, char **ret_sdp)
{
	char *sdp = NULL;
	int err = 0;

	if (length && !content_type)
		return -ENOTSUP; /* RFC 3261 section 20.15: required with a body */
	if (length) {
		size_t type_length = strlen(content_type);

		if (is_type(content_type, type_length, "application/sdp"))
			err = copy_text(body, length, &sdp);
		else if (strncasecmp(content_type, "multipart/", strlen("multipart/")) == 0)
			err = from_multipart(content_type, body, length, &sdp);
		else
			err = -ENOTSUP;
	}
	if (err)
		return err;
	*ret_sdp = sdp;
	return 0;
}
