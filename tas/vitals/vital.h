/* SPDX-License-Identifier: Apache-2.0 */
/* vital.h - one sign of life: failing looks make it sick after a while, passing ones
 * well again after a while.
 *
 *              every look for sick_after failed
 *   WELL -------------------------------------------> SICK
 *     ^                                                |
 *     +------ every look for well_after passed --------+
 *
 * Pure: time is handed in. Threads: the owner's.
 */
#ifndef BREAKOUT_TAS_VITALS_VITAL_H
#define BREAKOUT_TAS_VITALS_VITAL_H

#include <stdbool.h>
#include "base/clock.h"
#include "config/config.h"

#define VITAL_WHY_ROOM 160

/* Zero-initialise: well, and not proven. */
struct vital {
	bool sick, failing;       /* failing: the last look */
	bool proven;              /* it has passed once */
	mono_ms since;            /* sick or failing: the first look that failed */
	mono_ms passing;          /* the first of the latest looks in a row that passed; 0: none */
	mono_ms next;             /* look */
	char why[VITAL_WHY_ROOM]; /* the last failure */
};

/* ok, or why not. True: it fell sick or is well again. */
bool vital_heard(struct vital *vital, const struct config_health_check *rules, bool ok,
		 const char *why, mono_ms now);

/* Whether it closes the gate. */
bool vital_counts(const struct vital *vital, const struct config_health_check *rules);

/* Whether it is time for a look; plans the next one. */
bool vital_is_due(struct vital *vital, const struct config_health_check *rules, mono_ms now);

#endif
