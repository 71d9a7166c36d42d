/* SPDX-License-Identifier: Apache-2.0 */
/* processors.h - lists of processors, and which of them this process may use.
 *
 * Numbers are the kernel's, as in /proc/cpuinfo. No state; any thread.
 */
#ifndef BREAKOUT_BASE_PROCESSORS_H
#define BREAKOUT_BASE_PROCESSORS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/macros.h"
#include "base/str.h"

#define PROCESSORS_MAX 64 /* in a list */

struct processors {
	uint16_t numbers[PROCESSORS_MAX]; /* in the order written */
	unsigned count;
};

/* "2-5,8" to its numbers. NULL for success, or the problem as the end of a sentence,
 * "is not ... . Write ..."; then ret_list has nothing of use. */
const char *processors_parse(const char *text, struct processors *ret_list);

/* Whether the affinity mask of this process lets it run there. */
bool processors_usable(unsigned number);
/* How many that are, at least 1. */
unsigned processors_usable_count(void);
/* Adds them as processors_parse() reads them. */
void processors_add_usable(struct str *out);

#endif
