/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/wiretap.h"

#include <string.h>
#include <sys/uio.h>

#include <sofia-sip/msg.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/tport.h>

#include "tas/sip/endpoint.h"
#include "tas/sip/one_piece.h"

#define PIECES 80

static struct sip_trace *current;
static const char *left_out;

void wiretap_set(struct sip_trace *trace, const char *unless)
{
	current = trace;
	left_out = unless;
}

static void copy_address(const su_sockaddr_t *from, struct sockaddr_storage *ret_address)
{
	*ret_address = (struct sockaddr_storage){ 0 };
	memcpy(ret_address, from,
	       sizeof(*from) < sizeof(*ret_address) ? sizeof(*from) : sizeof(*ret_address));
}

/* A listener's own address; of a connection the peer's. */
static void address_of(const tport_t *tport, struct sockaddr_storage *ret_address)
{
	copy_address((const su_sockaddr_t *)(const void *)tport_get_address(tport)->ai_addr,
		     ret_address);
}

/* A connection has one peer; of a shared socket the message says who. */
static void peer_of(const tport_t *tport, msg_t *msg, struct sockaddr_storage *ret_address)
{
	if (tport_is_secondary(tport))
		address_of(tport, ret_address);
	else
		copy_address(msg_addr(msg), ret_address);
}

static enum sip_transport transport_of(const tport_t *tport)
{
	const char *protocol = tport_name(tport)->tpn_proto;

	if (!strcasecmp(protocol, "tls"))
		return SIP_TRANSPORT_TLS;
	return strcasecmp(protocol, "tcp") ? SIP_TRANSPORT_UDP : SIP_TRANSPORT_TCP;
}

/* Of an INVITE that begins a dialog: whom it is about. */
static void name_parties(const sip_t *sip, const char *ret_names[static SIP_TRACE_NAMES])
{
	if (!sip || !sip->sip_request || sip->sip_request->rq_method != sip_method_invite ||
	    !sip->sip_from || !sip->sip_to || sip->sip_to->a_tag)
		return;
	ret_names[0] = sip->sip_request->rq_url->url_user;
	ret_names[1] = sip->sip_from->a_url->url_user;
	ret_names[2] = sip->sip_to->a_url->url_user;
}

/* sofia's (tport_internal.h), which would print it. */
void tport_log_msg(tport_t *tport, msg_t *msg, const char *what, const char *via, su_time_t now);
void tport_log_msg(tport_t *tport, msg_t *msg, const char *what, const char *via, su_time_t now)
{
	struct sockaddr_storage local, remote;
	struct iovec pieces[PIECES];
	const sip_t *sip = sip_object(msg);
	struct sip_trace_message message = { .sent = *what == 's', /* "send", "recv" */
					     .transport = transport_of(tport),
					     .local = &local,
					     .remote = &remote,
					     .pieces = pieces };

	(void)via;
	(void)now;
	if (!sip_trace_listens(current))
		return;
	if (sip && sip->sip_call_id && left_out &&
	    !strncmp(sip->sip_call_id->i_id, left_out, SIP_MARK_ASKED))
		return;
	address_of(tport_parent(tport), &local);
	peer_of(tport, msg, &remote);
	if (sip && sip->sip_call_id)
		message.call_id = sip->sip_call_id->i_id;
	name_parties(sip, message.names);
	message.piece_count = one_piece_list(msg, pieces, PIECES);
	if (message.piece_count > PIECES)
		message.piece_count = PIECES; /* what there is room for */
	sip_trace_message(current, &message);
}
