/* SPDX-License-Identifier: Apache-2.0 */
/* dial.c - a call towards a PBX trunk, which is told little: the number, who
 * calls (unless the caller hides), and headers the operator listed. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/str.h"
#include "tas/service/decision.h"
#include "tas/service/uri.h"

static bool allows(const struct config_trunk *trunk, const char *name)
{
	for (size_t i = 0; i < trunk->allow_header_count; i++)
		if (str_equal_nocase(trunk->allow_headers[i], name))
			return true;
	return false;
}

static void copy_headers(struct decision *decision, struct call_step *step,
			 const struct config_trunk *trunk, bool privacy)
{
	if (sip_headers_copy_allowed(&step->headers, decision->info->headers,
				     (const char *const *)trunk->allow_headers,
				     trunk->allow_header_count) < 0)
		decision->failed = true;
	/* RFC 3325 section 7: a trunk that is not told of Privacy would show it. */
	if (privacy && !allows(trunk, "Privacy"))
		sip_headers_remove(&step->headers, "P-Asserted-Identity");
}

static void add_from(struct decision *decision, struct call_step *step, bool privacy)
{
	const struct leg_info *info = decision->info;
	struct uri_view ours = { .rest = decision->config->domain };

	if (privacy || !info->from_user[0]) { /* RFC 3323 4.1.1.3 */
		step->from_uri = decision_text(decision, strdup("sip:anonymous@anonymous.invalid"));
		step->from_display = decision_text(decision, strdup("Anonymous"));
		return;
	}
	step->from_uri = decision_text(decision, uri_with_user(&ours, "sip", info->from_user));
	if (info->from_display[0])
		step->from_display = decision_text(decision, strdup(info->from_display));
}

static void add_gateway(struct decision *decision, const struct config_trunk *trunk, size_t index,
			unsigned ring_s)
{
	bool privacy = decision_wants_privacy(decision->info->headers);
	struct uri_view gateway;
	struct call_step *step;

	if (!uri_split(trunk->uris[index], &gateway))
		return; /* the config room has checked it */
	step = decision_add_step(decision, CALL_STEP_DIAL, index ? "dial %s/%zu" : "dial %s",
				 trunk->name, index + 1);
	if (!step)
		return;
	step->request_uri =
		decision_text(decision, uri_with_user(&gateway, NULL, decision->class.called));
	step->to_uri =
		decision_text(decision, uri_with_user(&gateway, NULL, decision->class.called));
	step->next_hop = decision_text(decision, strdup(trunk->uris[index]));
	add_from(decision, step, privacy);
	copy_headers(decision, step, trunk, privacy);
	step->max_forwards = decision->info->max_forwards - 1;
	step->media = trunk->media == MEDIA_WEBRTC ? MEDIA_LEG_WEBRTC : MEDIA_LEG_RTP;
	step->ring_ms = ring_s * 1000;
	/* The next gateway stands in for a dead one; a busy phone is busy there too. */
	step->only_after_trouble = index > 0;
}

void dial_add(struct decision *decision, const struct config_trunk *trunk, unsigned ring_s)
{
	if (!decision->class.called[0])
		return; /* nothing a PBX could dial; the core gets it back */
	for (size_t i = 0; i < trunk->uri_count; i++)
		add_gateway(decision, trunk, i, ring_s);
}
