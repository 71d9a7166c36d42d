/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - what the service manager is told, and what it asks for: sd_notify(3),
 * sd_watchdog_enabled(3).
 *
 * Threads: any.
 */
#ifndef BREAKOUT_TAS_NOTIFY_H
#define BREAKOUT_TAS_NOTIFY_H

#include "base/clock.h"

/* A datagram to the socket it named: "READY=1". Nothing if there is no manager. */
void notify_manager(const char *state);
/* How often it wants to hear WATCHDOG=1: half of what it allows. 0: never. */
mono_ms notify_watchdog_ms(void);

#endif
