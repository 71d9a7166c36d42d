/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/service/hop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include "base/hash_siphash.h"
#include "base/str.h"

#define HEADER    "Breakout-Hop"
#define MARK_ROOM 24 /* bytes of "1;" and 16 digits */
#define KEY_MIN   16 /* bytes: what SipHash takes */

static int random_key(struct hop_key *ret_key)
{
	struct hop_key key;

	/* Cannot be short for so few bytes (getrandom(2)). */
	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		return -EIO;
	*ret_key = key;
	return 0;
}

int hop_key_read(const char *path, struct hop_key *ret_key)
{
	static const uint64_t fold[2][2] = { { 0, 1 }, { 0, 2 } };
	char bytes[1024];
	size_t length;
	FILE *file;
	bool failed;

	if (!path)
		return random_key(ret_key);
	file = fopen(path, "rbe");
	if (!file)
		return -EIO;
	length = fread(bytes, 1, sizeof(bytes), file);
	failed = ferror(file) != 0;
	(void)fclose(file); /* was only read */
	while (length > 0 && strchr(" \t\r\n", bytes[length - 1]))
		length--; /* nodes agree whether or not an editor ended the line */
	if (!failed && length >= KEY_MIN) {
		ret_key->words[0] = siphash_2_4(fold[0], bytes, length);
		ret_key->words[1] = siphash_2_4(fold[1], bytes, length);
	}
	explicit_bzero(bytes, sizeof(bytes));
	return failed ? -EIO : length < KEY_MIN ? -EINVAL : 0;
}

static void write_mark(const struct hop_key *key, enum call_direction direction, const char *called,
		       char ret_mark[MARK_ROOM])
{
	char text[256];

	(void)snprintf(text, sizeof(text), "%s %s", call_direction_name(direction), called);
	(void)snprintf(ret_mark, MARK_ROOM, "1;%016llx",
		       (unsigned long long)siphash_2_4(key->words, text, strlen(text)));
}

/* Several marks may have become one header with commas on the way (RFC 3261
 * section 7.3.1). */
static bool lists(const char *value, const char *mark)
{
	size_t length = strlen(mark);

	while (*value) {
		value += strspn(value, ", \t");
		if (strncasecmp(value, mark, length) == 0 &&
		    strchr(", \t", value[length])) /* its own end counts */
			return true;
		value += strcspn(value, ",");
	}
	return false;
}

bool hop_seen(const struct hop_key *key, const struct sip_headers *headers,
	      enum call_direction direction, const char *called)
{
	char mark[MARK_ROOM];

	write_mark(key, direction, called, mark);
	for (size_t i = 0; i < headers->count; i++)
		if (str_equal_nocase(headers->items[i].name, HEADER) &&
		    lists(headers->items[i].value, mark))
			return true;
	return false;
}

int hop_mark(const struct hop_key *key, struct sip_headers *headers, enum call_direction direction,
	     const char *called)
{
	char mark[MARK_ROOM];

	write_mark(key, direction, called, mark);
	return sip_headers_add(headers, HEADER, mark);
}
