/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "media/tone.h"

static void g711_survives_a_round_trip_within_its_step(void **state)
{
	(void)state;
	for (int sample = -32768; sample <= 32767; sample += 7) {
		int a = g711_decode_a(g711_encode_a((int16_t)sample));
		int u = g711_decode_u(g711_encode_u((int16_t)sample));
		int step = abs(sample) / 16 + 16;

		assert_in_range(abs(a - sample), 0, step);
		assert_in_range(abs(u - sample), 0, step + (abs(sample) > 32000 ? 700 : 0));
	}
}

static void every_g711_code_is_its_own_encoding(void **state)
{
	(void)state;
	for (unsigned code = 0; code < 256; code++) {
		assert_int_equal(g711_encode_a(g711_decode_a((uint8_t)code)), code);
		if (code != 0x7f) /* mu-law's negative zero */
			assert_int_equal(g711_encode_u(g711_decode_u((uint8_t)code)), code);
	}
}

static void silence_has_its_known_codes(void **state)
{
	(void)state;
	assert_int_equal(g711_encode_a(0), 0xd5);
	assert_int_equal(g711_encode_u(0), 0xff);
}

static unsigned detect(unsigned hz, unsigned second_hz, int noise)
{
	struct tone_source source, second;
	struct tone_detector detector;

	memset(&detector, 0, sizeof(detector));
	tone_source_init(&source, hz);
	tone_source_init(&second, second_hz);
	srand(1);
	for (unsigned i = 0; i < TONE_WINDOW; i++) {
		int sample = tone_source_next(&source) + tone_source_next(&second) / 8;

		sample += noise ? rand() % (2 * noise) - noise : 0;
		tone_detector_add(&detector, g711_decode_a(g711_encode_a((int16_t)sample)));
	}
	return detector.hz;
}

static void a_tone_that_changes_is_named_anew(void **state)
{
	static const unsigned tones[] = { 440, 440, 445, 460, 1500, 0, 425, 430 };
	struct tone_detector detector = { .count = 0 };
	struct tone_source source;

	(void)state;
	for (unsigned t = 0; t < sizeof(tones) / sizeof(tones[0]); t++) {
		tone_source_init(&source, tones[t]);
		for (unsigned i = 0; i < TONE_WINDOW; i++)
			tone_detector_add(&detector, tone_source_next(&source));
		assert_int_equal(detector.hz, tones[t]);
	}
}

static void tones_are_named_within_five_hertz(void **state)
{
	(void)state;
	for (unsigned hz = 205; hz <= 3390; hz += 35)
		assert_in_range(detect(hz, 0, 0), hz - 5, hz + 5);
	assert_int_equal(detect(440, 0, 0), 440);
	assert_int_equal(detect(425, 0, 0), 425);
}

static void the_stronger_of_two_tones_is_named(void **state)
{
	(void)state;
	assert_int_equal(detect(440, 1000, 0), 440);
}

static void a_tone_in_noise_is_heard_and_noise_alone_is_not(void **state)
{
	(void)state;
	assert_int_equal(detect(600, 0, 3000), 600);
	assert_int_equal(detect(0, 0, 8000), 0);
	assert_int_equal(detect(0, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(g711_survives_a_round_trip_within_its_step),
		cmocka_unit_test(every_g711_code_is_its_own_encoding),
		cmocka_unit_test(silence_has_its_known_codes),
		cmocka_unit_test(a_tone_that_changes_is_named_anew),
		cmocka_unit_test(tones_are_named_within_five_hertz),
		cmocka_unit_test(the_stronger_of_two_tones_is_named),
		cmocka_unit_test(a_tone_in_noise_is_heard_and_noise_alone_is_not),
	};

	return cmocka_run_group_tests_name("media/tone", tests, NULL, NULL);
}
