/* SPDX-License-Identifier: Apache-2.0 */
/* leg_early.c - the early dialogs of an INVITE of ours: a fork has several (RFC 3261
 * section 13.2.2.4), each with an answer of its own to our offer.
 *
 * Whoever hears of them behind us is one dialog, and its media ends with us, so the
 * media follows the dialog that sent SDP last. Where callees come one after the other,
 * which is what a mobile core does (an announcement or a tone of its own and then the
 * phone; a phone, a forwarding, the voicemail), the last is the one that is there. Where
 * they ring at once, hearing one of them is what RFC 3960 section 3.1 asks for, and
 * the 2xx decides: its dialog's SDP is told once more if another one was heard.
 *
 * An offer of theirs, to an INVITE without one, can be passed on only once: that of
 * the first dialog.
 */
#include "tas/sip/leg_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define EARLY_MAX 8 /* what forks wider is not acknowledged, nor found */

struct early_dialog *leg_find_early(const struct leg *leg, const char *tag)
{
	for (struct early_dialog *early = leg->early; early; early = early->next)
		if (strcmp(early->tag, tag) == 0)
			return early;
	return NULL;
}

void leg_note_early(struct leg *leg, const sip_t *sip)
{
	const char *tag = sip->sip_to->a_tag;
	struct early_dialog *early;
	unsigned count = 0;

	if (!tag || leg_find_early(leg, tag))
		return;
	for (early = leg->early; early; early = early->next)
		count++;
	early = count < EARLY_MAX ? calloc(1, sizeof(*early) + strlen(tag) + 1) : NULL;
	if (!early)
		return;
	memcpy(early->tag, tag, strlen(tag) + 1);
	early->next = leg->early;
	leg->early = early;
}

struct early_dialog *leg_open_early(struct leg *leg, const sip_t *sip)
{
	const char *tag = sip->sip_to->a_tag;
	struct early_dialog *early = tag ? leg_find_early(leg, tag) : NULL;

	if (!early || early->dialog)
		return early;
	early->dialog =
		nta_leg_tcreate(leg->endpoint->agent, leg_on_request, leg,
				SIPTAG_CALL_ID(sip->sip_call_id), SIPTAG_FROM(sip->sip_from),
				SIPTAG_TO(sip->sip_to), SIPTAG_CSEQ(sip->sip_cseq), TAG_END());
	if (!early->dialog)
		return NULL;
	(void)nta_leg_client_reroute(early->dialog, sip->sip_record_route, sip->sip_contact, 1);
	return early;
}

nta_leg_t *leg_early_dialog(const struct leg *leg, const char *tag)
{
	struct early_dialog *early = leg_find_early(leg, tag);

	return early ? early->dialog : NULL;
}

static bool is_heard(const struct leg *leg, const struct early_dialog *early)
{
	return leg->early_tag && strcmp(leg->early_tag, early->tag) == 0;
}

static bool hear(struct leg *leg, struct early_dialog *early, const char *sdp)
{
	char *tag = strdup(early->tag), *copy = strdup(sdp);

	if (!tag || !copy) {
		free(tag);
		free(copy);
		return false;
	}
	free(leg->early_tag);
	free(early->sdp);
	leg->early_tag = tag;
	early->sdp = copy;
	leg->agreed_early = false;
	return true;
}

bool leg_hear_early(struct leg *leg, const sip_t *sip, const char *sdp)
{
	const char *tag = sip->sip_to->a_tag;
	struct early_dialog *early = tag ? leg_find_early(leg, tag) : NULL;

	if (!early)
		return !leg->early_tag; /* a preview, as long as there is nothing better */
	if (!leg->info.sdp && leg->early_tag && !is_heard(leg, early))
		return false;
	/* After the answer what follows means nothing: RFC 3261 section 13.2.1. */
	return !early->agreed && hear(leg, early, sdp);
}

void leg_agree_early(struct leg *leg, struct early_dialog *early)
{
	early->agreed = true;
	leg->agreed_early = is_heard(leg, early);
	leg->offers.ours = false;
}

char *leg_final_sdp(struct leg *leg, const sip_t *sip)
{
	const char *tag = sip->sip_to->a_tag;
	const struct early_dialog *early = tag ? leg_find_early(leg, tag) : NULL;
	char *sdp = early && early->agreed ? NULL : message_sdp_or_null(sip);

	if (sdp || !early || is_heard(leg, early))
		return sdp;
	return str_dup_or_null(early->sdp); /* another one was heard since */
}

static void close_early(struct early_dialog *early)
{
	if (early->dialog)
		nta_leg_destroy(early->dialog);
	free(early->sdp);
	free(early);
}

bool leg_choose_early(struct leg *leg, const char *tag)
{
	struct early_dialog *chosen = tag ? leg_find_early(leg, tag) : NULL;
	bool opened = chosen && chosen->dialog;

	if (opened) {
		nta_leg_destroy(leg->dialog);
		leg->dialog = chosen->dialog;
		chosen->dialog = NULL;
	}
	leg_drop_early(leg);
	return opened;
}

void leg_drop_early(struct leg *leg)
{
	while (leg->early) {
		struct early_dialog *early = leg->early;

		leg->early = early->next;
		close_early(early);
	}
}
