/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash_slots.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_MIN 16

void hash_slots_done(struct hash_slots *slots)
{
	free(slots->slots);
	*slots = (struct hash_slots){ .slots = NULL };
}

static size_t next_of(const struct hash_slots *slots, size_t at)
{
	return (at + 1) & (slots->room - 1);
}

/* Where the key is, or the empty slot where it would go; there is room. */
static size_t slot_of(const struct hash_slots *slots, uint64_t hash, hash_same_fn *same,
		      const void *key)
{
	size_t at = hash & (slots->room - 1);

	while (slots->slots[at].item &&
	       (slots->slots[at].hash != hash || !same(slots->slots[at].item, key)))
		at = next_of(slots, at);
	return at;
}

void *hash_slots_find(const struct hash_slots *slots, uint64_t hash, hash_same_fn *same,
		      const void *key)
{
	return slots->count ? slots->slots[slot_of(slots, hash, same, key)].item : NULL;
}

/* There is room, and its key is not there. */
static void put(struct hash_slots *slots, const struct hash_slot *slot)
{
	size_t at = slot->hash & (slots->room - 1);

	while (slots->slots[at].item)
		at = next_of(slots, at);
	slots->slots[at] = *slot;
}

static int grow(struct hash_slots *slots)
{
	struct hash_slots grown = { .count = slots->count };

	grown.room = slots->room ? slots->room * 2 : ROOM_MIN;
	grown.slots = calloc(grown.room, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (size_t i = 0; i < slots->room; i++)
		if (slots->slots[i].item)
			put(&grown, &slots->slots[i]);
	free(slots->slots);
	*slots = grown;
	return 0;
}

int hash_slots_add(struct hash_slots *slots, uint64_t hash, void *item)
{
	if (slots->count + 1 > slots->room / 4 * 3 && grow(slots))
		return -ENOMEM;
	put(slots, &(struct hash_slot){ hash, item });
	slots->count++;
	return 0;
}

/* An item behind the hole may move back to it unless its home lies after it. */
static void close_hole(struct hash_slots *slots, size_t hole)
{
	size_t mask = slots->room - 1;

	for (size_t at = next_of(slots, hole); slots->slots[at].item; at = next_of(slots, at)) {
		size_t home = slots->slots[at].hash & mask;

		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		slots->slots[hole] = slots->slots[at];
		hole = at;
	}
	slots->slots[hole] = (struct hash_slot){ .item = NULL };
}

void *hash_slots_remove(struct hash_slots *slots, uint64_t hash, hash_same_fn *same,
			const void *key)
{
	size_t at = slots->count ? slot_of(slots, hash, same, key) : 0;
	void *item = slots->count ? slots->slots[at].item : NULL;

	if (!item)
		return NULL;
	close_hole(slots, at);
	slots->count--;
	return item;
}

void *hash_slots_next(const struct hash_slots *slots, size_t *at)
{
	while (*at < slots->room) {
		void *item = slots->slots[(*at)++].item;

		if (item)
			return item;
	}
	return NULL;
}
