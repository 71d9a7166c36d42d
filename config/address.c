/* SPDX-License-Identifier: Apache-2.0 */
/* address.c - hosts, ports, SIP URIs and networks as text. */
#include "config/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

const char *sip_transport_name(enum sip_transport transport)
{
	switch (transport) {
	case SIP_TRANSPORT_UDP:
		return "udp";
	case SIP_TRANSPORT_TCP:
		return "tcp";
	case SIP_TRANSPORT_TLS:
		return "tls";
	}
	return "unknown";
}

bool host_is_literal(const char *host)
{
	struct in6_addr any;

	return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

int host_address(const char *host, uint16_t port, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;

	*ret_address = (struct sockaddr_storage){ 0 };
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		return 0;
	}
	return -EINVAL;
}

bool host_is_wildcard(const char *host)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return v4.s_addr == htonl(INADDR_ANY);
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&v6);
}

bool host_is_multicast(const char *host)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 28 >= 14;
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_MULTICAST(&v6);
}

bool host_is_loopback(const char *host)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return str_equal_nocase(host, "localhost");
}

bool host_is_name(const char *host)
{
	size_t length = strlen(host), label = 0;

	if (!length || length >= HOST_ROOM - 2)
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = host[i];
		bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			      (c >= 'A' && c <= 'Z') || c == '_';

		if (c == '.' && label && host[i - 1] != '-') {
			label = 0;
			continue;
		}
		if (!letter && (c != '-' || !label))
			return false;
		if (++label > 63)
			return false;
	}
	return host[length - 1] != '-' && label;
}

bool port_parse(const char *text, size_t length, uint16_t *ret_port)
{
	unsigned port = 0;

	if (!length || length > 5)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	if (port > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

const char *host_port_parse(const char *text, size_t length, char ret_host[static HOST_ROOM],
			    uint16_t *ret_port)
{
	bool bracket = length && text[0] == '[';
	const char *host = text + bracket;
	const char *end = memchr(host, bracket ? ']' : ':', length - bracket);
	const char *rest;

	if (bracket && !end)
		return "has no closing bracket. Write [address]:port";
	if (!end)
		end = text + length;
	rest = end + bracket;
	if (end == host)
		return "names no host. Write host or host:port";
	if (end - host >= HOST_ROOM)
		return "is too long for a host";
	memcpy(ret_host, host, (size_t)(end - host));
	ret_host[end - host] = '\0';
	*ret_port = 0;
	if (rest < text + length &&
	    (*rest != ':' || !port_parse(rest + 1, (size_t)(text + length - rest - 1), ret_port)))
		return "does not end in a port from 0 to 65535. "
		       "Write host:port, or [address]:port for IPv6";
	if (bracket ? !host_is_literal(ret_host) || !strchr(ret_host, ':')
		    : !host_is_name(ret_host))
		return "names no valid host. Write a DNS name, an IPv4 address or [IPv6 address]";
	return NULL;
}

const char *web_url_parse(const char *text, bool *ret_clear)
{
	bool secure = !strncasecmp(text, "https://", 8);
	char host[HOST_ROOM];
	const char *problem;
	uint16_t port;

	if (!secure && strncasecmp(text, "http://", 7))
		return "is not a URL. Write https://host/path";
	text += secure ? 8 : 7;
	problem = host_port_parse(text, strcspn(text, "/?#"), host, &port);
	*ret_clear = !problem && !secure && !host_is_loopback(host);
	return problem;
}

/* Parameters of a SIP URI: only the transport has a meaning for us. */
static const char *sip_uri_parameters(const char *text, bool secure)
{
	static const char *const known[] = { ";transport=tcp", ";transport=tls", ";transport=udp" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (str_equal_nocase(text, known[i]))
			return i == 2 && secure ? "asks for sips: over UDP. Use ;transport=tcp or "
						  "leave it out"
						: NULL;
	return "has an unknown parameter. Only ;transport=udp, tcp or tls may follow the host";
}

enum sip_transport config_uri_transport(const char *uri)
{
	if (strncasecmp(uri, "sips:", 5) == 0 || strcasestr(uri, ";transport=tls"))
		return SIP_TRANSPORT_TLS;
	return strcasestr(uri, ";transport=tcp") ? SIP_TRANSPORT_TCP : SIP_TRANSPORT_UDP;
}

unsigned config_uri_transports(const char *uri)
{
	unsigned given = 1u << config_uri_transport(uri);
	struct sip_uri parsed;

	if (sip_uri_parse(uri, &parsed) || parsed.secure || parsed.port || strchr(uri, ';') ||
	    host_is_literal(parsed.host))
		return given;
	return given | 1u << SIP_TRANSPORT_TCP;
}

const char *sip_uri_parse(const char *text, struct sip_uri *ret_uri)
{
	bool sip = !strncasecmp(text, "sip:", 4);
	const char *at = text + (sip ? 4 : 5);
	const char *problem;
	size_t length;

	ret_uri->secure = !strncasecmp(text, "sips:", 5);
	if (!sip && !ret_uri->secure)
		return "does not begin with sip: or sips:. Write sips:host or sips:host:port";
	if (strchr(at, '@'))
		return "has a user part. Write the host only, as sips:host:port";
	length = strcspn(at, ";?");
	problem = host_port_parse(at, length, ret_uri->host, &ret_uri->port);
	if (problem || !at[length])
		return problem;
	return sip_uri_parameters(at + length, ret_uri->secure);
}

/* The bytes of an address that a prefix counts; mapped IPv4 gives its four. */
static const unsigned char *address_bytes(const struct sockaddr *address, unsigned *ret_bits)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

	*ret_bits = 32;
	if (address->sa_family == AF_INET)
		return (const unsigned char *)&((const struct sockaddr_in *)(const void *)address)
			->sin_addr;
	if (address->sa_family != AF_INET6)
		return NULL;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return v6->sin6_addr.s6_addr + 12;
	*ret_bits = 128;
	return v6->sin6_addr.s6_addr;
}

/* The mask of byte i under a prefix. */
static unsigned char prefix_mask(unsigned prefix_length, unsigned i)
{
	if (prefix_length >= 8 * (i + 1))
		return 0xff;
	if (prefix_length <= 8 * i)
		return 0;
	return (unsigned char)(0xff00u >> (prefix_length - 8 * i));
}

bool config_cidr_contains(const struct config_cidr *cidr, const struct sockaddr *address)
{
	unsigned net_bits, bits;
	const unsigned char *net =
		address_bytes((const struct sockaddr *)(const void *)&cidr->address, &net_bits);
	const unsigned char *bytes = address_bytes(address, &bits);

	if (!net || !bytes || net_bits != bits)
		return false;
	for (unsigned i = 0; i < bits / 8; i++)
		if ((net[i] ^ bytes[i]) & prefix_mask(cidr->prefix_length, i))
			return false;
	return true;
}

/* An IPv4-mapped network becomes the IPv4 network it means. */
static bool address_parse(const char *text, struct config_cidr *cidr, unsigned *ret_mapped)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&cidr->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&cidr->address;
	struct in6_addr parsed;

	*ret_mapped = 0;
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		return true;
	}
	if (inet_pton(AF_INET6, text, &parsed) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&parsed)) {
		*ret_mapped = 96;
		v4->sin_family = AF_INET;
		memcpy(&v4->sin_addr, parsed.s6_addr + 12, 4);
		return true;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_addr = parsed;
	return true;
}

const char *cidr_parse(const char *text, struct config_cidr *ret_cidr, bool *ret_host_bits)
{
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	const unsigned char *bytes;
	char address[INET6_ADDRSTRLEN];
	unsigned bits, mapped;
	uint16_t prefix = 0;

	*ret_cidr = (struct config_cidr){ 0 };
	if (length >= sizeof(address))
		return "is not a network. Write 192.0.2.0/24 or 2001:db8::/32";
	memcpy(address, text, length);
	address[length] = '\0';
	if (!address_parse(address, ret_cidr, &mapped))
		return "is not a network. Write 192.0.2.0/24 or 2001:db8::/32";
	bytes = address_bytes((const struct sockaddr *)(const void *)&ret_cidr->address, &bits);
	ret_cidr->prefix_length = bits;
	if (slash) {
		if (!port_parse(slash + 1, strlen(slash + 1), &prefix) || prefix > bits + mapped ||
		    prefix < mapped)
			return "has a wrong prefix length. Write /0 to /32 for IPv4, /0 to /128 "
			       "for IPv6";
		ret_cidr->prefix_length = prefix - mapped;
	}
	*ret_host_bits = false;
	for (unsigned i = 0; i < bits / 8; i++)
		if (bytes[i] & (unsigned char)~prefix_mask(ret_cidr->prefix_length, i))
			*ret_host_bits = true;
	return NULL;
}

bool config_cidrs_contain(const struct config_cidr *cidrs, size_t count,
			  const struct sockaddr *address)
{
	for (size_t i = 0; i < count; i++)
		if (config_cidr_contains(&cidrs[i], address))
			return true;
	return false;
}
