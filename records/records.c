/* SPDX-License-Identifier: Apache-2.0 */
/* records.c - the room's thread: looks at the file of records four times a second. */
#include "records/records.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "records/deliver.h"
#include "records/feed.h"
#include "records/keep.h"

#define LOOK_MS   250
#define KEEP_MS   3600000
#define NODE_ROOM 65
#define LAST_MS   2000 /* for what is still to become rows, at the end */
#define DAY_MS    86400000LL

struct records {
	char *spool, *source;
	struct config_records config; /* texts are own */
	int stop_fd;
	pthread_t thread;
	bool running;

	/* The thread's. */
	struct feed *feed;       /* NULL: no database */
	struct deliver *deliver; /* NULL: no webhook */
	mono_ms keep_at;
};

static wall_ms days_ago(unsigned days)
{
	return days ? clock_wall() - (wall_ms)days * DAY_MS : 0;
}

/* True: rows wait to be kept at once. */
static bool keep(struct records *records, mono_ms now)
{
	const struct config_records *config = &records->config;
	struct keep files = { .expire_before = days_ago(config->keep_days),
			      .mask_before = days_ago(config->mask_days) };
	bool more = false;

	if (now < records->keep_at)
		return false;
	if (records->feed) {
		more = feed_keep(records->feed, now, files.expire_before, files.mask_before);
		files.readers[0] = &records->feed->cursor;
	}
	if (more)
		return true;
	if (records->deliver)
		files.readers[1] = deliver_cursor(records->deliver);
	if (files.expire_before || files.mask_before)
		keep_files(records->spool, &files);
	records->keep_at = now + KEEP_MS;
	return false;
}

/* True: there is more to do at once. */
static bool work(struct records *records)
{
	mono_ms now = clock_now();
	bool more = false;

	if (records->feed)
		more = feed_work(records->feed, now);
	if (records->deliver && deliver_work(records->deliver, now))
		more = true;
	return more || keep(records, now);
}

static void work_to_the_end(struct records *records)
{
	mono_ms until = clock_now() + LAST_MS;

	while (records->feed && feed_work(records->feed, clock_now()) && clock_now() < until)
		;
}

static void *run(void *arg)
{
	struct records *records = arg;
	struct pollfd fds[] = { { .fd = records->stop_fd, .events = POLLIN },
				{ .fd = records->deliver ? deliver_fd(records->deliver) : -1,
				  .events = POLLIN } };

	while (!fds[0].revents) {
		bool more = work(records);

		(void)poll(fds, ARRAY_SIZE(fds), more ? 0 : LOOK_MS); /* EINTR: look again */
	}
	work_to_the_end(records);
	return NULL;
}

static int start_thread(struct records *records)
{
	int err = thread_start(&records->thread, "records", THREAD_PATIENT, run, records);

	records->running = !err;
	return err;
}

/* Copies of the texts that the configuration may take away. */
static int copy_config(struct records *records, const struct config_records *config)
{
	struct config_records *own = &records->config;
	char *const *from[] = { &config->sqlite,
				&config->postgres,
				&config->password_file,
				&config->webhook.url,
				&config->webhook.secret_file,
				&config->webhook.ca_file };
	char **to[] = { &own->sqlite,
			&own->postgres,
			&own->password_file,
			&own->webhook.url,
			&own->webhook.secret_file,
			&own->webhook.ca_file };
	int err = 0;

	*own = *config;
	for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
		*to[i] = str_dup_or_null(*from[i]);
		if (*from[i] && !*to[i])
			err = -ENOMEM;
	}
	return err;
}

static int start_work(struct records *records)
{
	const struct config_records *config = &records->config;
	int err = 0;

	if (config->sqlite || config->postgres) {
		bool postgres = config->postgres;

		records->feed = calloc(1, sizeof(*records->feed));
		if (!records->feed)
			return -ENOMEM;
		records->feed->ops = postgres ? &rows_postgres : &rows_sqlite;
		records->feed->spool = records->spool;
		records->feed->where = (struct rows_where){
			.database = postgres ? config->postgres : config->sqlite,
			.password_file = config->password_file,
			.source = records->source,
		};
	}
	if (config->webhook.url)
		err = deliver_create(&records->deliver, records->spool, &config->webhook);
	return err;
}

/* "tas1:/var/log/breakout/cdr.jsonl" */
static char *source_of(const char *node, const char *spool)
{
	char machine[NODE_ROOM] = "";
	struct str source = { 0 };

	if (!node && !gethostname(machine, sizeof(machine) - 1))
		node = machine;
	str_addf(&source, "%s:%s", node ? node : "", spool);
	return str_take(&source);
}

int records_create(struct records **ret_records, const char *spool, const char *node,
		   const struct config_records *config)
{
	struct records *records = calloc(1, sizeof(*records));
	int err;

	if (!records)
		return -ENOMEM;
	records->stop_fd = eventfd(0, EFD_CLOEXEC);
	records->spool = strdup(spool);
	records->source = source_of(node, spool);
	err = copy_config(records, config);
	if (!err && (!records->spool || !records->source))
		err = -ENOMEM;
	if (!err && records->stop_fd < 0)
		err = -errno;
	if (!err)
		err = start_work(records);
	if (!err)
		err = start_thread(records);
	if (err) {
		records_destroy(records);
		return err;
	}
	*ret_records = records;
	return 0;
}

struct records *records_destroy(struct records *records)
{
	if (!records)
		return NULL;
	if (records->running) {
		eventfd_write(records->stop_fd, 1);
		pthread_join(records->thread, NULL);
	}
	if (records->feed)
		feed_done(records->feed);
	free(records->feed);
	deliver_destroy(records->deliver);
	if (records->stop_fd >= 0)
		close(records->stop_fd);
	free(records->config.sqlite);
	free(records->config.postgres);
	free(records->config.password_file);
	free(records->config.webhook.url);
	free(records->config.webhook.secret_file);
	free(records->config.webhook.ca_file);
	free(records->spool);
	free(records->source);
	free(records);
	return NULL;
}
