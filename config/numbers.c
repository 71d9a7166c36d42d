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

static void number_line(struct reader *reader, struct place at, char *line, void *arg)
{
	char *text = line_next_field(&line), masked[64];
	struct line_items *list = arg;
	uint64_t *room = line_items_room(reader, at, list), key = key_of(text);

	if (room && key) {
		*room = key;
		list->count++;
	}
	if (!room || key)
		return;
	e164_mask(text, masked, sizeof(masked));
	find_error(reader->findings, at,
		   "`%s` is not a number. Write 1 to 15 digits, with + and country code as the "
		   "core does",
		   masked);
}

static size_t sort_unique(uint64_t *keys, size_t count)
{
	size_t kept = 0;

	qsort(keys, count, sizeof(*keys), compare);
	for (size_t i = 0; i < count; i++)
		if (!kept || keys[kept - 1] != keys[i])
			keys[kept++] = keys[i];
	return kept;
}

static struct config_numbers *read_file(struct reader *reader, const char *path, struct place at)
{
	struct config_numbers *numbers = arena_alloc(reader->arena, 1, sizeof(*numbers));
	struct line_items list = { .size = sizeof(uint64_t),
				   .max = NUMBERS_MAX,
				   .what = "numbers" };

	if (!numbers)
		return NULL;
	lines_read(reader, path, at, number_line, &list);
	if (list.count && list.count <= list.max)
		list.count = sort_unique(list.items, list.count);
	numbers->keys = line_items_settle(reader, &list);
	numbers->count = numbers->keys ? list.count : 0;
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
