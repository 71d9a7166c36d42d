/* SPDX-License-Identifier: Apache-2.0 */
/* ring.c - several targets that ring for one call, and who of them is first.
 *
 * Each target adds the steps it would have alone; what several have added is then
 * put into one RING step. A group that comes down to one target stays as it is
 * and costs no more than a dial.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/e164.h"
#include "base/str.h"
#include "tas/service/decision.h"
#include "tas/service/order.h"

#define TURN_S 30 /* for each one of an order that takes turns */

static bool takes_turns(const struct config_action *action)
{
	return action->order != RING_PARALLEL;
}

/* ---- whom ---- */

static void name_target(const struct decision *decision, const struct config_target *target,
			struct order_target *named)
{
	switch (target->kind) {
	case TARGET_TRUNK:
		(void)snprintf(named->name, sizeof(named->name), "%s%s%s",
			       decision->config->trunks[target->trunk].name,
			       target->number ? "/" : "", target->number ? target->number : "");
		named->one_phone = target->number;
		break;
	case TARGET_SUBSCRIBER:
		(void)snprintf(named->name, sizeof(named->name), "subscriber");
		break;
	case TARGET_NUMBER:
		(void)snprintf(named->name, sizeof(named->name), "%s", target->number);
		break;
	case TARGET_DEVICE:
		(void)snprintf(named->name, sizeof(named->name), "device %s",
			       decision->config->devices[target->device].name);
		named->one_phone = true;
		break;
	}
}

/* All that can be rung for this call; the core may ring the subscriber itself. */
static size_t collect(const struct decision *decision, const struct config_action *action,
		      bool core_rings, struct order_target *targets)
{
	size_t count = 0;

	for (size_t i = 0; i < action->target_count; i++) {
		const struct config_target *target = &action->targets[i];

		if (core_rings && target->kind == TARGET_SUBSCRIBER)
			continue;
		targets[count] = (struct order_target){ .index = i, .weight = target->weight };
		name_target(decision, target, &targets[count++]);
	}
	return count;
}

/* ---- how ---- */

static void add_target_steps(struct decision *decision, const struct config_target *target,
			     unsigned ring_s)
{
	switch (target->kind) {
	case TARGET_TRUNK:
		dial_add(decision, &decision->config->trunks[target->trunk], target->number,
			 ring_s);
		break;
	case TARGET_SUBSCRIBER:
		(void)loop_add(decision, CALL_BYPASS_NOT, ring_s); /* failed is in decision */
		break;
	case TARGET_NUMBER:
		loop_add_number(decision, target->number, ring_s);
		break;
	case TARGET_DEVICE:
		device_add_each(decision, target->device, ring_s);
		break;
	}
}

/* Labels are logged. */
static void add_to_label(struct decision *decision, struct call_step *step, const char *number)
{
	char masked[64];
	struct str label = { 0 };

	e164_mask(number, masked, sizeof(masked));
	str_addf(&label, "%s %s", step->label ? step->label : "", masked);
	free(step->label);
	step->label = decision_text(decision, str_take(&label));
}

static void add_target(struct decision *decision, const struct config_action *action,
		       const struct order_target *named)
{
	const struct config_target *target = &action->targets[named->index];
	struct call_plan *plan = decision->plan;
	size_t first = plan->step_count;
	unsigned ring_s = target->ring_s;

	if (!ring_s && takes_turns(action))
		ring_s = action->ring_s ? action->ring_s : TURN_S;
	add_target_steps(decision, target, ring_s);
	for (size_t i = first; i < plan->step_count; i++) {
		plan->steps[i].after_ms = target->after_s * 1000;
		/* The subscriber is another one in each call. */
		if (target->kind != TARGET_SUBSCRIBER)
			plan->steps[i].target_name = decision_text(decision, strdup(named->name));
		if (target->kind == TARGET_TRUNK && target->number)
			add_to_label(decision, &plan->steps[i], target->number);
	}
}

/* A group lasts as long as its turns, with a second for each to get going. */
static unsigned group_ms(const struct config_action *action, const struct call_step *steps,
			 size_t count)
{
	unsigned ms = action->ring_s * 1000;

	if (!takes_turns(action))
		return ms;
	ms = 0;
	for (size_t i = 0; i < count; i++)
		ms += steps[i].ring_ms + 1000;
	return ms;
}

/* The caller has one answer to its offer by now: whoever gets the call comes into
 * that media, and they can only be tried one after the other. */
static void take_turns(struct decision *decision, size_t first)
{
	for (size_t i = first; i < decision->plan->step_count; i++) {
		struct call_step *step = &decision->plan->steps[i];

		step->after_ms = 0;
		if (!step->ring_ms)
			step->ring_ms = TURN_S * 1000;
	}
}

void ring_fold(struct decision *decision, size_t first, bool in_sequence, unsigned ring_ms)
{
	struct call_plan *plan = decision->plan;
	size_t count = plan->step_count - first;
	struct call_step *targets;

	if (decision->announced) {
		take_turns(decision, first);
		return;
	}
	targets = calloc(count, sizeof(*targets));
	if (!targets) {
		decision->failed = true;
		return;
	}
	memcpy(targets, &plan->steps[first], count * sizeof(*targets));
	plan->steps[first] = (struct call_step){ .kind = CALL_STEP_RING,
						 .label = decision_text(decision, strdup("ring")),
						 .targets = targets,
						 .target_count = count,
						 .in_sequence = in_sequence,
						 .ring_ms = ring_ms };
	for (size_t i = 0; i < count; i++)
		plan->steps[first].loops = plan->steps[first].loops || targets[i].loops;
	plan->step_count = first + 1;
}

void ring_add(struct decision *decision, const struct config_action *action, bool core_rings)
{
	struct order_target targets[CONFIG_TARGETS_MAX];
	struct call_plan *plan = decision->plan;
	size_t first = plan->step_count, rung = 0;
	size_t count = collect(decision, action, core_rings, targets);
	/* A rehearsal takes nobody's turn. */
	enum ring_order order =
		decision->rehearsal && takes_turns(action) ? RING_SEQUENCE : action->order;

	count = order_targets(decision->room->orders, order, plan->service, targets, count);
	for (size_t i = 0; i < count; i++) {
		size_t before = plan->step_count;

		add_target(decision, action, &targets[i]);
		rung += action->targets[targets[i].index].kind == TARGET_DEVICE
				? plan->step_count - before /* each phone of it */
				: plan->step_count > before;
	}
	if (rung > 1)
		ring_fold(decision, first, takes_turns(action),
			  group_ms(action, &plan->steps[first], plan->step_count - first));
	for (size_t i = first; rung == 1 && i < plan->step_count; i++)
		if (!plan->steps[i].ring_ms)
			plan->steps[i].ring_ms = action->ring_s * 1000;
}
