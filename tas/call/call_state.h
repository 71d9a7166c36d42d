/* SPDX-License-Identifier: Apache-2.0 */
/* call_state.h - inside of tas/call: one call's fields, and what its files
 * tell each other.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_CALL_CALL_STATE_H
#define BREAKOUT_TAS_CALL_CALL_STATE_H

#include "base/hash.h"
#include "base/log.h"
#include "base/str.h"
#include "tas/call/call.h"
#include "tas/call/cdr.h"
#include "tas/sip/trace.h"

/* RFC 3326: what a callee's phone knows not to be a missed call by. */
#define CALL_ELSEWHERE "SIP;cause=200;text=\"Call completed elsewhere\""

enum call_timer {
	CALL_TIMER_RING,
	CALL_TIMER_MEDIA,
	CALL_TIMER_PEER,
	CALL_TIMER_LIFE,
	CALL_TIMER_ASK
};
#define CALL_TIMER_COUNT 5

/* A response of leg B waiting for its turn towards leg A. */
struct early {
	struct early *next;
	int status; /* 200 and above: the answer */
	bool reliable;
	char *reason, *sdp;
	struct sip_headers headers;
};

/* A re-INVITE on its way from one side to the other. */
enum exchange_phase {
	EXCHANGE_NONE,
	EXCHANGE_MEDIA_OFFER,  /* media turns the offer into one for the other side */
	EXCHANGE_PEER,         /* the other side has it */
	EXCHANGE_MEDIA_ANSWER, /* media turns its answer into ours */
	EXCHANGE_ACK           /* offerless: the answer comes in the ACK */
};
struct exchange {
	enum exchange_phase phase;
	enum media_side from;
	bool offerless; /* `from` asked for an offer; its answer comes in the ACK */
	bool update;    /* `from` sent an UPDATE or PRACK: it crosses as UPDATE */
	bool accepted;  /* `from` has our 2xx */
	bool owes_ack;  /* the other side's 2xx carried an offer and waits for our ACK */
	char *offered;  /* what the other side was given; becomes sent[] once accepted */
	struct sip_headers headers; /* and what came with the offer */
};

/* Leg B, for the record, which outlives it. */
struct call_side {
	const char *call_id, *source;
	const char *from, *asserted, *to; /* as we told it */
	const char *transport;
	char texts[];
};

/* One target that was rung together with others, for the record. */
struct call_try {
	const char *label;   /* the plan's */
	const char *outcome; /* NULL: not over */
	int status;          /* 0: none */
	mono_ms began_ms, over_ms;
};
#define CALL_TRY_MAX 16 /* more are rung, but not told */

/* What passed when it was last looked at. */
struct pulse_count {
	uint64_t in, out, lost, dropped;
};
struct pulse_side {
	unsigned in, out; /* packets a second */
	unsigned lost, dropped, jitter_ms;
};
struct pulse {
	struct timer timer; /* of a call that is followed */
	mono_ms at;
	struct pulse_count count[2];
	struct pulse_side noted[2];
};

#define DIGITS_MAX 32
struct digits {
	struct {
		char digit;
		unsigned ms;
	} waiting[DIGITS_MAX];
	unsigned count;
	bool out; /* an INFO of ours is on its way */
};

struct call {
	struct call *next, **link;
	struct call_room *room; /* borrowed */
	struct call_plan *plan;
	size_t step;                    /* index of the one being tried */
	const struct call_step *target; /* of a RING step, once it has the call; else NULL */
	struct ring *ring;              /* NULL unless a RING step is being tried */
	char id[17];
	enum call_state state; /* written by call_state.c only */
	unsigned depth;        /* handlers on the stack; an ended call is freed at 0 */

	struct leg *leg[2];             /* by media_side */
	int peer[2];                    /* who is there, numbered as leg_info.peer */
	const struct call_step *step_b; /* what leg B was invited for, while there is one */
	unsigned address_b;             /* of ours, in what B is offered: media_engine_address() */
	struct media_session *session;
	enum media_leg_kind session_kind_b;
	bool pass_through;       /* this step carries SDP untouched */
	enum call_bypass bypass; /* and why */
	bool advised;            /* a question brought steps */
	bool delayed;    /* A's INVITE carried no offer: it comes in B's 2xx, or in a reliable
			  * 18x, and then A's answer in the PRACK */
	bool pracking;   /* A has B's offer in an 18x, its answer is due */
	bool pracked;    /* it came: B's 2xx has nothing to add */
	bool b_spoke;    /* an answer of B reached the session */
	bool a_answered; /* our 2xx is out */
	bool ahead;      /* and whom A is to talk to is still looked for: ahead.c */
	bool said;       /* what was to be said ahead is, before A's ACK */
	bool expecting;  /* one text from the media room, named by the next two */
	enum media_event_type expected;
	enum media_side expected_side;
	char *sent[2];  /* the SDP each side got last; anchored only */
	char *answer_b; /* B's last answer given to the session, or passed through */
	struct early *early, **early_end;
	unsigned early_count;
	struct exchange exchange;
	struct leg *taker;             /* picks the call up, once A is answered; NULL: nobody */
	struct digits *digits[2];      /* to be told to each side by INFO; NULL: none so far */
	struct transfer *transfer;     /* on its way; NULL: none */
	struct transfer *lent_to;      /* another call's that has one of our legs; NULL: none */
	struct call_plan *transferred; /* whose step the call talks by; NULL: its own plan's */
	struct media_sound *music[2];  /* own references: of each side, for the other; NULL */
	struct leg_info *first;        /* A's, as it was before a transfer; NULL: leg A's own */
	struct timer timer[CALL_TIMER_COUNT];

	/* For the record. */
	wall_ms started_wall;
	mono_ms started_ms, ringing_ms, answered_ms; /* 0: not yet */
	mono_ms connected_ms; /* A, answered ahead, talks to whom it was to; 0: not (yet) */
	bool was_ahead;
	mono_ms pdd_ms; /* -1: A heard nothing of B */
	unsigned steps_tried, transfers;
	struct str moved;       /* JSON objects, one for each of them */
	struct call_try *tries; /* CALL_TRY_MAX of them; NULL: none */
	size_t try_count;
	struct str asked;         /* JSON objects, one a question that ended */
	bool asking;              /* the current step's question waits */
	mono_ms ask_ms;           /* since */
	struct call_side *side_b; /* NULL: none so far */
	bool counted;             /* in room->numbers */
	bool flowing[2];
	bool anchored;     /* the last step had a session */
	bool announced;    /* A has our SDP in a 183: the session lives on from step to step */
	struct timer look; /* at what is heard, once answered */
	enum call_verdict verdict;
	char *verdict_why;              /* NULL: there is nothing to say */
	char *message_path;             /* of the WAV file begun last; NULL: none */
	bool recorded;                  /* it is the call's own */
	struct media_receipt *receipts; /* by media_side; NULL: no media so far */
	struct pulse *pulse;            /* NULL: likewise */
	unsigned cdr_slot;              /* as cdr_answered() returned it; 0: none */
};

struct call_room {
	struct sip_endpoint *endpoint;
	struct sip_trace *trace; /* NULL: nothing is kept */
	struct media_engine *media;
	struct timer_wheel *wheel;
	struct cdr_writer *cdr; /* NULL: no file */
	struct call_limits limits;
	struct shared_count *numbers; /* calls of each registered number */
	bool draining;
	size_t count, beside; /* beside: of other processes */
	uint64_t started;     /* calls, since create */
	struct call *calls;
	call_standing_fn *standing; /* NULL: nothing is known */
	void *standing_arg;
	void (*empty)(void *arg);
	void *empty_arg;
	void (*on_target)(const char *target, enum call_target_news news, void *arg);
	void *on_target_arg;
	call_transfer_fn *transfer; /* NULL: none */
	void *transfer_arg;
	struct log_limit shed_log;
};

/* What can happen to a call. */
struct happening {
	enum { HAPPENED_LEG, HAPPENED_MEDIA, HAPPENED_TIMER, HAPPENED_ADVICE } what;
	enum media_side side;             /* LEG, MEDIA */
	const struct leg_event *leg;      /* LEG */
	const struct media_event *media;  /* MEDIA */
	enum call_timer timer;            /* TIMER */
	const struct call_advice *advice; /* ADVICE */
	bool transfer;                    /* of the transfer's new leg or session */
	bool taker;                       /* LEG: of who picks the call up */
	struct branch *branch;            /* of a RING step; NULL: the call's own */
};

/* How a call or a step ends. */
struct ending {
	enum cause cause;
	const char *by;                    /* "a", "b", "us" */
	int status;                        /* for an unanswered A; 0: the cause's */
	const char *phrase;                /* NULL: the standard one */
	const char *contact;               /* where a 3xx sends the caller; NULL: none */
	int q850;                          /* as received; 0: the cause's */
	const struct sip_headers *headers; /* of B's response; NULL: none */
	const struct sip_headers *bye;     /* of the BYE or CANCEL that ended it; NULL: none */
	const char *warning;               /* one sentence for a Warning header; NULL: none */
	bool trouble;  /* of ours or the next hop's, no decision of the callee */
	bool failover; /* another address of the same trunk may be tried */
};

static inline enum media_side call_other_side(enum media_side side)
{
	return side == MEDIA_A ? MEDIA_B : MEDIA_A;
}

/* call_state.c */
void call_enter(struct call *call, enum call_state next);
void call_begin(struct call *call);
void call_handle(struct call *call, const struct happening *happening);
void call_leave(struct call *call); /* undoes ++call->depth; the call may be gone then */
void call_finish(struct call *call, const struct ending *ending); /* from outside its handlers */
void call_end(struct call *call, const struct ending *ending);
void call_end_for(struct call *call, enum cause cause, const char *by); /* "a", "b", "us" */
void call_b_leaves(struct call *call); /* before leg B goes: its target may be told */
void call_b_answered(struct call *call, const struct leg_event *event);
void call_answer_a(struct call *call, const char *sdp, const struct sip_headers *headers);
void call_talk(struct call *call); /* both sides are answered, or A is, and hears us */
const struct call_step *call_current_step(const struct call *call);
/* Waits for one text from the media room. */
void call_expect(struct call *call, enum media_event_type type, enum media_side side);
bool call_expected(struct call *call, const struct media_event *event);
void call_timer_begin(struct call *call, enum call_timer timer, mono_ms ms); /* 0: its default */
void call_timer_stop(struct call *call, enum call_timer timer);
/* Media of who is behind this leg may come from where its SIP does. */
void call_tell_near(const struct call *call, struct media_session *session, enum media_side side,
		    const struct leg *leg);
int call_remember_sdp(char **text, const char *sdp) MUST_CHECK; /* replaces by a copy */
void call_drop_session(struct call *call); /* and what was said of it; fine without one */
leg_event_fn call_on_leg;
media_event_fn call_on_media;
timer_fn call_on_timer;

/* step.c: how the steps of the plan begin, and what follows when one comes to nothing */
void call_run_step(struct call *call); /* the current one; INCOMING, nothing under way */
void call_go_on(struct call *call);    /* with the next one, likewise */
bool call_says_ahead(const struct call_step *step); /* it is followed by the next one */
void call_step_failed(struct call *call, const struct ending *ending); /* leg B's */
void call_step_over(struct call *call, const struct ending *ending);   /* all of it */
void call_trouble(struct call *call, enum cause cause); /* of ours: the step has failed by it */
/* What media could not do is ours (err) or the SDP's: the step ends or goes on
 * without media. */
void call_media_trouble(struct call *call, int err);
/* What leg B has begun is undone; A has not been answered. */
void call_let_b_go(struct call *call, const char *reason);
void call_dial(struct call *call, const char *sdp); /* the current step's B; NULL: no offer */
void call_reject(struct call *call);                /* as the current step says */
int call_invite(struct call *call, const struct call_step *step, const char *sdp,
		struct leg **ret_leg) MUST_CHECK;
enum cause call_invite_cause(int err); /* of its failure */
int call_open_session(struct call *call, const struct call_step *step, enum media_leg_kind kind_b,
		      const struct media_local *local,
		      struct media_session **ret_session) MUST_CHECK;
const struct media_codecs *call_codecs(const struct call *call, enum media_side side);
/* What the end of an outgoing leg means for its step. */
struct ending call_judge(const struct call *call, const struct call_step *step,
			 const struct leg_event *event);

/* early.c: B's responses towards A, in B's order */
void early_push(struct call *call, const struct leg_event *event);
void early_pump(struct call *call);
void early_media_ready(struct call *call, const char *sdp);
bool early_media_refused(struct call *call);            /* true: only an 18x lost its SDP */
void early_pracked(struct call *call, const char *sdp); /* A's PRACK: its answer */
void early_clear(struct call *call);
int early_copy_headers(const struct call *call, struct sip_headers *to,
		       const struct sip_headers *from) MUST_CHECK;

/* ahead.c: A is answered before whom it is to talk to */
void ahead_begin(struct call *call); /* A has our 200 */
void ahead_talk(struct call *call);  /* it has acknowledged it */
/* Of a step that follows: A hears us, or B. */
void ahead_speak(struct call *call);
void ahead_join(struct call *call);
void ahead_hear_ringing(struct call *call); /* A hears that B rings */
/* What A may want before it has somebody to talk to. True: that was it. */
bool ahead_handle(struct call *call, const struct happening *happening);
/* B is looked for; A hears nobody. */
bool ahead_alone(const struct call *call);
/* Those of a RING step are called in turn. */
int ahead_take_turns(struct call *call) MUST_CHECK;

/* exchange.c: re-INVITEs while talking, UPDATEs also before */
void exchange_offer(struct call *call, enum media_side from, const struct leg_event *event);
bool exchange_active(const struct call *call);
void exchange_answered(struct call *call, enum media_side side, const struct leg_event *event);
void exchange_confirmed(struct call *call, enum media_side side, const char *sdp);
void exchange_media(struct call *call, const struct media_event *event);
void exchange_refuse(struct call *call, enum media_side side, int status, const char *reason);
void exchange_give_up(struct call *call, int status, const char *reason);

/* inform.c: INFO while talking */
void inform(struct call *call, enum media_side from, const struct leg_event *event);
void inform_answered(struct call *call, enum media_side side, int status);
void inform_of_digit(struct call *call, enum media_side from, char digit, unsigned ms);

/* transfer.c and its neighbours: one side is replaced by somebody else */
void transfer_asked(struct call *call, enum media_side by, const struct leg_event *event);
bool transfer_handle(struct call *call, const struct happening *happening); /* true: that was it */
bool transfer_owns(const struct call *call, const struct leg *leg,
		   const struct media_session *session); /* one of both */
bool transfer_may_begin(const struct call *call);
bool transfer_is_away(const struct call *call); /* one side is in the new session already */
/* The incoming leg takes the place of a side, which may be empty. */
void transfer_replace(struct call *call, enum media_side side, struct leg *take_leg);
void transfer_abandon(struct call *call); /* the call ends */
void transfer_done(struct call *call);    /* frees what is left of earlier ones */

/* replace.c: a new INVITE takes the place of a dialog */
void replace_join(struct call *call);             /* A has acknowledged; fine without a taker */
void replace_drop(struct call *call, int status); /* fine without */
void replace_said(struct call *call, const struct leg_event *event);

/* waiting.c: what a side hears while the other one is away */
void waiting_begin(struct call *call); /* A is answered */
void waiting_done(struct call *call);  /* frees what waits */
/* Who stays in a transfer hears this in a session until it is over; NULL: a ring-back
 * tone. */
void waiting_for_target(struct call *call, struct media_session *in, enum media_side stays,
			struct media_sound *music);
void waiting_over(struct call *call, struct media_session *in, enum media_side stays);
/* A side is somebody else, in a session of its own. Borrows the music; NULL: none. */
void waiting_moved(struct call *call, enum media_side side, struct media_sound *music);

/* farewell.c: what each side is told when a call ends */
void farewell_say(struct call *call, const struct ending *ending);
struct cause_reason farewell_read(const struct sip_headers *headers); /* its Reason headers */

/* branch.c: several targets rung at once or in turn */
void ring_start(struct call *call, const struct call_step *step);
void ring_handle(struct call *call, const struct happening *happening);
/* One that has the call already has failed. */
void ring_note(struct call *call, const struct ending *ending);
struct ending ring_best(struct call *call); /* of all that failed; texts are the ring's */
struct branch *ring_find(const struct call *call, const struct leg *leg,
			 const struct media_session *session);  /* one of both; NULL: none */
const struct call_step *ring_step(const struct branch *branch); /* being tried */
/* Others may still get the call if who was to have it fails. */
bool ring_is_open(const struct call *call);
void ring_go_on(struct call *call);     /* with those */
void ring_answered(struct call *call);  /* the others are let go; fine without a ring */
void ring_picked_up(struct call *call); /* all are; fine without */
void ring_release(struct call *call, const char *reason);
void ring_destroy(struct call *call); /* fine without one */

/* message.c: what a caller says after the beep */
struct message {
	struct media_recording recording; /* borrows from the mailbox and from below */
	char name[40];
	char *about;
};
/* 0 or -ENOMEM; ended by message_done() in both cases. Zero-initialise. */
int message_init(struct message *message, struct call *call,
		 const struct call_mailbox *mailbox) MUST_CHECK;
void message_done(struct message *message);
const char *message_left(const struct call *call); /* path of the file, or NULL: none is kept */
void message_tell(const struct call *call); /* whoever wants to hear of it; the call is over */
void message_record(struct call *call);     /* the call itself, if the plan says so */

/* record.c: what stays of a call */
struct call_try *record_try(struct call *call, const char *label);           /* NULL: not told */
void record_try_over(struct call_try *try, const char *outcome, int status); /* NULL fine */
void record_tries_over(struct call *call, const char *outcome);              /* all that are not */
/* The call goes on with this leg as its B. */
void record_leg_b(struct call *call, const struct leg *leg);
void record_heard(struct call *call, const struct leg *leg); /* leg says where its peer is */
void record_receipts(struct call *call); /* as they are now, if there is media */
/* As they were then; all 0 if there never was any. */
const struct media_receipt *record_receipt(const struct call *call, enum media_side side);
void record_bypass(struct call *call, enum call_bypass bypass); /* NOT: it has media */
void record_info(const struct call *call, struct call_info *ret_info);
void record_start(const struct call *call);
void record_advice(struct call *call, const char *summary);
/* A side is somebody else from now on; `to`: how it came to that. */
void record_transfer(struct call *call, enum media_side side, const char *to, const char *call_id);
void record_answered(struct call *call); /* what is billed of it if we are killed */
void record_end(struct call *call, const struct ending *ending);
void record_refused(const struct call *call, const struct ending *ending); /* never began */
void record_result(enum cause cause);
void record_active(size_t count);

/* notes.c: what a call leaves in the trace while it goes on */
void notes_begin(struct call *call); /* after record_start() */
void notes_end(struct call *call);
void notes_media(const struct call *call, const struct media_event *event);
void notes_heard(const struct call *call); /* the verdict is another one */
void notes_look(struct call *call);        /* what passes, if that has changed */

/* verdict.c: whether people hear each other */
struct verdict_facts {
	const struct media_receipt *receipt[2];
	const char *name[2]; /* "the caller (core)" */
	bool bypassed;
	mono_ms now;
};
enum call_verdict verdict_judge(const struct verdict_facts *facts, struct str *why);
timer_fn verdict_on_timer;
void verdict_begin(struct call *call);     /* A is answered */
void verdict_look_anew(struct call *call); /* whom A talks to has only now been found */
void verdict_end(struct call *call);       /* before the session goes; fine without a beginning */

/* question.c: somebody else says how the call goes on */
void question_start(struct call *call, const struct call_step *step);
void question_handle(struct call *call, const struct happening *happening); /* while asking */
void question_stop(struct call *call, const char *summary);                 /* fine when not */

/* plan.c: no step will begin any more */
void plan_settle(struct call_plan *plan);
/* The steps come after the current one; taken also on failure */
int plan_insert(struct call_plan *plan, size_t after, const struct call_advice *advice) MUST_CHECK;
/* The targets of a RING step follow it as steps of their own, each for so long unless it says. */
int plan_unfold(struct call_plan *plan, size_t at, unsigned ring_ms) MUST_CHECK;

/* call.c */
/* Whose leg A or B it is; NULL: nobody's. */
struct call *call_of_leg(const struct call_room *room, const struct leg *leg,
			 enum media_side *ret_side);
void call_free(struct call *call);
void call_tell_target(const struct call *call, const struct call_step *step,
		      enum call_target_news news);

#endif
