/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - the list of metrics that have moved at least once. */
#include "base/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FAMILY_MAX 64

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
	atomic_store_explicit(&metric->hidden, 0, memory_order_relaxed);
}

void metric_hide(struct metric *metric)
{
	atomic_store_explicit(&metric->hidden, 1, memory_order_relaxed);
}

static bool hidden(const struct metric *metric)
{
	return atomic_load_explicit(&metric->hidden, memory_order_relaxed);
}

int64_t metric_get(const struct metric *metric)
{
	return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

/* ---- families ---- */

struct metric_member {
	struct metric metric;
	struct metric_member *next;
	char *value, *labels;
};

static pthread_mutex_t families = PTHREAD_MUTEX_INITIALIZER;

static struct metric_member *member_create(const struct metric_family *family, const char *value)
{
	struct metric_member *member = calloc(1, sizeof(*member));
	struct str labels = { 0 };

	if (!member)
		return NULL;
	str_addf(&labels, "%s%s=\"%s\"", family->before ? family->before : "", family->label,
		 value);
	member->labels = str_take(&labels);
	member->value = strdup(value);
	if (!member->labels || !member->value) {
		free(member->labels);
		free(member->value);
		free(member);
		return NULL;
	}
	member->metric.name = family->name;
	member->metric.labels = member->labels;
	member->metric.help = family->help;
	member->metric.kind = family->kind;
	return member;
}

/* Under the lock. */
static struct metric_member *find_or_add(struct metric_family *family, const char *value)
{
	struct metric_member *member = family->members;
	size_t count = 0;

	for (; member; member = member->next, count++)
		if (!strcmp(member->value, value))
			return member;
	if (count < FAMILY_MAX)
		member = member_create(family, value);
	if (!member)
		return NULL;
	member->next = family->members;
	family->members = member;
	return member;
}

struct metric *metric_of(struct metric_family *family, const char *value)
{
	struct metric_member *member;

	pthread_mutex_lock(&families);
	member = find_or_add(family, value);
	pthread_mutex_unlock(&families);
	return member ? &member->metric : NULL;
}

void metric_hide_all(struct metric_family *family)
{
	pthread_mutex_lock(&families);
	for (struct metric_member *member = family->members; member; member = member->next)
		metric_hide(&member->metric);
	pthread_mutex_unlock(&families);
}

/* ---- all of them ---- */

static struct metric *first_registered(void)
{
	return atomic_load_explicit(&first, memory_order_acquire);
}

static struct metric *next_of(const struct metric *metric)
{
	return atomic_load_explicit(&metric->next, memory_order_relaxed);
}

void metrics_each(void (*visit)(const struct metric *metric, void *arg), void *arg)
{
	for (struct metric *metric = first_registered(); metric; metric = next_of(metric))
		if (!hidden(metric))
			visit(metric, arg);
}

void metrics_each_own(void (*visit)(struct metric *metric, void *arg), void *arg)
{
	for (struct metric *metric = first_registered(); metric; metric = next_of(metric))
		visit(metric, arg);
}

/* ---- as text ---- */

struct sums {
	struct metric_sum *list;
	size_t count, room;
	bool failed;
};

static void keep_sum(const struct metric_sum *sum, void *arg)
{
	struct sums *sums = arg;

	if (sums->count == sums->room) {
		size_t room = sums->room ? 2 * sums->room : 256;
		struct metric_sum *more = reallocarray(sums->list, room, sizeof(*more));

		if (!more) {
			sums->failed = true;
			return;
		}
		sums->list = more;
		sums->room = room;
	}
	sums->list[sums->count++] = *sum;
}

static void value_text(struct str *to, const struct metric_sum *sum)
{
	if (sum->labels)
		str_addf(to, "%s{%s}", sum->name, sum->labels);
	else
		str_add(to, sum->name);
	str_addf(to, " %" PRId64 "\n", sum->value);
}

/* By name, then labels: a family's stand together. */
static int compare(const void *a, const void *b)
{
	const struct metric_sum *one = a, *other = b;
	int order = strcmp(one->name, other->name);

	return order ? order
		     : strcmp(one->labels ? one->labels : "", other->labels ? other->labels : "");
}

void metrics_text(struct str *to)
{
	struct sums sums = { 0 };

	metrics_each_sum(keep_sum, &sums);
	if (sums.count)
		qsort(sums.list, sums.count, sizeof(*sums.list), compare);
	for (size_t i = 0; i < sums.count; i++) {
		const struct metric_sum *sum = &sums.list[i];

		if (i == 0 || strcmp(sum->name, sum[-1].name))
			str_addf(to, "# HELP %s %s\n# TYPE %s %s\n", sum->name, sum->help,
				 sum->name, sum->kind == METRIC_COUNTER ? "counter" : "gauge");
		value_text(to, sum);
	}
	to->failed = to->failed || sums.failed;
	free(sums.list);
}
