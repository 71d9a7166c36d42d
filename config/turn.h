/* SPDX-License-Identifier: Apache-2.0 */
/* turn.h - inside of config: `media.turn`, and what the agent of ICE may use. */
#ifndef BREAKOUT_CONFIG_TURN_H
#define BREAKOUT_CONFIG_TURN_H

#include "config/schema.h"

extern const struct schema turn_schema; /* of a struct config_turn */
extern const struct kind kind_ice_policy;

/* What only the whole of it shows. */
void turn_check(struct reader *reader, const struct node *root);

#endif
