/* SPDX-License-Identifier: Apache-2.0 */
/* leg_auth.c - challenges (401, 407) to requests of ours: answered for the trunk
 * that the leg is with, whoever called, and for nobody else.
 *
 * Our INVITE goes to the trunk's own next hop, so its challenge is answered. A
 * later request goes where the dialog's peer says, which may be anybody's host
 * (EnableSecurity ES2021-05): its challenge is answered only if it comes from the
 * host that answered our INVITE, or that sent us its own. A leg towards the core has
 * no identity at all.
 */
#include "tas/sip/challenge.h"
#include "tas/sip/leg_private.h"

#include <errno.h>
#include <sofia-sip/msg_addr.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static bool same_host(const su_sockaddr_t *a, const su_sockaddr_t *b)
{
	if (a->su_family != b->su_family)
		return false;
	if (a->su_family == AF_INET6)
		return memcmp(&a->su_sin6.sin6_addr, &b->su_sin6.sin6_addr,
			      sizeof(a->su_sin6.sin6_addr)) == 0;
	return a->su_family == AF_INET && a->su_sin.sin_addr.s_addr == b->su_sin.sin_addr.s_addr;
}

void leg_auth_saw(struct leg *leg, msg_t *msg)
{
	if (msg)
		memcpy(&leg->auth_host, msg_addr(msg), sizeof(leg->auth_host));
}

static void complain(const struct leg *leg, const char *why)
{
	log_error("sip",
		  "trunk=%s address=%s a challenge is not answered: %s: check the trunk's `auth`",
		  leg->auth_name ? leg->auth_name : "?",
		  leg->line ? sip_line_uri(leg->line) : leg->info.source, why);
}

static int answer(struct leg *leg, su_home_t *home, const sip_t *request, const sip_t *sip)
{
	const char *uri = url_as_string(home, request->sip_request->rq_url);
	struct digest_answer said;
	int err;

	if (!uri)
		return -ENOMEM;
	err = challenge_answer(leg->identity, &leg->auth_session,
			       request->sip_request->rq_method_name, uri, sip, &said);
	if (err == -EACCES)
		complain(leg, said.why);
	if (err)
		return err;
	free(leg->auth_text);
	leg->auth_text = said.text;
	leg->auth_proxy = sip->sip_status->st_status == 407;
	leg->auth_fresh = true;
	return 0;
}

bool leg_auth_answer(struct leg *leg, nta_outgoing_t *request, const sip_t *sip)
{
	bool first = leg->state == LEG_CALLING && nta_outgoing_method(request) == sip_method_invite;
	su_home_t home[1] = { SU_HOME_INIT(home) };
	msg_t *sent, *response;
	bool answered = false;

	if (!leg->identity || !sip || nta_sip_is_internal((sip_t *)sip) ||
	    (sip->sip_status->st_status != 401 && sip->sip_status->st_status != 407))
		return false;
	sent = nta_outgoing_getrequest(request);
	response = nta_outgoing_getresponse(request);
	if (sent && response && (first || same_host(msg_addr(response), &leg->auth_host)))
		answered = answer(leg, home, sip_object(sent), sip) == 0;
	else if (sent && response)
		complain(leg, "it comes from another host than the call was answered by");
	msg_destroy(response);
	msg_destroy(sent);
	su_home_deinit(home);
	return answered;
}

void leg_auth_as(struct leg *leg, const struct sip_peer *peer)
{
	leg->identity = digest_identity_ref(sip_peer_identity(peer));
	if (leg->identity && !leg->auth_name)
		leg->auth_name = str_dup_or_null(sip_peer_name(peer));
}

static char *text_of(su_home_t *home, const void *header)
{
	return header ? sip_header_as_string(home, header) : NULL;
}

/* An early dialog that lost against another one has nothing to say any more. */
static nta_leg_t *dialog_of(const struct leg *leg, const sip_t *sent)
{
	if (sent->sip_request->rq_method == sip_method_prack)
		return leg_early_dialog(leg, sent->sip_to->a_tag ? sent->sip_to->a_tag : "");
	return leg_dialog(leg);
}

static nta_outgoing_t *repeat(struct leg *leg, nta_outgoing_t *before, const sip_t *sent,
			      nta_response_f *on_response)
{
	su_home_t home[1] = { SU_HOME_INIT(home) };
	const sip_payload_t *payload = sent->sip_payload;
	struct leg_request request = {
		.method = sent->sip_request->rq_method,
		.method_name = sent->sip_request->rq_method_name,
		.on_response = on_response,
		.dialog = dialog_of(leg, sent),
		.reason = text_of(home, sent->sip_reason),
		.rack = text_of(home, sent->sip_rack),
		.event = text_of(home, sent->sip_event),
		.state = text_of(home, sent->sip_subscription_state),
		.body = payload ? su_strndup(home, payload->pl_data, payload->pl_len) : NULL,
		.body_type = text_of(home, sent->sip_content_type),
		.headers = before == leg->offer_out ? &leg->offer_headers : NULL,
	};
	nta_outgoing_t *again = request.dialog ? leg_request(leg, &request) : NULL;

	su_home_deinit(home);
	return again;
}

nta_outgoing_t *leg_auth_again(struct leg *leg, nta_outgoing_t *request, const sip_t *sip,
			       nta_response_f *on_response)
{
	nta_outgoing_t *again;
	msg_t *sent;

	if (leg->state == LEG_OVER || !leg_auth_answer(leg, request, sip))
		return NULL;
	sent = nta_outgoing_getrequest(request);
	again = sent ? repeat(leg, request, sip_object(sent), on_response) : NULL;
	msg_destroy(sent);
	return again;
}

struct leg_authorization leg_authorize(struct leg *leg, bool ack)
{
	struct leg_authorization none = { NULL, NULL };

	if (!leg->auth_fresh && !ack)
		leg->auth_session.answered = false; /* a new request, a new challenge */
	/* RFC 3261 section 22.1: an ACK says what its INVITE said. */
	if (!leg->auth_text || (!leg->auth_fresh && !ack))
		return none;
	leg->auth_fresh = ack && leg->auth_fresh;
	return leg->auth_proxy ? (struct leg_authorization){ NULL, leg->auth_text }
			       : (struct leg_authorization){ leg->auth_text, NULL };
}
