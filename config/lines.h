/* SPDX-License-Identifier: Apache-2.0 */
/* lines.h - text files of one entry a line: numbers, dates. */
#ifndef BREAKOUT_CONFIG_LINES_H
#define BREAKOUT_CONFIG_LINES_H

#include "config/schema.h"

/* One line with something on it, without comment and line end; may be written
 * to. */
typedef void line_fn(struct reader *reader, struct place at, char *line, void *arg);

/* Calls for every line. What is wrong with the file itself is found at `at`,
 * where the configuration names it. */
void lines_read(struct reader *reader, const char *path, struct place at, line_fn *line, void *arg);
/* The same of a file that findings call by another name. */
void lines_read_as(struct reader *reader, const char *path, const char *name, struct place at,
		   line_fn *line, void *arg);

/* What the lines of a file are gathered in. */
struct line_items {
	size_t size, max; /* of one item; how many there may be */
	const char *what; /* they are: "dates" */
	void *items;
	size_t count, room;
};
/* A place for one more item, which counts once `count` is raised; NULL after
 * adding an error, or without memory. */
void *line_items_room(struct reader *reader, struct place at, struct line_items *list);
/* Moves them into the arena, and returns where they are now: NULL without memory. */
void *line_items_settle(struct reader *reader, struct line_items *list);

/* Cuts the next comma-separated field off, without the space around it. */
char *line_next_field(char **rest);

/* Reads `{ file: PATH }`; NULL after adding an error. */
char *lines_file(struct reader *reader, const struct node *node);

#endif
