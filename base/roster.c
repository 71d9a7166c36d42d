/* SPDX-License-Identifier: Apache-2.0 */
#include "base/roster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

/* Maps each known name to its number + 1. */
static int index_names(const struct roster *roster, struct str_map **ret_map)
{
	int err = str_map_create(ret_map);

	for (size_t i = 0; !err && i < roster->count; i++)
		err = str_map_put(*ret_map, roster->entries[i].name, (void *)(i + 1));
	return err;
}

static int add_name(struct roster *roster, struct str_map *map, const char *name)
{
	struct roster_entry *entries =
		realloc(roster->entries, (roster->count + 1) * sizeof(*entries));
	char *copy = strdup(name);
	int err = entries && copy ? 0 : -ENOMEM;

	if (entries)
		roster->entries = entries;
	if (!err)
		err = str_map_put(map, name, (void *)(roster->count + 1));
	if (err)
		free(copy);
	else
		entries[roster->count++] = (struct roster_entry){ .name = copy };
	return err;
}

int roster_take(struct roster *roster, const char *(*name)(const void *list, size_t i),
		const void *list, size_t count)
{
	size_t *numbers = calloc(count + 1, sizeof(*numbers));
	struct str_map *map = NULL;
	int err = numbers ? index_names(roster, &map) : -ENOMEM;

	/* A name that is added and then not used is no harm. */
	for (size_t i = 0; !err && i < count; i++) {
		if (!str_map_find(map, name(list, i)))
			err = add_name(roster, map, name(list, i));
		if (!err)
			numbers[i] = (size_t)str_map_find(map, name(list, i)) - 1;
	}
	str_map_destroy(map);
	if (err) {
		free(numbers);
		return err;
	}
	for (size_t i = 0; i < roster->count; i++)
		roster->entries[i].present = false;
	for (size_t i = 0; i < count; i++) {
		roster->entries[numbers[i]].place = i;
		roster->entries[numbers[i]].present = true;
	}
	free(roster->numbers);
	roster->numbers = numbers;
	roster->places = count;
	return 0;
}

size_t roster_number(const struct roster *roster, size_t place)
{
	return place < roster->places ? roster->numbers[place] : place;
}

bool roster_place(const struct roster *roster, size_t number, size_t *ret_place)
{
	if (number >= roster->count || !roster->entries[number].present)
		return false;
	*ret_place = roster->entries[number].place;
	return true;
}

void roster_done(struct roster *roster)
{
	for (size_t i = 0; i < roster->count; i++)
		free(roster->entries[i].name);
	free(roster->entries);
	free(roster->numbers);
	*roster = (struct roster){ .count = 0 };
}
