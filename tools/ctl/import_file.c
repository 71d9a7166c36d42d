/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/str.h"
#include "tools/ctl/ctl.h"

#define BAR_LINES 20000
#define FIELDS    7 /* of an export's line */
#define TENANT    5
#define SOURCE    6

/* ---- reading ---- */

static size_t split(char *line, char *fields[FIELDS])
{
	size_t count = 0;

	line[strcspn(line, "\r\n")] = '\0';
	while (line && count < FIELDS)
		fields[count++] = strsep(&line, ",");
	return count;
}

static bool is_elsewhere(const struct config *others, char *const fields[FIELDS])
{
	const struct config_registration *its =
		others ? config_find_number(others, fields[0]) : NULL;

	return its && !strcmp(route_type_name((enum route_type)its->route_type), fields[1]) &&
	       !strcmp(others->services[its->service].name, fields[2]) &&
	       !strcmp(config_tenant_name(others, its->tenant), fields[TENANT]);
}

/* What an export says beside number, route type, service and tenant is no matter of an
 * import; nor are numbers that another source registers. */
static int copy_exported(struct import_lines *lines, char *line, const struct config *others,
			 FILE *to)
{
	char *fields[FIELDS];
	size_t count = split(line, fields);

	if (count < FIELDS)
		return fprintf(to, "%s\n", line) < 0 ? -EIO : 0;
	if (strcmp(fields[SOURCE], lines->source) != 0 || is_elsewhere(others, fields)) {
		lines->elsewhere++;
		return fputs("#\n", to) < 0 ? -EIO : 0;
	}
	return fprintf(to, "%s,%s,%s,%s\n", fields[0], fields[1], fields[2], fields[TENANT]) < 0
		       ? -EIO
		       : 0;
}

static int copy_lines(struct import_lines *lines, FILE *from, const struct config *others, FILE *to,
		      off_t bar_size)
{
	bool exported = false;
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	int err = 0;

	while (!err && (length = getline(&line, &room, from)) >= 0) {
		if (lines->lines == 0)
			exported = str_starts(line, EXPORT_HEADER);
		if (exported && line[0] == '+')
			err = copy_exported(lines, line, others, to);
		else if (fwrite(line, 1, (size_t)length, to) != (size_t)length)
			err = -EIO;
		if (++lines->lines % BAR_LINES == 0 && bar_size)
			show_read(from, bar_size, false);
	}
	if (!err && ferror(from))
		err = -EIO;
	if (!err && bar_size)
		show_read(from, bar_size, true);
	free(line);
	return err;
}

int import_lines_create(struct import_lines *lines)
{
	*lines = (struct import_lines){ .fd = memfd_create("import", MFD_CLOEXEC),
					.source = lines->source };
	if (lines->fd < 0)
		return -errno;
	snprintf(lines->path, sizeof(lines->path), "/proc/self/fd/%d", lines->fd);
	return 0;
}

static int copy_file(struct import_lines *lines, FILE *from, const struct config *others, bool bar)
{
	int copy = dup(lines->fd), err;
	FILE *to = copy < 0 ? NULL : fdopen(copy, "w");
	struct stat st;

	if (!to)
		return -errno;
	err = fstat(fileno(from), &st) < 0 ? -errno : 0;
	if (!err)
		err = copy_lines(lines, from, others, to, bar ? st.st_size : 0);
	if (fclose(to) && !err)
		err = -errno;
	return err;
}

int import_lines_read(struct import_lines *lines, const char *file, const struct config *others,
		      bool bar)
{
	FILE *from = fopen(file, "re");
	int err;

	if (!from)
		return -errno;
	err = import_lines_create(lines);
	if (!err)
		err = copy_file(lines, from, others, bar);
	(void)fclose(from); /* only read from */
	return err;
}

void import_lines_done(struct import_lines *lines)
{
	if (lines->fd >= 0)
		close(lines->fd);
	lines->fd = -1;
}

/* ---- replacing ---- */

static int sync_folder(const char *path)
{
	char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL;
	int fd, err;

	if (!folder)
		return -ENOMEM;
	if (slash)
		slash[slash == folder] = '\0';
	fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = fd < 0 || fsync(fd) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	free(folder);
	return err;
}

static int copy_bytes(int from, int to)
{
	char part[65536];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, part, sizeof(part), at)) > 0) {
		if (write(to, part, (size_t)n) != n)
			return errno ? -errno : -EIO;
		at += n;
	}
	return n < 0 ? -errno : 0;
}

/* A whole file of that name, synced; not there before. */
static int write_new(const char *path, const struct stat *like, int from)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), err;

	if (fd < 0)
		return -errno;
	err = copy_bytes(from, fd);
	if (!err && fchown(fd, like->st_uid, like->st_gid) < 0)
		err = -errno;
	if (!err && fchmod(fd, like->st_mode & 07777) < 0)
		err = -errno;
	if (!err && fsync(fd) < 0)
		err = -errno;
	if (close(fd) < 0 && !err)
		err = -errno;
	if (err)
		unlink(path);
	return err;
}

static char *with_suffix(const char *path, const char *suffix)
{
	char *text = NULL;

	return asprintf(&text, "%s%s", path, suffix) < 0 ? NULL : text;
}

static int keep_old(const char *path)
{
	char *old = with_suffix(path, ".bak");
	int err = old ? 0 : -ENOMEM;

	if (!err && unlink(old) < 0 && errno != ENOENT)
		err = -errno;
	if (!err && link(path, old) < 0)
		err = -errno;
	free(old);
	return err;
}

static int put_in_place(const struct import_target *target, const struct stat *like, int from)
{
	char *new = with_suffix(target->path, ".import");
	int err = new ? write_new(new, like, from) : -ENOMEM;

	if (!err) {
		if (target->existed)
			err = keep_old(target->path);
		if (!err && rename(new, target->path) < 0)
			err = -errno;
		if (err)
			unlink(new);
	}
	free(new);
	return err ? err : sync_folder(target->path);
}

int import_replace(struct import_target *target, const char *path, const char *model,
		   const struct import_lines *lines)
{
	struct stat like;

	target->path = realpath(path, NULL);
	target->existed = target->path != NULL;
	if (!target->path)
		target->path = strdup(path);
	if (!target->path)
		return -ENOMEM;
	if (stat(target->existed ? target->path : model, &like) < 0)
		return -errno;
	return put_in_place(target, &like, lines->fd);
}

int import_restore(struct import_target *target)
{
	char *old = with_suffix(target->path, ".bak");
	int err = old ? 0 : -ENOMEM;

	if (!err && target->existed && rename(old, target->path) < 0)
		err = -errno;
	if (!err && !target->existed && unlink(target->path) < 0)
		err = -errno;
	free(old);
	return err ? err : sync_folder(target->path);
}

void import_target_done(struct import_target *target)
{
	free(target->path);
	target->path = NULL;
}
