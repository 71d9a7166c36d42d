/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const plan_names[] = {
	[RECORD_NATIVE] = "native",     [RECORD_LOOP] = "loop",       [RECORD_FORK] = "fork",
	[RECORD_FALLBACK] = "fallback", [RECORD_INGRESS] = "ingress",
};

const char *record_plan_name(enum record_plan plan)
{
	return plan_names[plan];
}

void record_copy(char *to, size_t room, const char *from)
{
	(void)snprintf(to, room, "%s", from);
	json_t *text = json_string(to);
	if (!text)
		for (char *c = to; *c; c++)
			*c = (char)((unsigned char)*c < 0x80 ? *c : '?');
	json_decref(text);
}

int record_create(struct record **ret_record, const char *caller, const char *called)
{
	static unsigned last_id;
	struct record *record = calloc(1, sizeof(*record));

	if (!record)
		return -ENOMEM;
	record->trace = json_array();
	if (!record->trace) {
		free(record);
		return -ENOMEM;
	}
	record->refs = 1;
	record->id = ++last_id;
	record->direction = "";
	record->started_ms = clock_now();
	record_copy(record->caller, sizeof(record->caller), caller);
	record_copy(record->called, sizeof(record->called), called);
	*ret_record = record;
	return 0;
}

struct record *record_ref(struct record *record)
{
	record->refs++;
	return record;
}

struct record *record_unref(struct record *record)
{
	if (!record || --record->refs)
		return NULL;
	for (size_t i = 0; i < RECORD_LEGS; i++)
		json_decref(record->legs[i].headers);
	json_decref(record->trace);
	free(record);
	return NULL;
}

static json_t *header_json(const struct sip_header *header)
{
	char name[64], value[1024];

	record_copy(name, sizeof(name), header->name);
	record_copy(value, sizeof(value), header->value);
	return json_pack("[s, s]", name, value);
}

static json_t *headers_json(const struct sip_headers *headers)
{
	json_t *list = json_array();

	for (size_t i = 0; i < headers->count; i++)
		(void)json_array_append_new(list, header_json(&headers->items[i]));
	return list;
}

static void trace(struct record *record, json_t *take_entry)
{
	(void)json_object_set_new(take_entry, "ms", json_integer(clock_now() - record->started_ms));
	(void)json_array_append_new(record->trace, take_entry);
}

void record_message(struct record *record, unsigned number, bool to_right, const char *text)
{
	const struct record_leg *leg = &record->legs[number - 1];
	char clean[320];

	record_copy(clean, sizeof(clean), text);
	trace(record,
	      json_pack("{s:i, s:s, s:s, s:s, s:s}", "leg", (int)number, "left", leg->left, "arrow",
			to_right ? "->" : "<-", "right", leg->right, "text", clean));
}

void record_note(struct record *record, const char *text)
{
	trace(record, json_pack("{s:s}", "text", text));
}

void record_leg(struct record *record, unsigned number, const char *left, const char *right,
		bool from_left, const struct leg_info *info)
{
	struct record_leg *leg = &record->legs[number - 1];
	char text[320];

	json_decref(leg->headers);
	*leg = (struct record_leg){
		.present = true,
		.from_left = from_left,
		.left = left,
		.right = right,
		.started_ms = clock_now(),
		.headers = headers_json(info->headers),
	};
	record_copy(leg->call_id, sizeof(leg->call_id), info->call_id);
	record_copy(leg->session_id, sizeof(leg->session_id), info->session_id);
	record_copy(leg->request_uri, sizeof(leg->request_uri), info->request_uri);
	record_copy(leg->from, sizeof(leg->from), info->from_uri);
	record_copy(leg->to, sizeof(leg->to), info->to_uri);
	record_copy(leg->source, sizeof(leg->source), info->source ? info->source : "");
	(void)snprintf(text, sizeof(text), "INVITE %s%s", info->request_uri,
		       info->sdp ? " (SDP)" : "");
	record_message(record, number, from_left, text);
}

void record_response(struct record *record, unsigned number, int status, const char *reason,
		     bool sdp)
{
	struct record_leg *leg = &record->legs[number - 1];
	char text[160];

	if (status >= 180 && status < 200 && !leg->ringing_ms)
		leg->ringing_ms = clock_now();
	if (status >= 200 && !leg->status) {
		leg->status = status;
		if (status < 300)
			leg->answered_ms = clock_now();
	}
	(void)snprintf(text, sizeof(text), "%d %s%s", status, reason, sdp ? " (SDP)" : "");
	record_message(record, number, !leg->from_left, text);
}

static void add_ms(json_t *object, const char *name, mono_ms since, mono_ms at)
{
	(void)json_object_set_new(object, name, at ? json_integer(at - since) : json_null());
}

static json_t *leg_json(const struct record *record, unsigned number)
{
	const struct record_leg *leg = &record->legs[number - 1];
	json_t *object = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:O}", "leg",
				   (int)number, "between", leg->left, "and", leg->right, "call_id",
				   leg->call_id, "session_id", leg->session_id, "request_uri",
				   leg->request_uri, "from", leg->from, "to", leg->to, "source",
				   leg->source, "status", leg->status, "headers", leg->headers);

	add_ms(object, "at_ms", record->started_ms, leg->started_ms);
	add_ms(object, "ring_ms", leg->started_ms, leg->ringing_ms);
	add_ms(object, "answer_ms", leg->started_ms, leg->answered_ms);
	return object;
}

json_t *record_json(const struct record *record)
{
	json_t *legs = json_array();

	for (unsigned number = 1; number <= RECORD_LEGS; number++)
		if (record->legs[number - 1].present)
			(void)json_array_append_new(legs, leg_json(record, number));
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:O}", "core_call",
			 (int)record->id, "plan", record_plan_name(record->plan), "direction",
			 record->direction, "caller", record->caller, "called", record->called,
			 "session_id", record->session_id, "over", record->over, "legs", legs,
			 "trace", record->trace);
}
