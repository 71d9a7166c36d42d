/* SPDX-License-Identifier: Apache-2.0 */
/* body.c - see body.h. */
#include "tas/sip/body.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

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

/* ret_sdp: the first such part, its length; NULL: none. */
static int find_part(const char *content_type, const char *body, size_t length,
		     const char **ret_sdp, size_t *ret_length)
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
		const char *next;

		if (end - at >= (ptrdiff_t)strlen(delimiter) + 2 &&
		    memcmp(at + strlen(delimiter), "--", 2) == 0)
			return 0; /* the closing delimiter: no part was SDP */
		next = part ? find_delimiter(++part, end, delimiter) : NULL;
		if (!next)
			return -EINVAL;
		/* The line break before a delimiter belongs to the delimiter. Our SDP
		 * readers want the last line ended, so it stays. */
		*ret_sdp = sdp_of_part(part, next, ret_length);
		if (*ret_sdp)
			return 0;
		at = next;
	}
}

/* Where the SDP stands; NULL: there is none. */
static int locate(const char *content_type, const char *body, size_t length, const char **ret_sdp,
		  size_t *ret_length)
{
	*ret_sdp = NULL;
	*ret_length = 0;
	if (!length)
		return 0;
	if (!content_type)
		return -ENOTSUP; /* RFC 3261 section 20.15: required with a body */
	if (is_type(content_type, strlen(content_type), "application/sdp")) {
		*ret_sdp = body;
		*ret_length = length;
		return 0;
	}
	if (strncasecmp(content_type, "multipart/", strlen("multipart/")) != 0)
		return -ENOTSUP;
	return find_part(content_type, body, length, ret_sdp, ret_length);
}

int body_find_sdp(const char *content_type, const char *body, size_t length, char **ret_sdp)
{
	const char *sdp;
	size_t room;
	int err = locate(content_type, body, length, &sdp, &room);

	if (err)
		return err;
	if (sdp)
		return copy_text(sdp, room, ret_sdp);
	*ret_sdp = NULL;
	return 0;
}

/* ---- the whole of it ---- */

const char *body_field_name(int field)
{
	static const char *const names[BODY_FIELDS] = {
		[BODY_MIME_VERSION] = "MIME-Version",
		[BODY_DISPOSITION] = "Content-Disposition",
		[BODY_LANGUAGE] = "Content-Language",
		[BODY_ENCODING] = "Content-Encoding",
	};

	return names[field];
}

static char *copy_bytes(const char *bytes, size_t length)
{
	char *copy = malloc(length + 1);

	if (!copy)
		return NULL;
	memcpy(copy, bytes, length);
	copy[length] = '\0';
	return copy;
}

int sip_body_create(struct sip_body **ret_body, const char *content_type, const char *text,
		    size_t length)
{
	struct sip_body *body = calloc(1, sizeof(*body));
	const char *sdp;

	if (!body)
		return -ENOMEM;
	body->type = strdup(content_type);
	body->text = copy_bytes(text, length);
	body->length = length;
	if (!body->type || !body->text) {
		sip_body_destroy(body);
		return -ENOMEM;
	}
	if (locate(content_type, body->text, length, &sdp, &body->sdp_length) == 0 && sdp)
		body->sdp_at = (size_t)(sdp - body->text);
	else
		body->sdp_length = 0;
	*ret_body = body;
	return 0;
}

int sip_body_copy(struct sip_body **ret_body, const struct sip_body *from)
{
	struct sip_body *body;
	int err = sip_body_create(&body, from->type, from->text, from->length);

	if (err)
		return err;
	for (int i = 0; i < BODY_FIELDS; i++) {
		body->fields[i] = str_dup_or_null(from->fields[i]);
		if (from->fields[i] && !body->fields[i]) {
			sip_body_destroy(body);
			return -ENOMEM;
		}
	}
	*ret_body = body;
	return 0;
}

struct sip_body *sip_body_destroy(struct sip_body *body)
{
	if (!body)
		return NULL;
	for (int i = 0; i < BODY_FIELDS; i++)
		free(body->fields[i]);
	free(body->type);
	free(body->text);
	free(body);
	return NULL;
}

int sip_body_with(const struct sip_body *body, const char *sdp, char **ret_text, size_t *ret_length)
{
	size_t room = sdp ? strlen(sdp) : 0, rest = body->sdp_at + body->sdp_length;
	size_t length = body->length - body->sdp_length + room;
	char *text = malloc(length + 1);

	if (!text)
		return -ENOMEM;
	memcpy(text, body->text, body->sdp_at);
	memcpy(text + body->sdp_at, sdp ? sdp : "", room);
	memcpy(text + body->sdp_at + room, body->text + rest, body->length - rest);
	text[length] = '\0';
	*ret_text = text;
	*ret_length = length;
	return 0;
}
