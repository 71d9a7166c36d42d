/* SPDX-License-Identifier: Apache-2.0 */
/* moment.h - a moment in a call, as people write it. */
#ifndef BREAKOUT_TOOLS_LOOK_MOMENT_H
#define BREAKOUT_TOOLS_LOOK_MOMENT_H

#include <stdbool.h>

/* "18:00:01.5" (the first such time from half a day before `first_ms` on),
 * "2026-12-24T18:00:01.5" or with a space in it, with Z or +01:00 or in this machine's
 * time zone; "+2.5": seconds after `first_ms`, when the call began. ms since 1970. */
bool moment_read(const char *text, long long first_ms, long long *ret_ms);

#endif
