/* SPDX-License-Identifier: Apache-2.0 */
/* core.c - where leg 3 goes: the addresses of core.sbc.uri, one step for each, the
 * next one for when the one before is out of reach (RFC 3263 section 4.3). */
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "tas/service/decision.h"
#include "tas/sip/watch.h"

/* ---- the core as a peer ---- */

int core_apply(struct service_room *room)
{
	char name[] = "core", *uri = room->config->core.sbc.uri;
	const struct config_trunk core = {
		.name = name, .uris = &uri, .uri_count = 1, .down_after = 1, .up_after = 1
	};
	int err = room->core ? 0 : sip_peer_create(&room->core, name);

	if (!err)
		err = sip_peer_configure(room->core, &core);
	if (!err && room->endpoint)
		err = sip_watch(room->core, room->endpoint);
	return err;
}

void core_done(struct service_room *room)
{
	if (room->core)
		sip_peer_retire(room->core);
	room->core = sip_peer_unref(room->core);
}

/* ---- its addresses in a plan ---- */

static bool goes_there(const struct decision *decision, const struct call_step *step)
{
	return step->kind == CALL_STEP_DIAL && !step->line && !step->keep_hop && step->next_hop &&
	       strcmp(step->next_hop, decision->config->core.sbc.uri) == 0;
}

static char *copy_text(struct decision *decision, const char *text)
{
	return text ? decision_text(decision, strdup(text)) : NULL;
}

/* The same call by another address. */
static struct call_step copy(struct decision *decision, const struct call_step *step)
{
	struct call_step other = *step;

	other.label = copy_text(decision, step->label);
	other.target_name = copy_text(decision, step->target_name);
	other.request_uri = copy_text(decision, step->request_uri);
	other.from_uri = copy_text(decision, step->from_uri);
	other.from_display = copy_text(decision, step->from_display);
	other.to_uri = copy_text(decision, step->to_uri);
	other.to_display = copy_text(decision, step->to_display);
	other.next_hop = NULL;
	memset(&other.headers, 0, sizeof(other.headers));
	if (sip_headers_copy_all(&other.headers, &step->headers) < 0)
		decision->failed = true;
	other.only_after_trouble = other.other_address = true;
	return other;
}

static void send_to(struct decision *decision, struct call_step *step, struct sip_line *line)
{
	free(step->next_hop);
	step->next_hop = copy_text(decision, sip_line_uri(line));
}

/* steps[at] goes to the first line, and copies of it behind it to the others. */
static void spread(struct decision *decision, struct call_step **steps, size_t *count, size_t at,
		   struct sip_line *const *lines, size_t line_count)
{
	size_t more = line_count - 1;
	struct call_step *grown = realloc(*steps, (*count + more) * sizeof(**steps));

	if (!grown) {
		decision->failed = true;
		return;
	}
	*steps = grown;
	memmove(&grown[at + line_count], &grown[at + 1], (*count - at - 1) * sizeof(*grown));
	*count += more;
	for (size_t i = 0; i < line_count; i++) {
		if (i)
			grown[at + i] = copy(decision, &grown[at]);
		send_to(decision, &grown[at + i], lines[i]);
	}
	for (size_t i = 0; more && i < line_count; i++)
		grown[at + i].line = sip_line_ref(lines[i]);
}

static void spread_all(struct decision *decision, struct call_step **steps, size_t *count,
		       struct sip_line *const *lines, size_t line_count)
{
	for (size_t i = 0; i < *count; i++) {
		struct call_step *step = &(*steps)[i];

		if (step->target_count)
			spread_all(decision, &step->targets, &step->target_count, lines,
				   line_count);
		else if (goes_there(decision, step))
			spread(decision, steps, count, i, lines, line_count);
	}
}

void core_spread(struct decision *decision)
{
	struct sip_peer *core = decision->room->core;
	struct call_plan *plan = decision->plan;
	struct sip_line *const *lines;
	size_t count =
		decision->rehearsal ? sip_peer_peek(core, &lines) : sip_peer_choose(core, &lines);

	/* Not known (yet): it is left to the SIP stack to look it up for this call. An
	 * address stays as it is written. */
	if (count > 1 ||
	    (count == 1 && strcmp(sip_line_uri(lines[0]), decision->config->core.sbc.uri) != 0))
		spread_all(decision, &plan->steps, &plan->step_count, lines, count);
}
