/* SPDX-License-Identifier: Apache-2.0 */
/* media_private.h - what the caller's half of the room has of each other.
 *
 * media.c: handles; engine.c: what they share; media_ports.c: their ports; mail.c: what
 * they and the media threads write each other.
 */
#ifndef BREAKOUT_MEDIA_MEDIA_PRIVATE_H
#define BREAKOUT_MEDIA_MEDIA_PRIVATE_H

#include <stdatomic.h>
#include "base/mailbox.h"
#include "base/ticket.h"
#include "media/dtls.h"
#include "media/hub.h"
#include "media/lite.h"
#include "media/ports.h"
#include "media/recorder.h"
#include "media/servers.h"
#include "media/session.h"
#include "media/worker.h"

#define THREADS_MAX 64

struct media_engine {
	struct net_hosts hosts; /* the first serves those that have one address */
	unsigned rtp_timeout_s, hold_timeout_s, opus_complexity;
	struct ports *ports;
	struct dtls_identity *identity; /* of new sessions: pinned or made here, */
	bool pinned;
	mono_ms renew_ms;            /* and then replaced after a day */
	struct ice_servers *servers; /* of new sessions; NULL: none */
	struct recorder *recorder;
	struct media_sound *ringback; /* NULL: nobody has heard it yet */
	struct mailbox *inbox;        /* news from the media threads */
	struct ticket_table *tickets; /* of handles */
	struct worker *workers[THREADS_MAX];
	struct lite *lites[THREADS_MAX]; /* of each worker; NULL: full agents */
	struct hub *hubs[THREADS_MAX];   /* of each worker; NULL: none was wanted yet */
	unsigned worker_count, next_worker;
};

/* Shared by a handle and its session, which end independently of each other.
 * References: the handle's and the media thread's. */
struct shared {
	atomic_uint references;
	struct receipt receipts[2];
	/* The media thread's: */
	struct session *session;        /* NULL: could not be made, or ended */
	struct mailbox *inbox;          /* borrowed: the engine outlives its sessions */
	struct ticket ticket;           /* of the handle */
	struct dtls_identity *identity; /* what this session shows */
	struct ice_servers *servers;    /* what it asks */
	uint16_t ports[2];              /* taken for each side, 0: none */
	bool pair[2];                   /* two ports from there on */
};

enum exchange_state {
	EXCHANGE_NONE,    /* no offer yet */
	EXCHANGE_OFFERED, /* an offer waits for its answer */
	EXCHANGE_ANSWERED
};

/* What the caller holds. It follows offer and answer so that a call out of
 * order is refused at once. */
struct media_session {
	struct media_engine *engine; /* borrowed */
	struct worker *worker;       /* borrowed; the session's for life */
	struct lite *lite;           /* its port; NULL: full agents */
	struct hub **hub;            /* where the worker's is, or will be */
	struct shared *shared;
	struct ticket ticket;
	struct request *farewell; /* made at creation: destroy cannot fail */
	enum media_leg_kind kind[2];
	enum exchange_state state, before; /* before: what a rollback returns to */
	enum media_side offerer, offerer_before;
	media_event_fn *on_event;
	void *arg;
};

/* Caller to media thread. */
struct request {
	struct mail mail;
	struct shared *shared;
	enum media_side side;
	char *sdp;                   /* owned */
	struct session_setup *setup; /* owned; only to create and to turn */
	struct shared *goes_on[2];   /* a reference; only to create: whose streams; NULL: none's, */
	enum media_side goes_on_side[2]; /* and of which side */
	uint16_t port;                   /* of the new side B; only to turn */
	char digit;
	unsigned digit_ms;
	struct recording *recording; /* taken; only to record */
	enum media_wait when;        /* only to wait, */
	struct media_sound *sound;   /* with this: taken */
};

/* Media thread to caller. */
struct news {
	struct mail mail;
	struct ticket ticket;
	struct media_event event; /* its texts are owned */
	char *text;
	bool offered;      /* an offer waits for its answer */
	uint16_t ports[2]; /* of a closed session, to be given back */
	bool pair[2];
};

/* ---- engine.c ---- */

/* A quarter of a millisecond a day. One that cannot be made leaves the old. */
void media_renew_identity(struct media_engine *engine);

/* ---- media_ports.c ---- */

/* For one side; behind a port for all there is none to take. 0 or an error of ports.h. */
int media_take_port(struct media_session *session, struct session_setup *setup,
		    enum media_side side, uint16_t *ret_port) MUST_CHECK;
/* Of a new call only while some are left for those in progress. */
int media_take_ports(struct media_session *session, struct session_setup *setup,
		     bool in_progress) MUST_CHECK;
void media_give_ports(struct media_engine *engine, const uint16_t ports[2], const bool pair[2]);
/* What no session has taken. */
void media_give_back(struct media_engine *engine, struct shared *shared,
		     struct session_setup *setup);

/* ---- mail.c ---- */

void media_shared_free(struct shared *shared); /* NULL is fine */
struct shared *media_shared_ref(struct shared *shared);
void media_shared_unref(struct shared *shared);     /* NULL is fine */
void media_drop_local(struct session_setup *setup); /* what of a setup its local side takes */

/* NULL: no memory. */
struct request *media_request_create(struct shared *shared, mail_fn *deliver, enum media_side side);
void media_request_free(struct request *request);
void media_news_free(struct mail *mail);
/* session_setup.tell */
void media_tell(const struct media_event *event, bool offered, void *arg);

/* What a media thread does with a request. */
mail_fn media_on_create, media_on_offer, media_on_answer, media_on_start, media_on_record,
	media_on_established, media_on_near, media_on_rollback, media_on_digit, media_on_wait,
	media_on_turn, media_on_destroy;

#endif
