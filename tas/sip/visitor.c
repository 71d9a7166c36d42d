/* SPDX-License-Identifier: Apache-2.0 */
/* visitor.c - between sofia's messages and the values of visitor.h. */
#include "tas/sip/endpoint_private.h"

#include <arpa/inet.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/msg_header.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "tas/sip/leg_private.h"

static void reply(struct sip_endpoint *endpoint, msg_t *msg, int status, const char *headers)
{
	nta_msg_treply(endpoint->agent, msg, status, NULL, SIPTAG_SERVER_STR(endpoint->user_agent),
		       TAG_IF(headers, SIPTAG_HEADER_STR(headers)), TAG_END());
}

static void put_address(const struct sockaddr_storage *source, char ret_text[INET6_ADDRSTRLEN])
{
	const void *address = &((const struct sockaddr_in *)source)->sin_addr;

	if (source->ss_family == AF_INET6)
		address = &((const struct sockaddr_in6 *)source)->sin6_addr;
	ret_text[0] = '\0';
	(void)inet_ntop(source->ss_family, address, ret_text, INET6_ADDRSTRLEN); /* it fits */
}

/* ---- who ---- */

int visitor_identify(struct sip_endpoint *endpoint, msg_t *msg, const sip_t *sip,
		     const struct sip_source *source)
{
	const char *values[MESSAGE_AUTHORIZATION_MAX];
	struct sip_headers authorizations = { 0 };
	char address[INET6_ADDRSTRLEN];
	struct sip_visitor visitor = { .source = &source->address,
				       .address = address,
				       .method = sip->sip_request->rq_method_name,
				       .authorizations = values };
	struct str headers = { 0 };
	int peer;

	put_address(&source->address, address);
	message_authorizations(sip, &authorizations);
	for (size_t i = 0; i < authorizations.count; i++)
		values[i] = authorizations.items[i].value;
	visitor.authorization_count = authorizations.count;
	peer = endpoint->handlers.visit(&visitor, &headers, endpoint->handlers.arg);
	if (peer == SIP_VISITOR_CHALLENGED && !headers.failed)
		reply(endpoint, msg, 401, headers.text);
	else if (peer == SIP_VISITOR_FORBIDDEN)
		reply(endpoint, msg, 403, NULL);
	else if (peer == SIP_VISITOR_CHALLENGED)
		peer = SIP_VISITOR_IGNORED;
	str_done(&headers);
	sip_headers_done(&authorizations);
	return peer;
}

/* ---- where ---- */

static unsigned expires_of(const char *text)
{
	char *end;
	unsigned long seconds;

	if (!text)
		return SIP_EXPIRES_NONE;
	seconds = strtoul(text, &end, 10);
	/* RFC 3261 section 20.19: what is malformed counts as 3600. */
	return *end || end == text ? 3600 : seconds >= UINT_MAX ? UINT_MAX - 1 : (unsigned)seconds;
}

/* RFC 5626 section 6: a phone that names itself and its flow keeps its binding
 * wherever it comes from. Else the parts of the URI that RFC 3261 section 19.1.4
 * compares. */
static const char *key_of(su_home_t *home, const sip_contact_t *contact)
{
	const char *instance = msg_params_find(contact->m_params, "+sip.instance=");
	const char *flow = msg_params_find(contact->m_params, "reg-id=");
	const url_t *url = contact->m_url;
	char transport[8] = "", *host;

	if (instance && flow)
		return su_sprintf(home, "%s %s", instance, flow);
	if (url->url_params)
		url_param(url->url_params, "transport", transport, sizeof(transport));
	host = su_sprintf(home, "%s:%s;transport=%s", url->url_host,
			  url->url_port ? url->url_port : "", transport);
	for (char *c = host; c && *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return host ? su_sprintf(home, "%s:%s@%s", url->url_scheme,
				 url->url_user ? url->url_user : "", host)
		    : NULL;
}

/* False: no contact we could send to. */
static bool read_contact(su_home_t *home, const sip_contact_t *contact,
			 struct sip_contact *ret_contact)
{
	const char *uri = url_as_string(home, contact->m_url);
	enum url_type_e type = url_invalid;

	if (!uri || !message_uri_valid(uri, &type) || (type != url_sip && type != url_sips))
		return false;
	ret_contact->uri = uri;
	ret_contact->key = key_of(home, contact);
	ret_contact->expires_s = expires_of(contact->m_expires);
	return ret_contact->key != NULL;
}

static bool read_contacts(su_home_t *home, const sip_t *sip, struct sip_contact *contacts,
			  struct sip_register *request)
{
	for (const sip_contact_t *at = sip->sip_contact; at; at = at->m_next) {
		if (at->m_url->url_type == url_any) {
			request->star = true;
			continue;
		}
		if (request->contact_count == SIP_CONTACT_MAX ||
		    !read_contact(home, at, &contacts[request->contact_count]))
			return false;
		request->contact_count++;
	}
	return true;
}

char *visitor_hop(su_home_t *home, const struct sip_source *source)
{
	return su_sprintf(home, "sip:%s;transport=%s", leg_source_text(home, &source->address),
			  sip_transport_name(source->transport));
}

/* A transaction, so that one sent again over UDP is answered the same again
 * instead of being out of order. */
static void answer(struct sip_endpoint *endpoint, msg_t *msg, sip_t *sip, int status,
		   const char *headers)
{
	nta_incoming_t *transaction =
		nta_incoming_create(endpoint->agent, NULL, msg, sip, TAG_END()); /* takes msg */

	if (!transaction)
		return;
	nta_incoming_treply(transaction, status, NULL, SIPTAG_SERVER_STR(endpoint->user_agent),
			    TAG_IF(headers, SIPTAG_HEADER_STR(headers)), TAG_END());
	nta_incoming_destroy(transaction);
}

void visitor_register(struct sip_endpoint *endpoint, msg_t *msg, sip_t *sip,
		      const struct sip_source *source, int peer)
{
	struct sip_contact contacts[SIP_CONTACT_MAX];
	su_home_t *home = msg_home(msg);
	struct str headers = { 0 };
	struct sip_register request = {
		.user = message_user(home, sip->sip_to->a_url),
		.call_id = sip->sip_call_id->i_id,
		.cseq = sip->sip_cseq->cs_seq,
		.contacts = contacts,
		.expires_s =
			sip->sip_expires ? (unsigned)sip->sip_expires->ex_delta : SIP_EXPIRES_NONE,
		.user_agent = sip->sip_user_agent ? sip->sip_user_agent->g_string : "",
		.source = source->address,
		.hop = visitor_hop(home, source),
	};
	int status = 400;

	if (!request.hop)
		status = 500;
	else if (request.user && read_contacts(home, sip, contacts, &request))
		status = endpoint->handlers.enrol(peer, &request, &headers, endpoint->handlers.arg);
	answer(endpoint, msg, sip, headers.failed ? 500 : status, headers.text);
	str_done(&headers);
}
