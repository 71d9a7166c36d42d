/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - the list of metrics that have moved at least once. */
#include "base/metrics.h"

static struct metric *_Atomic first;

static void register_once(struct metric *metric)
{
	struct metric *head;

	if (atomic_load_explicit(&metric->registered, memory_order_relaxed) ||
	    atomic_exchange(&metric->registered, 1))
		return;
	head = atomic_load_explicit(&first, memory_order_relaxed);
	do {
		atomic_store_explicit(&metric->next, head, memory_order_relaxed);
	} while (!atomic_compare_exchange_weak_explicit(&first, &head, metric, memory_order_release,
							memory_order_relaxed));
}

void metric_add(struct metric *metric, int64_t by)
{
	register_once(metric);
	atomic_fetch_add_explicit(&metric->value, by, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
	register_once(metric);
	atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

int64_t metric_get(const struct metric *metric)
{
	return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

void metrics_each(void (*visit)(const struct metric *metric, void *arg), void *arg)
{
	for (struct metric *metric = atomic_load_explicit(&first, memory_order_acquire); metric;
	     metric = atomic_load_explicit(&metric->next, memory_order_relaxed))
		visit(metric, arg);
}
