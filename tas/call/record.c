/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - what stays of a call: two log lines, one CDR line, counters.
 *
 * Numbers are whole in the CDR, which is the operator's own record, and
 * masked in the log.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/e164.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/str.h"
#include "tas/call/call_state.h"

static struct metric active = METRIC_GAUGE_INIT("breakout_calls_active", NULL, "Calls in progress");
static char result_labels[CAUSE_COUNT][48];
static struct metric results[CAUSE_COUNT];

static void name_results(void)
{
	for (int i = 0; i < CAUSE_COUNT; i++) {
		snprintf(result_labels[i], sizeof(result_labels[i]), "result=\"%s\"",
			 cause_name((enum cause)i));
		results[i].name = "breakout_calls_total";
		results[i].labels = result_labels[i];
		results[i].help = "Calls ended, by cause";
		results[i].kind = METRIC_COUNTER;
	}
}

#define BYPASSED(word)                                                                             \
	METRIC_COUNTER_INIT("breakout_calls_bypassed_total", "why=\"" word "\"",                   \
			    "Calls that went on without their media, by reason")

static struct metric bypassed[CALL_BYPASS_COUNT] = {
	[CALL_BYPASS_UNTOUCHED] = BYPASSED("untouched"),
	[CALL_BYPASS_RESCUE] = BYPASSED("rescue"),
	[CALL_BYPASS_LOOPS] = BYPASSED("loops"),
	[CALL_BYPASS_OVERLOAD] = BYPASSED("overload"),
	[CALL_BYPASS_NO_MEDIA] = BYPASSED("no media"),
};

const char *call_bypass_name(enum call_bypass bypass)
{
	switch (bypass) {
	case CALL_BYPASS_NOT:
		return "";
	case CALL_BYPASS_UNTOUCHED:
		return "untouched";
	case CALL_BYPASS_RESCUE:
		return "rescue";
	case CALL_BYPASS_LOOPS:
		return "loops";
	case CALL_BYPASS_OVERLOAD:
		return "overload";
	case CALL_BYPASS_NO_MEDIA:
		return "no media";
	}
	return "?";
}

void record_bypass(struct call *call, enum call_bypass bypass)
{
	call->bypass = bypass;
	if (bypass)
		metric_add(&bypassed[bypass], 1);
}

void record_result(enum cause cause)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, name_results);
	metric_add(&results[cause], 1);
}

void record_active(size_t count)
{
	metric_set(&active, (int64_t)count);
}

static const char *text_or(const char *text, const char *instead)
{
	return text && *text ? text : instead;
}

static const char *media_name(const struct call *call)
{
	return call->anchored ? "anchored" : "passed";
}

static void put(char *to, size_t room, const char *from)
{
	snprintf(to, room, "%s", text_or(from, ""));
}

void record_receipts(struct call *call)
{
	for (int side = MEDIA_A; call->session && side <= MEDIA_B; side++)
		media_receipt(call->session, (enum media_side)side, &call->receipt[side]);
}

void record_info(const struct call *call, struct call_info *ret_info)
{
	const struct leg_info *a = call_caller(call);

	memset(ret_info, 0, sizeof(*ret_info));
	put(ret_info->id, sizeof(ret_info->id), call->id);
	ret_info->state = call->state;
	ret_info->direction = call->plan->direction;
	ret_info->route_type = call->plan->route_type;
	put(ret_info->number, sizeof(ret_info->number), call->plan->number);
	put(ret_info->service, sizeof(ret_info->service), call->plan->service);
	put(ret_info->step, sizeof(ret_info->step), call_current_step(call)->label);
	put(ret_info->from, sizeof(ret_info->from), a->from_user);
	put(ret_info->to, sizeof(ret_info->to), a->request_user);
	put(ret_info->call_id_a, sizeof(ret_info->call_id_a), a->call_id);
	put(ret_info->call_id_b, sizeof(ret_info->call_id_b), call->call_id_b);
	put(ret_info->session_id, sizeof(ret_info->session_id), a->session_id);
	ret_info->started_ms = call->started_ms;
	ret_info->ringing_ms = call->ringing_ms;
	ret_info->answered_ms = call->answered_ms;
	ret_info->media = call->anchored;
	ret_info->bypass = call->bypass;
	for (int side = MEDIA_A; call->session && side <= MEDIA_B; side++)
		media_receipt(call->session, (enum media_side)side, &ret_info->receipt[side]);
	ret_info->verdict = call->verdict;
	put(ret_info->verdict_why, sizeof(ret_info->verdict_why), call->verdict_why);
}

void record_start(const struct call *call)
{
	const struct leg_info *a = leg_info(call->leg[MEDIA_A]);
	char number[32], from[32], to[32];

	e164_mask(call->plan->number, number, sizeof(number));
	e164_mask(a->from_user, from, sizeof(from));
	e164_mask(a->request_user, to, sizeof(to));
	log_info("call",
		 "call=%s start direction=%s type=%s number=%s service=%s from=%s to=%s%s "
		 "call_id=%s session_id=%s",
		 call->id, call_direction_name(call->plan->direction),
		 route_type_name(call->plan->route_type), text_or(number, "-"),
		 text_or(call->plan->service, "-"), text_or(from, "-"), text_or(to, "-"),
		 call->plan->emergency ? " emergency=yes" : "", text_or(a->call_id, "-"),
		 text_or(a->session_id, "-"));
	sip_trace_link(call->room->trace, call->id, a->call_id);
	sip_trace_note(
		call->room->trace, call->id, "start direction=%s type=%s number=%s service=%s%s",
		call_direction_name(call->plan->direction), route_type_name(call->plan->route_type),
		text_or(call->plan->number, "-"), text_or(call->plan->service, "-"),
		call->plan->emergency ? " emergency=yes" : "");
}

/* Milliseconds between two moments, or -1 while one of them never came. */
static long long span(mono_ms from, mono_ms to)
{
	return from && to ? (long long)(to - from) : -1;
}

static void add_text(struct str *json, const char *name, const char *value)
{
	str_addf(json, ",\"%s\":", name);
	str_add_json(json, text_or(value, ""));
}

static void add_time(struct str *json, wall_ms wall)
{
	time_t seconds = (time_t)(wall / 1000);
	struct tm tm;
	char text[32];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	str_addf(json, ",\"start\":\"%s.%03dZ\"", text, (int)(wall % 1000));
}

/* Milliseconds after the call's beginning, or -1. */
static long long after_start(const struct call *call, mono_ms moment)
{
	return moment ? (long long)(moment - call->started_ms) : -1;
}

static void add_quality(struct str *json, const struct media_receipt *receipt,
			const struct call *call)
{
	str_addf(json,
		 ",\"duplicates\":%llu,\"reordered\":%llu,\"jitter_ms\":%.1f,\"gap_ms\":%u"
		 ",\"first_ms\":%lld,\"last_ms\":%lld,\"mos\":%.2f",
		 (unsigned long long)receipt->duplicates, (unsigned long long)receipt->reordered,
		 receipt->jitter_us / 1000.0, receipt->gap_ms,
		 after_start(call, receipt->first_in_ms), after_start(call, receipt->last_in_ms),
		 receipt->mos);
	if (receipt->rtt_us)
		str_addf(json, ",\"rtt_ms\":%.1f", receipt->rtt_us / 1000.0);
	if (receipt->reported)
		str_addf(json, ",\"reported\":{\"lost\":%d,\"lost_percent\":%u,\"jitter_ms\":%.1f}",
			 (int)receipt->reported_lost, receipt->reported_percent,
			 receipt->reported_jitter_us / 1000.0);
}

static void add_side(struct str *json, const char *name, const struct call *call,
		     const struct media_receipt *receipt)
{
	uint64_t dropped = receipt->dropped_auth + receipt->dropped_source + receipt->dropped_other;

	str_addf(json, ",\"%s\":{\"codec\":", name);
	str_add_json(json, receipt->codec);
	str_addf(json,
		 ",\"packets_in\":%llu,\"packets_out\":%llu,\"bytes_in\":%llu,\"bytes_out\":%llu"
		 ",\"lost\":%llu,\"dropped\":%llu",
		 (unsigned long long)receipt->packets_in, (unsigned long long)receipt->packets_out,
		 (unsigned long long)receipt->bytes_in, (unsigned long long)receipt->bytes_out,
		 (unsigned long long)receipt->lost, (unsigned long long)dropped);
	add_quality(json, receipt, call);
	str_add(json, "}");
}

static void add_tries(struct str *json, const struct call *call)
{
	str_add(json, ",\"targets\":[");
	for (size_t i = 0; i < call->try_count; i++) {
		const struct call_try *try = &call->tries[i];

		str_add(json, i ? ",{\"target\":" : "{\"target\":");
		str_add_json(json, try->label);
		add_text(json, "outcome", try->outcome);
		str_addf(json, ",\"status\":%d,\"ms\":%lld}", try->status,
			 (long long)(try->over_ms - try->began_ms));
	}
	str_add(json, "]");
}

/* The file of a message or of the call, or why there is none. */
static void add_recording(struct str *json, const struct call *call)
{
	const struct media_receipt *a = &call->receipt[MEDIA_A];

	if (message_left(call))
		add_text(json, "recording", message_left(call));
	if (message_left(call) && !call->recorded)
		str_addf(json, ",\"recording_ms\":%u", call->receipt[MEDIA_B].recorded_ms);
	if (a->record_dropped)
		str_addf(json, ",\"recording_dropped\":%llu",
			 (unsigned long long)a->record_dropped);
	if (a->record == MEDIA_RECORD_FAILED)
		add_text(json, "recording_why", "no file could be made");
	else if (a->record == MEDIA_RECORD_BROKEN)
		add_text(json, "recording_why", "the disk took no more");
	else if (a->record == MEDIA_RECORD_CODEC)
		add_text(json, "recording_why", "its codec is not decoded here");
}

static void write_cdr(const struct call *call, const struct ending *ending, mono_ms now)
{
	const struct leg_info *a = call_caller(call);
	struct str json = { 0 };
	char *line;

	str_addf(&json, "{\"id\":\"%s\"", call->id);
	add_time(&json, call->started_wall);
	add_text(&json, "direction", call_direction_name(call->plan->direction));
	add_text(&json, "route_type", route_type_name(call->plan->route_type));
	add_text(&json, "number", call->plan->number);
	add_text(&json, "service", call->plan->service);
	add_text(&json, "step", call_current_step(call)->label);
	add_text(&json, "from", a->from_user);
	add_text(&json, "asserted", a->asserted_user);
	add_text(&json, "to", a->request_user);
	add_text(&json, "call_id_a", a->call_id);
	add_text(&json, "call_id_b", call->call_id_b);
	add_text(&json, "session_id", a->session_id);
	add_text(&json, "source", a->source);
	add_text(&json, "cause", cause_name(ending->cause));
	str_addf(&json, ",\"q850\":%d,\"status\":%d",
		 ending->q850 ? ending->q850 : cause_to_q850(ending->cause),
		 call->a_answered ? 200
		 : ending->status ? ending->status
				  : cause_to_status(ending->cause));
	add_text(&json, "ended_by", ending->by);
	str_addf(&json, ",\"pdd_ms\":%lld,\"ring_ms\":%lld,\"talk_ms\":%lld,\"duration_ms\":%lld",
		 (long long)call->pdd_ms, span(call->ringing_ms, call->answered_ms),
		 call->answered_ms ? span(call->answered_ms, now) : 0,
		 (long long)(now - call->started_ms));
	str_addf(&json, ",\"steps\":%u,\"emergency\":%s", call->steps_tried,
		 call->plan->emergency ? "true" : "false");
	if (call->transfers)
		str_addf(&json, ",\"transfers\":%u,\"transferred\":[%s]", call->transfers,
			 text_or(call->moved.text, ""));
	if (call->try_count)
		add_tries(&json, call);
	if (call->asked.length)
		str_addf(&json, ",\"asked\":[%s]", call->asked.text);
	add_recording(&json, call);
	add_text(&json, "verdict", call_verdict_name(call->verdict));
	if (call->verdict_why[0])
		add_text(&json, "verdict_why", call->verdict_why);
	add_text(&json, "media", media_name(call));
	if (call->bypass)
		add_text(&json, "bypass", call_bypass_name(call->bypass));
	add_side(&json, "a", call, &call->receipt[MEDIA_A]);
	add_side(&json, "b", call, &call->receipt[MEDIA_B]);
	str_add(&json, text_or(call->plan->record, ""));
	str_add(&json, "}");

	line = str_take(&json);
	cdr_write(call->room->cdr, line);
	free(line);
}

static void log_end(const struct call *call, const struct ending *ending, mono_ms now)
{
	const struct media_receipt *a = &call->receipt[MEDIA_A], *b = &call->receipt[MEDIA_B];

	log_info("call",
		 "call=%s end cause=%s by=%s state=%s step=\"%s\" pdd_ms=%lld ring_ms=%lld "
		 "talk_ms=%lld media=%s%s%s verdict=\"%s\" codec=%s/%s a_in=%llu a_out=%llu "
		 "b_in=%llu b_out=%llu a_lost=%llu b_lost=%llu a_jitter_ms=%.1f b_jitter_ms=%.1f "
		 "a_rtt_ms=%.1f b_rtt_ms=%.1f a_mos=%.1f b_mos=%.1f",
		 call->id, cause_name(ending->cause), ending->by,
		 call->a_answered ? "answered" : "unanswered", call_current_step(call)->label,
		 (long long)call->pdd_ms, span(call->ringing_ms, call->answered_ms),
		 call->answered_ms ? span(call->answered_ms, now) : 0, media_name(call),
		 call->bypass ? " bypass=" : "", call_bypass_name(call->bypass),
		 call_verdict_name(call->verdict), text_or(a->codec, "-"), text_or(b->codec, "-"),
		 (unsigned long long)a->packets_in, (unsigned long long)a->packets_out,
		 (unsigned long long)b->packets_in, (unsigned long long)b->packets_out,
		 (unsigned long long)a->lost, (unsigned long long)b->lost, a->jitter_us / 1000.0,
		 b->jitter_us / 1000.0, a->rtt_us / 1000.0, b->rtt_us / 1000.0, a->mos, b->mos);
	sip_trace_note(call->room->trace, call->id, "end cause=%s by=%s media=%s codec=%s/%s",
		       cause_name(ending->cause), ending->by, call_verdict_name(call->verdict),
		       text_or(a->codec, "-"), text_or(b->codec, "-"));
}

struct call_try *record_try(struct call *call, const char *label)
{
	struct call_try *try;

	if (!call->tries)
		call->tries = calloc(CALL_TRY_MAX, sizeof(*call->tries));
	if (!call->tries || call->try_count == CALL_TRY_MAX)
		return NULL;
	try = &call->tries[call->try_count++];
	*try = (struct call_try){ .label = label, .began_ms = clock_now() };
	return try;
}

void record_try_over(struct call_try *try, const char *outcome, int status)
{
	if (!try || try->outcome)
		return;
	try->outcome = outcome;
	try->status = status;
	try->over_ms = clock_now();
}

void record_tries_over(struct call *call, const char *outcome)
{
	for (size_t i = 0; i < call->try_count; i++)
		record_try_over(&call->tries[i], outcome, 0);
}

void record_advice(struct call *call, const char *summary)
{
	long long ms = clock_now() - call->ask_ms;

	log_info("call", "call=%s step=\"%s\" says \"%s\" ms=%lld", call->id,
		 call_current_step(call)->label, summary, ms);
	str_add(&call->asked, call->asked.length ? ",{\"step\":" : "{\"step\":");
	str_add_json(&call->asked, call_current_step(call)->label);
	add_text(&call->asked, "answer", summary);
	str_addf(&call->asked, ",\"ms\":%lld}", ms);
}

void record_transfer(struct call *call, enum media_side side, const char *to, const char *call_id)
{
	call->transfers++;
	str_addf(&call->moved, "%s{\"side\":\"%c\",\"after_ms\":%lld",
		 call->moved.length ? "," : "", side == MEDIA_A ? 'a' : 'b',
		 (long long)(clock_now() - call->started_ms));
	add_text(&call->moved, "to", to);
	add_text(&call->moved, "call_id", call_id);
	str_add(&call->moved, "}");
}

void record_refused(const struct call *call, const struct ending *ending)
{
	if (call->room->cdr)
		write_cdr(call, ending, clock_now());
	record_result(ending->cause);
}

void record_end(struct call *call, const struct ending *ending)
{
	mono_ms now = clock_now();

	record_tries_over(call, cause_name(ending->cause));
	log_end(call, ending, now);
	if (call->room->cdr)
		write_cdr(call, ending, now);
	record_result(ending->cause);
}
