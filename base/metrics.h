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

/* A GAUGE_SUM is a gauge that counts things, so that several processes together have the sum;
 * of any other the newest process tells its own. See metrics_others.h. */
enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_GAUGE_SUM };

struct metric {
	const char *name;   /* breakout_calls_total */
	const char *labels; /* "direction=\"mo\"" or NULL */
	const char *help;
	enum metric_kind kind;
	_Atomic int64_t value;
	struct metric *_Atomic next; /* registry's */
	_Atomic int registered;
	_Atomic int hidden;
	int64_t told; /* metrics_others.c's */
};

#define METRIC_COUNTER_INIT(n, l, h)                                                               \
	{                                                                                          \
		.name = (n), .labels = (l), .help = (h), .kind = METRIC_COUNTER                    \
	}
#define METRIC_GAUGE_INIT(n, l, h)                                                                 \
	{                                                                                          \
		.name = (n), .labels = (l), .help = (h), .kind = METRIC_GAUGE                      \
	}
#define METRIC_GAUGE_SUM_INIT(n, l, h)                                                             \
	{                                                                                          \
		.name = (n), .labels = (l), .help = (h), .kind = METRIC_GAUGE_SUM                  \
	}

void metric_add(struct metric *metric, int64_t by);
void metric_set(struct metric *metric, int64_t value);
/* What it measures is gone: it is not told any more, until metric_set() is called again. */
void metric_hide(struct metric *metric);
int64_t metric_get(const struct metric *metric);
/* With what processes before us have counted, and still do. */
int64_t metric_sum(const struct metric *metric);

/* One metric for each of a few values of a label: names of tenants, say. */
struct metric_family {
	const char *name, *help;
	const char *before; /* labels before that one: "file=\"ca\","; NULL: none */
	const char *label;  /* "tenant" */
	enum metric_kind kind;
	struct metric_member *members; /* metrics.c's */
};
/* Made when it is first asked for, and there for good. NULL: no memory, or there are too many
 * to be few. Any thread. */
struct metric *metric_of(struct metric_family *family, const char *value);
void metric_hide_all(struct metric_family *family);

/* Visits every metric of this process registered so far: those that are not hidden, or all. */
void metrics_each(void (*visit)(const struct metric *metric, void *arg), void *arg);
void metrics_each_own(void (*visit)(struct metric *metric, void *arg), void *arg);

/* As it is shown: with what other processes add (metrics_others.h). */
struct metric_sum {
	const char *name, *labels /* or NULL */, *help;
	enum metric_kind kind;
	int64_t value;
};
/* Those of metrics_each(), and what only others have. `visit` calls nothing of this file. */
void metrics_each_sum(void (*visit)(const struct metric_sum *sum, void *arg), void *arg);

/* All of these in Prometheus' text format, version 0.0.4: one HELP and TYPE a name,
 * its label sets together. */
void metrics_text(struct str *to);

#endif
