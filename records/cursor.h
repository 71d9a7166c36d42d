/* SPDX-License-Identifier: Apache-2.0 */
/* cursor.h - inside of records: reads the file of records line by line, and the
 * rotated ones before it, from a position that outlives the process.
 *
 * A file is known by how it begins, which holds the id of its first record: it may be
 * renamed. A rotated file is left once the one after it has a line, because then nothing
 * more is written to it. Files are in the order of their last change.
 *
 * Threads: the owner's.
 */
#ifndef BREAKOUT_RECORDS_CURSOR_H
#define BREAKOUT_RECORDS_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/macros.h"

#define CURSOR_HEAD_ROOM 65

struct cursor_position {
	char head[CURSOR_HEAD_ROOM]; /* how its file begins; "": before the first record of all */
	int64_t offset;              /* bytes into it */
	wall_ms changed;             /* when that file was changed last, as far as was known */
};

/* A file of records: the one that is written, or a rotated one. */
struct cursor_file {
	char *path;
	char head[CURSOR_HEAD_ROOM];
	int64_t changed_ns;
};
/* Those of `spool` that hold something, oldest first; compressed ones are none.
 * *ret_files is freed by cursor_files_free(). 0, -ENOMEM, or why the folder cannot be
 * read. */
int cursor_files(const char *spool, struct cursor_file **ret_files, size_t *ret_count) MUST_CHECK;
void cursor_files_free(struct cursor_file *files, size_t count);

struct cursor {
	char *spool;
	struct cursor_position at; /* after the last line read */
	FILE *file;                /* NULL: to be opened */
	char *line;
	size_t room;
	uint64_t lost; /* positions whose file was gone */
};

/* 0 or -ENOMEM. */
int cursor_init(struct cursor *cursor, const char *spool,
		const struct cursor_position *from) MUST_CHECK;
void cursor_done(struct cursor *cursor); /* fine if zero-initialised */

/* 1: *ret_line is the next one, without newline, valid until the next call. 0: there is
 * none yet. Else why it cannot be read. */
int cursor_read(struct cursor *cursor, const char **ret_line) MUST_CHECK;
/* Back, or on, to a position that it was at. */
void cursor_seek(struct cursor *cursor, const struct cursor_position *position);
/* After all that is written now. */
int cursor_skip(struct cursor *cursor) MUST_CHECK;
/* Bytes in this and later files that were not read. */
int64_t cursor_behind(const struct cursor *cursor);

#endif
