/* SPDX-License-Identifier: Apache-2.0 */
/* session_private.h - what the files of a session have of each other.
 *
 * session.c: life, legs and events; session_agree.c: offer and answer; session_ways.c: what
 * passes between the legs once they agree; session_turn.c: another side B; session_record.c:
 * the recording of the call; session_watch.c: who is not heard any more.
 */
#ifndef BREAKOUT_MEDIA_SESSION_PRIVATE_H
#define BREAKOUT_MEDIA_SESSION_PRIVATE_H

#include "media/session.h"

/* One offer and what became of it (RFC 3264). Kept after its answer because
 * an answer may come again, in a 18x and in the 2xx. */
struct exchange {
	enum media_side offerer;
	struct media_desc *offer;
	char *answer; /* the peer's text; NULL: none yet */
	bool settled; /* who offered knows our answer for good, and is not told of this one */
};

struct end {
	struct session *session;
	enum media_side side;
	bool sends;      /* the agreement lets this side's peer send */
	bool silent;     /* told */
	bool mute;       /* logged: it is sent nothing */
	uint64_t rtcp;   /* packets, when last looked */
	mono_ms rtcp_ms; /* when that had changed */
	char label[80];
	struct sdp_codec speech; /* what this side's peer speaks; no name: not agreed */
	struct waiting *waiting; /* what it hears while the other side is quiet; NULL */
	enum media_wait waits;   /* for that */
};

struct session {
	struct session_setup setup;
	struct leg legs[2];
	struct end ends[2];
	struct exchange pending; /* offer set: waits for its answer */
	struct exchange current; /* in force */
	struct timer check, opening;
	struct recording *record; /* of the call; NULL: none */
	bool record_codec;        /* it can be decoded */
	mono_ms agreed_ms;
};

static inline enum media_side other(enum media_side side)
{
	return side == MEDIA_A ? MEDIA_B : MEDIA_A;
}

static inline bool session_is_local(const struct session *session, enum media_side side)
{
	return session->setup.kind[side] == MEDIA_LEG_LOCAL;
}

/* ---- session.c ---- */

void session_tell(struct session *session, const struct media_event *event);
void session_tell_sdp(struct session *session, enum media_event_type type, enum media_side side,
		      const char *sdp);
/* Logs it, and tells the owner. */
void session_refuse(struct session *session, enum media_side side, int status, const char *reason);
/* As setup says. 0 or an error of leg_init(). */
int session_start_leg(struct session *session, enum media_side side) MUST_CHECK;

/* ---- session_agree.c ---- */

void exchange_clear(struct exchange *exchange);
/* The pending one goes to the other side, or is answered. */
void session_serve_offer(struct session *session);
void session_on_prepared(void *end); /* leg_setup.prepared */
timer_fn session_on_opening;         /* of session.opening */

/* ---- session_ways.c ---- */

/* A local side speaks what is agreed by itself. */
struct codecs_rules session_rules(const struct session *session);
/* The answer in the offerer's numbers. False: nothing in common. */
bool session_answer_back(const struct session *session, const struct exchange *exchange,
			 const struct media_desc *answer, struct media_desc *ret_back);
/* Both descriptions are in force: open the way between the legs. `back` is the
 * answer in the offerer's payload numbers. */
void session_open_paths(struct session *session, const struct exchange *exchange,
			const struct media_desc *answer, const struct media_desc *back);
void session_drop_transcoders(struct session *session);
void session_on_convert(void *end); /* leg_setup.convert */

/* ---- session_record.c ---- */

void session_agree_tape(struct session *session);  /* on the codecs in force */
void session_thread_tape(struct session *session); /* through both legs */
void session_show_recording(struct session *session);
void session_end_recording(struct session *session);

/* ---- session_watch.c ---- */

/* The next look is a second from now. */
void session_watch(struct session *session);
timer_fn session_on_check; /* of session.check */

#endif
