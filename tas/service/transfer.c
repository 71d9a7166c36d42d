/* SPDX-License-Identifier: Apache-2.0 */
/* transfer.c - where a transfer may go.
 *
 * A PBX may send the other side to one of its own numbers, or to a phone it may
 * call anyway (a number registered as ingress, if the trunk may place calls).
 * The core's side is the phone of a subscriber, or anybody who called one. With
 * core.sbc.transfers the subscriber's own may ask for a number: it is called through the
 * core, as the subscriber's own call or, for one who was called, as that of who stays.
 */
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
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
				  decision->class.subscriber); /* failed is in decision */
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

static bool can_be_dialled(const char *number)
{
	size_t digits = strspn(number + (*number == '+'), "0123456789*#");

	return digits > 0 && number[digits + (*number == '+')] == '\0';
}

/* Why the core's side may not, NULL: it may. `class` is the first INVITE's. */
static const char *core_may_not(const struct service_room *room,
				const struct call_transfer *transfer,
				const struct classification *class)
{
	bool caller = class->direction == DIRECTION_MO && transfer->caller_asks;
	bool callee = class->direction == DIRECTION_MT && !transfer->caller_asks && transfer->loops;

	if (!room->config->core.sbc.transfers)
		return "Transfers From The Core Are Off";
	if (!transfer->from_the_start || !(caller || callee))
		return "Only The Subscriber May Transfer";
	if (transfer->refer->replaces)
		return "No Attended Transfer From The Core";
	return NULL;
}

static void log_refusal(struct service_room *room, const char *why)
{
	unsigned suppressed;

	if (log_limit_pass(&room->refused_log, 5, 10000, &suppressed))
		log_notice("service",
			   "the core's side asks for a transfer: 403 \"%s\"; core.sbc.transfers "
			   "says whether subscribers may; not_logged=%u",
			   why, suppressed);
}

static struct call_plan *for_core(struct service_room *room, const struct call_transfer *transfer,
				  struct call_refusal *ret_refusal)
{
	struct decision decision = { .room = room, .config = room->config, .info = transfer->a };
	const char *caller =
		transfer->a->asserted_user[0] ? transfer->a->asserted_user : transfer->a->from_user;
	const char *why;

	classify(room->config, transfer->a->request_user, caller, service_is_registered, room,
		 &decision.class);
	why = core_may_not(room, transfer, &decision.class);
	if (why) {
		log_refusal(room, why);
		*ret_refusal = (struct call_refusal){ .status = 403, .phrase = why };
		return NULL;
	}
	if (!can_be_dialled(transfer->refer->user)) {
		*ret_refusal = (struct call_refusal){ .status = 404 };
		return NULL;
	}
	*ret_refusal = (struct call_refusal){ .status = 500 };
	decision.plan = calloc(1, sizeof(*decision.plan));
	if (!decision.plan)
		return NULL;
	loop_add_number(&decision, transfer->refer->user, 0);
	add_headers(&decision, transfer);
	return decision_finish(&decision);
}

struct call_plan *service_transfer(const struct call_transfer *transfer,
				   struct call_refusal *ret_refusal, void *arg)
{
	struct service_room *room = arg;
	struct leg_info info = caller_for(transfer);
	struct decision decision = { .room = room, .config = room->config, .info = &info };
	const struct config_trunk *trunk;
	size_t index;

	*ret_refusal = (struct call_refusal){ .status = 403 };
	if (transfer->peer == SERVICE_PEER_CORE)
		return for_core(room, transfer, ret_refusal);
	if (!trunks_place(room, transfer->peer, &index))
		return NULL;
	trunk = &room->config->trunks[index];
	ret_refusal->status = 500;
	decision.plan = calloc(1, sizeof(*decision.plan));
	if (!decision.plan)
		return NULL;
	classify(NULL, transfer->refer->user, "", service_is_registered, room, &decision.class);
	decision.plan->hold_music = media_sounds_ref(room->sounds, trunk->hold_music);
	add_target(&decision, trunk);
	add_headers(&decision, transfer);
	if (!decision.failed && decision.plan->step_count == 0) {
		ret_refusal->status = 404; /* nothing that can be dialled */
		decision.failed = true;
	}
	return decision_finish(&decision);
}
