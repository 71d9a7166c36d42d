/* SPDX-License-Identifier: Apache-2.0 */
/* gather.h - for `diagnose`: what the daemon does not say of itself. */
#ifndef BREAKOUT_TOOLS_CTL_GATHER_H
#define BREAKOUT_TOOLS_CTL_GATHER_H

#include "tools/look/look.h"

/* Reads and checks the file at config->path, which is set, and compares it with what is in
 * force: `settings` as the daemon tells them, and its `version` of the whole; NULL: it
 * tells nothing. What the environment or the command line gave the daemon is not compared.
 * ret_text: what texts in *config point into; the caller frees it. */
void gather_config(struct look_config *config, const json_t *settings, const char *version,
		   char **ret_text);

/* Of the newest MiB of a file of call records: those that ended in `past->minutes`. */
void gather_past(struct look_past *past, const char *path);

/* Memory and clock of this machine, and the disks of what `settings` name; the texts are
 * borrowed from there. NULL settings: no disks. */
void gather_host(struct look_host *host, const json_t *settings);

#endif
