/* SPDX-License-Identifier: Apache-2.0 */
/* leg_hop.c - where the next request of a dialog goes.
 *
 * RFC 3261 section 12.2.1.1 has the peer say so, by Record-Route or Contact. Believed
 * without bounds this lets a peer send our requests, with SDP and keys in them, to any
 * host it likes. So the host has to be one of these: where the dialog came from (the
 * next hop we were configured with, or the address that its INVITE or the answer to
 * ours came from), or one that the owner knows. Any other is passed over for where the
 * dialog came from, as RFC 5626 section 5.3 does with a Contact behind a NAT.
 */
#include "tas/sip/leg_private.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/str.h"

/* Where sofia would send it: maddr (RFC 3261 section 19.1.1) goes before the host. */
static const char *host_of(const url_t *url, char *room, size_t size)
{
	char maddr[128] = "";
	const char *host = url->url_host ? url->url_host : "";
	size_t length;

	if (url->url_params && url_param(url->url_params, "maddr", maddr, sizeof(maddr)) > 0)
		host = maddr;
	if (*host == '[')
		host++;
	length = strcspn(host, "]");
	(void)snprintf(room, size, "%.*s", (int)length, host);
	return room;
}

/* The address that the dialog came from. */
static bool is_source(const struct leg *leg, const char *host)
{
	const su_sockaddr_t *source = &leg->auth_host;
	unsigned char address[sizeof(struct in6_addr)];

	if (source->su_family == AF_INET)
		return inet_pton(AF_INET, host, address) == 1 &&
		       memcmp(address, &source->su_sin.sin_addr, sizeof(struct in_addr)) == 0;
	return source->su_family == AF_INET6 && inet_pton(AF_INET6, host, address) == 1 &&
	       memcmp(address, &source->su_sin6.sin6_addr, sizeof(struct in6_addr)) == 0;
}

static bool is_next_hop(const struct leg *leg, su_home_t *home, const char *host)
{
	const url_t *hop = leg->next_hop ? url_make(home, leg->next_hop) : NULL;
	char room[256];

	/* The name it was configured by, or the address that /etc/hosts makes of it. */
	return hop && hop->url_host &&
	       (str_equal_nocase(hop->url_host, host) ||
		str_equal_nocase(host_of(hop, room, sizeof(room)), host));
}

static bool may_go_to(struct leg *leg, su_home_t *home, const url_t *url)
{
	const struct sip_endpoint_handlers *handlers = &leg->endpoint->handlers;
	char host[256];

	host_of(url, host, sizeof(host));
	if (is_source(leg, host) || is_next_hop(leg, home, host) ||
	    (handlers->knows_host && handlers->knows_host(host, handlers->arg)))
		return true;
	if (!leg->hop_told)
		log_notice(
			"sip",
			"leg=%s the peer names host=%s, which is not known to be its: requests go "
			"where the call came from; if it is the peer's, add it to `hosts` or "
			"`trusted`",
			leg->info.call_id, host);
	leg->hop_told = true;
	return false;
}

char *leg_hop(struct leg *leg, nta_leg_t *dialog, su_home_t *home)
{
	const sip_route_t *routes = NULL;
	const sip_contact_t *target = NULL;
	const url_t *said = NULL;

	if (nta_leg_get_route(dialog, &routes, &target) < 0)
		return NULL;
	if (routes)
		said = routes->r_url;
	else if (target && !leg->keep_hop)
		said = target->m_url;
	if (said && may_go_to(leg, home, said))
		return endpoint_hop(leg->endpoint, home, said, leg->info.transport);
	return su_strdup(home, leg->next_hop);
}
