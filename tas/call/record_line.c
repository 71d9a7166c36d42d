/* SPDX-License-Identifier: Apache-2.0 */
/* record_line.c - a call as one JSON object. docs/records.md explains each member; a
 * test compares that page with what stands here.
 */
#include "tas/call/record_line.h"

#include <stdlib.h>
#include <string.h>
#include "base/str.h"

#define LINE_USUAL 1800 /* bytes: room for most lines without another look for memory */

const char *record_text_or(const char *text, const char *instead)
{
	return text && *text ? text : instead;
}

const char *record_media_name(const struct call *call)
{
	return call->anchored ? "anchored" : "passed";
}

long long record_span(mono_ms from, mono_ms to)
{
	return from && to ? (long long)(to - from) : -1;
}

static void add_name(struct str *json, const char *name)
{
	str_add_n(json, ",\"", 2);
	str_add(json, name);
	str_add_n(json, "\":", 2);
}

void record_add_text(struct str *json, const char *name, const char *value)
{
	add_name(json, name);
	str_add_json(json, record_text_or(value, ""));
}

static void add_number(struct str *json, const char *name, long long value)
{
	add_name(json, name);
	str_add_int(json, value);
}

/* Microseconds as milliseconds with one digit behind the point. */
static void add_number_ms(struct str *json, const char *name, uint32_t us)
{
	add_name(json, name);
	str_add_decimal(json, (us + 50LL) / 100, 1);
}

static void add_gap(struct str *json, const char *name, char gap)
{
	add_name(json, name);
	str_add_n(json, &gap, 1);
}

/* null for a moment that never came: 0. */
static void add_time(struct str *json, const char *name, wall_ms wall)
{
	char text[CLOCK_TEXT_ROOM];

	add_name(json, name);
	if (!wall) {
		str_add(json, "null");
		return;
	}
	clock_wall_text(wall, text);
	str_add_json(json, text);
}

/* On the wall clock of the call's beginning, whatever NTP did to it meanwhile, so that
 * times and durations of one record agree. */
static wall_ms on_wall(const struct call *call, mono_ms moment)
{
	return call->started_wall + (moment - call->started_ms);
}

static void add_moment(struct str *json, const char *name, const struct call *call, mono_ms moment)
{
	add_time(json, name, moment ? on_wall(call, moment) : 0);
}

/* Milliseconds after the call's beginning, or -1. */
static long long after_start(const struct call *call, mono_ms moment)
{
	return moment ? (long long)(moment - call->started_ms) : -1;
}

static void add_quality(struct str *json, const struct media_receipt *receipt,
			const struct call *call)
{
	add_number(json, "duplicates", (long long)receipt->duplicates);
	add_number(json, "reordered", (long long)receipt->reordered);
	add_number_ms(json, "jitter_ms", receipt->jitter_us);
	add_number(json, "gap_ms", receipt->gap_ms);
	add_number(json, "first_ms", after_start(call, receipt->first_in_ms));
	add_number(json, "last_ms", after_start(call, receipt->last_in_ms));
	add_name(json, "mos");
	str_add_decimal(json, (long long)(receipt->mos * 100 + 0.5), 2);
	if (receipt->rtt_us)
		add_number_ms(json, "rtt_ms", receipt->rtt_us);
	if (receipt->reported)
		str_addf(json, ",\"reported\":{\"lost\":%d,\"lost_percent\":%u,\"jitter_ms\":%.1f}",
			 (int)receipt->reported_lost, receipt->reported_percent,
			 receipt->reported_jitter_us / 1000.0);
}

static void add_receipt(struct str *json, const struct call *call,
			const struct media_receipt *receipt)
{
	uint64_t dropped = receipt->dropped_auth + receipt->dropped_source + receipt->dropped_other;

	str_add(json, "{\"codec\":");
	str_add_json(json, receipt->codec);
	add_number(json, "packets_in", (long long)receipt->packets_in);
	add_number(json, "packets_out", (long long)receipt->packets_out);
	add_number(json, "bytes_in", (long long)receipt->bytes_in);
	add_number(json, "bytes_out", (long long)receipt->bytes_out);
	add_number(json, "lost", (long long)receipt->lost);
	add_number(json, "dropped", (long long)dropped);
	add_quality(json, receipt, call);
	str_add(json, "}");
}

/* A call whose SDP passed through has four empty receipts in its two lines: all the
 * same, made once. */
static void add_side(struct str *json, const char *name, const struct call *call,
		     const struct media_receipt *receipt)
{
	static const struct media_receipt none;
	static struct str empty;

	add_name(json, name);
	if (!empty.length)
		add_receipt(&empty, call, &none);
	if (empty.failed) {
		str_done(&empty); /* another time */
		add_receipt(json, call, receipt);
	} else if (memcmp(receipt, &none, sizeof(none)) == 0) {
		str_add_n(json, empty.text, empty.length);
	} else {
		add_receipt(json, call, receipt);
	}
}

static void add_tries(struct str *json, const struct call *call)
{
	str_add(json, ",\"targets\":[");
	for (size_t i = 0; i < call->try_count; i++) {
		const struct call_try *try = &call->tries[i];

		str_add(json, i ? ",{\"target\":" : "{\"target\":");
		str_add_json(json, try->label);
		record_add_text(json, "outcome", try->outcome);
		str_addf(json, ",\"status\":%d,\"ms\":%lld}", try->status,
			 (long long)(try->over_ms - try->began_ms));
	}
	str_add(json, "]");
}

/* The file of a message or of the call, or why there is none. */
static void add_recording(struct str *json, const struct call *call)
{
	const struct media_receipt *a = record_receipt(call, MEDIA_A);

	if (message_left(call))
		record_add_text(json, "recording", message_left(call));
	if (message_left(call) && !call->recorded)
		str_addf(json, ",\"recording_ms\":%u", record_receipt(call, MEDIA_B)->recorded_ms);
	if (a->record_dropped)
		str_addf(json, ",\"recording_dropped\":%llu",
			 (unsigned long long)a->record_dropped);
	if (a->record == MEDIA_RECORD_FAILED)
		record_add_text(json, "recording_why", "no file could be made");
	else if (a->record == MEDIA_RECORD_BROKEN)
		record_add_text(json, "recording_why", "the disk took no more");
	else if (a->record == MEDIA_RECORD_CODEC)
		record_add_text(json, "recording_why", "its codec is not decoded here");
}

/* Who and where, on both sides. */
static void add_sides(struct str *json, const struct call *call)
{
	const struct leg_info *a = call_caller(call);
	const struct call_side *b = call->side_b;

	record_add_text(json, "from", a->from_user);
	record_add_text(json, "asserted", a->asserted_user);
	record_add_text(json, "to", a->request_user);
	record_add_text(json, "source", a->source);
	record_add_text(json, "transport", sip_transport_name(a->transport));
	record_add_text(json, "call_id_a", a->call_id);
	record_add_text(json, "call_id_b", b ? b->call_id : "");
	record_add_text(json, "session_id", a->session_id);
	if (!b)
		return;
	record_add_text(json, "from_b", b->from);
	record_add_text(json, "asserted_b", b->asserted);
	record_add_text(json, "to_b", b->to);
	record_add_text(json, "source_b", b->source);
	record_add_text(json, "transport_b", b->transport);
}

static void add_times(struct str *json, const struct call *call, mono_ms now)
{
	long long talk = call->answered_ms ? record_span(call->answered_ms, now) : 0;

	add_moment(json, "ring", call, call->ringing_ms);
	add_moment(json, "answer", call, call->answered_ms);
	if (call->was_ahead)
		add_moment(json, "connected", call, call->connected_ms);
	if (now == RECORD_GOES_ON)
		add_gap(json, "end", CDR_GAP_END);
	else
		add_moment(json, "end", call, now);
	add_number(json, "pdd_ms", call->pdd_ms);
	add_number(json, "ring_ms", record_span(call->ringing_ms, call->answered_ms));
	if (now == RECORD_GOES_ON) {
		add_gap(json, "talk_ms", CDR_GAP_TALK);
		add_gap(json, "duration_ms", CDR_GAP_DURATION);
	} else {
		add_number(json, "talk_ms", talk);
		add_number(json, "duration_ms", now - call->started_ms);
	}
}

static void add_ending(struct str *json, const struct call *call, const struct ending *ending)
{
	record_add_text(json, "cause", cause_name(ending->cause));
	add_number(json, "q850", ending->q850 ? ending->q850 : cause_to_q850(ending->cause));
	add_number(json, "status",
		   call->a_answered ? 200
		   : ending->status ? ending->status
				    : cause_to_status(ending->cause));
	record_add_text(json, "ended_by", ending->by);
}

/* What was tried on the way. */
static void add_way(struct str *json, const struct call *call)
{
	add_number(json, "steps", call->steps_tried);
	add_name(json, "emergency");
	str_add(json, call->plan->emergency ? "true" : "false");
	if (call->transfers)
		str_addf(json, ",\"transfers\":%u,\"transferred\":[%s]", call->transfers,
			 record_text_or(call->moved.text, ""));
	if (call->try_count)
		add_tries(json, call);
	if (call->asked.length)
		str_addf(json, ",\"asked\":[%s]", call->asked.text);
}

static void add_media(struct str *json, const struct call *call)
{
	add_recording(json, call);
	record_add_text(json, "verdict", call_verdict_name(call->verdict));
	if (call->verdict_why)
		record_add_text(json, "verdict_why", call->verdict_why);
	record_add_text(json, "media", record_media_name(call));
	if (call->bypass)
		record_add_text(json, "bypass", call_bypass_name(call->bypass));
	add_side(json, "a", call, record_receipt(call, MEDIA_A));
	add_side(json, "b", call, record_receipt(call, MEDIA_B));
}

char *record_line(const struct call *call, const struct ending *ending, mono_ms now)
{
	struct str json = { 0 };

	str_reserve(&json, LINE_USUAL);
	str_add(&json, "{\"schema\":");
	str_add_int(&json, RECORD_SCHEMA);
	record_add_text(&json, "id", call->id);
	add_time(&json, "start", call->started_wall);
	record_add_text(&json, "direction", call_direction_name(call->plan->direction));
	record_add_text(&json, "route_type", route_type_name(call->plan->route_type));
	record_add_text(&json, "number", call->plan->number);
	if (call->plan->tenant)
		record_add_text(&json, "tenant", call->plan->tenant);
	record_add_text(&json, "service", call->plan->service);
	record_add_text(&json, "step", call_current_step(call)->label);
	add_sides(&json, call);
	add_ending(&json, call, ending);
	add_times(&json, call, now);
	add_way(&json, call);
	add_media(&json, call);
	str_add(&json, record_text_or(call->plan->record, ""));
	str_add(&json, "}");
	return str_take(&json);
}

void record_write(const struct call *call, const struct ending *ending, mono_ms now)
{
	char *line = record_line(call, ending, now);

	cdr_write(call->room->cdr, line, call->cdr_slot);
	free(line);
}

void record_answered(struct call *call)
{
	const struct ending killed = { .cause = CAUSE_INTERRUPTED, .by = "us" };
	char *line;

	if (!call->room->cdr)
		return;
	line = record_line(call, &killed, RECORD_GOES_ON);
	call->cdr_slot = cdr_answered(call->room->cdr, call->started_wall,
				      on_wall(call, call->answered_ms), line, call->cdr_slot);
	free(line);
}
