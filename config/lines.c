/* SPDX-License-Identifier: Apache-2.0 */
/* lines.c - opening a list, and walking through it line by line. */
#include "config/lines.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void read_open(struct reader *reader, FILE *file, uint32_t index, line_fn *line, void *arg)
{
	struct place at = { index, 0, 1 };
	char *bytes = NULL;
	size_t room = 0;
	ssize_t length;

	while ((length = getline(&bytes, &room, file)) >= 0) {
		char *text = bytes;

		if (!at.line++ && str_starts(text, "\xef\xbb\xbf")) /* byte order mark */
			text += 3;
		if ((size_t)length != strlen(bytes)) {
			find_error(reader->findings, at, "a NUL character. Save the file as text");
			break;
		}
		text[strcspn(text, "#\r\n")] = '\0';
		if (text[strspn(text, " \t")])
			line(reader, at, text, arg);
	}
	if (ferror(file))
		find_error(reader->findings, at, "cannot be read: %s", strerror(errno));
	free(bytes);
}

void lines_read(struct reader *reader, const char *path, struct place at, line_fn *line, void *arg)
{
	lines_read_as(reader, path, path, at, line, arg);
}

void lines_read_as(struct reader *reader, const char *path, const char *name, struct place at,
		   line_fn *line, void *arg)
{
	uint32_t index;
	struct stat st;
	FILE *file;

	/* Looked at first: opening a pipe would wait for its writer. */
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		find_error(reader->findings, at, "%s is not a file. Name a CSV file", name);
		return;
	}
	index = findings_add_file(reader->findings, name);
	file = fopen(path, "re");
	if (!file) {
		find_error(reader->findings, at, "cannot read %s: %s. Check path and permissions",
			   name, strerror(errno));
		return;
	}
	if (index)
		read_open(reader, file, index, line, arg);
	(void)fclose(file); /* only read from */
}

void *line_items_room(struct reader *reader, struct place at, struct line_items *list)
{
	size_t room = list->room ? list->room * 2 : 256;
	void *items;

	if (list->count == list->max) {
		find_error(reader->findings, at, "more than %zu %s. Use fewer", list->max,
			   list->what);
		list->count++; /* said once */
	}
	if (list->count > list->max)
		return NULL;
	if (list->count == list->room) {
		items = realloc(list->items, room * list->size);
		if (!items) {
			reader->arena->failed = true;
			return NULL;
		}
		list->items = items;
		list->room = room;
	}
	return (char *)list->items + list->count * list->size;
}

void *line_items_settle(struct reader *reader, struct line_items *list)
{
	void *items;

	if (list->count > list->max) /* there is a finding */
		list->count = list->max;
	items = arena_alloc(reader->arena, list->count, list->size);
	if (items && list->count)
		memcpy(items, list->items, list->count * list->size);
	free(list->items);
	return items;
}

char *line_next_field(char **rest)
{
	char *field = *rest + strspn(*rest, " \t");
	size_t length = strcspn(field, ",");
	char *end = field + length;

	*rest = *end ? end + 1 : end;
	*end = '\0';
	while (end > field && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return field;
}

char *lines_file(struct reader *reader, const struct node *node)
{
	static const struct key keys[] = {
		{ .name = "file",
		  .kind = &kind_path,
		  .flags = KEY_REQUIRED,
		  .help = "a text file of one entry a line" },
	};
	static const struct schema schema = { "list", keys, ARRAY_SIZE(keys) };
	char *file = NULL;

	schema_read(reader, &schema, node, node->at, &file);
	return file;
}
