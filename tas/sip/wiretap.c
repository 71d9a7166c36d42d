/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/sip/wiretap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include <sofia-sip/msg.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/tport.h>

#include "config/address.h"
#include "tas/sip/one_piece.h"

#define PIECES    80
#define TEXT_ROOM 65536

static struct sip_trace *current;

void wiretap_set(struct sip_trace *trace)
{
	current = trace;
}

/* sofia keeps a peer's IPv6 address in brackets. */
static void parse_name(const tp_name_t *name, struct sockaddr_storage *ret_address)
{
	const char *host = name->tpn_host ? name->tpn_host : "";
	unsigned long port = strtoul(name->tpn_port ? name->tpn_port : "0", NULL, 10);
	char bare[INET6_ADDRSTRLEN] = "";
	size_t length;

	*ret_address = (struct sockaddr_storage){ 0 };
	host += *host == '[';
	length = strcspn(host, "]");
	if (length >= sizeof(bare))
		return;
	memcpy(bare, host, length);
	if (host_address(bare, (uint16_t)port, ret_address))
		return; /* a name: of no family */
}

/* A connection has one peer; of a shared socket the message says who. */
static void peer_of(const tport_t *tport, msg_t *msg, struct sockaddr_storage *ret_address)
{
	if (tport_is_secondary(tport)) {
		parse_name(tport_name(tport), ret_address);
		return;
	}
	*ret_address = (struct sockaddr_storage){ 0 };
	memcpy(ret_address, msg_addr(msg),
	       sizeof(su_sockaddr_t) < sizeof(*ret_address) ? sizeof(su_sockaddr_t)
							    : sizeof(*ret_address));
}

static enum sip_transport transport_of(const tport_t *tport)
{
	const char *protocol = tport_name(tport)->tpn_proto;

	if (!strcasecmp(protocol, "tls"))
		return SIP_TRANSPORT_TLS;
	return strcasecmp(protocol, "tcp") ? SIP_TRANSPORT_UDP : SIP_TRANSPORT_TCP;
}

static size_t gather(msg_t *msg, char ret_text[static TEXT_ROOM])
{
	struct iovec pieces[PIECES];
	size_t count = one_piece_list(msg, pieces, PIECES), used = 0;

	for (size_t i = 0; i < count && i < PIECES; i++) {
		size_t length =
			pieces[i].iov_len < TEXT_ROOM - used ? pieces[i].iov_len : TEXT_ROOM - used;

		memcpy(ret_text + used, pieces[i].iov_base, length);
		used += length;
	}
	return used;
}

/* sofia's (tport_internal.h), which would print it. */
void tport_log_msg(tport_t *tport, msg_t *msg, const char *what, const char *via, su_time_t now);
void tport_log_msg(tport_t *tport, msg_t *msg, const char *what, const char *via, su_time_t now)
{
	static char text[TEXT_ROOM];
	struct sockaddr_storage local, remote;
	const sip_t *sip = sip_object(msg);
	struct sip_trace_message message = { .sent = *what == 's', /* "send", "recv" */
					     .transport = transport_of(tport),
					     .local = &local,
					     .remote = &remote,
					     .text = text };

	(void)via;
	(void)now;
	if (!current)
		return;
	parse_name(tport_name(tport_parent(tport)), &local);
	peer_of(tport, msg, &remote);
	if (sip && sip->sip_call_id)
		message.call_id = sip->sip_call_id->i_id;
	message.length = gather(msg, text);
	sip_trace_message(current, &message);
}
