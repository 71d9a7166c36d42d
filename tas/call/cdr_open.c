/* SPDX-License-Identifier: Apache-2.0 */
#include "tas/call/cdr_open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"

#define TAIL_MAX    ((off_t)8 << 20) /* more than the writer keeps while the disk refuses */
#define STAMPS_ROOM 48               /* two times before a line, and what parts them */

/* "/var/log/breakout/.cdr.jsonl.open": no name that looks like a rotated one. */
static char *open_path(const char *cdr_path, unsigned number)
{
	const char *slash = strrchr(cdr_path, '/');
	int folder = slash ? (int)(slash - cdr_path) + 1 : 0;
	struct str path = { 0 };

	str_addf(&path, "%.*s.%s.open", folder, cdr_path, cdr_path + folder);
	if (number > 1)
		str_addf(&path, "%u", number);
	return str_take(&path);
}

bool cdr_open_is_there(const char *cdr_path, unsigned number)
{
	char *path = open_path(cdr_path, number);
	bool there = path && access(path, F_OK) == 0;

	free(path);
	return there;
}

static void give_back(struct cdr_open *open_calls)
{
	cdr_open_leave(open_calls);
	free(open_calls->path);
	*open_calls = (struct cdr_open){ .fd = -1 };
}

int cdr_open_create(struct cdr_open *open_calls, const char *cdr_path, unsigned number)
{
	struct stat st;
	int err = 0;

	*open_calls = (struct cdr_open){ .fd = -1 };
	if (stat(cdr_path, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	open_calls->path = open_path(cdr_path, number);
	if (!open_calls->path)
		return -ENOMEM;
	open_calls->fd = open(open_calls->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (open_calls->fd < 0)
		err = -errno;
	else if (flock(open_calls->fd, LOCK_EX | LOCK_NB) < 0)
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (err)
		give_back(open_calls);
	return err;
}

void cdr_open_destroy(struct cdr_open *open_calls)
{
	if (open_calls->fd >= 0 && !open_calls->count)
		unlink(open_calls->path);
	give_back(open_calls);
}

/* ---- what a killed process left ---- */

/* The end of the file of records, NUL-ended, which the caller frees; NULL: none. */
static char *read_tail(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	off_t length = size < TAIL_MAX ? size : TAIL_MAX;
	char *tail = fd < 0 ? NULL : malloc((size_t)length + 1);
	ssize_t n = tail ? pread(fd, tail, (size_t)length, size - length) : -1;

	if (fd >= 0)
		close(fd);
	if (n < 0) {
		free(tail);
		return NULL;
	}
	tail[n] = '\0';
	return tail;
}

/* `"id":"..."` of the line, as far as it fits. */
static void id_of(const char *line, char *ret_id, size_t room)
{
	const char *id = strstr(line, "\"id\":\"");
	const char *end = id ? strchr(id + 6, '"') : NULL;

	snprintf(ret_id, room, "%.*s", end ? (int)(end + 1 - id) : 0, id ? id : "");
}

static void fill_gaps(struct str *to, const char *line, wall_ms start, wall_ms answer, wall_ms end)
{
	char text[CLOCK_TEXT_ROOM];

	for (; *line && *line != '\n'; line++) {
		if (*line == CDR_GAP_END) {
			clock_wall_text(end, text);
			str_addf(to, "\"%s\"", text);
		} else if (*line == CDR_GAP_TALK) {
			str_addf(to, "%lld", (long long)(end - answer));
		} else if (*line == CDR_GAP_DURATION) {
			str_addf(to, "%lld", (long long)(end - start));
		} else {
			str_add_n(to, line, 1);
		}
	}
	str_add(to, "\n");
}

static void recover_slot(const char *slot, const char *tail, wall_ms touched, cdr_open_fn *found,
			 void *arg)
{
	long long start, answer;
	struct str line = { 0 };
	char id[64];
	int used = 0;

	if (sscanf(slot, "%lld %lld %n", &start, &answer, &used) != 2 || slot[used] != '{' ||
	    !strchr(slot, '\n')) /* killed while it was written: not answered for long */
		return;
	id_of(slot, id, sizeof(id));
	if (!*id || (tail && strstr(tail, id)))
		return;
	fill_gaps(&line, slot + used, start, answer, touched > answer ? touched : answer);
	found(line.failed ? NULL : line.text, arg);
	str_done(&line);
}

void cdr_open_recover(struct cdr_open *open_calls, const char *cdr_path, cdr_open_fn *found,
		      void *arg)
{
	char slot[CDR_OPEN_ROOM + 1];
	wall_ms touched;
	struct stat st;
	char *tail;
	ssize_t n;

	if (open_calls->fd < 0 || fstat(open_calls->fd, &st) < 0 || st.st_size == 0)
		return;
	touched = (wall_ms)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	tail = read_tail(cdr_path);
	for (off_t at = 0; at < st.st_size; at += CDR_OPEN_ROOM) {
		n = pread(open_calls->fd, slot, CDR_OPEN_ROOM, at);
		if (n <= 0)
			break;
		slot[n] = '\0';
		recover_slot(slot, tail, touched, found, arg);
	}
	free(tail);
}

void cdr_open_leave(struct cdr_open *open_calls)
{
	if (open_calls->fd >= 0)
		close(open_calls->fd);
	open_calls->fd = -1;
}

void cdr_open_forget(struct cdr_open *open_calls)
{
	if (open_calls->fd >= 0 && ftruncate(open_calls->fd, 0) < 0)
		log_error("call", "%s cannot be emptied: %s: calls in it may be recorded twice",
			  open_calls->path, strerror(errno));
}

/* ---- what goes on ---- */

void cdr_open_put(struct cdr_open *open_calls, unsigned slot, const struct cdr_open_call *call)
{
	struct str text = { 0 };

	open_calls->count += !call->again;
	if (open_calls->fd < 0)
		return;
	str_reserve(&text, strlen(call->line) + STAMPS_ROOM);
	str_add_int(&text, call->start);
	str_add(&text, " ");
	str_add_int(&text, call->answer);
	str_add(&text, " ");
	str_add(&text, call->line);
	str_add(&text, "\n");
	/* A full disk costs the record of a call that a kill would end; the writer says so
	 * for all of them. */
	if (!text.failed && text.length <= CDR_OPEN_ROOM)
		(void)!pwrite(open_calls->fd, text.text, text.length, (off_t)slot * CDR_OPEN_ROOM);
	str_done(&text);
}

void cdr_open_clear(struct cdr_open *open_calls, unsigned slot)
{
	open_calls->count--;
	if (open_calls->fd >= 0)
		(void)!pwrite(open_calls->fd, "-\n", 2, (off_t)slot * CDR_OPEN_ROOM);
}

int cdr_open_beat(struct cdr_open *open_calls, mono_ms now)
{
	if (!open_calls->count || open_calls->fd < 0)
		return -1;
	if (now >= open_calls->beat_at) {
		(void)futimens(open_calls->fd, NULL); /* the end is then less exact */
		open_calls->beat_at = now + CDR_OPEN_BEAT_MS;
	}
	return (int)(open_calls->beat_at - now);
}
