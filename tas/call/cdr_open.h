/* SPDX-License-Identifier: Apache-2.0 */
/* cdr_open.h - answered calls that go on, on disk: what is billed of them if the
 * process is killed.
 *
 * A file beside that of the records has a slot for each such call, with the record as
 * far as it is known and gaps for what only the end tells. The slot is emptied once
 * the record is written. What is found in slots at start are calls that a killed
 * process left: their end is when that file was last touched, which is done every
 * CDR_OPEN_BEAT_MS. One process at a time, by a lock.
 * Threads: one, the writer's; create and recover before it starts.
 */
#ifndef BREAKOUT_TAS_CALL_CDR_OPEN_H
#define BREAKOUT_TAS_CALL_CDR_OPEN_H

#include <stdbool.h>
#include "base/clock.h"
#include "base/macros.h"
#include "base/str.h"

#define CDR_OPEN_BEAT_MS 10000
#define CDR_OPEN_ROOM    16384 /* bytes of a slot; most of it is a hole in the file */

/* In the place of what only the end of a call tells; none can stand in JSON. */
#define CDR_GAP_END      '\x01' /* "2026-11-25T22:15:18.000Z" */
#define CDR_GAP_TALK     '\x02' /* milliseconds since the answer */
#define CDR_GAP_DURATION '\x03' /* and since the start */

struct cdr_open {
	char *path;
	int fd; /* -1: nothing is kept */
	unsigned count;
	mono_ms beat_at;
};

/* Files that may stand beside the same records, by number from 1 on: daemons that took each
 * other's place have one each, until the last call of each has ended. */
#define CDR_OPEN_FILES 8

/* 0; -EBUSY (another process has the lock), -ENOMEM, or why the file cannot be opened.
 * Nothing is kept after an error, and nothing for a `cdr_path` that is no regular file. */
int cdr_open_create(struct cdr_open *open, const char *cdr_path, unsigned number) MUST_CHECK;
bool cdr_open_is_there(const char *cdr_path, unsigned number);
void cdr_open_destroy(struct cdr_open *open); /* removes the file if no call is in it */

/* Tells of each call that a killed process left and whose record is not in the last
 * megabytes of `cdr_path`: its record, with newline. Slots stay as they are. */
typedef void cdr_open_fn(const char *line, void *arg); /* NULL: no memory for it */
void cdr_open_recover(struct cdr_open *open, const char *cdr_path, cdr_open_fn *found, void *arg);
void cdr_open_forget(struct cdr_open *open); /* empties all slots: their records are written */
void cdr_open_leave(struct cdr_open *open);  /* the file, for another start; nothing is kept */

struct cdr_open_call {
	wall_ms start, answer;
	const char *line; /* has gaps */
	bool again;       /* the slot has one of the same call */
};
/* What does not fit is not kept. */
void cdr_open_put(struct cdr_open *open, unsigned slot, const struct cdr_open_call *call);
void cdr_open_clear(struct cdr_open *open, unsigned slot);
/* Touches the file if that is due and there is a call in it. Milliseconds until it is due
 * again; -1: not before the next call. */
int cdr_open_beat(struct cdr_open *open, mono_ms now);

#endif
