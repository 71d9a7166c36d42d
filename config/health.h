/* SPDX-License-Identifier: Apache-2.0 */
/* health.h - inside of config: `health`. */
#ifndef BREAKOUT_CONFIG_HEALTH_H
#define BREAKOUT_CONFIG_HEALTH_H

#include "config/schema.h"

extern const struct schema health_schema; /* of a struct config_health */

#endif
