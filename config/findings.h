/* SPDX-License-Identifier: Apache-2.0 */
/* findings.h - what is wrong with a configuration, and exactly where.
 *
 * Every reader adds what it finds and goes on, so that one run shows all.
 */
#ifndef BREAKOUT_CONFIG_FINDINGS_H
#define BREAKOUT_CONFIG_FINDINGS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/macros.h"
#include "base/str.h"

/* A character in a file. file 0: none, the value is a built-in default. */
struct place {
	uint32_t file, line, column; /* line and column count from 1 */
};

struct findings {
	char **files; /* [file - 1] */
	uint32_t file_count;
	struct finding *list;
	size_t count, room;
	size_t errors;  /* all of them, listed or not */
	size_t dropped; /* beyond what is listed */
	bool failed;    /* memory ran out */
};

uint32_t findings_add_file(struct findings *findings, const char *path); /* 0: failed */
const char *findings_file(const struct findings *findings, uint32_t file);

/* One sentence that says what is wrong, one that says how to mend it. */
void find_error(struct findings *findings, struct place at, const char *format, ...)
	PRINTF_LIKE(3, 4);
void find_warning(struct findings *findings, struct place at, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* The sentence of the one that was made first; NULL: there is none. */
const char *findings_first(const struct findings *findings);
/* Appends all, sorted by file (in order of reading) and place, one a line. */
void findings_write(struct findings *findings, struct str *out);
void findings_done(struct findings *findings);

/* The candidate that `text` is most likely a slip of, or NULL. `get` returns
 * the i-th name of `count`. */
const char *find_similar(const char *text, const char *(*get)(const void *list, size_t i),
			 const void *list, size_t count);

#endif
