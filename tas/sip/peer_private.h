/* SPDX-License-Identifier: Apache-2.0 */
/* peer_private.h - a peer from inside: peer.c (what is known), watch.c (how). */
#ifndef BREAKOUT_TAS_SIP_PEER_PRIVATE_H
#define BREAKOUT_TAS_SIP_PEER_PRIVATE_H

#include "tas/sip/digest.h"
#include "tas/sip/peer.h"

struct probe;
struct resolver_name;

/* One of the configured URIs: a line, or one for each address its name has. */
struct sip_site {
	char *uri;
	unsigned weight;
	struct sip_peer *peer;
	/* watch.c's; stop_asking is called when the site is none any more. */
	struct resolver_name *name; /* NULL: an address, or nobody looks names up */
	void (*stop_asking)(struct sip_site *site);
};

struct sip_line {
	unsigned references;
	struct sip_peer *peer;     /* own reference, as long as somebody else holds the line */
	char *uri;                 /* where it goes */
	char *name;                /* the configured URI */
	size_t site;               /* index into peer->sites */
	bool lost;                 /* its name has no address: it cannot be called */
	unsigned priority, weight; /* among those of its site */
	struct health health;
	int status;
	char why[96];
	uint64_t calls, failures;
	/* watch.c's; stop_watching is called when the line is not to be watched any more. */
	struct probe *probe;
	void (*stop_watching)(struct sip_line *line);
	void (*suspect)(struct sip_line *line); /* a call met silence: ask early */
};

/* Statuses 400 to 655. */
struct status_set {
	uint64_t bits[4];
};

struct sip_peer {
	unsigned references;
	char *name;
	struct sip_site **sites;
	size_t site_count;
	struct sip_line **lines; /* by site, then priority */
	size_t count;
	struct sip_choice *choice; /* scratch of sip_peer_choose() */
	/* watch.c's; NULL: not watched */
	struct sip_endpoint *endpoint;
	enum trunk_order order;
	struct health_rules rules;
	struct digest_identity *identity; /* own reference */
	const char *binding;              /* static, binding.c's; NULL: none */
	struct status_set failover_on, down_on;
	unsigned options_s, max_calls, max_rate;
	unsigned calls;    /* now */
	unsigned beside;   /* of other processes */
	uint64_t turn;     /* calls ordered so far */
	uint64_t tokens;   /* thousandths of a call that may begin now */
	mono_ms filled_ms; /* when they were counted last */
};

/* What a site's name has come to is others than before: -ENOMEM leaves the lines as
 * they are. */
int sip_peer_spread(struct sip_peer *peer) MUST_CHECK;

/* An OPTIONS was answered, or not (status 0). True: it counts as an answer. */
bool sip_line_probed(struct sip_line *line, int status, const char *why);

#endif
