/* SPDX-License-Identifier: Apache-2.0 */
/* numbers.h - inside of tas/traced: whose calls are wanted, and the file that says so.
 *
 * Threads: any, except where said.
 */
#ifndef BREAKOUT_TAS_TRACED_NUMBERS_H
#define BREAKOUT_TAS_TRACED_NUMBERS_H

#include <stdbool.h>
#include "tas/traced/traced.h"

struct numbers; /* opaque */

/* Reads `path` if it is there. 0 or -ENOMEM; what cannot be read is logged. */
int numbers_create(struct numbers **ret_numbers, const char *path) MUST_CHECK;
struct numbers *numbers_destroy(struct numbers *numbers); /* NULL fine */

bool numbers_any(const struct numbers *numbers); /* no lock */
/* Whether calls of a user part are wanted: the number, or the number after a prefix.
 * False also once the order has ended. */
bool numbers_wants(struct numbers *numbers, const char *user, char ret_number[static E164_ROOM]);
/* A call of it has begun. True: the file is to be written. */
bool numbers_count(struct numbers *numbers, const char *number);

/* 0 or -ENOSPC. */
int numbers_put(struct numbers *numbers, const struct traced_order *order) MUST_CHECK;
/* NULL: all. How many there were. */
size_t numbers_remove(struct numbers *numbers, const char *number);
size_t numbers_list(struct numbers *numbers, struct traced_order *ret_orders);
/* Waits for the disk: not on the SIP thread. 0 or an error of writing. */
int numbers_save(struct numbers *numbers) MUST_CHECK;

#endif
