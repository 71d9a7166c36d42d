/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/keeper_inside.h"

/* A number is registered at one tenant's core. One that another shall have has two records
 * for a while: the new one is wanted; the old one is not, and lingers, which is to say that
 * it is refreshed as it was, until the new one has been confirmed. So no moment passes
 * without a registration, whichever of the two cores is away. */

static bool same_number(const struct keeper *keeper, size_t i, uint64_t number)
{
	return i < keeper->table.count && keeper_reg(keeper, i)->number == number;
}

void moves_linger(struct keeper *keeper, struct reg *reg, bool linger, mono_ms now)
{
	if (linger == reg->linger)
		return;
	pthread_mutex_lock(&keeper->lock);
	keeper_count(keeper, reg, -1);
	keeper->lingering -= reg->linger;
	reg_linger(reg, linger, now);
	keeper->lingering += reg->linger;
	keeper_count(keeper, reg, +1);
	pthread_mutex_unlock(&keeper->lock);
	keeper_file(keeper, reg);
}

/* What lingers may go: the core has this one as it is wanted, or must not have it. It has
 * it too while a refresh is out, or has failed and there is time left. */
static bool has_arrived(const struct reg *reg, mono_ms now)
{
	if (!reg->wanted)
		return false;
	return reg->flags & REG_HELD ||
	       (reg->told == reg->wanted && keeper_certain(reg) && reg->expires_ms > now);
}

void moves_arrived(struct keeper *keeper, const struct reg *reg, mono_ms now)
{
	if (!keeper->lingering || !has_arrived(reg, now))
		return;
	for (size_t i = reg_table_from(&keeper->table, reg->number);
	     same_number(keeper, i, reg->number); i++)
		moves_linger(keeper, keeper_reg(keeper, i), false, now);
}

bool moves_must_wait(const struct keeper *keeper, const struct reg *reg, unsigned tenant,
		     mono_ms now)
{
	const struct reg *there =
		tenant < keeper->lane_count
			? reg_table_find(&keeper->table, reg_key(reg->number, tenant))
			: NULL;

	/* What was on its way out here is not brought back. What is only repeated is not yet:
	 * keeper_shards.c asks whether it has to wait once it may go. */
	return reg->told && (reg->wanted || reg->linger) && !(reg->flags & REG_HELD) &&
	       !(there && has_arrived(there, now));
}

void moves_settle(struct keeper *keeper, mono_ms now)
{
	for (size_t i = 0; keeper->lingering && i < keeper->table.count; i++)
		moves_arrived(keeper, keeper_reg(keeper, i), now);
}

bool moves_away(const struct keeper *keeper, const struct reg *reg)
{
	for (size_t i = reg_table_from(&keeper->table, reg->number);
	     same_number(keeper, i, reg->number); i++)
		if (keeper_reg(keeper, i)->wanted)
			return !reg->wanted;
	return false;
}

struct reg *moves_main(const struct keeper *keeper, uint64_t number)
{
	struct reg *main = NULL;

	for (size_t i = reg_table_from(&keeper->table, number); same_number(keeper, i, number);
	     i++) {
		struct reg *reg = keeper_reg(keeper, i);

		if (reg->wanted)
			return reg;
		if (!main || reg_gone(main))
			main = reg;
	}
	return main;
}
