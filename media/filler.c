/* SPDX-License-Identifier: Apache-2.0 */
#include "media/filler.h"
#include <math.h>
#include <string.h>

#define MEMORY_MS  40 /* what is compared, the longest period, and its seam */
#define COMPARE_MS 20
#define LAG_MIN_HZ 200 /* pitch between 66 and 200 Hz, or a multiple of what is higher */
#define LAG_MAX_MS 15
#define WHOLE_MS   10 /* at full level; silent at the end of the next */
#define FADE_MS    50
#define SEAM_MS    4

void filler_init(struct filler *filler, unsigned rate)
{
	memset(filler, 0, sizeof(*filler));
	filler->rate = rate;
	filler->memory = (size_t)rate / 1000 * MEMORY_MS;
}

static void remember(struct filler *filler, const int16_t *samples, size_t count)
{
	size_t memory = filler->memory;

	if (count >= memory) {
		memcpy(filler->heard, samples + count - memory, memory * sizeof(*samples));
		return;
	}
	memmove(filler->heard, filler->heard + count, (memory - count) * sizeof(*samples));
	memcpy(filler->heard + memory - count, samples, count * sizeof(*samples));
}

/* How like the newest samples are to those `lag` before them: -1 to 1. */
static double likeness(const struct filler *filler, size_t lag)
{
	size_t count = filler->rate / 1000 * COMPARE_MS;
	const int16_t *now = filler->heard + filler->memory - count, *then = now - lag;
	double product = 0, energy = 1;

	for (size_t i = 0; i < count; i += 2) { /* half of them tell enough */
		product += (double)now[i] * then[i];
		energy += (double)then[i] * then[i];
	}
	return product / sqrt(energy);
}

static size_t find_pitch(const struct filler *filler)
{
	size_t best = filler->rate / LAG_MIN_HZ, last = filler->rate / 1000 * LAG_MAX_MS;
	double most = likeness(filler, best);

	for (size_t lag = best + 1; lag <= last; lag++) {
		double found = likeness(filler, lag);

		if (found > most) {
			most = found;
			best = lag;
		}
	}
	return best;
}

/* From `before` to `after` over `count` samples, into `after`. */
static void blend(const int16_t *before, int16_t *after, size_t count)
{
	for (size_t i = 0; i < count; i++)
		after[i] =
			(int16_t)((before[i] * (int)(count - i) + after[i] * (int)i) / (int)count);
}

/* The newest period, its end bent to what came before its beginning, so that it can
 * follow itself. */
static void take_period(struct filler *filler)
{
	const int16_t *end = filler->heard + filler->memory;
	size_t seam;

	filler->pitch = find_pitch(filler);
	seam = filler->pitch / 4;
	memcpy(filler->period, end - filler->pitch, filler->pitch * sizeof(*end));
	for (size_t i = 0; i < seam; i++) {
		int own = end[(ptrdiff_t)i - (ptrdiff_t)seam] * (int)(seam - i);
		int earlier = end[(ptrdiff_t)i - (ptrdiff_t)(seam + filler->pitch)] * (int)i;

		filler->period[filler->pitch - seam + i] = (int16_t)((own + earlier) / (int)seam);
	}
}

static int16_t next_made(struct filler *filler)
{
	double ms = (double)filler->lost * 1000 / filler->rate;
	double level = ms <= WHOLE_MS ? 1 : 1 - (ms - WHOLE_MS) / FADE_MS;

	if (level < 0)
		level = 0;
	return (int16_t)(level * filler->period[filler->lost++ % filler->pitch]);
}

void filler_fill(struct filler *filler, int16_t *ret_samples, size_t count)
{
	if (filler->lost == 0)
		take_period(filler);
	for (size_t i = 0; i < count; i++)
		ret_samples[i] = next_made(filler);
	remember(filler, ret_samples, count);
}

void filler_hear(struct filler *filler, int16_t *samples, size_t count)
{
	int16_t made[FILLER_RATE_MAX / 1000 * SEAM_MS];
	size_t seam = filler->rate / 1000 * SEAM_MS;

	if (seam > count)
		seam = count;
	if (filler->lost > 0) {
		for (size_t i = 0; i < seam; i++)
			made[i] = next_made(filler);
		blend(made, samples, seam);
	}
	filler->lost = 0;
	remember(filler, samples, count);
}
