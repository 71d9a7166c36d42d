/* SPDX-License-Identifier: Apache-2.0 */
/* question.c - a call that waits to be told how it goes on. It waits in
 * INCOMING, so that whatever ends a call ends this one too. */
#include <assert.h>
#include "tas/call/call_state.h"

static void over(struct call *call, const char *summary)
{
	call->asking = false;
	call_timer_stop(call, CALL_TIMER_ASK);
	record_advice(call, summary);
}

void question_start(struct call *call, const struct call_step *step)
{
	call->asking = true;
	call->ask_ms = clock_now();
	call_timer_begin(call, CALL_TIMER_ASK, step->ask_ms);
	if (step->question->ask(step->question, call) == 0)
		return;
	over(call, "not asked");
	call_go_on(call);
}

void question_stop(struct call *call, const char *summary)
{
	struct call_question *question = call_current_step(call)->question;

	if (!call->asking)
		return;
	over(call, summary);
	question->stop(question);
}

static void advised(struct call *call, const struct call_advice *advice)
{
	over(call, advice->summary);
	if (advice->step_count > 0 && plan_insert(call->plan, call->step, advice) == 0)
		call->advised = true;
	call_go_on(call);
}

void question_handle(struct call *call, const struct happening *h)
{
	if (h->what == HAPPENED_ADVICE) {
		advised(call, h->advice);
	} else { /* its timer */
		question_stop(call, "timeout");
		call_go_on(call);
	}
}

void call_advise(struct call *call, const struct call_advice *advice)
{
	assert(call->asking); /* or its question would have been stopped */
	call_handle(call, &(struct happening){ .what = HAPPENED_ADVICE, .advice = advice });
}
