/* SPDX-License-Identifier: Apache-2.0 */
/* roll.h - which nodes of a fleet live, by what several looks at it have shown.
 *
 *   its beat moves, or the watchdog at its place sees it answer     lives
 *   silent, and the watchdog at its place sees nobody               dead
 *   silent, and nobody looks at its place, or nobody has for long   dead after unseen_ms:
 *     until then it may be cut off from the database, and serve
 *   it has said goodbye                                             dead
 *
 * A beat that stood for a lease while we looked is silent. Where a watchdog's own beat
 * stands, what it says is of yesterday. Pure: time is handed in. Threads: the owner's.
 */
#ifndef BREAKOUT_TOOLS_WATCHDOG_ROLL_H
#define BREAKOUT_TOOLS_WATCHDOG_ROLL_H

#include "registrar/fleet_watch.h"

/* Between two looks; with longer ones nobody knows whether the database was there. More than
 * the time from one to the next at the longest: LOOK_MAX_MS of main.c, ANSWER_S of withdraw.c,
 * and PATIENCE_MS of fleet_watch.c for each of two statements. */
#define ROLL_GAP_MS 10000

enum roll_life {
	ROLL_LIVES,
	ROLL_OPEN, /* nobody knows yet */
	ROLL_DEAD
};

struct roll {
	mono_ms lease_ms, unseen_ms;
	mono_ms looked;    /* 0: never, or in vain since */
	mono_ms last_life; /* the last sign of anybody's; 0: none was seen */
	struct roll_entry {
		struct fleet_sight sight;
		mono_ms since, watch_since; /* its beat, its watchdog's stands */
		bool moved, watch_moved;    /* they have before, as far as we looked */
	} list[FLEET_SIGHTS];
	size_t count;
};

void roll_init(struct roll *roll, mono_ms lease_ms, mono_ms unseen_ms);
/* True: all begins anew, as nobody looked for long. */
bool roll_look(struct roll *roll, const struct fleet_sights *sights, mono_ms now);
/* The database was not there: no beat could move. */
void roll_missed(struct roll *roll);

enum roll_life roll_life_of(const struct roll *roll, size_t index, mono_ms now);
/* It is dead, and that is not only concluded from its silence. */
bool roll_sure_of(const struct roll *roll, size_t index, mono_ms now);
/* A watchdog looks from somewhere else than `place`. */
bool roll_has_others(const struct roll *roll, const char *place, mono_ms now);
/* Of the fleet: one that lives suffices, and only if all are dead it is. ret_who: one for
 * which it is so, NULL: there are none. */
enum roll_life roll_life(const struct roll *roll, mono_ms now, const struct roll_entry **ret_who);

#endif
