/* SPDX-License-Identifier: Apache-2.0 */
/* resolver.h - where a configured name leads: RFC 3263 sections 4.1 and 4.2.
 *
 * A name is looked up when it becomes known to us and again whenever what was
 * learned runs out, so that a call never waits for the DNS: it takes what is known.
 * What is known stays for a day when servers fail or the name has gone.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_RESOLVER_H
#define BREAKOUT_TAS_SIP_RESOLVER_H

#include <netinet/in.h>
#include <stdbool.h>
#include "base/timer_wheel.h"
#include "config/config.h"
#include "tas/sip/dns.h"

struct resolver;      /* opaque */
struct resolver_name; /* opaque: one name of somebody */

#define RESOLVER_TARGETS_MAX 16
#define RESOLVER_HOP_ROOM    400 /* bytes of a URI with a target in it */

/* One address, in the order to try: by priority, then as `weight` draws. */
struct resolver_target {
	enum sip_transport transport;
	uint32_t priority;
	unsigned weight; /* never 0 */
	uint16_t port;
	char address[INET6_ADDRSTRLEN];
};

struct resolver_options {
	/* Who is asked: dns_ask() behind an argument. */
	void (*ask)(void *asked, const char *name, enum dns_type type, dns_answer_fn *on_answer,
		    void *arg);
	void *asked;
	struct timer_wheel *wheel;
	unsigned transports;    /* bits 1 << enum sip_transport that we can call by */
	bool ipv4, ipv6;        /* and address families */
	const char *hosts_path; /* as hosts_find() reads it; borrowed for life */
};

int resolver_create(struct resolver **ret_resolver,
		    const struct resolver_options *options) MUST_CHECK;
/* After whoever is asked has gone, and every name. NULL is fine; returns NULL. */
struct resolver *resolver_destroy(struct resolver *resolver);

/* Whether a URI has a name that must be looked up. */
bool resolver_is_for(const char *uri);
/* on_change: the targets are others than before. -EINVAL: not for such a URI. */
int resolver_watch(struct resolver_name **ret_name, struct resolver *resolver, const char *uri,
		   void (*on_change)(void *arg), void *arg) MUST_CHECK;
struct resolver_name *resolver_unwatch(struct resolver_name *name); /* NULL fine; returns NULL */

/* What is known; 0: nothing (yet). Borrowed until the next change. */
size_t resolver_targets(const struct resolver_name *name,
			const struct resolver_target **ret_targets);
/* The name's URI with a target in it: host, and so what a certificate must say,
 * stay (RFC 5922 section 4). */
void resolver_hop(const struct resolver_name *name, const struct resolver_target *target,
		  char ret_uri[static RESOLVER_HOP_ROOM]);
/* The first target of a watched name that a URI's host, port (0: none) and transport
 * mean as well. False: it is none of ours, or not known. */
bool resolver_find(const struct resolver *resolver, const char *host, uint16_t port,
		   enum sip_transport transport, char ret_uri[static RESOLVER_HOP_ROOM]);
/* Whether every name has been looked up once, with whatever success. */
bool resolver_settled(const struct resolver *resolver);

#endif
