/* SPDX-License-Identifier: Apache-2.0 */
/* address.h - text that names a peer: hosts, ports, SIP URIs, networks.
 *
 * A parser returns NULL for success or the problem as the end of a sentence,
 * "is not ... . Write ...".
 */
#ifndef BREAKOUT_CONFIG_ADDRESS_H
#define BREAKOUT_CONFIG_ADDRESS_H

#include <netinet/in.h>
#include "base/macros.h"
#include "config/config.h"

#define HOST_ROOM 256 /* RFC 1035 section 2.3.4: 255 octets, and the NUL */

bool host_is_literal(const char *host);
bool host_is_wildcard(const char *host);  /* 0.0.0.0 or :: */
bool host_is_multicast(const char *host); /* 224/4 and above, ff00::/8 */
bool host_is_loopback(const char *host);  /* by its text: 127/8, ::1, localhost */
bool host_is_name(const char *host);      /* RFC 1123 section 2.1, or an IPv4 address */

/* The literal address with a port, for bind(2) and connect(2). 0 or -EINVAL, and then
 * ret_address is of no family. */
int host_address(const char *host, uint16_t port, struct sockaddr_storage *ret_address) MUST_CHECK;

bool port_parse(const char *text, size_t length, uint16_t *ret_port);

/* "host", "host:port", "[v6]:port" of `length` characters; no port gives 0. */
const char *host_port_parse(const char *text, size_t length, char ret_host[static HOST_ROOM],
			    uint16_t *ret_port);

/* http and https; ret_clear: what goes there can be read on the way. */
const char *web_url_parse(const char *text, bool *ret_clear);

struct sip_uri {
	bool secure; /* sips: */
	char host[HOST_ROOM];
	uint16_t port; /* 0: none */
};
const char *sip_uri_parse(const char *text, struct sip_uri *ret_uri);

/* ret_host_bits: address bits beyond the prefix are set. */
const char *cidr_parse(const char *text, struct config_cidr *ret_cidr, bool *ret_host_bits);

#endif
