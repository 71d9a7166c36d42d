/* SPDX-License-Identifier: Apache-2.0 */
/* leg_refresh.c - a dialog's session timer on the wire (RFC 4028).
 *
 * We refresh by an UPDATE without SDP where the peer allows it, else by a
 * re-INVITE with the SDP it has of us. The owner hears of it only when the peer is
 * lost.
 */
#include "tas/sip/leg_private.h"

#include <errno.h>
#include <string.h>

#define RETRY_MS 2000 /* an offer or another refresh is in the way */

static enum session_refresher refresher_of(const char *word)
{
	if (word && strcasecmp(word, "uac") == 0)
		return SESSION_REFRESHER_UAC;
	return word && strcasecmp(word, "uas") == 0 ? SESSION_REFRESHER_UAS
						    : SESSION_REFRESHER_OPEN;
}

struct session_timer_said leg_session_said(const sip_t *sip)
{
	const sip_session_expires_t *expires = sip->sip_session_expires;
	struct session_timer_said said = {
		.supported = sip_has_feature(sip->sip_supported, "timer") ||
			     sip_has_feature(sip->sip_require, "timer"),
	};

	if (expires) {
		said.expires_s = (unsigned)expires->x_delta;
		said.refresher = refresher_of(expires->x_refresher);
	}
	if (sip->sip_min_se)
		said.min_se_s = (unsigned)sip->sip_min_se->min_delta;
	return said;
}

/* The time of a dialog that is not up yet begins with it. */
static void start(struct leg *leg)
{
	if (leg->session.interval_s && leg->state == LEG_TALKING)
		timer_start(endpoint_wheel(leg->endpoint), &leg->session_timer,
			    clock_now() + session_timer_wait_ms(&leg->session));
	else
		timer_cancel(&leg->session_timer);
}

void leg_session_begin(struct leg *leg)
{
	if (!timer_active(&leg->session_timer))
		start(leg);
}

/* RFC 4028 section 7.1 and 9: the timer is a matter of the 2xx to the INVITE and
 * of what comes after; an UPDATE before says nothing of it. */
void leg_session_reanswer(struct leg *leg, const struct session_timer_said *request)
{
	if (leg->state == LEG_TALKING)
		leg_session_answer(leg, request);
}

void leg_session_answer(struct leg *leg, const struct session_timer_said *request)
{
	leg->session = session_timer_answer(&leg->endpoint->session_terms, request);
	start(leg);
}

void leg_session_agreed(struct leg *leg, const sip_t *response)
{
	struct session_timer_said said = leg_session_said(response);

	leg->session = session_timer_agreed(&said);
	start(leg);
}

void leg_session_stop(struct leg *leg)
{
	timer_cancel(&leg->session_timer);
	nta_outgoing_destroy(leg->refresh_out);
	leg->refresh_out = NULL;
}

/* ---- the peer's turn ---- */

static void expired(struct leg *leg)
{
	leg_hang_up(leg, "SIP;cause=408;text=\"Session timer expired\"");
	leg_end(leg, LEG_END_EXPIRED, 408, "session not refreshed", NULL);
}

/* ---- our turn ---- */

static void try_later(struct leg *leg, mono_ms ms)
{
	timer_start(endpoint_wheel(leg->endpoint), &leg->session_timer, clock_now() + ms);
}

static void on_refused(struct leg *leg, nta_outgoing_t *request, int status, const sip_t *sip)
{
	struct session_timer_said said = { 0 };

	if (sip)
		said = leg_session_said(sip);
	if (status == 408 || status == 481) { /* RFC 3261 section 12.2.1.2 */
		leg_hang_up(leg, "SIP;cause=408;text=\"Session refresh failed\"");
		leg_end(leg, LEG_END_LOST, status, "session refresh failed", NULL);
	} else if (status == 422 && said.min_se_s > leg->session.interval_s) {
		leg->session.interval_s = said.min_se_s; /* RFC 4028 section 7.4 */
		try_later(leg, 0);
	} else if (nta_outgoing_method(request) == sip_method_update &&
		   (status == 405 || status == 501)) {
		leg->allows &= ~LEG_ALLOWS_UPDATE; /* it said otherwise before */
		try_later(leg, 0);
	} else { /* the dialog is there: what it will not do is no reason to end the call */
		try_later(leg, status == 491 ? RETRY_MS : (mono_ms)leg->session.interval_s * 250);
	}
}

static int on_response(void *arg, nta_outgoing_t *request, const sip_t *sip)
{
	struct leg *leg = arg;
	int status = sip ? sip->sip_status->st_status : 408;
	bool invite = nta_outgoing_method(request) == sip_method_invite;

	if (status < 200)
		return 0;
	leg->refresh_out = leg_auth_again(leg, request, sip, on_response);
	if (leg->refresh_out) {
		nta_outgoing_destroy(request);
		return 0;
	}
	if (invite)
		leg->offers.ours = false;
	if (leg->state == LEG_TALKING && status < 300) {
		leg_heard(leg, sip);
		(void)nta_leg_client_reroute(leg->dialog, sip->sip_record_route, sip->sip_contact,
					     0);
		leg_session_agreed(leg, sip);
		if (invite)
			leg_acknowledge(leg, request, true);
	} else if (leg->state == LEG_TALKING) {
		on_refused(leg, request, status, sip);
	}
	nta_outgoing_destroy(request);
	return 0;
}

static void refresh(struct leg *leg)
{
	bool update = leg->allows & LEG_ALLOWS_UPDATE;
	struct leg_request with_update = { SIP_METHOD_UPDATE, on_response, .sdp = NULL };
	struct leg_request with_invite = { SIP_METHOD_INVITE, on_response, .sdp = leg->local_sdp };

	if (leg->refresh_out || (!update && offer_answer_may_send(&leg->offers) < 0)) {
		try_later(leg, RETRY_MS);
		return;
	}
	leg->refresh_out = leg_request(leg, update ? &with_update : &with_invite);
	if (!leg->refresh_out)
		try_later(leg, RETRY_MS);
	else if (!update)
		leg->offers.ours = true;
}

void leg_session_due(struct timer *timer, void *arg)
{
	struct leg *leg = arg;

	(void)timer;
	if (leg->state != LEG_TALKING)
		return;
	if (leg->session.ours)
		refresh(leg);
	else
		expired(leg);
}
