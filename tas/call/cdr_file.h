/* SPDX-License-Identifier: Apache-2.0 */
/* cdr_file.h - the file of call records: what is written at once, what is synced
 * later.
 *
 * A record is written as soon as it comes, and then outlives the process whatever
 * becomes of it. It outlives a power loss once it is synced, which is done
 * CDR_SYNC_MS after the first record that is not: one fdatasync() for all that
 * came meanwhile. Time is told by the caller.
 * Threads: one, the writer's.
 */
#ifndef BREAKOUT_TAS_CALL_CDR_FILE_H
#define BREAKOUT_TAS_CALL_CDR_FILE_H

#include <stdbool.h>
#include "base/clock.h"
#include "base/macros.h"
#include "base/str.h"

#define CDR_SYNC_MS  20
#define CDR_RETRY_MS 1000 /* after the disk refused */

struct cdr_file {
	char *path;
	int fd;
	struct str kept; /* lines not yet written */
	bool failing;
	/* When the file is renamed to NAME-20261125T221518Z and a new one begun; false, 0: by
	 * nobody but logrotate. */
	bool rotate_daily;   /* with the first line of a local day */
	size_t rotate_bytes; /* once it is as large */
	bool rotate_failing;
	mono_ms retry_at; /* not before, after the disk refused */
	bool unsynced;    /* written lines are waiting for fdatasync() */
	mono_ms sync_at;
};

/* 0, -ENOMEM, or why it cannot be opened. */
int cdr_file_open(struct cdr_file *file, const char *path) MUST_CHECK;
/* Writes and syncs what waits. */
void cdr_file_close(struct cdr_file *file);

/* `line` with its newline; cdr_file_work() writes it. -ENOBUFS: 4 MiB wait already. */
int cdr_file_add(struct cdr_file *file, const char *line) MUST_CHECK;
/* Does what is due. */
void cdr_file_work(struct cdr_file *file, mono_ms now);
/* Milliseconds until cdr_file_work() has something to do; -1: not before a line comes. */
int cdr_file_wait_ms(const struct cdr_file *file, mono_ms now);

#endif
