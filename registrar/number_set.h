/* SPDX-License-Identifier: Apache-2.0 */
/* number_set.h - which numbers: a million that lie close together in 1.3 MB.
 *
 * Differences of neighbours, in as few bytes as they need; of each 64th the whole number,
 * which is where a search begins. No thread and no lock of its own.
 */
#ifndef BREAKOUT_REGISTRAR_NUMBER_SET_H
#define BREAKOUT_REGISTRAR_NUMBER_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"

/* Zero-initialise. */
struct number_set {
	size_t count;
	uint64_t last; /* the greatest */
	struct number_block {
		uint64_t first;
		size_t at; /* of what follows it, in `bytes` */
	} * blocks;
	size_t block_room;
	uint8_t *bytes;
	size_t length, room;
};
void number_set_done(struct number_set *set);

/* Greater than all that are there. 0 or -ENOMEM. */
int number_set_add(struct number_set *set, uint64_t number) MUST_CHECK;
bool number_set_has(const struct number_set *set, uint64_t number);

#endif
