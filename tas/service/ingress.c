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

void ingress_trunk(struct decision *decision, size_t trunk)
{
	const struct config *config = decision->config;
	const struct config_registration *registration;

	decision->plan->media_a =
		config->trunks[trunk].media == MEDIA_WEBRTC ? MEDIA_LEG_WEBRTC : MEDIA_LEG_RTP;
	decision->plan->direction = DIRECTION_MT;
	decision->plan->service = decision_text(decision, strdup("ingress"));
	if (!config->trunks[trunk].ingress) {
		decision_reject(decision, 403, "Trunk May Not Place Calls", CAUSE_REJECTED);
		return;
	}
	registration = config_find_number(config, decision->class.subscriber);
	if (!registration || registration->route_type != ROUTE_TYPE_INGRESS) {
		decision_reject(decision, 404, NULL, CAUSE_UNKNOWN_NUMBER);
		return;
	}
	decision->plan->route_type = ROUTE_TYPE_INGRESS;
	memcpy(decision->plan->number, registration->number, sizeof(decision->plan->number));
	ingress_add(decision, &config->trunks[trunk], registration->number);
}
