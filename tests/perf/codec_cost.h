/* SPDX-License-Identifier: Apache-2.0 */
/* codec_cost.h - packets of 20 ms of something like speech, and what their codecs alone
 * cost. */
#ifndef BREAKOUT_PERF_CODEC_COST_H
#define BREAKOUT_PERF_CODEC_COST_H

#include "media/voice.h"

#define CODEC_COST_KEPT       50 /* payloads, sent in turn */
#define CODEC_COST_COMPLEXITY 2  /* of Opus: the default of media.opus_complexity */

struct codec_speech {
	uint8_t payloads[CODEC_COST_KEPT][VOICE_PAYLOAD_MAX];
	size_t lengths[CODEC_COST_KEPT];
};

/* What fails ends the program. */
void codec_speech_make(struct codec_speech *speech, enum voice_kind kind, unsigned rate);
/* CPU time to decode one packet and to encode it anew. */
double codec_cost_ns(const struct codec_speech *speech, enum voice_kind from, enum voice_kind to,
		     unsigned rate);

#endif
