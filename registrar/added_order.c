/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/added_order.h"

#include <errno.h>
#include <stdlib.h>

const char *reg_change_name(enum reg_change change)
{
	static const char *const names[] = { [REG_CHANGE_ADDED] = "added",
					     [REG_CHANGE_CHANGED] = "changed",
					     [REG_CHANGE_REMOVED] = "removed",
					     [REG_CHANGE_UNCHANGED] = "unchanged" };

	return (unsigned)change < ARRAY_SIZE(names) ? names[change] : "?";
}

const char *reg_source_name(enum reg_source source)
{
	static const char *const names[] = { [REG_SOURCE_CONFIG] = "config",
					     [REG_SOURCE_API] = "api",
					     [REG_SOURCE_CONSENT] = "consent",
					     [REG_SOURCE_NONE] = "none" };

	return (unsigned)source < ARRAY_SIZE(names) ? names[source] : "?";
}

static int add_step(struct added_plan *plan, enum reg_change change,
		    const struct added_number *number, const struct added_number *before)
{
	plan->outcome.count[change]++;
	if (plan->count == plan->room) {
		size_t room = plan->room * 2 + 64;
		struct added_step *steps = reallocarray(plan->steps, room, sizeof(*steps));
		struct added_number *befores;

		if (!steps)
			return -ENOMEM;
		plan->steps = steps;
		befores = reallocarray(plan->before, room, sizeof(*befores));
		if (!befores)
			return -ENOMEM;
		plan->before = befores;
		plan->room = room;
	}
	plan->before[plan->count] = before ? *before : (struct added_number){ .number = 0 };
	plan->steps[plan->count++] = (struct added_step){ change, *number };
	return 0;
}

static int name_one(struct added_plan *plan, uint64_t number, int err)
{
	e164_unpack(number, plan->outcome.number);
	return err;
}

static int remove_one(struct added_plan *plan, const struct added_number *its)
{
	return add_step(plan, REG_CHANGE_REMOVED, its, its);
}

/* A number that the order names; `its` is what is there, NULL: nothing. */
static int put_one(struct added_plan *plan, struct added_set *set, const struct reg_order *order,
		   const struct config_registration *put, const struct added_number *its,
		   struct added_number *number)
{
	const struct config *config = order->config;
	int err = added_set_terms(set, (enum route_type)put->route_type,
				  config->services[put->service].name,
				  config_tenant_name(config, put->tenant), &number->terms);

	if (err)
		return err;
	if (its && order->only_new)
		return name_one(plan, number->number, -EEXIST);
	if (its && its->terms == number->terms) {
		plan->outcome.count[REG_CHANGE_UNCHANGED]++;
		return 0;
	}
	return add_step(plan, its ? REG_CHANGE_CHANGED : REG_CHANGE_ADDED, number, its);
}

/* What is there (if all of it is looked at), to be put and to be dropped: each ascending. */
struct merging {
	size_t there, put, drop;
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The next number that any of the three names; UINT64_MAX: none. ret_put: of it. */
static uint64_t next_number(const struct merging *at, const struct added_set *set,
			    const struct reg_order *order)
{
	uint64_t next = UINT64_MAX;

	if (order->replace && at->there < set->count)
		next = set->list[at->there].number;
	if (at->put < order->put_count)
		next = least(next, order->put[at->put].number);
	if (at->drop < order->drop_count)
		next = least(next, order->drop[at->drop]);
	return next;
}

static int merge_one(struct added_plan *plan, struct added_set *set, const struct reg_order *order,
		     struct merging *at, struct added_number *number)
{
	const struct added_number *its = NULL;
	bool put = at->put < order->put_count && order->put[at->put].number == number->number;
	bool drop = at->drop < order->drop_count && order->drop[at->drop] == number->number;
	int err = 0;

	if (!order->replace)
		its = added_set_find(set, number->number);
	else if (at->there < set->count && set->list[at->there].number == number->number)
		its = &set->list[at->there++];
	if (put)
		err = put_one(plan, set, order, &order->put[at->put], its, number);
	else if (drop && !its)
		err = name_one(plan, number->number, -ENOENT);
	else if (its)
		err = remove_one(plan, its);
	at->put += put;
	at->drop += drop;
	return err;
}

/* Of the set's own lists, which may move; what they name stays. */
static int keep_names(struct added_plan *plan, const struct added_set *set)
{
	struct added_set *names = &plan->names;

	names->terms = calloc(set->terms_count + 1, sizeof(*names->terms));
	names->whos = calloc(set->who_count + 1, sizeof(*names->whos));
	if (!names->terms || !names->whos)
		return -ENOMEM;
	for (size_t i = 0; i < set->terms_count; i++)
		names->terms[i] = set->terms[i];
	for (size_t i = 0; i < set->who_count; i++)
		names->whos[i] = set->whos[i];
	return 0;
}

int added_plan_make(struct added_plan *plan, struct added_set *set, const struct reg_order *order,
		    wall_ms at)
{
	struct added_number number = { .since_s = (uint32_t)(at / 1000) };
	struct merging merging = { 0, 0, 0 };
	const size_t *count = plan->outcome.count;
	int err = added_set_who(set, order->who, &number.who);

	while (!err) {
		number.number = next_number(&merging, set, order);
		if (number.number == UINT64_MAX)
			break;
		err = merge_one(plan, set, order, &merging, &number);
	}
	if (!err && set->count + count[REG_CHANGE_ADDED] - count[REG_CHANGE_REMOVED] > ADDED_MAX)
		err = -ENOSPC;
	return err ? err : keep_names(plan, set);
}

void added_plan_visit(const struct added_plan *plan, const struct reg_order *order)
{
	struct reg_added before, after;

	for (size_t i = 0; order->visit && i < plan->count; i++) {
		const struct added_step *step = &plan->steps[i];
		bool was = plan->before[i].number, is = step->change != REG_CHANGE_REMOVED;

		if (was)
			added_set_describe(&plan->names, &plan->before[i], &before);
		if (is)
			added_set_describe(&plan->names, &step->number, &after);
		order->visit(step->change, was ? &before : NULL, is ? &after : NULL, order->arg);
	}
}

void added_plan_done(struct added_plan *plan)
{
	free(plan->steps);
	free(plan->before);
	free(plan->names.terms);
	free(plan->names.whos);
	*plan = (struct added_plan){ .steps = NULL };
}
