/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/traced/numbers.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"

/* A shorter number is the end of too many others. */
#define PREFIXED_DIGITS 7

struct numbers {
	char *path;
	pthread_mutex_t save_lock; /* taken first; never by the SIP thread */
	pthread_mutex_t lock;      /* of the list */
	struct traced_order orders[TRACED_NUMBERS_MAX];
	size_t count;
	_Atomic bool any;
};

/* ---- the list; under its lock ---- */

static void remove_at(struct numbers *numbers, size_t at)
{
	numbers->orders[at] = numbers->orders[--numbers->count];
	atomic_store(&numbers->any, numbers->count > 0);
}

static bool is_over(const struct traced_order *order, wall_ms now)
{
	return now >= order->until || (order->calls && order->seen >= order->calls);
}

static void drop_ended(struct numbers *numbers)
{
	wall_ms now = clock_wall();

	for (size_t i = numbers->count; i-- > 0;) {
		const struct traced_order *order = &numbers->orders[i];
		char masked[32];

		if (!is_over(order, now))
			continue;
		e164_mask(order->number, masked, sizeof(masked));
		log_notice("trace", "trace of=%s has ended: calls=%u by=%s", masked, order->seen,
			   order->who);
		remove_at(numbers, i);
	}
}

static struct traced_order *find(struct numbers *numbers, const char *number)
{
	for (size_t i = 0; i < numbers->count; i++)
		if (!strcmp(numbers->orders[i].number, number))
			return &numbers->orders[i];
	return NULL;
}

/* The core puts a prefix before a number in its request URIs. */
static bool ends_with(const char *user, const char *number)
{
	const char *digits = number + 1; /* after the plus */
	size_t length = strlen(user), wanted = strlen(digits);

	if (!strcmp(user, number) || !strcmp(user, digits))
		return true;
	return wanted >= PREFIXED_DIGITS && length > wanted &&
	       !strcmp(user + length - wanted, digits) &&
	       strspn(user + (*user == '+'), "0123456789") == length - (*user == '+');
}

/* ---- the door ---- */

bool numbers_any(const struct numbers *numbers)
{
	return atomic_load_explicit(&numbers->any, memory_order_relaxed);
}

bool numbers_wants(struct numbers *numbers, const char *user, char ret_number[static E164_ROOM])
{
	bool wanted = false;

	pthread_mutex_lock(&numbers->lock);
	drop_ended(numbers);
	for (size_t i = 0; i < numbers->count && !wanted; i++) {
		wanted = ends_with(user, numbers->orders[i].number);
		if (wanted)
			strcpy(ret_number, numbers->orders[i].number);
	}
	pthread_mutex_unlock(&numbers->lock);
	return wanted;
}

bool numbers_count(struct numbers *numbers, const char *number)
{
	struct traced_order *order;

	pthread_mutex_lock(&numbers->lock);
	order = find(numbers, number);
	if (order)
		order->seen++;
	pthread_mutex_unlock(&numbers->lock);
	return order != NULL;
}

int numbers_put(struct numbers *numbers, const struct traced_order *order)
{
	struct traced_order *place;
	int err = 0;

	pthread_mutex_lock(&numbers->lock);
	drop_ended(numbers);
	place = find(numbers, order->number);
	if (!place && numbers->count < TRACED_NUMBERS_MAX)
		place = &numbers->orders[numbers->count++];
	if (place)
		*place = *order;
	else
		err = -ENOSPC;
	atomic_store(&numbers->any, numbers->count > 0);
	pthread_mutex_unlock(&numbers->lock);
	return err;
}

size_t numbers_remove(struct numbers *numbers, const char *number)
{
	size_t removed = 0;

	pthread_mutex_lock(&numbers->lock);
	drop_ended(numbers);
	for (size_t i = numbers->count; i-- > 0;) {
		if (number && strcmp(numbers->orders[i].number, number) != 0)
			continue;
		remove_at(numbers, i);
		removed++;
	}
	pthread_mutex_unlock(&numbers->lock);
	return removed;
}

size_t numbers_list(struct numbers *numbers, struct traced_order *ret_orders)
{
	size_t count;

	pthread_mutex_lock(&numbers->lock);
	drop_ended(numbers);
	count = numbers->count;
	memcpy(ret_orders, numbers->orders, count * sizeof(*ret_orders));
	pthread_mutex_unlock(&numbers->lock);
	return count;
}

/* ---- the file: a line an order ---- */

static int write_all(int fd, const struct str *text)
{
	size_t done = 0;

	while (done < text->length) {
		ssize_t n = write(fd, text->text + done, text->length - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* All or nothing: what a crash leaves is the old file, or the new one. */
static int replace_file(const char *path, const struct str *text)
{
	char aside[4096];
	int fd, err;

	if ((size_t)snprintf(aside, sizeof(aside), "%s.new", path) >= sizeof(aside))
		return -ENAMETOOLONG;
	(void)unlink(aside); /* a crash's, or somebody's link */
	fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, text);
	close(fd);
	if (!err && rename(aside, path) < 0)
		err = -errno;
	if (err)
		(void)unlink(aside);
	return err;
}

int numbers_save(struct numbers *numbers)
{
	struct traced_order *orders = calloc(TRACED_NUMBERS_MAX, sizeof(*orders));
	struct str text = { 0 };
	size_t count;
	int err;

	if (!orders)
		return -ENOMEM;
	pthread_mutex_lock(&numbers->save_lock);
	count = numbers_list(numbers, orders);
	str_add(&text, "# numbers whose calls are traced: until, since (ms), calls, seen, by\n");
	for (size_t i = 0; i < count; i++)
		str_addf(&text, "%s %lld %lld %u %u %s\n", orders[i].number,
			 (long long)orders[i].until, (long long)orders[i].since, orders[i].calls,
			 orders[i].seen, orders[i].who);
	err = text.failed ? -ENOMEM : replace_file(numbers->path, &text);
	pthread_mutex_unlock(&numbers->save_lock);
	str_done(&text);
	free(orders);
	return err;
}

static void take_line(struct numbers *numbers, const char *line)
{
	struct traced_order order = { .since = 0 };
	long long until, since;

	if (sscanf(line, "%16s %lld %lld %u %u %63s", order.number, &until, &since, &order.calls,
		   &order.seen, order.who) != 6 ||
	    !e164_valid(order.number) || numbers->count == TRACED_NUMBERS_MAX)
		return;
	order.until = until;
	order.since = since;
	if (!is_over(&order, clock_wall())) /* the file is written with the next order */
		numbers->orders[numbers->count++] = order;
}

static void read_file(struct numbers *numbers)
{
	FILE *file = fopen(numbers->path, "re");
	char line[256];

	if (!file) {
		if (errno != ENOENT && errno != ENOTDIR)
			log_error("trace", "numbers to trace cannot be read from %s: %s",
				  numbers->path, strerror(errno));
		return;
	}
	while (fgets(line, sizeof(line), file))
		take_line(numbers, line);
	fclose(file);
	atomic_store(&numbers->any, numbers->count > 0);
}

int numbers_create(struct numbers **ret_numbers, const char *path)
{
	struct numbers *numbers = calloc(1, sizeof(*numbers));

	if (!numbers)
		return -ENOMEM;
	pthread_mutex_init(&numbers->lock, NULL);
	pthread_mutex_init(&numbers->save_lock, NULL);
	atomic_init(&numbers->any, false);
	numbers->path = strdup(path);
	if (!numbers->path) {
		free(numbers);
		return -ENOMEM;
	}
	read_file(numbers);
	*ret_numbers = numbers;
	return 0;
}

struct numbers *numbers_destroy(struct numbers *numbers)
{
	if (!numbers)
		return NULL;
	pthread_mutex_destroy(&numbers->lock);
	pthread_mutex_destroy(&numbers->save_lock);
	free(numbers->path);
	free(numbers);
	return NULL;
}
