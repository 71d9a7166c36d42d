/* SPDX-License-Identifier: Apache-2.0 */
#include "records/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "base/str.h"
#include "records/row.h"

#define LONGEST_PAUSE_MS 300000

static struct metric delivered_total = METRIC_COUNTER_INIT(
	"breakout_records_delivered_total", NULL, "Records a webhook has taken, repeats included");
static struct metric behind =
	METRIC_GAUGE_INIT("breakout_records_behind_bytes", "to=\"webhook\"",
			  "Bytes of the file of records that have not got there yet");

struct deliver {
	const struct config_record_hook *config;
	struct hook_room *room;
	struct hook_ask *ask; /* NULL: none is under way */
	struct cursor cursor;
	bool began;                  /* the position is known */
	struct cursor_position sent; /* what the server has taken */
	char *position_path;
	struct backoff backoff;
	unsigned count; /* of the batch under way */
	mono_ms now;
	bool more;
};

/* ---- the position ---- */

/* "/var/log/breakout/.cdr.jsonl.webhook" */
static char *position_path(const char *spool)
{
	const char *slash = strrchr(spool, '/');
	int folder = slash ? (int)(slash - spool) + 1 : 0;
	struct str path = { 0 };

	str_addf(&path, "%.*s.%s.webhook", folder, spool, spool + folder);
	return str_take(&path);
}

/* Offset, time, then the head: it may hold spaces. False: there is none. */
static bool load_position(struct deliver *deliver)
{
	FILE *file = fopen(deliver->position_path, "re");
	char line[CURSOR_HEAD_ROOM + 64] = "";
	long long offset = 0, changed = 0;
	int used = 0;
	bool found;

	if (!file)
		return false;
	found = fgets(line, sizeof(line), file) &&
		sscanf(line, "%lld %lld %n", &offset, &changed, &used) == 2 && used;
	(void)fclose(file); /* only read from */
	if (!found)
		return false;
	line[strcspn(line, "\n")] = '\0';
	deliver->sent.offset = offset;
	deliver->sent.changed = changed;
	snprintf(deliver->sent.head, sizeof(deliver->sent.head), "%s", line + used);
	return true;
}

/* Whole or not at all, and on the disk before the next batch goes. */
static int save_position(const struct deliver *deliver)
{
	struct str text = { 0 }, temporary = { 0 };
	int fd = -1, err = 0;

	str_addf(&text, "%lld %lld %s\n", (long long)deliver->sent.offset,
		 (long long)deliver->sent.changed, deliver->sent.head);
	str_addf(&temporary, "%s.new", deliver->position_path);
	if (text.failed || temporary.failed)
		err = -ENOMEM;
	if (!err)
		fd = open(temporary.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (!err && (fd < 0 || write(fd, text.text, text.length) != (ssize_t)text.length ||
		     fdatasync(fd) < 0 || rename(temporary.text, deliver->position_path) < 0))
		err = errno ? -errno : -ENOSPC;
	if (fd >= 0)
		close(fd);
	str_done(&text);
	str_done(&temporary);
	return err;
}

static void fail(struct deliver *deliver, const char *why)
{
	if (backoff_failed(&deliver->backoff, deliver->now, LONGEST_PAUSE_MS))
		log_error("records",
			  "records.webhook does not take records: %s; they wait in the file of "
			  "records and are sent again: check that server",
			  why);
	cursor_seek(&deliver->cursor, &deliver->sent);
}

/* ---- batches ---- */

static bool is_record(const char *line)
{
	struct row row = { 0 };
	bool good = row_parse(&row, line) == 0;

	row_done(&row);
	return good;
}

/* {"schema":1,"records":[...]}; what is no record is passed over, the feed tells of it. */
static int add_batch(struct deliver *deliver, struct str *body)
{
	const char *line;
	int got = 1;

	deliver->count = 0;
	str_add(body, "{\"schema\":1,\"records\":[");
	while (deliver->count < deliver->config->batch && body->length < DELIVER_BYTES &&
	       (got = cursor_read(&deliver->cursor, &line)) == 1) {
		if (!is_record(line))
			continue;
		str_add(body, deliver->count++ ? "," : "");
		str_add(body, line);
	}
	str_add(body, "]}");
	return body->failed ? -ENOMEM : got;
}

static const char *why_not(const struct hook_reply *reply, char *text, size_t room)
{
	if (reply->result == HOOK_STATUS)
		snprintf(text, room, "it answers %d", reply->status);
	else
		snprintf(text, room, "%s%s%s", hook_result_name(reply->result),
			 *reply->detail ? ": " : "", reply->detail);
	return text;
}

static void on_reply(const struct hook_reply *reply, void *arg)
{
	struct deliver *deliver = arg;
	char why[256];
	int err;

	deliver->ask = NULL;
	if (reply->result != HOOK_ANSWERED) {
		fail(deliver, why_not(reply, why, sizeof(why)));
		return;
	}
	metric_add(&delivered_total, deliver->count);
	deliver->sent = deliver->cursor.at;
	deliver->more = true;
	err = save_position(deliver);
	if (err)
		log_error("records",
			  "%s cannot be written: %s; after a restart records are sent again",
			  deliver->position_path, strerror(-err));
	if (backoff_worked(&deliver->backoff))
		log_notice("records", "records.webhook takes records again");
}

/* 0, or why it could not even be tried. */
static int post(struct deliver *deliver, const char *body)
{
	char secret[SECRET_ROOM] = "";
	const struct config_record_hook *config = deliver->config;
	struct hook_request request = { .url = config->url,
					.ca_file = config->ca_file,
					.deadline_ms = config->deadline_ms,
					.connections = 1,
					.body = body };
	int err = config->secret_file ? secret_read(config->secret_file, secret) : 0;

	if (err)
		return err;
	request.secret = config->secret_file ? secret : NULL;
	err = hook_post(&deliver->ask, deliver->room, &request, on_reply, deliver);
	explicit_bzero(secret, sizeof(secret));
	return err;
}

static void send_batch(struct deliver *deliver)
{
	struct str body = { 0 };
	int got = add_batch(deliver, &body), err;

	deliver->more = false;
	if (got == 0 && !deliver->count)
		deliver->sent = deliver->cursor.at; /* broken lines only, or nothing */
	metric_set(&behind, got == 0 && !deliver->count ? 0 : cursor_behind(&deliver->cursor));
	err = got < 0 ? got : deliver->count ? post(deliver, body.text) : 0;
	if (err)
		fail(deliver, strerror(-err));
	str_done(&body);
}

/* The first time what is there already is passed over: a new server is no archive. */
static bool begin(struct deliver *deliver)
{
	int err;

	if (deliver->began)
		return true;
	err = load_position(deliver) ? 0 : cursor_skip(&deliver->cursor);
	if (!err && !*deliver->sent.head) {
		deliver->sent = deliver->cursor.at;
		err = save_position(deliver);
	}
	if (err) {
		fail(deliver, strerror(-err));
		return false;
	}
	cursor_seek(&deliver->cursor, &deliver->sent);
	deliver->began = true;
	return true;
}

bool deliver_work(struct deliver *deliver, mono_ms now)
{
	deliver->now = now;
	hook_room_drain(deliver->room);
	if (!deliver->ask && backoff_passes(&deliver->backoff, now) && begin(deliver))
		send_batch(deliver);
	return deliver->more && !deliver->ask;
}

/* ---- the whole ---- */

int deliver_fd(const struct deliver *deliver)
{
	return hook_room_fd(deliver->room);
}

const struct cursor *deliver_cursor(const struct deliver *deliver)
{
	return &deliver->cursor;
}

int deliver_create(struct deliver **ret_deliver, const char *spool,
		   const struct config_record_hook *config)
{
	struct deliver *deliver = calloc(1, sizeof(*deliver));
	int err;

	if (!deliver)
		return -ENOMEM;
	deliver->config = config;
	deliver->position_path = position_path(spool);
	err = deliver->position_path ? cursor_init(&deliver->cursor, spool, &deliver->sent)
				     : -ENOMEM;
	if (!err)
		err = hook_room_create(&deliver->room);
	if (err) {
		deliver_destroy(deliver);
		return err;
	}
	*ret_deliver = deliver;
	return 0;
}

struct deliver *deliver_destroy(struct deliver *deliver)
{
	if (!deliver)
		return NULL;
	deliver->ask = hook_cancel(deliver->ask);
	hook_room_destroy(deliver->room);
	cursor_done(&deliver->cursor);
	free(deliver->position_path);
	free(deliver);
	return NULL;
}
