/* SPDX-License-Identifier: Apache-2.0 */
/* restart.h - inside of tas/admin: who takes whose place.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_ADMIN_RESTART_H
#define BREAKOUT_TAS_ADMIN_RESTART_H

#include <jansson.h>
#include "tas/admin/admin.h"

/* Begins one: {"restart": "begun"}, or {"error": why not}. */
json_t *restart_begin(const struct admin_options *options, const char *unused);
/* The "predecessors" of the status. */
json_t *restart_elders(const struct admin_options *options, const char *unused);
/* What they have together. */
void restart_count(const struct admin_options *options, size_t *ret_calls, size_t *ret_legs);
/* Into `status`: "restart" of the last one that failed or goes on, "predecessors" while some
 * have calls. */
void restart_add(const struct admin_options *options, json_t *status);

#endif
