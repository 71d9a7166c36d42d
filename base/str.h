/* SPDX-License-Identifier: Apache-2.0 */
/* str.h - growing text, and the few string tools libc lacks. */
#ifndef BREAKOUT_BASE_STR_H
#define BREAKOUT_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include "base/macros.h"

/* A text under construction. Zero-initialise. After the first failed
 * allocation everything added is dropped and str_take() returns NULL, so only
 * the end needs a check. */
struct str {
	char *text; /* NUL-ended once something was added */
	size_t length, room;
	bool failed;
};

/* Room for so many bytes more, in one piece of memory. */
void str_reserve(struct str *str, size_t more);
void str_add_slowly(struct str *str, const char *text, size_t length); /* of str_add_n() */
/* Inline: where text and length are constants, most of it is done by the compiler. */
static inline void str_add_n(struct str *str, const char *text, size_t length)
{
	if (!length || length >= str->room - str->length) {
		str_add_slowly(str, text, length);
		return;
	}
	memcpy(str->text + str->length, text, length);
	str->length += length;
	str->text[str->length] = '\0';
}

static inline void str_add(struct str *str, const char *text)
{
	str_add_n(str, text, strlen(text));
}

void str_addf(struct str *str, const char *format, ...) PRINTF_LIKE(2, 3);
void str_add_json(struct str *str, const char *text); /* as a quoted JSON string */
/* As "%lld", at a tenth of its price. */
void str_add_int(struct str *str, long long value);
/* `value` counts units of 10^-decimals: 1234 with 1 is "123.4". */
void str_add_decimal(struct str *str, long long value, unsigned decimals);
/* The text, which the caller frees; "" for nothing added, NULL if an addition
 * failed. str is empty again. */
char *str_take(struct str *str);
void str_done(struct str *str);

/* Bytes of the UTF-8 character that begins the NUL-ended text, 0 if it is none (RFC 3629). */
size_t str_utf8_length(const char *text);
bool str_equal_nocase(const char *a, const char *b); /* ASCII */
/* As strcmp(), with ASCII letters taken for small ones. */
int str_order_nocase(const char *a, const char *b);
bool str_starts(const char *text, const char *prefix);
char *str_dup_or_null(const char *text); /* NULL for NULL */

#endif
