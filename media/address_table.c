/* SPDX-License-Identifier: Apache-2.0 */
#include "media/address_table.h"
#include <string.h>
#include "base/hash.h"
#include "base/log.h"

/* Address and port only: the rest of a sockaddr may be anything. */
static unsigned bucket_of(const union net_address *address)
{
	struct {
		uint8_t host[16];
		uint16_t port;
	} key = { .port = net_port(address) };

	if (address->any.sa_family == AF_INET6)
		memcpy(key.host, &address->v6.sin6_addr, 16);
	else
		memcpy(key.host, &address->v4.sin_addr, 4);
	return (unsigned)hash_bytes(&key, sizeof(key)) % ADDRESS_TABLE_BUCKETS;
}

struct address_entry *const *address_table_bucket(const struct address_table *table,
						  const union net_address *address)
{
	return &table->buckets[bucket_of(address)];
}

struct address_entry *address_table_find_in(struct address_entry *const *bucket,
					    const union net_address *address)
{
	struct address_entry *entry = *bucket;

	while (entry && !net_equal(&entry->address, address))
		entry = entry->next;
	return entry;
}

struct address_entry *address_table_find(const struct address_table *table,
					 const union net_address *address)
{
	return address_table_find_in(address_table_bucket(table, address), address);
}

void address_table_add(struct address_table *table, struct address_entry *entry)
{
	struct address_entry **bucket = &table->buckets[bucket_of(&entry->address)];

	entry->next = *bucket;
	*bucket = entry;
}

void address_table_remove(struct address_table *table, struct address_entry *entry)
{
	struct address_entry **at = &table->buckets[bucket_of(&entry->address)];

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
}

void address_table_tell_taken(struct log_limit *limit, const union net_address *address,
			      const char *cure)
{
	char text[NET_TEXT_ROOM];
	unsigned suppressed;

	if (!log_limit_pass(limit, 1, 60000, &suppressed))
		return;
	net_format(address, text);
	log_error("media",
		  "two calls have a peer at %s, and packets from one port cannot be told apart "
		  "suppressed=%u: a peer that uses one port for several calls wants %s",
		  text, suppressed, cure);
}
