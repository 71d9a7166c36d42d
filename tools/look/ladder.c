/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/look/ladder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tools/look/entry.h"
#include "tools/look/sdp_change.h"

#define DIALOGS_MAX 8  /* columns; what is beyond shares the last */
#define COLUMN      30 /* characters from one line to the next */
#define MARGIN      13 /* for the time */
#define NAME_ROOM   LADDER_CALL_ID

/* The first dialog stands left of us, the others right. */
struct ladder {
	char call_ids[DIALOGS_MAX][NAME_ROOM];
	char peers[DIALOGS_MAX][NAME_ROOM];
	size_t count;
};

/* Of a header with its value, at the beginning of a line; NULL: there is none. */
static const char *value_of(const char *message, const char *name, const char *compact)
{
	for (const char *line = strchr(message, '\n'); line && line[1] != '\r' && line[1] != '\n';
	     line = strchr(line + 1, '\n')) {
		const char *colon = line + 1 + strcspn(line + 1, ":\r\n");
		size_t length = (size_t)(colon - line - 1);

		while (length && line[length] == ' ')
			length--;
		if (*colon == ':' &&
		    ((length == strlen(name) && !strncasecmp(line + 1, name, length)) ||
		     (length == strlen(compact) && !strncasecmp(line + 1, compact, length))))
			return colon + 1 + strspn(colon + 1, " \t");
	}
	return NULL;
}

void ladder_summary(const char *message, char ret_summary[static LADDER_SUMMARY])
{
	const char *body = strstr(message, "\r\n\r\n");
	const char *sdp = body && !strncmp(body + 4, "v=0", 3) ? " (SDP)" : "";
	const char *cseq = value_of(message, "CSeq", "CSeq");
	const char *method = cseq ? cseq + strspn(cseq, "0123456789 ") : "";
	int first = (int)strcspn(message, " \r\n");

	if (!strncmp(message, "SIP/2.0 ", 8))
		(void)snprintf(ret_summary, LADDER_SUMMARY, "%.*s to %.*s%s",
			       (int)(strcspn(message + 8, "\r\n") < 24
					     ? strcspn(message + 8, "\r\n")
					     : 24),
			       message + 8, (int)strcspn(method, "\r\n"), method, sdp);
	else
		(void)snprintf(ret_summary, LADDER_SUMMARY, "%.*s%s", first < 16 ? first : 16,
			       message, sdp);
}

void ladder_time(long long wall_ms, char ret_text[static LADDER_TIME])
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;
	char text[24];

	localtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	(void)snprintf(ret_text, LADDER_TIME, "%s.%03d", text, (int)(wall_ms % 1000));
}

void ladder_call_id(const json_t *entry, char ret_call_id[static LADDER_CALL_ID])
{
	const char *call_id = value_of(entry_text(entry, "text"), "Call-ID", "i");

	(void)snprintf(ret_call_id, LADDER_CALL_ID, "%.*s",
		       call_id ? (int)strcspn(call_id, "\r\n") : 0, call_id ? call_id : "");
}

static size_t column_of(struct ladder *ladder, const json_t *entry)
{
	char key[NAME_ROOM];

	ladder_call_id(entry, key);
	for (size_t i = 0; i < ladder->count; i++)
		if (!strcmp(ladder->call_ids[i], key))
			return i;
	if (ladder->count == DIALOGS_MAX)
		return DIALOGS_MAX - 1;
	(void)snprintf(ladder->call_ids[ladder->count], NAME_ROOM, "%s", key);
	(void)snprintf(ladder->peers[ladder->count], NAME_ROOM, "%s:%lld/%s",
		       entry_text(entry, "remote"), entry_number(entry, "remote_port"),
		       entry_text(entry, "transport"));
	return ladder->count++;
}

/* Where the line of a dialog's peer stands; ours is the second. */
static size_t place(size_t dialog)
{
	return MARGIN + (dialog ? dialog + 1 : 0) * COLUMN;
}

static void put(char *line, size_t at, const char *text)
{
	memcpy(line + at, text, strlen(text));
}

static void arrow(char *line, size_t dialog, bool to_right, const char *summary)
{
	size_t ours = MARGIN + COLUMN;
	size_t from = (dialog ? ours : place(0)) + 1, to = (dialog ? place(dialog) : ours) - 1;
	int room = (int)(COLUMN - 6);

	memset(line + from, '-', to - from + 1);
	line[to_right ? to : from] = to_right ? '>' : '<';
	/* Next to us, where it is read along one line. */
	from = dialog ? from + 2 : to - 2 - strlen(summary);
	if (dialog == 0 && strlen(summary) > (size_t)room)
		from = to - 2 - (size_t)room;
	line[from - 1] = ' ';
	memcpy(line + from, summary, strnlen(summary, (size_t)room));
	line[from + strnlen(summary, (size_t)room)] = ' ';
}

static void draw_message(struct str *to, struct ladder *ladder, const json_t *entry,
			 const char *stamp)
{
	char line[MARGIN + (DIALOGS_MAX + 1) * COLUMN + 8], summary[LADDER_SUMMARY];
	size_t dialog = column_of(ladder, entry);
	bool sent = entry_is_sent(entry);

	memset(line, ' ', sizeof(line));
	put(line, 0, stamp);
	for (size_t i = 0; i < ladder->count; i++)
		line[place(i)] = '|';
	line[MARGIN + COLUMN] = '|';
	ladder_summary(entry_text(entry, "text"), summary);
	arrow(line, dialog, dialog ? sent : !sent, summary);
	for (size_t i = 0; i < ladder->count; i++)
		line[place(i)] = '|';
	str_add_n(to, line, (ladder->count > 1 ? place(ladder->count - 1) : MARGIN + COLUMN) + 1);
	str_add(to, "\n");
}

/* Who stands where, in the order of their first word. */
static void draw_head(struct str *to, struct ladder *ladder, const json_t *entries)
{
	size_t i;
	json_t *entry;

	json_array_foreach(entries, i, entry)
	{
		if (entry_is_message(entry))
			(void)column_of(ladder, entry);
	}
	for (size_t k = 0; k < ladder->count; k++)
		str_addf(to, "%-6s %-28s Call-ID %s\n", k ? (k == 1 ? "right" : "") : "left",
			 ladder->peers[k], ladder->call_ids[k]);
	str_add(to, "\n");
}

static bool is_rtp(const json_t *entry)
{
	return !entry_is_message(entry) && !strncmp(entry_text(entry, "text"), "rtp ", 4);
}

/* Two seconds of RTP are alike if they are but for numbers that always differ a little. */
static bool is_alike(const char *a, const char *b)
{
	for (;;) {
		char *end_a, *end_b;
		size_t same = strcspn(a, "0123456789");

		if (same != strcspn(b, "0123456789") || strncmp(a, b, same) != 0)
			return false;
		a += same;
		b += same;
		if (!*a || !*b)
			return *a == *b;
		if (labs(strtol(a, &end_a, 10) - strtol(b, &end_b, 10)) > 3)
			return false;
		a = end_a;
		b = end_b;
	}
}

/* The last of those from `first` on that tell the same of RTP, one after another. */
static size_t last_alike(const json_t *entries, size_t first)
{
	const char *text = entry_text(json_array_get(entries, first), "text");
	size_t last = first;

	while (last + 1 < json_array_size(entries) && is_rtp(json_array_get(entries, last + 1)) &&
	       is_alike(text, entry_text(json_array_get(entries, last + 1), "text")))
		last++;
	return last;
}

static void draw_note(struct str *to, const char *stamp, const char *text)
{
	str_addf(to, "%s  %*s* %s", stamp, MARGIN + COLUMN - 12, "", text);
}

static void stamp_of(const json_t *entry, long long first, char ret_stamp[static LADDER_TIME])
{
	long long since = entry_number(entry, "at") - first;

	(void)snprintf(ret_stamp, LADDER_TIME, "%6lld.%03lld", since / 1000, since % 1000);
}

static void draw_change(struct str *to, const json_t *entries, size_t index)
{
	struct str change = { 0 };

	if (sdp_change(entries, index, &change) && change.text)
		draw_note(to, "          ", change.text);
	if (change.text)
		str_add(to, "\n");
	str_done(&change);
}

void ladder_draw(struct str *to, const json_t *entries)
{
	struct ladder ladder = { .count = 0 };
	long long first = entry_number(json_array_get(entries, 0), "at");
	char stamp[LADDER_TIME];
	size_t i;
	json_t *entry;

	draw_head(to, &ladder, entries);
	json_array_foreach(entries, i, entry)
	{
		stamp_of(entry, first, stamp);
		if (entry_is_message(entry)) {
			draw_message(to, &ladder, entry, stamp);
			draw_change(to, entries, i);
			continue;
		}
		draw_note(to, stamp, entry_text(entry, "text"));
		if (is_rtp(entry) && last_alike(entries, i) > i) {
			i = last_alike(entries, i);
			stamp_of(json_array_get(entries, i), first, stamp);
			str_addf(to, "  (and so until %s)", stamp + strspn(stamp, " "));
		}
		str_add(to, "\n");
	}
}
