/* SPDX-License-Identifier: Apache-2.0 */
/* sound_file.h - an audio file as telephone samples: 8000 Hz, mono, 16 bit.
 * No threads of its own. */
#ifndef BREAKOUT_MEDIA_SOUND_FILE_H
#define BREAKOUT_MEDIA_SOUND_FILE_H

#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"

#define SOUND_FILE_MAX_S    600
#define SOUND_FILE_WHY_ROOM 160

/* Any rate and sample format that libsndfile knows; channels are mixed.
 *
 * ret_samples: at least one; the caller frees them.
 * ret_why: on -EINVAL a sentence that ends "is ...": what the file is instead.
 * Returns 0, -EINVAL, -ENOMEM, or why it cannot be opened (-ENOENT ...).
 */
int sound_file_read(const char *path, int16_t **ret_samples, size_t *ret_count,
		    char ret_why[static SOUND_FILE_WHY_ROOM]) MUST_CHECK;

#endif
