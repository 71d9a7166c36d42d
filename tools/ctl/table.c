/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/table.h"

#include <stdio.h>
#include <string.h>
#include "tools/ctl/ctl.h"

const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? text : "-";
}

long long number_of(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

const char *yes_no(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key)) ? "yes" : "no";
}

int print_json(const json_t *document)
{
	json_dumpf(document, stdout, JSON_INDENT(2));
	putchar('\n');
	return STATUS_OK;
}

void span_text(long long seconds, char *ret_text, size_t room)
{
	if (seconds <= 0)
		snprintf(ret_text, room, "-");
	else if (seconds < 60)
		snprintf(ret_text, room, "%llds", seconds);
	else if (seconds < 3600)
		snprintf(ret_text, room, "%lldm%02llds", seconds / 60, seconds % 60);
	else
		snprintf(ret_text, room, "%lldh%02lldm", seconds / 3600, seconds / 60 % 60);
}

static void print_row(char cells[COLUMNS_MAX][CELL], const int *widths, int columns)
{
	for (int c = 0; c < columns; c++)
		printf("%s%-*s", c ? "  " : "", c + 1 < columns ? widths[c] : 0, cells[c]);
	putchar('\n');
}

static void widen(char cells[COLUMNS_MAX][CELL], int *widths, int columns)
{
	for (int c = 0; c < columns; c++)
		if (widths[c] < (int)strlen(cells[c]))
			widths[c] = (int)strlen(cells[c]);
}

void show_table(const json_t *rows, const char *const *titles, row_fn *row)
{
	char cells[COLUMNS_MAX][CELL];
	int widths[COLUMNS_MAX] = { 0 };
	int columns = 0;
	size_t i;
	json_t *object;

	for (; titles[columns]; columns++)
		snprintf(cells[columns], CELL, "%s", titles[columns]);
	widen(cells, widths, columns);
	json_array_foreach(rows, i, object)
	{
		row(object, cells);
		widen(cells, widths, columns);
	}
	for (int c = 0; c < columns; c++)
		snprintf(cells[c], CELL, "%s", titles[c]);
	print_row(cells, widths, columns);
	json_array_foreach(rows, i, object)
	{
		row(object, cells);
		print_row(cells, widths, columns);
	}
}
