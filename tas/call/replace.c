/* SPDX-License-Identifier: Apache-2.0 */
/* replace.c - a new INVITE that takes the place of a dialog (RFC 3891).
 *
 * Only a peer's own dialogs: for anybody else's it is told that there is none.
 *
 * One that talks: the new leg's offer goes to the side that stays, as in a transfer
 * whose target has called us (transfer.c); the replaced leg gets a BYE once the new one
 * is answered. One that we ring (somebody else picks the call up): both the caller and
 * the new leg have made an offer, and neither is an answer to the other. So the caller
 * is answered by ourselves, with silence, and once it has acknowledged that, the new
 * leg's offer goes to it as above. Who rang gets a CANCEL that says that the call was
 * answered elsewhere.
 *
 * Threads: the SIP thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "tas/call/call_state.h"

/* Where in a call the named leg is. */
struct place {
	struct call *call;
	enum media_side side;
	const struct branch *branch; /* NULL: it is the call's own leg */
};

static void turn_down(struct leg *take_leg, int status, const char *phrase)
{
	leg_release(take_leg, &(struct leg_farewell){ .status = status, .phrase = phrase });
}

static bool find_place(const struct call_room *room, const struct leg *leg, struct place *ret_place)
{
	ret_place->branch = NULL;
	ret_place->call = call_of_leg(room, leg, &ret_place->side);
	for (struct call *call = room->calls; call && !ret_place->call; call = call->next) {
		ret_place->branch = ring_find(call, leg, NULL);
		if (!ret_place->branch)
			continue;
		ret_place->call = call;
		ret_place->side = MEDIA_B;
	}
	return ret_place->call != NULL;
}

static const struct call_step *step_of(const struct place *place)
{
	return place->branch ? ring_step(place->branch) : call_current_step(place->call);
}

static bool is_own(const struct place *place, const struct leg *leg)
{
	int peer = place->branch ? step_of(place)->peer : place->call->peer[place->side];

	return peer == leg_info(leg)->peer;
}

static size_t count_replaces(const struct sip_headers *headers)
{
	size_t count = 0;

	for (size_t i = 0; i < headers->count; i++)
		count += str_equal_nocase(headers->items[i].name, "Replaces");
	return count;
}

/* 0, or the status that refuses it (RFC 3891 section 3). */
static int judge(const struct call_room *room, const struct leg *leg, struct leg_named *ret_named,
		 struct place *ret_place)
{
	const struct leg_info *info = leg_info(leg);
	int err = count_replaces(info->headers) > 1
			  ? -EINVAL
			  : leg_by_replaces(room->endpoint, info->replaces, ret_named);

	if (err)
		return err == -EINVAL ? 400 : 481;
	if (ret_named->stage == LEG_STAGE_OVER)
		return 603;
	if (!find_place(room, ret_named->leg, ret_place))
		return 481;
	if (!is_own(ret_place, leg)) {
		log_notice("call",
			   "from=%s call_id=%s names a dialog of call=%s that is not its own",
			   info->source, info->call_id, ret_place->call->id);
		return 481; /* it is told nothing */
	}
	if (ret_named->stage == LEG_STAGE_BETWEEN)
		return 481; /* not one that we have begun */
	if (ret_named->stage == LEG_STAGE_TALKING && ret_named->early_only)
		return 486;
	return info->sdp ? 0 : 488; /* the offer goes to the side that stays */
}

/* Not while its media is being changed: one SDP follows the other. */
static bool may_be_picked_up(const struct call *call)
{
	return (call->state == CALL_DIALLING || call->state == CALL_RINGING) && !call->taker &&
	       !call->expecting && !call->pracking && !call->pracked;
}

/* The step that A is answered by; its media is that of who picks up. */
static int insert_pickup(struct call *call, enum media_leg_kind kind)
{
	struct call_advice advice = { .take_steps = calloc(1, sizeof(*advice.take_steps)),
				      .step_count = 1 };

	if (!advice.take_steps)
		return -ENOMEM;
	advice.take_steps[0] = (struct call_step){ .kind = CALL_STEP_ANSWER,
						   .label = strdup("pickup"),
						   .media = kind };
	if (!advice.take_steps[0].label) {
		free(advice.take_steps);
		return -ENOMEM;
	}
	return plan_insert(call->plan, call->step, &advice);
}

static void pick_up(struct call *call, enum media_leg_kind kind, struct leg *taker)
{
	call->taker = taker;
	call_let_b_go(call, CALL_ELSEWHERE); /* before its step moves */
	ring_picked_up(call);
	call->target = NULL;
	call->peer[MEDIA_B] = leg_info(taker)->peer;
	if (insert_pickup(call, kind) < 0) {
		call_end(call, &(struct ending){ .cause = CAUSE_INTERNAL, .by = "us" });
		return;
	}
	/* What A was told of our side, reliably or as a preview, stays in force. */
	call->announced = call->session && call->sent[MEDIA_A];
	call_enter(call, CALL_INCOMING);
	call_go_on(call);
}

static void begin(const struct place *place, bool early, struct leg *take_leg)
{
	struct call *call = place->call;

	log_info("call", "call=%s %s of side=%c by call_id=%s", call->id,
		 early ? "pickup" : "replacement", place->side == MEDIA_A ? 'a' : 'b',
		 leg_info(take_leg)->call_id);
	leg_set_handler(take_leg, call_on_leg, call);
	call->depth++;
	if (early)
		pick_up(call, step_of(place)->media, take_leg);
	else
		transfer_replace(call, place->side, take_leg);
	call_leave(call);
}

void call_replace(struct call_room *room, struct leg *take_leg)
{
	struct leg_named named = { .leg = NULL };
	struct place place;
	int status = judge(room, take_leg, &named, &place);
	bool early = named.stage == LEG_STAGE_RINGING;

	if (!status && !(early ? may_be_picked_up(place.call) : transfer_may_begin(place.call)))
		status = 491; /* it is about to change anyway */
	if (status)
		turn_down(take_leg, status, status == 488 ? "Offer Needed" : NULL);
	else
		begin(&place, early, take_leg);
}

/* ---- the one who picks up, until the caller is answered ---- */

void replace_join(struct call *call)
{
	struct leg *taker = call->taker;

	call->taker = NULL;
	if (taker)
		transfer_replace(call, MEDIA_B, taker);
}

void replace_drop(struct call *call, int status)
{
	if (call->taker)
		turn_down(call->taker, status, NULL);
	call->taker = NULL;
}

void replace_said(struct call *call, const struct leg_event *event)
{
	if (event->type != LEG_EV_ENDED)
		return;
	call->taker = leg_release(call->taker, NULL);
	/* Who rang was let go already: nobody is left for the caller. */
	call_end(call, &(struct ending){ .cause = CAUSE_UNAVAILABLE, .by = "b" });
}
