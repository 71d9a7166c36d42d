/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/blot.h"

#include <stdbool.h>
#include <string.h>

static void blot(char *from, const char *end, const char *stop)
{
	while (from < end && !strchr(stop, *from))
		*from++ = '*';
}

/* Case does not matter in a header's name; in SDP it does, and is the lower one. */
static bool begins(const char *line, const char *end, const char *name)
{
	size_t length = strlen(name);

	return (size_t)(end - line) >= length && !strncasecmp(line, name, length);
}

static void blot_after(char *line, const char *end, const char *mark, const char *stop)
{
	char *at = memmem(line, (size_t)(end - line), mark, strlen(mark));

	if (at)
		blot(at + strlen(mark), end, stop);
}

/* The proof of a password, keys of SRTP (RFC 4568), the password of ICE. */
static void blot_line(char *line, const char *end)
{
	if (begins(line, end, "Authorization:") || begins(line, end, "Proxy-Authorization:"))
		blot_after(line, end, "response=\"", "\"");
	else if (begins(line, end, "a=crypto:"))
		blot_after(line, end, "inline:", "| \r");
	else if (begins(line, end, "a=ice-pwd:"))
		blot_after(line, end, "a=ice-pwd:", "\r");
}

void blot_secrets(char *text, size_t length)
{
	char *end = text + length;

	for (char *line = text; line < end;) {
		char *stop = memchr(line, '\n', (size_t)(end - line));

		if (!stop)
			stop = end;
		/* Few lines begin so; the others cost one comparison. */
		if (*line == 'a' || *line == 'A' || *line == 'P' || *line == 'p')
			blot_line(line, stop);
		line = stop + 1;
	}
}
