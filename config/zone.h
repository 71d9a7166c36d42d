/* SPDX-License-Identifier: Apache-2.0 */
/* zone.h - time zones by name, as rules and holidays use them. */
#ifndef BREAKOUT_CONFIG_ZONE_H
#define BREAKOUT_CONFIG_ZONE_H

#include "config/schema.h"

/* A struct config_zone pointer; "local" is this machine's zone. */
extern const struct kind kind_zone;

/* Borrowed from the config; NULL after adding an error. */
const struct config_zone *zone_find(struct reader *reader, const struct value *value,
				    const char *name);
void zones_done(struct config *config);

#endif
