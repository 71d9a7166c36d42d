/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics_others.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

/* A metric that others have; we may have it too. */
struct row {
	struct row *next;
	char *name, *labels, *help; /* labels: "" for none */
	enum metric_kind kind;
	int64_t left;                   /* by ended ones; of a counter */
	int64_t of[METRICS_OTHERS_MAX]; /* the living ones', as in `processes` */
	bool ours_too;                  /* while sums are made */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int processes[METRICS_OTHERS_MAX]; /* 0: none */
static struct row *rows;
static struct str_map *by_key; /* NULL: there has never been another process */

static char *key_of(struct str *key, const char *name, const char *labels)
{
	key->length = 0;
	str_addf(key, "%s{%s", name, labels ? labels : "");
	return key->failed ? NULL : key->text;
}

/* NULL: nobody else has it. */
static struct row *find(struct str *key, const char *name, const char *labels)
{
	const char *text = by_key ? key_of(key, name, labels) : NULL;

	return text ? str_map_find(by_key, text) : NULL;
}

static void row_free(struct row *row)
{
	free(row->name);
	free(row->labels);
	free(row->help);
	free(row);
}

static struct row *add(struct str *key, const char *name, const char *labels, const char *help,
		       enum metric_kind kind)
{
	struct row *row = calloc(1, sizeof(*row));
	const char *text = key_of(key, name, labels);

	if (!row || !text)
		goto fail;
	row->name = strdup(name);
	row->labels = strdup(labels);
	row->help = strdup(help);
	row->kind = kind;
	if (!row->name || !row->labels || !row->help || str_map_put(by_key, text, row) < 0)
		goto fail;
	row->next = rows;
	rows = row;
	return row;
fail:
	if (row)
		row_free(row);
	return NULL;
}

static int64_t others_have(const struct row *row)
{
	int64_t sum = row->left;

	for (size_t i = 0; i < METRICS_OTHERS_MAX; i++)
		sum += row->of[i];
	return sum;
}

/* ---- sums ---- */

struct summing {
	void (*visit)(const struct metric_sum *sum, void *arg);
	void *arg;
	struct str key;
};

static void sum_ours(const struct metric *metric, void *arg)
{
	struct summing *summing = arg;
	struct row *row = metric->kind == METRIC_GAUGE
				  ? NULL
				  : find(&summing->key, metric->name, metric->labels);
	const struct metric_sum sum = { .name = metric->name,
					.labels = metric->labels,
					.help = metric->help ? metric->help : "",
					.kind = metric->kind,
					.value =
						metric_get(metric) + (row ? others_have(row) : 0) };

	if (row)
		row->ours_too = true;
	summing->visit(&sum, summing->arg);
}

void metrics_each_sum(void (*visit)(const struct metric_sum *sum, void *arg), void *arg)
{
	struct summing summing = { .visit = visit, .arg = arg };

	pthread_mutex_lock(&lock);
	for (struct row *row = rows; row; row = row->next)
		row->ours_too = false;
	metrics_each(sum_ours, &summing);
	for (const struct row *row = rows; row; row = row->next) {
		const struct metric_sum sum = { .name = row->name,
						.labels = row->labels[0] ? row->labels : NULL,
						.help = row->help,
						.kind = row->kind,
						.value = others_have(row) };

		if (!row->ours_too)
			visit(&sum, arg);
	}
	pthread_mutex_unlock(&lock);
	str_done(&summing.key);
}

int64_t metric_sum(const struct metric *metric)
{
	struct str key = { 0 };
	const struct row *row;
	int64_t others;

	pthread_mutex_lock(&lock);
	row = find(&key, metric->name, metric->labels);
	others = row ? others_have(row) : 0;
	pthread_mutex_unlock(&lock);
	str_done(&key);
	return metric_get(metric) + others;
}

/* ---- to a process that takes our place ---- */

struct telling {
	bool all;
	struct packing packing;
	struct str key;
};

static void tell(struct telling *telling, const struct metric_sum *sum)
{
	struct str *piece = &telling->packing.piece;

	pack_text(piece, sum->name);
	pack_text(piece, sum->labels);
	pack_text(piece, sum->help);
	pack_number(piece, sum->kind == METRIC_COUNTER);
	pack_number(piece, (uint64_t)sum->value);
	packing_next(&telling->packing);
}

static int tell_end(struct telling *telling)
{
	str_done(&telling->key);
	return packing_end(&telling->packing);
}

static void tell_ours(struct metric *metric, void *arg)
{
	struct telling *telling = arg;
	struct row *row;
	int64_t value = metric_get(metric);

	if (metric->kind == METRIC_GAUGE)
		return;
	row = find(&telling->key, metric->name, metric->labels);
	if (row) {
		row->ours_too = true;
		value += row->left;
	}
	if (!telling->all && value == metric->told)
		return;
	metric->told = value;
	tell(telling, &(struct metric_sum){ metric->name, metric->labels, metric->help,
					    metric->kind, value });
}

static void tell_row(struct telling *telling, const struct row *row, int64_t value)
{
	tell(telling, &(struct metric_sum){ row->name, row->labels, row->help, row->kind, value });
}

int metrics_tell(bool all, int (*send)(const struct str *packed, void *arg), void *arg)
{
	struct telling telling = { .all = all, .packing = { .send = send, .arg = arg } };

	pthread_mutex_lock(&lock);
	for (struct row *row = rows; row; row = row->next)
		row->ours_too = false;
	metrics_each_own(tell_ours, &telling);
	for (const struct row *row = rows; row && all; row = row->next)
		if (!row->ours_too && row->kind == METRIC_COUNTER)
			tell_row(&telling, row, row->left);
	pthread_mutex_unlock(&lock);
	return tell_end(&telling);
}

/* Its place among `processes`; -1: it has none. */
static int place_of(int process)
{
	for (int i = 0; i < METRICS_OTHERS_MAX; i++)
		if (processes[i] == process)
			return i;
	return -1;
}

int metrics_tell_of(int process, int (*send)(const struct str *packed, void *arg), void *arg)
{
	struct telling telling = { .packing = { .send = send, .arg = arg } };
	int place;

	pthread_mutex_lock(&lock);
	place = place_of(process);
	for (const struct row *row = rows; row && place >= 0; row = row->next)
		tell_row(&telling, row, row->of[place]);
	pthread_mutex_unlock(&lock);
	return tell_end(&telling);
}

/* ---- from those whose place we have ---- */

static int take_row(struct unpack *from, int place, struct str *key)
{
	char name[128], labels[512], help[512];
	enum metric_kind kind;
	int64_t value;
	struct row *row;

	unpack_text(from, name, sizeof(name));
	unpack_text(from, labels, sizeof(labels));
	unpack_text(from, help, sizeof(help));
	kind = unpack_number(from) ? METRIC_COUNTER : METRIC_GAUGE_SUM;
	value = (int64_t)unpack_number(from);
	if (from->failed)
		return -EPROTO;
	row = find(key, name, labels);
	if (!row)
		row = add(key, name, labels, help, kind);
	if (!row)
		return -ENOMEM;
	row->of[place] = value;
	return 0;
}

/* Under the lock. */
static int take(int process, struct unpack *from)
{
	struct str key = { 0 };
	int err = by_key ? 0 : str_map_create(&by_key);
	int place = place_of(process);

	if (place < 0)
		place = place_of(0);
	if (place < 0)
		return -ENOSPC;
	while (!err && from->at < from->end) {
		processes[place] = process;
		err = take_row(from, place, &key);
	}
	str_done(&key);
	return err;
}

int metrics_take(int process, struct unpack *from)
{
	int err;

	pthread_mutex_lock(&lock);
	err = take(process, from);
	pthread_mutex_unlock(&lock);
	return err;
}

static void forget(int process, bool keep)
{
	int place;

	pthread_mutex_lock(&lock);
	place = place_of(process);
	for (struct row *row = rows; row && place >= 0; row = row->next) {
		if (keep && row->kind == METRIC_COUNTER)
			row->left += row->of[place];
		row->of[place] = 0;
	}
	if (place >= 0)
		processes[place] = 0;
	pthread_mutex_unlock(&lock);
}

void metrics_other_ended(int process)
{
	forget(process, true);
}

void metrics_other_left(int process)
{
	forget(process, false);
}
