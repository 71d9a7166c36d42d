/* SPDX-License-Identifier: Apache-2.0 */
/* health.h - whether an address answers, judged by OPTIONS and by calls.
 *
 *            down_after failed OPTIONS or calls in a row, or one call met silence
 *   UNKNOWN/UP ---------------------------------------------------------> DOWN
 *       ^                                                                  |
 *       +------ up_after answered OPTIONS in a row, or one answered call --+
 *
 * OPTIONS and calls are counted apart: a gateway that answers OPTIONS with 200
 * and every call with 503 goes down all the same.
 *
 * Threads: the owner's.
 */
#ifndef BREAKOUT_TAS_SIP_HEALTH_H
#define BREAKOUT_TAS_SIP_HEALTH_H

#include <stdbool.h>
#include "base/clock.h"

enum health_state { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };
const char *health_state_name(enum health_state state); /* "up" */

struct health_rules {
	unsigned down_after, up_after; /* at least 1 */
};

struct health {
	enum health_state state;
	mono_ms since_ms;
	unsigned probes_failed, probes_answered, calls_failed; /* in a row */
};

enum health_call { HEALTH_CALL_ANSWERED, HEALTH_CALL_FAILED, HEALTH_CALL_SILENT };

void health_init(struct health *health);
/* True: it went up or down. */
bool health_probe(struct health *health, const struct health_rules *rules, bool answered);
bool health_call(struct health *health, const struct health_rules *rules, enum health_call what);

#endif
