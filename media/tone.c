/* SPDX-License-Identifier: Apache-2.0 */
#include "media/tone.h"
#include <math.h>

#define AMPLITUDE 8000.0 /* -12 dBFS: loud, far from clipping */

#define FIRST_HZ  200
#define LAST_HZ   3400
#define COARSE_HZ 25
#define FINE_HZ   5
/* Coarse search: blocks of 40 ms, so that a bin is as wide as its step. */
#define BLOCK       320
#define FLOOR_POWER 10000.0 /* mean square of about -50 dBFS: below is silence */
#define SHARE       0.5     /* of the window's power that one tone must hold */

uint8_t g711_encode_a(int16_t sample)
{
	int sign = sample >= 0 ? 0x80 : 0;
	int magnitude = (sample >= 0 ? sample : -(sample + 1)) >> 4; /* 11 bits */
	int exponent = 0;

	while (magnitude >> (exponent + 4) != 0)
		exponent++;
	if (exponent > 1) /* the two lowest segments have the same step */
		magnitude >>= exponent - 1;
	return (uint8_t)((sign | exponent << 4 | (magnitude & 0x0f)) ^ 0x55);
}

int16_t g711_decode_a(uint8_t code)
{
	int value, exponent;

	code = (uint8_t)(code ^ 0x55);
	exponent = code >> 4 & 7;
	value = (code & 0x0f) << 4 | 8;
	if (exponent > 0)
		value = (value | 0x100) << (exponent - 1);
	return (int16_t)(code & 0x80 ? value : -value);
}

uint8_t g711_encode_u(int16_t sample)
{
	int sign = sample < 0 ? 0x80 : 0;
	int magnitude = sample < 0 ? -(sample + 1) : sample;
	int exponent = 7;

	magnitude = (magnitude > 32635 ? 32635 : magnitude) + 132; /* bias of G.711 */
	while (exponent > 0 && (magnitude & 0x4000 >> (7 - exponent)) == 0)
		exponent--;
	return (uint8_t)(0xff ^ (sign | exponent << 4 | (magnitude >> (exponent + 3) & 0x0f)));
}

int16_t g711_decode_u(uint8_t code)
{
	int value;

	code = (uint8_t)~code;
	value = (((code & 0x0f) << 3) + 132) << (code >> 4 & 7);
	value -= 132;
	return (int16_t)(code & 0x80 ? -value : value);
}

void tone_source_init(struct tone_source *source, unsigned hz)
{
	tone_source_init_at(source, hz, TONE_RATE);
}

void tone_source_init_at(struct tone_source *source, unsigned hz, unsigned rate)
{
	source->step = 2 * M_PI * hz / rate;
	source->phase = 0;
}

int16_t tone_source_next(struct tone_source *source)
{
	double value = source->step > 0 ? AMPLITUDE * sin(source->phase) : 0;

	source->phase = fmod(source->phase + source->step, 2 * M_PI);
	return (int16_t)lrint(value);
}

/* Power of one frequency as a mean square (Goertzel 1958). */
static double power_of(const int16_t *samples, unsigned count, unsigned hz)
{
	double omega = 2 * M_PI * hz / TONE_RATE, factor = 2 * cos(omega);
	double last = 0, before = 0;

	for (unsigned i = 0; i < count; i++) {
		double next = samples[i] + factor * last - before;

		before = last;
		last = next;
	}
	return 2 * (last * last + before * before - factor * last * before) /
	       ((double)count * count);
}

static double coarse_power(const int16_t *samples, unsigned hz)
{
	double sum = 0;

	for (unsigned at = 0; at < TONE_WINDOW; at += BLOCK)
		sum += power_of(samples + at, BLOCK, hz);
	return sum;
}

static unsigned coarse_peak(const int16_t *samples)
{
	unsigned best = 0;
	double best_power = 0;

	for (unsigned hz = FIRST_HZ; hz <= LAST_HZ; hz += COARSE_HZ) {
		double power = coarse_power(samples, hz);

		if (power > best_power) {
			best_power = power;
			best = hz;
		}
	}
	return best;
}

/* Of the frequencies around one; 0: none of them holds its share of the power. */
static unsigned fine_peak(const int16_t *samples, double total, unsigned middle, unsigned around)
{
	double best_power = 0;
	unsigned best = 0;

	for (unsigned hz = middle - around; hz <= middle + around; hz += FINE_HZ) {
		double power = power_of(samples, TONE_WINDOW, hz);

		if (power > best_power) {
			best_power = power;
			best = hz;
		}
	}
	return best_power >= SHARE * total ? best : 0;
}

/* A tone mostly goes on: it is looked for first, for a fortieth of the search. With half
 * of the power in it no other can be stronger. */
static unsigned strongest(const int16_t *samples, unsigned hz_before)
{
	unsigned hz = 0;
	double total = 0;

	for (unsigned i = 0; i < TONE_WINDOW; i++)
		total += (double)samples[i] * samples[i] / TONE_WINDOW;
	if (total < FLOOR_POWER)
		return 0;
	if (hz_before)
		hz = fine_peak(samples, total, hz_before, FINE_HZ);
	return hz ? hz : fine_peak(samples, total, coarse_peak(samples), COARSE_HZ);
}

void tone_detector_add(struct tone_detector *detector, int16_t sample)
{
	detector->samples[detector->count++] = sample;
	if (detector->count < TONE_WINDOW)
		return;
	detector->hz = strongest(detector->samples, detector->hz);
	detector->count = 0;
}
