/* SPDX-License-Identifier: Apache-2.0 */
/* leg_in.c - the INVITE we received: what it says, and its responses. */
#include "tas/sip/leg_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "tas/sip/address.h"

/* ---- what it says ---- */

const char *leg_asserted_user(const struct leg *leg, su_home_t *home)
{
	const char *list = sip_headers_find(&leg->headers, "P-Asserted-Identity");
	size_t length = 0;
	const char *first = list ? sip_address_next(&list, &length) : NULL;
	struct sip_address address;
	const char *user;

	if (!first || sip_address_parse(&address, first, length) < 0)
		return "";
	user = su_strdup(home, address.user);
	sip_address_done(&address);
	return user ? user : "";
}

static const char *display_name(su_home_t *home, const char *display)
{
	char *plain = su_strdup(home, display ? display : "");

	if (plain)
		sip_address_unquote(plain);
	return plain;
}

const char *leg_source_text(su_home_t *home, const struct sockaddr_storage *address)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)address;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		return su_sprintf(home, "[%s]:%u", host, ntohs(in6->sin6_port));
	}
	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)address;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		return su_sprintf(home, "%s:%u", host, ntohs(in->sin_port));
	}
	return "";
}

static enum leg_100rel rel100_of(const sip_t *sip)
{
	if (sip_has_feature(sip->sip_require, "100rel"))
		return LEG_100REL_REQUIRED;
	return sip_has_feature(sip->sip_supported, "100rel") ? LEG_100REL_SUPPORTED
							     : LEG_100REL_NONE;
}

/* The texts are the home's. */
static int read_texts(struct leg *leg, su_home_t *home, const sip_t *sip,
		      const struct sip_source *source)
{
	struct leg_info *info = &leg->info;

	info->source = leg_source_text(home, &source->address);
	info->request_uri = url_as_string(home, sip->sip_request->rq_url);
	info->request_user = message_user(home, sip->sip_request->rq_url);
	info->from_uri = url_as_string(home, sip->sip_from->a_url);
	info->from_user = message_user(home, sip->sip_from->a_url);
	info->from_display = display_name(home, sip->sip_from->a_display);
	info->to_uri = url_as_string(home, sip->sip_to->a_url);
	info->to_user = message_user(home, sip->sip_to->a_url);
	info->to_display = display_name(home, sip->sip_to->a_display);
	info->asserted_user = leg_asserted_user(leg, home);
	info->call_id = su_strdup(home, sip->sip_call_id->i_id);
	info->session_id = message_find(&leg->headers, "Session-ID");
	if (!info->session_id)
		info->session_id = "";
	info->replaces = message_find(&leg->headers, "Replaces");
	if (!info->request_user || !info->from_user || !info->to_user)
		return -EINVAL;
	return info->source && info->request_uri && info->from_uri && info->from_display &&
			       info->to_uri && info->to_display && info->call_id
		       ? 0
		       : -ENOMEM;
}

static int fill_info(struct leg *leg, const sip_t *sip, const msg_t *msg,
		     const struct sip_source *source, int peer)
{
	struct leg_info *info = &leg->info;
	su_home_t home[1] = { SU_HOME_INIT(home) };
	int err = message_headers(msg, &leg->headers);

	if (!err)
		err = read_texts(leg, home, sip, source);
	if (!err)
		err = leg_keep_texts(leg);
	leg->next_hop = str_dup_or_null(visitor_hop(home, source));
	su_home_deinit(home);
	info->peer = peer;
	info->transport = source->transport;
	info->rel100 = rel100_of(sip);
	info->needs_replaces = sip_has_feature(sip->sip_require, "replaces");
	info->max_forwards = sip->sip_max_forwards ? (int)sip->sip_max_forwards->mf_count : 70;
	leg->peer_tag = str_dup_or_null(sip->sip_from->a_tag);
	return err;
}

/* ---- its dialog ---- */

static int make_dialog(struct leg *leg, nta_incoming_t *request, const sip_t *sip)
{
	su_home_t home[1] = { SU_HOME_INIT(home) };
	sip_to_t *local = sip_to_dup(home, sip->sip_to);
	char tag[17];

	leg_new_tag(tag);
	if (!local || sip_to_tag(home, local, tag) < 0 || !nta_incoming_tag(request, tag)) {
		su_home_deinit(home);
		return -ENOMEM;
	}
	/* With the tag there from the beginning sofia matches the dialog by both
	 * tags only (RFC 3261 section 12.2.2). */
	leg->dialog = nta_leg_tcreate(leg->endpoint->agent, leg_on_request, leg,
				      SIPTAG_CALL_ID(sip->sip_call_id), SIPTAG_FROM(local),
				      SIPTAG_TO(sip->sip_from),
				      NTATAG_REMOTE_CSEQ(sip->sip_cseq->cs_seq), TAG_END());
	su_home_deinit(home);
	if (!leg->dialog ||
	    nta_leg_server_route(leg->dialog, sip->sip_record_route, sip->sip_contact) < 0)
		return -ENOMEM;
	return 0;
}

/* RFC 5630 section 5.1.1.1: when a sips Contact is due. */
static bool wants_sips(const sip_t *sip)
{
	if (sip->sip_request->rq_url->url_type == url_sips)
		return true;
	if (sip->sip_record_route)
		return sip->sip_record_route->r_url->url_type == url_sips;
	return sip->sip_contact && sip->sip_contact->m_url->url_type == url_sips;
}

/* unsent: no PRACK came, and sofia refuses the INVITE, its 2xx still in its queue
 * (RFC 3262 section 3). */
static void on_no_ack(struct leg *leg, bool unsent)
{
	bool owned = leg->state != LEG_UNACKED;

	if (unsent)
		leg_enter(leg, LEG_OVER);
	else
		leg_hang_up(leg, leg->reason); /* RFC 3261 section 13.3.1.4 */
	if (owned)
		leg_end(leg, LEG_END_NO_ACK, 408, unsent ? "no PRACK" : "no ACK", NULL);
}

static void on_ack(struct leg *leg, const sip_t *sip, const msg_t *msg)
{
	struct leg_event event = { .type = LEG_EV_CONFIRMED, .status = 200, .reason = "ACK" };
	char *sdp = NULL;

	leg->offers.unacked = false;
	if (leg->state == LEG_UNACKED) {
		leg_hang_up(leg, leg->reason);
		return;
	}
	leg_enter(leg, LEG_TALKING);
	sdp = message_sdp_or_null(sip);
	event.sdp = sdp;
	leg_tell(leg, &event, msg);
	free(sdp);
}

/* ACK or CANCEL of the INVITE; sip NULL: no ACK came (timer H). */
static int on_ack_cancel(struct leg *leg, nta_incoming_t *request, const sip_t *sip)
{
	msg_t *msg = nta_incoming_getrequest_ackcancel(request);

	if (sip && sip->sip_request->rq_method == sip_method_cancel) {
		if (leg->state == LEG_INVITED) {
			leg_refuse_invite(leg, NULL);
			leg_end(leg, LEG_END_CANCELLED, 487, "CANCEL", msg);
		}
	} else {
		bool unsent = nta_incoming_status(request) < 200;

		leg->invite_in = NULL;
		nta_incoming_destroy(request);
		if (leg->state != LEG_ACCEPTED && leg->state != LEG_UNACKED && !unsent)
			; /* BYE came first */
		else if (sip)
			on_ack(leg, sip, msg);
		else
			on_no_ack(leg, unsent);
	}
	msg_destroy(msg);
	return 0;
}

int leg_create_incoming(struct leg **ret_leg, struct sip_endpoint *endpoint,
			nta_incoming_t *request, const sip_t *sip, const struct sip_source *source,
			int peer, char *take_sdp)
{
	msg_t *msg = nta_incoming_getrequest(request);
	tport_t *tport = nta_incoming_transport(endpoint->agent, request, msg);
	struct listener *listener = endpoint_listener_of(endpoint, tport);
	struct leg *leg = listener ? leg_new(endpoint, true) : NULL;
	struct session_timer_said said;
	int err = -ENOMEM;

	if (leg) {
		leg->info.sdp = take_sdp;
		take_sdp = NULL;
		leg->address = endpoint_contact(endpoint, NULL, listener, tport, wants_sips(sip));
		err = leg->address ? leg_take_features(leg, NULL) : -ENOMEM;
		if (!err)
			err = fill_info(leg, sip, msg, source, peer);
		leg_auth_saw(leg, msg);
		leg->keep_hop = source->visitor;
		if (!err)
			err = make_dialog(leg, request, sip);
	}
	if (tport)
		tport_unref(tport);
	msg_destroy(msg);
	free(take_sdp);
	if (err) {
		leg_discard(leg);
		return err;
	}
	leg->invite_in = request;
	leg->offers.theirs = true;
	leg_heard(leg, sip);
	said = leg_session_said(sip);
	leg_session_answer(leg, &said);
	nta_incoming_bind(request, on_ack_cancel, leg);
	*ret_leg = leg;
	return 0;
}

/* ---- its responses ---- */

static int provisional(struct leg *leg, int status, const char *reason, const char *sdp,
		       const struct sip_headers *headers, bool reliably)
{
	if (leg->state != LEG_INVITED || status <= 100 || status >= 200)
		return -EINVAL;
	if (reliably)
		return leg_send_reliably(leg, status, reason, sdp, headers);
	return leg_reply(leg, leg->invite_in, status, reason, sdp, headers);
}

int leg_provisional(struct leg *leg, int status, const char *reason, const char *sdp,
		    const struct sip_headers *headers)
{
	/* An ordinary one would overtake those that wait for a PRACK. */
	bool reliably = leg->reliable || leg->info.rel100 == LEG_100REL_REQUIRED;

	return provisional(leg, status, reason, sdp, headers, reliably);
}

int leg_provisional_reliably(struct leg *leg, int status, const char *reason, const char *sdp,
			     const struct sip_headers *headers)
{
	return provisional(leg, status, reason, sdp, headers, leg->info.rel100 != LEG_100REL_NONE);
}

int leg_answer(struct leg *leg, const char *sdp, const struct sip_headers *headers)
{
	int err;

	if (leg->state != LEG_INVITED)
		return -EINVAL;
	err = leg_reply(leg, leg->invite_in, 200, NULL, leg->early_sdp_sent ? NULL : sdp, headers);
	if (!err && !leg->early_sdp_sent)
		err = leg_remember_local(leg, sdp);
	if (err)
		return err;
	leg->offers.theirs = false;
	leg->offers.unacked = true;
	leg_enter(leg, LEG_ACCEPTED);
	return 0;
}

/* In angle brackets: parameters are the URI's (RFC 3261 section 20.10). */
static bool add_contact(msg_t *msg, const char *uri)
{
	const char *text = su_sprintf(msg_home(msg), "<%s>", uri);

	return text && sip_add_make(msg, sip_object(msg), sip_contact_class, text) == 0;
}

/* False: the status alone has to say it. */
static bool send_refusal(struct leg *leg, int status, const struct leg_farewell *farewell)
{
	msg_t *msg = leg_make_reply(leg, leg->invite_in, status, farewell->phrase, NULL,
				    farewell->headers);

	if (!msg)
		return false;
	/* RFC 3261 section 21.3: where to. */
	if (farewell->contact && status < 400 && !add_contact(msg, farewell->contact)) {
		msg_destroy(msg);
		return false;
	}
	(void)nta_incoming_mreply(leg->invite_in, msg); /* sofia repeats what cannot be sent now */
	return true;
}

void leg_refuse_invite(struct leg *leg, const struct leg_farewell *farewell)
{
	static const struct leg_farewell plain;
	int status;

	if (!farewell)
		farewell = &plain;
	status = farewell->status >= 300 && farewell->status <= 699 ? farewell->status : 487;
	if (!send_refusal(leg, status, farewell))
		nta_incoming_treply(leg->invite_in, status, NULL, TAG_END());
	nta_incoming_destroy(leg->invite_in); /* sofia waits for its ACK */
	leg->invite_in = NULL;
	leg->offers.theirs = false;
	leg_enter(leg, LEG_OVER);
}
