/* SPDX-License-Identifier: Apache-2.0 */
/* profile.h - a file of config/samples, made to run beside the simulator: its
 * own rules, lists and numbers, with other addresses and the hours moved. */
#ifndef BREAKOUT_TOOLS_CORE_PROFILE_H
#define BREAKOUT_TOOLS_CORE_PROFILE_H

#include <stdbool.h>
#include <time.h>
#include "base/macros.h"
#include "base/str.h"

struct profile {
	const char *samples, *name; /* folder and file */
	const char *folder;         /* for the mailboxes */
	const char *pbx, *dead_pbx; /* URIs of the node that answers and the one that does not */
	bool closed;                /* the working hours are over at `now`, else they are on */
	time_t now;
};

/* Appends the sections of the sample that say what becomes of calls. 0 or -errno. */
int profile_add(struct str *text, const struct profile *profile) MUST_CHECK;

#endif
