/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/trace_follow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIALOGS_MAX 64 /* of one call; more are not told */
#define SWEEP_MS    1000
#define WANTED_ROOM 64

struct story {
	uint64_t number;
	uint64_t call; /* 0: no call has begun */
	uint64_t dialogs[DIALOGS_MAX];
	size_t dialog_count;
	mono_ms last; /* something came */
	bool over;
	char wanted[WANTED_ROOM];
};

struct follow {
	struct sip_trace_follow handlers;
	struct story *stories[FOLLOW_STORIES_MAX];
	size_t count;
	uint64_t issued;
	mono_ms swept;
};

int follow_create(struct follow **ret_follow, const struct sip_trace_follow *handlers)
{
	struct follow *follow = calloc(1, sizeof(*follow));

	if (!follow)
		return -ENOMEM;
	follow->handlers = *handlers;
	*ret_follow = follow;
	return 0;
}

struct follow *follow_destroy(struct follow *follow)
{
	for (size_t i = 0; follow && i < follow->count; i++)
		free(follow->stories[i]);
	free(follow);
	return NULL;
}

bool follow_is_active(const struct follow *follow)
{
	return follow && (follow->count || follow->handlers.active(follow->handlers.arg));
}

struct story *follow_of_call(const struct follow *follow, uint64_t call)
{
	for (size_t i = 0; follow && i < follow->count; i++)
		if (follow->stories[i]->call == call)
			return follow->stories[i];
	return NULL;
}

struct story *follow_of_dialog(const struct follow *follow, uint64_t dialog)
{
	for (size_t i = 0; follow && i < follow->count; i++)
		for (size_t k = 0; k < follow->stories[i]->dialog_count; k++)
			if (follow->stories[i]->dialogs[k] == dialog)
				return follow->stories[i];
	return NULL;
}

/* Those nothing more will come of. */
static void sweep(struct follow *follow)
{
	mono_ms now = clock_now();
	size_t left = 0;

	if (now - follow->swept < SWEEP_MS)
		return;
	follow->swept = now;
	for (size_t i = 0; i < follow->count; i++) {
		struct story *story = follow->stories[i];

		if ((story->over || !story->call) && now - story->last >= FOLLOW_QUIET_MS)
			free(story);
		else
			follow->stories[left++] = story;
	}
	follow->count = left;
}

static void tell(struct follow *follow, const struct story *story, int what, const char *name)
{
	follow->handlers.take(
		&(struct sip_trace_piece){ .what = what, .story = story->number, .name = name },
		follow->handlers.arg);
}

struct story *follow_begin(struct follow *follow, const char *const names[static SIP_TRACE_NAMES])
{
	const char *wanted = NULL;
	struct story *story;

	if (!follow || !follow->handlers.active(follow->handlers.arg))
		return NULL;
	sweep(follow);
	for (size_t i = 0; i < SIP_TRACE_NAMES && !wanted; i++)
		if (names[i])
			wanted = follow->handlers.wants(names[i], follow->handlers.arg);
	if (!wanted || follow->count == FOLLOW_STORIES_MAX)
		return NULL;
	story = calloc(1, sizeof(*story));
	if (!story)
		return NULL;
	story->number = ++follow->issued;
	story->last = clock_now();
	(void)snprintf(story->wanted, sizeof(story->wanted), "%s", wanted);
	follow->stories[follow->count++] = story;
	tell(follow, story, SIP_TRACE_BEGUN, story->wanted);
	return story;
}

bool follow_add_dialog(struct follow *follow, struct story *story, uint64_t dialog,
		       const char *call_id)
{
	for (size_t i = 0; i < story->dialog_count; i++)
		if (story->dialogs[i] == dialog)
			return false;
	if (story->dialog_count == DIALOGS_MAX)
		return false;
	story->dialogs[story->dialog_count++] = dialog;
	tell(follow, story, SIP_TRACE_DIALOG, call_id);
	return true;
}

void follow_set_call(struct follow *follow, struct story *story, uint64_t call, const char *id)
{
	story->call = call;
	tell(follow, story, SIP_TRACE_CALL, id);
	follow->handlers.counts(story->wanted, follow->handlers.arg);
}

bool follow_has_call(const struct story *story)
{
	return story->call != 0;
}

void follow_over(struct story *story)
{
	story->over = true;
	story->last = clock_now();
}

void follow_take(struct follow *follow, struct story *story, const struct sip_trace_entry *entry)
{
	story->last = clock_now();
	follow->handlers.take(&(struct sip_trace_piece){ .what = SIP_TRACE_ENTRY,
							 .story = story->number,
							 .entry = entry },
			      follow->handlers.arg);
}
