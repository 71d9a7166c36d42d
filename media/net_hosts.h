/* SPDX-License-Identifier: Apache-2.0 */
/* net_hosts.h - our own addresses, and which of them serves a peer. */
#ifndef BREAKOUT_MEDIA_NET_HOSTS_H
#define BREAKOUT_MEDIA_NET_HOSTS_H

#include "media/net.h"

#define NET_HOSTS_MAX 4

/* Our addresses, without ports, and what peers are told of each: behind a NAT another,
 * else the same. The first serves where nothing else decides. */
struct net_hosts {
	union net_address own[NET_HOSTS_MAX], told[NET_HOSTS_MAX];
	unsigned count;
};

/* Each of these returns an index, or the count of hosts: none is. */

unsigned net_hosts_find(const struct net_hosts *hosts,
			const union net_address *address);               /* ours or told */
unsigned net_hosts_of_family(const struct net_hosts *hosts, int family); /* the first */
/* Of those of the peer's family the one that this machine sends to it from, else the
 * first. The kernel is asked without a packet, and only if there is a choice. */
unsigned net_hosts_towards(const struct net_hosts *hosts, const union net_address *peer);

bool net_hosts_on_loopback(const struct net_hosts *hosts); /* any */

#endif
