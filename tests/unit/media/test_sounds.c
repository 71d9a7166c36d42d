/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>
#include "media/sounds.h"
#include "tests/fake/folder.h"
#include "tests/fake/wav.h"

static char paths[2][64];
static struct config_sound named[2];
static struct config config;
static struct str findings;

static int setup(void **state)
{
	(void)state;
	if (folder_make())
		return -1;
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/%zu.wav", folder, i);
		named[i] = (struct config_sound){ .next = i ? &named[0] : NULL,
						  .path = paths[i],
						  .at = (char *)(i ? "c.yaml:9:3" : "c.yaml:5:7"),
						  .index = i };
		if (wav_write(paths[i], &(struct wav){ 8000, 1, 16, 500, 100 * (unsigned)(1 + i) }))
			return -1;
	}
	config.sounds = &named[1];
	config.sound_count = 2;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	str_done(&findings);
	return folder_remove();
}

static struct media_sounds *load(const struct media_sounds *before)
{
	struct media_sounds *sounds = NULL;

	assert_int_equal(media_sounds_create(&sounds, &config, before, &findings), 0);
	return sounds;
}

static void a_configuration_has_its_sounds_by_name(void **state)
{
	struct media_sounds *sounds = load(NULL);
	struct media_sound *first = media_sounds_ref(sounds, &named[0]);
	struct media_sound *second = media_sounds_ref(sounds, &named[1]);

	(void)state;
	assert_int_equal(media_sound_ms(first), 100);
	assert_int_equal(media_sound_ms(second), 200);
	assert_null(media_sounds_ref(sounds, NULL));
	assert_null(media_sounds_ref(NULL, &named[0]));
	media_sound_unref(first);
	media_sound_unref(second);
	media_sounds_destroy(sounds);
}

static void a_call_keeps_its_sound_when_the_set_is_gone(void **state)
{
	struct media_sounds *sounds = load(NULL);
	struct media_sound *sound = media_sounds_ref(sounds, &named[0]);
	const int16_t *samples;
	size_t count;

	(void)state;
	media_sounds_destroy(sounds);
	samples = sound_samples(sound, &count);
	assert_int_equal(count, 800);
	assert_int_equal(samples[0], 0);
	media_sound_unref(sound);
}

static void a_reload_reads_only_what_has_changed(void **state)
{
	struct media_sounds *before = load(NULL), *after;
	struct media_sound *old[2], *new[2];

	(void)state;
	assert_int_equal(wav_write(paths[1], &(struct wav){ 8000, 1, 16, 500, 300 }), 0);
	after = load(before);
	for (size_t i = 0; i < 2; i++) {
		old[i] = media_sounds_ref(before, &named[i]);
		new[i] = media_sounds_ref(after, &named[i]);
	}
	media_sounds_destroy(before);
	assert_ptr_equal(old[0], new[0]);
	assert_ptr_not_equal(old[1], new[1]);
	assert_int_equal(media_sound_ms(old[1]), 200);
	assert_int_equal(media_sound_ms(new[1]), 300);
	for (size_t i = 0; i < 2; i++) {
		media_sound_unref(old[i]);
		media_sound_unref(new[i]);
	}
	media_sounds_destroy(after);
}

static void every_file_at_fault_is_named_with_its_place(void **state)
{
	struct media_sounds *sounds = NULL;
	FILE *file = fopen(paths[1], "w");

	(void)state;
	fputs("no sound", file);
	fclose(file);
	remove(paths[0]);
	assert_int_equal(media_sounds_create(&sounds, &config, NULL, &findings), -EINVAL);
	assert_null(sounds);
	assert_non_null(strstr(findings.text, "c.yaml:9:3: error: "));
	assert_non_null(strstr(findings.text, "1.wav is no audio: "));
	assert_non_null(strstr(findings.text, "c.yaml:5:7: error: cannot read "));
	assert_non_null(strstr(findings.text, "No such file or directory. Check path"));
}

static void what_does_not_fit_into_memory_together_is_told(void **state)
{
	static struct config_sound many[8];
	struct config large = { .sounds = &many[7], .sound_count = 8 };
	struct media_sounds *sounds = NULL;

	(void)state;
	assert_int_equal(wav_write(paths[0], &(struct wav){ 8000, 1, 8, 500, 590 * 1000 }), 0);
	for (size_t i = 0; i < 8; i++)
		many[i] = (struct config_sound){ .next = i ? &many[i - 1] : NULL,
						 .path = paths[0],
						 .at = (char *)"c.yaml:1:1",
						 .index = i };
	assert_int_equal(media_sounds_create(&sounds, &large, NULL, &findings), -EINVAL);
	assert_non_null(strstr(findings.text, "longer than 70 minutes together"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_configuration_has_its_sounds_by_name, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_call_keeps_its_sound_when_the_set_is_gone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_reload_reads_only_what_has_changed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(every_file_at_fault_is_named_with_its_place, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_does_not_fit_into_memory_together_is_told,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
