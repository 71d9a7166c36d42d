/* SPDX-License-Identifier: Apache-2.0 */
/* tape.h - both directions of a call on their way to its recording.
 *
 * The media thread copies packets into a ring and never waits; what finds no room
 * is counted and left out. The recorder's thread decodes them and lays them out in
 * two channels: side A left, side B right. A packet stands where its timestamp says,
 * near to when it came, so that what is lost, paused or on hold is silence of the
 * right length and both channels stay together.
 */
#ifndef BREAKOUT_MEDIA_TAPE_H
#define BREAKOUT_MEDIA_TAPE_H

#include "base/clock.h"
#include "media/media.h"
#include "media/sdp.h"

#define TAPE_CHANNELS 2
#define TAPE_LATE_MS  1000 /* a packet may come so much after its time */

struct tape; /* opaque */

/* `now`: when it begins. Any thread. */
int tape_create(struct tape **ret_tape, mono_ms now) MUST_CHECK;
struct tape *tape_destroy(struct tape *tape); /* when neither thread uses it any more */

/* The media thread: what packets of `from` carry, by its own description.
 * False: a codec that is not decoded here; its packets are left out. */
bool tape_agree(struct tape *tape, enum media_side from, const struct media_desc *desc);
void tape_hear(struct tape *tape, enum media_side from, const uint8_t *packet, size_t length,
	       mono_ms now);

/* The recorder's thread: the next frames (a sample of each channel) that nothing
 * can change any more; `all`: nothing is heard after this. Returns how many. */
size_t tape_play(struct tape *tape, int16_t (*ret_frames)[TAPE_CHANNELS], size_t room, mono_ms now,
		 bool all);
uint64_t tape_dropped(const struct tape *tape); /* samples, about; any thread */
bool tape_heard(const struct tape *tape);       /* something could be decoded; any thread */

#endif
