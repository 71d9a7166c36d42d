/* SPDX-License-Identifier: Apache-2.0 */
/* secret.h - a secret on the first line of a file, and its end in memory. */
#ifndef BREAKOUT_BASE_SECRET_H
#define BREAKOUT_BASE_SECRET_H

#include "base/macros.h"

#define SECRET_ROOM 1024

/* 0, -ENODATA (the line is empty), -E2BIG (too long), or why the file cannot be
 * read. On failure nothing of it stays in ret_secret. */
int secret_read(const char *path, char ret_secret[static SECRET_ROOM]) MUST_CHECK;

/* Overwrites the text before freeing it. NULL is fine. */
void secret_free(char *secret);

#endif
