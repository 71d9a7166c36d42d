/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - the room: who is in it, who may come in, who has to leave. */
#include "tas/call/call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/e164.h"
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
	room->trace = options->trace;
	room->media = options->media;
	room->wheel = options->wheel;
	room->standing = options->standing;
	room->standing_arg = options->standing_arg;
	room->limits = options->limits;
	err = shared_count_create(&room->numbers);
	if (!err && options->cdr_file)
		err = (options->beside ? cdr_writer_create_beside : cdr_writer_create)(
			&room->cdr, options->cdr_file, options->records);
	if (err) {
		call_room_destroy(room);
		return err;
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
	shared_count_destroy(room->numbers);
	free(room);
	return NULL;
}

/* A number that finds no memory is not limited for this call. */
static void count_number(struct call *call)
{
	const char *number = call->plan->number;

	call->counted = number[0] && shared_count_add(call->room->numbers, number);
}

static void uncount_number(struct call *call)
{
	if (call->counted)
		shared_count_remove(call->room->numbers, call->plan->number);
}

static void link_call(struct call_room *room, struct call *call)
{
	call->next = room->calls;
	call->link = &room->calls;
	if (room->calls)
		room->calls->link = &call->next;
	room->calls = call;
	count_number(call);
	record_active(++room->count);
}

struct call *call_of_leg(const struct call_room *room, const struct leg *leg,
			 enum media_side *ret_side)
{
	for (struct call *call = room->calls; call; call = call->next) {
		for (int side = MEDIA_A; side <= MEDIA_B; side++) {
			if (call->leg[side] != leg)
				continue;
			*ret_side = (enum media_side)side;
			return call;
		}
	}
	return NULL;
}

void call_free(struct call *call)
{
	struct call_room *room = call->room;

	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
	uncount_number(call);
	early_clear(call);
	free(call->exchange.offered);
	sip_headers_done(&call->exchange.headers);
	free(call->message_path);
	transfer_done(call);
	waiting_done(call);
	free(call->tries);
	free(call->digits[MEDIA_A]);
	free(call->digits[MEDIA_B]);
	free(call->side_b);
	free(call->verdict_why);
	free(call->receipts);
	free(call->pulse);
	str_done(&call->asked);
	str_done(&call->moved);
	call_plan_free(call->plan);
	free(call);
	record_active(--room->count);
	if (room->count == 0 && room->empty)
		room->empty(room->empty_arg);
}

/* Without a call there is no record. */
static int refuse(struct leg *take_a, struct call_plan *take_plan, int err)
{
	leg_release(take_a, &(struct leg_farewell){ .status = cause_to_status(CAUSE_INTERNAL) });
	call_plan_free(take_plan);
	record_result(CAUSE_INTERNAL);
	return err;
}

/* No Retry-After: RFC 3261 section 21.5.4 lets the core then send us nothing at
 * all for that time, emergency calls included. */
static int turn_away(struct call *take_call, const struct ending *ending, int err)
{
	record_refused(take_call, ending);
	leg_release(take_call->leg[MEDIA_A], &(struct leg_farewell){ .status = ending->status });
	call_plan_free(take_call->plan);
	free(take_call);
	return err;
}

static void log_full(struct call_room *room, const struct call *call, bool number)
{
	char masked[32];
	unsigned suppressed;

	if (!log_limit_pass(&room->shed_log, 1, 10 * 1000, &suppressed))
		return;
	e164_mask(call->plan->number, masked, sizeof(masked));
	if (number)
		log_notice("call",
			   "full: limits.calls_per_number=%u reached by number=%s, its new calls "
			   "get 486, not_logged=%u",
			   room->limits.calls_per_number, masked, suppressed);
	else
		log_notice("call",
			   "full: limits.calls=%u reached, new calls get 503, not_logged=%u",
			   room->limits.calls, suppressed);
}

/* 0, or why not, with the answer it gets. */
static int admit(struct call_room *room, const struct call *call, struct ending *ret_ending)
{
	const struct call_limits *limits = &room->limits;
	bool number_full =
		limits->calls_per_number &&
		shared_count_of_all(room->numbers, call->plan->number) >= limits->calls_per_number;

	if (call->plan->emergency)
		return 0;
	if (room->draining) {
		*ret_ending = (struct ending){ .cause = CAUSE_DRAINING, .by = "us", .status = 503 };
		return -ESHUTDOWN;
	}
	if (room->count + room->beside < limits->calls && !number_full)
		return 0;
	log_full(room, call, number_full);
	*ret_ending = (struct ending){ .cause = CAUSE_OVERLOAD,
				       .by = "us",
				       .status = number_full ? 486 : 503 };
	return -EBUSY;
}

static struct call *call_new(struct call_room *room, struct leg *a, struct call_plan *plan)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->room = room;
	call->plan = plan;
	call->leg[MEDIA_A] = a;
	call->peer[MEDIA_A] = leg_info(a)->peer;
	call->early_end = &call->early;
	call->started_ms = clock_now();
	call->started_wall = clock_wall();
	call->pdd_ms = -1;
	/* A keyed hash of a counter: unique in practice, and tells nobody how many. */
	snprintf(call->id, sizeof(call->id), "%016llx",
		 (unsigned long long)hash_u64(++room->started));
	for (int i = 0; i < CALL_TIMER_COUNT; i++)
		timer_init(&call->timer[i], call_on_timer, call);
	timer_init(&call->look, verdict_on_timer, call);
	return call;
}

int call_start(struct call_room *room, struct leg *take_a, struct call_plan *take_plan)
{
	struct ending ending = { .by = "us" };
	struct call *call;
	int err;

	if (take_plan->step_count == 0)
		return refuse(take_a, take_plan, -EINVAL);
	call = call_new(room, take_a, take_plan);
	if (!call)
		return refuse(take_a, take_plan, -ENOMEM);
	err = admit(room, call, &ending);
	if (err)
		return turn_away(call, &ending, err);
	link_call(room, call);
	leg_set_handler(take_a, call_on_leg, call);
	record_start(call);
	notes_begin(call);
	call_begin(call);
	return 0;
}

void call_room_set_beside(struct call_room *room, size_t calls)
{
	room->beside = calls;
}

struct shared_count *call_room_numbers(struct call_room *room)
{
	return room->numbers;
}

void call_room_set_limits(struct call_room *room, const struct call_limits *limits)
{
	room->limits = *limits;
}

const char *call_id(const struct call *call)
{
	return call->id;
}

const struct leg_info *call_caller(const struct call *call)
{
	return call->first ? call->first : leg_info(call->leg[MEDIA_A]);
}

void call_room_on_transfer(struct call_room *room, call_transfer_fn *decide, void *arg)
{
	room->transfer = decide;
	room->transfer_arg = arg;
}

size_t call_room_count(const struct call_room *room)
{
	return room->count;
}

void call_room_drain(struct call_room *room, bool drains)
{
	room->draining = drains;
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

void call_room_on_target(struct call_room *room,
			 void (*on_target)(const char *target, enum call_target_news news,
					   void *arg),
			 void *arg)
{
	room->on_target = on_target;
	room->on_target_arg = arg;
}

void call_tell_target(const struct call *call, const struct call_step *step,
		      enum call_target_news news)
{
	if (step->target_name && call->room->on_target)
		call->room->on_target(step->target_name, news, call->room->on_target_arg);
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
