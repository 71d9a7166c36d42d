/* SPDX-License-Identifier: Apache-2.0 */
/* numbers.c - a million numbers in eight megabytes: sorted keys. */
#include "config/numbers.h"

#include <stdlib.h>
#include <string.h>

#include "config/lines.h"

#define NUMBERS_MAX 2000000u
#define DIGITS_MAX  15 /* E.164 section 6.2.1 */

/* Digits as a number; without a plus zeros in front count, so the length is
 * part of the key. 0: no number. */
static uint64_t key_of(const char *text)
{
	size_t plus = *text == '+', digits = strspn(text + plus, "0123456789");

	if (!digits || digits > DIGITS_MAX || text[plus + digits])
		return 0;
	/* 15 digits need 50 bits. */
	return strtoull(text + plus, NULL, 10) | (uint64_t)digits << 56 | (uint64_t)plus << 63;
}

static int compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

bool config_numbers_contain(const struct config_numbers *numbers, const char *number)
{
	uint64_t key = key_of(number);

	return key && bsearch(&key, numbers->keys, numbers->count, sizeof(key), compare);
}

/* A file's numbers while they are read. */
struct key_list {
	uint64_t *keys;
	size_t count, room;
};

static bool make_room(struct reader *reader, struct place at, struct key_list *list)
{
	size_t room = list->room ? list->room * 2 : 1024;
	uint64_t *keys;

	if (list->count == NUMBERS_MAX) {
		find_error(reader->findings, at, "more than %u numbers. Write ranges into the rule",
			   NUMBERS_MAX);
		list->count++; /* said once */
	}
	if (list->count > NUMBERS_MAX)
		return false;
	if (list->count < list->room)
		return true;
	keys = realloc(list->keys, room * sizeof(*keys));
	if (!keys) {
		reader->arena->failed = true;
		return false;
	}
	list->keys = keys;
	list->room = room;
	return true;
}

static void number_line(struct reader *reader, struct place at, char *line, void *arg)
{
	struct key_list *list = arg;
	char *text = line_next_field(&line), masked[64];
	uint64_t key = key_of(text);

	if (!make_room(reader, at, list))
		return;
	if (key) {
		list->keys[list->count++] = key;
		return;
	}
	e164_mask(text, masked, sizeof(masked));
	find_error(reader->findings, at,
		   "`%s` is not a number. Write 1 to 15 digits, with + and country code as the "
		   "core does",
		   masked);
}

static size_t sort_unique(struct key_list *list)
{
	size_t kept = 0;

	qsort(list->keys, list->count, sizeof(*list->keys), compare);
	for (size_t i = 0; i < list->count; i++)
		if (!kept || list->keys[kept - 1] != list->keys[i])
			list->keys[kept++] = list->keys[i];
	return kept;
}

static struct config_numbers *read_file(struct reader *reader, const char *path, struct place at)
{
	struct config_numbers *numbers = arena_alloc(reader->arena, 1, sizeof(*numbers));
	struct key_list list = { 0 };

	if (!numbers)
		return NULL;
	lines_read(reader, path, at, number_line, &list);
	if (list.count && list.count <= NUMBERS_MAX) {
		size_t count = sort_unique(&list);

		numbers->keys = arena_alloc(reader->arena, count, sizeof(*numbers->keys));
		if (numbers->keys) {
			memcpy(numbers->keys, list.keys, count * sizeof(*list.keys));
			numbers->count = count;
		}
	}
	free(list.keys);
	return numbers;
}

const struct config_numbers *numbers_read(struct reader *reader, const struct value *value)
{
	char *path = lines_file(reader, value->node);
	struct config_numbers *numbers;

	if (!path)
		return NULL;
	for (numbers = reader->config->lists; numbers; numbers = numbers->next)
		if (!strcmp(numbers->path, path))
			return numbers;
	numbers = read_file(reader, path, value->node->at);
	if (!numbers)
		return NULL;
	numbers->path = path;
	numbers->next = reader->config->lists;
	reader->config->lists = numbers;
	return numbers;
}
