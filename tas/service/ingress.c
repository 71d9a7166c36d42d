/* SPDX-License-Identifier: Apache-2.0 */
/* ingress.c - a call from a PBX trunk to a number registered as ingress.
 *
 * Nothing else is reachable from a trunk: a number is dialled only if it is in
 * our own configuration, whatever the request URI says.
 */
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "tas/service/decision.h"
#include "tas/service/identity.h"
#include "tas/service/numbering.h"
#include "tas/service/uri.h"

/* A device that calls as anybody else but its number. */
static const struct config_trunk device_as_trunk;

/* Who has proved who he is; in From unless he hides (RFC 3325 section 5). */
static void assert_caller(struct decision *decision, struct call_step *step, const char *number)
{
	struct uri_view ours = { .rest = decision->config->domain };
	char said[NUMBER_ROOM], *uri;
	struct str value = { 0 };

	number_for_peer(&decision->config->core.sbc.identity, number, said);
	uri = decision_text(decision, uri_with_user(&ours, "sips", said));
	str_addf(&value, "<%s>", uri ? uri : "");
	if (value.failed || sip_headers_set(&step->headers, "P-Asserted-Identity", value.text) < 0)
		decision->failed = true;
	str_done(&value);
	if (decision_wants_privacy(decision->info->headers)) {
		free(uri);
		return;
	}
	free(step->from_uri);
	step->from_uri = uri;
}

struct call_step *ingress_add(struct decision *decision, const struct config_trunk *trunk,
			      const char *number)
{
	const char *sbc = core_sbc(decision);
	char said[NUMBER_ROOM];
	struct uri_view core;
	struct call_step *step = decision_add_step(decision, CALL_STEP_DIAL, "ingress");

	if (!step)
		return NULL;
	if (!uri_split(sbc, &core)) { /* the config room has checked it */
		decision->failed = true;
		return NULL;
	}
	number_for_peer(&decision->config->core.sbc.identity, number, said);
	step->request_uri = decision_text(decision, uri_with_user(&core, NULL, said));
	step->to_uri = decision_text(decision, uri_with_user(&core, NULL, said));
	step->next_hop = decision_text(decision, strdup(sbc));
	identity_tell_core(decision, step, trunk);
	identity_allow_responses(step, trunk, false);
	step->max_forwards = decision->info->max_forwards - 1;
	step->media = MEDIA_LEG_WEBRTC;
	return step;
}

static void name_service(struct decision *decision)
{
	if (!decision->plan->service)
		decision->plan->service = decision_text(decision, strdup("ingress"));
}

static bool is_ingress(const struct call_plan *plan)
{
	return plan->number[0] && plan->route_type == ROUTE_TYPE_INGRESS;
}

void ingress_to_core(struct decision *decision)
{
	const struct config_trunk *trunk = decision_trunk(decision);

	if (!trunk->ingress)
		decision_reject(decision, 403, "Trunk May Not Place Calls", CAUSE_REJECTED);
	else if (!is_ingress(decision->plan))
		decision_reject(decision, 404, NULL, CAUSE_UNKNOWN_NUMBER);
	else
		(void)ingress_add(decision, trunk, decision->plan->number); /* failed is there */
}

/* False: it is refused, because its keys came in the clear. */
static bool begin(struct decision *decision, enum media_kind media, bool keys_in_clear)
{
	decision->plan->media_a = decision_media(media);
	decision->plan->direction = DIRECTION_MT;
	if (decision_keys_fine(media, keys_in_clear, decision->info->transport))
		return true;
	decision_reject(decision, 488, "SRTP Keys Need TLS", CAUSE_REJECTED);
	return false;
}

/* What the number is to us; a call past the trunk's rights is told nothing of it. */
static void find_number(struct decision *decision)
{
	const struct config_registration *registration = decision_registration(decision);
	struct call_plan *plan = decision->plan;

	if (!registration || registration->route_type != ROUTE_TYPE_INGRESS)
		return;
	plan->route_type = ROUTE_TYPE_INGRESS;
	e164_unpack(registration->number, plan->number);
}

void ingress_trunk(struct decision *decision, size_t index)
{
	const struct config *config = decision->config;
	const struct config_trunk *trunk = &config->trunks[index];
	bool fine = begin(decision, trunk->media, trunk->keys_in_clear);

	dial_codecs(trunk, &decision->plan->codecs_a);
	decision->plan->hold_music = media_sounds_ref(decision->room->sounds, trunk->hold_music);
	find_number(decision);
	if (fine && trunk->service)
		route_trunk(decision, &config->services[trunk->service]);
	else if (fine)
		ingress_to_core(decision);
	name_service(decision);
}

void ingress_device(struct decision *decision, size_t index)
{
	const struct config_device *device = &decision->config->devices[index];
	struct call_step *step;
	bool fine = begin(decision, device->media, device->keys_in_clear);

	device_codecs(device, &decision->plan->codecs_a);
	find_number(decision);
	name_service(decision);
	if (!fine)
		return;
	if (!device->number) {
		decision_reject(decision, 403, "Device May Not Place Calls", CAUSE_REJECTED);
	} else if (!is_ingress(decision->plan)) {
		decision_reject(decision, 404, NULL, CAUSE_UNKNOWN_NUMBER);
	} else {
		step = ingress_add(decision, &device_as_trunk, decision->plan->number);
		if (step)
			assert_caller(decision, step, device->number);
	}
}
