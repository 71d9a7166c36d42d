/* SPDX-License-Identifier: Apache-2.0 */
/* webhook.h - servers that are asked what to do with a call. */
#ifndef BREAKOUT_CONFIG_WEBHOOK_H
#define BREAKOUT_CONFIG_WEBHOOK_H

#include "config/schema.h"

extern const struct schema webhook_schema; /* reads into a struct config_webhook */
/* One that is told something, and not asked: a struct config_webhook *. */
extern const struct kind kind_notify;
extern const struct schema notify_schema;

/* A new one, listed in the configuration; NULL without memory. */
struct config_webhook *webhook_begin(struct reader *reader);
/* What its values say together; `name` is the key's, `at` where it stands. */
void webhook_check(struct reader *reader, const struct config_webhook *webhook, const char *name,
		   struct place at);

#endif
