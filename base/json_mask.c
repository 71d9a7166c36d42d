/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_mask.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/e164.h"
#include "base/macros.h"

/* The closing quote of the string that begins at `at`, or the end of the text. */
static const char *string_end(const char *at)
{
	for (at++; *at && *at != '"'; at++)
		if (*at == '\\' && at[1])
			at++;
	return at;
}

static bool stays(const char *name, size_t length)
{
	static const char *const names[] = { "id",         "call_id", "call_id_a", "call_id_b",
					     "session_id", "config",  "recording" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == length && strncmp(names[i], name, length) == 0)
			return true;
	return false;
}

/* What stands there as a whole: an escape, or one character. */
static size_t piece(const char *at, const char *end)
{
	bool digit = at[1] >= '0' && at[1] <= '9'; /* no escape, and not to hide a number */
	size_t length = *at != '\\' || digit ? 1 : at[1] == 'u' ? 6 : 2;

	return length > (size_t)(end - at) ? (size_t)(end - at) : length;
}

static void add_number(struct str *to, const char *at, size_t length)
{
	char number[64], masked[64];

	if (length >= sizeof(number)) {
		str_add(to, "***");
		return;
	}
	snprintf(number, sizeof(number), "%.*s", (int)length, at);
	e164_mask(number, masked, sizeof(masked));
	str_add(to, masked);
}

/* The inside of a string. */
static void add_masked(struct str *to, const char *at, const char *end)
{
	while (at < end) {
		size_t plus = *at == '+', digits = strspn(at + plus, "0123456789");
		size_t length = digits >= JSON_MASK_DIGITS ? plus + digits : piece(at, end);

		if (digits >= JSON_MASK_DIGITS)
			add_number(to, at, length);
		else
			str_add_n(to, at, length);
		at += length;
	}
}

void json_mask(struct str *to, const char *json)
{
	const char *name = "";
	size_t name_length = 0;

	while (*json) {
		size_t plain = strcspn(json, "\"");
		const char *end;
		bool is_name;

		str_add_n(to, json, plain);
		json += plain;
		if (!*json)
			return;
		end = string_end(json);
		is_name = *end && end[1 + strspn(end + 1, " \t\r\n")] == ':';
		if (is_name) {
			name = json + 1;
			name_length = (size_t)(end - name);
		}
		str_add(to, "\"");
		if (is_name || stays(name, name_length))
			str_add_n(to, json + 1, (size_t)(end - json - 1));
		else
			add_masked(to, json + 1, end);
		json = end;
		if (*json)
			str_add_n(to, json++, 1);
	}
}
