/* SPDX-License-Identifier: Apache-2.0 */
/* number_set.c - differences in groups of seven bits, the least first (LEB128). */
#include "registrar/number_set.h"

#include <errno.h>
#include <stdlib.h>

#define BLOCK    64
#define STEP_MAX 10 /* bytes of a difference */

void number_set_done(struct number_set *set)
{
	free(set->blocks);
	free(set->bytes);
	*set = (struct number_set){ .count = 0 };
}

static int add_block(struct number_set *set, uint64_t number)
{
	size_t index = set->count / BLOCK;

	if (index == set->block_room) {
		size_t room = set->block_room ? 2 * set->block_room : 16;
		struct number_block *blocks = reallocarray(set->blocks, room, sizeof(*blocks));

		if (!blocks)
			return -ENOMEM;
		set->blocks = blocks;
		set->block_room = room;
	}
	set->blocks[index] = (struct number_block){ number, set->length };
	return 0;
}

static int add_step(struct number_set *set, uint64_t step)
{
	if (set->room - set->length < STEP_MAX) {
		size_t room = set->room ? 2 * set->room : 64;
		uint8_t *bytes = realloc(set->bytes, room);

		if (!bytes)
			return -ENOMEM;
		set->bytes = bytes;
		set->room = room;
	}
	for (; step > 0x7f; step >>= 7)
		set->bytes[set->length++] = (uint8_t)(step | 0x80);
	set->bytes[set->length++] = (uint8_t)step;
	return 0;
}

int number_set_add(struct number_set *set, uint64_t number)
{
	int err = set->count % BLOCK ? add_step(set, number - set->last) : add_block(set, number);

	if (err)
		return err;
	set->count++;
	set->last = number;
	return 0;
}

static const uint8_t *read_step(const uint8_t *bytes, uint64_t *step)
{
	unsigned shift = 0;

	*step = 0;
	for (; *bytes & 0x80; shift += 7)
		*step |= (uint64_t)(*bytes++ & 0x7f) << shift;
	*step |= (uint64_t)*bytes++ << shift;
	return bytes;
}

bool number_set_has(const struct number_set *set, uint64_t number)
{
	size_t low = 0, high = (set->count + BLOCK - 1) / BLOCK, left;
	const uint8_t *bytes;
	uint64_t at, step;

	while (low < high) { /* the last block that does not begin above it */
		size_t middle = low + (high - low) / 2;

		if (set->blocks[middle].first <= number)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return false;
	at = set->blocks[low - 1].first;
	left = set->count - (low - 1) * BLOCK;
	if (left > BLOCK)
		left = BLOCK;
	if (left == 1)
		return at == number;
	for (bytes = set->bytes + set->blocks[low - 1].at; at < number && --left; at += step)
		bytes = read_step(bytes, &step);
	return at == number;
}
