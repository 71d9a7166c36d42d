/* SPDX-License-Identifier: Apache-2.0 */
/* override.h - keys that the environment and the command line set over the file.
 *
 * `--set core.api.max_rate=100` and BREAKOUT_CORE_API_MAX_RATE=100 say the same;
 * the value is YAML, so a list is written [a, b]. They replace what files say.
 */
#ifndef BREAKOUT_CONFIG_OVERRIDE_H
#define BREAKOUT_CONFIG_OVERRIDE_H

#include "config/schema.h"

/* The tree with all of them in it; `root` itself does not change. */
struct node *override_apply(struct reader *reader, struct node *root,
			    const struct config_sources *sources);

/* Which of the two a name of findings_file() stands for: the name itself, to be
 * shown without line and column. NULL: it is a file. */
const char *override_origin(const char *file);

#endif
