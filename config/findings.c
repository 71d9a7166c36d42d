/* SPDX-License-Identifier: Apache-2.0 */
/* findings.c - collects, sorts and prints what is wrong with a configuration. */
#include "config/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A wrong separator in a list of a million numbers is one mistake, not a million. */
#define LISTED_MAX        1000
#define NAME_MAX_COMPARED 40

struct finding {
	struct place at;
	uint32_t order; /* keeps findings of one place in the order they were made */
	bool error;
	char *text;
};

uint32_t findings_add_file(struct findings *findings, const char *path)
{
	char **files = realloc(findings->files, (findings->file_count + 1) * sizeof(*files));
	char *copy = strdup(path);

	if (files)
		findings->files = files;
	if (!files || !copy) {
		free(copy);
		findings->failed = true;
		return 0;
	}
	files[findings->file_count++] = copy;
	return findings->file_count;
}

const char *findings_file(const struct findings *findings, uint32_t file)
{
	return file && file <= findings->file_count ? findings->files[file - 1] : "built-in";
}

/* One finding is one line whatever the file contains. */
static void make_one_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static void PRINTF_LIKE(4, 0) add(struct findings *findings, struct place at, bool error,
				  const char *format, va_list args)
{
	struct finding *finding;

	findings->errors += error;
	if (findings->count == LISTED_MAX) {
		findings->dropped++;
		return;
	}
	if (findings->count == findings->room) {
		size_t room = findings->room ? findings->room * 2 : 16;
		struct finding *list = realloc(findings->list, room * sizeof(*list));

		if (!list) {
			findings->failed = true;
			return;
		}
		findings->list = list;
		findings->room = room;
	}
	finding = &findings->list[findings->count];
	*finding = (struct finding){ .at = at, .order = (uint32_t)findings->count, .error = error };
	if (vasprintf(&finding->text, format, args) < 0) {
		findings->failed = true;
		return;
	}
	make_one_line(finding->text);
	findings->count++;
}

void find_error(struct findings *findings, struct place at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(findings, at, true, format, args);
	va_end(args);
}

void find_warning(struct findings *findings, struct place at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(findings, at, false, format, args);
	va_end(args);
}

static int compare(const void *left, const void *right)
{
	const struct finding *a = left, *b = right;

	if (a->at.file != b->at.file)
		return a->at.file < b->at.file ? -1 : 1;
	if (a->at.line != b->at.line)
		return a->at.line < b->at.line ? -1 : 1;
	if (a->at.column != b->at.column)
		return a->at.column < b->at.column ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

void findings_write(struct findings *findings, struct str *out)
{
	if (findings->count)
		qsort(findings->list, findings->count, sizeof(*findings->list), compare);
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->list[i];

		str_addf(out, "%s:%u:%u: %s: %s\n", findings_file(findings, finding->at.file),
			 finding->at.line, finding->at.column, finding->error ? "error" : "warning",
			 finding->text);
	}
	if (findings->dropped)
		str_addf(out, "%s:1:1: error: %zu more findings are not shown. Mend these first\n",
			 findings_file(findings, 1), findings->dropped);
}

const char *findings_first(const struct findings *findings)
{
	return findings->count ? findings->list[0].text : NULL;
}

void findings_done(struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++)
		free(findings->list[i].text);
	for (uint32_t i = 0; i < findings->file_count; i++)
		free(findings->files[i]);
	free(findings->list);
	free(findings->files);
	*findings = (struct findings){ 0 };
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, substitutions and swaps of neighbours that turn one
 * text into the other (optimal string alignment). */
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned rows[3][NAME_MAX_COMPARED + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];
	size_t length = strlen(b);

	for (unsigned j = 0; j <= length; j++)
		last[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned *spare = before;

		row[0] = i;
		for (unsigned j = 1; j <= length; j++) {
			row[j] = least(last[j - 1] + (a[i - 1] != b[j - 1]),
				       least(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[length];
}

const char *find_similar(const char *text, const char *(*get)(const void *list, size_t i),
			 const void *list, size_t count)
{
	size_t length = strlen(text);
	/* More edits than this make another word. */
	unsigned best = length == 3 || length == 4 ? 1 : (unsigned)length / 3;
	const char *found = NULL;

	if (length > NAME_MAX_COMPARED || !best)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		const char *name = get(list, i);
		unsigned distance;

		if (strlen(name) > NAME_MAX_COMPARED)
			continue;
		distance = edit_distance(text, name);
		if (distance < best + !found) {
			best = distance;
			found = name;
		}
	}
	return found;
}
