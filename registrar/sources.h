/* SPDX-License-Identifier: Apache-2.0 */
/* sources.h - who wants which number: the configuration, orders and consents, one over the
 * other in this order.
 *
 * Threads: the registrar's (before it starts: its creator's).
 */
#ifndef BREAKOUT_REGISTRAR_SOURCES_H
#define BREAKOUT_REGISTRAR_SOURCES_H

#include "registrar/added.h"
#include "registrar/consent.h"

struct sources {                   /* borrowed */
	struct consents *consents; /* which knows what is configured, too */
	struct added *added;
};

/* All that is wanted with this configuration. 0, -ENOMEM or -EIO (logged). */
int sources_want(const struct sources *sources, const struct wanted *configured,
		 struct wanted **ret_all, mono_ms now) MUST_CHECK;
/* Tells the keeper of numbers that were added, changed or deleted. 0 or -ENOMEM. */
int sources_reconsider(const struct sources *sources, struct keeper *keeper,
		       const uint64_t *numbers, size_t count, mono_ms now) MUST_CHECK;

#endif
