/* SPDX-License-Identifier: Apache-2.0 */
/* notes.c - what a call leaves in the trace while it goes on: how far its media is, what
 * passes each second, what is heard, and what the core knew of its number.
 *
 * Of every call when something changes; of one that is followed each second.
 */
#include <stdio.h>
#include <stdlib.h>
#include "tas/call/call_state.h"
#include "tas/call/record_line.h"

#define PULSE_MS 1000
#define ALIKE    20 /* percent: a rate that differs by less is the same */

void notes_media(const struct call *call, const struct media_event *event)
{
	static const char *const names[MEDIA_EV_COUNT] = {
		[MEDIA_EV_REFUSED] = "refused", [MEDIA_EV_FLOWING] = "flows",
		[MEDIA_EV_FAILED] = "failed",   [MEDIA_EV_SILENT] = "silent",
		[MEDIA_EV_PLAYED] = "played",   [MEDIA_EV_RECORDED] = "recorded",
		[MEDIA_EV_STEP] = "step"
	};

	if (names[event->type])
		sip_trace_note(call->room->trace, call->id, "media %s side=%s%s%s",
			       names[event->type], event->side == MEDIA_A ? "A" : "B",
			       event->reason ? ": " : "", event->reason ? event->reason : "");
}

static void notes_core(const struct call *call)
{
	const struct call_room *room = call->room;
	char text[192] = "";

	if (!room->standing || !call->plan->number[0] || !sip_trace_listens(room->trace))
		return;
	room->standing(call->plan->number, sip_trace_is_followed(room->trace, call->id), text,
		       sizeof(text), room->standing_arg);
	if (*text)
		sip_trace_note(room->trace, call->id, "core %s", text);
}

void notes_heard(const struct call *call)
{
	sip_trace_note(call->room->trace, call->id, "heard %s%s%s",
		       call_verdict_name(call->verdict), call->verdict_why ? ": " : "",
		       record_text_or(call->verdict_why, ""));
}

/* ---- what passes ---- */

static unsigned per_second(uint64_t now, uint64_t before, mono_ms ms)
{
	return now > before ? (unsigned)(((now - before) * 1000 + (uint64_t)ms / 2) / (uint64_t)ms)
			    : 0;
}

static bool is_alike(unsigned a, unsigned b)
{
	unsigned more = a > b ? a : b, less = a > b ? b : a;

	return (more - less) * 100 <= more * ALIKE;
}

static bool same_as_noted(const struct pulse *pulse, const struct pulse_side now[2])
{
	for (int side = MEDIA_A; side <= MEDIA_B; side++)
		if (!is_alike(now[side].in, pulse->noted[side].in) ||
		    !is_alike(now[side].out, pulse->noted[side].out) ||
		    now[side].lost != pulse->noted[side].lost ||
		    now[side].dropped != pulse->noted[side].dropped)
			return false;
	return true;
}

static void measure(const struct media_receipt *receipt, struct pulse_count *before, mono_ms ms,
		    struct pulse_side *ret_side)
{
	uint64_t dropped = receipt->dropped_auth + receipt->dropped_source + receipt->dropped_other;

	*ret_side = (struct pulse_side){
		.in = per_second(receipt->packets_in, before->in, ms),
		.out = per_second(receipt->packets_out, before->out, ms),
		.lost = (unsigned)(receipt->lost > before->lost ? receipt->lost - before->lost : 0),
		.dropped = (unsigned)(dropped > before->dropped ? dropped - before->dropped : 0),
		.jitter_ms = (receipt->jitter_us + 500) / 1000,
	};
	*before = (struct pulse_count){ receipt->packets_in, receipt->packets_out, receipt->lost,
					dropped };
}

static void side_text(const struct pulse_side *side, char name, char *ret_text, size_t room)
{
	char dropped[32] = "";

	if (side->dropped)
		(void)snprintf(dropped, sizeof(dropped), " dropped %u", side->dropped);
	(void)snprintf(ret_text, room, "%c in %u/s out %u/s lost %u%s jitter %u ms", name, side->in,
		       side->out, side->lost, dropped, side->jitter_ms);
}

static void note(struct call *call, const struct pulse_side now[2])
{
	char a[96], b[96];

	side_text(&now[MEDIA_A], 'A', a, sizeof(a));
	side_text(&now[MEDIA_B], 'B', b, sizeof(b));
	sip_trace_note(call->room->trace, call->id, "rtp %s, %s", a, b);
	call->pulse->noted[MEDIA_A] = now[MEDIA_A];
	call->pulse->noted[MEDIA_B] = now[MEDIA_B];
}

/* Since the last time; another session counts from 0 again. */
static void notes_rtp(struct call *call, struct pulse *pulse, bool whatever)
{
	mono_ms now = clock_now(), ms = now - pulse->at;
	struct media_receipt receipt;
	struct pulse_side sides[2];

	if (!call->session || ms <= 0)
		return;
	for (int side = MEDIA_A; side <= MEDIA_B; side++) {
		media_receipt(call->session, (enum media_side)side, &receipt);
		measure(&receipt, &pulse->count[side], ms, &sides[side]);
	}
	pulse->at = now;
	if (whatever || !same_as_noted(pulse, sides))
		note(call, sides);
}

static void on_pulse(struct timer *timer, void *arg)
{
	struct call *call = arg;

	if (sip_trace_listens(call->room->trace))
		notes_rtp(call, call->pulse, call->a_answered);
	timer_start(call->room->wheel, timer, clock_now() + PULSE_MS);
}

/* NULL: no memory. */
static struct pulse *pulse_of(struct call *call)
{
	if (call->pulse)
		return call->pulse;
	call->pulse = calloc(1, sizeof(*call->pulse));
	if (!call->pulse)
		return NULL;
	timer_init(&call->pulse->timer, on_pulse, call);
	call->pulse->at = call->started_ms;
	return call->pulse;
}

void notes_look(struct call *call)
{
	struct pulse *pulse =
		call->session && sip_trace_listens(call->room->trace) ? pulse_of(call) : NULL;

	if (pulse && !timer_active(&pulse->timer))
		notes_rtp(call, pulse, false);
}

void notes_begin(struct call *call)
{
	notes_core(call);
	if (sip_trace_is_followed(call->room->trace, call->id) && pulse_of(call))
		timer_start(call->room->wheel, &call->pulse->timer, clock_now() + PULSE_MS);
}

void notes_end(struct call *call)
{
	if (call->pulse)
		timer_cancel(&call->pulse->timer);
}
