/* SPDX-License-Identifier: Apache-2.0 */
/* backoff.h - inside of records: somebody who fails is asked again later, and later
 * each time. Zero-initialise. */
#ifndef BREAKOUT_RECORDS_BACKOFF_H
#define BREAKOUT_RECORDS_BACKOFF_H

#include <stdbool.h>
#include "base/clock.h"

#define BACKOFF_FIRST_MS 1000

struct backoff {
	mono_ms until, pause; /* pause 0: all is well */
};

static inline bool backoff_passes(const struct backoff *backoff, mono_ms now)
{
	return now >= backoff->until;
}

/* True: it is the first failure in a row. */
static inline bool backoff_failed(struct backoff *backoff, mono_ms now, mono_ms longest)
{
	bool first = !backoff->pause;

	backoff->pause = first ? BACKOFF_FIRST_MS : backoff->pause * 2;
	if (backoff->pause > longest)
		backoff->pause = longest;
	backoff->until = now + backoff->pause;
	return first;
}

/* True: it had failed before. */
static inline bool backoff_worked(struct backoff *backoff)
{
	bool again = backoff->pause != 0;

	*backoff = (struct backoff){ 0 };
	return again;
}

#endif
