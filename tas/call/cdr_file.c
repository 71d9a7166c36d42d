/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/call/cdr_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/log.h"

#define KEPT_MAX (4u << 20) /* bytes kept while the disk refuses */

static int open_path(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

	return fd < 0 ? -errno : fd;
}

/* logrotate moved the file: the path leads elsewhere or nowhere. */
static void follow_path(struct cdr_file *file)
{
	struct stat ours, named;
	int fd;

	if (fstat(file->fd, &ours) == 0 && stat(file->path, &named) == 0 &&
	    ours.st_ino == named.st_ino && ours.st_dev == named.st_dev)
		return;
	fd = open_path(file->path);
	if (fd < 0)
		return; /* the old file is better than none */
	close(file->fd);
	file->fd = fd;
}

static bool same_day(time_t a, time_t b)
{
	struct tm day_a = { 0 }, day_b = { 0 };

	(void)localtime_r(&a, &day_a); /* NULL only beyond the year 2^31 */
	(void)localtime_r(&b, &day_b);
	return day_a.tm_year == day_b.tm_year && day_a.tm_yday == day_b.tm_yday;
}

/* Renames the file if it is time; follow_path() begins the new one. Its last change says
 * of which day its records are. */
static void rotate(struct cdr_file *file)
{
	time_t now = (time_t)(clock_wall() / 1000);
	struct tm utc = { 0 };
	struct stat st;
	char stamp[32], to[4096];
	int err = 0;

	if ((!file->rotate_daily && !file->rotate_bytes) || fstat(file->fd, &st) < 0 ||
	    !S_ISREG(st.st_mode) || !st.st_size ||
	    !((file->rotate_daily && !same_day(st.st_mtim.tv_sec, now)) ||
	      (file->rotate_bytes && (size_t)st.st_size >= file->rotate_bytes)))
		return;
	(void)gmtime_r(&now, &utc);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc);
	if ((size_t)snprintf(to, sizeof(to), "%s-%s", file->path, stamp) >= sizeof(to))
		err = -ENAMETOOLONG;
	else if (access(to, F_OK) == 0)
		return; /* twice in a second: next time */
	else if (rename(file->path, to) < 0)
		err = -errno;
	if (err && !file->rotate_failing)
		log_error("call",
			  "cdr file=%s cannot be rotated: %s: it grows on: mend the rights "
			  "of its folder",
			  file->path, strerror(-err));
	file->rotate_failing = err != 0;
}

/* Of kept, the first `done` bytes are written. */
static void drop(struct str *kept, size_t done)
{
	if (done == 0)
		return;
	kept->length -= done;
	memmove(kept->text, kept->text + done, kept->length);
	kept->text[kept->length] = '\0';
}

static int append(struct cdr_file *file)
{
	size_t done = 0;
	int err = 0;

	while (!err && done < file->kept.length) {
		ssize_t n = write(file->fd, file->kept.text + done, file->kept.length - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			err = -errno;
	}
	drop(&file->kept, done);
	return err;
}

static void tell(struct cdr_file *file, int err)
{
	if (err && !file->failing)
		log_error("call",
			  "cdr file=%s cannot be written: %s; records wait in memory: "
			  "make room or mend the path",
			  file->path, strerror(-err));
	if (!err && file->failing)
		log_notice("call", "cdr file=%s can be written again", file->path);
	file->failing = err != 0;
}

static void write_kept(struct cdr_file *file, mono_ms now)
{
	size_t before = file->kept.length;
	int err;

	if (!file->unsynced) {     /* never away from lines that are still to be synced */
		follow_path(file); /* what another has begun is not ours to rename */
		rotate(file);
		follow_path(file);
	}
	err = append(file);
	if (err)
		file->retry_at = now + CDR_RETRY_MS;
	if (!file->unsynced && file->kept.length < before) {
		file->unsynced = true;
		file->sync_at = now + CDR_SYNC_MS;
	}
	tell(file, err);
}

static void sync_written(struct cdr_file *file)
{
	file->unsynced = false;
	/* EINVAL: a pipe or /dev/null has nothing to sync. The kernel tells once of pages
	 * that did not reach the disk and forgets them: asking again would not bring them. */
	if (fdatasync(file->fd) < 0 && errno != EINVAL && errno != EROFS)
		log_error("call",
			  "cdr file=%s cannot be synced: %s; its last records may be lost: "
			  "look at the disk",
			  file->path, strerror(errno));
}

void cdr_file_work(struct cdr_file *file, mono_ms now)
{
	bool sync_due = file->unsynced && now >= file->sync_at;

	if (file->kept.length && now >= file->retry_at)
		write_kept(file, now);
	if (sync_due)
		sync_written(file);
}

int cdr_file_wait_ms(const struct cdr_file *file, mono_ms now)
{
	mono_ms next = INT64_MAX;

	if (file->unsynced)
		next = file->sync_at;
	if (file->kept.length && file->retry_at < next)
		next = file->retry_at;
	if (next == INT64_MAX)
		return -1;
	return now < next ? (int)(next - now) : 0;
}

int cdr_file_add(struct cdr_file *file, const char *line)
{
	if (file->kept.length + strlen(line) > KEPT_MAX)
		return -ENOBUFS;
	str_add(&file->kept, line);
	if (!file->kept.failed)
		return 0;
	str_done(&file->kept); /* what was gathered is gone */
	return -ENOMEM;
}

/* A process that was killed, or a disk that was full, may have left half a line: what
 * comes next begins a new one. */
static void end_last_line(const struct cdr_file *file)
{
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char last = '\n';

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n')
		(void)!write(file->fd, "\n", 1); /* refused like every line after it */
	close(fd);
}

int cdr_file_open(struct cdr_file *file, const char *path)
{
	*file = (struct cdr_file){ .fd = open_path(path) };
	if (file->fd < 0)
		return file->fd;
	file->path = strdup(path);
	if (!file->path) {
		close(file->fd);
		file->fd = -1;
		return -ENOMEM;
	}
	end_last_line(file);
	return 0;
}

void cdr_file_close(struct cdr_file *file)
{
	if (file->fd < 0)
		return;
	if (file->kept.length)
		write_kept(file, file->retry_at);
	if (file->unsynced)
		sync_written(file);
	if (file->kept.length) /* the disk refused to the end */
		log_error("call", "cdr file=%s: %zu bytes of records were lost", file->path,
			  file->kept.length);
	str_done(&file->kept);
	close(file->fd);
	free(file->path);
	*file = (struct cdr_file){ .fd = -1 };
}
