/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_order.c - in which order a dead daemon's registrations are withdrawn.
 *
 * All are affected. Loops stand in the subscriber's own calls, so they go before forks and
 * fall-backs, and those before ingress, as when the gate closes. Of one kind the one whose
 * TTL ends last goes first: it gains most, and who comes last may have lapsed by itself by
 * then. However many requests a second the core takes, no other order leaves fewer calls
 * without an answer.
 */
#include <stdlib.h>
#include "base/log.h"
#include "registrar/keeper_inside.h"

static int compare(const void *a, const void *b)
{
	const struct left_one *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->expires > y->expires ? -1 : x->expires < y->expires;
}

static bool make_room(struct keeper *keeper)
{
	size_t room = keeper->left_room ? keeper->left_room * 2 : 256;
	struct left_one *grown;

	if (keeper->left_count < keeper->left_room)
		return true;
	grown = reallocarray(keeper->left, room, sizeof(*grown));
	if (!grown)
		return false;
	keeper->left = grown;
	keeper->left_room = room;
	return true;
}

/* A row without a TTL says that something was asked for, and no answer was heard: the core
 * may have begun to count then. */
static wall_ms ends(const struct keeper_row *row)
{
	return row->expires + (row->ttl_s ? 0 : (wall_ms)REG_TTL_DEFAULT_S * 1000);
}

void order_add(struct keeper *keeper, const struct keeper_row *row)
{
	enum route_type type = keeper->table.params[row->told].route_type;
	const struct reg *reg = reg_at(&keeper->table, row->handle);

	if (!make_room(keeper)) {
		log_notice("registrar", "out of memory: some are not withdrawn in their order");
		return; /* it is filed where it was */
	}
	keeper->left[keeper->left_count++] = (struct left_one){
		.expires = ends(row),
		.handle = row->handle,
		.rank = (uint8_t)gate_rank(&keeper->gate, reg->service, type),
	};
}

/* Those of shards that were taken before come along. Each is put before those that wait, so
 * that the last comes first here. */
void order_file(struct keeper *keeper, mono_ms now)
{
	size_t kept = 0;

	if (keeper->left_count)
		qsort(keeper->left, keeper->left_count, sizeof(*keeper->left), compare);
	for (size_t i = 0; i < keeper->left_count; i++)
		if (!reg_gone(reg_at(&keeper->table, keeper->left[i].handle)))
			keeper->left[kept++] = keeper->left[i];
	keeper->left_count = kept;
	for (size_t i = kept; i-- > 0;) {
		struct reg *reg = reg_at(&keeper->table, keeper->left[i].handle);

		if (reg->state == REG_WITHDRAWING && reg->due_ms <= now)
			keeper_file_first(keeper, reg);
	}
}
