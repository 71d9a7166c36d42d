/* SPDX-License-Identifier: Apache-2.0 */
/* ctl.h - breakoutctl: asking the daemon, and showing what it said. */
#ifndef BREAKOUT_TOOLS_CTL_CTL_H
#define BREAKOUT_TOOLS_CTL_CTL_H

#include <jansson.h>
#include "base/macros.h"

/* Sends one request line, reads one JSON document. 0; -EPROTO (no JSON came),
 * or why the socket cannot be reached (-ENOENT, -ECONNREFUSED, -EACCES ...). */
int ask(const char *socket_path, const char *request, json_t **ret_answer) MUST_CHECK;

/* For people, on stdout. */
void show_status(const json_t *status);
void show_regs(const json_t *regs); /* array */
void show_trunks(const json_t *lines);
void show_calls(const json_t *calls);
void show_metrics(const json_t *metrics); /* Prometheus text format 0.0.4 */

#endif
