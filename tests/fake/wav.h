/* SPDX-License-Identifier: Apache-2.0 */
/* wav.h - WAV files with a pure tone, and the tone found in samples. */
#ifndef BREAKOUT_TESTS_FAKE_WAV_H
#define BREAKOUT_TESTS_FAKE_WAV_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "media/tone.h"

struct wav {
	uint32_t rate;
	uint16_t channels; /* the tone is in all of them */
	uint16_t bits;     /* 8: unsigned, 16: signed, 32: float */
	unsigned hz, ms;
};

static inline void wav_put(FILE *file, uint32_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		putc((int)(value >> 8 * i & 0xff), file);
}

static inline void wav_sample(FILE *file, uint16_t bits, double value)
{
	union {
		float real;
		uint32_t word;
	} sample = { .real = (float)value };

	if (bits == 8)
		sample.word = (uint32_t)lrint(128 + value * 100);
	else if (bits == 16)
		sample.word = (uint32_t)lrint(value * 32000);
	wav_put(file, sample.word, bits / 8);
}

/* 0 or -1. */
static inline int wav_write(const char *path, const struct wav *wav)
{
	uint32_t frames = (uint32_t)((uint64_t)wav->rate * wav->ms / 1000);
	uint32_t block = wav->channels * wav->bits / 8u, size = frames * block;
	FILE *file = fopen(path, "w");

	if (!file)
		return -1;
	fputs("RIFF", file);
	wav_put(file, 36 + size, 4);
	fputs("WAVEfmt ", file);
	wav_put(file, 16, 4);
	wav_put(file, wav->bits == 32 ? 3 : 1, 2); /* IEEE float or PCM */
	wav_put(file, wav->channels, 2);
	wav_put(file, wav->rate, 4);
	wav_put(file, wav->rate * block, 4);
	wav_put(file, block, 2);
	wav_put(file, wav->bits, 2);
	fputs("data", file);
	wav_put(file, size, 4);
	for (uint32_t i = 0; i < frames; i++)
		for (unsigned c = 0; c < wav->channels; c++)
			wav_sample(file, wav->bits, 0.5 * sin(2 * M_PI * wav->hz * i / wav->rate));
	return fclose(file);
}

/* The strongest tone of the last full window, 0 none. */
static inline unsigned wav_tone_of(const int16_t *samples, size_t count)
{
	struct tone_detector *detector = calloc(1, sizeof(*detector));
	unsigned hz = 0;

	for (size_t i = 0; detector && i < count; i++)
		tone_detector_add(detector, samples[i]);
	if (detector)
		hz = detector->hz;
	free(detector);
	return hz;
}

#endif
