/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on a real disk; test_recorder.c has the messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "media/recording_file.h"
#include "media/recording_folder.h"
#include "media/sound_file.h"
#include "tests/fake/folder.h"
#include "tests/fake/rsa.h"
#include "tests/fake/text.h"

#define ABOUT "{\"id\":\"7\""
#define DAY   (24 * 3600 * (wall_ms)1000)

static char box[64], own[64], public[64], paths[4][128];
static struct media_recording options;
static const char *why;

static void no_log(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)level;
	(void)area;
	(void)line;
	(void)arg;
}

static int setup(void **state)
{
	(void)state;
	log_set_sink(no_log, NULL);
	if (folder_make())
		return -1;
	(void)snprintf(box, sizeof(box), "%s/calls", folder);
	(void)snprintf(own, sizeof(own), "%s/own.pem", folder);
	(void)snprintf(public, sizeof(public), "%s/public.pem", folder);
	options = (struct media_recording){ .folder = box, .name = "c1", .about = ABOUT };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_set_sink(NULL, NULL);
	return folder_remove();
}

static const char *in_box(const char *name)
{
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", box, name);
	return path;
}

static bool there(const char *name)
{
	return access(in_box(name), F_OK) == 0;
}

/* Left 1000, right 3000. */
static void write_call(struct recording_file *file, unsigned ms)
{
	int16_t frames[80][2];

	recording_file_init(file);
	assert_int_equal(recording_file_make(file, &options, 2, &why), 0);
	for (unsigned i = 0; i < 80; i++) {
		frames[i][0] = 1000;
		frames[i][1] = 3000;
	}
	for (unsigned at = 0; at < ms; at += 10)
		assert_int_equal(recording_file_write(file, frames[0], 80), 0);
	assert_int_equal(recording_file_ms(file), ms);
}

static void assert_call(const char *name, unsigned ms)
{
	char text[SOUND_FILE_WHY_ROOM];
	uint8_t head[48];
	int16_t *samples;
	size_t count;
	int fd = open(in_box(name), O_RDONLY);

	assert_int_equal(read(fd, head, sizeof(head)), sizeof(head));
	close(fd);
	assert_int_equal(head[22], 2); /* channels */
	assert_memory_equal(head + 44, ((const int16_t[]){ 1000, 3000 }), 4);
	assert_int_equal(sound_file_read(in_box(name), &samples, &count, text), 0);
	assert_int_equal(count, ms * 8);
	assert_in_range(samples[count / 2], 1990, 2010); /* mixed */
	free(samples);
}

static void a_call_has_two_channels(void **state)
{
	struct recording_file file;

	(void)state;
	write_call(&file, 1500);
	assert_call("c1.wav.part", 1500); /* at any time */
	assert_int_equal(recording_file_complete(&file, 40, "hangup"), 0);
	recording_file_done(&file);
	assert_call("c1.wav", 1500);
	text_is(in_box("c1.json"),
		ABOUT ",\"length_ms\":1500,\"dropped_ms\":40,\"ended\":\"hangup\"}\n");
}

static void a_killed_process_leaves_a_call_that_is_completed(void **state)
{
	struct recording_file file;

	(void)state;
	write_call(&file, 1500);
	recording_file_done(&file);
	recording_files_recover(box);
	assert_call("c1.wav", 1500);
	text_is(in_box("c1.json"),
		ABOUT ",\"length_ms\":1500,\"dropped_ms\":0,\"ended\":\"interrupted\"}\n");
}

static int unseal(unsigned *ret_ms)
{
	return recording_file_unseal(in_box("c1.wav.sealed"), own, in_box("c1.wav"), ret_ms, &why);
}

static void a_sealed_call_is_heard_by_who_has_the_key(void **state)
{
	struct recording_file file;
	unsigned ms;

	(void)state;
	assert_int_equal(rsa_write(own, public, 2048), 0);
	options.public_key = public;
	write_call(&file, 1500);
	assert_false(there("c1.wav.part"));
	assert_int_equal(recording_file_complete(&file, 0, "hangup"), 0);
	recording_file_done(&file);
	text_is(in_box("c1.json"),
		ABOUT ",\"length_ms\":1500,\"dropped_ms\":0,\"ended\":\"hangup\"}\n");
	assert_int_equal(unseal(&ms), 0);
	assert_int_equal(ms, 1500);
	assert_call("c1.wav", 1500);
	assert_int_equal(unseal(&ms), -EEXIST); /* writes over nothing */
}

static void a_sealed_call_of_a_killed_process_says_that_it_ends_early(void **state)
{
	struct recording_file file;
	unsigned ms;

	(void)state;
	assert_int_equal(rsa_write(own, public, 2048), 0);
	options.public_key = public;
	write_call(&file, 2000);
	assert_int_equal(ftruncate(file.sound, file.size - 9), 0);
	recording_file_done(&file);
	recording_files_recover(box);
	text_is(in_box("c1.json"),
		ABOUT ",\"length_ms\":1990,\"dropped_ms\":0,\"ended\":\"interrupted\"}\n");
	assert_int_equal(unseal(&ms), -ENODATA);
	assert_int_equal(ms, 1990);
	assert_call("c1.wav", 1990);
}

static void assert_opus(const char *name, unsigned ms)
{
	char text[SOUND_FILE_WHY_ROOM];
	int16_t *samples;
	size_t count;

	assert_int_equal(sound_file_read(in_box(name), &samples, &count, text), 0);
	assert_int_equal(count / 8, ms);
	free(samples);
}

static void a_call_can_be_opus(void **state)
{
	struct recording_file file;
	struct stat st;

	(void)state;
	options.opus = true;
	write_call(&file, 1510);
	assert_true(there("c1.opus.part"));
	assert_int_equal(recording_file_complete(&file, 40, "hangup"), 0);
	recording_file_done(&file);
	text_is(in_box("c1.json"),
		ABOUT ",\"length_ms\":1510,\"dropped_ms\":40,\"ended\":\"hangup\"}\n");
	assert_opus("c1.opus", 1510);
	assert_int_equal(stat(in_box("c1.opus"), &st), 0);
	assert_true(st.st_size < 8000);
}

static void a_killed_process_leaves_opus_of_whole_pages(void **state)
{
	struct recording_file file;

	(void)state;
	options.opus = true;
	write_call(&file, 2500);
	assert_int_equal(pwrite(file.sound, "OggS\0\0half a page", 17, file.size), 17);
	recording_file_done(&file);
	recording_files_recover(box);
	assert_opus("c1.opus", 1993); /* the coder is 6.5 ms behind */
	text_is(in_box("c1.json"),
		ABOUT ",\"length_ms\":1993,\"dropped_ms\":0,\"ended\":\"interrupted\"}\n");
}

static void opus_can_be_sealed(void **state)
{
	struct recording_file file;
	unsigned ms;

	(void)state;
	assert_int_equal(rsa_write(own, public, 2048), 0);
	options.public_key = public;
	options.opus = true;
	write_call(&file, 1500);
	assert_int_equal(recording_file_complete(&file, 0, "hangup"), 0);
	recording_file_done(&file);
	assert_int_equal(
		recording_file_unseal(in_box("c1.opus.sealed"), own, in_box("c1.opus"), &ms, &why),
		0);
	assert_int_equal(ms, 1500);
	assert_opus("c1.opus", 1500);
}

static void sealed_opus_of_a_killed_process_counts_its_seconds(void **state)
{
	struct recording_file file;
	unsigned ms;

	(void)state;
	assert_int_equal(rsa_write(own, public, 2048), 0);
	options.public_key = public;
	options.opus = true;
	write_call(&file, 2500);
	recording_file_done(&file);
	recording_files_recover(box);
	text_is(in_box("c1.json"),
		ABOUT ",\"length_ms\":2000,\"dropped_ms\":0,\"ended\":\"interrupted\"}\n");
	assert_int_equal(
		recording_file_unseal(in_box("c1.opus.sealed"), own, in_box("c1.opus"), &ms, &why),
		-ENODATA);
	assert_int_equal(ms, 1993);
	assert_opus("c1.opus", 1993);
}

/* It takes a second, and a piece of the next page. */
static void opus_on_a_full_disk_keeps_its_whole_pages(void **state)
{
	struct rlimit had, limit;
	struct recording_file file;
	int16_t frames[80][2] = { 0 };
	int err = 0;

	(void)state;
	options.opus = true;
	write_call(&file, 1000);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &had), 0);
	limit = had;
	limit.rlim_cur = (rlim_t)file.size + 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (unsigned i = 0; i < 200 && !err; i++)
		err = recording_file_write(&file, frames[0], 80);
	assert_int_equal(err, -EFBIG);
	assert_int_equal(recording_file_ms(&file), 993);
	assert_int_equal(recording_file_complete(&file, 0, "disk"), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &had), 0);
	recording_file_done(&file);
	assert_opus("c1.opus", 993);
}

static void a_key_that_is_none_is_named(void **state)
{
	struct recording_file file;

	(void)state;
	options.public_key = "/nonexistent";
	recording_file_init(&file);
	assert_int_equal(recording_file_make(&file, &options, 2, &why), -ENOENT);
	assert_non_null(why);
	recording_file_throw_away(&file);
	recording_file_done(&file);
}

static void what_is_old_is_removed_and_nothing_else(void **state)
{
	struct recording_file file;
	struct timespec old[2] = { { 1000000, 0 }, { 1000000, 0 } };

	(void)state;
	write_call(&file, 1500);
	assert_int_equal(recording_file_complete(&file, 0, "hangup"), 0);
	recording_file_done(&file);
	options.name = "c2";
	write_call(&file, 1500);
	recording_file_done(&file); /* is not complete */
	close(open(in_box("notes.txt"), O_CREAT | O_WRONLY, 0600));
	recording_files_expire(box, 1, clock_wall());
	assert_true(there("c1.json"));
	assert_int_equal(utimensat(AT_FDCWD, in_box("c1.json"), old, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, in_box("notes.txt"), old, 0), 0);
	recording_files_expire(box, 1, (wall_ms)1000000 * 1000 + DAY);
	assert_true(there("c1.wav"));
	recording_files_expire(box, 1, (wall_ms)1000000 * 1000 + DAY + 1);
	assert_false(there("c1.wav"));
	assert_false(there("c1.json"));
	assert_true(there("c2.wav.part"));
	assert_true(there("notes.txt"));
	recording_files_expire("/nonexistent", 1, clock_wall());
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_call_has_two_channels),
		T(a_killed_process_leaves_a_call_that_is_completed),
		T(a_sealed_call_is_heard_by_who_has_the_key),
		T(a_sealed_call_of_a_killed_process_says_that_it_ends_early),
		T(a_call_can_be_opus),
		T(a_killed_process_leaves_opus_of_whole_pages),
		T(opus_can_be_sealed),
		T(sealed_opus_of_a_killed_process_counts_its_seconds),
		T(opus_on_a_full_disk_keeps_its_whole_pages),
		T(a_key_that_is_none_is_named),
		T(what_is_old_is_removed_and_nothing_else),
	};

	return cmocka_run_group_tests_name("media/recording_file", tests, NULL, NULL);
}
