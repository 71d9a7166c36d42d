/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/admin/traced.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tas/sip/endpoint.h"

#define SPAN_DEFAULT_S 3600
#define SPAN_MAX_S     (7 * 86400)
#define CALLS_MAX      100000
#define OFF            "no number can be traced: trace.dir_size is 0"

/* ---- one call ---- */

static void add_entry(const struct sip_trace_entry *entry, void *arg)
{
	char *text = strndup(entry->text, entry->length);
	json_t *json;

	if (!text)
		return;
	json = json_pack("{s:I, s:s, s:o}", "at", (json_int_t)entry->at, "kind",
			 entry->kind == SIP_TRACE_NOTE ? "note" : "message", "text",
			 text_json(text));
	free(text);
	if (json && entry->kind == SIP_TRACE_MESSAGE)
		json_object_update_new(
			json, json_pack("{s:b, s:s, s:s, s:i, s:s, s:i}", "sent", entry->sent,
					"transport", sip_transport_name(entry->transport), "local",
					entry->local, "local_port", entry->local_port, "remote",
					entry->remote, "remote_port", entry->remote_port));
	json_array_append_new(arg, json);
}

json_t *traced_recent(const struct admin_options *options, const char *call)
{
	const struct sip_trace *trace =
		options->endpoint ? sip_endpoint_trace(options->endpoint) : NULL;
	json_t *entries = json_array();

	if (!sip_trace_keeps(trace)) {
		json_decref(entries);
		return error_text("nothing is kept: trace.memory is 0, and `trace on NUMBER` was "
				  "not ordered for this call");
	}
	if (entries && !sip_trace_each(trace, call, add_entry, entries)) {
		json_decref(entries);
		return error_text("nothing is known of this call, or it was too long ago");
	}
	return json_pack("{s:s, s:I, s:b, s:o}", "call", call, "since",
			 (json_int_t)sip_trace_since(trace), "in_full", 0, "entries", entries);
}

json_t *traced_fullest(struct traced *traced, const char *call, json_t *take_recent)
{
	size_t recent = json_array_size(json_object_get(take_recent, "entries"));
	json_t *entries = traced ? json_array() : NULL;

	if (!entries || traced_read(traced, call, add_entry, entries) < recent ||
	    !json_array_size(entries)) {
		json_decref(entries);
		return take_recent;
	}
	json_decref(take_recent);
	return json_pack("{s:s, s:O, s:b, s:o}", "call", call, "since",
			 json_object_get(json_array_get(entries, 0), "at"), "in_full", 1, "entries",
			 entries);
}

/* ---- orders ---- */

static json_t *order_json(const struct traced_order *order)
{
	wall_ms now = clock_wall();

	return json_pack(
		"{s:s, s:o, s:I, s:I, s:o, s:i}", "number", order->number, "who",
		text_json(order->who), "since_s", (json_int_t)((now - order->since) / 1000),
		"left_s", (json_int_t)((order->until - now) / 1000), "calls",
		order->calls ? json_integer(order->calls) : json_null(), "seen", (int)order->seen);
}

static void add_call(const struct traced_call *call, void *arg)
{
	json_array_append_new(arg, json_pack("{s:I, s:o, s:o, s:o, s:I}", "began",
					     (json_int_t)call->began, "number",
					     text_json(call->number), "call", text_json(call->call),
					     "call_id", text_json(call->call_id), "bytes",
					     (json_int_t)call->bytes));
}

json_t *traced_list(struct traced *traced)
{
	struct traced_order *orders;
	json_t *numbers, *calls;
	size_t count;

	if (!traced)
		return error_text(OFF);
	orders = calloc(TRACED_NUMBERS_MAX, sizeof(*orders));
	numbers = json_array();
	calls = json_array();
	count = orders ? traced_orders(traced, orders) : 0;
	for (size_t i = 0; numbers && i < count; i++)
		json_array_append_new(numbers, order_json(&orders[i]));
	free(orders);
	if (calls)
		(void)traced_calls(traced, add_call, calls);
	return json_pack("{s:o, s:o, s:o}", "numbers", numbers, "kept", calls, "dir",
			 text_json(traced_dir(traced)));
}

/* NULL, or what is wrong. */
static const char *read_number(const json_t *order, char ret_number[static E164_ROOM])
{
	const char *number = json_string_value(json_object_get(order, "number"));

	if (!number || !e164_valid(number))
		return "say the number in E.164 form, such as +4799000001";
	strcpy(ret_number, number);
	return NULL;
}

static const char *read_terms(const json_t *json, struct traced_order *order)
{
	const json_t *span = json_object_get(json, "for_s"),
		     *calls = json_object_get(json, "calls");
	json_int_t span_s = span ? json_integer_value(span) : SPAN_DEFAULT_S;
	json_int_t count = json_integer_value(calls);

	if (span_s < 1 || span_s > SPAN_MAX_S)
		return "`for_s` is a number of seconds, at most a week: what was forgotten does "
		       "not "
		       "go on for ever";
	if (calls && (count < 1 || count > CALLS_MAX))
		return "`calls` is a number of calls, 1 to 100000";
	order->since = clock_wall();
	order->until = order->since + span_s * 1000;
	order->calls = (unsigned)count;
	return NULL;
}

/* Words of a file, and of the log. */
static void put_who(struct traced_order *order, const char *who)
{
	(void)snprintf(order->who, sizeof(order->who), "%s", *who ? who : "-");
	for (char *c = order->who; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
			*c = '_';
}

static json_t *failure(const struct traced *traced, int err)
{
	char text[512];

	if (err == -ENOSPC)
		return error_text("too many numbers are traced: `trace list` says which, `trace "
				  "off NUMBER` ends one");
	(void)snprintf(text, sizeof(text),
		       "the order cannot be kept in %.200s: %s: mend rights or trace.dir",
		       traced_dir(traced), strerror(-err));
	return error_text(text);
}

json_t *traced_begin(struct traced *traced, const char *text, const char *who)
{
	struct traced_order order = { .since = 0 };
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const char *wrong = traced ? read_number(json, order.number) : OFF;
	int err;

	if (!wrong)
		wrong = read_terms(json, &order);
	json_decref(json);
	if (wrong)
		return error_text(wrong);
	put_who(&order, who);
	err = traced_on(traced, &order);
	return err ? failure(traced, err) : json_pack("{s:o}", "traced", order_json(&order));
}

json_t *traced_end(struct traced *traced, const char *text, const char *who)
{
	char number[E164_ROOM] = "";
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	bool all = json_is_true(json_object_get(json, "all"));
	const char *wrong = !traced ? OFF : all ? NULL : read_number(json, number);
	int err;

	json_decref(json);
	if (wrong)
		return error_text(wrong);
	err = traced_off(traced, all ? NULL : number, who);
	if (err == -ENOENT)
		return error_text(all ? "no number is traced"
				      : "this number is not traced: `trace list` says which are");
	return err ? failure(traced, err) : json_pack("{s:s}", "ended", all ? "all" : number);
}
