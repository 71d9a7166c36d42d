/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.h - the registrar's work: sends what is due, takes in the answers,
 * remembers them, and says once what is wrong.
 *
 * Joins table, states, pacing, store and messages. It has no thread and no
 * clock of its own. Threads: the registrar's; keeper_lookup(), keeper_list(),
 * keeper_attempts(), keeper_store_ok() and keeper_summary() from any.
 */
#ifndef BREAKOUT_REGISTRAR_KEEPER_H
#define BREAKOUT_REGISTRAR_KEEPER_H

#include "proto/api.h"
#include "registrar/consent.h"
#include "registrar/pauses.h"
#include "registrar/registrar.h"

/* A tenant that this keeper does not know: its numbers stay as they are. */
#define WANTED_NOWHERE 0xff

/* The set of numbers to keep registered, copied out of a config. */
struct wanted {
	char *sip_uri;
	struct wanted_prefixes {
		char *mo, *mt; /* NULL: none */
	} prefixes[CONFIG_TENANTS];
	uint64_t config; /* registrar_config_id() */
	size_t count;
	struct wanted_number {
		uint64_t number;
		uint32_t service;
		uint8_t route_type;
		uint8_t tenant; /* index of the keeper's, or WANTED_NOWHERE */
		uint8_t source; /* enum reg_source */
	} * numbers;            /* ascending, distinct */
	struct consent_plan consents;
};
/* tenants: what the keeper calls each of the config's; NULL: the same. */
int wanted_create(struct wanted **ret_wanted, const struct config *config,
		  const uint8_t tenants[CONFIG_TENANTS]) MUST_CHECK;
/* Of one that was created with NULL. */
void wanted_map(struct wanted *wanted, const uint8_t tenants[CONFIG_TENANTS]);
struct wanted *wanted_destroy(struct wanted *wanted);
/* False: no memory; then the caller destroys `to`. */
bool wanted_copy_prefixes(struct wanted *to, const struct wanted *from) MUST_CHECK;

/* A tenant's core. Each has its own token, pace, budgets and circuit breaker: what one
 * suffers from holds up no other. */
struct keeper_tenant {
	const char *name;          /* borrowed for as long as the keeper lives; NULL: default */
	struct api_client *client; /* borrowed */
	uint64_t core;             /* stands for its core and for whom we are to it, over restarts:
				    * what another one was told has to be said again; 0: any */
	unsigned deadline_ms;      /* per request */
	unsigned max_rate;         /* requests a second; 0: as the numbers need */
	bool needs_token;
};

struct keeper_options {
	struct keeper_tenant tenants[CONFIG_TENANTS];
	size_t tenant_count; /* 0: one */
	const char *store;   /* path; NULL: nothing is remembered */
	struct fleet *fleet; /* borrowed; NULL: all numbers are ours */
	/* For daemons that are dead: what they left is withdrawn, the most affected first, and
	 * nothing else is said. */
	bool stands_in;
	const struct config_postgres *postgres; /* of the fleet; borrowed */
	const char *boot;                       /* names this run of the machine; NULL: not known */
	/* A tenant's core refused the token in use: another one, please. */
	void (*token_refused)(unsigned tenant, const char *token, void *arg);
	/* NULL, or makes the set that is wanted of the one that is configured, once the
	 * store is open: 0, or what keeper_create() shall return. */
	int (*complete)(const struct wanted *configured, struct wanted **ret_all, void *arg);
	/* NULL, or hears that the core has deleted a registration. */
	void (*deleted)(uint64_t number, void *arg);
	void *arg;
	uint64_t seed;
	bool (*peers_serve)(void *arg); /* as gate.h says; NULL: we are alone */
	struct pauses *pauses;          /* borrowed; loaded when the store is; NULL: none */
	atomic_size_t *loaded;          /* rows that keeper_create() has read; NULL: nobody looks */
};

struct keeper; /* opaque */

/* Reads the store and compares it with `wanted`. 0, -ENOMEM or -EIO (logged). */
int keeper_create(struct keeper **ret_keeper, const struct keeper_options *options,
		  const struct wanted *wanted, mono_ms now) MUST_CHECK;
/* Writes what the store has yet to hear. The client has ended before: no answer
 * may come any more. */
struct keeper *keeper_destroy(struct keeper *keeper);

int keeper_want(struct keeper *keeper, const struct wanted *wanted, mono_ms now) MUST_CHECK;
/* Holds what a sick TAS must not have at the core, and releases the rest. */
void keeper_judge(struct keeper *keeper, const struct registrar_verdict *verdict, mono_ms now);
/* The same for these numbers alone, the others stay; ROUTE_TYPE_NONE: not wanted. */
int keeper_want_some(struct keeper *keeper, const struct wanted *some, mono_ms now) MUST_CHECK;
/* The same, after what is paused may be another. */
void keeper_pause(struct keeper *keeper, mono_ms now);
void keeper_refresh(struct keeper *keeper, uint64_t number, mono_ms now); /* 0: all */

/* A tenant in a place without one (`index` is the first, or one where keeper_tenant_left()),
 * or other ways to the core of the one that is there. -ENOMEM leaves all as it was. */
int keeper_tenant_put(struct keeper *keeper, unsigned index, const struct keeper_tenant *tenant,
		      mono_ms now) MUST_CHECK;
/* Its core is another, or knows us by another name, and knows of none of its numbers: they
 * are told it again, as fast as may be, and what the old one answers counts no more. */
void keeper_tenant_repeat(struct keeper *keeper, unsigned index, mono_ms now);
/* No number is wanted there any more. What it has is deleted; what another tenant's core
 * shall have is kept until that has it; what cannot be deleted is forgotten when its TTL is
 * over. keeper_tenant_put() takes it back. */
void keeper_tenant_leave(struct keeper *keeper, unsigned index, mono_ms now);
/* It has left: nothing is asked there, and its place is free. */
bool keeper_tenant_left(const struct keeper *keeper, unsigned index);
/* The token in hand is of credentials that count no more: none is, until keeper_token(). */
void keeper_token_void(struct keeper *keeper, unsigned tenant);
/* The one in hand, for the same core; NULL: none. Borrowed until the next call. */
const char *keeper_token_of(const struct keeper *keeper, unsigned tenant);

/* A tenant's token, or (token NULL) the reason why there is none. */
void keeper_token(struct keeper *keeper, unsigned tenant, const char *token, unsigned expires_in_s,
		  const char *error, unsigned retry_ms, mono_ms now);

/* Sends what is due and may go, and writes to the store if it is time. */
void keeper_run(struct keeper *keeper, mono_ms now);
mono_ms keeper_next(const struct keeper *keeper, mono_ms now); /* for keeper_run() */

/* From here on nothing is sent, or (withdraw) deletes only. */
void keeper_stop(struct keeper *keeper, bool withdraw, mono_ms now);
/* Sends nothing more, or does again; no number changes for it, no shard its owner. */
void keeper_rest(struct keeper *keeper, bool rests);
void keeper_flush_all(struct keeper *keeper, mono_ms now); /* as far as the store takes it */
/* Nothing may reach the core any more, and all that was said is written down. */
bool keeper_settled(const struct keeper *keeper);
bool keeper_idle(const struct keeper *keeper); /* after keeper_stop(): all is done */
/* Answers that still come are those of requests we cancel ourselves. */
void keeper_deafen(struct keeper *keeper);

int keeper_lookup(struct keeper *keeper, uint64_t number, struct reg_info *ret_info) MUST_CHECK;
size_t keeper_list(struct keeper *keeper, uint64_t after, size_t max,
		   void (*visit)(const struct reg_info *info, void *arg), void *arg);
size_t keeper_attempts(struct keeper *keeper, uint64_t number, struct reg_attempt *ret_attempts,
		       size_t room);
bool keeper_store_ok(const struct keeper *keeper); /* the last write worked, or there is none */
void keeper_summary(struct keeper *keeper, struct registrar_summary *ret_summary);

#endif
