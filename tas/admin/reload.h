/* SPDX-License-Identifier: Apache-2.0 */
/* reload.h - what came of a reload, for whoever asked for it.
 *
 * Threads: whoever owns it; one made on another thread is handed over whole.
 */
#ifndef BREAKOUT_TAS_ADMIN_RELOAD_H
#define BREAKOUT_TAS_ADMIN_RELOAD_H

#include <stdbool.h>
#include "config/arena.h"
#include "config/config.h"

/* Zeroed is empty. */
struct reload_report {
	unsigned number; /* of the reload, from 1 */
	bool done;       /* false: it is under way */
	bool refused;    /* nothing changed: see findings */
	char *findings;  /* as of config_load(); NULL: none. Own */
	struct config_change *changes;
	size_t change_count, unchanged, restart; /* settings; of the changes, those that wait */
	char version[17];                        /* of the configuration in force now */
	struct arena arena;                      /* what changes point to */
};

/* Fills in what changes, as config_compare(). Without memory for it, it says less. */
void reload_report_compare(struct reload_report *report, const struct config *started,
			   const struct config *before, const struct config *after);
void reload_report_done(struct reload_report *report);

#endif
