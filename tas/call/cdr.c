/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/call/cdr.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/metrics.h"
#include "base/str.h"

#define KEPT_MAX (4u << 20) /* bytes kept while the disk refuses */
#define RETRY_MS 1000

static struct metric lost_total =
	METRIC_COUNTER_INIT("breakout_cdr_lost_total", NULL, "Call records that reached no disk");

struct cdr_writer {
	struct mailbox *mailbox;
	pthread_t thread;
	bool running; /* the thread exists */
	char *path;

	/* Writer's thread. */
	int fd;
	struct str kept; /* lines not yet on disk */
	bool failing;
	bool stop;
};

struct line_mail {
	struct mail mail;
	char *text; /* with newline; NULL: stop */
};

static void lose(unsigned lines)
{
	metric_add(&lost_total, lines);
}

static void on_line(struct mail *mail, void *receiver)
{
	struct line_mail *line = CONTAINER_OF(mail, struct line_mail, mail);
	struct cdr_writer *writer = receiver;

	if (!line->text)
		writer->stop = true;
	else if (writer->kept.length + strlen(line->text) > KEPT_MAX)
		lose(1);
	else
		str_add(&writer->kept, line->text);
	free(line->text);
	free(line);
}

static int open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

	return fd < 0 ? -errno : fd;
}

/* logrotate moved the file: the path leads elsewhere or nowhere. */
static void follow_path(struct cdr_writer *writer)
{
	struct stat ours, named;
	int fd;

	if (fstat(writer->fd, &ours) == 0 && stat(writer->path, &named) == 0 &&
	    ours.st_ino == named.st_ino && ours.st_dev == named.st_dev)
		return;
	fd = open_file(writer->path);
	if (fd < 0)
		return; /* the old file is better than none */
	close(writer->fd);
	writer->fd = fd;
}

static int append(struct cdr_writer *writer)
{
	size_t done = 0;
	int err = 0;

	while (done < writer->kept.length) {
		ssize_t n = write(writer->fd, writer->kept.text + done, writer->kept.length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err = -errno;
			break;
		}
		done += (size_t)n;
	}
	writer->kept.length -= done;
	if (writer->kept.text) {
		memmove(writer->kept.text, writer->kept.text + done, writer->kept.length);
		writer->kept.text[writer->kept.length] = '\0';
	}
	if (!err && fdatasync(writer->fd) < 0 && errno != EINVAL && errno != EROFS)
		err = -errno; /* EINVAL: a pipe or /dev/null has nothing to sync */
	return err;
}

static void flush(struct cdr_writer *writer)
{
	int err;

	if (writer->kept.failed) { /* no memory: what was gathered is gone */
		lose(1);
		str_done(&writer->kept);
	}
	if (writer->kept.length == 0)
		return;
	follow_path(writer);
	err = append(writer);
	if (err && !writer->failing)
		log_error("call",
			  "cdr file=%s cannot be written: %s; records wait in memory: "
			  "make room or mend the path",
			  writer->path, strerror(-err));
	if (!err && writer->failing)
		log_notice("call", "cdr file=%s can be written again", writer->path);
	writer->failing = err != 0;
}

static void *run(void *arg)
{
	struct cdr_writer *writer = arg;
	struct pollfd pfd = { .fd = mailbox_fd(writer->mailbox), .events = POLLIN };

	while (!writer->stop) {
		(void)poll(&pfd, 1, writer->kept.length ? RETRY_MS : -1); /* EINTR: look again */
		mailbox_drain(writer->mailbox, 0);
		flush(writer);
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
		lose(1);
}

int cdr_writer_create(struct cdr_writer **ret_writer, const char *path)
{
	struct cdr_writer *writer = calloc(1, sizeof(*writer));
	int err = -ENOMEM;

	if (!writer)
		return -ENOMEM;
	writer->fd = -1;
	writer->path = strdup(path);
	if (!writer->path)
		goto fail;
	writer->fd = err = open_file(path);
	if (err < 0)
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
		if (writer->kept.length) /* the disk refused to the end */
			log_error("call", "cdr file=%s: %zu bytes of records were lost",
				  writer->path, writer->kept.length);
	}
	mailbox_destroy(writer->mailbox, NULL);
	str_done(&writer->kept);
	if (writer->fd >= 0)
		close(writer->fd);
	free(writer->path);
	free(writer);
	return NULL;
}
