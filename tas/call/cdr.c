/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/call/cdr.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/json_mask.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/metrics.h"
#include "base/str.h"
#include "base/thread.h"
#include "tas/call/cdr_file.h"
#include "tas/call/cdr_open.h"

#define LOOK_MS 1000 /* at the file of a process that writes beside us */

static struct metric lost_total =
	METRIC_COUNTER_INIT("breakout_cdr_lost_total", NULL, "Call records that reached no disk");

/* Slots nobody has; the SIP thread's. */
struct slots {
	unsigned *unused;
	size_t count, room;
	unsigned issued;
};

struct line_mail;
struct cdr_writer {
	struct mailbox *mailbox;
	pthread_t thread;
	bool running; /* the thread exists */
	bool masks;   /* no number is written whole */
	struct slots slots;

	/* Writer's thread. */
	struct cdr_file file;
	struct cdr_open open;
	unsigned number;         /* of that file */
	bool watches_others;     /* other processes may have the others */
	mono_ms look_at;         /* at them */
	struct line_mail *ended; /* their lines wait; then their slots are emptied */
	bool stop;
};

struct line_mail {
	struct mail mail;
	char *text;            /* with newline; NULL: stop. Of a call that goes on: without */
	unsigned slot;         /* 0: none */
	bool goes_on, again;   /* again: the slot has one of the same call */
	wall_ms start, answer; /* of a call that goes on */
	struct line_mail *next;
};

static void lose(void)
{
	metric_add(&lost_total, 1);
}

/* ---- the writer's thread ---- */

static void line_free(struct line_mail *line)
{
	free(line->text);
	free(line);
}

/* A slot that is used again before its record could be written. */
static void forget_ended(struct cdr_writer *writer, unsigned slot)
{
	for (struct line_mail **at = &writer->ended; *at; at = &(*at)->next) {
		struct line_mail *ended = *at;

		if (ended->slot != slot)
			continue;
		*at = ended->next;
		cdr_open_clear(&writer->open, slot - 1);
		line_free(ended);
		return;
	}
}

static void clear_ended(struct cdr_writer *writer)
{
	while (writer->ended && !writer->file.kept.length) {
		struct line_mail *ended = writer->ended;

		writer->ended = ended->next;
		cdr_open_clear(&writer->open, ended->slot - 1);
		line_free(ended);
	}
}

/* What came while the disk was slow may be more than the file keeps for a disk that
 * refuses: some of it is written first. */
static int add(struct cdr_file *file, const char *line)
{
	int err = cdr_file_add(file, line);

	if (err != -ENOBUFS)
		return err;
	cdr_file_work(file, clock_now());
	return cdr_file_add(file, line);
}

static void on_line(struct mail *mail, void *receiver)
{
	struct line_mail *line = CONTAINER_OF(mail, struct line_mail, mail);
	struct cdr_writer *writer = receiver;

	if (line->goes_on) {
		if (!line->again)
			forget_ended(writer, line->slot);
		cdr_open_put(&writer->open, line->slot - 1,
			     &(struct cdr_open_call){ .start = line->start,
						      .answer = line->answer,
						      .line = line->text,
						      .again = line->again });
	} else if (!line->text) {
		writer->stop = true;
	} else if (add(&writer->file, line->text) < 0) {
		lose();
	}
	if (line->slot && !line->goes_on) {
		line->next = writer->ended;
		writer->ended = line;
	} else {
		line_free(line);
	}
}

static int sooner(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static void recover(struct cdr_writer *writer, struct cdr_open *open_calls);

/* What a process left that wrote beside us, or before us; it has the lock while it lives.
 * True: it may. */
static bool look_at_other(struct cdr_writer *writer, unsigned number)
{
	struct cdr_open other = { .fd = -1 };
	int err;

	if (!cdr_open_is_there(writer->file.path, number))
		return false;
	err = cdr_open_create(&other, writer->file.path, number);
	if (!err)
		recover(writer, &other);
	cdr_open_destroy(&other);
	return err;
}

static void look_at_others(struct cdr_writer *writer)
{
	writer->watches_others = false;
	for (unsigned number = 1; number <= CDR_OPEN_FILES; number++)
		if (number != writer->number && look_at_other(writer, number))
			writer->watches_others = true;
}

static int look_ms(struct cdr_writer *writer, mono_ms now)
{
	if (!writer->watches_others)
		return -1;
	if (now >= writer->look_at) {
		writer->look_at = now + LOOK_MS;
		look_at_others(writer);
	}
	return (int)(writer->look_at - now);
}

static void *run(void *arg)
{
	struct cdr_writer *writer = arg;
	struct pollfd pfd = { .fd = mailbox_fd(writer->mailbox), .events = POLLIN };

	while (!writer->stop) {
		mono_ms now = clock_now();
		int wait_ms = sooner(cdr_file_wait_ms(&writer->file, now),
				     cdr_open_beat(&writer->open, now));

		wait_ms = sooner(wait_ms, look_ms(writer, now));
		(void)poll(&pfd, 1, wait_ms); /* EINTR: look again */
		mailbox_drain(writer->mailbox, 0);
		cdr_file_work(&writer->file, clock_now());
		clear_ended(writer);
	}
	return NULL;
}

/* ---- the SIP thread ---- */

/* 0: no memory. */
static unsigned slot_take(struct slots *slots)
{
	unsigned *more;

	if (slots->count)
		return slots->unused[--slots->count];
	if (slots->issued == slots->room) {
		more = reallocarray(slots->unused, slots->room * 2 + 64, sizeof(*more));
		if (!more)
			return 0;
		slots->unused = more;
		slots->room = slots->room * 2 + 64;
	}
	return ++slots->issued;
}

static void slot_give(struct slots *slots, unsigned slot)
{
	slots->unused[slots->count++] = slot; /* there is room for all that were issued */
}

static int post(struct cdr_writer *writer, const struct line_mail *what)
{
	struct line_mail *line = malloc(sizeof(*line));

	if (!line) {
		free(what->text);
		return -ENOMEM;
	}
	*line = *what;
	line->mail.deliver = on_line;
	mailbox_post(writer->mailbox, &line->mail);
	return 0;
}

/* A copy, as it may be written; NULL: no memory. */
static char *as_written(const struct cdr_writer *writer, const char *line, const char *end)
{
	struct str text = { 0 };

	if (!line)
		return NULL;
	str_reserve(&text, strlen(line) + strlen(end));
	if (writer->masks)
		json_mask(&text, line);
	else
		str_add(&text, line);
	str_add(&text, end);
	return str_take(&text);
}

void cdr_write(struct cdr_writer *writer, const char *line, unsigned slot)
{
	char *taken = as_written(writer, line, "\n");

	if (!taken || post(writer, &(struct line_mail){ .text = taken, .slot = slot }) < 0)
		lose(); /* the slot stays: a start after a kill would write what is in it */
	else if (slot)
		slot_give(&writer->slots, slot);
}

unsigned cdr_answered(struct cdr_writer *writer, wall_ms start, wall_ms answer, const char *line,
		      unsigned slot)
{
	struct line_mail mail = {
		.slot = slot, .goes_on = true, .again = slot, .start = start, .answer = answer
	};

	if (line && !slot)
		mail.slot = slot_take(&writer->slots);
	if (!line || !mail.slot)
		return slot; /* what was known before stays */
	mail.text = as_written(writer, line, "");
	if (mail.text && post(writer, &mail) == 0)
		return mail.slot;
	if (!slot)
		slot_give(&writer->slots, mail.slot);
	return slot;
}

struct recovery {
	struct cdr_file *file;
	unsigned found, lost;
};

static void on_found(const char *line, void *arg)
{
	struct recovery *recovery = arg;

	recovery->found++;
	if (!line || cdr_file_add(recovery->file, line) < 0)
		recovery->lost++;
	cdr_file_work(recovery->file, clock_now());
}

/* What a killed process left. */
static void recover(struct cdr_writer *writer, struct cdr_open *open_calls)
{
	struct recovery recovery = { .file = &writer->file };
	const char *path = writer->file.path;

	cdr_open_recover(open_calls, path, on_found, &recovery);
	if (recovery.lost || writer->file.kept.length) {
		log_error("call",
			  "cdr file=%s: the records of %u calls that a killed process left could "
			  "not all be written: they are kept in %s for the next start",
			  path, recovery.found, open_calls->path);
		cdr_open_leave(open_calls);
		return;
	}
	cdr_open_forget(open_calls);
	if (recovery.found)
		log_notice("call",
			   "cdr file=%s: %u calls were going on when the process was killed; their "
			   "records say interrupted",
			   path, recovery.found);
}

/* The writer's thread does not run yet. */
static void keep_open_calls(struct cdr_writer *writer, const char *path, bool beside)
{
	int err;

	writer->number = 1;
	err = cdr_open_create(&writer->open, path, writer->number);
	while (err == -EBUSY && beside && writer->number < CDR_OPEN_FILES) {
		cdr_open_destroy(&writer->open);
		err = cdr_open_create(&writer->open, path, ++writer->number);
	}
	if (!err) {
		recover(writer, &writer->open);
		look_at_others(writer);
	} else {
		log_error("call",
			  "calls that go on cannot be kept beside cdr file=%s, a kill would leave "
			  "no record of them: %s",
			  path,
			  err == -EBUSY ? "another daemon writes that file: give each its own"
					: strerror(-err));
	}
}

static int create(struct cdr_writer **ret_writer, const char *path,
		  const struct config_records *config, bool beside)
{
	struct cdr_writer *writer = calloc(1, sizeof(*writer));
	int err;

	if (!writer)
		return -ENOMEM;
	writer->open.fd = -1;
	err = cdr_file_open(&writer->file, path);
	if (err)
		goto fail;
	writer->file.rotate_daily = config && config->rotate_daily;
	writer->file.rotate_bytes = config ? config->rotate_bytes : 0;
	writer->masks = config && config->mask_at_once;
	keep_open_calls(writer, path, beside);
	err = mailbox_create(&writer->mailbox, writer);
	if (err)
		goto fail;
	err = thread_start(&writer->thread, "call-records", THREAD_PATIENT, run, writer);
	if (err)
		goto fail;
	writer->running = true;
	*ret_writer = writer;
	return 0;
fail:
	cdr_writer_destroy(writer);
	return err;
}

int cdr_writer_create(struct cdr_writer **ret_writer, const char *path,
		      const struct config_records *config)
{
	return create(ret_writer, path, config, false);
}

int cdr_writer_create_beside(struct cdr_writer **ret_writer, const char *path,
			     const struct config_records *config)
{
	return create(ret_writer, path, config, true);
}

struct cdr_writer *cdr_writer_destroy(struct cdr_writer *writer)
{
	if (!writer)
		return NULL;
	if (writer->running) {
		while (post(writer, &(struct line_mail){ .text = NULL }) < 0)
			(void)poll(NULL, 0, 10); /* a dozen bytes will be free again */
		pthread_join(writer->thread, NULL);
	}
	mailbox_destroy(writer->mailbox, NULL);
	cdr_file_close(&writer->file);
	clear_ended(writer);
	while (writer->ended)
		forget_ended(writer, writer->ended->slot); /* of lines that were lost, and told */
	cdr_open_destroy(&writer->open);
	free(writer->slots.unused);
	free(writer);
	return NULL;
}
