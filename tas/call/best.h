/* SPDX-License-Identifier: Apache-2.0 */
/* best.h - inside of tas/call: of several that failed, what the caller is told.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_CALL_BEST_H
#define BREAKOUT_TAS_CALL_BEST_H

#include "tas/call/call_state.h"

/* Zero-initialise; owns the texts of its ending. */
struct best {
	unsigned rank;        /* 0: nobody has failed yet */
	struct ending ending; /* trouble: all have failed by trouble */
	const struct call_step *step;
	char *phrase, *warning;
	struct sip_headers headers;
};

/* `step` has failed so. */
void best_note(struct best *best, const struct call_step *step, const struct ending *ending);
void best_done(struct best *best);

#endif
