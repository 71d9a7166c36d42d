/* SPDX-License-Identifier: Apache-2.0 */
/* leg_out.c - the INVITE we send: until its final response, and after it was
 * given up. */
#include "tas/sip/leg_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sofia-sip/msg_addr.h>

#include "base/str.h"
#include "tas/sip/address.h"

#define INVITES_MAX 5 /* a peer that asks for one more each time is left alone */

static void on_provisional(struct leg *leg, const sip_t *sip, const msg_t *msg)
{
	bool reliable = sip->sip_rseq && sip_has_feature(sip->sip_require, "100rel");
	char *sdp = message_sdp_or_null(sip);
	struct leg_event event = { .type = LEG_EV_PROVISIONAL,
				   .status = sip->sip_status->st_status,
				   .reason = sip->sip_status->st_phrase,
				   .reliable = reliable };

	leg_note_early(leg, sip);
	if (!reliable || leg_reliable_in_order(leg, sip)) {
		if (sdp && leg_hear_early(leg, sip, sdp))
			event.sdp = sdp;
		if (reliable)
			leg_take_reliable(leg, sip, event.sdp != NULL);
		leg_tell(leg, &event, msg);
	}
	free(sdp);
}

/* RFC 3261 section 12.1.2: the dialog as the 2xx makes it. */
static void establish(struct leg *leg, const sip_t *sip)
{
	const char *tag = sip->sip_to->a_tag;

	free(leg->peer_tag);
	leg->peer_tag = str_dup_or_null(tag);
	if (!leg_choose_early(leg, tag) && tag)
		(void)nta_leg_rtag(leg->dialog, tag);
	(void)nta_leg_client_reroute(leg->dialog, sip->sip_record_route, sip->sip_contact, 1);
	leg->ack_branch = str_dup_or_null(nta_outgoing_branch(leg->invite_out));
	leg->ack_seq = nta_outgoing_cseq(leg->invite_out);
	leg->offers.ours = false;
	leg->offers.to_ack = true;
}

static void on_success(struct leg *leg, const sip_t *sip, const msg_t *msg)
{
	bool given_up = leg->state == LEG_CANCELLING;
	struct leg_event event = { .type = LEG_EV_ANSWERED,
				   .status = sip->sip_status->st_status,
				   .reason = sip->sip_status->st_phrase };
	char *sdp = leg_final_sdp(leg, sip);

	establish(leg, sip);
	leg_session_agreed(leg, sip);
	leg_enter(leg, LEG_ANSWERED);
	if (given_up) {                   /* the 2xx crossed our CANCEL: RFC 3261 section 9.1 */
		(void)leg_ack(leg, NULL); /* cannot fail in this state */
		leg_hang_up(leg, leg->reason);
	} else {
		event.sdp = sdp;
		leg_tell(leg, &event, msg);
	}
	free(sdp);
}

/* RFC 4028 section 7.4. True: a second INVITE is on its way. */
static bool asks_for_longer(struct leg *leg, const sip_t *sip)
{
	struct session_timer_said said = leg_session_said(sip);
	unsigned raised_s = session_timer_raised_s(leg->expires_s, &said);

	if (leg->state != LEG_CALLING || sip->sip_status->st_status != 422 || !raised_s ||
	    leg->invites >= INVITES_MAX)
		return false;
	leg->expires_s = leg->min_se_s = raised_s;
	return leg_invite_again(leg) == 0;
}

/* True: a second INVITE is on its way. */
static bool answers_challenge(struct leg *leg, nta_outgoing_t *request, const sip_t *sip)
{
	return leg->state == LEG_CALLING && leg->invites < INVITES_MAX &&
	       leg_auth_answer(leg, request, sip) && leg_invite_again(leg) == 0;
}

static void on_failure(struct leg *leg, int status, const sip_t *sip, const msg_t *msg)
{
	bool internal = nta_sip_is_internal((sip_t *)sip);
	nta_outgoing_t *request = leg->invite_out;
	bool again;

	leg->invite_out = NULL;
	again = (sip && !internal && asks_for_longer(leg, sip)) ||
		answers_challenge(leg, request, sip);
	nta_outgoing_destroy(request);
	if (again)
		return;
	leg_drop_early(leg);
	leg->offers.ours = false;
	leg_enter(leg, LEG_OVER);
	leg_end(leg, internal ? LEG_END_TIMEOUT : LEG_END_REFUSED, status, message_why(sip),
		internal ? NULL : msg);
}

/* What the response says of the address we called. */
static void tell_line(struct leg *leg, int status, const sip_t *sip)
{
	if (leg->state != LEG_CALLING)
		return; /* given up: what comes now is no judgement */
	if (!sip || nta_sip_is_internal((sip_t *)sip))
		sip_line_silent(leg->line, message_why(sip));
	else if (status > 100)
		sip_line_heard(leg->line, status);
	leg->rang = leg->rang || (status > 100 && status < 200);
}

/* Where it answers from, by the transport that our Via names. */
static void note_source(struct leg *leg, const sip_t *sip, msg_t *msg)
{
	static const char *const protocols[] = { [SIP_TRANSPORT_UDP] = sip_transport_udp,
						 [SIP_TRANSPORT_TCP] = sip_transport_tcp,
						 [SIP_TRANSPORT_TLS] = sip_transport_tls };
	struct sockaddr_storage address = { 0 };
	su_home_t home[1] = { SU_HOME_INIT(home) };

	if (!msg || !sip || !sip->sip_via || *leg->info.source)
		return;
	memcpy(&address, msg_addr(msg), sizeof(su_sockaddr_t));
	free(leg->source); /* of sofia's own 408, if any */
	leg->source = str_dup_or_null(leg_source_text(home, &address));
	su_home_deinit(home);
	if (!leg->source || !*leg->source)
		return; /* sofia's own 408 comes from nowhere */
	leg->info.source = leg->source;
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (str_equal_nocase(sip->sip_via->v_protocol, protocols[i]))
			leg->info.transport = (enum sip_transport)i;
}

static int on_invite_response(void *arg, nta_outgoing_t *request, const sip_t *sip)
{
	struct leg *leg = arg;
	int status = sip ? sip->sip_status->st_status : 408;
	msg_t *msg = nta_outgoing_getresponse(request);

	leg_reach_heard(leg, sip);
	note_source(leg, sip, msg);
	leg_heard(leg, sip);
	leg_auth_saw(leg, msg);
	tell_line(leg, status, sip);
	if (status >= 300)
		on_failure(leg, status, sip, msg);
	else if (status >= 200)
		on_success(leg, sip, msg);
	else if (status > 100 && leg->state == LEG_CALLING)
		on_provisional(leg, sip, msg);
	msg_destroy(msg);
	return 0;
}

void leg_cancel(struct leg *leg, const char *reason)
{
	char session[LEG_SESSION_ID_LINE];
	bool identified = !leg->farewell && leg_session_id_line(leg, session);

	if (!leg->reason)
		leg->reason = str_dup_or_null(reason);
	leg_enter(leg, LEG_CANCELLING);
	/* Before a provisional response sofia holds the CANCEL back until one
	 * comes (RFC 3261 section 9.1). The final response ends it all. */
	nta_outgoing_tcancel(leg->invite_out, NULL, NULL, TAG_IF(reason, SIPTAG_REASON_STR(reason)),
			     TAG_IF(identified, SIPTAG_HEADER_STR(session)),
			     TAG_IF(leg->farewell, SIPTAG_UNKNOWN(leg->farewell)), TAG_END());
}

void leg_unreached(struct leg *leg, enum leg_end_reason end, const char *reason, bool reached)
{
	if (reached) {
		leg_cancel(leg, NULL); /* it may have the INVITE: never leave it ringing */
	} else {
		nta_outgoing_destroy(leg->invite_out); /* never left this machine */
		leg->invite_out = NULL;
		leg_enter(leg, LEG_OVER);
	}
	sip_line_silent(leg->line, reason);
	leg_end(leg, end, 408, reason, NULL);
}

/* ---- sending it ---- */

static int check_uris(const struct leg_invite *invite)
{
	const char *hop = invite->next_hop ? invite->next_hop : invite->request_uri;
	enum url_type_e type = url_invalid;

	if (!message_uri_valid(invite->request_uri, NULL) ||
	    !message_uri_valid(invite->from_uri, NULL) ||
	    !message_uri_valid(invite->to_uri, NULL) || !message_uri_valid(hop, &type))
		return -EINVAL;
	return type == url_sip || type == url_sips ? 0 : -EINVAL;
}

static int choose_hop(struct leg *leg, const char *uri)
{
	su_home_t home[1] = { SU_HOME_INIT(home) };
	const url_t *url = url_make(home, uri);

	if (url) {
		leg->info.transport = message_transport(url);
		leg->next_hop = str_dup_or_null(
			endpoint_hop(leg->endpoint, home, url, leg->info.transport));
	}
	su_home_deinit(home);
	return leg->next_hop ? 0 : -ENOMEM;
}

/* "Display" <uri>, with the rest behind it; the caller's to free. NULL: no memory. */
static char *name_addr(const char *display, const char *uri, const char *rest)
{
	struct str text = { 0 };

	if (display && display[0]) {
		sip_address_quote(&text, display);
		str_add(&text, " ");
	}
	str_addf(&text, "<%s>%s", uri, rest);
	return str_take(&text);
}

static int make_dialog(struct leg *leg, const struct leg_invite *invite)
{
	char tag[17], rest[24];
	char *from, *to;
	int err = -ENOMEM;

	leg_new_tag(tag);
	(void)snprintf(rest, sizeof(rest), ";tag=%s", tag);
	from = name_addr(invite->from_display, invite->from_uri, rest);
	to = name_addr(invite->to_display, invite->to_uri, "");
	if (from && to) {
		leg->dialog = nta_leg_tcreate(leg->endpoint->agent, leg_on_request, leg,
					      SIPTAG_FROM_STR(from), SIPTAG_TO_STR(to), TAG_END());
		err = leg->dialog ? 0 : -EINVAL;
	}
	free(from);
	free(to);
	return err;
}

/* The texts are the home's, or the caller's. */
static int read_texts(struct leg *leg, su_home_t *home, const struct leg_invite *invite,
		      const sip_t *sip)
{
	struct leg_info *info = &leg->info;

	info->request_uri = invite->request_uri;
	info->request_user = message_user(home, sip->sip_request->rq_url);
	info->from_uri = invite->from_uri;
	info->from_user = message_user(home, sip->sip_from->a_url);
	info->from_display = invite->from_display ? invite->from_display : "";
	info->to_uri = invite->to_uri;
	info->to_user = message_user(home, sip->sip_to->a_url);
	info->to_display = invite->to_display ? invite->to_display : "";
	info->call_id = sip->sip_call_id->i_id;
	info->source = "";
	info->asserted_user = leg_asserted_user(leg, home);
	info->session_id = message_find(&leg->headers, "Session-ID");
	if (!info->session_id)
		info->session_id = "";
	return info->request_user && info->from_user && info->to_user ? 0 : -EINVAL;
}

static int fill_info(struct leg *leg, const struct leg_invite *invite, const sip_t *sip)
{
	struct leg_info *info = &leg->info;
	su_home_t home[1] = { SU_HOME_INIT(home) };
	int err = leg_remember_local(leg, invite->sdp);

	info->peer = -1;
	info->sdp = str_dup_or_null(invite->sdp);
	if (!err && invite->headers)
		err = sip_headers_copy_all(&leg->headers, invite->headers);
	if (!err)
		err = read_texts(leg, home, invite, sip);
	if (!err)
		session_id_sent(&leg->session_id, info->session_id);
	if (!err)
		err = leg_keep_texts(leg);
	su_home_deinit(home);
	return err;
}

/* What the INVITE says of the extensions of this room. */
static int add_extensions(struct leg *leg, msg_t *msg)
{
	bool required = leg->info.rel100 == LEG_100REL_REQUIRED;
	/* Our peers, but for the core, may take the place of a dialog (RFC 3891). */
	bool replaces = leg->line || leg->keep_hop;
	char expires[16], min_se[16], supported[40];

	(void)snprintf(supported, sizeof(supported), LEG_SUPPORTED "%s%s",
		       replaces ? ", replaces" : "",
		       leg->info.rel100 == LEG_100REL_SUPPORTED ? ", 100rel" : "");
	(void)snprintf(expires, sizeof(expires), "%u", leg->expires_s);
	(void)snprintf(min_se, sizeof(min_se), "%u", leg->min_se_s);
	return sip_add_tl(msg, sip_object(msg), TAG_IF(required, SIPTAG_REQUIRE_STR("100rel")),
			  SIPTAG_SUPPORTED_STR(supported),
			  TAG_IF(leg->expires_s, SIPTAG_SESSION_EXPIRES_STR(expires)),
			  TAG_IF(leg->min_se_s, SIPTAG_MIN_SE_STR(min_se)), TAG_END()) < 0
		       ? -ENOMEM
		       : 0;
}

static int build(struct leg *leg, const struct leg_invite *invite, msg_t *msg)
{
	struct leg_authorization authorization = leg_authorize(leg, false);
	sip_t *sip = sip_object(msg);
	char hops[16];
	int err = message_add(msg, invite->headers, invite->sdp);

	if (!err)
		err = add_extensions(leg, msg);
	if (err)
		return err;
	(void)snprintf(hops, sizeof(hops), "%d", leg->info.max_forwards);
	if (sip_add_tl(msg, sip, SIPTAG_CONTACT_STR(leg->contact), SIPTAG_MAX_FORWARDS_STR(hops),
		       TAG_IF(authorization.to_server,
			      SIPTAG_AUTHORIZATION_STR(authorization.to_server)),
		       TAG_IF(authorization.to_proxy,
			      SIPTAG_PROXY_AUTHORIZATION_STR(authorization.to_proxy)),
		       TAG_IF(!message_find(invite->headers, "User-Agent"),
			      SIPTAG_USER_AGENT_STR(leg->endpoint->user_agent)),
		       TAG_IF(!message_find(invite->headers, "Allow"),
			      SIPTAG_UNKNOWN_STR(MESSAGE_ALLOW_LINE)),
		       TAG_END()) < 0 ||
	    nta_msg_request_complete(msg, leg->dialog, SIP_METHOD_INVITE,
				     (const url_string_t *)invite->request_uri) < 0)
		return -EINVAL;
	return 0;
}

static int send_invite(struct leg *leg, const struct leg_invite *invite)
{
	msg_t *msg = nta_msg_create(leg->endpoint->agent, 0);
	int err = msg ? build(leg, invite, msg) : -ENOMEM;

	if (!err && !leg->invites) /* a second one says the same */
		err = fill_info(leg, invite, sip_object(msg));
	if (!err) {
		leg->invite_out =
			nta_outgoing_mcreate(leg->endpoint->agent, on_invite_response, leg,
					     (const url_string_t *)leg->next_hop, msg, TAG_END());
		if (!leg->invite_out)
			err = -EINVAL;
	}
	if (err && msg)
		msg_destroy(msg);
	leg->invites++;
	return err;
}

int leg_invite_again(struct leg *leg)
{
	struct leg_invite invite = {
		.request_uri = leg->info.request_uri,
		.headers = &leg->headers,
		.sdp = leg->info.sdp,
	};

	return send_invite(leg, &invite);
}

static int choose_contact(struct leg *leg, const struct leg_invite *invite, const char *hop)
{
	struct listener *listener = endpoint_listener(leg->endpoint, leg->info.transport, hop);
	/* RFC 5630 section 5.1.2.1: a sips request or route wants a sips Contact. */
	bool sips = strncasecmp(invite->request_uri, "sips:", 5) == 0 ||
		    strncasecmp(hop, "sips:", 5) == 0;

	if (!listener) {
		log_error("sip",
			  "no %s port to call from: give one in sip.listen, or restart "
			  "after a trunk with a new transport was added",
			  sip_transport_name(leg->info.transport));
		return -EPROTONOSUPPORT;
	}
	leg->address = endpoint_contact(leg->endpoint, NULL, listener, NULL, sips);
	return leg->address ? leg_take_features(leg, invite->headers) : -ENOMEM;
}

static int take_line(struct leg *leg, struct sip_line *line)
{
	int err = line ? sip_line_enter(line) : 0;

	if (err || !line)
		return err;
	leg->line = sip_line_ref(line);
	leg->peer = sip_peer_ref(sip_line_peer(line));
	leg_auth_as(leg, leg->peer);
	return 0;
}

int leg_invite(struct leg **ret_leg, struct sip_endpoint *endpoint, const struct leg_invite *invite,
	       leg_event_fn *on_event, void *arg)
{
	const char *hop = invite->next_hop ? invite->next_hop : invite->request_uri;
	struct leg *leg;
	int err = check_uris(invite);

	if (err)
		return err;
	leg = leg_new(endpoint, false);
	if (!leg)
		return -ENOMEM;
	leg->info.max_forwards = invite->max_forwards ? invite->max_forwards : 70;
	leg->info.rel100 = invite->rel100;
	leg->keep_hop = invite->keep_hop;
	leg->expires_s = endpoint->session_terms.expires_s;
	leg->min_se_s = leg->expires_s && endpoint->session_terms.min_se_s > SESSION_MIN_SE_S
				? endpoint->session_terms.min_se_s
				: 0;
	err = take_line(leg, invite->line);
	if (!err)
		err = choose_hop(leg, hop);
	if (!err)
		err = choose_contact(leg, invite, hop);
	if (!err)
		err = make_dialog(leg, invite);
	if (!err)
		err = send_invite(leg, invite);
	if (err) {
		leg_discard(leg);
		return err;
	}
	leg->offers.ours = true;
	leg_set_handler(leg, on_event, arg);
	leg_reach_begin(leg);
	*ret_leg = leg;
	return 0;
}
