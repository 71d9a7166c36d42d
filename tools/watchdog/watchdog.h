/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog.h - breakout-watchdog as its own files see it.
 *
 *   main.c      the command line, and looking again and again
 *   absence.c   when who gives no sign of life is dead enough
 *   daemon.c    with store.sqlite: one daemon, beside us
 *   fleet.c     with store.postgres: all nodes of a fleet
 *   roll.c      which of them live
 *   withdraw.c  what the dead left registered, and how long ago they died
 *
 * Threads: main, and the registrar's while it acts.
 */
#ifndef BREAKOUT_TOOLS_WATCHDOG_WATCHDOG_H
#define BREAKOUT_TOOLS_WATCHDOG_WATCHDOG_H

#include "registrar/registrar.h"
#include "tools/watchdog/absence.h"
#include "tools/watchdog/roll.h"

#define WATCHDOG_RETRY_MS 5000 /* after we could not act */

struct watchdog {
	const char *path;
	struct config *config; /* the last one that was sound */
	struct absence absence;
	struct registrar *registrar; /* while we act */
	mono_ms died;                /* the last sign of life; 0: not known */
	mono_ms told;                /* how far it is */
	mono_ms retry_at;            /* not before */

	/* daemon.c */
	struct vigil *vigil; /* while we act */
	mono_ms asked;       /* one that hangs */

	/* fleet.c */
	struct fleet_watch *fleet; /* NULL: there is one daemon */
	struct roll roll;
	bool away;      /* the database, and it is said */
	bool said_open; /* who keeps us from acting */
	/* While we act: */
	mono_ms mute_since; /* the core, here; 0: it is not */
	mono_ms count_at;   /* what is left, not before */
	struct place {
		bool answers;               /* a daemon here */
		bool barred;                /* we have not the rights to see whether one does */
		char node[LEASE_NAME_ROOM]; /* "": it did not say */
		mono_ms asked;              /* 0: never */
		mono_ms mute_since;         /* 0: it is not */
	} place;
};

/* ---- daemon.c ---- */

void watch_daemon(struct watchdog *watchdog);

/* ---- fleet.c ---- */

int watch_fleet_begin(struct watchdog *watchdog) MUST_CHECK; /* 0 or -ENOMEM */
void watch_fleet(struct watchdog *watchdog);

/* ---- withdraw.c ---- */

struct config *withdraw_read_config(const char *path, bool say);
/* The daemon may have died of its configuration: then the one before counts. So it does
 * if the fresh one is of another store. */
void withdraw_refresh_config(struct watchdog *watchdog);
/* Takes back what is on file, by this name in a fleet. 0, or as registrar_create(). */
int withdraw_begin(struct watchdog *watchdog, const char *member) MUST_CHECK;
size_t withdraw_left(struct watchdog *watchdog);
void withdraw_end(struct watchdog *watchdog);
/* It has to be begun again. */
void withdraw_could_not(struct watchdog *watchdog, mono_ms now);
/* All is withdrawn, or says how many are left once in a while. */
void withdraw_tell(struct watchdog *watchdog, size_t left, mono_ms now);
long long withdraw_gone_ms(const struct watchdog *watchdog, mono_ms now);
/* Whether a daemon answers at that socket, and as which node of a fleet ("": of none). 0,
 * -EBUSY (by its own word) or as ask(). */
int withdraw_asks(const char *socket_path, char ret_node[static LEASE_NAME_ROOM]) MUST_CHECK;

#endif
