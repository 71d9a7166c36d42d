/* SPDX-License-Identifier: Apache-2.0 */
#include "media/net.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int net_parse(const char *host, uint16_t port, union net_address *ret_address)
{
	union net_address address;

	memset(&address, 0, sizeof(address));
	if (inet_pton(AF_INET, host, &address.v4.sin_addr) == 1)
		address.v4.sin_family = AF_INET;
	else if (inet_pton(AF_INET6, host, &address.v6.sin6_addr) == 1)
		address.v6.sin6_family = AF_INET6;
	else
		return -EINVAL;

	net_set_port(&address, port);
	*ret_address = address;
	return 0;
}

void net_host(const union net_address *address, char ret_host[static NET_TEXT_ROOM])
{
	const void *bytes = address->any.sa_family == AF_INET6
				    ? (const void *)&address->v6.sin6_addr
				    : (const void *)&address->v4.sin_addr;

	if (!inet_ntop(address->any.sa_family, bytes, ret_host, NET_TEXT_ROOM))
		ret_host[0] = '\0';
}

void net_format(const union net_address *address, char ret_text[static NET_TEXT_ROOM])
{
	char host[NET_TEXT_ROOM];

	net_host(address, host);
	if (host[0] == '\0')
		ret_text[0] = '\0';
	else if (address->any.sa_family == AF_INET6)
		(void)snprintf(ret_text, NET_TEXT_ROOM, "[%.46s]:%u", host, net_port(address));
	else
		(void)snprintf(ret_text, NET_TEXT_ROOM, "%.46s:%u", host, net_port(address));
}

uint16_t net_port(const union net_address *address)
{
	if (address->any.sa_family == AF_INET6)
		return ntohs(address->v6.sin6_port);
	return address->any.sa_family == AF_INET ? ntohs(address->v4.sin_port) : 0;
}

void net_set_port(union net_address *address, uint16_t port)
{
	if (address->any.sa_family == AF_INET6)
		address->v6.sin6_port = htons(port);
	else
		address->v4.sin_port = htons(port);
}

socklen_t net_size(const union net_address *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
}

void net_set_host(union net_address *address, const union net_address *host)
{
	uint16_t port = net_port(address);

	*address = *host;
	net_set_port(address, port);
}

bool net_same_host(const union net_address *a, const union net_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET6)
		return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
	return a->any.sa_family == AF_INET && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
}

bool net_equal(const union net_address *a, const union net_address *b)
{
	return net_same_host(a, b) && net_port(a) == net_port(b);
}

/* An IPv4-mapped IPv6 address is judged as the IPv4 address inside. */
static bool as_v4(const union net_address *address, uint32_t *ret_host_order)
{
	uint32_t word;

	if (address->any.sa_family == AF_INET) {
		*ret_host_order = ntohl(address->v4.sin_addr.s_addr);
		return true;
	}
	if (address->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
		return false;
	memcpy(&word, address->v6.sin6_addr.s6_addr + 12, sizeof(word));
	*ret_host_order = ntohl(word);
	return true;
}

bool net_is_unspecified(const union net_address *address)
{
	uint32_t v4;

	if (as_v4(address, &v4))
		return v4 >> 24 == 0; /* 0.0.0.0/8, RFC 1122 3.2.1.3 */
	return address->any.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

bool net_is_loopback(const union net_address *address)
{
	uint32_t v4;

	if (as_v4(address, &v4))
		return v4 >> 24 == 127;
	return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

bool net_is_multicast(const union net_address *address)
{
	uint32_t v4;

	if (as_v4(address, &v4))
		return v4 >> 28 >= 0xe; /* 224/4 and the reserved 240/4 with broadcast */
	return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_MULTICAST(&address->v6.sin6_addr);
}

bool net_is_private(const union net_address *address)
{
	uint32_t v4;

	if (as_v4(address, &v4))
		return v4 >> 24 == 10 || v4 >> 20 == 0xac1 || v4 >> 16 == 0xc0a8 ||
		       v4 >> 22 == 0x64400000u >> 22 || v4 >> 16 == 0xa9fe || v4 >> 24 == 127;
	return address->any.sa_family == AF_INET6 &&
	       ((address->v6.sin6_addr.s6_addr[0] & 0xfe) == 0xfc ||
		IN6_IS_ADDR_LINKLOCAL(&address->v6.sin6_addr) || net_is_loopback(address));
}
