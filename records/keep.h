/* SPDX-License-Identifier: Apache-2.0 */
/* keep.h - inside of records: rotated files that are too old go, and those that are old
 * enough lose their numbers. The file that is written is never touched.
 * Threads: the room's. */
#ifndef BREAKOUT_RECORDS_KEEP_H
#define BREAKOUT_RECORDS_KEEP_H

#include "base/clock.h"
#include "records/cursor.h"

/* Before which moment a file must have been changed last; 0: none. */
struct keep {
	wall_ms expire_before, mask_before;
	/* Who still reads; NULL: nobody. What one of them has not read is not masked. */
	const struct cursor *readers[2];
};
/* Logs what it does and what it cannot. */
void keep_files(const char *spool, const struct keep *keep);

#endif
