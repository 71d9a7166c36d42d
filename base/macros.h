/* SPDX-License-Identifier: Apache-2.0 */
/* macros.h - the few words every room shares. */
#ifndef BREAKOUT_BASE_MACROS_H
#define BREAKOUT_BASE_MACROS_H

#include <stddef.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Brings `size` bytes on their way into the cache; NULL is fine. For what is used a little
 * later and has not been used for long. */
#define CACHE_LINE 64
static inline void look_ahead(const void *bytes, size_t size)
{
	for (size_t at = 0; bytes && at < size; at += CACHE_LINE)
		__builtin_prefetch((const char *)bytes + at);
}

/* The struct that `member` at `pointer` lives in. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
