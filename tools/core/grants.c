/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/grants.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

/* Of an event, in a queue. */
struct delivery {
	mono_ms sent_ms; /* 0: not now on its way */
	bool sent, acked;
};

struct queue {
	struct queue *next;
	char name[GRANT_QUEUE_ROOM];
	struct delivery *deliveries; /* one an event, as far as there is room */
	size_t room;
};

struct happened {
	uint64_t number;
	enum grant_kind kind;
	wall_ms at;
};

struct grants {
	pthread_mutex_t lock;
	struct happened *events;
	size_t count, room;
	uint64_t *given; /* ascending */
	size_t given_count;
	struct queue *queues;
};

int grants_create(struct grants **ret_grants)
{
	struct grants *grants = calloc(1, sizeof(*grants));

	if (!grants)
		return -ENOMEM;
	pthread_mutex_init(&grants->lock, NULL);
	*ret_grants = grants;
	return 0;
}

struct grants *grants_destroy(struct grants *grants)
{
	if (!grants)
		return NULL;
	while (grants->queues) {
		struct queue *queue = grants->queues;

		grants->queues = queue->next;
		free(queue->deliveries);
		free(queue);
	}
	free(grants->events);
	free(grants->given);
	pthread_mutex_destroy(&grants->lock);
	free(grants);
	return NULL;
}

/* ---- changes ---- */

static size_t place_of(const struct grants *grants, uint64_t number)
{
	size_t i = 0;

	while (i < grants->given_count && grants->given[i] < number)
		i++;
	return i;
}

static int reserve(struct grants *grants)
{
	size_t room = grants->room ? grants->room * 2 : 64;
	struct happened *events;
	uint64_t *given;

	if (grants->count < grants->room)
		return 0;
	events = reallocarray(grants->events, room, sizeof(*events));
	if (!events)
		return -ENOMEM;
	grants->events = events;
	given = reallocarray(grants->given, room, sizeof(*given)); /* no more than events */
	if (!given)
		return -ENOMEM;
	grants->given = given;
	grants->room = room;
	return 0;
}

static int change(struct grants *grants, uint64_t number, enum grant_kind kind)
{
	size_t i = place_of(grants, number);
	bool there = i < grants->given_count && grants->given[i] == number;
	int err = kind != GRANT_ADDED && !there ? -ENOENT : reserve(grants);

	if (err)
		return err;
	if (kind == GRANT_ADDED && !there) {
		memmove(&grants->given[i + 1], &grants->given[i],
			(grants->given_count++ - i) * sizeof(*grants->given));
		grants->given[i] = number;
	} else if (kind == GRANT_REVOKED) {
		memmove(&grants->given[i], &grants->given[i + 1],
			(--grants->given_count - i) * sizeof(*grants->given));
	}
	grants->events[grants->count++] = (struct happened){ number, kind, clock_wall() };
	return 0;
}

int grants_change(struct grants *grants, const char *number, enum grant_kind kind)
{
	uint64_t packed = e164_pack(number);
	int err = packed ? 0 : -EINVAL;

	pthread_mutex_lock(&grants->lock);
	if (!err)
		err = change(grants, packed, kind);
	pthread_mutex_unlock(&grants->lock);
	return err;
}

/* ---- queues ---- */

/* NULL: there is none, or no memory for it. */
static struct queue *find_queue(struct grants *grants, const char *name, bool make)
{
	struct queue *queue = grants->queues;

	while (queue && strcmp(queue->name, name) != 0)
		queue = queue->next;
	if (queue || !make)
		return queue;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return NULL;
	snprintf(queue->name, sizeof(queue->name), "%s", name);
	queue->next = grants->queues;
	return grants->queues = queue;
}

static bool keep_up(const struct grants *grants, struct queue *queue)
{
	struct delivery *grown;

	if (queue->room >= grants->count)
		return true;
	grown = reallocarray(queue->deliveries, grants->room, sizeof(*grown));
	if (!grown)
		return false;
	memset(&grown[queue->room], 0, (grants->room - queue->room) * sizeof(*grown));
	queue->deliveries = grown;
	queue->room = grants->room;
	return true;
}

static void subscription_of(uint64_t number, char ret_id[static GRANT_ID_ROOM])
{
	snprintf(ret_id, GRANT_ID_ROOM, "pairwise-%08" PRIx32,
		 (uint32_t)hash_bytes(&number, sizeof(number)));
}

static void deliver(const struct grants *grants, struct queue *queue, size_t i,
		    struct grant_event *ret_event)
{
	const struct happened *event = &grants->events[i];
	struct delivery *delivery = &queue->deliveries[i];

	memset(ret_event, 0, sizeof(*ret_event));
	ret_event->kind = event->kind;
	ret_event->at = event->at;
	ret_event->again = delivery->sent;
	e164_unpack(event->number, ret_event->number);
	subscription_of(event->number, ret_event->subscription);
	snprintf(ret_event->ack, sizeof(ret_event->ack), "%s/%zu", queue->name, i);
	delivery->sent = true;
	delivery->sent_ms = clock_now();
}

static bool next_of(struct grants *grants, struct queue *queue, unsigned max_in_flight,
		    struct grant_event *ret_event)
{
	mono_ms now = clock_now();
	size_t found = grants->count, in_flight = 0;

	for (size_t i = grants->count; i-- > 0;) {
		const struct delivery *delivery = &queue->deliveries[i];

		if (delivery->acked)
			continue;
		if (delivery->sent_ms && now - delivery->sent_ms < GRANT_AGAIN_MS)
			in_flight++;
		else
			found = i;
	}
	if (found == grants->count || in_flight >= max_in_flight)
		return false;
	deliver(grants, queue, found, ret_event);
	return true;
}

bool grants_next(struct grants *grants, const char *name, unsigned max_in_flight,
		 struct grant_event *ret_event)
{
	struct queue *queue;
	bool any;

	pthread_mutex_lock(&grants->lock);
	queue = find_queue(grants, name, /* make= */ true);
	any = queue && keep_up(grants, queue) && next_of(grants, queue, max_in_flight, ret_event);
	pthread_mutex_unlock(&grants->lock);
	return any;
}

bool grants_ack(struct grants *grants, const char *ack)
{
	const char *slash = strrchr(ack, '/');
	char name[GRANT_QUEUE_ROOM], *rest = NULL;
	struct queue *queue;
	size_t i;
	bool known;

	if (!slash || (size_t)(slash - ack) >= sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(slash - ack), ack);
	i = strtoul(slash + 1, &rest, 10);
	pthread_mutex_lock(&grants->lock);
	queue = find_queue(grants, name, /* make= */ false);
	known = queue && rest != slash + 1 && !*rest && i < grants->count && i < queue->room;
	if (known)
		queue->deliveries[i].acked = true;
	pthread_mutex_unlock(&grants->lock);
	return known;
}

void grants_cut(struct grants *grants, const char *name)
{
	struct queue *queue;

	pthread_mutex_lock(&grants->lock);
	queue = find_queue(grants, name, /* make= */ false);
	for (size_t i = 0; queue && i < queue->room; i++)
		queue->deliveries[i].sent_ms = 0;
	pthread_mutex_unlock(&grants->lock);
}

/* ---- questions ---- */

size_t grants_page(struct grants *grants, size_t from, char (*ret_ids)[GRANT_ID_ROOM], size_t room,
		   size_t *ret_count)
{
	size_t count = 0, next;

	pthread_mutex_lock(&grants->lock);
	while (count < room && from + count < grants->given_count) {
		subscription_of(grants->given[from + count], ret_ids[count]);
		count++;
	}
	next = from + count < grants->given_count ? from + count : 0;
	pthread_mutex_unlock(&grants->lock);
	*ret_count = count;
	return next;
}

void grants_counts(struct grants *grants, struct grants_counts *ret_counts)
{
	pthread_mutex_lock(&grants->lock);
	*ret_counts =
		(struct grants_counts){ .given = grants->given_count, .events = grants->count };
	for (const struct queue *queue = grants->queues; queue; queue = queue->next)
		for (size_t i = 0; i < grants->count; i++)
			ret_counts->waiting += i >= queue->room || !queue->deliveries[i].acked;
	pthread_mutex_unlock(&grants->lock);
}

void grants_each(struct grants *grants, void (*visit)(const char *number, void *arg), void *arg)
{
	char number[E164_ROOM];

	pthread_mutex_lock(&grants->lock);
	for (size_t i = 0; i < grants->given_count; i++) {
		e164_unpack(grants->given[i], number);
		visit(number, arg);
	}
	pthread_mutex_unlock(&grants->lock);
}
