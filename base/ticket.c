/* SPDX-License-Identifier: Apache-2.0 */
/* ticket.c - a growing array of slots, the free ones chained. */
#include "base/ticket.h"

#include <errno.h>
#include <stdlib.h>

#define NO_SLOT UINT32_MAX

struct slot {
	void *object;        /* NULL: free */
	uint32_t generation; /* of the present or the next object; never 0 */
	uint32_t next_free;
};

struct ticket_table {
	struct slot *slots;
	uint32_t room;
	uint32_t first_free, last_free; /* oldest first: a slot rests before it is reused */
	uint32_t count;
};

int ticket_table_create(struct ticket_table **ret_table)
{
	struct ticket_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->first_free = table->last_free = NO_SLOT;
	*ret_table = table;
	return 0;
}

struct ticket_table *ticket_table_destroy(struct ticket_table *table)
{
	if (table)
		free(table->slots);
	free(table);
	return NULL;
}

static void free_list_append(struct ticket_table *table, uint32_t slot)
{
	table->slots[slot].next_free = NO_SLOT;
	if (table->first_free == NO_SLOT)
		table->first_free = slot;
	else
		table->slots[table->last_free].next_free = slot;
	table->last_free = slot;
}

static int grow(struct ticket_table *table)
{
	uint32_t room = table->room ? table->room * 2 : 64;
	struct slot *slots;

	if (room < table->room || room == NO_SLOT)
		return -ENOMEM;
	slots = realloc(table->slots, (size_t)room * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	table->slots = slots;
	for (uint32_t i = table->room; i < room; i++) {
		slots[i] = (struct slot){ .generation = 1 };
		free_list_append(table, i);
	}
	table->room = room;
	return 0;
}

int ticket_issue(struct ticket_table *table, void *object, struct ticket *ret_ticket)
{
	struct slot *slot;

	if (!object)
		return -EINVAL;
	if (table->first_free == NO_SLOT && grow(table))
		return -ENOMEM;
	*ret_ticket = (struct ticket){ .slot = table->first_free };
	slot = &table->slots[ret_ticket->slot];
	table->first_free = slot->next_free;
	slot->object = object;
	ret_ticket->generation = slot->generation;
	table->count++;
	return 0;
}

void *ticket_find(const struct ticket_table *table, struct ticket ticket)
{
	if (ticket.slot >= table->room || table->slots[ticket.slot].generation != ticket.generation)
		return NULL;
	return table->slots[ticket.slot].object;
}

void ticket_revoke(struct ticket_table *table, struct ticket ticket)
{
	struct slot *slot;

	if (!ticket_find(table, ticket))
		return;
	slot = &table->slots[ticket.slot];
	slot->object = NULL;
	if (++slot->generation == 0)
		slot->generation = 1;
	free_list_append(table, ticket.slot);
	table->count--;
}

uint32_t ticket_count(const struct ticket_table *table)
{
	return table->count;
}
