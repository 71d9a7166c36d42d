/* SPDX-License-Identifier: Apache-2.0 */
#include "base/shared_count.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include "base/hash.h"

struct shared_count {
	struct str_map *here;    /* name -> how many, as a number */
	struct str_map *changed; /* since it was told; NULL: nobody is told */
	struct other {
		int process; /* 0: none */
		struct str_map *counts;
	} others[SHARED_COUNT_OTHERS_MAX];
};

int shared_count_create(struct shared_count **ret_count)
{
	struct shared_count *count = calloc(1, sizeof(*count));

	if (!count)
		return -ENOMEM;
	if (str_map_create(&count->here) < 0) {
		free(count);
		return -ENOMEM;
	}
	*ret_count = count;
	return 0;
}

struct shared_count *shared_count_destroy(struct shared_count *count)
{
	if (!count)
		return NULL;
	str_map_destroy(count->here);
	str_map_destroy(count->changed);
	for (size_t i = 0; i < SHARED_COUNT_OTHERS_MAX; i++)
		str_map_destroy(count->others[i].counts);
	free(count);
	return NULL;
}

static size_t look(const struct str_map *map, const char *name)
{
	return map ? (size_t)(uintptr_t)str_map_find(map, name) : 0;
}

/* Fails only for a name that is new in the map. */
static int set(struct str_map *map, const char *name, size_t value)
{
	if (value)
		return str_map_put(map, name, (void *)(uintptr_t)value);
	(void)str_map_remove(map, name); /* the value is no pointer */
	return 0;
}

static bool note_change(struct shared_count *count, const char *name)
{
	return !count->changed || str_map_put(count->changed, name, count) == 0;
}

bool shared_count_add(struct shared_count *count, const char *name)
{
	return note_change(count, name) && set(count->here, name, look(count->here, name) + 1) == 0;
}

void shared_count_remove(struct shared_count *count, const char *name)
{
	size_t here = look(count->here, name);

	if (!here)
		return;
	(void)note_change(count, name); /* without memory the others count it until our end */
	(void)set(count->here, name, here - 1); /* cannot fail */
}

size_t shared_count_here(const struct shared_count *count, const char *name)
{
	return look(count->here, name);
}

size_t shared_count_of_all(const struct shared_count *count, const char *name)
{
	size_t sum = look(count->here, name);

	for (size_t i = 0; i < SHARED_COUNT_OTHERS_MAX; i++)
		sum += look(count->others[i].counts, name);
	return sum;
}

/* ---- to a process that takes our place ---- */

struct telling {
	const struct shared_count *count;
	struct packing packing;
};

static void tell(const char *name, void *value, void *arg)
{
	struct telling *telling = arg;

	(void)value;
	pack_text(&telling->packing.piece, name);
	pack_number(&telling->packing.piece, look(telling->count->here, name));
	packing_next(&telling->packing);
}

int shared_count_tell(struct shared_count *count, bool all,
		      int (*send)(const struct str *packed, void *arg), void *arg)
{
	struct telling telling = { .count = count, .packing = { .send = send, .arg = arg } };
	struct str_map *fresh;

	if (!all && count->changed && !str_map_count(count->changed))
		return 0;
	if (str_map_create(&fresh) < 0)
		return -ENOMEM;
	if (!all && count->changed)
		str_map_each(count->changed, tell, &telling);
	else
		str_map_each(count->here, tell, &telling);
	str_map_destroy(count->changed);
	count->changed = fresh;
	return packing_end(&telling.packing);
}

void shared_count_tell_nobody(struct shared_count *count)
{
	count->changed = str_map_destroy(count->changed);
}

/* ---- from those whose place we have ---- */

static struct other *other_of(struct shared_count *count, int process)
{
	for (size_t i = 0; i < SHARED_COUNT_OTHERS_MAX; i++)
		if (count->others[i].process == process)
			return &count->others[i];
	return NULL;
}

int shared_count_take(struct shared_count *count, int process, struct unpack *from)
{
	struct other *other = other_of(count, process);
	int err = 0;

	if (!other)
		other = other_of(count, 0);
	if (!other)
		return -ENOSPC;
	if (!other->counts)
		err = str_map_create(&other->counts);
	if (!err)
		other->process = process;
	while (!err && from->at < from->end) {
		char name[256];
		size_t value;

		unpack_text(from, name, sizeof(name));
		value = (size_t)unpack_number(from);
		err = from->failed ? -EPROTO : set(other->counts, name, value);
	}
	return err;
}

void shared_count_forget(struct shared_count *count, int process)
{
	struct other *other = other_of(count, process);

	if (!other)
		return;
	other->process = 0;
	other->counts = str_map_destroy(other->counts);
}
