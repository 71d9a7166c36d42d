/* SPDX-License-Identifier: Apache-2.0 */
/* webhook.h - servers that are asked what to do with a call. */
#ifndef BREAKOUT_CONFIG_WEBHOOK_H
#define BREAKOUT_CONFIG_WEBHOOK_H

#include "config/schema.h"

extern const struct schema webhook_schema; /* reads into a struct config_webhook */

/* A new one, listed in the configuration; NULL without memory. */
struct config_webhook *webhook_begin(struct reader *reader);
/* What its values say together; `at` is where the action stands. */
void webhook_check(struct reader *reader, const struct config_webhook *webhook, struct place at);

#endif
