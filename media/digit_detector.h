/* SPDX-License-Identifier: Apache-2.0 */
/* digit_detector.h - DTMF tones found among samples of 8000 Hz (ITU-T Q.24, by
 * spandsp). No threads of its own. */
#ifndef BREAKOUT_MEDIA_DIGIT_DETECTOR_H
#define BREAKOUT_MEDIA_DIGIT_DETECTOR_H

#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"

/* digit: of which the tone begins; 0: the tone is over. */
typedef void digit_detector_fn(char digit, void *arg);

struct digit_detector; /* opaque */
int digit_detector_create(struct digit_detector **ret_detector, digit_detector_fn *found,
			  void *arg) MUST_CHECK;
struct digit_detector *digit_detector_destroy(struct digit_detector *detector);
void digit_detector_hear(struct digit_detector *detector, const int16_t *samples, size_t count);

#endif
