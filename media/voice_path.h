/* SPDX-License-Identifier: Apache-2.0 */
/* voice_path.h - packets as they come, samples as they are wanted.
 *
 * A jitter buffer that adapts itself: what comes late makes the next wait longer,
 * and what waits longer than it needs to is shortened, so that a sender whose clock
 * is faster does not pile up either. In the place of what is lost stands what the
 * codec can make of its neighbours; when a sender falls silent, faint noise.
 *
 * Threads: the media thread of the session. Nothing allocates after creation.
 */
#ifndef BREAKOUT_MEDIA_VOICE_PATH_H
#define BREAKOUT_MEDIA_VOICE_PATH_H

#include "base/clock.h"
#include "media/jitter.h"
#include "media/voice.h"

#define VOICE_PATH_START_MS  20   /* the first packet waits so long */
#define VOICE_PATH_WAIT_MAX  120  /* and at most so long after it had to be made up for */
#define VOICE_PATH_LEVEL_MAX 240  /* what waits beyond is shortened at once */
#define VOICE_PATH_PAUSE_MS  1000 /* without a packet: nothing is to be sent any more */
#define VOICE_PATH_FRAME_MAX (VOICE_RATE_MAX / 1000 * 60)

struct voice_path; /* opaque */

/* kinds: enum voice_kind by payload type, 128 of them; others are passed over.
 * Samples are wanted at `rate`. */
int voice_path_create(struct voice_path **ret_path, const uint8_t *kinds, unsigned rate) MUST_CHECK;
struct voice_path *voice_path_destroy(struct voice_path *path);

/* Every packet of the sender, of other kinds too: their numbers are not lost. */
void voice_path_put(struct voice_path *path, const struct jitter_piece *piece, mono_ms now);

/* The next `count` samples, at most VOICE_PATH_FRAME_MAX. False: the sender pauses. */
bool voice_path_take(struct voice_path *path, mono_ms now, int16_t *ret_samples, size_t count);

struct voice_path_figures {
	unsigned level_ms;  /* that wait now */
	unsigned wait_ms;   /* what a new beginning waits */
	uint64_t concealed; /* samples made up */
	uint64_t shortened; /* samples left out */
};
void voice_path_read(const struct voice_path *path, struct voice_path_figures *ret_figures);

#endif
