/* SPDX-License-Identifier: Apache-2.0 */
/* untold.h - inside of tas/service: notices of messages that wait for the next start.
 *
 * One file each in the folder of the mailboxes (`voicemail.dir`), from the stop of one process
 * to the start of the next. It has what the server is to be told, and no secret.
 *
 * Threads: the SIP thread, before it serves and after.
 */
#ifndef BREAKOUT_TAS_SERVICE_UNTOLD_H
#define BREAKOUT_TAS_SERVICE_UNTOLD_H

#include "base/macros.h"

struct untold {
	const char *url;  /* whose it is */
	const char *call; /* our id */
	const char *body; /* one line */
	/* Of those that are kept: */
	const char *path;
	long long kept_s; /* for so long, by the wall clock */
};

/* On disk when it returns. 0 or -errno. */
int untold_keep(const char *dir, const struct untold *notice) MUST_CHECK;
/* Each that is kept there. 1: it is taken, and no longer kept; 0: it stays; -errno: it stays. */
void untold_each(const char *dir, int (*take)(const struct untold *notice, void *arg), void *arg);

#endif
