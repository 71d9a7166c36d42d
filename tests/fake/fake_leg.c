/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/fake_leg.h"

#undef NDEBUG /* the fakes judge their callers in every build */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "tas/sip/trace.h"

static struct leg *legs;
static size_t invites;
static int invite_error;
static unsigned long call_ids;
static struct leg_named replaced;
static int replaced_error;

static const char *keep(struct leg *leg, const char *text)
{
	assert(leg->text_count < ARRAY_SIZE(leg->texts));
	leg->texts[leg->text_count] = strdup(text ? text : "");
	return leg->texts[leg->text_count++];
}

void fake_leg_say(struct leg *leg, const char **field, const char *text)
{
	*field = keep(leg, text);
}

static struct leg *leg_new(bool outgoing)
{
	struct leg *leg = calloc(1, sizeof(*leg));
	char call_id[32];

	assert(leg);
	leg->outgoing = outgoing;
	leg->informs = true;
	leg->info.peer = outgoing ? -1 : 0;
	leg->info.max_forwards = 70;
	leg->info.headers = &leg->headers;
	leg->info.transport = SIP_TRANSPORT_TLS;
	snprintf(call_id, sizeof(call_id), "call-%lu", ++call_ids);
	leg->info.call_id = keep(leg, call_id);
	leg->info.from_display = leg->info.to_display = leg->info.asserted_user =
		leg->info.session_id = "";
	leg->info.to_user = leg->info.from_user = leg->info.request_user = "";
	leg->info.from_uri = leg->info.to_uri = leg->info.request_uri = "";
	leg->info.source = "192.0.2.1:5061";
	leg->next = legs;
	legs = leg;
	return leg;
}

struct leg *fake_leg_incoming(const char *request_user, const char *from_user, const char *sdp)
{
	struct leg *leg = leg_new(false);
	char uri[256];

	leg->info.request_user = keep(leg, request_user);
	leg->info.to_user = leg->info.request_user;
	leg->info.from_user = keep(leg, from_user);
	snprintf(uri, sizeof(uri), "sips:%s@tas.example.com", request_user);
	leg->info.request_uri = leg->info.to_uri = keep(leg, uri);
	snprintf(uri, sizeof(uri), "sips:%s@core.example.net", from_user);
	leg->info.from_uri = keep(leg, uri);
	leg->info.sdp = sdp ? keep(leg, sdp) : NULL;
	return leg;
}

struct leg *fake_leg_out(size_t nth)
{
	size_t from_last = 0;

	if (nth >= invites)
		return NULL;
	for (struct leg *leg = legs; leg; leg = leg->next)
		if (leg->outgoing && from_last++ == invites - 1 - nth)
			return leg;
	return NULL;
}

struct leg *fake_leg_last(void)
{
	for (struct leg *leg = legs; leg; leg = leg->next)
		if (leg->outgoing)
			return leg;
	return NULL;
}

size_t fake_leg_live_count(void)
{
	size_t count = 0;

	for (struct leg *leg = legs; leg; leg = leg->next)
		count += !leg->released;
	return count;
}

size_t fake_leg_invite_count(void)
{
	return invites;
}

void fake_leg_invite_fails(int err)
{
	invite_error = err;
}

static void leg_free(struct leg *leg)
{
	for (size_t i = 0; i < leg->done_count; i++) {
		free(leg->done[i].sdp);
		free(leg->done[i].headers);
	}
	for (size_t i = 0; i < leg->text_count; i++)
		free(leg->texts[i]);
	sip_headers_done(&leg->headers);
	free(leg->farewell_phrase);
	free(leg->farewell_reason);
	free(leg->farewell_headers);
	free(leg);
}

void fake_legs_reset(void)
{
	assert(fake_leg_live_count() == 0);
	while (legs) {
		struct leg *next = legs->next;

		leg_free(legs);
		legs = next;
	}
	invites = 0;
	replaced = (struct leg_named){ .leg = NULL };
	replaced_error = 0;
	invite_error = 0;
}

static void deliver(struct leg *leg, struct leg_event *event, const struct sip_headers *headers)
{
	static const struct sip_headers none;

	event->headers = headers ? headers : &none;
	if (!event->reason)
		event->reason = "said by the test";
	if (leg->released || leg->ended)
		return;
	leg->ended = event->type == LEG_EV_ENDED;
	leg->on_event(leg, event, leg->arg);
}

void fake_leg_event_headers(struct leg *leg, enum leg_event_type type, int status, const char *sdp,
			    const struct sip_headers *headers)
{
	struct leg_event event = { .type = type, .status = status, .sdp = sdp };

	if (type == LEG_EV_PROVISIONAL)
		leg->rang = true;
	if (type == LEG_EV_OFFER)
		leg->offer_in = true;
	if (type == LEG_EV_OFFER_ANSWERED) {
		leg->offer_out = false;
		leg->ack_owed = leg->offer_asked && status < 300;
	}
	if (type == LEG_EV_INFO_ANSWERED)
		leg->inform_out = false;
	if (type == LEG_EV_PRACKED)
		leg->agreed_early = true;
	if (type == LEG_EV_ANSWERED)
		leg->answered = true;
	if (type == LEG_EV_CONFIRMED)
		leg->confirmed = true;
	deliver(leg, &event, headers);
}

void fake_leg_reliable(struct leg *leg, int status, const char *sdp)
{
	struct leg_event event = {
		.type = LEG_EV_PROVISIONAL, .status = status, .sdp = sdp, .reliable = true
	};

	leg->rang = true;
	leg->prack_owed = sdp && !leg->info.sdp && !leg->agreed_early;
	leg->agreed_early = leg->agreed_early || (sdp && leg->info.sdp);
	deliver(leg, &event, NULL);
}

void fake_leg_refer(struct leg *leg, const char *user, const char *replaces)
{
	struct leg_refer refer = { .uri = "sip:x@pbx", .user = user, .replaces = replaces };
	struct leg_event event = { .type = LEG_EV_REFER, .refer = &refer };

	leg->refer_asked = true;
	deliver(leg, &event, NULL);
}

void fake_leg_replaced(struct leg *leg)
{
	fake_leg_named(leg, LEG_STAGE_TALKING, false);
}

void fake_leg_named(struct leg *leg, enum leg_stage stage, bool early_only)
{
	replaced = (struct leg_named){ .leg = leg, .stage = stage, .early_only = early_only };
}

void fake_leg_named_fails(int err)
{
	replaced_error = err;
}

void fake_leg_info(struct leg *leg, const char *type, const char *body)
{
	struct leg_event event = { .type = LEG_EV_INFO, .body_type = type, .body = body };

	leg->inform_in = true;
	deliver(leg, &event, NULL);
}

void fake_leg_update(struct leg *leg, const char *sdp)
{
	struct leg_event event = { .type = LEG_EV_OFFER, .sdp = sdp, .update = true };

	leg->offer_in = true;
	deliver(leg, &event, NULL);
}

void fake_leg_event(struct leg *leg, enum leg_event_type type, int status, const char *sdp)
{
	fake_leg_event_headers(leg, type, status, sdp, NULL);
}

void fake_leg_end_headers(struct leg *leg, enum leg_end_reason reason, int status,
			  const struct sip_headers *headers)
{
	struct leg_event event = {
		.type = LEG_EV_ENDED, .end = reason, .status = status, .rang = leg->rang
	};

	deliver(leg, &event, headers);
}

void fake_leg_end(struct leg *leg, enum leg_end_reason reason, int status)
{
	fake_leg_end_headers(leg, reason, status, NULL);
}

const struct fake_leg_done *fake_leg_did_nth(const struct leg *leg, size_t nth)
{
	return nth < leg->done_count ? &leg->done[nth] : NULL;
}

const struct fake_leg_done *fake_leg_did(const struct leg *leg)
{
	return leg->done_count ? &leg->done[leg->done_count - 1] : NULL;
}

static char *headers_text(const struct sip_headers *headers)
{
	struct str text = { 0 };

	for (size_t i = 0; headers && i < headers->count; i++)
		str_addf(&text, "%s: %s\n", headers->items[i].name, headers->items[i].value);
	return str_take(&text);
}

static int note(struct leg *leg, int what, int status, const char *sdp,
		const struct sip_headers *headers)
{
	struct fake_leg_done *done;

	assert(!leg->released);
	if (leg->done_count == FAKE_LEG_DONE_MAX) {
		free(leg->done[0].sdp);
		free(leg->done[0].headers);
		memmove(leg->done, leg->done + 1, sizeof(leg->done) - sizeof(leg->done[0]));
		leg->done_count--;
	}
	done = &leg->done[leg->done_count++];
	*done = (struct fake_leg_done){ .what = what, .status = status };
	done->sdp = str_dup_or_null(sdp);
	done->headers = headers_text(headers);
	return 0;
}

/* ---- leg.h ---- */

const char *leg_end_reason_name(enum leg_end_reason reason)
{
	static const char *const names[] = { "refused", "timeout", "tls",  "cancelled",
					     "bye",     "no_ack",  "lost", "expired" };

	return names[reason];
}

const struct leg_info *leg_info(const struct leg *leg)
{
	return &leg->info;
}

void leg_settle(struct leg *leg)
{
	leg->info.sdp = NULL;
	if (leg->outgoing)
		sip_headers_done(&leg->headers);
}

void leg_set_handler(struct leg *leg, leg_event_fn *on_event, void *arg)
{
	leg->on_event = on_event;
	leg->arg = arg;
}

int leg_invite(struct leg **ret_leg, struct sip_endpoint *endpoint, const struct leg_invite *invite,
	       leg_event_fn *on_event, void *arg)
{
	struct leg *leg;
	int err = invite_error;

	(void)endpoint;
	invite_error = 0;
	if (err)
		return err;
	leg = leg_new(true);
	leg->info.request_uri = keep(leg, invite->request_uri);
	leg->info.from_uri = keep(leg, invite->from_uri);
	leg->info.to_uri = keep(leg, invite->to_uri);
	leg->info.max_forwards = invite->max_forwards;
	leg->line = invite->line;
	leg->info.rel100 = invite->rel100;
	leg->info.sdp = invite->sdp ? keep(leg, invite->sdp) : NULL;
	leg->invited_with = leg->info.sdp;
	leg_set_handler(leg, on_event, arg);
	invites++;
	*ret_leg = leg;
	return 0;
}

const char *leg_told(const struct leg *leg)
{
	for (size_t i = leg->done_count; i > 0; i--)
		if (leg->done[i - 1].sdp)
			return leg->done[i - 1].sdp;
	return leg->invited_with;
}

int leg_provisional(struct leg *leg, int status, const char *reason, const char *sdp,
		    const struct sip_headers *headers)
{
	(void)reason;
	assert(!leg->outgoing && !leg->answered);
	return note(leg, FAKE_LEG_PROVISIONAL, status, sdp, headers);
}

int leg_provisional_reliably(struct leg *leg, int status, const char *reason, const char *sdp,
			     const struct sip_headers *headers)
{
	bool can = leg->info.rel100 != LEG_100REL_NONE;
	int err = leg_provisional(leg, status, reason, sdp, headers);

	leg->done[leg->done_count - 1].reliably = can;
	if (can && sdp && leg->info.sdp)
		leg->agreed_early = true; /* its PRACK is taken for granted */
	return err;
}

int leg_prack(struct leg *leg, const char *sdp)
{
	if (!leg->prack_owed || leg->answered)
		return -EINVAL;
	leg->prack_owed = false;
	leg->agreed_early = true;
	return note(leg, FAKE_LEG_PRACK, 0, sdp, NULL);
}

int leg_answer(struct leg *leg, const char *sdp, const struct sip_headers *headers)
{
	assert(!leg->outgoing && !leg->answered && !leg->ended);
	leg->answered = true;
	return note(leg, FAKE_LEG_ANSWER, 200, sdp, headers);
}

int leg_ack(struct leg *leg, const char *sdp)
{
	if (leg->acked || !leg->outgoing) { /* of a re-INVITE */
		if (!leg->ack_owed)
			return -EINVAL;
		leg->ack_owed = false;
	}
	assert(leg->answered);
	leg->acked = true;
	return note(leg, FAKE_LEG_ACK, 0, sdp, NULL);
}

int leg_offer(struct leg *leg, const char *sdp, bool update)
{
	return leg_offer_on(leg, sdp, update, NULL);
}

int leg_offer_on(struct leg *leg, const char *sdp, bool update, const struct sip_headers *headers)
{
	if (!leg->answered && !leg->agreed_early)
		return -EINVAL;
	if (!leg->answered && !update)
		return -EOPNOTSUPP;
	if (leg->offer_out || leg->offer_in)
		return -EBUSY;
	leg->offer_out = true;
	leg->offer_asked = !sdp;
	note(leg, FAKE_LEG_OFFER, 0, sdp, headers);
	leg->done[leg->done_count - 1].update = update;
	return 0;
}

int leg_offer_accept(struct leg *leg, const char *sdp)
{
	if (!leg->offer_in)
		return -EINVAL; /* cancelled */
	leg->offer_in = false;
	return note(leg, FAKE_LEG_OFFER_ACCEPT, 200, sdp, NULL);
}

int leg_offer_refuse(struct leg *leg, int status, const char *reason)
{
	(void)reason;
	if (!leg->offer_in)
		return -EINVAL; /* cancelled */
	leg->offer_in = false;
	return note(leg, FAKE_LEG_OFFER_REFUSE, status, NULL, NULL);
}

const char *fake_leg_phrase;

int leg_refer_answer(struct leg *leg, int status)
{
	if (!leg->refer_asked)
		return -EINVAL;
	leg->refer_asked = false;
	leg->refer_told = status == 202;
	return note(leg, FAKE_LEG_REFER_ANSWER, status, NULL, NULL);
}

int leg_refer_refuse(struct leg *leg, int status, const char *phrase)
{
	int err = leg_refer_answer(leg, status);

	if (!err)
		fake_leg_phrase = phrase;
	return err;
}

void leg_refer_report(struct leg *leg, int status, const char *phrase)
{
	(void)phrase;
	if (!leg->refer_told || leg->ended)
		return;
	leg->refer_told = status < 200;
	note(leg, FAKE_LEG_REFER_REPORT, status, NULL, NULL);
}

int leg_by_replaces(struct sip_endpoint *endpoint, const char *replaces,
		    struct leg_named *ret_named)
{
	(void)endpoint;
	assert(replaces);
	if (replaced_error)
		return replaced_error;
	if (replaced.stage != LEG_STAGE_OVER && (!replaced.leg || replaced.leg->released))
		return -ENOENT;
	*ret_named = replaced;
	return 0;
}

int leg_inform(struct leg *leg, const char *body_type, const char *body)
{
	(void)body_type;
	if (!leg->informs)
		return -EOPNOTSUPP;
	if (leg->inform_out)
		return -EBUSY;
	leg->inform_out = true;
	return note(leg, FAKE_LEG_INFORM, 0, body, NULL);
}

int leg_inform_answer(struct leg *leg, int status)
{
	if (!leg->inform_in)
		return -EINVAL;
	leg->inform_in = false;
	return note(leg, FAKE_LEG_INFORM_ANSWER, status, NULL, NULL);
}

struct leg *leg_release(struct leg *leg, const struct leg_farewell *farewell)
{
	if (!leg)
		return NULL;
	assert(!leg->released);
	leg->released = true;
	if (farewell) {
		leg->farewell_status = farewell->status;
		leg->farewell_phrase = str_dup_or_null(farewell->phrase);
		leg->farewell_reason = str_dup_or_null(farewell->reason);
		leg->farewell_headers = headers_text(farewell->headers);
	}
	return NULL;
}

/* ---- the trace, of which calls know only that it takes notes ---- */

static char trace_notes[8192];
static bool trace_follows;

struct sip_trace *fake_trace(bool follows)
{
	trace_notes[0] = '\0';
	trace_follows = follows;
	return (struct sip_trace *)(void *)trace_notes;
}

const char *fake_trace_notes(void)
{
	return trace_notes;
}

void sip_trace_call(struct sip_trace *trace, const char *call, const char *call_id,
		    const char *const names[static SIP_TRACE_NAMES])
{
	assert(*call && *call_id);
	sip_trace_note(trace, call, "[call %s %s]", names[0], names[1]);
}

void sip_trace_over(struct sip_trace *trace, const char *call)
{
	sip_trace_note(trace, call, "[over]");
}

bool sip_trace_listens(const struct sip_trace *trace)
{
	return trace != NULL;
}

bool sip_trace_is_followed(const struct sip_trace *trace, const char *call)
{
	assert(*call);
	return trace && trace_follows;
}

void sip_trace_link(struct sip_trace *trace, const char *call, const char *call_id)
{
	assert(*call && *call_id);
	sip_trace_note(trace, call, "[link]");
}

void sip_trace_note(struct sip_trace *trace, const char *call, const char *format, ...)
{
	size_t used = strlen(trace_notes);
	va_list args;

	assert(*call && *format);
	if (!trace)
		return;
	va_start(args, format);
	(void)vsnprintf(trace_notes + used, sizeof(trace_notes) - used, format, args);
	va_end(args);
	used = strlen(trace_notes);
	(void)snprintf(trace_notes + used, sizeof(trace_notes) - used, "|");
}
