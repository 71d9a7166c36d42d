/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - the result of a call, for people. */
#ifndef BREAKOUT_TOOLS_CORE_REPORT_H
#define BREAKOUT_TOOLS_CORE_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum report_colour { REPORT_PLAIN, REPORT_GOOD, REPORT_BAD, REPORT_DIM, REPORT_STRONG };

/* The escape sequence that begins a colour, "" unless `file` is a terminal and
 * NO_COLOR is not set. REPORT_PLAIN ends it. */
const char *report_colour(FILE *file, enum report_colour colour);

/* One line a leg: who, Call-ID, messages with their times; then times and verdict. */
void report_ladder(FILE *file, const json_t *result);
/* Every message in order. */
void report_trace(FILE *file, const json_t *result);

/* A member's text, or "". */
const char *report_text(const json_t *object, const char *name);

#endif
