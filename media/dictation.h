/* SPDX-License-Identifier: Apache-2.0 */
/* dictation.h - what of a caller's audio becomes a message, and when it ends.
 *
 * Samples are laid out by their RTP timestamps, so that what was lost, or not
 * sent because nobody spoke, is silence of the right length. Threads: the media
 * thread of the session.
 */
#ifndef BREAKOUT_MEDIA_DICTATION_H
#define BREAKOUT_MEDIA_DICTATION_H

#include "base/clock.h"
#include "media/recorder.h"

struct dictation {
	struct recording *recording; /* borrowed; NULL: no message is taken */
	unsigned max_ms, silence_ms; /* silence 0: never ends it */
	bool running, heard;         /* heard: something louder than a quiet line */
	mono_ms began_ms, loud_ms;
	bool placed; /* next_at and ssrc are valid */
	uint32_t ssrc, next_at;
	uint64_t samples;
};

void dictation_begin(struct dictation *dictation, mono_ms now);

struct dictation_piece {
	uint32_t ssrc, timestamp;
	const int16_t *samples;
	size_t count;
};
void dictation_hear(struct dictation *dictation, const struct dictation_piece *piece, mono_ms now);

/* NULL: it goes on; else why it is over, as the JSON file says it. */
const char *dictation_over(const struct dictation *dictation, mono_ms now);

unsigned dictation_ms(const struct dictation *dictation); /* 0: nothing was heard */

#endif
