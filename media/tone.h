/* SPDX-License-Identifier: Apache-2.0 */
/* tone.h - G.711, a sine generator and a detector of the strongest tone.
 * 8000 Hz, 16-bit samples. No threads of its own. */
#ifndef BREAKOUT_MEDIA_TONE_H
#define BREAKOUT_MEDIA_TONE_H

#include <stddef.h>
#include <stdint.h>

#define TONE_RATE 8000 /* samples a second */

uint8_t g711_encode_a(int16_t sample); /* ITU-T G.711, A-law */
uint8_t g711_encode_u(int16_t sample); /* mu-law */
int16_t g711_decode_a(uint8_t code);
int16_t g711_decode_u(uint8_t code);

struct tone_source {
	double step, phase; /* radians */
};
void tone_source_init(struct tone_source *source, unsigned hz); /* 0: silence */
/* For another rate than TONE_RATE. */
void tone_source_init_at(struct tone_source *source, unsigned hz, unsigned rate);
int16_t tone_source_next(struct tone_source *source);

#define TONE_WINDOW 1600 /* samples: 200 ms */

struct tone_detector {
	int16_t samples[TONE_WINDOW];
	unsigned count;
	unsigned hz; /* of the last full window; 0: no tone stood out */
};
void tone_detector_add(struct tone_detector *detector, int16_t sample);

#endif
