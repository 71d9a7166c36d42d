/* SPDX-License-Identifier: Apache-2.0 */
/* filler.h - samples in the place of lost ones: the last pitch period again and
 * again, fading, with soft seams (after ITU-T G.711 appendix I). For codecs that
 * cannot do it themselves. No threads of its own. */
#ifndef BREAKOUT_MEDIA_FILLER_H
#define BREAKOUT_MEDIA_FILLER_H

#include <stddef.h>
#include <stdint.h>

#define FILLER_RATE_MAX 16000
#define FILLER_MEMORY   (FILLER_RATE_MAX / 1000 * 40) /* samples */
#define FILLER_PERIOD   (FILLER_RATE_MAX / 1000 * 15)

struct filler {
	unsigned rate;
	size_t memory, pitch; /* samples in use of the next two */
	int16_t heard[FILLER_MEMORY];
	int16_t period[FILLER_PERIOD];
	size_t lost; /* samples made up since the last that was heard */
};

void filler_init(struct filler *filler, unsigned rate); /* at most FILLER_RATE_MAX */
/* What came; after a loss its beginning is blended with what stood for it. */
void filler_hear(struct filler *filler, int16_t *samples, size_t count);
void filler_fill(struct filler *filler, int16_t *ret_samples, size_t count);

#endif
