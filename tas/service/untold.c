/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/service/untold.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#define NAME      ".untold-" /* and the call's id */
#define HEAD      "breakout notice 1\n"
#define BYTES_MAX 65536

static int sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

static int write_file(const char *path, const struct str *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int err = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text->text, text->length);
	if (n != (ssize_t)text->length)
		err = n < 0 ? -errno : -ENOSPC;
	if (!err && fsync(fd) < 0)
		err = -errno;
	close(fd);
	if (err)
		(void)unlink(path); /* half of one is none */
	return err;
}

int untold_keep(const char *dir, const struct untold *notice)
{
	struct str text = { 0 };
	char path[PATH_MAX];
	int err;

	if (strspn(notice->call, "0123456789abcdef") != strlen(notice->call) ||
	    (size_t)snprintf(path, sizeof(path), "%s/" NAME "%s", dir, notice->call) >=
		    sizeof(path))
		return -ENAMETOOLONG;
	str_addf(&text, HEAD "%s\n%s\n%s\n", notice->url, notice->call, notice->body);
	(void)unlink(path);
	err = text.failed ? -ENOMEM : write_file(path, &text);
	str_done(&text);
	return err ? err : sync_folder(dir);
}

/* NULL: there is no such file, or it is none of ours. */
static char *read_file(const char *path, long long *ret_kept_s)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char *text = fd < 0 ? NULL : malloc(BYTES_MAX);
	ssize_t n = text ? read(fd, text, BYTES_MAX - 1) : -1;
	struct stat about;

	*ret_kept_s = fd >= 0 && fstat(fd, &about) == 0
			      ? (long long)(clock_wall() / 1000 - about.st_mtime)
			      : 0;
	if (fd >= 0)
		close(fd);
	if (n > 0)
		text[n] = '\0';
	if (n > 0 && str_starts(text, HEAD) && text[n - 1] == '\n')
		return text;
	free(text);
	return NULL;
}

/* Ends it there; the start of what follows. */
static char *next_line(char *line)
{
	char *end = strchr(line, '\n');

	if (!end)
		return line + strlen(line);
	*end = '\0';
	return end + 1;
}

static void offer(const char *path, int (*take)(const struct untold *notice, void *arg), void *arg)
{
	long long kept_s;
	char *text = read_file(path, &kept_s), *url, *call, *body;
	int taken;

	if (!text) {
		log_error("service", "%s is no notice of a message: remove it", path);
		return;
	}
	url = next_line(text);
	call = next_line(url);
	body = next_line(call);
	(void)next_line(body);
	if (!*body)
		taken = -EBADMSG; /* the machine went down while it was written */
	else
		taken = take(&(struct untold){ .url = url,
					       .call = call,
					       .body = body,
					       .path = path,
					       .kept_s = kept_s },
			     arg);
	if (taken < 0)
		log_error("service", "call=%s nobody is told of its message now: %s", call,
			  strerror(-taken));
	if (taken > 0 && unlink(path) < 0)
		log_error("service", "%s cannot be removed: its message will be told again", path);
	free(text);
}

void untold_each(const char *dir, int (*take)(const struct untold *notice, void *arg), void *arg)
{
	DIR *folder = opendir(dir);
	const struct dirent *entry;

	if (!folder)
		return; /* no message has ever been left */
	while ((entry = readdir(folder))) {
		char path[PATH_MAX];

		if (str_starts(entry->d_name, NAME) &&
		    (size_t)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) <
			    sizeof(path))
			offer(path, take, arg);
	}
	closedir(folder);
}
