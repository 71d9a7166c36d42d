/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "media/sound_file.h"
#include "tests/fake/folder.h"
#include "tests/fake/wav.h"

static int setup(void **state)
{
	(void)state;
	return folder_make();
}

static int teardown(void **state)
{
	(void)state;
	return folder_remove();
}

static const char *path_of(const char *name)
{
	static char path[64];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* Written as `wav` says, it sounds the same at our rate. */
static void assert_same_tone(const struct wav *wav)
{
	char why[SOUND_FILE_WHY_ROOM];
	int16_t *samples;
	size_t count;

	assert_int_equal(wav_write(path_of("tone.wav"), wav), 0);
	assert_int_equal(sound_file_read(path_of("tone.wav"), &samples, &count, why), 0);
	assert_in_range(count, wav->ms * 8 - 8, wav->ms * 8 + 8);
	assert_int_equal(wav_tone_of(samples, count), wav->hz);
	/* Half of full scale, within the ripple of the filter and 8 bits. */
	for (size_t i = count / 4; i < count / 2; i++)
		assert_in_range(samples[i] + 32768, 32768 - 17500, 32768 + 17500);
	free(samples);
}

static void usual_rates_become_ours(void **state)
{
	static const uint32_t rates[] = { 8000, 11025, 16000, 22050, 44100, 48000, 96000 };

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		assert_same_tone(&(struct wav){ rates[i], 1, 16, 1000, 600 });
}

static void usual_sample_formats_are_read(void **state)
{
	(void)state;
	assert_same_tone(&(struct wav){ 8000, 1, 8, 500, 400 });
	assert_same_tone(&(struct wav){ 8000, 1, 32, 500, 400 });
	assert_same_tone(&(struct wav){ 44100, 2, 32, 500, 400 });
}

static void stereo_is_mixed(void **state)
{
	(void)state;
	assert_same_tone(&(struct wav){ 48000, 2, 16, 700, 400 });
}

static void what_a_telephone_cannot_carry_is_filtered_out(void **state)
{
	char why[SOUND_FILE_WHY_ROOM];
	int16_t *samples;
	size_t count;

	(void)state;
	assert_int_equal(wav_write(path_of("high.wav"), &(struct wav){ 48000, 1, 16, 7000, 400 }),
			 0);
	assert_int_equal(sound_file_read(path_of("high.wav"), &samples, &count, why), 0);
	assert_int_equal(wav_tone_of(samples, count), 0); /* no alias at 1000 Hz */
	free(samples);
}

static void assert_unfit(const char *name, const char *wanted)
{
	char why[SOUND_FILE_WHY_ROOM] = "";
	int16_t *samples = NULL;
	size_t count = 0;

	assert_int_equal(sound_file_read(path_of(name), &samples, &count, why), -EINVAL);
	if (!strstr(why, wanted))
		fail_msg("wanted \"%s\" in \"%s\"", wanted, why);
	assert_null(samples);
}

static void what_is_no_sound_is_told(void **state)
{
	FILE *file = fopen(path_of("text.wav"), "w");
	char why[SOUND_FILE_WHY_ROOM];
	int16_t *samples;
	size_t count;

	(void)state;
	fputs("this is a letter, no sound", file);
	fclose(file);
	assert_unfit("text.wav", "is no audio: ");
	assert_int_equal(wav_write(path_of("none.wav"), &(struct wav){ 8000, 1, 16, 500, 0 }), 0);
	assert_unfit("none.wav", "is empty");
	assert_int_equal(wav_write(path_of("slow.wav"), &(struct wav){ 2000, 1, 16, 500, 10 }), 0);
	assert_unfit("slow.wav", "has 2000 samples a second");
	assert_int_equal(wav_write(path_of("many.wav"), &(struct wav){ 8000, 9, 16, 500, 10 }), 0);
	assert_unfit("many.wav", "has 9 channels");
	assert_int_equal(mkfifo(path_of("pipe.wav"), 0600), 0);
	assert_unfit("pipe.wav", "is not a file"); /* and nobody waits for a writer */
	assert_int_equal(sound_file_read(path_of("gone.wav"), &samples, &count, why), -ENOENT);
}

static void a_sound_that_is_too_long_is_told(void **state)
{
	(void)state;
	assert_int_equal(wav_write(path_of("long.wav"),
				   &(struct wav){ 8000, 1, 8, 500, SOUND_FILE_MAX_S * 1000 }),
			 0);
	assert_unfit("long.wav", "is longer than 10 minutes");
}

static void a_file_cut_short_is_played_as_far_as_it_goes(void **state)
{
	char why[SOUND_FILE_WHY_ROOM];
	int16_t *samples;
	size_t count;

	(void)state;
	assert_int_equal(wav_write(path_of("cut.wav"), &(struct wav){ 8000, 1, 16, 500, 1000 }), 0);
	assert_int_equal(truncate(path_of("cut.wav"), 44 + 8000), 0);
	assert_int_equal(sound_file_read(path_of("cut.wav"), &samples, &count, why), 0);
	assert_int_equal(count, 4000);
	free(samples);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(usual_rates_become_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(usual_sample_formats_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(stereo_is_mixed, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_telephone_cannot_carry_is_filtered_out,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_sound_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_sound_that_is_too_long_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_cut_short_is_played_as_far_as_it_goes, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
