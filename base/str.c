/* SPDX-License-Identifier: Apache-2.0 */
/* str.c - growing text, and the few string tools libc lacks. */
#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool grow(struct str *str, size_t more)
{
	size_t room = str->room ? str->room : 64;
	char *text;

	if (str->failed)
		return false;
	if (more >= SIZE_MAX / 4 - str->length) {
		str_done(str);
		str->failed = true;
		return false;
	}
	while (room < str->length + more + 1)
		room *= 2;
	text = realloc(str->text, room);
	if (!text) {
		str_done(str);
		str->failed = true;
		return false;
	}
	str->text = text;
	str->room = room;
	return true;
}

/* Makes space for `more` bytes and the NUL. A failed text has no room. */
static inline bool reserve(struct str *str, size_t more)
{
	return more < str->room - str->length || grow(str, more);
}

void str_reserve(struct str *str, size_t more)
{
	(void)reserve(str, more);
}

void str_add_slowly(struct str *str, const char *text, size_t length)
{
	if (!reserve(str, length))
		return;
	if (length)
		memcpy(str->text + str->length, text, length);
	str->length += length;
	str->text[str->length] = '\0';
}

void str_addf(struct str *str, const char *format, ...)
{
	va_list args;
	size_t room;
	int length;

	if (!reserve(str, 0))
		return;
	room = str->room - str->length;
	va_start(args, format);
	length = vsnprintf(str->text + str->length, room, format, args);
	va_end(args);
	if (length >= 0 && (size_t)length >= room) { /* mostly it fits at once */
		str->text[str->length] = '\0';
		if (!reserve(str, (size_t)length))
			return;
		va_start(args, format);
		(void)vsnprintf(str->text + str->length, (size_t)length + 1, format, args);
		va_end(args);
	}
	if (length > 0)
		str->length += (size_t)length;
	str->text[str->length] = '\0';
}

#define DIGITS_ROOM 24 /* of a long long, with sign and point */

void str_add_decimal(struct str *str, long long value, unsigned decimals)
{
	unsigned long long rest =
		value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;
	char digits[DIGITS_ROOM], *at = digits + sizeof(digits);

	for (unsigned place = 0; rest || place <= decimals; place++) {
		if (place && place == decimals)
			*--at = '.';
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	}
	if (value < 0)
		*--at = '-';
	str_add_n(str, at, (size_t)(digits + sizeof(digits) - at));
}

void str_add_int(struct str *str, long long value)
{
	str_add_decimal(str, value, 0);
}

/* Bytes of the UTF-8 character at `text` (RFC 3629 section 4), 0 if it is none. */
static size_t utf8_bytes(const unsigned char *text)
{
	static const struct {
		unsigned char first, last, second_min, second_max, length;
	} forms[] = {
		{ 0x01, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (text[0] < forms[i].first || text[0] > forms[i].last)
			continue;
		if (forms[i].length == 1)
			return 1;
		if (text[1] < forms[i].second_min || text[1] > forms[i].second_max)
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if ((text[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

size_t str_utf8_length(const char *text)
{
	return utf8_bytes((const unsigned char *)text);
}

/* Characters that JSON takes as they are. */
static const bool json_plain[256] = {
	[' '] = true,
	['!'] = true,
	['#' ... '['] = true,
	[']' ... '~'] = true,
};

static size_t plain_length(const unsigned char *text)
{
	size_t length = 0;

	while (json_plain[text[length]])
		length++;
	return length;
}

void str_add_json(struct str *str, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	str_add_n(str, "\"", 1);
	while (*at) {
		size_t plain = plain_length(at), length;

		str_add_n(str, (const char *)at, plain);
		at += plain;
		if (!*at)
			break;
		length = utf8_bytes(at);
		if (*at == '"' || *at == '\\')
			str_addf(str, "\\%c", *at);
		else if (*at < 0x20 || *at == 0x7f)
			str_addf(str, "\\u%04x", *at);
		else if (length)
			str_add_n(str, (const char *)at, length);
		else /* JSON is UTF-8 (RFC 8259 section 8.1), what a peer sends may not be */
			str_add(str, "\\ufffd");
		at += length ? length : 1;
	}
	str_add_n(str, "\"", 1);
}

char *str_take(struct str *str)
{
	char *text;

	if (!str->failed && !str->text)
		str_add_n(str, "", 0);
	text = str->text; /* NULL after a failure */
	*str = (struct str){ 0 };
	return text;
}

void str_done(struct str *str)
{
	free(str->text);
	*str = (struct str){ 0 };
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int str_order_nocase(const char *a, const char *b)
{
	for (; *a && lower(*a) == lower(*b); a++, b++)
		;
	return (unsigned char)lower(*a) - (unsigned char)lower(*b);
}

bool str_equal_nocase(const char *a, const char *b)
{
	return str_order_nocase(a, b) == 0;
}

bool str_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

char *str_dup_or_null(const char *text)
{
	return text ? strdup(text) : NULL;
}
