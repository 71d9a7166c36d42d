/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/service/order.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/hash.h"

struct order_book {
	struct shared_count *calls; /* by target: rung or talking */
	struct str_map *targets;    /* name -> struct presence, owned */
	struct str_map *shares;     /* "rule name" -> struct share, owned */
};

struct presence {
	mono_ms done_ms; /* the last call it answered ended; 0: never */
};

/* What a target of a rule is owed, in calls times the weight of all. */
struct share {
	long owed;
};

int order_book_create(struct order_book **ret_book)
{
	struct order_book *book = calloc(1, sizeof(*book));

	if (!book)
		return -ENOMEM;
	if (shared_count_create(&book->calls) < 0 || str_map_create(&book->targets) < 0 ||
	    str_map_create(&book->shares) < 0) {
		order_book_destroy(book);
		return -ENOMEM;
	}
	*ret_book = book;
	return 0;
}

static void free_value(const char *key, void *value, void *arg)
{
	(void)key;
	(void)arg;
	free(value);
}

static void map_destroy(struct str_map *map)
{
	if (map)
		str_map_each(map, free_value, NULL);
	str_map_destroy(map);
}

struct order_book *order_book_destroy(struct order_book *book)
{
	if (!book)
		return NULL;
	shared_count_destroy(book->calls);
	map_destroy(book->targets);
	map_destroy(book->shares);
	free(book);
	return NULL;
}

/* NULL: no memory; the target is then free and without a past. */
static void *find_or_add(struct str_map *map, const char *key, size_t size)
{
	void *value = str_map_find(map, key);

	if (value)
		return value;
	value = calloc(1, size);
	if (value && str_map_put(map, key, value) == 0)
		return value;
	free(value);
	return NULL;
}

struct shared_count *order_book_calls(struct order_book *book)
{
	return book->calls;
}

void order_book_news(struct order_book *book, const char *target, enum call_target_news news)
{
	struct presence *presence;

	if (news != CALL_TARGET_TAKEN)
		shared_count_remove(book->calls, target);
	else if (!shared_count_add(book->calls, target))
		return; /* no memory: it is free in our eyes */
	presence = find_or_add(book->targets, target, sizeof(*presence));
	if (presence && news == CALL_TARGET_DONE)
		presence->done_ms = clock_now();
}

/* ---- one call ---- */

static bool is_busy(const struct order_book *book, const struct order_target *target)
{
	return target->one_phone && shared_count_of_all(book->calls, target->name);
}

static size_t leave_out_busy(const struct order_book *book, struct order_target *targets,
			     size_t count)
{
	size_t left = 0;

	for (size_t i = 0; i < count; i++)
		left += !is_busy(book, &targets[i]);
	if (left == 0)
		return count;
	left = 0;
	for (size_t i = 0; i < count; i++)
		if (!is_busy(book, &targets[i]))
			targets[left++] = targets[i];
	return left;
}

/* Highest first; those alike stay as they were. */
static void sort(struct order_target *targets, long long *keys, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct order_target target = targets[i];
		long long key = keys[i];
		size_t at = i;

		for (; at > 0 && keys[at - 1] < key; at--) {
			targets[at] = targets[at - 1];
			keys[at] = keys[at - 1];
		}
		targets[at] = target;
		keys[at] = key;
	}
}

static void sort_by_idle(const struct order_book *book, struct order_target *targets, size_t count)
{
	long long keys[CONFIG_TARGETS_MAX];

	for (size_t i = 0; i < count; i++) {
		const struct presence *presence = str_map_find(book->targets, targets[i].name);

		keys[i] = presence ? -(long long)presence->done_ms : 0;
	}
	sort(targets, keys, count);
}

static struct share *find_share(struct order_book *book, const char *rule, const char *name)
{
	char key[256];

	(void)snprintf(key, sizeof(key), "%s %s", rule, name);
	return find_or_add(book->shares, key, sizeof(struct share));
}

/* With every call each is owed its weight more; who is owed most gets the call
 * and pays for all. With equal weights they take turns. */
static void sort_by_share(struct order_book *book, const char *rule, bool weighted,
			  struct order_target *targets, size_t count)
{
	long long keys[CONFIG_TARGETS_MAX];
	struct share *first;
	long total = 0;

	for (size_t i = 0; i < count; i++) {
		struct share *share = find_share(book, rule, targets[i].name);
		long weight = weighted ? (long)targets[i].weight : 1;

		total += weight;
		if (share)
			share->owed += weight;
		keys[i] = share ? share->owed : 0;
	}
	sort(targets, keys, count);
	first = find_share(book, rule, targets[0].name);
	if (first)
		first->owed -= total;
}

size_t order_targets(struct order_book *book, enum ring_order order, const char *rule,
		     struct order_target *targets, size_t count)
{
	if (order == RING_PARALLEL || count == 0)
		return count;
	count = leave_out_busy(book, targets, count);
	switch (order) {
	case RING_PARALLEL:
	case RING_SEQUENCE:
		break;
	case RING_WEIGHTED:
	case RING_ROUND_ROBIN:
		sort_by_share(book, rule, order == RING_WEIGHTED, targets, count);
		break;
	case RING_LONGEST_IDLE:
		sort_by_idle(book, targets, count);
		break;
	}
	return count;
}
