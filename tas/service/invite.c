/* SPDX-License-Identifier: Apache-2.0 */
/* invite.c - from an incoming leg to a call under way. */
#include "base/e164.h"
#include "base/log.h"
#include "base/metrics.h"
#include "tas/service/decision.h"

static struct metric unknown_total =
	METRIC_COUNTER_INIT("breakout_calls_unknown_number_total", NULL,
			    "Calls from the core for a number or prefix that is not configured");
static struct metric no_session_id_total =
	METRIC_COUNTER_INIT("breakout_calls_leg2_without_session_id_total", NULL,
			    "Calls from the core without the header that leg 3 is matched by");
static struct metric emergency_total =
	METRIC_COUNTER_INIT("breakout_calls_emergency_total", NULL, "Emergency calls sent on");

static void count_core(struct service_room *room, const struct leg_info *info,
		       const struct call_plan *plan)
{
	char number[32];
	unsigned suppressed;

	if (!info->session_id[0])
		metric_add(&no_session_id_total, 1);
	if (plan->emergency) {
		metric_add(&emergency_total, 1);
		log_notice("service", "emergency call from=%s call_id=%s goes straight to the core",
			   info->source, info->call_id);
		return;
	}
	if (plan->number[0])
		return;
	metric_add(&unknown_total, 1);
	if (!log_limit_pass(&room->unknown_log, 1, 60 * 1000, &suppressed))
		return;
	e164_mask(info->request_user, number, sizeof(number));
	log_notice("service",
		   "call to=%s is for no configured number, looped untouched; "
		   "not_logged=%u: compare registrations and prefixes",
		   number, suppressed);
}

/* False: its trunk has as many calls as it may. */
static bool count_for_trunk(const struct service_room *room, struct leg *leg)
{
	size_t index;
	struct sip_peer *trunk =
		trunks_place(room, leg_info(leg)->peer, &index) ? trunks_find(room, index) : NULL;

	return !trunk || leg_count_for(leg, trunk) == 0;
}

/* Behind the core's one address are all subscribers: who names a dialog there proves
 * nothing by it. RFC 3261 section 8.2.2.3. */
static void refuse_replaces(struct leg *take_leg)
{
	struct sip_headers headers = { 0 };
	int err = sip_headers_add(&headers, "Unsupported", "replaces");

	leg_release(take_leg,
		    &(struct leg_farewell){ .status = 420, .headers = err ? NULL : &headers });
	sip_headers_done(&headers);
}

void service_invite(struct service_room *room, struct leg *take_leg)
{
	const struct leg_info *info = leg_info(take_leg);
	bool full = !count_for_trunk(room, take_leg);
	struct call_plan *plan;

	if (info->replaces && info->peer != SERVICE_PEER_CORE) {
		call_replace(room->calls, take_leg); /* not one call more, even if it is full */
		return;
	}
	if (info->needs_replaces) {
		refuse_replaces(take_leg);
		return;
	}
	plan = decide_now(room, info, full);

	if (!plan) {
		leg_release(take_leg, &(struct leg_farewell){ .status = 500 });
		return;
	}
	if (info->peer == SERVICE_PEER_CORE)
		count_core(room, info, plan);
	/* A call that could not start was refused and counted there. */
	if (call_start(room->calls, take_leg, plan) < 0)
		log_debug("service", "call not started");
}
