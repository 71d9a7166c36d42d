/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/plan.h"

#include <string.h>
#include "registrar/reg_state.h"

#define RATE_MIN 500.0 /* requests per second, however few numbers */

/* The longest pause between two probes, and what growing from a tenth of the rate
 * to all of it costs (refresh.c). */
#define FIND_OUT_MS 39000

#define DUE_MEAN ((REG_DUE_FROM + REG_DUE_TO) / 2)

double plan_steady(size_t count, uint32_t ttl_s)
{
	return (double)count / (DUE_MEAN * (double)ttl_s);
}

double plan_rate(size_t count, uint32_t ttl_s)
{
	double twice = 2.0 * plan_steady(count, ttl_s);

	return twice > RATE_MIN ? twice : RATE_MIN;
}

void plan_left_init(struct plan_left *left, uint32_t ttl_s)
{
	memset(left, 0, sizeof(*left));
	left->width = ((mono_ms)ttl_s * 1000 + PLAN_SLOTS - 1) / PLAN_SLOTS;
	left->inverse = ((UINT64_C(1) << PLAN_SHIFT) - 1) / (uint64_t)left->width + 1;
}

mono_ms plan_margin(const struct plan_left *left, double rate)
{
	mono_ms margin = INT64_MAX, here;
	double before = 0;

	for (mono_ms slot = 0; slot < PLAN_SLOTS; slot++) {
		if (left->count[slot] <= 0)
			continue;
		before += left->count[slot];
		here = slot * left->width - (mono_ms)(before * 1000.0 / rate) - FIND_OUT_MS;
		if (here < margin)
			margin = here;
	}
	return margin == INT64_MAX ? 0 : margin;
}

/* The share whose last refresh is longer ago than `age` of the TTL, when all goes
 * well: the density of the age is 1 - F(age), over the mean of what is drawn. */
static double older_than(double age)
{
	double width = REG_DUE_TO - REG_DUE_FROM, rest = REG_DUE_TO - age;

	if (age >= REG_DUE_TO)
		return 0;
	if (age >= REG_DUE_FROM)
		return rest * rest / (2 * width * DUE_MEAN);
	return (REG_DUE_FROM - age + width / 2) / DUE_MEAN;
}

static void fill_steady(struct plan_left *left, size_t count, uint32_t ttl_s)
{
	double older = 1;

	plan_left_init(left, ttl_s);
	for (int slot = PLAN_SLOTS - 1; slot >= 0; slot--) {
		double age = 1 - (double)slot / PLAN_SLOTS, next = older_than(age);

		left->count[slot] = (older - next) * (double)count;
		older = next;
	}
}

static void play_outage(const struct plan_left *left, mono_ms outage, struct plan *plan)
{
	double before = 0;

	for (mono_ms slot = 0; slot < PLAN_SLOTS; slot++) {
		mono_ms served, late;

		if (left->count[slot] <= 0)
			continue;
		before += left->count[slot];
		served = outage + FIND_OUT_MS + (mono_ms)(before * 1000.0 / plan->rate);
		late = served - slot * left->width;
		if (late <= 0)
			continue;
		plan->lapsed += left->count[slot];
		if (late > plan->longest_lapse)
			plan->longest_lapse = late;
	}
}

/* Of those overdue at the end of the outage; meanwhile others become due. */
static mono_ms catching_up(size_t count, mono_ms outage, const struct plan *plan)
{
	double overdue = plan->steady * (double)outage / 1000.0;

	if (overdue > (double)count)
		overdue = (double)count;
	return FIND_OUT_MS + (mono_ms)(overdue * 1000.0 / (plan->rate - plan->steady));
}

void plan_make(size_t count, uint32_t ttl_s, mono_ms outage, double rate, struct plan *ret_plan)
{
	struct plan_left left;

	memset(ret_plan, 0, sizeof(*ret_plan));
	ret_plan->steady = plan_steady(count, ttl_s);
	ret_plan->rate = rate > 0 ? rate : plan_rate(count, ttl_s);
	ret_plan->start = (mono_ms)((double)count * 1000.0 / ret_plan->rate);
	fill_steady(&left, count, ttl_s);
	ret_plan->margin = plan_margin(&left, ret_plan->rate);
	if (ret_plan->rate <= ret_plan->steady) { /* it never keeps up */
		ret_plan->lapsed = (double)count;
		return;
	}
	if (outage > 0) {
		play_outage(&left, outage, ret_plan);
		ret_plan->catch_up = catching_up(count, outage, ret_plan);
	}
}
