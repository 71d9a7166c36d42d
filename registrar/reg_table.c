/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/reg_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Memory is had in steps of so many: 1.25 MiB, which pages divide. */
#define ROOM_STEP 32768u

static void params_done(struct reg_params *params)
{
	free(params->sip_uri);
	free(params->prefix_mo);
	free(params->prefix_mt);
}

void reg_table_done(struct reg_table *table)
{
	if (table->regs)
		(void)munmap(table->regs, REG_TABLE_MAX * sizeof(struct reg)); /* it is ours */
	reg_faults_done(&table->faults);
	for (size_t i = 1; i < table->params_count; i++)
		params_done(&table->params[i]);
	free(table->sorted);
	free(table->params);
	memset(table, 0, sizeof(*table));
}

size_t reg_table_after(const struct reg_table *table, uint64_t key)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (reg_key_of(reg_at(table, table->sorted[middle])) <= key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t reg_table_from(const struct reg_table *table, uint64_t number)
{
	return number ? reg_table_after(table, reg_key(number, 0) - 1) : 0;
}

struct reg *reg_table_find(const struct reg_table *table, uint64_t key)
{
	size_t after = reg_table_after(table, key);
	struct reg *reg = after ? reg_at(table, table->sorted[after - 1]) : NULL;

	return reg && reg_key_of(reg) == key ? reg : NULL;
}

/* ---- merging ---- */

/* Records must not move, and have no gaps between them: so their addresses are set aside
 * once, and are given memory as they are needed. */
static int set_aside(struct reg_table *table)
{
	void *all = mmap(NULL, REG_TABLE_MAX * sizeof(struct reg), PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (all == MAP_FAILED)
		return -ENOMEM;
	table->regs = all;
	return 0;
}

static int reserve(struct reg_table *table, size_t more)
{
	size_t room = (table->used + more + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;

	if (more > REG_TABLE_MAX || room > REG_TABLE_MAX)
		return -ENOMEM;
	if (room <= table->room)
		return 0;
	if (!table->regs && set_aside(table))
		return -ENOMEM;
	if (mprotect(table->regs, room * sizeof(struct reg), PROT_READ | PROT_WRITE))
		return -ENOMEM;
	table->room = (uint32_t)room;
	return 0;
}

/* Room was reserved. */
static uint32_t add(struct reg_table *table, uint64_t key)
{
	uint32_t handle = table->free;
	struct reg *reg;

	if (handle)
		table->free = reg_at(table, handle)->next;
	else
		handle = ++table->used;
	reg = reg_at(table, handle);
	memset(reg, 0, sizeof(*reg));
	reg->number = key / CONFIG_TENANTS & E164_PACKED_MAX;
	reg->tenant = key % CONFIG_TENANTS & 0xfu;
	return handle;
}

static void drop(struct reg_table *table, struct reg *reg)
{
	uint32_t handle = reg_handle_of(table, reg);

	reg_table_set_fault(table, reg, NULL);
	memset(reg, 0, sizeof(*reg));
	reg->next = table->free;
	table->free = handle;
}

int reg_table_merge(struct reg_table *table, const uint64_t *keys, size_t count)
{
	uint32_t *sorted = reallocarray(NULL, table->count + count + 1, sizeof(uint32_t));
	size_t old = 0, wanted = 0, n = 0;

	if (!sorted)
		return -ENOMEM;
	if (reserve(table, count)) {
		free(sorted);
		return -ENOMEM;
	}
	while (old < table->count || wanted < count) {
		struct reg *reg = old < table->count ? reg_at(table, table->sorted[old]) : NULL;

		if (!reg || (wanted < count && keys[wanted] < reg_key_of(reg))) {
			sorted[n++] = add(table, keys[wanted++]);
			continue;
		}
		old++;
		if (wanted < count && keys[wanted] == reg_key_of(reg))
			wanted++;
		else if (reg_gone(reg)) {
			drop(table, reg);
			continue;
		}
		sorted[n++] = reg_handle_of(table, reg);
	}
	free(table->sorted);
	table->sorted = sorted;
	table->count = n;
	return 0;
}

void reg_table_set_fault(struct reg_table *table, struct reg *reg, const char *text)
{
	bool none = !text || !text[0];

	if (none && !reg->faulty)
		return;
	reg->faulty = reg_faults_put(&table->faults, reg_handle_of(table, reg), none ? NULL : text);
}

/* ---- parameters ---- */

static bool params_equal(const struct reg_params *a, const struct reg_params *b)
{
	return a->route_type == b->route_type && !strcmp(a->sip_uri, b->sip_uri) &&
	       !strcmp(a->prefix_mo, b->prefix_mo) && !strcmp(a->prefix_mt, b->prefix_mt);
}

static int params_add(struct reg_table *table, const struct reg_params *params)
{
	size_t room = table->params_count ? table->params_count : 1;
	struct reg_params *all = reallocarray(table->params, room + 1, sizeof(*all));
	struct reg_params *copy;

	if (!all)
		return -ENOMEM;
	table->params = all;
	copy = &all[room];
	copy->route_type = params->route_type;
	copy->sip_uri = strdup(params->sip_uri);
	copy->prefix_mo = strdup(params->prefix_mo);
	copy->prefix_mt = strdup(params->prefix_mt);
	if (!copy->sip_uri || !copy->prefix_mo || !copy->prefix_mt) {
		params_done(copy);
		return -ENOMEM;
	}
	table->params_count = room + 1;
	return 0;
}

int reg_table_params(struct reg_table *table, const struct reg_params *params, uint16_t *ret_id)
{
	int err;

	for (size_t i = 1; i < table->params_count; i++) {
		if (params_equal(&table->params[i], params)) {
			*ret_id = (uint16_t)i;
			return 0;
		}
	}
	if (table->params_count > UINT16_MAX)
		return -ENOSPC;
	err = params_add(table, params);
	if (err)
		return err;
	*ret_id = (uint16_t)(table->params_count - 1);
	return 0;
}
