/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/service/change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/e164.h"
#include "base/hash_siphash.h"
#include "base/str.h"
#include "tas/service/caller.h"
#include "tas/service/numbering.h"
#include "tas/service/uri.h"

int change_turns_apply(struct service_room *room)
{
	size_t *turns = calloc(room->config->turn_count + 1, sizeof(*turns));

	if (!turns)
		return -ENOMEM;
	free(room->turns);
	room->turns = turns;
	room->turn_count = room->config->turn_count;
	return 0;
}

/* ---- who calls ---- */

/* The same callee sees the same number, from every node and after a restart: the
 * key is a constant. Nobody gains by choosing his number for its hash. */
static size_t pick_by_called(const struct decision *decision, size_t count)
{
	static const uint64_t key[2] = { 0, 0 };
	const char *called = decision->called;

	return (size_t)(siphash_2_4(key, called, strlen(called)) % count);
}

static size_t take_turn(size_t *turn, bool rehearsal)
{
	return rehearsal ? *turn : (*turn)++;
}

static const char *pick_caller(struct decision *decision, const struct config_action *action)
{
	const struct service_room *room = decision->room;
	size_t i;

	/* Without memory for its turn an action begins at the first each time. */
	if (action->pick == PICK_BY_CALLED)
		i = pick_by_called(decision, action->caller_count);
	else if (action->turn >= room->turn_count)
		i = 0;
	else
		i = take_turn(&room->turns[action->turn], decision->rehearsal) %
		    action->caller_count;
	return action->callers[i];
}

/* At the host From names, unless that is nobody's (RFC 3323 section 4.1.1.3). */
static char *caller_uri(const struct decision *decision, const char *from, const char *number)
{
	struct uri_view ours = { .rest = decision->config->domain }, view;

	if (!uri_split(from, &view) || strncmp(view.rest, "anonymous.invalid", 17) == 0)
		return uri_with_user(&ours, "sips", number);
	return uri_with_user(&view, NULL, number);
}

/* An asserted identity becomes the new one, in the form of From; what names the
 * old one otherwise goes, and so does a signature over it (RFC 8224). */
static void assert_caller(struct decision *decision, struct call_step *step)
{
	static const char *const stale[] = { NAME_PREFERRED, NAME_REMOTE_PARTY, "Identity" };
	struct str value = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(stale); i++)
		sip_headers_remove(&step->headers, stale[i]);
	if (!sip_headers_find(&step->headers, NAME_ASSERTED))
		return;
	str_addf(&value, "<%s>", step->from_uri);
	if (!value.text || sip_headers_set(&step->headers, NAME_ASSERTED, value.text) < 0)
		decision->failed = true;
	str_done(&value);
}

static void set_caller(struct decision *decision, struct call_step *step, const char *number)
{
	char *uri = step->from_uri ? caller_uri(decision, step->from_uri, number) : NULL;

	free(step->from_uri);
	step->from_uri = decision_text(decision, uri);
	free(step->from_display);
	step->from_display = NULL;
	if (step->from_uri)
		assert_caller(decision, step);
	(void)snprintf(decision->presented, sizeof(decision->presented), "%s", number);
}

/* ---- who is called ---- */

static void set_user(struct decision *decision, char **uri, const char *user)
{
	struct uri_view view;
	char *fresh;

	if (!*uri || !uri_split(*uri, &view))
		return; /* urn:service:sos has no number to change */
	fresh = decision_text(decision, uri_with_user(&view, NULL, user));
	free(*uri);
	*uri = fresh;
}

/* Labels are logged. Who is shown may change from call to call, and is not named. */
static void relabel(struct decision *decision, struct call_step *step, bool caller,
		    const char *called)
{
	struct str label = { 0 };
	char masked[64];

	str_add(&label, step->label ? step->label : "");
	if (caller)
		str_add(&label, " as another caller");
	if (called) {
		e164_mask(called, masked, sizeof(masked));
		str_addf(&label, " to %s", masked);
	}
	free(step->label);
	step->label = decision_text(decision, str_take(&label));
}

void change_loop(struct decision *decision, const struct config_action *action)
{
	char called[NUMBER_ROOM];
	bool rewritten =
		config_rewrite(&action->number, decision->class.called, called, sizeof(called));
	struct call_step *step = loop_add(decision, loop_bypass(decision), action->ring_s);

	if (!step)
		return;
	if (action->caller_count)
		set_caller(decision, step, pick_caller(decision, action));
	if (rewritten) {
		set_user(decision, &step->request_uri, called);
		set_user(decision, &step->to_uri, called);
	}
	if (action->caller_count || rewritten)
		relabel(decision, step, action->caller_count > 0, rewritten ? called : NULL);
}

void change_dial(struct decision *decision, const struct config_action *action)
{
	const struct config_trunk *trunk = &decision->config->trunks[action->trunk];
	struct call_plan *plan = decision->plan;
	size_t first = plan->step_count;
	char called[NUMBER_ROOM];
	bool rewritten =
		config_rewrite(&action->number, decision->class.called, called, sizeof(called));

	dial_add(decision, trunk, rewritten ? called : NULL, action->ring_s);
	for (size_t i = first; rewritten && i < plan->step_count; i++)
		relabel(decision, &plan->steps[i], false, called);
}
