/* SPDX-License-Identifier: Apache-2.0 */
/* hash.c - SipHash-2-4 and an open-addressed map from text to a pointer. */
#include "base/hash.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash_siphash.h"

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

/* Linear probing; at most 3/4 full; removal shifts back, so no tombstones. */
struct str_map {
	struct slot {
		uint64_t hash;
		char *key; /* NULL: empty */
		void *value;
	} * slots;
	size_t room; /* power of two */
	size_t count;
};

int str_map_create(struct str_map **ret_map)
{
	struct str_map *map = calloc(1, sizeof(*map));

	if (!map)
		return -ENOMEM;
	map->room = 16;
	map->slots = calloc(map->room, sizeof(*map->slots));
	if (!map->slots) {
		free(map);
		return -ENOMEM;
	}
	*ret_map = map;
	return 0;
}

struct str_map *str_map_destroy(struct str_map *map)
{
	if (!map)
		return NULL;
	for (size_t i = 0; i < map->room; i++)
		free(map->slots[i].key);
	free(map->slots);
	free(map);
	return NULL;
}

/* The slot that holds the text, or the empty one where it would go. */
static size_t slot_of(const struct str_map *map, const char *text, uint64_t hash)
{
	size_t at = hash & (map->room - 1);

	while (map->slots[at].key &&
	       (map->slots[at].hash != hash || strcmp(map->slots[at].key, text) != 0))
		at = (at + 1) & (map->room - 1);
	return at;
}

static int grow(struct str_map *map)
{
	size_t room = map->room * 2;
	struct slot *slots = calloc(room, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < map->room; i++) {
		size_t at = map->slots[i].hash & (room - 1);

		if (!map->slots[i].key)
			continue;
		while (slots[at].key)
			at = (at + 1) & (room - 1);
		slots[at] = map->slots[i];
	}
	free(map->slots);
	map->slots = slots;
	map->room = room;
	return 0;
}

int str_map_put(struct str_map *map, const char *text, void *value)
{
	uint64_t hash = hash_bytes(text, strlen(text));
	size_t at = slot_of(map, text, hash);
	char *copy;

	if (map->slots[at].key) {
		map->slots[at].value = value;
		return 0;
	}
	if (map->count + 1 > map->room / 4 * 3) {
		if (grow(map))
			return -ENOMEM;
		at = slot_of(map, text, hash);
	}
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	map->slots[at] = (struct slot){ .hash = hash, .key = copy, .value = value };
	map->count++;
	return 0;
}

void *str_map_find(const struct str_map *map, const char *text)
{
	return map->slots[slot_of(map, text, hash_bytes(text, strlen(text)))].value;
}

void *str_map_remove(struct str_map *map, const char *text)
{
	size_t mask = map->room - 1;
	size_t hole = slot_of(map, text, hash_bytes(text, strlen(text)));
	void *value = map->slots[hole].value;

	if (!map->slots[hole].key)
		return NULL;
	free(map->slots[hole].key);
	map->count--;
	for (size_t at = (hole + 1) & mask; map->slots[at].key; at = (at + 1) & mask) {
		size_t home = map->slots[at].hash & mask;

		/* An entry may move back to the hole unless its home lies after it. */
		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		map->slots[hole] = map->slots[at];
		hole = at;
	}
	map->slots[hole] = (struct slot){ 0 };
	return value;
}

size_t str_map_count(const struct str_map *map)
{
	return map->count;
}

void str_map_each(const struct str_map *map,
		  void (*visit)(const char *text, void *value, void *arg), void *arg)
{
	for (size_t i = 0; i < map->room; i++)
		if (map->slots[i].key)
			visit(map->slots[i].key, map->slots[i].value, arg);
}
