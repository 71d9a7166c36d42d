/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.h - reading which numbers a rule is about. */
#ifndef BREAKOUT_CONFIG_PATTERN_H
#define BREAKOUT_CONFIG_PATTERN_H

#include "config/schema.h"

/* One struct config_pattern: a number, a range, or the beginning of numbers. */
extern const struct kind kind_pattern;
/* The same, or the word anonymous. */
extern const struct kind kind_caller;

#endif
