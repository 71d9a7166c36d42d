/* SPDX-License-Identifier: Apache-2.0 */
/* folder.h - inside of tas/traced: the files of calls, and their bounds.
 *
 * A file's name begins with the moment its daemon began and ends with the story's number:
 * their order is that of age. What is not named so is not ours and is left alone.
 *
 * Threads: one at a time writes; reading by others meets files that grow or are gone.
 */
#ifndef BREAKOUT_TAS_TRACED_FOLDER_H
#define BREAKOUT_TAS_TRACED_FOLDER_H

#include <stdint.h>
#include "base/clock.h"
#include "base/macros.h"
#include "base/str.h"

#define FOLDER_CALLS_MAX 2000 /* files */
/* One call may have this part of the room. */
#define FOLDER_SHARE 4

struct folder {
	char *dir;
	size_t bytes;       /* all files together */
	unsigned keep_days; /* since a file was last written; 0: for ever */
	wall_ms began;      /* of this daemon */
	size_t used;        /* as far as is known: others write here too while one hands over */
};

int folder_make(const char *dir) MUST_CHECK; /* for the owner alone; fine if it is there */

/* A new file, after the oldest have given way. 0 or an error of open(2). */
int folder_begin(struct folder *folder, uint64_t story) MUST_CHECK;
/* 0; -EFBIG: the call has had its share (the first time what `last` says is written instead,
 * and the file made read-only); -ENOENT: its file has given way; or an error of writing. */
int folder_append(struct folder *folder, uint64_t story, const char *text, size_t length,
		  void (*last)(struct str *to)) MUST_CHECK;
/* Removes what is too old or too much for `more` bytes to come. */
void folder_sweep(struct folder *folder, size_t more);

/* The names of ours, sorted; each heap. Returns how many, or -errno. */
int folder_list(const char *dir, char ***ret_names);
void folder_list_free(char **names, int count);
/* The whole file; the caller frees it. 0 or an error of reading. */
int folder_read(const char *dir, const char *name, char **ret_text, size_t *ret_length) MUST_CHECK;

#endif
