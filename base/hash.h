/* SPDX-License-Identifier: Apache-2.0 */
/* hash.h - keyed hashing and a string map that a peer cannot degrade.
 *
 * SipHash-2-4 (Aumasson, Bernstein 2012) under a per-process random key.
 */
#ifndef BREAKOUT_BASE_HASH_H
#define BREAKOUT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"

uint64_t hash_bytes(const void *bytes, size_t length);
uint64_t hash_u64(uint64_t value);

/* Map from text to a borrowed pointer. The map copies the key. */
struct str_map; /* opaque */

int str_map_create(struct str_map **ret_map) MUST_CHECK;
struct str_map *str_map_destroy(struct str_map *map); /* values are not freed */
int str_map_put(struct str_map *map, const char *key, void *value) MUST_CHECK; /* replaces */
void *str_map_find(const struct str_map *map, const char *key);
void *str_map_remove(struct str_map *map, const char *key); /* the value, or NULL */
size_t str_map_count(const struct str_map *map);
void str_map_each(const struct str_map *map, void (*visit)(const char *key, void *value, void *arg),
		  void *arg);

#endif
