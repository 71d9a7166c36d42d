/* SPDX-License-Identifier: Apache-2.0 */
/* sounds.h - inside of the media room: the samples of a sound.
 * Threads: any; a sound never changes. */
#ifndef BREAKOUT_MEDIA_SOUNDS_H
#define BREAKOUT_MEDIA_SOUNDS_H

#include <stddef.h>
#include <stdint.h>
#include "media/media.h"

#define SOUNDS_MAX_S 4200 /* of all of one configuration: 64 MiB */

const int16_t *sound_samples(const struct media_sound *sound, size_t *ret_count);

/* One that was made elsewhere; takes the samples, also on failure. */
int sound_create(struct media_sound **ret_sound, int16_t *take_samples, size_t count) MUST_CHECK;

/* Ring-back as most of Europe knows it, to be repeated: 425 Hz, 1 s in 5 s. Source: ITU-T
 * E.180 supplement 2. 0 or -ENOMEM. */
int sound_ringback(struct media_sound **ret_sound) MUST_CHECK;

#endif
