/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.c - requests that belong to no dialog: who may, what may, what then.
 *
 * Cheap first: a stranger is known by its address before anything of its
 * request is looked at, and leaves no state behind.
 */
#include "tas/sip/endpoint_private.h"

#include <errno.h>
#include <sofia-sip/msg_addr.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "tas/sip/leg_private.h"
#include "tas/sip/neighbour.h"
#include "tas/sip/tls_guard.h"

#define STRANGER_MS 1000 /* one answer an address in that time */

/* ---- strangers ---- */

static uint64_t address_key(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)address;

		return hash_bytes(&in6->sin6_addr, sizeof(in6->sin6_addr));
	}
	return hash_bytes(&((const struct sockaddr_in *)address)->sin_addr, sizeof(struct in_addr));
}

static bool stranger_is_due(struct strangers *strangers, const struct sockaddr_storage *address)
{
	uint64_t key = address_key(address);
	mono_ms now = clock_now();
	unsigned slot = (unsigned)(key % STRANGERS);

	if (strangers->slots[slot].address == key &&
	    now - strangers->slots[slot].told_ms < STRANGER_MS)
		return false;
	strangers->slots[slot].address = key;
	strangers->slots[slot].told_ms = now;
	return true;
}

static void drop(struct sip_endpoint *endpoint, msg_t *msg, tport_t *tport)
{
	nta_msg_discard(endpoint->agent, msg);
	if (tport && tport_is_secondary(tport))
		(void)tport_shutdown(tport, 2);
}

static void turn_away(struct sip_endpoint *endpoint, msg_t *msg, const sip_t *sip,
		      const struct sip_source *source, tport_t *tport)
{
	char host[64] = "";
	unsigned suppressed;

	if (log_limit_pass(&endpoint->strangers.log, 5, 10000, &suppressed))
		log_notice("sip",
			   "stranger turned away from=%s method=%s suppressed=%u: if it is a peer, "
			   "add its address to `trusted`",
			   tport_hostport(host, sizeof(host), (const void *)&source->address, 1),
			   sip->sip_request->rq_method_name, suppressed);
	if (sip->sip_request->rq_method != sip_method_ack &&
	    stranger_is_due(&endpoint->strangers, &source->address)) {
		nta_msg_treply(endpoint->agent, msg, SIP_403_FORBIDDEN, TPTAG_CLOSE_AFTER(1),
			       TAG_END());
		return;
	}
	drop(endpoint, msg, tport);
}

/* ---- what a request may be ---- */

/* Reliable provisional responses (RFC 3262), session timers (RFC 4028), and, which
 * the owner judges, the place of another dialog (RFC 3891). */
static bool known_feature(const char *name)
{
	return strcasecmp(name, "100rel") == 0 || strcasecmp(name, "timer") == 0 ||
	       strcasecmp(name, "replaces") == 0 || sip_option_is_transparent(name);
}

static bool has_unknown(const msg_list_t *features, bool invite, const char **ret_unknown)
{
	for (; features; features = (const msg_list_t *)features->k_next) {
		for (size_t i = 0; features->k_items && features->k_items[i]; i++) {
			if (invite && known_feature(features->k_items[i]))
				continue;
			*ret_unknown = features->k_items[i];
			return true;
		}
	}
	return false;
}

static void reply(struct sip_endpoint *endpoint, msg_t *msg, int status, const char *phrase)
{
	nta_msg_treply(endpoint->agent, msg, status, phrase,
		       SIPTAG_SERVER_STR(endpoint->user_agent),
		       TAG_IF(status == 405 || status == 200, SIPTAG_ALLOW_STR(MESSAGE_ALLOW)),
		       TAG_IF(status == 415 || status == 200, SIPTAG_ACCEPT_STR("application/sdp")),
		       TAG_END());
}

/* Answers what must not go on; false if `msg` is gone. RFC 3261 section 8.2. */
static bool passes(struct sip_endpoint *endpoint, msg_t *msg, const sip_t *sip)
{
	const url_t *uri = sip->sip_request->rq_url;
	bool invite = sip->sip_request->rq_method == sip_method_invite;
	struct session_timer_said said;
	const char *unknown = NULL;

	if (!message_scheme_known(uri)) {
		reply(endpoint, msg, SIP_416_UNSUPPORTED_URI);
		return false;
	}
	if (has_unknown((const msg_list_t *)sip->sip_require, invite, &unknown) ||
	    has_unknown((const msg_list_t *)sip->sip_proxy_require, false, &unknown)) {
		nta_msg_treply(endpoint->agent, msg, SIP_420_BAD_EXTENSION,
			       SIPTAG_UNSUPPORTED_STR(unknown), TAG_END());
		return false;
	}
	if (invite && sip->sip_max_forwards && sip->sip_max_forwards->mf_count == 0) {
		reply(endpoint, msg, SIP_483_TOO_MANY_HOPS);
		return false;
	}
	said = leg_session_said(sip);
	if (invite && session_timer_too_small(&endpoint->session_terms, &said)) {
		char min_se[16]; /* RFC 4028 section 9 */

		(void)snprintf(min_se, sizeof(min_se), "%u", endpoint->session_terms.min_se_s);
		nta_msg_treply(endpoint->agent, msg, SIP_422_SESSION_TIMER_TOO_SMALL,
			       SIPTAG_MIN_SE_STR(min_se), TAG_END());
		return false;
	}
	if (invite && uri->url_headers) {
		reply(endpoint, msg, 400, "Headers in Request-URI");
		return false;
	}
	return true;
}

/* ---- passwords ---- */

static void demand(struct sip_endpoint *endpoint, msg_t *msg, int status,
		   const struct sip_demand *demanded)
{
	char *const *challenges = demanded->challenges;

	nta_msg_treply(endpoint->agent, msg, status, NULL, SIPTAG_SERVER_STR(endpoint->user_agent),
		       TAG_IF(demanded->count > 0, SIPTAG_WWW_AUTHENTICATE_STR(challenges[0])),
		       TAG_IF(demanded->count > 1, SIPTAG_WWW_AUTHENTICATE_STR(challenges[1])),
		       TAG_IF(demanded->count > 2, SIPTAG_WWW_AUTHENTICATE_STR(challenges[2])),
		       TAG_END());
	for (size_t i = 0; i < demanded->count; i++)
		free(challenges[i]);
}

/* False: `msg` was answered. */
static bool is_proven(struct sip_endpoint *endpoint, msg_t *msg, const sip_t *sip,
		      const struct sip_source *source, int peer)
{
	const struct sip_endpoint_handlers *handlers = &endpoint->handlers;
	const char *answers[MESSAGE_AUTHORIZATION_MAX];
	struct sip_headers authorizations = { 0 };
	struct sip_proof proof = { .peer = peer,
				   .source = source,
				   .method = sip->sip_request->rq_method_name,
				   .answers = answers };
	struct sip_demand demanded = { .count = 0 };
	int status;

	message_authorizations(sip, &authorizations);
	while (proof.answer_count < authorizations.count) {
		answers[proof.answer_count] = authorizations.items[proof.answer_count].value;
		proof.answer_count++;
	}
	status = handlers->authenticate ? handlers->authenticate(&proof, &demanded, handlers->arg)
					: 0;
	sip_headers_done(&authorizations);
	if (status)
		demand(endpoint, msg, status, &demanded);
	return !status;
}

/* ---- calls ---- */

static const char *refusal(int err, int *ret_status)
{
	switch (err) {
	case -ENOTSUP:
		*ret_status = 415;
		return sip_415_Unsupported_media;
	case -EINVAL:
		*ret_status = 400;
		return "Bad Body or User";
	default:
		*ret_status = 500;
		return sip_500_Internal_server_error;
	}
}

/* False: `msg` was answered, at the price of its parsing. */
static bool is_admitted(struct sip_endpoint *endpoint, msg_t *msg, const sip_t *sip, int peer)
{
	const url_t *url = sip->sip_request->rq_url;
	char uri[256], retry_after[16];
	unsigned after_s = 0;
	struct sip_newcomer call = { .peer = peer,
				     .request_uri = uri,
				     .request_user = url->url_user ? url->url_user : "",
				     .priority =
					     sip->sip_priority ? sip->sip_priority->g_string : NULL,
				     .call_id = sip->sip_call_id->i_id };
	int status;

	if (!endpoint->handlers.admit)
		return true;
	if (url_e(uri, sizeof(uri), url) < 0)
		uri[0] = '\0';
	status = endpoint->handlers.admit(&call, &after_s, endpoint->handlers.arg);
	if (!status)
		return true;
	(void)snprintf(retry_after, sizeof(retry_after), "%u", after_s);
	nta_msg_treply(endpoint->agent, msg, status, NULL, SIPTAG_SERVER_STR(endpoint->user_agent),
		       TAG_IF(after_s, SIPTAG_RETRY_AFTER_STR(retry_after)), TAG_END());
	return false;
}

static void invited(struct sip_endpoint *endpoint, msg_t *msg, sip_t *sip,
		    const struct sip_source *source, int peer)
{
	nta_incoming_t *request;
	const char *phrase;
	struct leg *leg;
	char *sdp = NULL;
	int status, err = message_sdp(sip, &sdp);

	if (err) {
		phrase = refusal(err, &status);
		reply(endpoint, msg, status, phrase);
		return;
	}
	request = nta_incoming_create(endpoint->agent, NULL, msg, sip, TAG_END()); /* takes msg */
	if (!request) {
		free(sdp);
		return;
	}
	err = leg_create_incoming(&leg, endpoint, request, sip, source, peer, sdp);
	if (err) {
		phrase = refusal(err, &status);
		nta_incoming_treply(request, status, phrase, TAG_END());
		nta_incoming_destroy(request);
		return;
	}
	nta_incoming_treply(request, SIP_100_TRYING, TAG_END());
	endpoint->handlers.invite(leg, endpoint->handlers.arg);
}

static void known_peer(struct sip_endpoint *endpoint, msg_t *msg, sip_t *sip,
		       const struct sip_source *source, int peer)
{
	sip_method_t method = sip->sip_request->rq_method;

	if (neighbour_passes(endpoint, msg, sip, true))
		return;
	if (method == sip_method_ack) {
		nta_msg_discard(endpoint->agent, msg); /* of nothing we know */
		return;
	}
	if (method == sip_method_cancel) {
		reply(endpoint, msg, SIP_481_NO_TRANSACTION);
		return;
	}
	if (!passes(endpoint, msg, sip))
		return;
	switch ((int)method) { /* all others: not allowed */
	case sip_method_options:
		reply(endpoint, msg, endpoint->handlers.options_status(endpoint->handlers.arg),
		      NULL);
		break;
	case sip_method_bye:
	case sip_method_info:
	case sip_method_prack:
	case sip_method_update:
		reply(endpoint, msg, SIP_481_NO_TRANSACTION);
		break;
	case sip_method_invite:
		if (sip->sip_to->a_tag)
			reply(endpoint, msg, SIP_481_NO_TRANSACTION);
		else if (is_admitted(endpoint, msg, sip, peer) &&
			 is_proven(endpoint, msg, sip, source, peer))
			invited(endpoint, msg, sip, source, peer);
		break;
	default:
		reply(endpoint, msg, SIP_405_METHOD_NOT_ALLOWED);
		break;
	}
}

/* Who proves who he is with a password; `peer` is who he is by his address, -1 if
 * that says nothing. */
static void visited(struct sip_endpoint *endpoint, msg_t *msg, sip_t *sip,
		    const struct sip_source *source, tport_t *tport, int peer)
{
	sip_method_t method = sip->sip_request->rq_method;
	int visitor = visitor_identify(endpoint, msg, sip, source);
	struct sip_source let_in = *source;

	let_in.visitor = true;

	if (visitor == SIP_VISITOR_IGNORED)
		drop(endpoint, msg, tport);
	else if (visitor == SIP_VISITOR_UNANSWERED)
		nta_msg_discard(endpoint->agent, msg);
	else if (visitor == SIP_VISITOR_STRANGER && peer < 0)
		turn_away(endpoint, msg, sip, source, tport);
	else if (visitor == SIP_VISITOR_STRANGER)
		known_peer(endpoint, msg, sip, source, peer);
	else if (visitor >= 0 && method != sip_method_register)
		known_peer(endpoint, msg, sip, &let_in, visitor);
	else if (visitor >= 0 && passes(endpoint, msg, sip))
		visitor_register(endpoint, msg, sip, source, visitor);
}

/* Of ourselves: it asks whether we are there, not who asks. */
static bool is_self_call(const struct sip_endpoint *endpoint, const sip_t *sip)
{
	return sip->sip_request->rq_method == sip_method_options && sip->sip_call_id &&
	       !strncmp(sip->sip_call_id->i_id, endpoint->mark, SIP_MARK_ASKED);
}

int endpoint_on_message(struct sip_endpoint *endpoint, nta_agent_t *agent, msg_t *msg, sip_t *sip)
{
	tport_t *tport = tport_delivered_by(nta_agent_tports(agent), msg);
	const struct listener *listener = endpoint_listener_of(endpoint, tport);
	struct sip_source source = { 0 };
	int peer;

	if (neighbour_passes(endpoint, msg, sip, false))
		return 0;
	if (!sip->sip_request || !listener) {
		nta_msg_discard(agent, msg); /* a response nobody waits for */
		return 0;
	}
	if (is_self_call(endpoint, sip)) {
		reply(endpoint, msg, endpoint->handlers.options_status(endpoint->handlers.arg),
		      endpoint->mark + SIP_MARK_ASKED);
		return 0;
	}
	memcpy(&source.address, msg_addr(msg),
	       sizeof(su_sockaddr_t) < sizeof(source.address) ? sizeof(su_sockaddr_t)
							      : sizeof(source.address));
	source.transport = listener->transport;
	if (listener->transport == SIP_TRANSPORT_TLS)
		source.certificate_names = tls_guard_client_names(endpoint->tls, tport);
	peer = endpoint->handlers.identify(&source, endpoint->handlers.arg);
	if (endpoint->handlers.visit &&
	    (peer < 0 || sip->sip_request->rq_method == sip_method_register))
		visited(endpoint, msg, sip, &source, tport, peer);
	else if (peer < 0)
		turn_away(endpoint, msg, sip, &source, tport);
	else
		known_peer(endpoint, msg, sip, &source, peer);
	return 0;
}
