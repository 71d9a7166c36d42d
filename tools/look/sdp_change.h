/* SPDX-License-Identifier: Apache-2.0 */
/* sdp_change.h - what became of an SDP on its way through us, in words. */
#ifndef BREAKOUT_TOOLS_LOOK_SDP_CHANGE_H
#define BREAKOUT_TOOLS_LOOK_SDP_CHANGE_H

#include <jansson.h>
#include <stdbool.h>
#include "base/str.h"

/* entries: as the daemon's `trace` has them. Of the message at `index`, if we sent it with
 * an SDP that we had from another dialog: "SDP: RTP/AVP -> RTP/SAVP; codecs ...", or that it
 * went on as it came. False: it is no such message. */
bool sdp_change(const json_t *entries, size_t index, struct str *to);

#endif
