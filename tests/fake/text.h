/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - what a file says. */
#ifndef BREAKOUT_TESTS_FAKE_TEXT_H
#define BREAKOUT_TESTS_FAKE_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

/* At most room - 1 bytes of it, and a NUL. */
static inline void text_read(const char *path, char *text, size_t room)
{
	FILE *file = fopen(path, "r");
	size_t n;

	assert_non_null(file);
	n = fread(text, 1, room - 1, file);
	text[n] = '\0';
	fclose(file);
}

static inline void text_is(const char *path, const char *wanted)
{
	char text[512];

	text_read(path, text, sizeof(text));
	assert_string_equal(text, wanted);
}

#endif
