/* SPDX-License-Identifier: Apache-2.0 */
/* test_digit_detector.c - which tones are digits, and that speech is none.
 *
 * Limits: ITU-T Q.24, of its tables what AT&T asks for; levels in dBm0 of each tone, of which
 * 3.14 is a sine that just fits. Everything goes through G.711, and is the same each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "media/digit_detector.h"
#include "media/tone.h"

#define RATE        TONE_RATE
#define FRAME       160 /* samples, as they come */
#define FULL_SCALE  3.14
#define MINUTES     10 /* of each kind of speech, */
#define OTHER_MIN   2  /* and of each other sound */
#define SPEECH_DBM0 (-15.0)
#define DIGITS      "123A456B789C*0#D"
#define FOUND_MAX   4096

static const double low_hz[] = { 697, 770, 852, 941 }, high_hz[] = { 1209, 1336, 1477, 1633 };

static struct digit_detector *detector;
static char found[FOUND_MAX];
static unsigned found_count, over_count;
static int16_t frame[FRAME];
static size_t filled;
static uint64_t generator;

static void on_found(char digit, void *arg)
{
	(void)arg;
	if (!digit) {
		over_count++;
		return;
	}
	assert_true(found_count < FOUND_MAX - 1);
	found[found_count++] = digit;
	found[found_count] = '\0';
}

static void begin(void)
{
	if (detector)
		digit_detector_destroy(detector);
	assert_int_equal(digit_detector_create(&detector, on_found, NULL), 0);
	found_count = over_count = 0;
	found[0] = '\0';
	filled = 0;
	generator = 88172645463325252u;
}

static int tear_down(void **state)
{
	(void)state;
	detector = digit_detector_destroy(detector);
	return 0;
}

static void put(double sample)
{
	double fits = sample > 32767 ? 32767 : sample < -32767 ? -32767 : sample;

	frame[filled++] = g711_decode_a(g711_encode_a((int16_t)lrint(fits)));
	if (filled == FRAME) {
		digit_detector_hear(detector, frame, FRAME);
		filled = 0;
	}
}

/* Marsaglia's xorshift: 0 to 1. */
static double drawn(void)
{
	generator ^= generator << 13;
	generator ^= generator >> 7;
	generator ^= generator << 17;
	return (double)(generator >> 11) / (double)(UINT64_C(1) << 53);
}

static double between(double least, double most)
{
	return least + (most - least) * drawn();
}

/* Near to a normal distribution of deviation 1. */
static double noise(void)
{
	double sum = 0;

	for (unsigned i = 0; i < 12; i++)
		sum += drawn();
	return sum - 6;
}

static double amplitude(double dbm0)
{
	return 32767 * pow(10, (dbm0 - FULL_SCALE) / 20);
}

/* ---- tones ---- */

struct signal {
	double low, high; /* dBm0 */
	double off;       /* of both frequencies, 0.01: one per cent */
	double noise;     /* dBm0; 0: none */
	unsigned on_ms, pause_ms;
	unsigned broken_ms; /* in its middle */
};

static double noise_of(const struct signal *signal)
{
	return signal->noise < 0 ? noise() * amplitude(signal->noise) / M_SQRT2 : 0;
}

static void silence(const struct signal *signal, unsigned ms)
{
	for (unsigned i = 0; i < ms * RATE / 1000; i++)
		put(noise_of(signal));
}

static void press(const struct signal *signal, unsigned key)
{
	double low = 2 * M_PI * low_hz[key / 4] * (1 + signal->off) / RATE;
	double high = 2 * M_PI * high_hz[key % 4] * (1 + signal->off) / RATE;
	unsigned count = signal->on_ms * RATE / 1000, hole = signal->broken_ms * RATE / 1000;

	for (unsigned i = 0; i < count; i++) {
		bool sounds = i < count / 2 - hole / 2 || i >= count / 2 + (hole + 1) / 2;

		put(noise_of(signal) + (sounds ? amplitude(signal->low) * sin(low * i) +
							 amplitude(signal->high) * sin(high * i)
					       : 0));
	}
	silence(signal, signal->pause_ms);
}

/* All keys, so often, each at another place among the frames. */
static void press_all(const struct signal *signal, unsigned times)
{
	begin();
	for (unsigned i = 0; i < times; i++) {
		for (unsigned key = 0; key < 16; key++) {
			press(signal, key);
			silence(signal, i % 7);
		}
	}
	silence(signal, 100);
}

static void all_are_found(const struct signal *signal, unsigned times, const char *what)
{
	press_all(signal, times);
	if (found_count != 16 * times)
		fail_msg("%s: %u of %u are found", what, found_count, 16 * times);
	for (unsigned i = 0; i < times; i++)
		assert_memory_equal(found + (size_t)16 * i, DIGITS, 16);
	assert_in_range(over_count, found_count - 1, found_count);
}

static void none_is_found(const struct signal *signal, const char *what)
{
	press_all(signal, 4);
	if (found_count > 0)
		fail_msg("%s: %u of 64 are found: %.64s", what, found_count, found);
}

static void levels_are_those_of_q24(void **state)
{
	(void)state;
	for (int dbm0 = 0; dbm0 >= -25; dbm0 -= 5) {
		const struct signal signal = { dbm0, dbm0, .on_ms = 50, .pause_ms = 50 };

		all_are_found(&signal, 8, "level");
	}
	none_is_found(&(struct signal){ -55, -55, .on_ms = 50, .pause_ms = 50 }, "-55 dBm0");
}

/* The high tone up to 4 dB above the low one, or 8 dB below. */
static void twist_is_that_of_q24(void **state)
{
	(void)state;
	all_are_found(&(struct signal){ -14, -10, .on_ms = 50, .pause_ms = 50 }, 8, "+4 dB");
	all_are_found(&(struct signal){ -10, -16, .on_ms = 50, .pause_ms = 50 }, 8, "-6 dB");
	all_are_found(&(struct signal){ -10, -18, .on_ms = 50, .pause_ms = 50 }, 8, "-8 dB");
	none_is_found(&(struct signal){ -25, -10, .on_ms = 50, .pause_ms = 50 }, "+15 dB");
	none_is_found(&(struct signal){ -10, -25, .on_ms = 50, .pause_ms = 50 }, "-15 dB");
}

/* Q.24 has 1.5 and 3.5 %: at the first of these spandsp misses some short ones. */
static void frequencies_are_nearly_those_of_q24(void **state)
{
	(void)state;
	for (int i = -1; i <= 1; i += 2) {
		struct signal signal = { -10, -10, .on_ms = 50, .pause_ms = 50 };

		signal.off = 0.0125 * i;
		all_are_found(&signal, 8, "1.25 %");
		signal.off = 0.015 * i;
		press_all(&signal, 8);
		print_message("%+.1f %% beside it: %u of 128 are found\n", 1.5 * i, found_count);
		assert_in_range(found_count, 90, 128);
		signal.off = 0.03 * i;
		none_is_found(&signal, "3 %");
	}
}

static void times_are_those_of_q24(void **state)
{
	(void)state;
	all_are_found(&(struct signal){ -10, -10, .on_ms = 40, .pause_ms = 40 }, 8, "40 ms");
	all_are_found(&(struct signal){ -10, -10, .on_ms = 3000, .pause_ms = 40 }, 1, "3 s");
	none_is_found(&(struct signal){ -10, -10, .on_ms = 20, .pause_ms = 60 }, "20 ms");
	all_are_found(&(struct signal){ -10, -10, .on_ms = 200, .pause_ms = 60, .broken_ms = 10 },
		      4, "broken for 10 ms");
}

static void one_key_pressed_again_is_two_digits(void **state)
{
	const struct signal signal = { -10, -10, .on_ms = 40, .pause_ms = 40 };

	(void)state;
	begin();
	for (unsigned i = 0; i < 200; i++) {
		press(&signal, 5);
		silence(&signal, i % 7);
	}
	silence(&signal, 100);
	assert_int_equal(found_count, 200);
	assert_int_equal(over_count, 200);
}

static void noise_hides_no_digit(void **state)
{
	(void)state;
	all_are_found(&(struct signal){ -10, -10, .noise = -25, .on_ms = 50, .pause_ms = 50 }, 64,
		      "15 dB above noise");
	all_are_found(&(struct signal){ -20, -20, .noise = -35, .on_ms = 50, .pause_ms = 50 }, 64,
		      "15 dB above noise, and low");
}

/* ---- what is no digit ---- */

/* Two poles, as formants are made (Klatt 1980). */
struct resonator {
	double a, b, c, before, last;
};

static void tune(struct resonator *resonator, double hz, double width)
{
	resonator->c = -exp(-2 * M_PI * width / RATE);
	resonator->b = 2 * exp(-M_PI * width / RATE) * cos(2 * M_PI * hz / RATE);
	resonator->a = 1 - resonator->b - resonator->c;
}

static double resonate(struct resonator *resonator, double in)
{
	double out = resonator->a * in + resonator->b * resonator->last +
		     resonator->c * resonator->before;

	resonator->before = resonator->last;
	resonator->last = out;
	return out;
}

/* Who speaks: pitch and the narrowness of formants; 1: as of an adult. */
struct speaker {
	double pitch_least, pitch_most, width;
};

struct voice {
	struct resonator formants[4];
	double from[3], to[3]; /* Hz of the first three */
	double pitch, phase, drift, level, breath;
	double energy; /* of what came out, to keep the level */
};

static void next_sound(struct voice *voice, const struct speaker *speaker)
{
	static const double least[] = { 250, 700, 2100 }, most[] = { 900, 2400, 3200 };

	for (unsigned i = 0; i < 3; i++) {
		voice->from[i] = voice->to[i];
		voice->to[i] = between(least[i], most[i]);
	}
	voice->breath = drawn() < 0.2 ? 1 : between(0, 0.1);
	voice->level = drawn() < 0.15 ? 0 : between(0.3, 1.4);
	voice->drift = between(-0.3, 0.3);
	if (drawn() < 0.3)
		voice->pitch = between(speaker->pitch_least, speaker->pitch_most);
}

static void glide(struct voice *voice, const struct speaker *speaker, double share)
{
	static const double widths[] = { 60, 90, 150 };

	for (unsigned i = 0; i < 3; i++)
		tune(&voice->formants[i], voice->from[i] + (voice->to[i] - voice->from[i]) * share,
		     widths[i] * speaker->width);
	tune(&voice->formants[3], 3500, 250);
}

static double utter(struct voice *voice, double share)
{
	double pitch = voice->pitch * (1 + voice->drift * share), out;

	voice->phase += pitch / RATE;
	if (voice->phase >= 1)
		voice->phase -= 1;
	/* The flow through the glottis rises slowly, and closes at once. */
	out = (voice->phase < 0.6 ? sin(M_PI * voice->phase / 0.6) : 0) * (1 - voice->breath) +
	      noise() * 0.3 * voice->breath;
	for (unsigned i = 0; i < 4; i++)
		out = resonate(&voice->formants[i], out);
	voice->energy += (out * out - voice->energy) / (2.0 * RATE);
	return out / sqrt(voice->energy + 1e-6) * voice->level;
}

static void speak(const struct speaker *speaker, unsigned minutes)
{
	struct voice voice = { .to = { 500, 1500, 2500 }, .pitch = speaker->pitch_least };
	double level = amplitude(SPEECH_DBM0) / M_SQRT2;

	for (unsigned done = 0; done < minutes * 60 * RATE;) {
		unsigned count = (unsigned)between(0.04 * RATE, 0.3 * RATE);

		next_sound(&voice, speaker);
		for (unsigned i = 0; i < count; i++, done++) {
			double share = (double)i / count;

			if (i % 40 == 0)
				glide(&voice, speaker, share);
			put(utter(&voice, share) * level);
		}
	}
}

static void speech_is_no_digit(void **state)
{
	static const struct {
		const char *name;
		struct speaker speaker;
	} who[] = {
		{ "low", { 75, 150, 1 } },
		{ "high", { 150, 300, 1 } },
		{ "child's", { 220, 450, 1 } },
		{ "clear", { 100, 350, 0.5 } },
	};
	unsigned all = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
		begin();
		speak(&who[i].speaker, MINUTES);
		print_message("%s voice: %u digits in %u minutes %s\n", who[i].name, found_count,
			      MINUTES, found);
		all += found_count;
	}
	assert_int_equal(all, 0);
}

static void hiss(double dbm0, bool pink)
{
	double parts[3] = { 0 };

	for (unsigned i = 0; i < OTHER_MIN * 60 * RATE; i++) {
		double white = noise(), sample = white;

		if (pink) { /* -3 dB an octave, after Kellet */
			parts[0] = 0.99765 * parts[0] + white * 0.0990460;
			parts[1] = 0.96300 * parts[1] + white * 0.2965164;
			parts[2] = 0.57000 * parts[2] + white * 1.0526913;
			sample = (parts[0] + parts[1] + parts[2] + white * 0.1848) / 2;
		}
		put(sample * amplitude(dbm0) / M_SQRT2);
	}
}

/* Chords of a scale with five harmonics each. */
static void music(void)
{
	for (unsigned done = 0; done < OTHER_MIN * 60 * RATE;) {
		unsigned count = (unsigned)between(0.1 * RATE, 0.8 * RATE);
		double notes[3], level = amplitude(-16) / 3;

		for (unsigned n = 0; n < 3; n++)
			notes[n] = 110 * pow(2, floor(between(0, 36)) / 12);
		for (unsigned i = 0; i < count; i++, done++) {
			double sum = 0;

			for (unsigned n = 0; n < 3; n++)
				for (unsigned k = 1; k <= 5; k++)
					sum += sin(2 * M_PI * notes[n] * k * i / RATE) / k;
			put(sum * level);
		}
	}
}

/* What a network plays: two tones, of which none is a digit's pair. */
static void network_tones(void)
{
	static const double pairs[][2] = { { 350, 440 },   { 440, 480 }, { 480, 620 },
					   { 425, 0 },     { 950, 0 },   { 1400, 0 },
					   { 1800, 0 },    { 1100, 0 },  { 2100, 0 },
					   { 697, 0 },     { 1209, 0 },  { 697, 770 },
					   { 1209, 1336 }, { 700, 900 }, { 1300, 1500 } };

	for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		for (unsigned k = 0; k < 5 * RATE; k++)
			put(amplitude(-10) * (sin(2 * M_PI * pairs[i][0] * k / RATE) +
					      sin(2 * M_PI * pairs[i][1] * k / RATE)));
}

static void noise_and_other_sounds_are_no_digit(void **state)
{
	(void)state;
	for (int dbm0 = -40; dbm0 <= 0; dbm0 += 10) {
		begin();
		hiss(dbm0, false);
		hiss(dbm0, true);
		print_message("noise of %d dBm0: %u digits in %u minutes\n", dbm0, found_count,
			      2 * OTHER_MIN);
		assert_int_equal(found_count, 0);
	}
	begin();
	music();
	print_message("music: %u digits in %u minutes %s\n", found_count, OTHER_MIN, found);
	assert_int_equal(found_count, 0);
	begin();
	network_tones();
	print_message("tones of networks: %u digits %s\n", found_count, found);
	assert_int_equal(found_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(levels_are_those_of_q24, tear_down),
		cmocka_unit_test_teardown(twist_is_that_of_q24, tear_down),
		cmocka_unit_test_teardown(frequencies_are_nearly_those_of_q24, tear_down),
		cmocka_unit_test_teardown(times_are_those_of_q24, tear_down),
		cmocka_unit_test_teardown(one_key_pressed_again_is_two_digits, tear_down),
		cmocka_unit_test_teardown(noise_hides_no_digit, tear_down),
		cmocka_unit_test_teardown(speech_is_no_digit, tear_down),
		cmocka_unit_test_teardown(noise_and_other_sounds_are_no_digit, tear_down),
	};

	return cmocka_run_group_tests_name("media/digit_detector", tests, NULL, NULL);
}
