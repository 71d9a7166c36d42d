/* SPDX-License-Identifier: Apache-2.0 */
/* entry.h - members of what the daemon says and records hold; what an entry of its
 * `trace` is. */
#ifndef BREAKOUT_TOOLS_LOOK_ENTRY_H
#define BREAKOUT_TOOLS_LOOK_ENTRY_H

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

/* "" if there is none. */
static inline const char *entry_text(const json_t *entry, const char *name)
{
	const char *text = json_string_value(json_object_get(entry, name));

	return text ? text : "";
}

static inline long long entry_number(const json_t *entry, const char *name)
{
	return json_integer_value(json_object_get(entry, name));
}

/* Else it is a note. */
static inline bool entry_is_message(const json_t *entry)
{
	return strcmp(entry_text(entry, "kind"), "message") == 0;
}

static inline bool entry_is_sent(const json_t *entry)
{
	return json_is_true(json_object_get(entry, "sent"));
}

#endif
