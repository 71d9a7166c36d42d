/* SPDX-License-Identifier: Apache-2.0 */
/* ticket.h - names for objects that live on another thread.
 *
 * A ticket_table hands out (slot, generation); a freed slot gets a new
 * generation, so a late message finds nothing instead of freed memory.
 * Threads: the owner's only (the ticket itself is a value and travels).
 */
#ifndef BREAKOUT_BASE_TICKET_H
#define BREAKOUT_BASE_TICKET_H

#include <stdbool.h>
#include <stdint.h>
#include "base/macros.h"

struct ticket {
	uint32_t slot;
	uint32_t generation; /* 0: no object */
};

struct ticket_table; /* opaque */

int ticket_table_create(struct ticket_table **ret_table) MUST_CHECK;
struct ticket_table *ticket_table_destroy(struct ticket_table *table); /* objects are not freed */

int ticket_issue(struct ticket_table *table, void *object, struct ticket *ret_ticket) MUST_CHECK;
void *ticket_find(const struct ticket_table *table, struct ticket ticket); /* NULL: gone */
void ticket_revoke(struct ticket_table *table, struct ticket ticket);
uint32_t ticket_count(const struct ticket_table *table);

#endif
