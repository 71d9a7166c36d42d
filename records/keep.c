/* SPDX-License-Identifier: Apache-2.0 */
#include "records/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/json_mask.h"
#include "base/log.h"
#include "base/str.h"

#define MASKED ".masked" /* at the end of a file's name, so that it is done once */

static bool is_masked(const char *path)
{
	size_t length = strlen(path), tail = sizeof(MASKED) - 1;

	return length > tail && strcmp(path + length - tail, MASKED) == 0;
}

static bool was_read(const struct keep *keep, const struct cursor_file *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(keep->readers); i++) {
		const struct cursor *reader = keep->readers[i];

		if (reader && (strcmp(reader->at.head, file->head) == 0 ||
			       reader->at.changed < file->changed_ns / 1000000))
			return false;
	}
	return true;
}

static int copy_masked(FILE *from, FILE *to)
{
	char *line = NULL;
	size_t room = 0;
	int err = 0;

	while (!err && getline(&line, &room, from) > 0) {
		struct str masked = { 0 };

		json_mask(&masked, line);
		if (masked.failed)
			err = -ENOMEM;
		else if (fputs(masked.text, to) < 0)
			err = -errno;
		str_done(&masked);
	}
	free(line);
	if (!err && ferror(from))
		err = -EIO;
	if (!err && (fflush(to) != 0 || fdatasync(fileno(to)) < 0))
		err = -errno;
	return err;
}

/* The new one counts as changed when the old one was: the order of files stays. */
static int write_masked(const char *path, const char *temporary)
{
	FILE *from = fopen(path, "re"), *to = NULL;
	int err = from ? 0 : -errno, fd;
	struct stat st;

	fd = err ? -1 : open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd >= 0)
		to = fdopen(fd, "w");
	if (!err && !to)
		err = -errno;
	if (!err)
		err = copy_masked(from, to);
	if (!err && fstat(fileno(from), &st) == 0)
		(void)futimens(fd, (struct timespec[2]){ st.st_atim, st.st_mtim });
	if (from)
		(void)fclose(from); /* only read from */
	if (to)
		(void)fclose(to); /* it is on the disk */
	else if (fd >= 0)
		close(fd);
	return err;
}

static int mask_file(const char *spool, const char *path)
{
	const char *slash = strrchr(spool, '/');
	struct str temporary = { 0 }, masked = { 0 };
	int err;

	/* A name that is none of a file of records while it is not whole. */
	str_addf(&temporary, "%.*s.masking", slash ? (int)(slash - spool) + 1 : 0, spool);
	str_addf(&masked, "%s%s", path, MASKED);
	err = temporary.failed || masked.failed ? -ENOMEM : write_masked(path, temporary.text);
	if (!err && rename(temporary.text, masked.text) < 0)
		err = -errno;
	if (!err && unlink(path) < 0)
		err = -errno;
	str_done(&temporary);
	str_done(&masked);
	return err;
}

void keep_files(const char *spool, const struct keep *keep)
{
	struct cursor_file *files;
	size_t count;
	int err = cursor_files(spool, &files, &count);

	if (err) {
		log_error("records", "the folder of %s cannot be read: %s", spool, strerror(-err));
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const char *path = files[i].path, *what = NULL;
		wall_ms changed = files[i].changed_ns / 1000000;

		if (strcmp(path, spool) == 0)
			continue;
		if (changed < keep->expire_before) {
			what = "removed";
			err = unlink(path) < 0 ? -errno : 0;
		} else if (changed < keep->mask_before && !is_masked(path) &&
			   was_read(keep, &files[i])) {
			what = "masked";
			err = mask_file(spool, path);
		}
		if (what && err)
			log_error("records", "%s should be %s, but: %s", path, what,
				  strerror(-err));
		else if (what)
			log_info("records", "%s is %s, it is old enough", path, what);
	}
	cursor_files_free(files, count);
}
