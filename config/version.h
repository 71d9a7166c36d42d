/* SPDX-License-Identifier: Apache-2.0 */
/* version.h - a short name for what a configuration says. */
#ifndef BREAKOUT_CONFIG_VERSION_H
#define BREAKOUT_CONFIG_VERSION_H

#include "config/schema.h"

/* Fills config->version. Comments, the order of files and the way a value is
 * written down do not count; values and long lists do. */
void version_settle(struct config *config, const struct node *root);

#endif
