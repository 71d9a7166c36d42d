/* SPDX-License-Identifier: Apache-2.0 */
/* leg_prack.c - reliable provisional responses, ours and theirs (RFC 3262).
 *
 * Ours: sofia numbers, repeats and queues them; what the PRACK carries is for
 * us. Theirs: each dialog that a fork opens counts its own RSeq, so each gets a
 * dialog here, and everything but an offer is acknowledged at once.
 */
#include "tas/sip/leg_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define EARLY_MAX 8 /* dialogs of one INVITE; what forks wider is not acknowledged, nor found */

/* ---- ours ---- */

/* RFC 3262 section 5: the INVITE carried no offer, the 18x did; this is the
 * answer, and the end of the exchange even where it is missing. */
static int answered_in_prack(struct leg *leg, nta_incoming_t *prack, const sip_t *sip)
{
	struct leg_event event = { .type = LEG_EV_PRACKED, .status = 200, .reason = "PRACK" };
	msg_t *msg = nta_incoming_getrequest(prack);
	char *sdp = message_sdp_or_null(sip);

	nta_incoming_treply(prack, SIP_200_OK, TAG_END());
	nta_incoming_destroy(prack);
	event.sdp = sdp;
	leg_tell(leg, &event, msg);
	free(sdp);
	msg_destroy(msg);
	return 200;
}

/* prack NULL: a final response or time-out ends the wait. */
static int acknowledged(struct leg *leg, nta_reliable_t *reliable, nta_incoming_t *prack,
			const sip_t *sip, bool carried_sdp)
{
	nta_reliable_destroy(reliable);
	if (!prack)
		return 0;
	leg_heard(leg, sip);
	if (carried_sdp && !leg->agreed_early) {
		leg->agreed_early = true;
		leg->offers.theirs = false;
		if (!leg->info.sdp)
			return answered_in_prack(leg, prack, sip);
	}
	return sip->sip_payload ? leg_on_offer(leg, prack, sip) : 200;
}

static int on_prack(struct leg *leg, nta_reliable_t *reliable, nta_incoming_t *prack,
		    const sip_t *sip)
{
	return acknowledged(leg, reliable, prack, sip, false);
}

static int on_prack_for_sdp(struct leg *leg, nta_reliable_t *reliable, nta_incoming_t *prack,
			    const sip_t *sip)
{
	return acknowledged(leg, reliable, prack, sip, true);
}

int leg_send_reliably(struct leg *leg, int status, const char *reason, const char *sdp,
		      const struct sip_headers *headers)
{
	bool first_sdp = sdp && !leg->early_sdp_sent;
	/* RFC 3262 section 5 and RFC 3261 section 13.2.1: one answer is enough. */
	msg_t *msg = leg_make_reply(leg, leg->invite_in, status, reason, first_sdp ? sdp : NULL,
				    headers);

	if (!msg)
		return -ENOMEM;
	if (!nta_reliable_mreply(leg->invite_in, first_sdp ? on_prack_for_sdp : on_prack, leg, msg))
		return -EIO;
	leg->reliable = true;
	if (!first_sdp)
		return 0;
	leg->early_sdp_sent = true;
	return leg_remember_local(leg, sdp);
}

/* ---- theirs ---- */

static struct early_dialog *find(const struct leg *leg, const char *tag)
{
	for (struct early_dialog *early = leg->early; early; early = early->next)
		if (strcmp(early->tag, tag) == 0)
			return early;
	return NULL;
}

bool leg_has_early(const struct leg *leg, const char *tag)
{
	return find(leg, tag) != NULL;
}

nta_leg_t *leg_early_dialog(const struct leg *leg, const char *tag)
{
	struct early_dialog *early = find(leg, tag);

	return early ? early->dialog : NULL;
}

void leg_note_early(struct leg *leg, const sip_t *sip)
{
	const char *tag = sip->sip_to->a_tag;
	struct early_dialog *early;
	unsigned count = 0;

	if (!tag || find(leg, tag))
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

/* NULL: no such dialog, or no memory. */
static struct early_dialog *open_early(struct leg *leg, const sip_t *sip)
{
	struct early_dialog *early = sip->sip_to->a_tag ? find(leg, sip->sip_to->a_tag) : NULL;

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

static void close_early(struct early_dialog *early)
{
	if (early->dialog)
		nta_leg_destroy(early->dialog);
	free(early);
}

static int send_prack(struct leg *leg, struct early_dialog *early, uint32_t rseq, const char *sdp)
{
	char rack[48];

	(void)snprintf(rack, sizeof(rack), "%u %u INVITE", rseq,
		       nta_outgoing_cseq(leg->invite_out));
	return leg_send_errand(leg,
			       &(struct leg_request){ SIP_METHOD_PRACK, .dialog = early->dialog,
						      .sdp = sdp, .rack = rack });
}

bool leg_take_reliable(struct leg *leg, const sip_t *sip, bool with_sdp)
{
	uint32_t rseq = (uint32_t)sip->sip_rseq->rs_response; /* 32 bits on the wire */
	struct early_dialog *early = open_early(leg, sip);

	if (!early)
		return true; /* told as an ordinary one */
	if (early->rseq && rseq != early->rseq + 1)
		return false; /* RFC 3262 section 4 */
	early->rseq = rseq;
	if (with_sdp && !leg->info.sdp && !leg->agreed_early) {
		leg->prack_rseq = rseq; /* an offer: leg_prack() has the answer */
		return true;
	}
	if (with_sdp && leg->info.sdp) {
		leg->agreed_early = true;
		leg->offers.ours = false;
	}
	if (send_prack(leg, early, rseq, NULL) < 0)
		early->rseq = rseq - 1; /* its repetition is a second try */
	return true;
}

int leg_prack(struct leg *leg, const char *sdp)
{
	struct early_dialog *early = leg->early_tag ? find(leg, leg->early_tag) : NULL;
	int err;

	if (leg->state != LEG_CALLING || !leg->prack_rseq || !early)
		return -EINVAL;
	err = send_prack(leg, early, leg->prack_rseq, sdp);
	if (err)
		return err;
	leg->prack_rseq = 0;
	leg->agreed_early = true;
	leg->offers.ours = false;
	return leg_remember_local(leg, sdp);
}

bool leg_choose_early(struct leg *leg, const char *tag)
{
	struct early_dialog *chosen = tag ? find(leg, tag) : NULL;
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
