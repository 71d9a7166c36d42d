/* SPDX-License-Identifier: Apache-2.0 */
/* breaker.h - stops asking somebody who does not answer, until he does again.
 *
 * Five failures within ten seconds open it; open, it lets one probe a second
 * pass, and the first success closes it. Zero-initialise. Threads: the owner's.
 */
#ifndef BREAKOUT_BASE_BREAKER_H
#define BREAKOUT_BASE_BREAKER_H

#include <stdbool.h>
#include "base/clock.h"

#define BREAKER_FAILURES  5
#define BREAKER_WINDOW_MS 10000
#define BREAKER_PROBE_MS  1000

struct breaker {
	mono_ms failed_ms[BREAKER_FAILURES]; /* the last ones, a ring; 0: none */
	unsigned oldest;
	bool open;
	mono_ms probe_ms; /* open: when the next one may pass */
};

/* Open, true is a probe: its fate must be told. */
bool breaker_passes(struct breaker *breaker, mono_ms now);
/* True: it has opened just now. */
bool breaker_failed(struct breaker *breaker, mono_ms now);
/* True: it has closed just now. */
bool breaker_worked(struct breaker *breaker);

#endif
