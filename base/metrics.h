/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - counters and gauges, readable while they move.
 *
 * A metric is a static object in the file that moves it, registered on first
 * use; names follow Prometheus: base units, `_total`, low cardinality, never a
 * number as label. Threads: any; relaxed atomics, no lock on the moving side.
 */
#ifndef BREAKOUT_BASE_METRICS_H
#define BREAKOUT_BASE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>
#include "base/str.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };

struct metric {
	const char *name;   /* breakout_calls_total */
	const char *labels; /* "direction=\"mo\"" or NULL */
	const char *help;
	enum metric_kind kind;
	_Atomic int64_t value;
	struct metric *_Atomic next; /* registry's */
	_Atomic int registered;
	_Atomic int hidden;
};

#define METRIC_COUNTER_INIT(n, l, h)                                                               \
	{                                                                                          \
		.name = (n), .labels = (l), .help = (h), .kind = METRIC_COUNTER                    \
	}
#define METRIC_GAUGE_INIT(n, l, h)                                                                 \
	{                                                                                          \
		.name = (n), .labels = (l), .help = (h), .kind = METRIC_GAUGE                      \
	}

void metric_add(struct metric *metric, int64_t by);
void metric_set(struct metric *metric, int64_t value);
/* What it measures is gone: it is not told any more, until metric_set() is called again. */
void metric_hide(struct metric *metric);
int64_t metric_get(const struct metric *metric);

/* Visits every metric registered so far that is not hidden. */
void metrics_each(void (*visit)(const struct metric *metric, void *arg), void *arg);

/* All of them in Prometheus' text format, version 0.0.4: one HELP and TYPE a name,
 * its label sets together. */
void metrics_text(struct str *to);

#endif
