/* SPDX-License-Identifier: Apache-2.0 */
/* links.h - to each tenant's core a connection and a token, and what a reload makes of them.
 *
 * Threads: created and destroyed on the creator's while the registrar's does not run; all
 * else on the registrar's, but for on_token.
 */
#ifndef BREAKOUT_REGISTRAR_LINKS_H
#define BREAKOUT_REGISTRAR_LINKS_H

#include "proto/api.h"
#include "registrar/consent.h"
#include "registrar/cores.h"
#include "registrar/keeper.h"

struct link {
	struct links *links;
	char *name;                /* own; NULL: a free place */
	const struct core *core;   /* in `cores`; NULL: it is not configured any more */
	struct api_client *client; /* the first one is polled for all */
	struct api_token *token;   /* NULL: none is needed */
	mono_ms renewing_since;    /* 0: its connection is the one that is configured */
	bool said;                 /* that this takes long */
	bool quit;                 /* the token's thread has been told to end */
	unsigned serial;           /* of the credentials: what is told of others counts no more */
	bool moved;                /* the new connection leads to another target */
	uint64_t serves;           /* stands for the core that is asked, and who asks */
	bool anew; /* it is another core's or account's: for who borrows it to clear */
};

struct links {
	struct link list[CONFIG_TENANTS]; /* the first is that of core.api */
	size_t count;                     /* places that are or were in use */
	struct registrar_cores *cores;    /* own; in force */
	api_token_fn *on_token;           /* its arg is the link */
};

/* Fills a zeroed one, whose callback is set. Connects with the first request. 0, -ENOMEM or,
 * logged, -EINVAL; then links_done() too. */
int links_create(struct links *links, struct registrar_cores *take_cores) MUST_CHECK;
/* The first tokens are fetched. As links_create(). */
int links_fetch(struct links *links) MUST_CHECK;
/* Tokens end first: their threads wake the connections. Then those, which deliver the last
 * answers; the one that is polled for all comes last. */
void links_end_tokens(struct links *links);
void links_disconnect(struct links *links);
void links_done(struct links *links); /* the keeper, which borrows names, has ended before */

struct keeper_tenant link_as_tenant(const struct link *link);
struct consent_source link_as_source(const struct link *link);

/* Other cores are configured: adds, changes, and lets go what is not any more. What could
 * not be done for lack of memory or room is logged, and stays as it was. */
void links_take(struct links *links, struct registrar_cores *take_cores, struct keeper *keeper,
		mono_ms now);
/* The link of each of the configured tenants, or WANTED_NOWHERE. */
void links_map(const struct links *links, uint8_t ret_tenants[CONFIG_TENANTS]);

/* Frees what has left, and sees what becomes of connections that are renewed. */
void links_run(struct links *links, struct keeper *keeper, mono_ms now);

#endif
