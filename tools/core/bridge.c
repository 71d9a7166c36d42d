/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/bridge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { CANDIDATES_MAX = 4 };

#define ELSEWHERE "SIP;cause=200;text=\"Call completed elsewhere\""

struct candidate {
	struct bridge *bridge;
	struct leg *leg; /* NULL: over */
	unsigned number;
};

struct bridge {
	struct bridge_handlers handlers;
	struct record *record;
	struct leg *a; /* the incoming leg; NULL once it is over */
	unsigned a_number;
	struct candidate candidates[CANDIDATES_MAX];
	unsigned candidate_count;
	struct candidate *winner;
	bool answer_in_ack; /* the INVITE carried no offer: the ACK will answer */
	int best_status;    /* of candidates that failed */
};

static void let_go(struct bridge *bridge, struct leg **leg, unsigned number,
		   const struct leg_farewell *farewell, const char *said)
{
	if (!*leg)
		return;
	if (said)
		record_message(bridge->record, number, *leg != bridge->a, said);
	*leg = leg_release(*leg, farewell);
}

static void finish(struct bridge *bridge)
{
	bridge->handlers.ended(bridge, bridge->handlers.arg);
	record_unref(bridge->record);
	free(bridge);
}

static void drop_candidates(struct bridge *bridge, const struct candidate *except,
			    const char *reason)
{
	struct leg_farewell farewell = { .reason = reason };

	for (unsigned i = 0; i < bridge->candidate_count; i++) {
		struct candidate *candidate = &bridge->candidates[i];
		if (candidate != except)
			let_go(bridge, &candidate->leg, candidate->number, &farewell,
			       candidate == bridge->winner ? "BYE" : "CANCEL");
	}
}

void bridge_end(struct bridge *bridge, int status, const char *reason)
{
	struct leg_farewell farewell = { .status = status, .reason = reason };

	if (bridge->a && !bridge->winner) {
		record_response(bridge->record, bridge->a_number, status, "", false);
		let_go(bridge, &bridge->a, bridge->a_number, &farewell, NULL);
	}
	let_go(bridge, &bridge->a, bridge->a_number, &farewell, "BYE");
	drop_candidates(bridge, NULL, reason);
	finish(bridge);
}

/* One candidate is over without an answer. RFC 3261 16.7: a 6xx wins, else the
 * lowest class. */
static void candidate_failed(struct bridge *bridge, int status, const char *phrase,
			     const struct sip_headers *headers)
{
	if (!bridge->best_status || status >= 600 ||
	    (bridge->best_status < 600 && status / 100 < bridge->best_status / 100))
		bridge->best_status = status;
	for (unsigned i = 0; i < bridge->candidate_count; i++)
		if (bridge->candidates[i].leg)
			return; /* another one still rings */
	if (bridge->handlers.failed(bridge, bridge->best_status, bridge->handlers.arg)) {
		bridge->best_status = 0;
		return;
	}
	struct leg_farewell farewell = { .status = bridge->best_status };
	struct sip_headers passed = { 0 };
	if (status == bridge->best_status && !sip_headers_copy_transparent(&passed, headers)) {
		farewell.phrase = phrase;
		farewell.headers = &passed;
	}
	record_response(bridge->record, bridge->a_number, bridge->best_status, phrase, false);
	let_go(bridge, &bridge->a, bridge->a_number, &farewell, NULL);
	sip_headers_done(&passed);
	finish(bridge);
}

void bridge_give_up(struct bridge *bridge, unsigned leg_number, int status, const char *reason)
{
	struct leg_farewell farewell = { .reason = reason };
	static const struct sip_headers none;

	for (unsigned i = 0; i < bridge->candidate_count; i++) {
		struct candidate *candidate = &bridge->candidates[i];
		if (candidate->number != leg_number || !candidate->leg || bridge->winner)
			continue;
		let_go(bridge, &candidate->leg, leg_number, &farewell, "CANCEL");
		candidate_failed(bridge, status, "Request Timeout", &none);
		return; /* the bridge may be gone */
	}
}

bool bridge_answered(const struct bridge *bridge)
{
	return bridge->winner;
}

static unsigned ringing_count(const struct bridge *bridge)
{
	unsigned count = 0;

	for (unsigned i = 0; i < bridge->candidate_count; i++)
		count += bridge->candidates[i].leg != NULL;
	return count;
}

static void on_provisional(struct candidate *candidate, const struct leg_event *event)
{
	struct bridge *bridge = candidate->bridge;
	struct sip_headers passed = { 0 };
	/* While two ring, neither's early media may reach the caller: a second
	 * answer in another dialog would contradict the first. */
	const char *sdp = ringing_count(bridge) > 1 ? NULL : event->sdp;

	record_response(bridge->record, candidate->number, event->status, event->reason,
			event->sdp);
	if (!sip_headers_copy_transparent(&passed, event->headers)) {
		record_response(bridge->record, bridge->a_number, event->status, event->reason,
				sdp);
		/* The caller may hang up in this moment. */
		(void)(event->reliable ? leg_provisional_reliably : leg_provisional)(
			bridge->a, event->status, event->reason, sdp, &passed);
	}
	sip_headers_done(&passed);
}

static void on_answered(struct candidate *candidate, const struct leg_event *event)
{
	struct bridge *bridge = candidate->bridge;
	struct sip_headers passed = { 0 };

	record_response(bridge->record, candidate->number, event->status, event->reason,
			event->sdp);
	bridge->winner = candidate;
	drop_candidates(bridge, candidate, ELSEWHERE);
	if (!bridge->answer_in_ack) {
		(void)leg_ack(candidate->leg, NULL); /* its loss is repaired by the next 200 */
		record_message(bridge->record, candidate->number, true, "ACK");
	}
	int err = sip_headers_copy_transparent(&passed, event->headers);
	if (!err) {
		record_response(bridge->record, bridge->a_number, 200, "OK", event->sdp);
		err = leg_answer(bridge->a, event->sdp, &passed);
	}
	sip_headers_done(&passed);
	if (err)
		bridge_end(bridge, 500, NULL);
}

static void pass_offer(struct bridge *bridge, struct leg *from, unsigned from_number,
		       struct leg *to, unsigned to_number, const char *sdp)
{
	record_message(bridge->record, from_number, from == bridge->a,
		       sdp ? "INVITE in dialog (SDP)" : "INVITE in dialog");
	/* The answer to an offerless one would have to wait for an ACK with
	 * SDP: refused, as an SBC without that feature does. */
	if (!to || !sdp) {
		(void)!leg_offer_refuse(from, 488, "Not Acceptable Here");
		return;
	}
	int err = leg_offer(to, sdp, false);
	if (err) {
		record_message(bridge->record, from_number, from != bridge->a,
			       "491 Request Pending");
		(void)!leg_offer_refuse(from, 491, "Request Pending");
		return;
	}
	record_message(bridge->record, to_number, to != bridge->a, "INVITE in dialog (SDP)");
}

static void pass_offer_answer(struct bridge *bridge, struct leg *from, unsigned from_number,
			      struct leg *to, unsigned to_number, const struct leg_event *event)
{
	char text[96];

	(void)snprintf(text, sizeof(text), "%d %s in dialog", event->status, event->reason);
	record_message(bridge->record, from_number, from == bridge->a, text);
	if (!to)
		return;
	record_message(bridge->record, to_number, to != bridge->a, text);
	/* Either may find the other side's offer gone: nothing to do then. */
	if (event->status < 300 && event->sdp)
		(void)!leg_offer_accept(to, event->sdp);
	else
		(void)!leg_offer_refuse(to, event->status < 300 ? 500 : event->status,
					event->reason);
}

static void on_candidate_ended(struct candidate *candidate, const struct leg_event *event)
{
	struct bridge *bridge = candidate->bridge;
	bool was_winner = bridge->winner == candidate;

	if (event->end == LEG_END_BYE || was_winner) {
		record_message(bridge->record, candidate->number, false,
			       event->end == LEG_END_BYE ? "BYE" : leg_end_reason_name(event->end));
	} else {
		record_response(bridge->record, candidate->number, event->status, event->reason,
				false);
	}
	candidate->leg = leg_release(candidate->leg, NULL);
	if (was_winner)
		bridge_end(bridge, 480, sip_headers_find(event->headers, "Reason"));
	else
		candidate_failed(bridge, event->status >= 300 ? event->status : 480, event->reason,
				 event->headers);
}

/* This SBC makes no transfers, and swallows digits. */
static void more_than_a_call(struct leg *leg, const struct leg_event *event)
{
	if (event->type == LEG_EV_REFER)
		(void)leg_refer_answer(leg, 603);
	else if (event->type == LEG_EV_INFO)
		(void)leg_inform_answer(leg, 200);
}

static void on_candidate(struct leg *leg, const struct leg_event *event, void *arg)
{
	struct candidate *candidate = arg;
	struct bridge *bridge = candidate->bridge;

	switch (event->type) {
	case LEG_EV_PROVISIONAL:
		on_provisional(candidate, event);
		break;
	case LEG_EV_ANSWERED:
		on_answered(candidate, event);
		break;
	case LEG_EV_OFFER:
		pass_offer(bridge, leg, candidate->number, bridge->a, bridge->a_number, event->sdp);
		break;
	case LEG_EV_OFFER_ANSWERED:
		pass_offer_answer(bridge, leg, candidate->number, bridge->a, bridge->a_number,
				  event);
		break;
	case LEG_EV_ENDED:
		on_candidate_ended(candidate, event);
		break;
	case LEG_EV_REFER:
	case LEG_EV_INFO:
	case LEG_EV_INFO_ANSWERED:
		more_than_a_call(leg, event);
		break;
	case LEG_EV_CONFIRMED: /* of incoming legs only */
	case LEG_EV_PRACKED:
		break;
	}
}

static void on_a_ended(struct bridge *bridge, const struct leg_event *event)
{
	static const char *const said[] = {
		[LEG_END_REFUSED] = "refused",
		[LEG_END_TIMEOUT] = "timeout",
		[LEG_END_TLS] = "TLS",
		[LEG_END_CANCELLED] = "CANCEL",
		[LEG_END_BYE] = "BYE",
		[LEG_END_NO_ACK] = "(no ACK: BYE sent)",
		[LEG_END_LOST] = "(dialog lost)",
		[LEG_END_EXPIRED] = "(session expired: BYE sent)",
	};

	record_message(bridge->record, bridge->a_number, true, said[event->end]);
	if (event->end == LEG_END_CANCELLED)
		record_response(bridge->record, bridge->a_number, 487, "Request Terminated", false);
	bridge->a = leg_release(bridge->a, NULL);
	drop_candidates(bridge, NULL, sip_headers_find(event->headers, "Reason"));
	finish(bridge);
}

static void on_a(struct leg *leg, const struct leg_event *event, void *arg)
{
	struct bridge *bridge = arg;
	struct candidate *winner = bridge->winner;

	switch (event->type) {
	case LEG_EV_CONFIRMED:
		record_message(bridge->record, bridge->a_number, true,
			       event->sdp ? "ACK (SDP)" : "ACK");
		if (bridge->answer_in_ack && winner) {
			(void)leg_ack(winner->leg, event->sdp);
			record_message(bridge->record, winner->number, true, "ACK (SDP)");
		}
		break;
	case LEG_EV_OFFER:
		pass_offer(bridge, leg, bridge->a_number, winner ? winner->leg : NULL,
			   winner ? winner->number : 0, event->sdp);
		break;
	case LEG_EV_OFFER_ANSWERED:
		pass_offer_answer(bridge, leg, bridge->a_number, winner ? winner->leg : NULL,
				  winner ? winner->number : 0, event);
		break;
	case LEG_EV_ENDED:
		on_a_ended(bridge, event);
		break;
	case LEG_EV_PRACKED:
		if (bridge->candidate_count == 1 && bridge->candidates[0].leg)
			(void)leg_prack(bridge->candidates[0].leg, event->sdp);
		break;
	case LEG_EV_REFER:
	case LEG_EV_INFO:
	case LEG_EV_INFO_ANSWERED:
		more_than_a_call(leg, event);
		break;
	case LEG_EV_PROVISIONAL: /* of outgoing legs only */
	case LEG_EV_ANSWERED:
		break;
	}
}

int bridge_create(struct bridge **ret_bridge, struct record *record, unsigned leg_number,
		  struct leg *take_leg, const struct bridge_handlers *handlers)
{
	struct bridge *bridge = calloc(1, sizeof(*bridge));

	if (!bridge) {
		leg_release(take_leg, &(struct leg_farewell){ .status = 500 });
		return -ENOMEM;
	}
	bridge->record = record_ref(record);
	bridge->handlers = *handlers;
	bridge->a = take_leg;
	bridge->a_number = leg_number;
	bridge->answer_in_ack = !leg_info(take_leg)->sdp;
	leg_set_handler(take_leg, on_a, bridge);
	*ret_bridge = bridge;
	return 0;
}

int bridge_dial(struct bridge *bridge, const struct bridge_target *target)
{
	const struct leg_info *info = leg_info(bridge->a);

	if (bridge->candidate_count == CANDIDATES_MAX)
		return -ENOSPC;
	if (info->max_forwards <= 1)
		return -ELOOP;
	struct candidate *candidate = &bridge->candidates[bridge->candidate_count];
	struct leg_invite invite = {
		.request_uri = target->request_uri,
		.next_hop = target->next_hop,
		.from_uri = info->from_uri,
		.from_display = *info->from_display ? info->from_display : NULL,
		.to_uri = info->to_uri,
		.headers = target->headers,
		.max_forwards = info->max_forwards - 1,
		.rel100 = info->rel100,
		.sdp = info->sdp,
	};
	*candidate = (struct candidate){ .bridge = bridge, .number = target->leg_number };
	int err = leg_invite(&candidate->leg, target->endpoint, &invite, on_candidate, candidate);
	if (err)
		return err;
	bridge->candidate_count++;
	record_leg(bridge->record, target->leg_number, "core", target->right, true,
		   leg_info(candidate->leg));
	return 0;
}
