/* SPDX-License-Identifier: Apache-2.0 */
#include "media/net_hosts.h"
#include <sys/socket.h>
#include <unistd.h>

#define ANY_PORT 9 /* discard: a route has no port, connect(2) wants one */

unsigned net_hosts_find(const struct net_hosts *hosts, const union net_address *address)
{
	unsigned i = 0;

	while (i < hosts->count && !net_same_host(address, &hosts->own[i]) &&
	       !net_same_host(address, &hosts->told[i]))
		i++;
	return i;
}

static unsigned next_of_family(const struct net_hosts *hosts, unsigned i, int family)
{
	while (i < hosts->count && hosts->own[i].any.sa_family != family)
		i++;
	return i;
}

unsigned net_hosts_of_family(const struct net_hosts *hosts, int family)
{
	return next_of_family(hosts, 0, family);
}

/* What a socket that is bound to nothing would send from. */
static bool source_towards(const union net_address *peer, union net_address *ret_source)
{
	union net_address to = *peer;
	socklen_t length = sizeof(*ret_source);
	int fd = socket(peer->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool known;

	if (fd < 0)
		return false;
	net_set_port(&to, ANY_PORT);
	known = connect(fd, &to.any, net_size(&to)) == 0 &&
		getsockname(fd, &ret_source->any, &length) == 0;
	close(fd);
	return known;
}

static unsigned host_on_route(const struct net_hosts *hosts, const union net_address *peer)
{
	union net_address source;
	unsigned i = 0;

	if (net_is_unspecified(peer) || !source_towards(peer, &source))
		return hosts->count;
	while (i < hosts->count && !net_same_host(&source, &hosts->own[i]))
		i++;
	return i;
}

unsigned net_hosts_towards(const struct net_hosts *hosts, const union net_address *peer)
{
	int family = peer->any.sa_family;
	unsigned first = net_hosts_of_family(hosts, family), host;

	if (first == hosts->count || next_of_family(hosts, first + 1, family) == hosts->count)
		return first;
	host = host_on_route(hosts, peer);
	return host < hosts->count ? host : first;
}

bool net_hosts_on_loopback(const struct net_hosts *hosts)
{
	for (unsigned i = 0; i < hosts->count; i++)
		if (net_is_loopback(&hosts->own[i]))
			return true;
	return false;
}
