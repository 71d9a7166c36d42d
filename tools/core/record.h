/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - what happened in one call, leg by leg, as the core saw it.
 *
 * The core stands in the middle: every leg has a left and a right end, one of
 * them "core". The trace is the ladder: one line a message, in order.
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TOOLS_CORE_RECORD_H
#define BREAKOUT_TOOLS_CORE_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include "base/clock.h"
#include "base/macros.h"
#include "tas/sip/leg.h"

enum record_plan {
	RECORD_NATIVE, /* leg 1 to leg 4, no TAS */
	RECORD_LOOP,
	RECORD_FORK,
	RECORD_FALLBACK,
	RECORD_INGRESS
};
const char *record_plan_name(enum record_plan plan);

enum { RECORD_LEGS = 4, RECORD_ID_ROOM = 128 };

struct record_leg {
	bool present, from_left; /* who sent the INVITE */
	const char *left, *right;
	char call_id[RECORD_ID_ROOM], session_id[RECORD_ID_ROOM];
	char request_uri[256], from[160], to[160], source[64];
	int status;                                  /* final one, 0 none yet */
	mono_ms started_ms, ringing_ms, answered_ms; /* 0: not yet */
	json_t *headers;                             /* [[name, value], ...] of the INVITE */
};

struct record {
	unsigned refs; /* the call of the SBC, the SBC's list, a trial that looks at it */
	unsigned id;
	enum record_plan plan;
	const char *direction; /* "mo", "mt" or "" */
	char caller[64], called[64], session_id[RECORD_ID_ROOM];
	bool over;
	mono_ms started_ms;
	struct record_leg legs[RECORD_LEGS]; /* [0] is leg 1 */
	json_t *trace;
};

/* Copies what came from the wire, as far as it fits; what is not UTF-8 shows
 * as question marks, so that JSON can carry it. */
void record_copy(char *to, size_t room, const char *from);

int record_create(struct record **ret_record, const char *caller, const char *called) MUST_CHECK;
struct record *record_ref(struct record *record);
struct record *record_unref(struct record *record); /* NULL fine; returns NULL */

/* Leg `number` (1 to 4) began with this INVITE; a second one replaces it. */
void record_leg(struct record *record, unsigned number, const char *left, const char *right,
		bool from_left, const struct leg_info *info);
/* A response to its INVITE. `sdp`: it carried one. */
void record_response(struct record *record, unsigned number, int status, const char *reason,
		     bool sdp);
/* Any other message; to_right: its direction on the ladder. */
void record_message(struct record *record, unsigned number, bool to_right, const char *text);
/* A remark without a message. */
void record_note(struct record *record, const char *text);

json_t *record_json(const struct record *record); /* a new reference */

#endif
