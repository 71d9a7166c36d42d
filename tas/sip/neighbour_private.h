/* SPDX-License-Identifier: Apache-2.0 */
/* neighbour_private.h - a neighbour from inside: neighbour.c (what is passed on, and what
 * is passed to us), mirror.c (connections of ours that the other side uses).
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_NEIGHBOUR_PRIVATE_H
#define BREAKOUT_TAS_SIP_NEIGHBOUR_PRIVATE_H

#include "tas/sip/endpoint_private.h"

#include "base/str.h"
#include "tas/sip/framing.h"
#include "tas/sip/neighbour.h"

#define NEIGHBOUR_NAMES 16 /* of a client's certificate that are told */

/* A connection of ours that the other side uses. */
struct mirror {
	struct mirror *next;
	struct neighbour *neighbour;
	tport_t *tport; /* held */
	int fd;         /* to the other side */
	struct str out; /* what it has not taken yet */
	struct framing framing;
	struct str gathered; /* of a message that the other side sends there */
	unsigned pending;    /* requests passed on without a final answer */
	unsigned asked;      /* requests of the other side's without one */
	unsigned heir;       /* neighbour.heirs when it was shown; 0: for a message */
	mono_ms last;        /* when something was said either way */
	bool parted;         /* its end was said */
};

/* One of the other side's that we use. */
struct shown {
	struct shown *next;
	tport_t *tport; /* held */
	bool returned;  /* what comes here was an elder's to take, and is not its own */
};

struct neighbour {
	struct sip_endpoint *endpoint;
	enum neighbour_side side;
	struct neighbour *next; /* elder */
	int link;               /* -1: another's now */
	bool gives_back;        /* see passing_question; of an heir */
	unsigned heirs;         /* processes that were there, of an heir; counts from 1 */
	struct mirror *mirrors;
	struct shown *shown;
	mono_ms since;
	struct timer sweep;
	bool delivering, returned; /* a datagram of the other side's, just now */
	struct log_limit log;
};

/* neighbour.c */
void neighbour_lost(struct neighbour *neighbour, const char *why);              /* a message */
void neighbour_address(const void *from, struct sockaddr_storage *ret_address); /* su_sockaddr_t */
void neighbour_text(struct str *to, msg_t *msg); /* adds it as it will be read again */
/* The connection is one that the other side shows us; NULL: no. */
const struct shown *neighbour_shown(const struct neighbour *neighbour, const tport_t *tport);

/* mirror.c */
struct mirror *mirror_of(struct neighbour *neighbour, tport_t *tport); /* NULL: none */
int mirror_create(struct mirror **ret_mirror, struct neighbour *neighbour, tport_t *tport,
		  enum sip_transport transport) MUST_CHECK;
void mirror_close(struct mirror *mirror);
/* Tells the other side a message that came over this connection. 0 or -errno: it is lost. */
int mirror_pass(struct neighbour *neighbour, msg_t *msg, const sip_t *sip, tport_t *tport,
		enum sip_transport transport) MUST_CHECK;
void mirror_sweep(struct neighbour *neighbour); /* now and then */

#endif
