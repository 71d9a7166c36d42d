/* SPDX-License-Identifier: Apache-2.0 */
/* leg_prack.c - reliable provisional responses, ours and theirs (RFC 3262).
 *
 * Ours: sofia numbers, repeats and queues them; what the PRACK carries is for
 * us. Theirs: each early dialog (leg_early.c) counts its own RSeq, and everything but an
 * offer is acknowledged at once.
 */
#include "tas/sip/leg_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* ---- ours ---- */

/* RFC 3262 section 5: the INVITE carried no offer, the 18x did; this is the
 * answer, and the end of the exchange even where it is missing. */
static int answered_in_prack(struct leg *leg, nta_incoming_t *prack, const sip_t *sip)
{
	struct leg_event event = { .type = LEG_EV_PRACKED, .status = 200, .reason = "PRACK" };
	msg_t *msg = nta_incoming_getrequest(prack);
	char *sdp = message_sdp_or_null(sip);

	(void)leg_close_request(leg, prack, 200);
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
	return sip->sip_payload ? leg_on_offer(leg, prack, sip)
				: leg_close_request(leg, prack, 200);
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

static int send_prack(struct leg *leg, struct early_dialog *early, uint32_t rseq, const char *sdp)
{
	char rack[48];

	(void)snprintf(rack, sizeof(rack), "%u %u INVITE", rseq,
		       nta_outgoing_cseq(leg->invite_out));
	return leg_send_errand(leg,
			       &(struct leg_request){ SIP_METHOD_PRACK, .dialog = early->dialog,
						      .sdp = sdp, .rack = rack });
}

bool leg_reliable_in_order(struct leg *leg, const sip_t *sip)
{
	uint32_t rseq = (uint32_t)sip->sip_rseq->rs_response; /* 32 bits on the wire */
	struct early_dialog *early = leg_open_early(leg, sip);

	if (!early)
		return true; /* told as an ordinary one */
	if (early->rseq && rseq != early->rseq + 1)
		return false; /* RFC 3262 section 4 */
	early->rseq = rseq;
	return true;
}

void leg_take_reliable(struct leg *leg, const sip_t *sip, bool with_sdp)
{
	struct early_dialog *early = leg_open_early(leg, sip);

	if (!early)
		return;
	if (with_sdp && !leg->info.sdp) {
		leg->prack_rseq = early->rseq; /* an offer: leg_prack() has the answer */
		return;
	}
	if (with_sdp)
		leg_agree_early(leg, early);
	if (send_prack(leg, early, early->rseq, NULL) < 0)
		early->rseq--; /* its repetition is a second try */
}

int leg_prack(struct leg *leg, const char *sdp)
{
	struct early_dialog *early = leg->early_tag ? leg_find_early(leg, leg->early_tag) : NULL;
	int err;

	if (leg->state != LEG_CALLING || !leg->prack_rseq || !early)
		return -EINVAL;
	err = send_prack(leg, early, leg->prack_rseq, sdp);
	if (err)
		return err;
	leg->prack_rseq = 0;
	leg_agree_early(leg, early);
	return leg_remember_local(leg, sdp);
}
