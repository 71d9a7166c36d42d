/* SPDX-License-Identifier: Apache-2.0 */
#include "media/sdp_before.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t read_mid_number(const char *text)
{
	static const char start[] = "a=extmap:";
	const char *line = strstr(text, start);
	struct extensions read = { 0 };
	char value[80];

	for (; line; line = strstr(line, start)) {
		line += sizeof(start) - 1;
		(void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(line, "\r\n"), line);
		extensions_read(&read, value);
	}
	return read.numbers[EXTENSION_MID];
}

/* "o=name id version IN IP4 host" (RFC 8866 5.2). One that does not fit, or that can have no
 * next version, is not gone on with. */
static void read_origin(const char *text, struct sdp_before *before)
{
	const char *line = strstr(text, "\no="), *version, *address;
	unsigned long long number;
	size_t owner, length;
	char *end;

	if (!line)
		return;
	line += sizeof("\no=") - 1;
	length = strcspn(line, "\r\n");
	owner = strcspn(line, " ");
	if (owner < length)
		owner += 1 + strcspn(line + owner + 1, " ");
	version = line + owner + 1;
	if (owner >= length || *version < '0' || *version > '9')
		return;
	number = strtoull(version, &end, 10);
	address = end + 1;
	length -= (size_t)(end - line);
	if (*end != ' ' || number == ULLONG_MAX || owner >= sizeof(before->owner) ||
	    length > sizeof(before->address))
		return;
	before->version = number + 1;
	memcpy(before->owner, line, owner);
	memcpy(before->address, address, length - 1);
}

static int read_sections(const char *text, unsigned protos, struct sdp_before *before)
{
	struct media_desc *desc;
	const char *why;
	int err = sdp_parse_for(text, protos, &desc, &why);

	if (err)
		return err == -ENOMEM ? err : 0; /* nothing that can be gone on with */
	memcpy(before->sections, desc->sections, sizeof(before->sections));
	before->section_count = desc->section_count;
	before->audio = desc->audio;
	before->bundle = desc->bundle;
	sdp_free(desc);
	return 0;
}

int sdp_before_create(struct sdp_before **ret_before, const char *text, unsigned protos)
{
	struct sdp_before *before = calloc(1, sizeof(*before));
	int err;

	if (!before)
		return -ENOMEM;
	read_origin(text, before);
	before->mid_number = read_mid_number(text);
	err = read_sections(text, protos, before);
	if (err) {
		free(before);
		return err;
	}
	*ret_before = before;
	return 0;
}

struct sdp_before *sdp_before_destroy(struct sdp_before *before)
{
	free(before);
	return NULL;
}
