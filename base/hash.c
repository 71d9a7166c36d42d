/* SPDX-License-Identifier: Apache-2.0 */
/* hash.c - SipHash-2-4, and a map from text to a pointer. */
#include "base/hash.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash_siphash.h"
#include "base/hash_slots.h"

static uint64_t key[2];
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void key_draw(void)
{
	/* Up to 256 bytes never come short once the pool is ready (getrandom(2)). */
	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
		abort();
}

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static void sip_rounds(uint64_t v[4], unsigned rounds)
{
	while (rounds--) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

static uint64_t load_le64(const unsigned char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return le64toh(word);
}

uint64_t siphash_2_4(const uint64_t with_key[2], const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	uint64_t v[4] = { with_key[0] ^ UINT64_C(0x736f6d6570736575),
			  with_key[1] ^ UINT64_C(0x646f72616e646f6d),
			  with_key[0] ^ UINT64_C(0x6c7967656e657261),
			  with_key[1] ^ UINT64_C(0x7465646279746573) };
	uint64_t last = (uint64_t)length << 56;
	size_t words = length / 8;

	for (size_t i = 0; i < words; i++, at += 8) {
		uint64_t word = load_le64(at);

		v[3] ^= word;
		sip_rounds(v, 2);
		v[0] ^= word;
	}
	for (size_t i = 0; i < length % 8; i++)
		last |= (uint64_t)at[i] << (8 * i);
	v[3] ^= last;
	sip_rounds(v, 2);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_bytes(const void *bytes, size_t length)
{
	(void)pthread_once(&key_once, key_draw); /* fails only for an invalid once object */
	return siphash_2_4(key, bytes, length);
}

uint64_t hash_u64(uint64_t value)
{
	return hash_bytes(&value, sizeof(value));
}

/* Its key stands behind it. */
struct entry {
	void *value;
	char key[];
};

struct str_map {
	struct hash_slots slots;
};

static uint64_t hash_text(const char *text)
{
	return hash_bytes(text, strlen(text));
}

static bool has_key(const void *item, const void *text)
{
	return strcmp(((const struct entry *)item)->key, text) == 0;
}

int str_map_create(struct str_map **ret_map)
{
	struct str_map *map = calloc(1, sizeof(*map));

	if (!map)
		return -ENOMEM;
	*ret_map = map;
	return 0;
}

struct str_map *str_map_destroy(struct str_map *map)
{
	struct entry *entry;
	size_t at = 0;

	if (!map)
		return NULL;
	while ((entry = hash_slots_next(&map->slots, &at)))
		free(entry);
	hash_slots_done(&map->slots);
	free(map);
	return NULL;
}

int str_map_put(struct str_map *map, const char *text, void *value)
{
	uint64_t hash = hash_text(text);
	struct entry *entry = hash_slots_find(&map->slots, hash, has_key, text);
	size_t size = strlen(text) + 1;

	if (entry) {
		entry->value = value;
		return 0;
	}
	entry = malloc(sizeof(*entry) + size);
	if (!entry || hash_slots_add(&map->slots, hash, entry)) {
		free(entry);
		return -ENOMEM;
	}
	entry->value = value;
	memcpy(entry->key, text, size);
	return 0;
}

void *str_map_find(const struct str_map *map, const char *text)
{
	const struct entry *entry = hash_slots_find(&map->slots, hash_text(text), has_key, text);

	return entry ? entry->value : NULL;
}

void *str_map_remove(struct str_map *map, const char *text)
{
	struct entry *entry = hash_slots_remove(&map->slots, hash_text(text), has_key, text);
	void *value = entry ? entry->value : NULL;

	free(entry);
	return value;
}

size_t str_map_count(const struct str_map *map)
{
	return map->slots.count;
}

void str_map_each(const struct str_map *map,
		  void (*visit)(const char *text, void *value, void *arg), void *arg)
{
	const struct entry *entry;
	size_t at = 0;

	while ((entry = hash_slots_next(&map->slots, &at)))
		visit(entry->key, entry->value, arg);
}
