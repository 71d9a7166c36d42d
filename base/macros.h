/* SPDX-License-Identifier: Apache-2.0 */
/* macros.h - the few words every room shares. */
#ifndef BREAKOUT_BASE_MACROS_H
#define BREAKOUT_BASE_MACROS_H

#include <stddef.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The struct that `member` at `pointer` lives in. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
