/* SPDX-License-Identifier: Apache-2.0 */
/* attempts.h - how often one source, and all together, may fail to log in.
 *
 * A bucket a source: it holds a minute's attempts and refills evenly. A log-in
 * that succeeds gives back what its challenge has cost, so that an office behind
 * one address is not held to it. Sources share slots by their hash: an attacker
 * with many addresses can empty a slot, but is then held to the total.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_DEVICE_ATTEMPTS_H
#define BREAKOUT_TAS_DEVICE_ATTEMPTS_H

#include <stdbool.h>
#include <sys/socket.h>
#include "base/clock.h"

#define ATTEMPTS_SLOTS 1024
#define ATTEMPTS_TOTAL 100 /* times a source's share, for all sources together */

struct attempts {
	struct attempts_slot {
		mono_ms full_ms; /* when it will be full again */
	} slots[ATTEMPTS_SLOTS], total;
};

/* False: this source, or all together, have none left. per_minute: of a source. */
bool attempts_take(struct attempts *attempts, const struct sockaddr_storage *source,
		   unsigned per_minute, mono_ms now);
/* A log-in succeeded: its own attempt and its challenge's count no more. */
void attempts_give_back(struct attempts *attempts, const struct sockaddr_storage *source,
			unsigned per_minute, mono_ms now);

#endif
