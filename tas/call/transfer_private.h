/* SPDX-License-Identifier: Apache-2.0 */
/* transfer_private.h - inside of a transfer: what its files share.
 *
 * transfer.c has the story.
 */
#ifndef BREAKOUT_TAS_CALL_TRANSFER_PRIVATE_H
#define BREAKOUT_TAS_CALL_TRANSFER_PRIVATE_H

#include "tas/call/call_state.h"

enum transfer_phase {
	TRANSFER_OFFERING,     /* media makes an offer for the target */
	TRANSFER_CALLING,      /* the target rings, or has been heard (moved) */
	TRANSFER_ASKING,       /* another call's side was asked for an offer */
	TRANSFER_MEDIA_OFFER,  /* the target's offer becomes one for the side that stays */
	TRANSFER_REOFFER,      /* the side that stays has it */
	TRANSFER_MEDIA_ANSWER, /* its answer becomes one for the target */
	TRANSFER_SETTLING      /* the target is gone, the side that stays has yet to answer */
};

struct transfer {
	struct call *call;
	enum transfer_phase phase;
	enum media_side by;     /* who asked: its leg is to be replaced */
	struct call_plan *plan; /* own; NULL: the target is another call's */
	size_t step;
	enum media_leg_kind kind; /* of the target */
	struct leg *target;       /* own, also while lent; NULL between two gateways */
	char *own_offer;          /* that the target is called with; NULL: none */
	/* Early media: who stays is moved to the target's session before that has answered. */
	char *early;  /* the target's SDP it was last asked to move for; NULL: none */
	bool hearing; /* the exchange under way is for that */
	bool unheard; /* it would not */
	bool moved;
	char *told;           /* of the exchange it was moved by: what would be for the target */
	bool answered;        /* the target has, while hearing */
	char *answer;         /* with this; NULL: nothing */
	mono_ms due_ms;       /* the target has rung long enough */
	bool called_us;       /* the target is an incoming leg; NULL plan, no lender */
	bool played;          /* who stays hears something of ours */
	bool back;            /* the target is who asked: as it was before */
	struct call *lender;  /* whose leg the target is; NULL: nobody's, or it has ended */
	enum media_side lent; /* which of the lender's */
	struct media_session *session;
	char *offer; /* for the side that stays, unless it refused: becomes sent[] */
	struct timer timer;
};

/* The other side and the media room answer within a transaction: RFC 3261
 * 17.1.1.2; a target rings as long as its step says. */
#define TRANSFER_ANSWER_MS (40 * 1000)
#define TRANSFER_RING_MS   (60 * 1000)

static inline enum media_side transfer_stays(const struct transfer *transfer)
{
	return call_other_side(transfer->by);
}

/* transfer.c */
void transfer_wait(struct transfer *transfer, mono_ms ms); /* then its phase has failed */

/* transfer_begin.c: who is to talk instead, and how it is called */
struct transfer *transfer_begin(struct call *call, enum media_side by); /* NULL: no memory */
void transfer_call_target(struct call *call);

/* transfer_early.c: the target is heard before it answers */
void transfer_hear(struct call *call, const char *sdp); /* of an 18x */
void transfer_heard(struct call *call, const char *told);
void transfer_unheard(struct call *call); /* the side that stays, or media, will not */
void transfer_answered(struct call *call, const char *sdp); /* NULL: as before */

/* transfer_join.c: the side that stays and the target agree */
int transfer_open_session(struct transfer *transfer) MUST_CHECK;
void transfer_offered(struct call *call, const char *sdp); /* by the target; NULL: nothing */
void transfer_reoffer(struct call *call, const char *sdp); /* to the side that stays */
void transfer_reanswered(struct call *call, const struct leg_event *event); /* by it */
void transfer_complete(struct call *call, const char *answer);              /* for the target */

/* transfer_end.c: it comes to nothing, or the call ends */
void transfer_fail(struct call *call, const struct ending *ending);
void transfer_fail_for(struct call *call, enum cause cause, int status);
void transfer_free(struct transfer *transfer);
enum media_leg_kind transfer_kind_of(const struct call *call, enum media_side side);
/* What the side that stays hears while the target is called. */
void transfer_play(struct call *call);
void transfer_stop_playing(struct call *call);

#endif
