/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include "media/filler.h"
#include "media/tone.h"

static struct filler filler;
static struct tone_source source;

static void hear(unsigned rate, unsigned frames)
{
	int16_t samples[FILLER_RATE_MAX / 50];

	for (unsigned n = 0; n < frames; n++) {
		for (unsigned i = 0; i < rate / 50; i++)
			samples[i] = tone_source_next(&source);
		filler_hear(&filler, samples, rate / 50);
	}
}

static double rms(const int16_t *samples, size_t count)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += (double)samples[i] * samples[i];
	return sqrt(sum / (double)count);
}

static void a_voiced_sound_goes_on_and_fades(void **state)
{
	static const unsigned rates[] = { 8000, 16000 };
	int16_t made[FILLER_RATE_MAX / 50], tone;

	(void)state;
	for (unsigned r = 0; r < 2; r++) {
		unsigned count = rates[r] / 50, near = 0;

		filler_init(&filler, rates[r]);
		tone_source_init_at(&source, 160, rates[r]);
		hear(rates[r], 5);
		filler_fill(&filler, made, count);
		for (unsigned i = 0; i < count / 2; i++) { /* 10 ms: as if nothing were lost */
			tone = tone_source_next(&source);
			near += abs(tone - made[i]) < 1500;
		}
		assert_true(near > count / 2 * 9 / 10);
		for (unsigned i = 0; i < 2; i++)
			filler_fill(&filler, made, count);
		assert_true(rms(made, count) < 2000);
		filler_fill(&filler, made, count);
		assert_true(rms(made, count) < 1);
	}
}

static void no_seam_is_heard_where_sound_comes_back(void **state)
{
	int16_t samples[160], last;

	(void)state;
	filler_init(&filler, 8000);
	tone_source_init(&source, 200);
	hear(8000, 5);
	filler_fill(&filler, samples, 160);
	last = samples[159];
	for (unsigned i = 0; i < 80; i++) /* the clock went on, but not by whole periods */
		(void)tone_source_next(&source);
	for (unsigned i = 0; i < 160; i++)
		samples[i] = tone_source_next(&source);
	filler_hear(&filler, samples, 160);
	assert_true(abs(samples[0] - last) < 2500);
	for (unsigned i = 1; i < 160; i++) /* 200 Hz of 8000 moves by 1260 a sample at most */
		assert_true(abs(samples[i] - samples[i - 1]) < 2500);
}

static void silence_and_a_beginning_stay_silent(void **state)
{
	int16_t made[160];

	(void)state;
	filler_init(&filler, 8000);
	filler_fill(&filler, made, 160);
	assert_true(rms(made, 160) < 1);
	filler_hear(&filler, made, 5); /* shorter than a seam */
	filler_fill(&filler, made, 160);
	assert_true(rms(made, 160) < 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_voiced_sound_goes_on_and_fades),
		cmocka_unit_test(no_seam_is_heard_where_sound_comes_back),
		cmocka_unit_test(silence_and_a_beginning_stay_silent),
	};

	return cmocka_run_group_tests_name("media/filler", tests, NULL, NULL);
}
