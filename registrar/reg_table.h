/* SPDX-License-Identifier: Apache-2.0 */
/* reg_table.h - all records, in number order, and what the core is told.
 *
 * A record stays where it is while it lives; its handle is a 32-bit name for
 * it (0: none). The strings of a registration are few and shared: struct
 * reg_params, named by a 16-bit id (0: none). A million numbers take 56 bytes
 * each plus 4 for the order.
 */
#ifndef BREAKOUT_REGISTRAR_REG_TABLE_H
#define BREAKOUT_REGISTRAR_REG_TABLE_H

#include <stddef.h>
#include "registrar/reg_state.h"

struct reg_params {
	char *sip_uri;
	char *prefix_mo, *prefix_mt; /* "" for none */
	enum route_type route_type;
};

#define REG_CHUNK 1024 /* records allocated together */

struct reg_table {
	struct reg **chunks;
	uint32_t chunk_count;
	uint32_t used;    /* records ever handed out */
	uint32_t free;    /* first free handle, linked by `next` */
	uint32_t *sorted; /* handles in number order */
	size_t count;
	struct reg_params *params; /* [0] is not used */
	size_t params_count;
};

void reg_table_done(struct reg_table *table); /* zero-initialise instead of an init */

static inline struct reg *reg_at(const struct reg_table *table, uint32_t handle)
{
	return &table->chunks[(handle - 1) / REG_CHUNK][(handle - 1) % REG_CHUNK];
}

struct reg *reg_table_find(const struct reg_table *table, uint64_t number); /* NULL: none */

/* Index in `sorted` of the first number greater than this one. */
size_t reg_table_after(const struct reg_table *table, uint64_t number);

/* Drops the records that are gone (none of them may be filed in a queue) and
 * adds new ones for those of `numbers` (ascending, distinct) that are missing.
 * -ENOMEM leaves it as it is. */
int reg_table_merge(struct reg_table *table, const uint64_t *numbers, size_t count) MUST_CHECK;

/* The id of equal parameters, copied on first sight. -ENOMEM or -ENOSPC. */
int reg_table_params(struct reg_table *table, const struct reg_params *params,
		     uint16_t *ret_id) MUST_CHECK;

#endif
