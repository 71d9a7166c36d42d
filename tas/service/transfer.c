/* SPDX-License-Identifier: Apache-2.0 */
/* transfer.c - where a transfer may go.
 *
 * A PBX may send the other side to one of its own numbers, or to a phone it may
 * call anyway (a number registered as ingress, if the trunk may place calls).
 * Nobody else may ask: the core's side is the subscriber's phone, which has no
 * business in dialling through us.
 */
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "tas/service/decision.h"

/* Who is going to talk to the target, as the new INVITE's caller. */
static struct leg_info caller_for(const struct call_transfer *transfer)
{
	static const struct sip_headers none;
	struct leg_info info = *transfer->a;

	if (transfer->caller_asks) { /* the callee stays, and A's wish to hide is A's */
		info.from_user = transfer->a->request_user;
		info.asserted_user = info.from_display = "";
		info.headers = &none;
	}
	return info;
}

static void add_target(struct decision *decision, const struct config_trunk *trunk)
{
	const struct config_registration *registration = decision_registration(decision);

	if (trunk->ingress && registration && registration->route_type == ROUTE_TYPE_INGRESS)
		(void)ingress_add(decision, trunk,
				  registration->number); /* failed is in decision */
	else
		dial_add(decision, trunk, NULL, 0);
}

/* RFC 3892 says who sends the call, RFC 3891 whose place it takes at the PBX. */
static void add_headers(struct decision *decision, const struct call_transfer *transfer)
{
	const char *by = sip_headers_find(transfer->headers, "Referred-By");
	const char *replaces = transfer->refer->replaces;

	for (size_t i = 0; i < decision->plan->step_count; i++) {
		struct sip_headers *headers = &decision->plan->steps[i].headers;

		if ((by && sip_headers_add(headers, "Referred-By", by) < 0) ||
		    (replaces && sip_headers_add(headers, "Replaces", replaces) < 0))
			decision->failed = true;
	}
}

struct call_plan *service_transfer(const struct call_transfer *transfer, int *ret_status, void *arg)
{
	struct service_room *room = arg;
	struct leg_info info = caller_for(transfer);
	struct decision decision = { .room = room, .config = room->config, .info = &info };
	const struct config_trunk *trunk;
	size_t index;

	*ret_status = 403;
	if (!trunks_place(room, transfer->peer, &index))
		return NULL;
	trunk = &room->config->trunks[index];
	*ret_status = 500;
	decision.plan = calloc(1, sizeof(*decision.plan));
	if (!decision.plan)
		return NULL;
	classify(NULL, transfer->refer->user, "", service_is_registered, room, &decision.class);
	decision.plan->hold_music = media_sounds_ref(room->sounds, trunk->hold_music);
	add_target(&decision, trunk);
	add_headers(&decision, transfer);
	if (!decision.failed && decision.plan->step_count == 0) {
		*ret_status = 404; /* nothing that can be dialled */
		decision.failed = true;
	}
	return decision_finish(&decision);
}
