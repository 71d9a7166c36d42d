/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "base/str.h"
#include "proto/api.h"

void api_explain(char *text, size_t room, const char *status, const char *words)
{
	/* The library says this before each cause; the cause is what helps. */
	static const char preamble[] = "failed to connect to all addresses; last error: ";
	size_t n;

	if (words && str_starts(words, preamble))
		words += sizeof(preamble) - 1;
	snprintf(text, room, "%s%s%s", status, words && *words ? ": " : "", words ? words : "");
	for (n = 0; text[n]; n++)
		if (text[n] < ' ' || text[n] > '~')
			text[n] = '?';
}
