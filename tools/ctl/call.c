/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - `breakoutctl calls ID`: all that is known of one call, running or past. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "tools/ctl/ctl.h"
#include "tools/look/entry.h"
#include "tools/ctl/past.h"

/* "title     a, b, c" of what is there; nothing if nothing is. */
struct row {
	const char *title;
	bool begun;
};

static void begin(struct row *row)
{
	if (row->begun)
		fputs(", ", stdout);
	else
		printf("%-10s ", row->title);
	row->begun = true;
}

static void add(struct row *row, const char *before, const char *text)
{
	if (!*text)
		return;
	begin(row);
	printf("%s%s", before, text);
}

static void end(const struct row *row)
{
	if (row->begun)
		putchar('\n');
}

/* ---- the parts ---- */

static void show_head(const json_t *call)
{
	struct row row = { .title = "call" };

	add(&row, "", entry_text(call, "id"));
	add(&row, "", entry_text(call, "direction"));
	add(&row, "", entry_text(call, "route_type"));
	add(&row, "of ", entry_text(call, "number"));
	add(&row, "tenant ", entry_text(call, "tenant"));
	add(&row, "", json_is_true(json_object_get(call, "emergency")) ? "EMERGENCY" : "");
	end(&row);
}

static void show_running(const json_t *call)
{
	long long talk_ms = entry_number(call, "talk_ms");

	printf("%-10s %s, began %.1f s ago", "now", entry_text(call, "state"),
	       (double)entry_number(call, "age_ms") / 1000);
	if (talk_ms)
		printf(", answered for %.1f s", (double)talk_ms / 1000);
	putchar('\n');
}

static void show_times(const json_t *record)
{
	static const char *const names[] = { "start", "ring", "answer", "end" };
	struct row row = { .title = "times" }, lengths = { .title = "" };
	long long pdd_ms = entry_number(record, "pdd_ms");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (*entry_text(record, names[i])) {
			begin(&row);
			printf("%s %s", names[i], entry_text(record, names[i]));
		}
	end(&row);
	begin(&lengths);
	printf("talk %.1f s of %.1f s", (double)entry_number(record, "talk_ms") / 1000,
	       (double)entry_number(record, "duration_ms") / 1000);
	if (pdd_ms >= 0)
		printf(", post-dial delay %lld ms", pdd_ms);
	end(&lengths);
}

static void show_end(const json_t *record)
{
	printf("%-10s %s by %s, status %lld, Q.850 %lld\n", "ended", entry_text(record, "cause"),
	       entry_text(record, "ended_by"), entry_number(record, "status"),
	       entry_number(record, "q850"));
}

static void show_who(const json_t *call)
{
	struct row caller = { .title = "caller" }, called = { .title = "called" };

	add(&caller, "", entry_text(call, "caller"));
	add(&caller, "From ", entry_text(call, "from"));
	add(&caller, "asserted ", entry_text(call, "asserted"));
	add(&caller, "presented as ", entry_text(call, "presented"));
	add(&caller, "", json_is_true(json_object_get(call, "privacy")) ? "wants privacy" : "");
	end(&caller);
	add(&called, "", entry_text(call, "called"));
	add(&called, "request URI ", entry_text(call, "to"));
	end(&called);
}

static void show_sides(const json_t *call)
{
	struct row a = { .title = "side A" }, b = { .title = "side B" };
	struct row session = { .title = "Session-ID" };

	add(&a, "", entry_text(call, "sender"));
	add(&a, "", entry_text(call, "transport"));
	add(&a, "", entry_text(call, "source"));
	add(&a, "Call-ID ", entry_text(call, "call_id_a"));
	end(&a);
	add(&b, "", entry_text(call, "transport_b"));
	add(&b, "", entry_text(call, "source_b"));
	add(&b, "to ", entry_text(call, "to_b"));
	add(&b, "From ", entry_text(call, "from_b"));
	add(&b, "Call-ID ", entry_text(call, "call_id_b"));
	end(&b);
	add(&session, "", entry_text(call, "session_id"));
	end(&session);
}

static void add_each(struct row *row, const json_t *words)
{
	size_t i;
	json_t *word;

	json_array_foreach((json_t *)words, i, word) /* the macro only reads */
	{
		const char *text = json_string_value(word);

		add(row, "", text ? text : "");
	}
	end(row);
}

static void show_decision(const json_t *call)
{
	struct row service = { .title = "service" }, asked = { .title = "asked" };
	size_t i;
	json_t *question;

	add(&service, "", entry_text(call, "service"));
	add(&service, "step ", entry_text(call, "step"));
	add(&service, "configuration ", entry_text(call, "config"));
	end(&service);
	add_each(&(struct row){ .title = "rules" }, json_object_get(call, "rules"));
	add_each(&(struct row){ .title = "plan" }, json_object_get(call, "plan"));
	json_array_foreach(json_object_get(call, "asked"), i, question)
	{
		begin(&asked);
		printf("%s: %s after %lld ms", entry_text(question, "step"),
		       entry_text(question, "answer"), entry_number(question, "ms"));
	}
	end(&asked);
}

static void show_others(const json_t *call)
{
	struct row rang = { .title = "rang" }, moved = { .title = "moved" };
	size_t i;
	json_t *item;

	json_array_foreach(json_object_get(call, "targets"), i, item)
	{
		begin(&rang);
		printf("%s: %s after %lld ms", entry_text(item, "target"),
		       entry_text(item, "outcome"), entry_number(item, "ms"));
	}
	end(&rang);
	json_array_foreach(json_object_get(call, "transferred"), i, item)
	{
		begin(&moved);
		printf("side %s after %lld ms: %s", entry_text(item, "side"),
		       entry_number(item, "after_ms"), entry_text(item, "to"));
	}
	end(&moved);
}

static void show_receipt(const char *title, const json_t *receipt)
{
	const json_t *rtt = json_object_get(receipt, "rtt_ms");
	struct row row = { .title = title };

	if (!receipt)
		return;
	add(&row, "", entry_text(receipt, "codec"));
	add(&row, "", entry_text(receipt, "profile"));
	begin(&row);
	printf("in %lld, out %lld, lost %lld, dropped %lld, jitter %.1f ms, MOS %.1f",
	       entry_number(receipt, "packets_in"), entry_number(receipt, "packets_out"),
	       entry_number(receipt, "lost"), entry_number(receipt, "dropped"),
	       json_number_value(json_object_get(receipt, "jitter_ms")),
	       json_number_value(json_object_get(receipt, "mos")));
	if (rtt)
		printf(", round trip %.0f ms", json_number_value(rtt));
	end(&row);
}

static void show_media(const json_t *call)
{
	const json_t *media = json_object_get(call, "media");
	struct row row = { .title = "media" }, recording = { .title = "recording" };

	add(&row, "", json_is_true(media) ? "anchored" : entry_text(call, "media"));
	add(&row, "passed by us: ", entry_text(call, "bypass"));
	add(&row, "", entry_text(call, "verdict"));
	add(&row, "", entry_text(call, "verdict_why"));
	end(&row);
	show_receipt("  from A", json_object_get(call, "a"));
	show_receipt("  from B", json_object_get(call, "b"));
	add(&recording, "", entry_text(call, "recording"));
	add(&recording, "", entry_text(call, "recording_why"));
	end(&recording);
}

static void show_call(const json_t *call, bool running)
{
	show_head(call);
	if (running) {
		show_running(call);
	} else {
		show_times(call);
		show_end(call);
	}
	show_who(call);
	show_sides(call);
	show_decision(call);
	show_others(call);
	show_media(call);
	printf("\nwhat was said: breakoutctl trace %s\n", entry_text(call, "id"));
	if (!running)
		printf("why it went there: breakoutctl explain %s\n", entry_text(call, "id"));
}

/* ---- where it is ---- */

/* A new reference; NULL if it does not run, or nobody can say: then *ret_status is why. */
static json_t *find_running(const struct options *options, int *ret_status)
{
	json_t *answer = ask_or_say(options, "calls", ret_status), *call, *found = NULL;
	size_t i;

	json_array_foreach(json_object_get(answer, "calls"), i,
			   call) if (past_is_call(call, options->argument)) found =
		json_incref(call);
	json_decref(answer);
	return found;
}

/* What the daemon's trace says of a moment; without one what the record does. */
static int run_call_at(const struct options *options)
{
	struct str request = { 0 };
	int status = STATUS_OK;
	json_t *trace = NULL, *record = NULL;
	bool asked = false;
	char *path;

	str_addf(&request, "trace %s", options->argument);
	if (request.text && !options->explain.cdr)
		asked = ask(options->socket_path, request.text, &trace) == 0;
	str_done(&request);
	if (asked && json_object_get(trace, "entries")) {
		status = show_standing(options, trace, NULL);
		json_decref(trace);
		return status;
	}
	json_decref(trace);
	path = record_path(options, NULL, &status);
	record = path ? past_find(path, options->argument) : NULL;
	free(path);
	if (record)
		status = show_standing(options, NULL, record);
	json_decref(record);
	return status;
}

int run_call(const struct options *options)
{
	int status = STATUS_OK;
	json_t *call = NULL;
	bool running;
	char *path;

	if (options->explain.at)
		return run_call_at(options);
	if (!options->explain.cdr)
		call = find_running(options, &status);
	if (status)
		return status;
	running = call != NULL;
	if (!running) {
		path = record_path(options, NULL, &status);
		call = path ? past_find(path, options->argument) : NULL;
		free(path);
	}
	if (!call)
		return STATUS_NO;
	if (options->json)
		print_json(call);
	else
		show_call(call, running);
	json_decref(call);
	return STATUS_OK;
}
