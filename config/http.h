/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - inside of config: `admin.http`. */
#ifndef BREAKOUT_CONFIG_HTTP_H
#define BREAKOUT_CONFIG_HTTP_H

#include "config/schema.h"

extern const struct schema http_schema; /* of a struct config_http */

/* What only the whole of it shows. `at`: of `admin.http`. */
void http_check(struct reader *reader, struct place at);

#endif
