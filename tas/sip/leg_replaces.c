/* SPDX-License-Identifier: Apache-2.0 */
/* leg_replaces.c - which of our dialogs a Replaces value names (RFC 3891).
 *
 * Its to-tag is ours, its from-tag the peer's. Of an INVITE of ours that rings every
 * early dialog may be named, also one that no reliable response has opened.
 */
#include "tas/sip/leg_private.h"

#include <errno.h>
#include <string.h>

static bool is_peer_tag(const struct leg *leg, const char *tag)
{
	if (leg->peer_tag && strcmp(leg->peer_tag, tag) == 0)
		return true;
	return leg_find_early(leg, tag) != NULL;
}

static bool is_named(const struct leg *leg, const sip_replaces_t *replaces)
{
	const char *ours = nta_leg_get_tag(leg->dialog);

	return ours && leg->info.call_id && strcmp(leg->info.call_id, replaces->rp_call_id) == 0 &&
	       strcmp(ours, replaces->rp_to_tag) == 0 && is_peer_tag(leg, replaces->rp_from_tag);
}

static enum leg_stage stage_of(const struct leg *leg)
{
	if (leg->released || leg->ended)
		return LEG_STAGE_OVER;
	switch (leg->state) {
	case LEG_CALLING:
		return LEG_STAGE_RINGING;
	case LEG_TALKING:
		return LEG_STAGE_TALKING;
	case LEG_INVITED:
	case LEG_ACCEPTED:
	case LEG_ANSWERED:
		return LEG_STAGE_BETWEEN;
	case LEG_UNACKED:
	case LEG_CANCELLING:
	case LEG_HANGING_UP:
	case LEG_OVER:
		break;
	}
	return LEG_STAGE_OVER;
}

static int find(struct sip_endpoint *endpoint, const sip_replaces_t *replaces,
		struct leg_named *ret_named)
{
	for (struct leg *leg = endpoint->legs; leg; leg = leg->next) {
		if (!is_named(leg, replaces))
			continue;
		ret_named->stage = stage_of(leg);
		ret_named->leg = ret_named->stage == LEG_STAGE_OVER ? NULL : leg;
		ret_named->early_only = replaces->rp_early_only;
		return 0;
	}
	return -ENOENT;
}

int leg_by_replaces(struct sip_endpoint *endpoint, const char *replaces,
		    struct leg_named *ret_named)
{
	su_home_t home[1] = { SU_HOME_INIT(home) };
	sip_replaces_t *parsed = sip_replaces_make(home, replaces);
	int err = -EINVAL;

	if (parsed && parsed->rp_call_id && parsed->rp_to_tag && parsed->rp_from_tag)
		err = find(endpoint, parsed, ret_named);
	su_home_deinit(home);
	return err;
}
