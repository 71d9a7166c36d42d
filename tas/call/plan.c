/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "tas/call/call_state.h"

static void mailbox_free(struct call_mailbox *mailbox)
{
	if (!mailbox)
		return;
	free(mailbox->name);
	free(mailbox->folder);
	free(mailbox->public_key);
	free(mailbox->caller);
	free(mailbox->called);
	if (mailbox->notice)
		mailbox->notice->destroy(mailbox->notice);
	free(mailbox);
}

void call_step_done(struct call_step *step)
{
	for (size_t i = 0; i < step->target_count; i++)
		call_step_done(&step->targets[i]);
	free(step->targets);
	sip_line_unref(step->line);
	media_sound_unref(step->hold_music);
	free(step->label);
	free(step->target_name);
	free(step->request_uri);
	free(step->next_hop);
	free(step->from_uri);
	free(step->from_display);
	free(step->to_uri);
	free(step->to_display);
	free(step->phrase);
	media_sound_unref(step->local.sound);
	mailbox_free(step->mailbox);
	sip_headers_done(&step->headers);
	if (step->question)
		step->question->destroy(step->question);
}

struct call_plan *call_plan_free(struct call_plan *plan)
{
	if (!plan)
		return NULL;
	for (size_t i = 0; i < plan->step_count; i++)
		call_step_done(&plan->steps[i]);
	free(plan->steps);
	free(plan->service);
	free(plan->tenant);
	mailbox_free(plan->recording);
	media_sound_unref(plan->hold_music);
	free(plan->record);
	free(plan);
	return NULL;
}

void plan_settle(struct call_plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		struct call_step *step = &plan->steps[i];

		sip_headers_done(&step->headers);
		for (size_t j = 0; j < step->target_count; j++)
			sip_headers_done(&step->targets[j].headers);
	}
}

int plan_unfold(struct call_plan *plan, size_t at, unsigned ring_ms)
{
	struct call_step *step = &plan->steps[at];
	struct call_advice advice = { .take_steps = step->targets,
				      .step_count = step->target_count };

	for (size_t i = 0; i < step->target_count; i++) {
		step->targets[i].turn = step->turn;
		step->targets[i].after_ms = 0;
		if (!step->targets[i].ring_ms)
			step->targets[i].ring_ms = ring_ms;
	}
	step->targets = NULL;
	step->target_count = 0;
	return plan_insert(plan, at, &advice);
}

int plan_insert(struct call_plan *plan, size_t after, const struct call_advice *advice)
{
	size_t count = plan->step_count + advice->step_count;
	struct call_step *steps = realloc(plan->steps, count * sizeof(*steps)), *gap;

	if (!steps) {
		for (size_t i = 0; i < advice->step_count; i++)
			call_step_done(&advice->take_steps[i]);
		free(advice->take_steps);
		return -ENOMEM;
	}
	gap = &steps[after + 1];
	memmove(gap + advice->step_count, gap, (plan->step_count - after - 1) * sizeof(*steps));
	memcpy(gap, advice->take_steps, advice->step_count * sizeof(*steps));
	free(advice->take_steps);
	plan->steps = steps;
	plan->step_count = count;
	return 0;
}
