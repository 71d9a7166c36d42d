/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h - the table of everything a configuration file may say. */
#ifndef BREAKOUT_CONFIG_KEYS_H
#define BREAKOUT_CONFIG_KEYS_H

#include "config/schema.h"

extern const struct schema config_schema; /* fills a struct config */

#endif
