/* SPDX-License-Identifier: Apache-2.0 */
/* cdr.h - call detail records: one JSON line a call, appended and synced.
 *
 * The SIP thread hands a finished line over and never waits for the disk. The
 * writer's thread appends it at once and syncs some 20 ms later, so that many calls
 * share one fdatasync(). What the disk refuses is kept, up to 4 MiB, and tried
 * again every second. A file that was moved away (logrotate) is opened anew.
 */
#ifndef BREAKOUT_TAS_CALL_CDR_H
#define BREAKOUT_TAS_CALL_CDR_H

#include "base/clock.h"
#include "base/macros.h"
#include "config/config.h"

struct cdr_writer; /* opaque */

/* `config` says when the file is rotated, and whether numbers are masked; NULL: neither.
 * 0, -ENOMEM, -EAGAIN (no thread), or why the file cannot be opened (-EACCES ...). */
int cdr_writer_create(struct cdr_writer **ret_writer, const char *path,
		      const struct config_records *config) MUST_CHECK;
/* The same for a daemon that takes the place of another, which goes on writing the records
 * of its calls. Should it be killed, theirs are written here. */
int cdr_writer_create_beside(struct cdr_writer **ret_writer, const char *path,
			     const struct config_records *config) MUST_CHECK;
/* Writes what is waiting first. */
struct cdr_writer *cdr_writer_destroy(struct cdr_writer *writer);

/* `line` without newline; copied. Never fails towards the caller: a line lost
 * for want of memory, NULL included, is counted in breakout_cdr_lost_total.
 * slot: of the call, which ends with it; 0: none. */
void cdr_write(struct cdr_writer *writer, const char *line, unsigned slot);
/* A call is answered: `line` has the gaps of cdr_open.h, and becomes its record should
 * the process be killed. slot: of a call of which more is known now; 0: none yet. Returns
 * its slot; 0: it has none, for want of memory. */
unsigned cdr_answered(struct cdr_writer *writer, wall_ms start, wall_ms answer, const char *line,
		      unsigned slot);

#endif
