/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - every key of a loaded configuration: its value and who said it. */
#ifndef BREAKOUT_CONFIG_SETTINGS_H
#define BREAKOUT_CONFIG_SETTINGS_H

#include "config/schema.h"

/* Fills config.settings, when all else is read. */
void settings_settle(struct reader *reader, const struct node *root);

/* What a key stands for that nobody gave and that other values decide. `name` is
 * a constant, `text` lives as long as the config. */
void settings_derive(struct reader *reader, const char *name, const char *text);

#endif
