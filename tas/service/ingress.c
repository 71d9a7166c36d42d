/* SPDX-License-Identifier: Apache-2.0 */
/* ingress.c - a call from a PBX trunk to a number registered as ingress.
 *
 * Nothing else is reachable from a trunk: a number is dialled only if it is in
 * our own configuration, whatever the request URI says.
 */
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "tas/service/decision.h"
#include "tas/service/identity.h"
#include "tas/service/uri.h"

void ingress_add(struct decision *decision, const struct config_trunk *trunk, const char *number)
{
	const char *sbc = decision->config->core.sbc.uri;
	struct uri_view core;
	struct call_step *step = decision_add_step(decision, CALL_STEP_DIAL, "ingress");

	if (!step)
		return;
	if (!uri_split(sbc, &core)) { /* the config room has checked it */
		decision->failed = true;
		return;
	}
	step->request_uri = decision_text(decision, uri_with_user(&core, NULL, number));
	step->to_uri = decision_text(decision, uri_with_user(&core, NULL, number));
	step->next_hop = decision_text(decision, strdup(sbc));
	identity_tell_core(decision, step, trunk);
	identity_allow_responses(step, trunk, false);
	step->max_forwards = decision->info->max_forwards - 1;
	step->media = MEDIA_LEG_WEBRTC;
}

static void name_service(struct decision *decision)
{
	if (!decision->plan->service)
		decision->plan->service = decision_text(decision, strdup("ingress"));
}

void ingress_to_core(struct decision *decision)
{
	const struct config_trunk *trunk = decision_trunk(decision);
	const struct call_plan *plan = decision->plan;

	if (!trunk->ingress)
		decision_reject(decision, 403, "Trunk May Not Place Calls", CAUSE_REJECTED);
	else if (!plan->number[0] || plan->route_type != ROUTE_TYPE_INGRESS)
		decision_reject(decision, 404, NULL, CAUSE_UNKNOWN_NUMBER);
	else
		ingress_add(decision, trunk, plan->number);
}

/* What the number is to us; a call past the trunk's rights is told nothing of it. */
static void find_number(struct decision *decision)
{
	const struct config_registration *registration =
		config_find_number(decision->config, decision->class.subscriber);
	struct call_plan *plan = decision->plan;

	if (!registration || registration->route_type != ROUTE_TYPE_INGRESS)
		return;
	plan->route_type = ROUTE_TYPE_INGRESS;
	memcpy(plan->number, registration->number, sizeof(plan->number));
}

void ingress_trunk(struct decision *decision, size_t trunk)
{
	const struct config *config = decision->config;

	decision->plan->media_a =
		config->trunks[trunk].media == MEDIA_WEBRTC ? MEDIA_LEG_WEBRTC : MEDIA_LEG_RTP;
	decision->plan->direction = DIRECTION_MT;
	find_number(decision);
	if (config->trunks[trunk].service)
		route_trunk(decision, &config->services[config->trunks[trunk].service]);
	else
		ingress_to_core(decision);
	name_service(decision);
}
