/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - the media thread's half of a session: offers, answers, timers.
 *
 * media.c is the caller's half. Threads: the media thread of the session.
 */
#ifndef BREAKOUT_MEDIA_SESSION_H
#define BREAKOUT_MEDIA_SESSION_H

#include "media/leg.h"

#define SESSION_CODECS_MAX 4

struct session; /* opaque */

/* Values only; fds are taken by session_create(). */
struct session_setup {
	enum media_leg_kind kind[2];
	struct media_local local;       /* its reference to a sound is taken */
	struct recording *recording;    /* taken: of the local side; NULL: none */
	struct media_desc *local_offer; /* taken: codecs of the local side; NULL without one */
	uint16_t port[2];
	const struct net_hosts *hosts; /* borrowed: the engine outlives its sessions */
	unsigned host[2];              /* of these, to begin with, */
	bool stays[2];                 /* and for good if it can be */
	int fds[2][NET_HOSTS_MAX][2];
	struct sdp_before *before[2]; /* taken: our texts go on from there; NULL: new ones */
	struct sender *sender[2];     /* taken: it goes on; NULL: a new one */
	char name[48];
	struct worker *worker;
	struct lite *lite;           /* its port; NULL: full agents */
	struct hub *hub[2];          /* its ports, borrowed; NULL: fds */
	struct ice_servers *servers; /* borrowed; NULL: none */
	struct dtls_identity *identity;
	struct receipt *receipts; /* two; outlive the session */
	unsigned rtp_timeout_s, hold_timeout_s;
	struct codecs_rules rules;
	bool steps;   /* are told */
	bool settled; /* of a turn: as in media_turn() */
	unsigned opus_complexity;
	/* The texts of the event are borrowed for the time of the call. offered:
	 * an offer waits for its answer. */
	void (*tell)(const struct media_event *event, bool offered, void *arg);
	void *arg;
};

/* What no leg has taken of this side. */
void session_close_fds(struct session_setup *setup, enum media_side side);

/* 0, -ENOMEM or -EIO. What is taken is so also on failure. */
int session_create(struct session **ret_session, struct session_setup *setup) MUST_CHECK;
/* The stream that the peer of a side is sent: a reference of the caller's own. NULL: the
 * side is local. */
struct sender *session_sender(const struct session *session, enum media_side side) MUST_CHECK;
struct session *session_destroy(struct session *session);

void session_offer(struct session *session, enum media_side from, const char *sdp);
void session_answer(struct session *session, enum media_side from, const char *sdp);
void session_start(struct session *session, enum media_side to);
/* Takes the recording. */
void session_record(struct session *session, struct recording *take_recording);
void session_rollback(struct session *session);
void session_near(struct session *session, enum media_side side, const char *near);
void session_established(struct session *session); /* media_established() */
void session_digit(struct session *session, enum media_side to, char digit, unsigned ms);
/* See media_wait(); takes the sound, NULL: nothing is played from now on. */
void session_wait(struct session *session, enum media_side to, enum media_wait when,
		  struct media_sound *take_sound);
/* Side B begins anew, as `b` says of it; takes what of it is taken. */
void session_turn(struct session *session, const struct session_setup *b);

#endif
