/* SPDX-License-Identifier: Apache-2.0 */
/* entries.h - entries of a trace, as the daemon tells them. */
#ifndef BREAKOUT_TESTS_UNIT_TOOLS_LOOK_ENTRIES_H
#define BREAKOUT_TESTS_UNIT_TOOLS_LOOK_ENTRIES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* One message; first: its first line; sdp: "" for none. */
static inline void add_message(json_t *entries, long long at, bool sent, const char *dialog,
			       const char *first, const char *cseq, const char *sdp)
{
	char text[4096];

	(void)snprintf(text, sizeof(text), "%s\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n\r\n%s", first,
		       dialog, cseq, sdp);
	json_array_append_new(entries, json_pack("{s:I, s:s, s:s, s:b, s:s, s:s, s:i, s:s, s:i}",
						 "at", (json_int_t)at, "kind", "message", "text",
						 text, "sent", (int)sent, "transport", "tls",
						 "local", "192.0.2.1", "local_port", 5061, "remote",
						 *dialog == 'a' ? "192.0.2.7" : "192.0.2.9",
						 "remote_port", 5061));
}

static inline void add_note(json_t *entries, long long at, const char *text)
{
	json_array_append_new(entries, json_pack("{s:I, s:s, s:s}", "at", (json_int_t)at, "kind",
						 "note", "text", text));
}

#endif
