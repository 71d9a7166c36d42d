/* SPDX-License-Identifier: Apache-2.0 */
/* dial.c - a call towards a PBX trunk, which is told little: the number, who
 * calls (unless the caller hides), and headers the operator listed. */
#include <stdio.h>
#include <string.h>
#include "tas/service/decision.h"
#include "tas/service/identity.h"
#include "tas/service/numbering.h"
#include "tas/service/uri.h"

static size_t index_of(const struct config_trunk *trunk, const char *uri)
{
	size_t i = 0;

	while (i + 1 < trunk->uri_count && strcmp(trunk->uris[i], uri) != 0)
		i++;
	return i;
}

void dial_codecs(const struct config_trunk *trunk, struct media_codecs *ret_codecs)
{
	static const enum media_dtmf dtmf[] = { [TRUNK_DTMF_AUTO] = MEDIA_DTMF_AUTO,
						[TRUNK_DTMF_RFC4733] = MEDIA_DTMF_RFC4733,
						[TRUNK_DTMF_INFO] = MEDIA_DTMF_INFO,
						[TRUNK_DTMF_INBAND] = MEDIA_DTMF_INBAND };

	memset(ret_codecs, 0, sizeof(*ret_codecs));
	ret_codecs->convert = true;
	ret_codecs->shared_port = trunk->shared_port;
	ret_codecs->latching = decision_latching(trunk->latching);
	if (trunk->media_address) /* a checked address: it fits */
		(void)snprintf(ret_codecs->address, sizeof(ret_codecs->address), "%s",
			       trunk->media_address);
	ret_codecs->dtmf = dtmf[trunk->dtmf];
	for (size_t i = 0; i < trunk->codec_count && i < MEDIA_CODECS_MAX; i++) {
		(void)snprintf(ret_codecs->names[i], sizeof(ret_codecs->names[i]), "%s",
			       trunk->codecs[i]);
		ret_codecs->count++;
	}
}

static void add_gateway(struct decision *decision, const struct config_trunk *trunk,
			struct sip_line *line, const char *number, unsigned ring_s)
{
	const char *name = sip_line_name(line);
	size_t index = index_of(trunk, name);
	struct uri_view gateway;
	struct call_step *step;

	if (!uri_split(name, &gateway))
		return; /* the config room has checked it */
	step = decision_add_step(decision, CALL_STEP_DIAL, index ? "dial %s/%zu" : "dial %s",
				 trunk->name, index + 1);
	if (!step)
		return;
	step->request_uri = decision_text(decision, uri_with_user(&gateway, NULL, number));
	step->to_uri = decision_text(decision, uri_with_user(&gateway, NULL, number));
	step->next_hop = decision_text(decision, strdup(sip_line_uri(line)));
	identity_tell_trunk(decision, step, trunk);
	identity_allow_responses(step, trunk, true);
	step->max_forwards = decision->info->max_forwards - 1;
	step->peer = trunks_peer(decision->room, (size_t)(trunk - decision->config->trunks));
	step->media = decision_media(trunk->media); /* config has looked at its transport */
	dial_codecs(trunk, &step->codecs);
	step->hold_music = media_sounds_ref(decision->room->sounds, trunk->hold_music);
	step->ring_ms = ring_s * 1000;
	step->line = sip_line_ref(line);
}

/* Steps from `first` on, but for that one, stand in for a dead gateway; a busy
 * phone is busy there too. */
static void stand_in(struct decision *decision, size_t first)
{
	for (size_t i = first + 1; i < decision->plan->step_count; i++)
		decision->plan->steps[i].only_after_trouble =
			decision->plan->steps[i].other_address = true;
}

void dial_add(struct decision *decision, const struct config_trunk *trunk, const char *number,
	      unsigned ring_s)
{
	struct sip_peer *peer =
		trunks_find(decision->room, (size_t)(trunk - decision->config->trunks));
	size_t first = decision->plan->step_count, count;
	struct sip_line *const *lines;
	char called[NUMBER_ROOM];

	if (!number) {
		number_for_peer(&trunk->identity, decision->class.called, called);
		number = called;
	}
	if (!number[0] || !peer)
		return; /* nothing a PBX could dial; the core gets it back */
	if (!identity_can_hide(decision->info, &trunk->identity))
		return; /* RFC 3323 section 5.1: the core may be able to */
	count = decision->rehearsal ? sip_peer_peek(peer, &lines) : sip_peer_choose(peer, &lines);
	for (size_t i = 0; i < count; i++)
		add_gateway(decision, trunk, lines[i], number, ring_s);
	stand_in(decision, first);
}
