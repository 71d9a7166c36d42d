/* SPDX-License-Identifier: Apache-2.0 */
/* record_time.h - a moment as records write it. */
#ifndef BREAKOUT_TAS_CALL_RECORD_TIME_H
#define BREAKOUT_TAS_CALL_RECORD_TIME_H

#include "base/clock.h"

#define RECORD_TIME_ROOM 48

/* "2026-11-25T22:15:18.042Z" */
void record_time(wall_ms wall, char ret_text[static RECORD_TIME_ROOM]);

#endif
