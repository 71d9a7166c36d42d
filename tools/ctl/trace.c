/* SPDX-License-Identifier: Apache-2.0 */
/* trace.c - what was said in a call: a ladder, the messages, a page, a capture. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "tools/ctl/ctl.h"
#include "tools/look/entry.h"
#include "tools/look/ladder.h"
#include "tools/ctl/pcapng.h"
#include "tools/look/moment.h"
#include "tools/look/sdp_change.h"
#include "tools/look/standing.h"

static void add_title(struct str *to, const json_t *entry)
{
	char time[LADDER_TIME];
	bool sent = entry_is_sent(entry);

	ladder_time(entry_number(entry, "at"), time);
	if (!entry_is_message(entry))
		str_addf(to, "%s note", time);
	else
		str_addf(to, "%s %s %s:%lld/%s", time, sent ? "sent to" : "received from",
			 entry_text(entry, "remote"), entry_number(entry, "remote_port"),
			 entry_text(entry, "transport"));
}

static void write_text(struct str *to, const json_t *entries)
{
	struct str change = { 0 };
	size_t i;
	json_t *entry;

	json_array_foreach(entries, i, entry)
	{
		str_add(to, "--- ");
		add_title(to, entry);
		str_add(to, "\n");
		for (const char *at = entry_text(entry, "text"); *at; at++)
			if (*at != '\r')
				str_add_n(to, at, 1);
		str_add(to, "\n");
		if (sdp_change(entries, i, &change) && change.text)
			str_addf(to, "--- %s\n\n", change.text);
		str_done(&change);
	}
}

static void add_escaped(struct str *to, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			str_add(to, "&lt;");
			break;
		case '>':
			str_add(to, "&gt;");
			break;
		case '&':
			str_add(to, "&amp;");
			break;
		case '"':
			str_add(to, "&quot;");
			break;
		case '\r':
			break;
		default:
			str_add_n(to, text, 1);
		}
	}
}

static void add_details(struct str *to, const json_t *entry)
{
	bool message = entry_is_message(entry);
	char summary[LADDER_SUMMARY] = "";
	struct str title = { 0 };

	if (message)
		ladder_summary(entry_text(entry, "text"), summary);
	add_title(&title, entry);
	str_add(to, "<details><summary>");
	add_escaped(to, title.text ? title.text : "");
	str_add(to, " <b>");
	add_escaped(to, message ? summary : entry_text(entry, "text"));
	str_add(to, "</b></summary><pre>");
	if (message)
		add_escaped(to, entry_text(entry, "text"));
	str_add(to, "</pre></details>\n");
	str_done(&title);
}

/* A page of its own, without scripts: to be sent to who asks. */
static void write_html(struct str *to, const json_t *answer)
{
	const json_t *entries = json_object_get(answer, "entries");
	struct str ladder = { 0 };
	size_t i;
	json_t *entry;

	str_add(to, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		    "style-src 'unsafe-inline'\">\n<title>call ");
	add_escaped(to, entry_text(answer, "call"));
	str_add(to, "</title>\n<style>body{font:15px/1.4 system-ui,sans-serif;margin:2rem}"
		    "pre{overflow-x:auto;line-height:1.25}details pre{background:#f3f4f6;"
		    "padding:.75rem}summary{cursor:pointer}</style></head><body>\n<h1>Call ");
	add_escaped(to, entry_text(answer, "call"));
	str_add(to, "</h1>\n<pre>");
	ladder_draw(&ladder, entries);
	add_escaped(to, ladder.text ? ladder.text : "");
	str_add(to, "</pre>\n");
	json_array_foreach(entries, i, entry) add_details(to, entry);
	str_add(to, "</body></html>\n");
	str_done(&ladder);
}

static int write_out(const struct str *text)
{
	size_t written = text->text ? fwrite(text->text, 1, text->length, stdout) : 0;

	if (text->text && written == text->length && fflush(stdout) == 0)
		return STATUS_OK;
	fputs("breakoutctl: the output could not be written\n", stderr);
	return STATUS_NO;
}

/* Its moment must be one, and lie where something is known. */
static int take_moment(const struct options *options, long long first, long long *ret_at)
{
	char time[LADDER_TIME];

	if (!moment_read(options->explain.at, first, ret_at)) {
		fprintf(stderr,
			"breakoutctl: --at %s is no moment: write 18:00:01.5, "
			"2026-12-24T18:00:01, with Z or +01:00, or +2.5 for seconds into the "
			"call\n",
			options->explain.at);
		return STATUS_USAGE;
	}
	if (*ret_at >= first)
		return STATUS_OK;
	ladder_time(first, time);
	fprintf(stderr, "breakoutctl: nothing is known of the call before %s\n", time);
	return STATUS_NO;
}

int show_standing(const struct options *options, const json_t *trace, const json_t *record)
{
	long long first = entry_number(json_array_get(json_object_get(trace, "entries"), 0), "at");
	json_t *standing = NULL;
	struct str text = { 0 };
	long long at = 0;
	int status;

	if (record)
		(void)moment_read(entry_text(record, "start"), 0, &first);
	status = take_moment(options, first, &at);
	if (status == STATUS_OK)
		standing = record ? standing_of_record(record, at) : standing_at(trace, at);
	if (standing && options->json)
		status = print_json(standing);
	else if (standing)
		standing_show(&text, standing);
	if (text.text)
		status = write_out(&text);
	str_done(&text);
	json_decref(standing);
	/* The command line is fine but for that. */
	return status == STATUS_USAGE ? STATUS_NO : status;
}

static bool is_order(const char *word)
{
	return !strcmp(word, "on") || !strcmp(word, "off") || !strcmp(word, "list");
}

int run_trace(const struct options *options)
{
	struct str request = { 0 }, text = { 0 };
	int status = STATUS_OK;
	json_t *answer, *entries;

	if (!options->argument)
		return STATUS_USAGE;
	if (is_order(options->argument))
		return run_traced(options);
	if (options->second || options->pause.given)
		return STATUS_USAGE;
	str_addf(&request, "trace %s", options->argument);
	answer = request.text ? ask_or_say(options, request.text, &status) : NULL;
	str_done(&request);
	if (!answer)
		return status;
	entries = json_object_get(answer, "entries");
	if (options->explain.at) {
		status = show_standing(options, answer, NULL);
		json_decref(answer);
		return status;
	}
	if (options->json)
		status = print_json(answer);
	else if (options->format == FORMAT_TEXT)
		write_text(&text, entries);
	else if (options->format == FORMAT_HTML)
		write_html(&text, answer);
	else if (options->format == FORMAT_PCAPNG)
		pcapng_write(&text, entries);
	else
		ladder_draw(&text, entries);
	if (!options->json)
		status = write_out(&text);
	str_done(&text);
	json_decref(answer);
	return status;
}
