/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - memory that lives and dies with one config.
 *
 * Allocations are zeroed and are freed together. After the first failure
 * `failed` is set, so a loader may carry on and look once at the end.
 */
#ifndef BREAKOUT_CONFIG_ARENA_H
#define BREAKOUT_CONFIG_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena {
	struct arena_chunk *chunks;
	bool failed;
};

void *arena_alloc(struct arena *arena, size_t count, size_t size); /* NULL: failed */
char *arena_dup(struct arena *arena, const char *text, size_t length);
void arena_done(struct arena *arena);

#endif
