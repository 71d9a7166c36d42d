/* SPDX-License-Identifier: Apache-2.0 */
/* fleet.h - one node's membership in a fleet that shares a PostgreSQL database.
 *
 * Beats, watches the others, takes shards and frees them; the registrar says when it
 * has let go of one. Who owns what is decided in lease.h; what may be said of owned
 * numbers in keeper_shards.h; the statements are in fleet_sql.h.
 *
 * Threads: one of its own, always in a connection or waiting for the next beat.
 * Functions here: the registrar's; fleet_info() from any.
 */
#ifndef BREAKOUT_REGISTRAR_FLEET_H
#define BREAKOUT_REGISTRAR_FLEET_H

#include "registrar/lease.h"
#include "registrar/registrar.h"
#include "registrar/store.h"

struct fleet; /* opaque */
struct pg;    /* postgres.h */

/* A shard that is let go of. */
struct fleet_gift {
	uint64_t epoch;  /* it was ours under; 0: none is */
	mono_ms hold_ms; /* from now on */
	bool clean;      /* nothing of it may reach the core any more */
};

/* What the registrar is told. Heap; whoever it is given to destroys it. */
struct fleet_news {
	enum fleet_kind {
		FLEET_JOINED,      /* a member from here on; what was owned before is not */
		FLEET_RENEWED,     /* the lease */
		FLEET_TAKEN,       /* shards that are ours from here on */
		FLEET_UNREACHABLE, /* the database */
		FLEET_PUT_OUT      /* the others took all: see fleet_forgotten() */
	} kind;
	mono_ms asked; /* when it began: before anything was sent */
	/* FLEET_RENEWED: */
	struct lease_wish in_force;
	bool *give;   /* LEASE_SHARDS of them: ours, to let go */
	bool *lifted; /* LEASE_SHARDS of them: whose hold has ended early */
	/* FLEET_TAKEN: */
	struct taken_shard {
		unsigned shard;
		uint64_t epoch;
		bool clean;      /* nothing its owners before sent may reach the core any more */
		mono_ms hold_ms; /* from now on */
	} * taken;
	size_t taken_count;
	struct store_row *rows; /* in no order; `expires` in clock_now() time */
	size_t row_count;
	struct reg_params **params; /* owned; the rows point there */
	size_t params_count;
	char **tenants; /* owned, dito */
	size_t tenant_count;
};
struct fleet_news *fleet_news_destroy(struct fleet_news *news);

struct fleet_options {
	const struct config_postgres *config; /* copied; no node: this machine's name */
	struct lease_wish wish;
	/* Takes what is free while no other node would, and gives it to the first that does. Its
	 * wish is what is in force. */
	bool stands_in;
	/* Fleet thread. */
	void (*news)(struct fleet_news *take_news, void *arg);
	/* With each look, before what it brings: looks at what else the database has. 0,
	 * or as pg_exec(): then the beat has failed. Fleet thread. */
	int (*look)(struct pg *pg, mono_ms deadline, void *arg);
	void *arg;
};
/* 0, -ENOMEM or (logged) -EINVAL. */
int fleet_create(struct fleet **ret_fleet, const struct fleet_options *options) MUST_CHECK;
int fleet_start(struct fleet *fleet) MUST_CHECK; /* 0 or -EAGAIN; signals are blocked */
/* Frees what was given, says goodbye and ends the thread: a third of a lease at most. */
void fleet_stop(struct fleet *fleet);
struct fleet *fleet_destroy(struct fleet *fleet);

/* Nothing but beats, until fleet_go_on(), until another process has joined in our name, or
 * for so long: it is about to, and the others shall miss nobody. A fleet that rests ends
 * without goodbye. */
void fleet_rest(struct fleet *fleet, mono_ms until);
int fleet_go_on(struct fleet *fleet) MUST_CHECK; /* as fleet_start() */
/* Before fleet_start(): who had our name says nothing more, and wrote down all it said. */
void fleet_trust(struct fleet *fleet);

/* The registrar lives: without it for a lease the fleet lets go of everything. */
void fleet_pulse(struct fleet *fleet, mono_ms now);
/* All of this shard is written and has been answered or given up: others may have it. */
void fleet_gave(struct fleet *fleet, unsigned shard, const struct fleet_gift *gift);
/* After FLEET_PUT_OUT: nothing we ever owned is under way any more. */
void fleet_forgotten(struct fleet *fleet);
/* Our shards are for the others, while there are any that would have them. */
void fleet_drain(struct fleet *fleet, bool drains);
/* The same, beside it: we are sick; the core answers nothing here. */
void fleet_is_sick(struct fleet *fleet, bool sick);
void fleet_is_cut_off(struct fleet *fleet, bool cut_off);
/* By the last look, which the database answered: another node lives, and is well. */
bool fleet_others_serve(struct fleet *fleet);
void fleet_wish(struct fleet *fleet, const struct lease_wish *wish);

/* For the store; any thread. Whether the last beat got through to the database, and nobody
 * has waited for it in vain since that began; our session there (0: none), and what we want. */
bool fleet_reaches_store(const struct fleet *fleet);
/* Somebody has waited for the database in vain, until now: nobody else shall before a beat
 * has got through, which is tried at once. */
void fleet_doubt(struct fleet *fleet);
uint64_t fleet_session(const struct fleet *fleet);
void fleet_wished(struct fleet *fleet, struct lease_wish *ret_wish);
void fleet_info(struct fleet *fleet, struct registrar_fleet *ret_info);

struct fleet_forgotten_node {
	size_t shards;   /* whose numbers were only refreshed because of it */
	mono_ms seen_ms; /* how long ago it beat for the last time */
};
/* A node that was put out is dead, for certain, says `who`: what it had is not only
 * refreshed any more. By a connection of its own; any thread; waits for the database.
 * 0, -ENOENT (no such node), -EBUSY (it has not been put out; ret_node has when it was
 * seen), -ENOMEM or -EIO (logged). fleet_forget.c. */
int fleet_forget_node(const struct config_postgres *config, const char *node, const char *who,
		      struct fleet_forgotten_node *ret_node) MUST_CHECK;

#endif
