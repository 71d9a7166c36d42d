/* SPDX-License-Identifier: Apache-2.0 */
/* dial.c - a call towards a PBX trunk, which is told little: the number, who
 * calls (unless the caller hides), and headers the operator listed. */
#include <stdlib.h>
#include <string.h>
#include "tas/service/decision.h"
#include "tas/service/identity.h"
#include "tas/service/numbering.h"
#include "tas/service/uri.h"

static void add_gateway(struct decision *decision, const struct config_trunk *trunk, size_t index,
			const char *number, unsigned ring_s)
{
	struct uri_view gateway;
	struct call_step *step;

	if (!uri_split(trunk->uris[index], &gateway))
		return; /* the config room has checked it */
	step = decision_add_step(decision, CALL_STEP_DIAL, index ? "dial %s/%zu" : "dial %s",
				 trunk->name, index + 1);
	if (!step)
		return;
	step->request_uri = decision_text(decision, uri_with_user(&gateway, NULL, number));
	step->to_uri = decision_text(decision, uri_with_user(&gateway, NULL, number));
	step->next_hop = decision_text(decision, strdup(trunk->uris[index]));
	identity_tell_trunk(decision, step, trunk);
	identity_allow_responses(step, trunk, true);
	step->max_forwards = decision->info->max_forwards - 1;
	step->media = trunk->media == MEDIA_WEBRTC ? MEDIA_LEG_WEBRTC : MEDIA_LEG_RTP;
	step->ring_ms = ring_s * 1000;
	/* The next gateway stands in for a dead one; a busy phone is busy there too. */
	step->only_after_trouble = index > 0;
}

void dial_add(struct decision *decision, const struct config_trunk *trunk, const char *number,
	      unsigned ring_s)
{
	char called[NUMBER_ROOM];

	if (!number) {
		number_for_peer(&trunk->identity, decision->class.called, called);
		number = called;
	}
	if (!number[0])
		return; /* nothing a PBX could dial; the core gets it back */
	if (!identity_can_hide(decision->info, &trunk->identity))
		return; /* RFC 3323 section 5.1: the core may be able to */
	for (size_t i = 0; i < trunk->uri_count; i++)
		add_gateway(decision, trunk, i, number, ring_s);
}
