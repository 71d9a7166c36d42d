/* SPDX-License-Identifier: Apache-2.0 */
/* reg_table.h - all records, in the order of their keys, and what the core is told.
 *
 * A record is of one number at one tenant's core; a key names both. While a number
 * moves from one to another it has two.
 *
 * A record stays where it is while it lives; its handle is a 32-bit name for
 * it (0: none). The strings of a registration are few and shared: struct
 * reg_params, named by a 16-bit id (0: none). A million numbers take 40 bytes
 * each plus 4 for the order: so the text of a failure, which few have, stands apart.
 */
#ifndef BREAKOUT_REGISTRAR_REG_TABLE_H
#define BREAKOUT_REGISTRAR_REG_TABLE_H

#include <stddef.h>
#include "registrar/reg_faults.h"
#include "registrar/reg_state.h"

struct reg_params {
	char *sip_uri;
	char *prefix_mo, *prefix_mt; /* "" for none */
	enum route_type route_type;
};

#define REG_TABLE_MAX (1u << 23) /* records, at most: more than may be wanted */

struct reg_table {
	struct reg *regs; /* addresses for REG_TABLE_MAX, memory for `room` of them */
	uint32_t room;
	uint32_t used;    /* records ever handed out */
	uint32_t free;    /* first free handle, linked by `next` */
	uint32_t *sorted; /* handles in the order of keys */
	size_t count;
	struct reg_params *params; /* [0] is not used */
	size_t params_count;
	struct reg_faults faults;
};

void reg_table_done(struct reg_table *table); /* zero-initialise instead of an init */

static inline struct reg *reg_at(const struct reg_table *table, uint32_t handle)
{
	return &table->regs[handle - 1];
}
static inline uint32_t reg_handle_of(const struct reg_table *table, const struct reg *reg)
{
	return (uint32_t)(reg - table->regs) + 1;
}

/* Numbers end below 10^15; tenants count from 0. */
static inline uint64_t reg_key(uint64_t number, unsigned tenant)
{
	return number * CONFIG_TENANTS + tenant;
}
static inline uint64_t reg_key_of(const struct reg *reg)
{
	return reg_key(reg->number, reg->tenant);
}

struct reg *reg_table_find(const struct reg_table *table, uint64_t key); /* NULL: none */

/* Index in `sorted` of the first key greater than this one; of the first one of a number
 * or of those after it. */
size_t reg_table_after(const struct reg_table *table, uint64_t key);
size_t reg_table_from(const struct reg_table *table, uint64_t number);

/* Drops the records that are gone (none of them may be filed in a queue) and
 * adds new ones for those of `keys` (ascending, distinct) that are missing.
 * -ENOMEM (also of more than REG_TABLE_MAX) leaves it as it is. */
int reg_table_merge(struct reg_table *table, const uint64_t *keys, size_t count) MUST_CHECK;

/* Its last failure; NULL: none since a success. Borrowed until it is set again. */
static inline const char *reg_table_fault(const struct reg_table *table, const struct reg *reg)
{
	return reg->faulty ? reg_faults_find(&table->faults, reg_handle_of(table, reg)) : NULL;
}
/* Copied; NULL or "": none. Without memory it is not known. */
void reg_table_set_fault(struct reg_table *table, struct reg *reg, const char *text);

/* The id of equal parameters, copied on first sight. -ENOMEM or -ENOSPC. */
int reg_table_params(struct reg_table *table, const struct reg_params *params,
		     uint16_t *ret_id) MUST_CHECK;

#endif
