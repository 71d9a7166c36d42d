/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - the door to tas/call: two legs and one media session.
 *
 * A call has an incoming leg A and walks through a plan, step by step, until
 * one succeeds; it knows states, races and timers. It does not know rules,
 * numbers or trunks: the service room makes the plan. It sees no sofia type.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_CALL_CALL_H
#define BREAKOUT_TAS_CALL_CALL_H

#include <stdio.h>
#include "base/clock.h"
#include "base/macros.h"
#include "base/shared_count.h"
#include "base/timer_wheel.h"
#include "config/config.h"
#include "media/media.h"
#include "tas/sip/cause_map.h"
#include "tas/sip/leg.h"

struct call; /* opaque */
struct sip_trace;
struct call_room; /* opaque: all calls, their timers, the CDR writer */

enum call_step_kind {
	CALL_STEP_DIAL,
	CALL_STEP_RING,
	CALL_STEP_ANSWER,
	CALL_STEP_REJECT,
	CALL_STEP_ASK
};

/* Somebody outside decides how the call goes on: who asks, and whom, is the
 * service room's business. First member of its own struct. */
struct call_question {
	/* Begins; call_advise() says what came of it, but not from inside. An error
	 * means that nothing will come. */
	int (*ask)(struct call_question *question, struct call *call);
	/* The call waits no longer: no call_advise() after this. */
	void (*stop)(struct call_question *question);
	void (*destroy)(struct call_question *question); /* stopped before */
};

/* Whether a step is taken depends on what an ASK step before it brought. */
enum call_step_turn {
	CALL_TURN_ALWAYS,
	CALL_TURN_UNADVISED, /* only if no question brought steps */
	CALL_TURN_ADVISED    /* only if one did */
};

/* A message that was left. */
struct call_message {
	const char *mailbox, *caller, *called; /* caller "" for one that hides */
	const char *number;                    /* the registered number; "" unknown */
	const char *file;                      /* its name in the folder of the mailbox */
	const char *call, *call_id;            /* our id, and leg A's Call-ID */
	unsigned length_ms;
};
/* Somebody who wants to hear of it. */
struct call_notice {
	/* At most once, when the call is over. The texts live for the time of the call. */
	void (*tell)(struct call_notice *notice, const struct call_message *message);
	void (*destroy)(struct call_notice *notice);
};

/* Where a message or the recording of a call goes, and what is said about it beside
 * it. Texts are the plan's. */
struct call_mailbox {
	char *name; /* NULL: the recording of a call */
	char *folder;
	char *public_key;      /* of a recording: as in struct media_recording; NULL: none */
	bool opus;             /* the same */
	char *caller, *called; /* "" for a caller that hides */
	bool beep;
	unsigned max_ms, silence_ms; /* as in struct media_recording */
	struct call_notice *notice;  /* owned; NULL: nobody is told */
};

/* Why a call's SDP crosses untouched, and its media goes past us. */
enum call_bypass {
	CALL_BYPASS_NOT,
	CALL_BYPASS_UNTOUCHED, /* an emergency, or a number without rules */
	CALL_BYPASS_RESCUE,    /* what was tried before broke by trouble */
	CALL_BYPASS_LOOPS,     /* media.bypass wants it for every loop */
	CALL_BYPASS_OVERLOAD,  /* and here because there was too much to do */
	CALL_BYPASS_NO_MEDIA   /* no media session could be had */
};
#define CALL_BYPASS_COUNT (CALL_BYPASS_NO_MEDIA + 1)
const char *call_bypass_name(enum call_bypass bypass); /* "overload"; "" for NOT */

struct call_step {
	enum call_step_kind kind;
	char *label; /* "loop", "dial pbx", for log and CDR */
	/* DIAL. Texts are owned by the plan; sdp is filled in by the call. */
	char *request_uri, *next_hop, *from_uri, *from_display, *to_uri, *to_display;
	struct sip_headers headers;
	int max_forwards;
	int peer;                  /* who it calls, numbered as leg_info.peer; 0: the core */
	bool keep_hop;             /* the whole dialog goes to next_hop */
	enum media_leg_kind media; /* of the new leg */
	struct media_codecs codecs;
	/* Own reference: what A hears while the new leg's peer is away; NULL: nothing. */
	struct media_sound *hold_music;
	enum call_bypass bypass; /* why there is no media session; NOT: there is one */
	bool to_core;            /* leg 3: answers' headers cross untouched, and media trouble
				  * of ours lets the step go on without it */
	const char *const *tell_headers; /* of its answers, besides to_core; constants; NULL:
					  * Reason and Warning */
	size_t tell_count;
	bool loops; /* to the core, for the number that was called */
	enum call_step_turn turn;
	bool only_after_trouble; /* skipped unless the step tried before it failed by trouble
				  * (next hop down, 5xx, our own fault), not by decision */
	bool other_address;      /* of the same trunk as the step before: with
				  * only_after_trouble, and skipped also after a status the
				  * trunk does not fail over on, and once the other rang */
	struct sip_line *line;   /* own reference: of the trunk's address; NULL: none */
	unsigned ring_ms;        /* give up after; 0: 180 s */
	unsigned after_ms;       /* a target of RING: waits so long before it rings */
	/* RING: several targets, the first that answers has the call. Each is a DIAL step;
	 * one with only_after_trouble stands in for the one before it. */
	struct call_step *targets;
	size_t target_count;
	bool in_sequence;  /* a target rings when the one before it has failed */
	char *target_name; /* of DIAL: whom it rings, for call_room_on_target(); NULL: no news */
	/* ANSWER; with a sound also REJECT, which plays it first. The plan has the
	 * reference to the sound. */
	struct media_local local;
	/* Play it as early media: a 183 instead of the 200. An ANSWER that is early goes
	 * on with the next step. */
	bool early;
	bool goes_on; /* ANSWER: once A is answered and has heard it, so does this one */
	/* ANSWER: takes a message after the sound; NULL: none. */
	struct call_mailbox *mailbox;
	/* REJECT; a 3xx: request_uri is where to go instead */
	int status;
	char *phrase;
	enum cause cause;
	/* ASK; owned by the plan */
	struct call_question *question;
	unsigned ask_ms; /* the call goes on without an answer after */
};
void call_step_done(struct call_step *step); /* frees its texts, headers and question */

struct call_plan {
	struct call_step *steps;
	size_t step_count;
	enum media_leg_kind media_a; /* what leg A speaks */
	struct media_codecs codecs_a;
	/* Own reference: what B hears while A's peer is away. Of a transfer: what who stays
	 * hears, in place of a ring-back tone. NULL: nothing of ours. */
	struct media_sound *hold_music;
	/* For the record. */
	enum call_direction direction;
	enum route_type route_type;
	char number[E164_ROOM];         /* the registered number; "" unknown */
	char called[64];                /* as dialled, without the core's prefix; "" unknown */
	char *service;                  /* and rule: "office/2" */
	char *tenant;                   /* whose core's call it is; NULL: there is only one */
	bool emergency;                 /* past every limit */
	struct call_mailbox *recording; /* once answered both sides are recorded; NULL: not */
	char *record;                   /* more JSON members for it, each after a comma; or NULL */
};
struct call_plan *call_plan_free(struct call_plan *plan); /* heap; NULL fine; returns NULL */

/* Emergency calls are held to the duration only. */
struct call_limits {
	unsigned calls;            /* at the same time */
	unsigned calls_per_number; /* at the same time, of one registered number; 0: no limit */
	unsigned duration_s;       /* a call ends after */
};

/* A few words for the trace: how the registration of a number stands, and the core's API;
 * in_full: what takes longer to find out too. */
typedef void call_standing_fn(const char *number, bool in_full, char *ret_text, size_t room,
			      void *arg);

struct call_room_options {
	struct sip_endpoint *endpoint;
	struct sip_trace *trace; /* where calls leave notes; NULL: nowhere */
	struct media_engine *media;
	struct timer_wheel *wheel;
	const char *cdr_file; /* NULL: none */
	bool beside;          /* another daemon writes it too, until its calls have ended */
	const struct config_records
		*records; /* how it is written; read during create; NULL: plain */
	struct call_limits limits;
	call_standing_fn *standing; /* NULL: nothing is known */
	void *standing_arg;
};
int call_room_create(struct call_room **ret_room,
		     const struct call_room_options *options) MUST_CHECK;
struct call_room *call_room_destroy(struct call_room *room); /* ends what is left */

/* Calls of other processes that the limit of calls counts too. */
void call_room_set_beside(struct call_room *room, size_t calls);
/* How many calls each registered number has, here and in other processes. */
struct shared_count *call_room_numbers(struct call_room *room);
/* For calls that begin from now on. */
void call_room_set_limits(struct call_room *room, const struct call_limits *limits);

/* Takes leg A and plan, also on failure: A is then refused, with 503 when the
 * room is full or drains, with 486 when the number has its limit of calls, and
 * a record says so. 0, -ESHUTDOWN, -EBUSY, -EINVAL (no steps), -ENOMEM. */
int call_start(struct call_room *room, struct leg *take_a, struct call_plan *take_plan);

/* For a leg whose INVITE names another dialog (leg_info.replaces): takes its place, or
 * is refused. Takes the leg in every case. */
void call_replace(struct call_room *room, struct leg *take_leg);

/* What came of a question. */
struct call_advice {
	struct call_step *take_steps; /* heap; to be tried next; NULL: the plan goes on */
	size_t step_count;
	const char *summary; /* a few words for log and record: "dial pbx", "timeout" */
};
/* For the call that waits for it. The call may be gone when this returns. */
void call_advise(struct call *call, const struct call_advice *advice);

const char *call_id(const struct call *call);
const struct leg_info *call_caller(const struct call *call); /* leg A's, while the call lives */

/* Whom steps ring, by target_name: for who shares the calls out. */
enum call_target_news {
	CALL_TARGET_TAKEN, /* invited */
	CALL_TARGET_FREE,  /* let go without having had the call */
	CALL_TARGET_DONE   /* a call it has had is over */
};
/* `arg` outlives the room. */
void call_room_on_target(struct call_room *room,
			 void (*on_target)(const char *target, enum call_target_news news,
					   void *arg),
			 void *arg);

/* A side of a call asks for a transfer (RFC 3515): the other side is to talk to
 * somebody else. */
struct call_transfer {
	int peer;                          /* who asks, numbered as leg_info.peer */
	bool caller_asks;                  /* it is leg A's */
	bool from_the_start;               /* and nobody else has been on that side */
	bool loops;                        /* leg B is called as its step's `loops` says */
	const struct leg_info *a;          /* the call's first INVITE */
	const struct leg_refer *refer;     /* who is to be called */
	const struct sip_headers *headers; /* of the REFER */
};
struct call_refusal {
	int status;
	const char *phrase; /* constant; NULL: the standard one */
};
/* DIAL steps for the new call, tried in order; NULL refuses. */
typedef struct call_plan *call_transfer_fn(const struct call_transfer *transfer,
					   struct call_refusal *ret_refusal, void *arg);
/* Without one every transfer to a new target is refused. */
void call_room_on_transfer(struct call_room *room, call_transfer_fn *decide, void *arg);

size_t call_room_count(const struct call_room *room);
/* Refuses new calls with 503 from now on, emergency calls excepted; running ones
 * go on. */
void call_room_drain(struct call_room *room, bool drains);
/* Ends every call with BYE and this cause. */
void call_room_end_all(struct call_room *room, enum cause cause);
/* Called each time the last call has ended. */
void call_room_on_empty(struct call_room *room, void (*empty)(void *arg), void *arg);

/*
 *              +---------- B failed, another step ----------+
 *              v                                            |
 *   call_start INCOMING -- SDP for B ready, INVITE sent --> DIALLING
 *              |  |   |  (ASK: waits here for advice)       |  ^  |
 *              |  |   +-- RING --> RINGING -- one is left --|--+  | B 2xx
 *              |  |                | | all failed: as B     |     |
 *              |  |                | +----------------------+     |
 *              |  +-- ANSWER: SDP  +-- one answered ---+          |
 *              |      for A ready -----------------+   |          |
 *              |                                   v   v          |
 *              |                                ANSWERING <-------+
 *              |                                |      |
 *              | refused, A gone, announced     | ACK  | A or B gone, media failed, played
 *              |                    TALKING <---+      |
 *              v                       |               v
 *              ENDED <-----------------+---------------+
 *
 * A call that was answered for an announcement (goes_on) is TALKING while that is heard,
 * then INCOMING again, and TALKING once B has answered.
 *
 * A call waits in no state without a timer; ENDED is left at once: the legs
 * say goodbye on their own.
 */
enum call_state {
	CALL_INCOMING,
	CALL_RINGING,
	CALL_DIALLING,
	CALL_ANSWERING,
	CALL_TALKING,
	CALL_ENDED
};
const char *call_state_name(enum call_state state);

/* What is heard of an answered call. */
enum call_verdict {
	VERDICT_NONE, /* not looked at: not answered, or in the last two seconds */
	VERDICT_OK,
	VERDICT_HELD,
	VERDICT_ONE_WAY,  /* nothing comes from one side, or none of it can go on */
	VERDICT_NO_MEDIA, /* nothing comes from either */
	VERDICT_BYPASSED  /* the media does not go through us */
};
const char *call_verdict_name(enum call_verdict verdict); /* "ok", "one-way" */
/* Calls in progress, in other processes too. Any thread. */
size_t call_room_verdict_count(enum call_verdict verdict);
#define CALL_VERDICT_ROOM 320

/* A copy for the admin room. */
struct call_info {
	char id[17];
	enum call_state state;
	enum call_direction direction;
	enum route_type route_type;
	char number[E164_ROOM], service[64], step[64];
	char tenant[40]; /* "": there is only one */
	char from[64], to[64];
	char call_id_a[128], call_id_b[128], session_id[80];
	mono_ms started_ms, ringing_ms, answered_ms; /* 0: not yet */
	bool media;                                  /* false: passed through */
	enum call_bypass bypass;                     /* and why */
	struct media_receipt receipt[2];
	enum call_verdict verdict;
	char verdict_why[CALL_VERDICT_ROOM]; /* "" for ok */
};
void call_room_each(struct call_room *room, void (*visit)(const struct call_info *info, void *arg),
		    void *arg);

#endif
