/* SPDX-License-Identifier: Apache-2.0 */
/* consent.h - the core as a source of numbers: whose owner consents is wanted.
 *
 *   (start, reload)      LIST --------> done or failed --> the stream opens
 *   stream               event --> store, durably --> wanted or not --> acknowledged
 *   stream ends          again at once, or after a while; and a LIST
 *   now and then         LIST
 *
 * An event is acknowledged once its effect would survive a power cut, so that one
 * which is lost on the way comes again; events may come twice and in any order. A
 * complete list takes back what it does not name, within a limit: one that fails, or
 * lacks too many, takes nothing.
 *
 * In a fleet the stream and the list are for the node that leads, the one that keeps
 * shard 0; the others hear what it has written. Who leads next goes on where the core's
 * queue stands: what was not acknowledged comes again.
 *
 * No thread and no clock of its own. Threads: the registrar's; consents_summary()
 * from any.
 */
#ifndef BREAKOUT_REGISTRAR_CONSENT_H
#define BREAKOUT_REGISTRAR_CONSENT_H

#include "proto/api.h"
#include "registrar/registrar.h"

struct wanted;        /* keeper.h */
struct wanted_number; /* dito */
struct consent_set;   /* consent_set.h */
struct consents;      /* opaque */

#define CONSENT_QUEUE_ROOM 112

/* What the configuration says of them. */
struct consent_plan {
	bool wanted; /* false: of nobody, and the rest is 0 */
	uint8_t route_type;
	uint8_t tenant; /* whose core says so */
	uint32_t service;
	unsigned max_in_flight, list_every_s, withdraw_at_most, keep_days;
	char queue[CONSENT_QUEUE_ROOM];
};
/* config NULL: of nobody. */
void consent_plan_init(struct consent_plan *plan, const struct config_consents *config);

struct consent_options {
	struct api_client *client;              /* borrowed */
	const char *store;                      /* the file; NULL: there can be no consents */
	const struct config_postgres *postgres; /* a fleet's database instead; borrowed for
						 * the call; NULL: none */
	unsigned deadline_ms;                   /* per request */
	bool needs_token;
	/* The core refused the token in use: another one, please. */
	void (*token_refused)(const char *token, void *arg);
	/* NULL, or whether another source has the number, which goes before a consent. */
	bool (*claimed)(uint64_t number, void *arg);
	/* These numbers alone are wanted, or (ROUTE_TYPE_NONE) not any more. */
	void (*changed)(const struct wanted *some, void *arg);
	void *arg;
	uint64_t seed;
};

/* Nothing happens before consents_want(). 0 or -ENOMEM. */
int consents_create(struct consents **ret_consents,
		    const struct consent_options *options) MUST_CHECK;
/* The client has ended before. */
struct consents *consents_destroy(struct consents *consents);

/* Whose core tells of them, and how it is asked. */
struct consent_source {
	struct api_client *client; /* borrowed; NULL: nobody's can be asked */
	unsigned deadline_ms;
	bool needs_token;
};
/* anew: it is another core's, or another client's of it: stream and list begin anew, once
 * there is a token. */
void consents_use(struct consents *consents, const struct consent_source *source, bool anew,
		  mono_ms now);

/* The configuration in force. ret_all: all that is wanted by it and by consents, for
 * keeper_want(); the configuration's own numbers stay as they are. Opens the store
 * when first it has to. 0, -ENOMEM or -EIO (logged; nothing has changed). */
int consents_want(struct consents *consents, const struct wanted *configured,
		  struct wanted **ret_all, mono_ms now) MUST_CHECK;

/* The configuration's own numbers, as of the last consents_want(). Borrowed. */
const struct consent_set *consents_configured(const struct consents *consents);
/* How a number is wanted that consents; false: it does not. */
bool consents_wanted(struct consents *consents, uint64_t number, struct wanted_number *ret_wanted);

struct consent_lead; /* consent_share.h */
struct consent_news;
/* A fleet's: whether we lead, or another does. */
void consents_lead(struct consents *consents, const struct consent_lead *lead, mono_ms now);
/* A fleet's: whether something has waited for the database in vain since the last call. */
bool consents_doubt(struct consents *consents);
void consents_hear(struct consents *consents, const struct consent_news *news);

void consents_token(struct consents *consents, const char *token); /* copied */
/* The core has deleted a number's registration: that goes on record, with consents_run(). */
void consents_deleted(struct consents *consents, uint64_t number);
/* What of it is not written yet: before the end. */
void consents_note(struct consents *consents);

void consents_run(struct consents *consents, mono_ms now);
mono_ms consents_next(const struct consents *consents); /* for consents_run() */

/* Nothing more is asked. */
void consents_stop(struct consents *consents);
void consents_go_on(struct consents *consents); /* after consents_stop() */
/* Answers that still come are those of requests we cancel ourselves. */
void consents_deafen(struct consents *consents);

void consents_summary(struct consents *consents, struct registrar_consents *ret_summary);

#endif
