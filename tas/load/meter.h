/* SPDX-License-Identifier: Apache-2.0 */
/* meter.h - inside of tas/load: from what was measured to what is done about it.
 *
 *             a part above `light` for 300 ms
 *   NORMAL ------------------------------------> LIGHT <--------------+
 *      ^                                           |                  |
 *      +--- every part below `calm` for 5 s -------+                  | all are
 *      |                                           | a part above     | admitted
 *      |                                           v `shed`, 500 ms   | again
 *      |                                        SHEDDING -------------+
 *
 * In SHEDDING new calls are admitted at a rate, which begins below the one at which the
 * saturated thread took them and then follows what the thread has to do: down while it
 * never waits, slowly up while it does. What was admitted before still comes with its
 * answers, ACKs and BYEs, so that each step is small. The idea is the occupancy control
 * of B. L. Cyr, J. S. Kaufman and P. T. Lee (1990), which RFC 6357 section 5.5 names.
 *
 * Threads: the owner's. Time comes from the caller.
 */
#ifndef BREAKOUT_TAS_LOAD_METER_H
#define BREAKOUT_TAS_LOAD_METER_H

#include <stdbool.h>
#include "tas/load/load.h"

#define LOAD_TICK_MS 100 /* between two samples */

/* What one tick found; by enum load_part, in the part's unit. */
struct load_sample {
	unsigned value[LOAD_PART_COUNT];
	unsigned admitted, shed; /* new calls since the last one */
};

struct load_meter {
	unsigned shed_percent;            /* of the SIP thread's time; 0: nothing is ever shed */
	unsigned filter[LOAD_PART_COUNT]; /* what is smoothed, in hundredths */
	unsigned value[LOAD_PART_COUNT];  /* what is judged, in the part's unit */
	enum load_level level;
	enum load_part part;          /* which part made it leave NORMAL */
	double offered, admitted;     /* new calls a second, of the last second or so */
	double rate, rate_min;        /* SHEDDING: that may be admitted, calls a second */
	unsigned all;                 /* SHEDDING: ticks in a row in which all were */
	unsigned above, beyond, calm; /* ticks in a row */
	unsigned share;               /* of new calls admitted, out of LOAD_WHOLE */
};

void load_meter_init(struct load_meter *meter, unsigned shed_percent);
/* True: the level changed. */
bool load_meter_feed(struct load_meter *meter, const struct load_sample *sample);

#endif
