/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/traced/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_DIGITS 13 /* of the moment, in ms since 1970 */
#define NAME_STORY  10
#define NAME_END    ".trace"
#define DAY_MS      (24LL * 3600 * 1000)

int folder_make(const char *dir)
{
	return mkdir(dir, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int path_of(const char *dir, const char *name, char ret_path[static PATH_MAX])
{
	return (size_t)snprintf(ret_path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? 0
										   : -ENAMETOOLONG;
}

static int story_path(const struct folder *folder, uint64_t story, char ret_path[static PATH_MAX])
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%0*lld-%0*llu" NAME_END, NAME_DIGITS,
		       (long long)folder->began, NAME_STORY, (unsigned long long)story);
	return path_of(folder->dir, name, ret_path);
}

/* ---- what is there ---- */

static bool is_ours(const char *name)
{
	return strlen(name) == NAME_DIGITS + 1 + NAME_STORY + strlen(NAME_END) &&
	       strspn(name, "0123456789") == NAME_DIGITS && name[NAME_DIGITS] == '-' &&
	       strspn(name + NAME_DIGITS + 1, "0123456789") == NAME_STORY &&
	       !strcmp(name + NAME_DIGITS + 1 + NAME_STORY, NAME_END);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(char ***names, int count, const char *name)
{
	char **more = realloc(*names, ((size_t)count + 1) * sizeof(**names));

	if (!more)
		return -ENOMEM;
	*names = more;
	more[count] = strdup(name);
	return more[count] ? 0 : -ENOMEM;
}

int folder_list(const char *dir, char ***ret_names)
{
	DIR *open = opendir(dir);
	char **names = NULL;
	const struct dirent *entry;
	int count = 0, err = 0;

	if (!open)
		return -errno;
	while (!err && (entry = readdir(open))) {
		if (!is_ours(entry->d_name))
			continue;
		err = add_name(&names, count, entry->d_name);
		count += !err;
	}
	closedir(open);
	if (err) {
		folder_list_free(names, count);
		return err;
	}
	if (count)
		qsort(names, (size_t)count, sizeof(*names), by_name);
	*ret_names = names;
	return count;
}

void folder_list_free(char **names, int count)
{
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

static int read_fd(int fd, char **ret_text, size_t *ret_length)
{
	struct stat st;
	size_t done = 0;
	char *text;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (done < (size_t)st.st_size) {
		ssize_t n = read(fd, text + done, (size_t)st.st_size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	text[done] = '\0';
	*ret_text = text;
	*ret_length = done;
	return 0;
}

int folder_read(const char *dir, const char *name, char **ret_text, size_t *ret_length)
{
	char path[PATH_MAX];
	int fd, err = path_of(dir, name, path);

	if (err)
		return err;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = read_fd(fd, ret_text, ret_length);
	close(fd);
	return err;
}

/* ---- bounds ---- */

struct kept {
	size_t bytes;
	wall_ms changed;
};

static size_t measure(const struct folder *folder, char *const *names, int count, struct kept *kept)
{
	size_t total = 0;

	for (int i = 0; i < count; i++) {
		char path[PATH_MAX];
		struct stat st;

		if (path_of(folder->dir, names[i], path) < 0 || lstat(path, &st) < 0)
			continue;
		kept[i].bytes = (size_t)st.st_size;
		kept[i].changed = (wall_ms)st.st_mtim.tv_sec * 1000;
		total += kept[i].bytes;
	}
	return total;
}

static bool is_too_old(const struct folder *folder, const struct kept *kept)
{
	return folder->keep_days && clock_wall() - kept->changed > folder->keep_days * DAY_MS;
}

void folder_sweep(struct folder *folder, size_t more)
{
	char **names = NULL;
	int count = folder_list(folder->dir, &names), left = count;
	struct kept *kept = count > 0 ? calloc((size_t)count, sizeof(*kept)) : NULL;
	size_t used = kept ? measure(folder, names, count, kept) : 0;

	for (int i = 0; kept && i < count; i++) {
		char path[PATH_MAX];

		if (used + more <= folder->bytes && left < FOLDER_CALLS_MAX &&
		    !is_too_old(folder, &kept[i]))
			continue;
		if (path_of(folder->dir, names[i], path) < 0 || unlink(path) < 0)
			continue;
		used -= kept[i].bytes;
		left--;
	}
	free(kept);
	if (count > 0)
		folder_list_free(names, count);
	folder->used = used;
}

/* ---- writing ---- */

int folder_begin(struct folder *folder, uint64_t story)
{
	char path[PATH_MAX];
	int fd, err = folder_make(folder->dir);

	if (!err)
		err = story_path(folder, story, path);
	if (err)
		return err;
	folder_sweep(folder, folder->bytes / FOLDER_SHARE / 16);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* All of it or nothing: a reader meets whole pieces. */
static int append(int fd, size_t before, const char *text, size_t length)
{
	ssize_t n;

	do
		n = write(fd, text, length);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n == length)
		return 0;
	return ftruncate(fd, (off_t)before) < 0 ? -errno : -ENOSPC;
}

/* A file that nobody may write to has had its share. */
static bool is_full(const struct stat *st)
{
	return !(st->st_mode & S_IWUSR);
}

static int append_share(const struct folder *folder, int fd, const char *text, size_t *length,
			void (*last)(struct str *to))
{
	size_t share = folder->bytes / FOLDER_SHARE;
	struct str end = { 0 };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (is_full(&st)) {
		*length = 0;
		return -EFBIG;
	}
	if ((size_t)st.st_size + *length <= share)
		return append(fd, (size_t)st.st_size, text, *length);
	last(&end);
	*length = end.length;
	(void)append(fd, (size_t)st.st_size, end.text ? end.text : "",
		     end.length); /* it only says why the end is missing */
	str_done(&end);
	return fchmod(fd, S_IRUSR) < 0 ? -errno : -EFBIG;
}

int folder_append(struct folder *folder, uint64_t story, const char *text, size_t length,
		  void (*last)(struct str *to))
{
	char path[PATH_MAX];
	int fd, err = story_path(folder, story, path);

	if (err)
		return err;
	if (folder->used + length > folder->bytes)
		folder_sweep(folder, length + folder->bytes / 8);
	fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES ? -EFBIG : -errno; /* full, and we are not root */
	err = append_share(folder, fd, text, &length, last);
	close(fd);
	folder->used += length;
	return err;
}
