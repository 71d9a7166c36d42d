/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "tas/call/call.h"

static void step_done(struct call_step *step)
{
	for (size_t i = 0; i < step->target_count; i++)
		step_done(&step->targets[i]);
	free(step->targets);
	free(step->label);
	free(step->request_uri);
	free(step->next_hop);
	free(step->from_uri);
	free(step->from_display);
	free(step->to_uri);
	free(step->phrase);
	sip_headers_done(&step->headers);
}

struct call_plan *call_plan_free(struct call_plan *plan)
{
	if (!plan)
		return NULL;
	for (size_t i = 0; i < plan->step_count; i++)
		step_done(&plan->steps[i]);
	free(plan->steps);
	free(plan->service);
	free(plan);
	return NULL;
}
