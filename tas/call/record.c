/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - what stays of a call: two log lines, counters, and its parts of the
 * line that record_line.c writes. Numbers are masked in the log.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/e164.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/str.h"
#include "tas/call/call_state.h"
#include "tas/call/record_line.h"

static struct metric active =
	METRIC_GAUGE_SUM_INIT("breakout_calls_active", NULL, "Calls in progress");
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
	if (bypass && bypass != call->bypass) /* one that has another address to try counts once */
		metric_add(&bypassed[bypass], 1);
	call->bypass = bypass;
}

void record_result(enum cause cause)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, name_results);
	metric_add(&results[cause], 1);
}

static void count_for_tenant(const struct call *call)
{
	static struct metric_family ended = { .name = "breakout_tenant_calls_total",
					      .help = "Calls ended of a tenant's core",
					      .label = "tenant",
					      .kind = METRIC_COUNTER };
	struct metric *metric = call->plan->tenant ? metric_of(&ended, call->plan->tenant) : NULL;

	if (metric)
		metric_add(metric, 1);
}

void record_active(size_t count)
{
	metric_set(&active, (int64_t)count);
}

static void put(char *to, size_t room, const char *from)
{
	snprintf(to, room, "%s", record_text_or(from, ""));
}

void record_receipts(struct call *call)
{
	if (call->session && !call->receipts)
		call->receipts = calloc(2, sizeof(*call->receipts));
	for (int side = MEDIA_A; call->session && call->receipts && side <= MEDIA_B; side++)
		media_receipt(call->session, (enum media_side)side, &call->receipts[side]);
}

const struct media_receipt *record_receipt(const struct call *call, enum media_side side)
{
	static const struct media_receipt none;

	return call->receipts ? &call->receipts[side] : &none;
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
	if (call->plan->tenant)
		put(ret_info->tenant, sizeof(ret_info->tenant), call->plan->tenant);
	put(ret_info->step, sizeof(ret_info->step), call_current_step(call)->label);
	put(ret_info->from, sizeof(ret_info->from), a->from_user);
	put(ret_info->to, sizeof(ret_info->to), a->request_user);
	put(ret_info->call_id_a, sizeof(ret_info->call_id_a), a->call_id);
	put(ret_info->call_id_b, sizeof(ret_info->call_id_b),
	    call->side_b ? call->side_b->call_id : "");
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

/* Whoever is traced: the registered number, or who calls whom. */
static void begin_trace(const struct call *call, const struct leg_info *a)
{
	const char *const names[SIP_TRACE_NAMES] = { call->plan->number, a->from_user,
						     a->asserted_user, call->plan->called };

	sip_trace_call(call->room->trace, call->id, a->call_id, names);
}

void record_start(const struct call *call)
{
	const struct leg_info *a = leg_info(call->leg[MEDIA_A]);
	char number[32], from[32], to[32];

	e164_mask(call->plan->number, number, sizeof(number));
	e164_mask(a->from_user, from, sizeof(from));
	e164_mask(record_text_or(call->plan->called, a->request_user), to, sizeof(to));
	log_info("call",
		 "call=%s start direction=%s type=%s number=%s service=%s from=%s to=%s%s "
		 "call_id=%s session_id=%s",
		 call->id, call_direction_name(call->plan->direction),
		 route_type_name(call->plan->route_type), record_text_or(number, "-"),
		 record_text_or(call->plan->service, "-"), record_text_or(from, "-"),
		 record_text_or(to, "-"), call->plan->emergency ? " emergency=yes" : "",
		 record_text_or(a->call_id, "-"), record_text_or(a->session_id, "-"));
	begin_trace(call, a);
	sip_trace_note(
		call->room->trace, call->id, "start direction=%s type=%s number=%s service=%s%s",
		call_direction_name(call->plan->direction), route_type_name(call->plan->route_type),
		record_text_or(call->plan->number, "-"), record_text_or(call->plan->service, "-"),
		call->plan->emergency ? " emergency=yes" : "");
}

static void log_end(const struct call *call, const struct ending *ending, mono_ms now)
{
	const struct media_receipt *a = record_receipt(call, MEDIA_A);
	const struct media_receipt *b = record_receipt(call, MEDIA_B);

	log_info("call",
		 "call=%s end cause=%s by=%s state=%s step=\"%s\" pdd_ms=%lld ring_ms=%lld "
		 "talk_ms=%lld media=%s%s%s verdict=\"%s\" codec=%s/%s a_in=%llu a_out=%llu "
		 "b_in=%llu b_out=%llu a_lost=%llu b_lost=%llu a_jitter_ms=%.1f b_jitter_ms=%.1f "
		 "a_rtt_ms=%.1f b_rtt_ms=%.1f a_mos=%.1f b_mos=%.1f",
		 call->id, cause_name(ending->cause), ending->by,
		 call->a_answered ? "answered" : "unanswered", call_current_step(call)->label,
		 (long long)call->pdd_ms, record_span(call->ringing_ms, call->answered_ms),
		 call->answered_ms ? record_span(call->answered_ms, now) : 0,
		 record_media_name(call), call->bypass ? " bypass=" : "",
		 call_bypass_name(call->bypass), call_verdict_name(call->verdict),
		 record_text_or(a->codec, "-"), record_text_or(b->codec, "-"),
		 (unsigned long long)a->packets_in, (unsigned long long)a->packets_out,
		 (unsigned long long)b->packets_in, (unsigned long long)b->packets_out,
		 (unsigned long long)a->lost, (unsigned long long)b->lost, a->jitter_us / 1000.0,
		 b->jitter_us / 1000.0, a->rtt_us / 1000.0, b->rtt_us / 1000.0, a->mos, b->mos);
	sip_trace_note(call->room->trace, call->id, "end cause=%s by=%s media=%s codec=%s/%s",
		       cause_name(ending->cause), ending->by, call_verdict_name(call->verdict),
		       record_text_or(a->codec, "-"), record_text_or(b->codec, "-"));
	sip_trace_over(call->room->trace, call->id);
}

void record_leg_b(struct call *call, const struct leg *leg)
{
	const struct leg_info *info = leg_info(leg);
	const char *const texts[] = { info->call_id, info->source, info->from_user,
				      info->asserted_user, info->request_user };
	struct call_side *side;
	size_t room = 0;
	char *at;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		room += strlen(record_text_or(texts[i], "")) + 1;
	side = malloc(sizeof(*side) + room);
	free(call->side_b);
	call->side_b = side;
	if (!side)
		return; /* the record has no B, then */
	side->transport = sip_transport_name(info->transport);
	side->call_id = at = side->texts;
	side->source = at = stpcpy(at, record_text_or(texts[0], "")) + 1;
	side->from = at = stpcpy(at, record_text_or(texts[1], "")) + 1;
	side->asserted = at = stpcpy(at, record_text_or(texts[2], "")) + 1;
	side->to = at = stpcpy(at, record_text_or(texts[3], "")) + 1;
	(void)stpcpy(at, record_text_or(texts[4], ""));
}

void record_heard(struct call *call, const struct leg *leg)
{
	if (call->side_b && leg == call->leg[MEDIA_B] && !*call->side_b->source)
		record_leg_b(call, leg);
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
	record_add_text(&call->asked, "answer", summary);
	str_addf(&call->asked, ",\"ms\":%lld}", ms);
}

void record_transfer(struct call *call, enum media_side side, const char *to, const char *call_id)
{
	call->transfers++;
	str_addf(&call->moved, "%s{\"side\":\"%c\",\"after_ms\":%lld",
		 call->moved.length ? "," : "", side == MEDIA_A ? 'a' : 'b',
		 (long long)(clock_now() - call->started_ms));
	record_add_text(&call->moved, "to", to);
	record_add_text(&call->moved, "call_id", call_id);
	str_add(&call->moved, "}");
}

void record_refused(const struct call *call, const struct ending *ending)
{
	if (call->room->cdr)
		record_write(call, ending, clock_now());
	record_result(ending->cause);
	count_for_tenant(call);
}

void record_end(struct call *call, const struct ending *ending)
{
	mono_ms now = clock_now();

	record_tries_over(call, cause_name(ending->cause));
	log_end(call, ending, now);
	if (call->room->cdr)
		record_write(call, ending, now);
	record_result(ending->cause);
	count_for_tenant(call);
}
