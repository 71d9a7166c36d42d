/* SPDX-License-Identifier: Apache-2.0 */
/* absence.h - when a daemon that gives no sign of life is dead enough.
 *
 *            gone                for `after`              all withdrawn
 *   PRESENT -----> MISSING ----------------> ACTING ----------------------> DONE
 *      ^  ^           |                        |                             |
 *      |  +-----------+ there for a while      | there again                 |
 *      +---------------------------------------+-----------------------------+
 *
 * A restart by the service manager or an upgrade is a short absence and passes. One that
 * flaps is missed since it first went: it has to stay for a while to be present.
 * Pure: time is handed in. Threads: the owner's.
 */
#ifndef BREAKOUT_TOOLS_WATCHDOG_ABSENCE_H
#define BREAKOUT_TOOLS_WATCHDOG_ABSENCE_H

#include "registrar/vigil.h"

enum absence_state { ABSENCE_PRESENT, ABSENCE_MISSING, ABSENCE_ACTING, ABSENCE_DONE };

struct absence {
	enum absence_state state;
	mono_ms after_ms;
	mono_ms since; /* MISSING and later: when it went */
	mono_ms back;  /* MISSING: there again since; 0: it is not */
};

enum absence_news {
	ABSENCE_NO_NEWS,
	ABSENCE_WENT,  /* it may be a restart */
	ABSENCE_ACT,   /* withdraw; it is ACTING now */
	ABSENCE_BACK,  /* let go at once */
	ABSENCE_HANGS, /* it is there and has given no sign for so long: ask it */
};

/* At the start it is missed until it is seen. */
void absence_init(struct absence *absence, unsigned after_ms, mono_ms now);
enum absence_news absence_see(struct absence *absence, const struct vigil_sign *sign, mono_ms now);
void absence_acted(struct absence *absence);     /* all are withdrawn */
void absence_could_not(struct absence *absence); /* act: it is asked for again */

#endif
