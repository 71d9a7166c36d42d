/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - tables as wide as their contents, and what stands in their cells. */
#ifndef BREAKOUT_TOOLS_CTL_TABLE_H
#define BREAKOUT_TOOLS_CTL_TABLE_H

#include <jansson.h>
#include <stddef.h>

#define COLUMNS_MAX 14
#define CELL        96

/* Members; "-" for a text that is missing or empty. */
const char *text_of(const json_t *object, const char *key);
long long number_of(const json_t *object, const char *key);
const char *yes_no(const json_t *object, const char *key);

/* Seconds as people read them: "-", "12s", "3m05s", "2h10m". */
void span_text(long long seconds, char *ret_text, size_t room);

/* Fills one row of a table: cells[column]. */
typedef void row_fn(const json_t *object, char cells[COLUMNS_MAX][CELL]);

/* titles: NULL-ended, at most COLUMNS_MAX. */
void show_table(const json_t *rows, const char *const *titles, row_fn *row);

#endif
