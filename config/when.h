/* SPDX-License-Identifier: Apache-2.0 */
/* when.h - what a call must be like for a rule to be its rule. */
#ifndef BREAKOUT_CONFIG_WHEN_H
#define BREAKOUT_CONFIG_WHEN_H

#include "config/schema.h"

/* Fills a struct config_rule. */
extern const struct schema when_schema;

/* Fills config->watched_headers. */
void when_settle(struct reader *reader);

/* Refuses lists without items: they would match every call. `when` may be NULL. */
void when_check(struct reader *reader, const struct node *when);

#endif
