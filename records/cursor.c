/* SPDX-License-Identifier: Apache-2.0 */
#include "records/cursor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"

/* ---- the files ---- */

static int64_t nanoseconds(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

/* How a file of records begins; false: it is none, or empty. */
static bool read_head(int fd, char ret_head[static CURSOR_HEAD_ROOM])
{
	ssize_t n = pread(fd, ret_head, CURSOR_HEAD_ROOM - 1, 0);

	if (n <= 0 || ret_head[0] != '{')
		return false;
	ret_head[n] = '\0';
	ret_head[strcspn(ret_head, "\n")] = '\0';
	return true;
}

static bool look_at(const char *path, struct cursor_file *ret_file)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	struct stat st;
	bool good = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		    read_head(fd, ret_file->head);

	if (good)
		ret_file->changed_ns = nanoseconds(&st.st_mtim);
	if (fd >= 0)
		close(fd);
	return good;
}

static int by_change(const void *a, const void *b)
{
	const struct cursor_file *one = a, *other = b;

	if (one->changed_ns != other->changed_ns)
		return one->changed_ns < other->changed_ns ? -1 : 1;
	return strcmp(other->path, one->path); /* what is written has the shortest name */
}

struct listing {
	struct cursor_file *files;
	size_t count;
};

static int list_one(struct listing *listing, const char *folder, const char *name)
{
	struct cursor_file file = { 0 }, *more;
	struct str path = { 0 };

	str_addf(&path, "%s%s", folder, name);
	file.path = str_take(&path);
	if (!file.path)
		return -ENOMEM;
	if (!look_at(file.path, &file)) {
		free(file.path);
		return 0;
	}
	more = reallocarray(listing->files, listing->count + 1, sizeof(*more));
	if (!more) {
		free(file.path);
		return -ENOMEM;
	}
	listing->files = more;
	listing->files[listing->count++] = file;
	return 0;
}

int cursor_files(const char *spool, struct cursor_file **ret_files, size_t *ret_count)
{
	const char *slash = strrchr(spool, '/'), *base = slash ? slash + 1 : spool;
	char *folder = strndup(spool, (size_t)(base - spool));
	struct listing listing = { 0 };
	const struct dirent *entry;
	int err = 0;
	DIR *dir;

	if (!folder)
		return -ENOMEM;
	dir = opendir(*folder ? folder : ".");
	if (!dir)
		err = -errno;
	while (!err && (entry = readdir(dir)) != NULL)
		if (str_starts(entry->d_name, base))
			err = list_one(&listing, folder, entry->d_name);
	if (dir)
		closedir(dir);
	free(folder);
	if (err) {
		cursor_files_free(listing.files, listing.count);
		return err;
	}
	if (listing.count)
		qsort(listing.files, listing.count, sizeof(*listing.files), by_change);
	*ret_files = listing.files;
	*ret_count = listing.count;
	return 0;
}

void cursor_files_free(struct cursor_file *files, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(files[i].path);
	free(files);
}

/* ---- the cursor ---- */

int cursor_init(struct cursor *cursor, const char *spool, const struct cursor_position *from)
{
	*cursor = (struct cursor){ .at = *from };
	cursor->spool = strdup(spool);
	return cursor->spool ? 0 : -ENOMEM;
}

static void leave_file(struct cursor *cursor)
{
	if (cursor->file)
		(void)fclose(cursor->file); /* only read from */
	cursor->file = NULL;
}

void cursor_done(struct cursor *cursor)
{
	leave_file(cursor);
	free(cursor->spool);
	free(cursor->line);
	*cursor = (struct cursor){ 0 };
}

void cursor_seek(struct cursor *cursor, const struct cursor_position *position)
{
	leave_file(cursor);
	cursor->at = *position;
}

/* The index of the file with the position, or of the first one after it. */
static size_t find(const struct cursor *cursor, const struct cursor_file *files, size_t count,
		   bool *ret_same)
{
	size_t next = count;

	*ret_same = false;
	for (size_t i = 0; i < count; i++) {
		if (*cursor->at.head && strcmp(files[i].head, cursor->at.head) == 0) {
			*ret_same = true;
			return i;
		}
		if (next == count && files[i].changed_ns / 1000000 >= cursor->at.changed)
			next = i;
	}
	return next;
}

static int open_at(struct cursor *cursor, const struct cursor_file *file, bool same)
{
	FILE *opened = fopen(file->path, "re");
	int64_t offset = same ? cursor->at.offset : 0;

	if (!opened)
		return -errno;
	if (fseeko(opened, offset, SEEK_SET) < 0) {
		int err = -errno;

		(void)fclose(opened);
		return err;
	}
	leave_file(cursor);
	cursor->file = opened;
	cursor->at.offset = offset;
	memcpy(cursor->at.head, file->head, sizeof(cursor->at.head));
	return 0;
}

/* The file of the position, or what comes after it. 1, 0 (nothing is written), or an
 * error. */
static int open_file(struct cursor *cursor)
{
	struct cursor_file *files;
	size_t count, i;
	bool same;
	int err = cursor_files(cursor->spool, &files, &count);

	if (err)
		return err;
	i = find(cursor, files, count, &same);
	if (i < count)
		err = open_at(cursor, &files[i], same);
	if (i < count && !err && !same && cursor->at.changed) {
		cursor->lost++;
		log_notice("records",
			   "the file of records that was read last is gone: going on with %s",
			   files[i].path);
	}
	cursor_files_free(files, count);
	return err ? err : i < count;
}

/* 1: a line. 0: no whole one. */
static int next_line(struct cursor *cursor, const char **ret_line)
{
	ssize_t n = getline(&cursor->line, &cursor->room, cursor->file);

	if (n < 0 && ferror(cursor->file))
		return -EIO;
	if (n <= 0 || cursor->line[n - 1] != '\n') {
		clearerr(cursor->file);
		return fseeko(cursor->file, cursor->at.offset, SEEK_SET) < 0 ? -errno : 0;
	}
	cursor->line[n - 1] = '\0';
	cursor->at.offset += n;
	*ret_line = cursor->line;
	return 1;
}

/* The file that was begun after this one; 1: it is open now, 0: there is none. */
static int follow(struct cursor *cursor, const char **ret_line)
{
	struct cursor_file *files;
	size_t count, i;
	bool same;
	int err = cursor_files(cursor->spool, &files, &count);

	if (err)
		return err;
	i = find(cursor, files, count, &same);
	i += same;
	err = 0;
	if (i < count) {
		/* What was written before the next one began. */
		err = next_line(cursor, ret_line);
		if (!err)
			err = open_at(cursor, &files[i], false);
		if (!err)
			err = next_line(cursor, ret_line);
	}
	cursor_files_free(files, count);
	return err;
}

/* Cut by a program that copies and truncates: from its beginning again. */
static void notice_truncation(struct cursor *cursor, const struct stat *st)
{
	if (st->st_size >= cursor->at.offset)
		return;
	log_error("records",
		  "%s was cut while it was read, records may be missing from what is made of it: "
		  "let logrotate rename it (no copytruncate)",
		  cursor->spool);
	leave_file(cursor);
	cursor->at = (struct cursor_position){ 0 };
	cursor->at.changed = nanoseconds(&st->st_mtim) / 1000000;
}

int cursor_read(struct cursor *cursor, const char **ret_line)
{
	struct stat st, named;
	int got;

	if (!cursor->file) {
		got = open_file(cursor);
		if (got <= 0)
			return got;
	}
	got = next_line(cursor, ret_line);
	if (got || fstat(fileno(cursor->file), &st) < 0)
		return got;
	cursor->at.changed = nanoseconds(&st.st_mtim) / 1000000;
	notice_truncation(cursor, &st);
	if (!cursor->file || (stat(cursor->spool, &named) == 0 && named.st_ino == st.st_ino &&
			      named.st_dev == st.st_dev))
		return 0;
	return follow(cursor, ret_line);
}

int cursor_skip(struct cursor *cursor)
{
	struct cursor_file *files;
	size_t count;
	struct stat st;
	int err = cursor_files(cursor->spool, &files, &count);

	if (err)
		return err;
	if (count) {
		err = open_at(cursor, &files[count - 1], false);
		if (!err && fstat(fileno(cursor->file), &st) == 0)
			cursor->at.offset = st.st_size;
		if (!err && fseeko(cursor->file, cursor->at.offset, SEEK_SET) < 0)
			err = -errno;
	}
	cursor_files_free(files, count);
	return err;
}

int64_t cursor_behind(const struct cursor *cursor)
{
	struct cursor_file *files;
	int64_t bytes = 0;
	struct stat st;
	size_t count, i;
	bool same;

	if (cursor_files(cursor->spool, &files, &count) < 0)
		return 0;
	i = find(cursor, files, count, &same);
	for (size_t k = i; k < count; k++)
		if (stat(files[k].path, &st) == 0)
			bytes += st.st_size - (k == i && same ? cursor->at.offset : 0);
	cursor_files_free(files, count);
	return bytes;
}
