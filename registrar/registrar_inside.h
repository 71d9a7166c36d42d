/* SPDX-License-Identifier: Apache-2.0 */
/* registrar_inside.h - the registrar as its own files see it. Others use registrar.h.
 *
 *   registrar.c         the thread, from its start to its end
 *   registrar_note.c    what that thread is told, and what it does about it
 *   registrar_create.c  what stands around the keeper, made of a configuration
 *   registrar_fleet.c   the same of a fleet, and what its database brings
 *   registrar_orders.c  what other threads wish and ask
 */
#ifndef BREAKOUT_REGISTRAR_REGISTRAR_INSIDE_H
#define BREAKOUT_REGISTRAR_REGISTRAR_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>
#include "base/mailbox.h"
#include "registrar/added.h"
#include "registrar/consent.h"
#include "registrar/consent_share.h"
#include "registrar/keeper.h"
#include "registrar/keeper_shards.h"
#include "registrar/links.h"
#include "registrar/pause_store.h"
#include "registrar/vigil.h"

struct note;

struct registrar {
	struct keeper *keeper;
	struct consents *consents;
	struct links links;
	unsigned consents_from; /* the tenant whose core tells of consents */
	struct fleet *fleet;    /* NULL: all numbers are ours */
	struct mailbox *mailbox;
	char *store_settings;            /* what cannot change without a restart */
	struct config_postgres postgres; /* own; conninfo NULL: no fleet */
	pthread_t thread;
	bool started;
	struct added *added;
	struct pauses *pauses;
	struct pause_mark pause_mark; /* fleet thread: of the last look that was taken in */
	int64_t consent_serial;       /* dito; -1: there was none */
	struct vigil *vigil;          /* borrowed; NULL: none */
	struct note *last_note;       /* made beforehand: the end must not need memory */
	bool settled;                 /* once it rests */
	_Atomic bool rests;           /* the thread has ended, to go on perhaps */
	/* Registrar thread: */
	bool stopping, resting;
	mono_ms stop_by;
};

/* Everything the thread is told. */
struct note {
	struct mail mail;
	enum note_kind {
		NOTE_WANT,
		NOTE_CORES,
		NOTE_REFRESH,
		NOTE_TOKEN,
		NOTE_JUDGE,
		NOTE_PAUSE,
		NOTE_FLEET,
		NOTE_REST,
		NOTE_CONSENTS,
		NOTE_ADDED,
		NOTE_STOP
	} kind;
	struct wanted *wanted;
	struct registrar_cores *cores; /* NULL: those in force */
	struct config *config;         /* own reference; goes with what is wanted, and so do: */
	struct pause_services *services;
	struct lease_wish wish; /* what a fleet calls it */
	struct fleet_news *news;
	struct consent_news *consents;
	uint64_t number;
	uint64_t *numbers; /* own */
	size_t number_count;
	unsigned tenant, serial;
	char *token;
	unsigned expires_in_s, retry_ms;
	char error[384];
	bool withdraw;
	unsigned grace_ms;
	struct registrar_verdict verdict;
};

/* ---- registrar_note.c ---- */

struct note *note_create(enum note_kind kind); /* NULL: no memory */
/* With all that it carries; for mailbox_destroy(), too. */
void note_free(struct mail *mail);
void note_post(struct registrar *registrar, struct note *take_note);
/* Registrar thread. The tenant whose core tells of consents may be another, or another to
 * its core. */
void registrar_use_source(struct registrar *registrar, unsigned tenant, mono_ms now);
/* Numbers that were added, changed or deleted are not looked at for want of memory. */
void note_say_later(void);

/* ---- registrar_create.c ---- */

/* What of a configuration cannot change without a restart; own. NULL: no memory. */
char *registrar_describe_store(const struct config *config);

/* ---- registrar_fleet.c ---- */

/* None where the configuration has none: 0. Else as fleet_create(). */
int registrar_create_fleet(struct registrar *registrar, const struct config *config,
			   const struct wanted *wanted) MUST_CHECK;
/* What the core would be told; the same on every node. */
struct lease_wish registrar_wish_of(const struct config *config, const struct wanted *wanted);
bool registrar_others_serve(void *arg); /* the registrar's fleet's nodes */

/* ---- registrar_orders.c ---- */

/* What is paused may be another from now on. */
void registrar_pauses_changed(struct registrar *registrar);

#endif
