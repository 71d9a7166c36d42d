/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/look/standing.h"

#include <stdio.h>
#include <string.h>
#include "tools/look/entry.h"
#include "tools/look/ladder.h"
#include "tools/look/moment.h"

#define LIST_MAX 6 /* of what happened on one side: the last ones */

static void put(json_t *standing, const char *key, const char *text)
{
	json_object_set_new(standing, key, json_string(text));
}

static void add(json_t *standing, const char *key, const char *text)
{
	json_t *list = json_object_get(standing, key);

	if (!list) {
		list = json_array();
		json_object_set_new(standing, key, list);
	}
	if (json_array_size(list) == LIST_MAX)
		json_array_remove(list, 0);
	json_array_append_new(list, json_string(text));
}

/* ---- what notes say ---- */

/* "DIALLING -> TALKING step=...": the second word. */
static bool take_state(json_t *standing, const json_t *note, const char *text)
{
	size_t before = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	const char *next = text + before + 4;
	char state[24];

	if (!before || strncmp(text + before, " -> ", 4) != 0)
		return false;
	(void)snprintf(state, sizeof(state), "%.*s", (int)strcspn(next, " "), next);
	put(standing, "state", state);
	json_object_set_new(standing, "state_since", json_integer(entry_number(note, "at")));
	return true;
}

static void take_end(json_t *standing, const json_t *note, const char *text)
{
	put(standing, "state", "ENDED");
	json_object_set_new(standing, "state_since", json_integer(entry_number(note, "at")));
	put(standing, "end", text);
}

/* "step side=A: ICE ...", "flows side=A", "failed side=A: why": without the side. */
static void take_media(json_t *standing, const char *text)
{
	const char *side = strstr(text, " side=");
	bool step = !strncmp(text, "step", 4);
	char line[512];

	if (!side || (side[6] != 'A' && side[6] != 'B'))
		return;
	if (step && side[7] == ':')
		(void)snprintf(line, sizeof(line), "%s", side + 9);
	else
		(void)snprintf(line, sizeof(line), "%.*s%s", (int)(side - text), text, side + 7);
	add(standing, side[6] == 'A' ? "media_a" : "media_b", line);
}

static void take_note(json_t *standing, const json_t *note)
{
	const char *text = entry_text(note, "text");

	if (take_state(standing, note, text))
		return;
	if (!strncmp(text, "end ", 4))
		take_end(standing, note, text + 4);
	else if (!strncmp(text, "core ", 5))
		put(standing, "core", text + 5);
	else if (!strncmp(text, "heard ", 6))
		put(standing, "heard", text + 6);
	else if (!strncmp(text, "rtp ", 4))
		put(standing, "rtp", text + 4);
	else if (!strncmp(text, "media ", 6))
		take_media(standing, text + 6);
	else
		add(standing, "decisions", text);
}

/* ---- what messages say ---- */

/* The dialog of a message, made if need be. Borrowed. */
static json_t *dialog_of(json_t *standing, const json_t *message)
{
	json_t *dialogs = json_object_get(standing, "dialogs"), *dialog;
	char call_id[LADDER_CALL_ID], peer[96];
	size_t i;

	ladder_call_id(message, call_id);
	json_array_foreach(dialogs, i, dialog)
	{
		if (!strcmp(entry_text(dialog, "call_id"), call_id))
			return dialog;
	}
	(void)snprintf(peer, sizeof(peer), "%.60s:%lld/%.8s", entry_text(message, "remote"),
		       entry_number(message, "remote_port"), entry_text(message, "transport"));
	dialog = json_pack("{s:s, s:s, s:s, s:s}", "side",
			   json_array_size(dialogs) ? "right" : "left", "peer", peer, "call_id",
			   call_id, "invite", "none");
	json_array_append_new(dialogs, dialog);
	return dialog;
}

/* How far its INVITE is. */
static void take_progress(json_t *dialog, const json_t *message, const char *summary)
{
	const char *text = entry_text(message, "text");
	bool response = !strncmp(text, "SIP/2.0 ", 8);
	int status = response ? atoi(text + 8) : 0;
	char word[LADDER_SUMMARY + 16];

	if (!strncmp(text, "INVITE ", 7) && !strcmp(entry_text(dialog, "invite"), "none"))
		put(dialog, "invite",
		    entry_is_sent(message) ? "sent, no answer" : "received, no answer");
	else if (!strncmp(text, "ACK ", 4) && !strncmp(entry_text(dialog, "invite"), "200", 3))
		put(dialog, "invite", "answered and acknowledged");
	else if (!strncmp(text, "BYE ", 4))
		put(dialog, "invite",
		    entry_is_sent(message) ? "over: BYE sent" : "over: BYE received");
	else if (!strncmp(text, "CANCEL ", 7))
		put(dialog, "invite",
		    entry_is_sent(message) ? "given up: CANCEL sent" : "given up: CANCEL received");
	else if (status > 100 && strstr(summary, " to INVITE")) {
		(void)snprintf(word, sizeof(word), "%.*s %s",
			       (int)(strstr(summary, " to INVITE") - summary), summary,
			       entry_is_sent(message) ? "sent" : "received");
		if (strncmp(entry_text(dialog, "invite"), "answered", 8) != 0)
			put(dialog, "invite", word);
	}
}

static void take_message(json_t *standing, const json_t *message)
{
	json_t *dialog = dialog_of(standing, message);
	char summary[LADDER_SUMMARY], last[LADDER_SUMMARY + 16];

	ladder_summary(entry_text(message, "text"), summary);
	take_progress(dialog, message, summary);
	(void)snprintf(last, sizeof(last), "%s %s", summary,
		       entry_is_sent(message) ? "sent" : "received");
	put(dialog, "last", last);
	json_object_set_new(dialog, "last_at", json_integer(entry_number(message, "at")));
}

static void take_next(json_t *standing, const json_t *entry)
{
	char summary[LADDER_SUMMARY];

	if (entry_is_message(entry))
		ladder_summary(entry_text(entry, "text"), summary);
	put(standing, "next", entry_is_message(entry) ? summary : entry_text(entry, "text"));
	json_object_set_new(standing, "next_at", json_integer(entry_number(entry, "at")));
}

json_t *standing_at(const json_t *trace, long long at_ms)
{
	const json_t *entries = json_object_get(trace, "entries"), *entry;
	long long first = entry_number(json_array_get(entries, 0), "at");
	json_t *standing =
		json_pack("{s:s, s:I, s:I, s:[]}", "call", entry_text(trace, "call"), "at",
			  (json_int_t)at_ms, "first", (json_int_t)first, "dialogs");

	for (size_t i = 0; standing && i < json_array_size(entries); i++) {
		entry = json_array_get(entries, i);
		if (entry_number(entry, "at") > at_ms) {
			take_next(standing, entry);
			break;
		}
		if (entry_is_message(entry))
			take_message(standing, entry);
		else
			take_note(standing, entry);
	}
	return standing;
}

json_t *standing_of_record(const json_t *record, long long at_ms)
{
	static const struct {
		const char *member, *state;
	} steps[] = { { "start", "INCOMING or DIALLING" },
		      { "ring", "RINGING" },
		      { "answer", "TALKING" },
		      { "end", "ENDED" } };
	json_t *standing = json_pack("{s:s, s:I, s:[]}", "call", entry_text(record, "id"), "at",
				     (json_int_t)at_ms, "dialogs");

	for (size_t i = 0; standing && i < sizeof(steps) / sizeof(steps[0]); i++) {
		long long when;

		if (!moment_read(entry_text(record, steps[i].member), at_ms, &when))
			continue;
		if (i == 0)
			json_object_set_new(standing, "first", json_integer(when));
		if (when > at_ms) {
			put(standing, "next", steps[i].member);
			json_object_set_new(standing, "next_at", json_integer(when));
			break;
		}
		put(standing, "state", steps[i].state);
		json_object_set_new(standing, "state_since", json_integer(when));
	}
	return standing;
}

/* ---- for people ---- */

static void show(struct str *to, const json_t *standing, const char *title, const char *key)
{
	if (*entry_text(standing, key))
		str_addf(to, "%-11s %s\n", title, entry_text(standing, key));
}

static void show_list(struct str *to, const json_t *standing, const char *title, const char *key)
{
	const json_t *list = json_object_get(standing, key);

	for (size_t i = 0; i < json_array_size(list); i++)
		str_addf(to, "%-11s %s\n", i ? "" : title,
			 json_string_value(json_array_get(list, i)));
}

static void show_dialogs(struct str *to, const json_t *standing)
{
	const json_t *dialogs = json_object_get(standing, "dialogs");
	long long at = entry_number(standing, "at");

	for (size_t i = 0; i < json_array_size(dialogs); i++) {
		const json_t *dialog = json_array_get(dialogs, i);
		long long ago = at - entry_number(dialog, "last_at");

		str_addf(to, "%-11s %s: INVITE %s; last: %s, %lld.%03lld s before\n",
			 entry_text(dialog, "side"), entry_text(dialog, "peer"),
			 entry_text(dialog, "invite"), entry_text(dialog, "last"), ago / 1000,
			 ago % 1000);
	}
}

void standing_show(struct str *to, const json_t *standing)
{
	long long at = entry_number(standing, "at"), into = at - entry_number(standing, "first");
	long long later = entry_number(standing, "next_at") - at;
	char time[LADDER_TIME];

	ladder_time(at, time);
	str_addf(to, "call %s at %s, %lld.%03lld s into it\n\n", entry_text(standing, "call"), time,
		 into / 1000, into % 1000);
	ladder_time(entry_number(standing, "state_since"), time);
	if (*entry_text(standing, "state"))
		str_addf(to, "%-11s %s since %s\n", "state", entry_text(standing, "state"), time);
	show(to, standing, "ended", "end");
	show_list(to, standing, "decided", "decisions");
	show(to, standing, "core", "core");
	show_dialogs(to, standing);
	show_list(to, standing, "media A", "media_a");
	show_list(to, standing, "media B", "media_b");
	show(to, standing, "rtp", "rtp");
	show(to, standing, "heard", "heard");
	if (*entry_text(standing, "next"))
		str_addf(to, "%-11s %s, %lld.%03lld s later\n", "next",
			 entry_text(standing, "next"), later / 1000, later % 1000);
}
