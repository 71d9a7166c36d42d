/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - literal transport addresses: reading, writing, comparing, judging. */
#ifndef BREAKOUT_MEDIA_NET_H
#define BREAKOUT_MEDIA_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"

/* 28 bytes instead of sockaddr_storage's 128: every leg holds several. */
union net_address {
	struct sockaddr any; /* sa_family AF_UNSPEC: no address */
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

#define NET_TEXT_ROOM 64 /* "[v6 address]:port" and NUL */

/* Literal IPv4 or IPv6 only, never a name. 0 or -EINVAL. */
int net_parse(const char *host, uint16_t port, union net_address *ret_address) MUST_CHECK;
void net_host(const union net_address *address, char ret_host[static NET_TEXT_ROOM]);
void net_format(const union net_address *address, char ret_text[static NET_TEXT_ROOM]);

uint16_t net_port(const union net_address *address);
void net_set_host(union net_address *address, const union net_address *host); /* keeps the port */
void net_set_port(union net_address *address, uint16_t port);
socklen_t net_size(const union net_address *address);

bool net_same_host(const union net_address *a, const union net_address *b);
bool net_equal(const union net_address *a, const union net_address *b);

bool net_is_unspecified(const union net_address *address); /* 0.0.0.0, :: */
bool net_is_loopback(const union net_address *address);
bool net_is_multicast(const union net_address *address); /* 255.255.255.255 included */
bool net_is_private(const union net_address *address);   /* RFC 1918, 6598, 3927, 4193, loopback */

#endif
