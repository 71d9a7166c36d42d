/* SPDX-License-Identifier: Apache-2.0 */
/* ring.h - the action `ring`: its targets and their order. */
#ifndef BREAKOUT_CONFIG_RING_H
#define BREAKOUT_CONFIG_RING_H

#include "config/schema.h"

extern const struct schema ring_schema; /* fills a struct config_action */

/* What no key can say of itself; `node` follows the word `ring`. */
void ring_check(struct reader *reader, const struct node *node, const struct config_action *action);

#endif
