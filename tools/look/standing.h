/* SPDX-License-Identifier: Apache-2.0 */
/* standing.h - how a call stood at a moment, as far as its trace tells. */
#ifndef BREAKOUT_TOOLS_LOOK_STANDING_H
#define BREAKOUT_TOOLS_LOOK_STANDING_H

#include <jansson.h>
#include "base/str.h"

/* trace: the daemon's answer. {"call", "at", "first": the oldest entry, "state",
 * "state_since", "decisions": [...], "core", "heard", "rtp", "media_a": [...], "media_b": [...],
 * "dialogs": [{"side", "peer", "call_id", "invite", "last", "last_at"}], "next", "next_at"};
 * what was not known then is not there. A new reference; NULL without memory. */
json_t *standing_at(const json_t *trace, long long at_ms);
/* Members of that, for people. */
void standing_show(struct str *to, const json_t *standing);

/* The same from a past call's record, which knows moments only. */
json_t *standing_of_record(const json_t *record, long long at_ms);

#endif
