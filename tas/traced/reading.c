/* SPDX-License-Identifier: Apache-2.0 */
/* reading.c - what is kept, for who asks. */
#include "tas/traced/traced.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tas/traced/folder.h"
#include "tas/traced/piece.h"

struct story_text {
	char *text;
	size_t length;
};

static void copy(char *to, size_t room, const char *from)
{
	(void)snprintf(to, room, "%.*s", (int)(room - 1), from);
}

/* ---- a list ---- */

static void describe(const struct story_text *story, struct traced_call *ret_call)
{
	const char *at = story->text, *end = at + story->length;
	struct piece piece;

	*ret_call = (struct traced_call){ .bytes = story->length };
	while (piece_read(&at, end, &piece) == 0) {
		if (piece.what == SIP_TRACE_BEGUN) {
			ret_call->began = piece.began;
			copy(ret_call->number, sizeof(ret_call->number), piece.name);
		} else if (piece.what == SIP_TRACE_CALL) {
			copy(ret_call->call, sizeof(ret_call->call), piece.name);
		} else if (piece.what == SIP_TRACE_DIALOG && !*ret_call->call_id) {
			copy(ret_call->call_id, sizeof(ret_call->call_id), piece.name);
		}
		if (*ret_call->call && *ret_call->call_id)
			return;
	}
}

size_t traced_calls(struct traced *traced, void (*visit)(const struct traced_call *call, void *arg),
		    void *arg)
{
	char **names = NULL;
	int count = folder_list(traced_dir(traced), &names);
	size_t visited = 0;

	for (int i = 0; i < count; i++) {
		struct story_text story;
		struct traced_call call;

		if (folder_read(traced_dir(traced), names[i], &story.text, &story.length) < 0)
			continue; /* it has given way meanwhile */
		describe(&story, &call);
		free(story.text);
		visit(&call, arg);
		visited++;
	}
	if (count > 0)
		folder_list_free(names, count);
	return visited;
}

/* ---- one call ---- */

struct found {
	struct sip_trace_entry *entries;
	size_t count, room;
	bool named; /* it is the one that is looked for */
};

static void add(struct found *found, const struct sip_trace_entry *entry)
{
	if (found->count == found->room) {
		size_t room = found->room ? found->room * 2 : 64;
		void *more = realloc(found->entries, room * sizeof(*found->entries));

		if (!more)
			return; /* the rest is missing */
		found->entries = more;
		found->room = room;
	}
	found->entries[found->count++] = *entry;
}

static void gather(const struct story_text *story, const char *call, struct found *found)
{
	const char *at = story->text, *end = at + story->length;
	struct piece piece;

	while (piece_read(&at, end, &piece) == 0) {
		if (piece.what == SIP_TRACE_ENTRY)
			add(found, &piece.entry);
		else if (piece.what != SIP_TRACE_BEGUN && !strcmp(piece.name, call))
			found->named = true;
	}
}

/* What was said in a dialog before it was known to belong to the call comes later in the
 * file. Stable: of one millisecond as it was written. */
static void sort(struct found *found)
{
	for (size_t i = 1; i < found->count; i++) {
		struct sip_trace_entry moved = found->entries[i];
		size_t k = i;

		for (; k && found->entries[k - 1].at > moved.at; k--)
			found->entries[k] = found->entries[k - 1];
		found->entries[k] = moved;
	}
}

static size_t tell(const struct story_text *story, const char *call,
		   void (*visit)(const struct sip_trace_entry *entry, void *arg), void *arg)
{
	struct found found = { .count = 0 };
	size_t count = 0;

	gather(story, call, &found);
	if (found.named) {
		sort(&found);
		for (; count < found.count; count++)
			visit(&found.entries[count], arg);
	}
	free(found.entries);
	return count;
}

size_t traced_read(struct traced *traced, const char *call,
		   void (*visit)(const struct sip_trace_entry *entry, void *arg), void *arg)
{
	char **names = NULL;
	int count = folder_list(traced_dir(traced), &names);
	size_t told = 0;

	for (int i = count - 1; i >= 0 && !told && *call; i--) { /* the newest first */
		struct story_text story;

		if (folder_read(traced_dir(traced), names[i], &story.text, &story.length) < 0)
			continue;
		if (memmem(story.text, story.length, call, strlen(call)))
			told = tell(&story, call, visit, arg);
		free(story.text);
	}
	if (count > 0)
		folder_list_free(names, count);
	return told;
}
