/* SPDX-License-Identifier: Apache-2.0 */
/* history.h - requests that did not go well, the last few thousand of them.
 *
 * Threads: none of its own; the keeper's lock guards it.
 */
#ifndef BREAKOUT_REGISTRAR_HISTORY_H
#define BREAKOUT_REGISTRAR_HISTORY_H

#include "registrar/registrar.h"

#define HISTORY_ROOM 4096

/* Zero-initialise. 500 kB, allocated with its owner. */
struct history {
	struct history_entry {
		uint64_t number;
		struct reg_attempt attempt;
	} entries[HISTORY_ROOM];
	unsigned long long written; /* ever */
};

/* `text` is cut to what fits. */
void history_add(struct history *history, uint64_t number, const struct reg_attempt *attempt,
		 const char *text);
/* Newest first. How many were written to ret_attempts. */
size_t history_find(const struct history *history, uint64_t number,
		    struct reg_attempt *ret_attempts, size_t room);

#endif
