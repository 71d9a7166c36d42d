/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/call/cdr.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/mailbox.h"
#include "base/metrics.h"
#include "base/str.h"
#include "tas/call/cdr_file.h"

static struct metric lost_total =
	METRIC_COUNTER_INIT("breakout_cdr_lost_total", NULL, "Call records that reached no disk");

struct cdr_writer {
	struct mailbox *mailbox;
	pthread_t thread;
	bool running; /* the thread exists */

	/* Writer's thread. */
	struct cdr_file file;
	bool stop;
};

struct line_mail {
	struct mail mail;
	char *text; /* with newline; NULL: stop */
};

static void lose(void)
{
	metric_add(&lost_total, 1);
}

static void on_line(struct mail *mail, void *receiver)
{
	struct line_mail *line = CONTAINER_OF(mail, struct line_mail, mail);
	struct cdr_writer *writer = receiver;

	if (!line->text)
		writer->stop = true;
	else if (cdr_file_add(&writer->file, line->text) < 0)
		lose();
	free(line->text);
	free(line);
}

static void *run(void *arg)
{
	struct cdr_writer *writer = arg;
	struct pollfd pfd = { .fd = mailbox_fd(writer->mailbox), .events = POLLIN };

	while (!writer->stop) {
		int wait_ms = cdr_file_wait_ms(&writer->file, clock_now());

		(void)poll(&pfd, 1, wait_ms); /* EINTR: look again */
		mailbox_drain(writer->mailbox, 0);
		cdr_file_work(&writer->file, clock_now());
	}
	return NULL;
}

static int post(struct cdr_writer *writer, char *take_text)
{
	struct line_mail *line = calloc(1, sizeof(*line));

	if (!line) {
		free(take_text);
		return -ENOMEM;
	}
	line->mail.deliver = on_line;
	line->text = take_text;
	mailbox_post(writer->mailbox, &line->mail);
	return 0;
}

void cdr_write(struct cdr_writer *writer, const char *line)
{
	struct str text = { 0 };
	char *taken;

	str_add(&text, line);
	str_add(&text, "\n");
	taken = str_take(&text);
	if (!taken || post(writer, taken) < 0)
		lose();
}

int cdr_writer_create(struct cdr_writer **ret_writer, const char *path)
{
	struct cdr_writer *writer = calloc(1, sizeof(*writer));
	int err;

	if (!writer)
		return -ENOMEM;
	err = cdr_file_open(&writer->file, path);
	if (err)
		goto fail;
	err = mailbox_create(&writer->mailbox, writer);
	if (err)
		goto fail;
	err = -pthread_create(&writer->thread, NULL, run, writer);
	if (err)
		goto fail;
	writer->running = true;
	*ret_writer = writer;
	return 0;
fail:
	cdr_writer_destroy(writer);
	return err;
}

struct cdr_writer *cdr_writer_destroy(struct cdr_writer *writer)
{
	if (!writer)
		return NULL;
	if (writer->running) {
		while (post(writer, NULL) < 0)
			(void)poll(NULL, 0, 10); /* a dozen bytes will be free again */
		pthread_join(writer->thread, NULL);
	}
	mailbox_destroy(writer->mailbox, NULL);
	cdr_file_close(&writer->file);
	free(writer);
	return NULL;
}
