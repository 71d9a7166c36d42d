/* SPDX-License-Identifier: Apache-2.0 */
/* hash_slots.h - what a map is made of: items, found by the hash of their keys.
 *
 * The map owns the items, knows what a key is, and hashes it: with hash.h where a peer
 * chooses keys. Open addressing, linear probing, at most 3/4 full; removal shifts back, so
 * there are no tombstones. No thread and no lock of its own.
 */
#ifndef BREAKOUT_BASE_HASH_SLOTS_H
#define BREAKOUT_BASE_HASH_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"

/* Zero-initialise. */
struct hash_slots {
	struct hash_slot {
		uint64_t hash;
		void *item; /* NULL: empty */
	} * slots;
	size_t room; /* a power of two, or 0 */
	size_t count;
};
void hash_slots_done(struct hash_slots *slots); /* items are not freed */

/* Whether the item has this key; asked if the hash is the same. */
typedef bool hash_same_fn(const void *item, const void *key);

/* The item, or NULL. */
void *hash_slots_find(const struct hash_slots *slots, uint64_t hash, hash_same_fn *same,
		      const void *key);
/* One whose key is not there. 0 or -ENOMEM. */
int hash_slots_add(struct hash_slots *slots, uint64_t hash, void *item) MUST_CHECK;
/* The item that was there, or NULL. */
void *hash_slots_remove(struct hash_slots *slots, uint64_t hash, hash_same_fn *same,
			const void *key);
/* All of them, in no order: the next one from slot *at on (0: the first), or NULL. */
void *hash_slots_next(const struct hash_slots *slots, size_t *at);

#endif
