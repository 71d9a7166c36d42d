/* SPDX-License-Identifier: Apache-2.0 */
/* added_order.h - what an order would change of the numbers that were added: by difference.
 *
 * Pure: the set is borrowed, and only learns terms and names.
 */
#ifndef BREAKOUT_REGISTRAR_ADDED_ORDER_H
#define BREAKOUT_REGISTRAR_ADDED_ORDER_H

#include "registrar/added_set.h"

/* Zero-initialise. */
struct added_plan {
	struct added_step *steps;    /* own; what changes: ascending, distinct */
	struct added_number *before; /* own; beside each, as it was; number 0: it was not there */
	size_t count, room;
	struct added_set names; /* of the steps' terms and whos: own lists, borrowed texts */
	struct reg_outcome outcome;
};

/* 0; -EEXIST, -ENOENT (outcome.number), -ENOSPC or -ENOMEM. Ended by added_plan_done()
 * whatever comes of it. */
int added_plan_make(struct added_plan *plan, struct added_set *set, const struct reg_order *order,
		    wall_ms at) MUST_CHECK;
/* Tells order->visit. */
void added_plan_visit(const struct added_plan *plan, const struct reg_order *order);
void added_plan_done(struct added_plan *plan);

#endif
