/* SPDX-License-Identifier: Apache-2.0 */
/* core.c - where leg 3 goes: the addresses of an SBC, one step for each, the
 * next one for when the one before is out of reach (RFC 3263 section 4.3). */
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "tas/service/decision.h"
#include "tas/sip/watch.h"

/* ---- the core as a peer ---- */

static int apply(struct service_room *room, struct sip_peer **peer, const char *sbc)
{
	char name[] = "core", *uri = (char *)sbc;
	const struct config_trunk core = {
		.name = name, .uris = &uri, .uri_count = 1, .down_after = 1, .up_after = 1
	};
	int err = *peer ? 0 : sip_peer_create(peer, name);

	if (!err)
		err = sip_peer_configure(*peer, &core);
	if (!err && room->endpoint)
		err = sip_watch(*peer, room->endpoint);
	return err;
}

static void retire(struct sip_peer **peer)
{
	if (*peer)
		sip_peer_retire(*peer);
	*peer = sip_peer_unref(*peer);
}

int core_apply(struct service_room *room)
{
	const struct config *config = room->config;
	int err = apply(room, &room->cores[0], config->core.sbc.uri);

	for (size_t i = 1; !err && i < CONFIG_TENANTS; i++) {
		const char *own =
			i < config_tenants(config) ? config->tenants[i - 1].sbc.uri : NULL;

		if (own)
			err = apply(room, &room->cores[i], own);
		else
			retire(&room->cores[i]);
	}
	return err;
}

void core_done(struct service_room *room)
{
	for (size_t i = 0; i < CONFIG_TENANTS; i++)
		retire(&room->cores[i]);
}

/* ---- which of them ---- */

int core_of(const struct decision *decision)
{
	const struct config *config = decision->config;

	if (decision->info->peer != SERVICE_PEER_CORE || !decision->info->source)
		return -1;
	for (size_t i = 0; i < config_tenants(config); i++)
		if (core_sends_from(config, i, decision->info->source))
			return (int)i;
	return -1;
}

static size_t tenant_of(struct decision *decision)
{
	const struct config_registration *registration;
	int sender;

	if (decision->class.prefix_found)
		return decision->class.tenant;
	registration = decision_registration(decision);
	if (registration)
		return registration->tenant;
	sender = core_of(decision);
	return sender > 0 ? (size_t)sender : 0;
}

const char *core_sbc(struct decision *decision)
{
	const struct config *config = decision->config;
	size_t tenant = config->tenant_count ? tenant_of(decision) : 0;
	int sender = config->tenant_count ? core_of(decision) : -1;

	if (sender >= 0 && !core_sends_from(config, tenant, decision->info->source))
		tenant = (size_t)sender;
	return config_tenant_sbc(config, tenant);
}

/* ---- its addresses in a plan ---- */

static bool goes_there(const struct call_step *step, const char *sbc)
{
	return step->kind == CALL_STEP_DIAL && !step->line && !step->keep_hop && step->next_hop &&
	       strcmp(step->next_hop, sbc) == 0;
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

/* An SBC's addresses. */
struct spreading {
	const char *sbc;
	struct sip_line *const *lines;
	size_t line_count;
};

static void spread_all(struct decision *decision, struct call_step **steps, size_t *count,
		       const struct spreading *to)
{
	for (size_t i = 0; i < *count; i++) {
		struct call_step *step = &(*steps)[i];

		if (step->target_count)
			spread_all(decision, &step->targets, &step->target_count, to);
		else if (goes_there(step, to->sbc))
			spread(decision, steps, count, i, to->lines, to->line_count);
	}
}

static bool any_goes_there(const struct call_step *steps, size_t count, const char *sbc)
{
	for (size_t i = 0; i < count; i++)
		if (goes_there(&steps[i], sbc) ||
		    any_goes_there(steps[i].targets, steps[i].target_count, sbc))
			return true;
	return false;
}

static void spread_to(struct decision *decision, struct sip_peer *core, const char *sbc)
{
	struct call_plan *plan = decision->plan;
	struct spreading to = { .sbc = sbc };

	if (!any_goes_there(plan->steps, plan->step_count, sbc))
		return; /* nobody's turn is used up */
	to.line_count = decision->rehearsal ? sip_peer_peek(core, &to.lines)
					    : sip_peer_choose(core, &to.lines);
	/* Not known (yet): it is left to the SIP stack to look it up for this call. An
	 * address stays as it is written. */
	if (to.line_count > 1 ||
	    (to.line_count == 1 && strcmp(sip_line_uri(to.lines[0]), sbc) != 0))
		spread_all(decision, &plan->steps, &plan->step_count, &to);
}

void core_spread(struct decision *decision)
{
	struct service_room *room = decision->room;

	for (size_t i = 0; i < config_tenants(decision->config) && i < CONFIG_TENANTS; i++)
		if (room->cores[i])
			spread_to(decision, room->cores[i], config_tenant_sbc(decision->config, i));
}
