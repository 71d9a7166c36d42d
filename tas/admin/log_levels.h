/* SPDX-License-Identifier: Apache-2.0 */
/* log_levels.h - inside of tas/admin: what is logged, asked and changed by an operator. */
#ifndef BREAKOUT_TAS_ADMIN_LOG_LEVELS_H
#define BREAKOUT_TAS_ADMIN_LOG_LEVELS_H

#include "tas/admin/text.h"

/* `request` is empty or "[AREA=]LEVEL [for TIME]", where LEVEL may be "default". The levels
 * then in force: {"log": [{"area": "*" for all, "level", "left_s": 0 for good}]}, or
 * {"error"}. Any thread. A new reference; NULL without memory. */
json_t *log_levels_answer(const char *request);

#endif
