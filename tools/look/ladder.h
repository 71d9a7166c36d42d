/* SPDX-License-Identifier: Apache-2.0 */
/* ladder.h - who said what to whom, as a picture of text. */
#ifndef BREAKOUT_TOOLS_LOOK_LADDER_H
#define BREAKOUT_TOOLS_LOOK_LADDER_H

#include <jansson.h>
#include "base/str.h"

/* entries: as the daemon's `trace` has them, oldest first. Below a message that we made
 * from another one stands what we changed in its SDP; seconds of RTP that are alike are one
 * line. */
void ladder_draw(struct str *to, const json_t *entries);

/* "INVITE (SDP)", "180 Ringing to INVITE". */
#define LADDER_SUMMARY 96
void ladder_summary(const char *message, char ret_summary[static LADDER_SUMMARY]);

/* Of a message; "" if it has none. */
#define LADDER_CALL_ID 128
void ladder_call_id(const json_t *entry, char ret_call_id[static LADDER_CALL_ID]);

/* A moment as "2026-12-24 18:00:00.123" in this machine's time zone. */
#define LADDER_TIME 32
void ladder_time(long long wall_ms, char ret_text[static LADDER_TIME]);

#endif
