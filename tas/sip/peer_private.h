/* SPDX-License-Identifier: Apache-2.0 */
/* peer_private.h - a peer from inside: peer.c (what is known), watch.c (how). */
#ifndef BREAKOUT_TAS_SIP_PEER_PRIVATE_H
#define BREAKOUT_TAS_SIP_PEER_PRIVATE_H

#include "tas/sip/digest.h"
#include "tas/sip/peer.h"

struct probe;

struct sip_line {
	unsigned references;
	struct sip_peer *peer; /* own reference, as long as somebody else holds the line */
	char *uri;
	unsigned weight;
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
	struct sip_line **lines, **chosen; /* count of each */
	size_t count;
	enum trunk_order order;
	struct health_rules rules;
	struct digest_identity *identity; /* own reference */
	const char *binding;              /* static, binding.c's; NULL: none */
	struct status_set failover_on, down_on;
	unsigned options_s, max_calls, max_rate;
	unsigned calls;    /* now */
	uint64_t turn;     /* calls ordered so far */
	uint64_t tokens;   /* thousandths of a call that may begin now */
	mono_ms filled_ms; /* when they were counted last */
};

/* An OPTIONS was answered, or not (status 0). True: it counts as an answer. */
bool sip_line_probed(struct sip_line *line, int status, const char *why);

#endif
