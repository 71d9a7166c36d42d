/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - a simulated core with a daemon beside it, both children of ours. */
#ifndef BREAKOUT_TOOLS_CORE_STAGE_H
#define BREAKOUT_TOOLS_CORE_STAGE_H

#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/macros.h"
#include "tools/core/client.h"

struct stage {
	/* The caller's: */
	const char *breakoutd;         /* path of the program */
	const char *samples, *profile; /* which configuration, see sample.h */
	bool closed;
	char folder[PATH_MAX];             /* is there already */
	uint16_t media_min;                /* 250 ports from here, and from 500 above */
	const volatile sig_atomic_t *stop; /* ends the waiting */
	/* Ours: */
	pid_t core, daemon;
	struct client *client; /* of the core */
};

/* Starts both, until all numbers are registered. 0, or -EIO after saying why;
 * stage_end() follows either. */
int stage_begin(struct stage *stage) MUST_CHECK;
void stage_end(struct stage *stage);

#endif
