/* SPDX-License-Identifier: Apache-2.0 */
/* verdict.c - whether people hear each other, and if not, what is known of why.
 *
 * One function judges from what both sides' packets say. A call is looked at soon
 * after its answer, and then from time to time until it ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/metrics.h"
#include "tas/call/call_state.h"
#include "tas/call/record_line.h"

#define FIRST_LOOK_MS 2000
#define LOOK_MS       5000 /* between two looks */
/* A side that pauses between words is not gone: those that suppress silence send
 * something every few hundred milliseconds (RFC 7587 3.1.3, RFC 3389). */
#define STOPPED_MS 5000

#define VERDICT_COUNT (VERDICT_BYPASSED + 1)
#define GAUGE(name)                                                                                \
	METRIC_GAUGE_SUM_INIT("breakout_calls_media", "verdict=\"" name "\"",                      \
			      "Answered calls in progress, by what is heard")
#define COUNTER(name)                                                                              \
	METRIC_COUNTER_INIT("breakout_call_media_total", "verdict=\"" name "\"",                   \
			    "Answered calls that ended, by what was heard last")

static struct metric running[VERDICT_COUNT] = {
	[VERDICT_NONE] = GAUGE("none"),         [VERDICT_OK] = GAUGE("ok"),
	[VERDICT_HELD] = GAUGE("held"),         [VERDICT_ONE_WAY] = GAUGE("one-way"),
	[VERDICT_NO_MEDIA] = GAUGE("no media"), [VERDICT_BYPASSED] = GAUGE("bypassed"),
};
static struct metric ended[VERDICT_COUNT] = {
	[VERDICT_NONE] = COUNTER("none"),         [VERDICT_OK] = COUNTER("ok"),
	[VERDICT_HELD] = COUNTER("held"),         [VERDICT_ONE_WAY] = COUNTER("one-way"),
	[VERDICT_NO_MEDIA] = COUNTER("no media"), [VERDICT_BYPASSED] = COUNTER("bypassed"),
};

const char *call_verdict_name(enum call_verdict verdict)
{
	switch (verdict) {
	case VERDICT_NONE:
		return "none";
	case VERDICT_OK:
		return "ok";
	case VERDICT_HELD:
		return "held";
	case VERDICT_ONE_WAY:
		return "one-way";
	case VERDICT_NO_MEDIA:
		return "no media";
	case VERDICT_BYPASSED:
		return "bypassed";
	}
	return "?";
}

size_t call_room_verdict_count(enum call_verdict verdict)
{
	return (size_t)metric_sum(&running[verdict]);
}

/* ---- judging ---- */

/* How far a side's transport has come, as far as it matters to one who looks for
 * the missing packets. */
static void tell_transport(const struct media_receipt *side, struct str *why)
{
	bool webrtc = side->kind == MEDIA_LEG_WEBRTC;

	if (webrtc && !side->ice_ok)
		str_add(why, "ICE has found no path");
	else if (webrtc)
		str_add(why, side->dtls_ok ? "ICE ok, DTLS ok" : "ICE ok, DTLS not finished");
	else
		str_addf(why, "plain RTP, its address is %s",
			 side->remote[0] ? side->remote : "not known");
	if (side->dropped_auth)
		str_addf(why, ", %llu packets failed authentication",
			 (unsigned long long)side->dropped_auth);
	if (side->dropped_source)
		str_addf(why, ", %llu packets came from another address",
			 (unsigned long long)side->dropped_source);
}

static bool is_silent(const struct media_receipt *side, mono_ms now)
{
	return side->kind != MEDIA_LEG_LOCAL &&
	       (side->packets_in == 0 || now - side->last_in_ms > STOPPED_MS);
}

static void tell_silence(const struct verdict_facts *facts, enum media_side which, struct str *why)
{
	const struct media_receipt *side = facts->receipt[which];

	if (side->packets_in == 0)
		str_addf(why, "nothing arrives from %s: ", facts->name[which]);
	else
		str_addf(why, "nothing more arrives from %s, for %lld s: ", facts->name[which],
			 (long long)(facts->now - side->last_in_ms) / 1000);
	tell_transport(side, why);
}

/* What arrives from one side is of no use to the other. */
static bool is_stuck(const struct verdict_facts *facts, enum media_side from, struct str *why)
{
	enum media_side to = from == MEDIA_A ? MEDIA_B : MEDIA_A;

	if (facts->receipt[to]->packets_out > 0)
		return false;
	str_addf(why, "nothing of %s can be sent to %s: ", facts->name[from], facts->name[to]);
	tell_transport(facts->receipt[to], why);
	if (facts->receipt[from]->dropped_other)
		str_addf(why, ", %llu packets of another codec than agreed, or broken",
			 (unsigned long long)facts->receipt[from]->dropped_other);
	return true;
}

static enum call_verdict judge_both(const struct verdict_facts *facts, struct str *why)
{
	const struct media_receipt *a = facts->receipt[MEDIA_A], *b = facts->receipt[MEDIA_B];
	bool silent_a = is_silent(a, facts->now), silent_b = is_silent(b, facts->now);

	if (silent_a)
		tell_silence(facts, MEDIA_A, why);
	if (silent_a && silent_b)
		str_add(why, "; ");
	if (silent_b)
		tell_silence(facts, MEDIA_B, why);
	if (silent_a && silent_b)
		return VERDICT_NO_MEDIA;
	if (silent_a || silent_b)
		return VERDICT_ONE_WAY;
	return is_stuck(facts, MEDIA_A, why) || is_stuck(facts, MEDIA_B, why) ? VERDICT_ONE_WAY
									      : VERDICT_OK;
}

static enum call_verdict judge_held(const struct verdict_facts *facts, struct str *why)
{
	bool by_a = !facts->receipt[MEDIA_B]->sends, by_b = !facts->receipt[MEDIA_A]->sends;

	str_addf(why, "by %s", by_a && by_b ? "both sides" : facts->name[by_a ? MEDIA_A : MEDIA_B]);
	return VERDICT_HELD;
}

enum call_verdict verdict_judge(const struct verdict_facts *facts, struct str *why)
{
	const struct media_receipt *a = facts->receipt[MEDIA_A], *b = facts->receipt[MEDIA_B];

	if (facts->bypassed)
		return VERDICT_BYPASSED;
	if (!a->agreed || !b->agreed) {
		str_add(why, "no answer to the SDP is in force");
		return VERDICT_NO_MEDIA;
	}
	if (a->sends && b->sends)
		return judge_both(facts, why);
	return judge_held(facts, why);
}

/* ---- watching ---- */

static const char *place_of(const struct call *call, enum media_side side)
{
	if (side == MEDIA_A)
		return call_caller(call)->peer == 0 ? "core" : call_caller(call)->source;
	return call_current_step(call)->to_core ? "core" : call_current_step(call)->label;
}

static void judge(struct call *call)
{
	char names[2][96];
	struct str why = { 0 };
	const struct verdict_facts facts = {
		.receipt = { record_receipt(call, MEDIA_A), record_receipt(call, MEDIA_B) },
		.name = { names[MEDIA_A], names[MEDIA_B] },
		.bypassed = !call->session,
		.now = clock_now(),
	};

	snprintf(names[MEDIA_A], sizeof(names[0]), "the caller (%s)", place_of(call, MEDIA_A));
	snprintf(names[MEDIA_B], sizeof(names[0]), "the callee (%s)", place_of(call, MEDIA_B));
	call->verdict = verdict_judge(&facts, &why);
	free(call->verdict_why);
	call->verdict_why = why.length ? str_take(&why) : NULL;
	str_done(&why);
}

static bool is_trouble(enum call_verdict verdict)
{
	return verdict == VERDICT_ONE_WAY || verdict == VERDICT_NO_MEDIA;
}

/* What is missing may still come. */
static bool is_early(const struct call *call)
{
	mono_ms since = call->connected_ms ? call->connected_ms : call->answered_ms;

	return is_trouble(call->verdict) && clock_now() - since < FIRST_LOOK_MS;
}

static void look(struct call *call)
{
	enum call_verdict before = call->verdict;

	record_receipts(call);
	notes_look(call);
	if (ahead_alone(call) || transfer_is_away(call))
		return;
	judge(call);
	if (is_early(call)) {
		call->verdict = VERDICT_NONE;
		free(call->verdict_why);
		call->verdict_why = NULL;
	}
	if (call->verdict == before)
		return;
	metric_add(&running[before], -1);
	metric_add(&running[call->verdict], 1);
	notes_heard(call);
	if (is_trouble(call->verdict))
		log_notice("call", "call=%s media=\"%s\" why=\"%s\"", call->id,
			   call_verdict_name(call->verdict), record_text_or(call->verdict_why, ""));
	else if (is_trouble(before))
		log_notice("call", "call=%s media=\"%s\" again", call->id,
			   call_verdict_name(call->verdict));
}

void verdict_on_timer(struct timer *timer, void *arg)
{
	struct call *call = arg;

	look(call);
	timer_start(call->room->wheel, timer, clock_now() + LOOK_MS);
}

void verdict_look_anew(struct call *call)
{
	timer_start(call->room->wheel, &call->look, clock_now() + FIRST_LOOK_MS);
}

void verdict_begin(struct call *call)
{
	metric_add(&running[VERDICT_NONE], 1);
	verdict_look_anew(call);
}

void verdict_end(struct call *call)
{
	timer_cancel(&call->look);
	if (!call->a_answered) {
		record_receipts(call);
		return;
	}
	look(call);
	metric_add(&running[call->verdict], -1);
	metric_add(&ended[call->verdict], 1);
}
