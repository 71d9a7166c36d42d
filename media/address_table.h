/* SPDX-License-Identifier: Apache-2.0 */
/* address_table.h - whose address it is that a packet on a shared port comes from.
 *
 * Entries live inside their owners; an address stands in the table once. Threads: the
 * media thread that owns the table.
 */
#ifndef BREAKOUT_MEDIA_ADDRESS_TABLE_H
#define BREAKOUT_MEDIA_ADDRESS_TABLE_H

#include "media/net.h"

#define ADDRESS_TABLE_BUCKETS 4096 /* a power of two */

struct address_entry {
	union net_address address; /* not to be changed while in the table */
	struct address_entry *next;
};

struct address_table {
	struct address_entry *buckets[ADDRESS_TABLE_BUCKETS];
};

/* The same in two steps: where the address hangs, and who it is. */
struct address_entry *const *address_table_bucket(const struct address_table *table,
						  const union net_address *address);
struct address_entry *address_table_find_in(struct address_entry *const *bucket,
					    const union net_address *address);
/* Borrowed, or NULL. */
struct address_entry *address_table_find(const struct address_table *table,
					 const union net_address *address);
void address_table_add(struct address_table *table, struct address_entry *entry);
/* The entry must be in the table. */
void address_table_remove(struct address_table *table, struct address_entry *entry);

/* Logs, at most once a minute of each `cure`'s caller, that an address is another call's
 * peer's already. cure: what such a peer wants in the configuration. */
struct log_limit;
void address_table_tell_taken(struct log_limit *limit, const union net_address *address,
			      const char *cure);

#endif
