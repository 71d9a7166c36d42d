/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/str.h"
#include "tas/admin/text.h"

/* ---- the question ---- */

json_t *explain_question(const json_t *record)
{
	static const char *const names[] = { "from", "asserted", "to",      "sender",
					     "load", "headers",  "privacy", "emergency" };
	json_t *question = json_object();

	for (size_t i = 0; question && i < ARRAY_SIZE(names); i++)
		if (json_object_get(record, names[i]))
			json_object_set(question, names[i], json_object_get(record, names[i]));
	if (question)
		json_object_set(question, "at", json_object_get(record, "start"));
	return question;
}

static const char *text_of(const json_t *question, const char *name)
{
	const char *text = json_string_value(json_object_get(question, name));

	return text ? text : "";
}

/* What clocks of the zone show, as if they were in Greenwich. */
static wall_ms shown(const struct config_zone *zone, wall_ms at)
{
	struct config_local local;
	struct tm tm = { 0 };

	config_zone_local(zone, at, &local);
	tm.tm_year = (int)local.year - 1900;
	tm.tm_mon = (int)local.month - 1;
	tm.tm_mday = (int)local.day;
	tm.tm_min = (int)local.minute; /* timegm() makes hours of them */
	return (wall_ms)timegm(&tm) * 1000;
}

/* The moment at which they show it; around a change to summer time one of two. */
static wall_ms when_shown(const struct config_zone *zone, wall_ms wanted)
{
	wall_ms at = wanted;

	for (int i = 0; i < 2; i++)
		at += wanted - shown(zone, at) - wanted % 60000;
	return at;
}

/* ISO 8601: "2026-12-24T18:00", seconds and thousandths if wanted, then a zone. */
static bool time_parse(const struct config *config, const char *text, wall_ms *ret_at)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M", &tm), *seconds;

	if (!rest)
		return false;
	seconds = *rest == ':' ? strptime(rest, ":%S", &tm) : rest;
	if (!seconds)
		return false;
	rest = seconds;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	*ret_at = (wall_ms)timegm(&tm) * 1000;
	if (*rest == '\0') {
		*ret_at = when_shown(config->time_zone, *ret_at);
		return true;
	}
	rest = strptime(rest, "%z", &tm);
	*ret_at -= (wall_ms)tm.tm_gmtoff * 1000;
	return rest && *rest == '\0';
}

/* An INVITE as it might have been. */
struct invite {
	struct leg_info info;
	struct sip_headers headers;
	char user[128], request_uri[256], from_uri[256], to_uri[256];
};

static const char *fill_headers(struct invite *invite, const json_t *question)
{
	const char *name;
	json_t *value;
	int err = 0;

	json_object_foreach(json_object_get(question, "headers"), name,
			    value) if (!err && json_is_string(value)) err =
		sip_headers_add(&invite->headers, name, json_string_value(value));
	if (!err && json_is_true(json_object_get(question, "privacy")) &&
	    !sip_headers_find(&invite->headers, "Privacy"))
		err = sip_headers_add(&invite->headers, "Privacy", "id");
	if (!err && json_is_true(json_object_get(question, "emergency")))
		err = sip_headers_add(&invite->headers, "Priority", "emergency");
	return err ? "a header is none that SIP could carry" : NULL;
}

/* The core that has the number sends its calls. */
static size_t tenant_of(const struct config *config, const json_t *question, bool caller)
{
	const char *number = text_of(question, caller ? "asserted" : "called");
	const struct config_registration *registration;

	if (caller && *number == '\0')
		number = text_of(question, "from");
	registration = config_find_number(config, number);
	return registration ? registration->tenant : 0;
}

/* The request URI's user: as recorded, or with the prefix the core would add. */
static const char *fill_user(struct invite *invite, const struct config *config,
			     const json_t *question)
{
	const char *called = text_of(question, "called"), *prefix = "";
	const char *direction = text_of(question, "direction");

	if (json_object_get(question, "to")) {
		snprintf(invite->user, sizeof(invite->user), "%s", text_of(question, "to"));
		return NULL;
	}
	if (strcmp(direction, "mo") == 0)
		prefix = config_tenant_prefix(config, tenant_of(config, question, true),
					      DIRECTION_MO);
	else if (strcmp(direction, "mt") == 0)
		prefix = config_tenant_prefix(config, tenant_of(config, question, false),
					      DIRECTION_MT);
	else if (*direction)
		return "direction is mo or mt";
	if (*called == '\0')
		return "called is missing: the number that was dialled";
	if (invite->info.peer != SERVICE_PEER_CORE || !prefix)
		prefix = "";
	snprintf(invite->user, sizeof(invite->user), "%s%s%s", *called == '+' ? "+" : "", prefix,
		 called + (*called == '+'));
	return NULL;
}

static const char *fill_sender(struct invite *invite, const struct service_room *room,
			       const json_t *question)
{
	const char *sender = text_of(question, "sender");
	const struct config *config = service_config(room);

	invite->info.peer = SERVICE_PEER_CORE;
	if (*sender == '\0' || strcmp(sender, "core") == 0)
		return NULL;
	for (size_t i = 0; i < config->trunk_count; i++)
		if (strcmp(config->trunks[i].name, sender) == 0)
			invite->info.peer = service_trunk_peer(room, i);
	return invite->info.peer == SERVICE_PEER_CORE ? "no trunk has the sender's name" : NULL;
}

/* NULL, or what is wrong with the question. */
static const char *fill(struct invite *invite, const struct service_room *room,
			const json_t *question)
{
	const struct config *config = service_config(room);
	const char *from = text_of(question, "from");
	const char *wrong = fill_sender(invite, room, question);

	if (!wrong)
		wrong = fill_user(invite, config, question);
	if (!wrong)
		wrong = fill_headers(invite, question);
	snprintf(invite->request_uri, sizeof(invite->request_uri), "sips:%s@%s", invite->user,
		 config->domain);
	snprintf(invite->to_uri, sizeof(invite->to_uri), "%s", invite->request_uri);
	snprintf(invite->from_uri, sizeof(invite->from_uri), "sips:%s%s%s", from, *from ? "@" : "",
		 config->domain);
	invite->info.request_user = invite->info.to_user = invite->user;
	invite->info.request_uri = invite->request_uri;
	invite->info.from_uri = invite->from_uri;
	invite->info.from_user = from;
	invite->info.from_display = invite->info.to_display = "";
	invite->info.to_uri = invite->to_uri;
	invite->info.asserted_user = text_of(question, "asserted");
	invite->info.call_id = invite->info.session_id = "";
	invite->info.source = "-";
	invite->info.transport = SIP_TRANSPORT_TLS;
	invite->info.max_forwards = 70;
	invite->info.headers = &invite->headers;
	return wrong;
}

/* ---- the answer ---- */

struct listener {
	json_t *notes, *rules;
	json_t *conditions; /* of the rule being looked at; owned until it is over */
};

static void on_condition(struct listener *listener, const struct service_thought *thought)
{
	if (!listener->conditions)
		listener->conditions = json_array();
	json_array_append_new(listener->conditions,
			      json_pack("{s:s, s:b, s:o, s:o}", "condition", thought->condition,
					"holds", thought->holds, "is", text_json(thought->is),
					"wanted", text_json(thought->wanted)));
}

static void on_thought(const struct service_thought *thought, void *arg)
{
	struct listener *listener = arg;

	if (thought->note) {
		json_array_append_new(listener->notes, text_json(thought->note));
		return;
	}
	if (thought->condition) {
		on_condition(listener, thought);
		return;
	}
	json_array_append_new(
		listener->rules,
		json_pack("{s:I, s:b, s:o}", "rule", (json_int_t)thought->rule, "taken",
			  thought->holds, "conditions",
			  listener->conditions ? listener->conditions : json_array()));
	listener->conditions = NULL;
}

static json_t *step_json(const struct call_step *step)
{
	json_t *json = json_pack("{s:o, s:b}", "step", text_json(step->label), "only_after_trouble",
				 step->only_after_trouble);
	json_t *targets = step->target_count ? json_array() : NULL;

	if (json && step->request_uri)
		json_object_set_new(json, "to", text_json(step->request_uri));
	if (json && step->from_uri)
		json_object_set_new(json, "from", text_json(step->from_uri));
	if (json && step->ring_ms)
		json_object_set_new(json, "ring_s", json_integer((json_int_t)step->ring_ms / 1000));
	for (size_t i = 0; i < step->target_count; i++)
		json_array_append_new(targets, step_json(&step->targets[i]));
	if (json && targets)
		json_object_set_new(json, "targets", targets);
	return json;
}

static json_t *plan_json(const struct call_plan *plan)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < plan->step_count; i++)
		json_array_append_new(steps, step_json(&plan->steps[i]));
	return steps;
}

/* Headers that a rule looks at, and of which the question says nothing. */
static json_t *unknown_headers(const struct config *config, const json_t *question)
{
	json_t *unknown = json_array();
	const json_t *known = json_object_get(question, "headers");

	for (size_t i = 0; i < config->watched_header_count; i++)
		if (!json_object_get(known, config->watched_headers[i]))
			json_array_append_new(unknown, json_string(config->watched_headers[i]));
	return unknown;
}

static void time_text(wall_ms at, char ret_text[static 32])
{
	time_t seconds = (time_t)(at / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(ret_text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static json_t *answer_json(const struct config *config, const struct call_plan *plan, wall_ms now,
			   struct listener *take_listener, const json_t *question)
{
	json_t *answer;
	char at[32];

	time_text(now, at);
	answer = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:o, s:b, s:o, s:o, s:o, s:o}", "config",
		config->version, "at", at, "direction", call_direction_name(plan->direction),
		"route_type", route_type_name(plan->route_type), "number", plan->number, "service",
		text_json(plan->service ? plan->service : ""), "emergency", plan->emergency,
		"notes", take_listener->notes, "rules", take_listener->rules, "plan",
		plan_json(plan), "unknown_headers", unknown_headers(config, question));
	if (answer && plan->tenant)
		json_object_set_new(answer, "tenant", json_string(plan->tenant));
	return answer;
}

static json_t *think(struct service_room *room, const struct invite *invite, wall_ms now,
		     const json_t *question)
{
	struct listener listener = { .notes = json_array(), .rules = json_array() };
	struct service_rehearsal rehearsal = {
		.now = now,
		.load = (unsigned)json_integer_value(json_object_get(question, "load")),
		.trace = on_thought,
		.arg = &listener,
	};
	struct call_plan *plan = service_rehearse(room, &invite->info, &rehearsal);
	json_t *answer;

	if (!plan) {
		json_decref(listener.notes);
		json_decref(listener.rules);
		json_decref(listener.conditions);
		return NULL;
	}
	answer = answer_json(service_config(room), plan, now, &listener, question);
	call_plan_free(plan);
	return answer;
}

json_t *explain(struct service_room *room, const json_t *question)
{
	const struct config *config = service_config(room);
	struct invite invite = { 0 };
	const char *wrong = fill(&invite, room, question), *at = text_of(question, "at");
	wall_ms now = clock_wall();
	json_t *answer;

	if (!wrong && *at && !time_parse(config, at, &now))
		wrong = "at is no time: write 2026-12-24T18:00, and Z or +01:00 for another zone "
			"than time_zone";
	answer = wrong ? json_pack("{s:s}", "error", wrong) : think(room, &invite, now, question);
	sip_headers_done(&invite.headers);
	return answer;
}
