/* SPDX-License-Identifier: Apache-2.0 */
/* metrics_others.h - metrics of several processes that serve in one place, as one.
 *
 * A process whose place another takes tells it what it has counted; what is shown is the sum.
 * Counters never go back thereby, and gauges of kind METRIC_GAUGE_SUM tell of all who are
 * there. When one has ended, or died, its counters stay as it told them last and its gauges
 * are gone. Nobody is asked, so nobody is waited for.
 *
 * Threads: one tells and takes (the SIP thread); sums may be read by any.
 */
#ifndef BREAKOUT_BASE_METRICS_OTHERS_H
#define BREAKOUT_BASE_METRICS_OTHERS_H

#include <stdbool.h>
#include "base/fd_link.h"
#include "base/macros.h"
#include "base/metrics.h"

#define METRICS_OTHERS_MAX 8 /* processes */

/* Ours, with what ended ones have left us, in pieces that fit into a frame; not what others
 * have that live. all: even what has not changed since it was told last. 0, -ENOMEM or what
 * `send` returned: then the next one has to be of all. */
int metrics_tell(bool all, int (*send)(const struct str *packed, void *arg), void *arg) MUST_CHECK;
/* The same, of what a living one has told. */
int metrics_tell_of(int process, int (*send)(const struct str *packed, void *arg),
		    void *arg) MUST_CHECK;

/* A piece that it told. 0, -EPROTO, -ENOMEM, or -ENOSPC: there are too many. */
int metrics_take(int process, struct unpack *from) MUST_CHECK;
/* Its counters are ours from now on. */
void metrics_other_ended(int process);
/* It tells somebody else from now on. */
void metrics_other_left(int process);

#endif
