/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - `breakoutctl calls ID`: all that is known of one call, running or past. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tools/ctl/ctl.h"
#include "tools/ctl/past.h"

/* ---- members, as a record and a running call have them ---- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static long long number_of(const json_t *object, const char *name)
{
	return (long long)json_number_value(json_object_get(object, name));
}

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

	add(&row, "", text_of(call, "id"));
	add(&row, "", text_of(call, "direction"));
	add(&row, "", text_of(call, "route_type"));
	add(&row, "of ", text_of(call, "number"));
	add(&row, "", json_is_true(json_object_get(call, "emergency")) ? "EMERGENCY" : "");
	end(&row);
}

static void show_running(const json_t *call)
{
	long long talk_ms = number_of(call, "talk_ms");

	printf("%-10s %s, began %.1f s ago", "now", text_of(call, "state"),
	       (double)number_of(call, "age_ms") / 1000);
	if (talk_ms)
		printf(", answered for %.1f s", (double)talk_ms / 1000);
	putchar('\n');
}

static void show_times(const json_t *record)
{
	static const char *const names[] = { "start", "ring", "answer", "end" };
	struct row row = { .title = "times" }, lengths = { .title = "" };
	long long pdd_ms = number_of(record, "pdd_ms");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (*text_of(record, names[i])) {
			begin(&row);
			printf("%s %s", names[i], text_of(record, names[i]));
		}
	end(&row);
	begin(&lengths);
	printf("talk %.1f s of %.1f s", (double)number_of(record, "talk_ms") / 1000,
	       (double)number_of(record, "duration_ms") / 1000);
	if (pdd_ms >= 0)
		printf(", post-dial delay %lld ms", pdd_ms);
	end(&lengths);
}

static void show_end(const json_t *record)
{
	printf("%-10s %s by %s, status %lld, Q.850 %lld\n", "ended", text_of(record, "cause"),
	       text_of(record, "ended_by"), number_of(record, "status"), number_of(record, "q850"));
}

static void show_who(const json_t *call)
{
	struct row caller = { .title = "caller" }, called = { .title = "called" };

	add(&caller, "", text_of(call, "caller"));
	add(&caller, "From ", text_of(call, "from"));
	add(&caller, "asserted ", text_of(call, "asserted"));
	add(&caller, "presented as ", text_of(call, "presented"));
	add(&caller, "", json_is_true(json_object_get(call, "privacy")) ? "wants privacy" : "");
	end(&caller);
	add(&called, "", text_of(call, "called"));
	add(&called, "request URI ", text_of(call, "to"));
	end(&called);
}

static void show_sides(const json_t *call)
{
	struct row a = { .title = "side A" }, b = { .title = "side B" };
	struct row session = { .title = "Session-ID" };

	add(&a, "", text_of(call, "sender"));
	add(&a, "", text_of(call, "transport"));
	add(&a, "", text_of(call, "source"));
	add(&a, "Call-ID ", text_of(call, "call_id_a"));
	end(&a);
	add(&b, "", text_of(call, "transport_b"));
	add(&b, "", text_of(call, "source_b"));
	add(&b, "to ", text_of(call, "to_b"));
	add(&b, "From ", text_of(call, "from_b"));
	add(&b, "Call-ID ", text_of(call, "call_id_b"));
	end(&b);
	add(&session, "", text_of(call, "session_id"));
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

	add(&service, "", text_of(call, "service"));
	add(&service, "step ", text_of(call, "step"));
	add(&service, "configuration ", text_of(call, "config"));
	end(&service);
	add_each(&(struct row){ .title = "rules" }, json_object_get(call, "rules"));
	add_each(&(struct row){ .title = "plan" }, json_object_get(call, "plan"));
	json_array_foreach(json_object_get(call, "asked"), i, question)
	{
		begin(&asked);
		printf("%s: %s after %lld ms", text_of(question, "step"),
		       text_of(question, "answer"), number_of(question, "ms"));
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
		printf("%s: %s after %lld ms", text_of(item, "target"), text_of(item, "outcome"),
		       number_of(item, "ms"));
	}
	end(&rang);
	json_array_foreach(json_object_get(call, "transferred"), i, item)
	{
		begin(&moved);
		printf("side %s after %lld ms: %s", text_of(item, "side"),
		       number_of(item, "after_ms"), text_of(item, "to"));
	}
	end(&moved);
}

static void show_receipt(const char *title, const json_t *receipt)
{
	const json_t *rtt = json_object_get(receipt, "rtt_ms");
	struct row row = { .title = title };

	if (!receipt)
		return;
	add(&row, "", text_of(receipt, "codec"));
	add(&row, "", text_of(receipt, "profile"));
	begin(&row);
	printf("in %lld, out %lld, lost %lld, dropped %lld, jitter %.1f ms, MOS %.1f",
	       number_of(receipt, "packets_in"), number_of(receipt, "packets_out"),
	       number_of(receipt, "lost"), number_of(receipt, "dropped"),
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

	add(&row, "", json_is_true(media) ? "anchored" : text_of(call, "media"));
	add(&row, "passed by us: ", text_of(call, "bypass"));
	add(&row, "", text_of(call, "verdict"));
	add(&row, "", text_of(call, "verdict_why"));
	end(&row);
	show_receipt("  from A", json_object_get(call, "a"));
	show_receipt("  from B", json_object_get(call, "b"));
	add(&recording, "", text_of(call, "recording"));
	add(&recording, "", text_of(call, "recording_why"));
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
	printf("\nwhat was said: breakoutctl trace %s\n", text_of(call, "id"));
	if (!running)
		printf("why it went there: breakoutctl explain %s\n", text_of(call, "id"));
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

int run_call(const struct options *options)
{
	int status = STATUS_OK;
	json_t *call = NULL;
	bool running;
	char *path;

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
