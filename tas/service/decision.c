/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/service/decision.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tas/service/caller.h"

char *decision_text(struct decision *decision, char *take_text)
{
	if (!take_text)
		decision->failed = true;
	return take_text;
}

struct call_step *decision_add_step(struct decision *decision, enum call_step_kind kind,
				    const char *label_format, ...)
{
	struct call_plan *plan = decision->plan;
	struct call_step *steps, *step;
	char label[80];
	va_list args;

	steps = realloc(plan->steps, (plan->step_count + 1) * sizeof(*steps));
	if (!steps) {
		decision->failed = true;
		return NULL;
	}
	plan->steps = steps;
	step = &steps[plan->step_count++];
	memset(step, 0, sizeof(*step));
	step->kind = kind;
	va_start(args, label_format);
	vsnprintf(label, sizeof(label), label_format, args);
	va_end(args);
	step->label = decision_text(decision, strdup(label));
	return step;
}

struct call_step *decision_reject(struct decision *decision, int status, const char *phrase,
				  enum cause cause)
{
	struct call_step *step = decision_add_step(decision, CALL_STEP_REJECT, "reject %d", status);

	if (!step)
		return NULL;
	step->status = status;
	step->cause = cause;
	if (phrase)
		step->phrase = decision_text(decision, strdup(phrase));
	return step;
}

bool decision_wants_privacy(const struct sip_headers *headers)
{
	struct privacy privacy = privacy_read(headers);

	return privacy_hides(&privacy);
}

struct call_plan *decision_finish(struct decision *decision)
{
	if (decision->failed)
		return call_plan_free(decision->plan);
	return decision->plan;
}
