/* SPDX-License-Identifier: Apache-2.0 */
/* folder.h - a folder of its own for each test. */
#ifndef BREAKOUT_TESTS_FAKE_FOLDER_H
#define BREAKOUT_TESTS_FAKE_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

static char folder[32];

/* 0 or -1. */
static inline int folder_make(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/breakout-test-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static inline int folder_remove_one(const char *path, const struct stat *st, int flag,
				    struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* With all that is in it. 0 or -1. */
static inline int folder_remove(void)
{
	return nftw(folder, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
