/* SPDX-License-Identifier: Apache-2.0 */
/* shared_count.h - how many there are by name, here and in other processes of the same place.
 *
 * Each counts its own. One whose place another has tells that one, which asks nobody: what it
 * was told last counts until it is told otherwise, or forgets that process.
 *
 * Threads: the caller's.
 */
#ifndef BREAKOUT_BASE_SHARED_COUNT_H
#define BREAKOUT_BASE_SHARED_COUNT_H

#include <stdbool.h>
#include <stddef.h>
#include "base/fd_link.h"
#include "base/macros.h"

#define SHARED_COUNT_OTHERS_MAX 8 /* processes */

struct shared_count; /* opaque */

int shared_count_create(struct shared_count **ret_count) MUST_CHECK;
struct shared_count *shared_count_destroy(struct shared_count *count); /* NULL is fine */

/* One more here; false: no memory, it is not counted. One less. */
bool shared_count_add(struct shared_count *count, const char *name) MUST_CHECK;
void shared_count_remove(struct shared_count *count, const char *name);
size_t shared_count_here(const struct shared_count *count, const char *name);
size_t shared_count_of_all(const struct shared_count *count, const char *name);

/* Ours, in pieces that fit into a frame. all: even what has not changed since it was told
 * last. 0, -ENOMEM or what `send` returned: then the next one has to be of all. */
int shared_count_tell(struct shared_count *count, bool all,
		      int (*send)(const struct str *packed, void *arg), void *arg) MUST_CHECK;
/* There is nobody to be told any more: what changes is not kept, and the next telling is of
 * all. */
void shared_count_tell_nobody(struct shared_count *count);
/* A piece that it told. 0, -EPROTO, -ENOMEM, or -ENOSPC: there are too many. */
int shared_count_take(struct shared_count *count, int process, struct unpack *from) MUST_CHECK;
void shared_count_forget(struct shared_count *count, int process);

#endif
