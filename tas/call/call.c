/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - the room: who is in it, who may come in, who has to leave. */
#include "tas/call/call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/log.h"
#include "tas/call/call_state.h"

int call_room_create(struct call_room **ret_room, const struct call_room_options *options)
{
	struct call_room *room = calloc(1, sizeof(*room));
	int err;

	if (!room)
		return -ENOMEM;
	room->endpoint = options->endpoint;
	room->media = options->media;
	room->wheel = options->wheel;
	room->max_calls = options->max_calls;
	if (options->cdr_file) {
		err = cdr_writer_create(&room->cdr, options->cdr_file);
		if (err) {
			free(room);
			return err;
		}
	}
	*ret_room = room;
	return 0;
}

struct call_room *call_room_destroy(struct call_room *room)
{
	if (!room)
		return NULL;
	room->empty = NULL;
	call_room_end_all(room, CAUSE_DRAINING);
	cdr_writer_destroy(room->cdr);
	free(room);
	return NULL;
}

static void link_call(struct call_room *room, struct call *call)
{
	call->next = room->calls;
	call->link = &room->calls;
	if (room->calls)
		room->calls->link = &call->next;
	room->calls = call;
	record_active(++room->count);
}

void call_free(struct call *call)
{
	struct call_room *room = call->room;

	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
	early_clear(call);
	free(call->exchange.offered);
	call_plan_free(call->plan);
	free(call);
	record_active(--room->count);
	if (room->count == 0 && room->empty)
		room->empty(room->empty_arg);
}

/* No Retry-After: RFC 3261 section 21.5.4 lets the core then send us nothing at
 * all for that time, emergency calls included. */
static int refuse(struct leg *take_a, struct call_plan *take_plan, enum cause cause, int err)
{
	leg_release(take_a, &(struct leg_farewell){ .status = cause_to_status(cause) });
	call_plan_free(take_plan);
	record_result(cause);
	return err;
}

static bool full(struct call_room *room, const struct call_plan *plan)
{
	unsigned suppressed;

	if (plan->emergency || room->count < room->max_calls)
		return false;
	if (log_limit_pass(&room->shed_log, 1, 10 * 1000, &suppressed))
		log_notice("call", "full: max_calls=%u reached, new calls get 503, not_logged=%u",
			   room->max_calls, suppressed);
	return true;
}

int call_start(struct call_room *room, struct leg *take_a, struct call_plan *take_plan)
{
	struct call *call;

	if (room->draining && !take_plan->emergency)
		return refuse(take_a, take_plan, CAUSE_DRAINING, -ESHUTDOWN);
	if (full(room, take_plan))
		return refuse(take_a, take_plan, CAUSE_OVERLOAD, -EBUSY);
	if (take_plan->step_count == 0)
		return refuse(take_a, take_plan, CAUSE_INTERNAL, -EINVAL);
	call = calloc(1, sizeof(*call));
	if (!call)
		return refuse(take_a, take_plan, CAUSE_INTERNAL, -ENOMEM);

	call->room = room;
	call->plan = take_plan;
	call->leg[MEDIA_A] = take_a;
	call->early_end = &call->early;
	call->started_ms = clock_now();
	call->started_wall = clock_wall();
	call->pdd_ms = -1;
	/* A keyed hash of a counter: unique in practice, and tells nobody how many. */
	snprintf(call->id, sizeof(call->id), "%016llx",
		 (unsigned long long)hash_u64(++room->started));
	for (int i = 0; i < CALL_TIMER_COUNT; i++)
		timer_init(&call->timer[i], call_on_timer, call);
	link_call(room, call);
	leg_set_handler(take_a, call_on_leg, call);
	record_start(call);
	call_begin(call);
	return 0;
}

size_t call_room_count(const struct call_room *room)
{
	return room->count;
}

void call_room_drain(struct call_room *room)
{
	room->draining = true;
}

void call_room_end_all(struct call_room *room, enum cause cause)
{
	struct call *next;

	for (struct call *call = room->calls; call; call = next) {
		next = call->next;
		call_finish(call, &(struct ending){ .cause = cause, .by = "us" });
	}
}

void call_room_on_empty(struct call_room *room, void (*empty)(void *arg), void *arg)
{
	room->empty = empty;
	room->empty_arg = arg;
}

void call_room_each(struct call_room *room, void (*visit)(const struct call_info *info, void *arg),
		    void *arg)
{
	for (const struct call *call = room->calls; call; call = call->next) {
		struct call_info info;

		record_info(call, &info);
		visit(&info, arg);
	}
}
