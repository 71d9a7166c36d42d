/* SPDX-License-Identifier: Apache-2.0 */
/* Messages on a real disk. The tests wait for the recorder's thread by what it
 * publishes, never for time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/log.h"
#include "media/recorder.h"
#include "media/sound_file.h"
#include "tests/fake/folder.h"
#include "tests/fake/text.h"
#include "tests/fake/wav.h"

#define ABOUT "{\"caller\":\"+4790000001\""

static struct recorder *recorder;
static char box[64], log_text[4096];

static void keep_log(enum log_level level, const char *area, const char *line, void *arg)
{
	size_t used = strlen(log_text);

	(void)area;
	(void)arg;
	(void)snprintf(log_text + used, sizeof(log_text) - used, "%s %s\n", log_level_name(level),
		       line);
}

static int setup(void **state)
{
	(void)state;
	log_text[0] = '\0';
	log_set_sink(keep_log, NULL);
	if (folder_make())
		return -1;
	(void)snprintf(box, sizeof(box), "%s/voicemail/office", folder);
	return recorder_create(&recorder);
}

static int teardown(void **state)
{
	(void)state;
	recorder = recorder_destroy(recorder);
	log_set_sink(NULL, NULL);
	return folder_remove();
}

static void await_state(const struct recording *recording, enum recording_state state)
{
	for (int tries = 0; recording_state(recording) != state; tries++) {
		assert_true(tries < 2000);
		(void)poll(NULL, 0, 5);
	}
}

static struct recording *begin_to(const char *name, enum recording_state state)
{
	const struct media_recording options = { .folder = box, .name = name, .about = ABOUT };
	struct recording *recording;

	assert_int_equal(recording_create(&recording, recorder, &options), 0);
	await_state(recording, state);
	return recording;
}

static struct recording *begin(const char *name)
{
	return begin_to(name, RECORDING_OPEN);
}

/* In pieces of 20 ms; up to 4 s find room in the ring. */
static void say(struct recording *recording, unsigned hz, unsigned ms)
{
	struct tone_source tone;
	int16_t samples[160];

	tone_source_init(&tone, hz);
	for (unsigned at = 0; at < ms; at += 20) {
		for (size_t i = 0; i < 160; i++)
			samples[i] = tone_source_next(&tone);
		recording_write(recording, samples, 160);
	}
}

/* All that was closed is on disk when this returns. */
static void settle(void)
{
	recorder = recorder_destroy(recorder);
}

static const char *in_box(const char *name)
{
	static char path[192];

	(void)snprintf(path, sizeof(path), "%s/%s", box, name);
	return path;
}

static bool there(const char *name)
{
	return access(in_box(name), F_OK) == 0;
}

static void assert_wav(const char *name, unsigned hz, unsigned ms)
{
	char why[SOUND_FILE_WHY_ROOM];
	int16_t *samples;
	size_t count;
	int err = sound_file_read(in_box(name), &samples, &count, why);

	if (err)
		fail_msg("%s: %d %s", name, err, err == -EINVAL ? why : "");
	assert_int_equal(count, ms * 8);
	assert_int_equal(wav_tone_of(samples, count), hz);
	free(samples);
}

static void a_message_has_its_names_only_when_it_is_complete(void **state)
{
	struct recording *recording = begin("m1");
	struct stat st;

	(void)state;
	say(recording, 1000, 2000);
	assert_true(there("m1.wav.part"));
	assert_false(there("m1.wav"));
	recording_close(recording, true, "hangup");
	settle();
	assert_wav("m1.wav", 1000, 2000);
	text_is(in_box("m1.json"),
		ABOUT ",\"length_ms\":2000,\"dropped_ms\":0,\"ended\":\"hangup\"}\n");
	assert_false(there("m1.wav.part"));
	assert_false(there("m1.json.part"));
	assert_int_equal(stat(box, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_int_equal(stat(in_box("m1.wav"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_non_null(strstr(log_text, "m1.wav length_ms=2000 dropped=0 ended=hangup"));
}

static void several_messages_at_once_keep_apart(void **state)
{
	struct recording *first = begin("m1"), *second = begin("m2");

	(void)state;
	say(first, 500, 1200);
	say(second, 1500, 1400);
	recording_close(first, true, "hangup");
	say(second, 1500, 200);
	recording_close(second, true, "silence");
	settle();
	assert_wav("m1.wav", 500, 1200);
	assert_wav("m2.wav", 1500, 1600);
}

static void what_is_short_or_not_wanted_leaves_nothing(void **state)
{
	struct recording *brief = begin("m1"), *unwanted = begin("m2");

	(void)state;
	say(brief, 1000, 980);
	say(unwanted, 1000, 1500);
	recording_close(brief, true, "hangup");
	recording_close(unwanted, false, "hangup");
	settle();
	assert_int_equal(rmdir(box), 0); /* it is empty */
}

static void a_disk_that_is_late_costs_samples_not_time(void **state)
{
	const struct media_recording options = { .folder = box, .name = "m1", .about = ABOUT };
	struct recording *recording;
	int16_t samples[160] = { 0 };

	(void)state;
	assert_int_equal(recording_create(&recording, recorder, &options), 0);
	for (int i = 0; i < 8000 / 160 * 60; i++) /* a minute at once */
		recording_write(recording, samples, 160);
	recording_close(recording, true, "hangup");
	settle();
	assert_true(there("m1.wav"));
	assert_null(strstr(log_text, " dropped=0 "));
}

static void a_folder_that_cannot_be_made_is_told(void **state)
{
	char file[64];
	struct recording *recording;

	(void)state;
	(void)snprintf(file, sizeof(file), "%s/voicemail", folder);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	recording = begin_to("m1", RECORDING_FAILED);
	say(recording, 1000, 500);
	recording_close(recording, true, "hangup");
	settle();
	assert_non_null(strstr(log_text, "error recording="));
	assert_non_null(strstr(log_text, "m1.wav cannot be made: Not a directory: mend"));
}

static void a_name_that_is_taken_is_not_written_over(void **state)
{
	struct recording *recording = begin("m1");
	struct recording *again = begin_to("m1", RECORDING_FAILED);

	(void)state;
	say(recording, 1000, 1500);
	recording_close(again, true, "hangup");
	recording_close(recording, true, "hangup");
	settle();
	assert_wav("m1.wav", 1000, 1500);
}

static void a_full_disk_keeps_what_it_took(void **state)
{
	struct recording *recording = begin("m1");
	struct rlimit before, small = { 44 + 16000 * 2, RLIM_INFINITY };

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	say(recording, 1000, 3000);
	await_state(recording, RECORDING_BROKEN);
	recording_close(recording, true, "disk");
	settle();
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(log_text, "m1.wav takes no more: File too large: make room"));
	assert_true(there("m1.json"));
	assert_wav("m1.wav", 1000, 2000);
}

static off_t size_of(const char *name)
{
	struct stat st;

	return stat(in_box(name), &st) == 0 ? st.st_size : 0;
}

/* What kill -9 leaves: a process that records and dies once all is written. */
static void die_recording(const char *name, unsigned ms)
{
	pid_t child;

	settle(); /* no other thread while we fork */
	child = fork();
	if (child == 0) {
		if (recorder_create(&recorder))
			_exit(1);
		say(begin(name), 1000, ms);
		while (size_of("m1.wav.part") < 44 + 16 * (off_t)ms)
			(void)poll(NULL, 0, 5);
		_exit(0); /* nothing is closed */
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(recorder_create(&recorder), 0);
}

static void what_a_killed_process_left_can_be_heard_and_is_completed(void **state)
{
	(void)state;
	die_recording("m1", 2000);
	assert_true(there("m1.wav.part"));
	assert_wav("m1.wav.part", 1000, 2000); /* as it is */
	assert_int_equal(recorder_recover(recorder, box), 0);
	settle();
	assert_wav("m1.wav", 1000, 2000);
	text_is(in_box("m1.json"),
		ABOUT ",\"length_ms\":2000,\"dropped_ms\":0,\"ended\":\"interrupted\"}\n");
	assert_non_null(strstr(log_text, "notice recording=m1.wav length_ms=2000 recovered"));
}

static void what_was_too_short_when_it_was_cut_off_is_removed(void **state)
{
	(void)state;
	die_recording("m1", 400);
	assert_int_equal(recorder_recover(recorder, box), 0);
	settle();
	assert_int_equal(rmdir(box), 0);
}

static void a_message_whose_sound_had_its_name_already_gets_its_other_file(void **state)
{
	(void)state;
	die_recording("m1", 1500);
	assert_int_equal(rename(in_box("m1.wav.part"), strdupa(in_box("m1.wav"))), 0);
	assert_int_equal(recorder_recover(recorder, box), 0);
	settle();
	assert_true(there("m1.json"));
	assert_false(there("m1.json.part"));
}

static void what_a_living_process_records_is_left_alone(void **state)
{
	struct recording *recording = begin("m1");

	(void)state;
	say(recording, 1000, 1500);
	assert_int_equal(recorder_recover(recorder, box), 0);
	say(recording, 1000, 500);
	recording_close(recording, true, "hangup");
	settle();
	assert_wav("m1.wav", 1000, 2000);
	assert_null(strstr(log_text, "recovered"));
}

static void a_folder_that_is_not_there_has_nothing_to_recover(void **state)
{
	(void)state;
	assert_int_equal(recorder_recover(recorder, "/nonexistent/box"), 0);
	settle();
	assert_string_equal(log_text, "");
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_message_has_its_names_only_when_it_is_complete),
		IN_FOLDER(several_messages_at_once_keep_apart),
		IN_FOLDER(what_is_short_or_not_wanted_leaves_nothing),
		IN_FOLDER(a_disk_that_is_late_costs_samples_not_time),
		IN_FOLDER(a_folder_that_cannot_be_made_is_told),
		IN_FOLDER(a_name_that_is_taken_is_not_written_over),
		IN_FOLDER(a_full_disk_keeps_what_it_took),
		IN_FOLDER(what_a_killed_process_left_can_be_heard_and_is_completed),
		IN_FOLDER(what_was_too_short_when_it_was_cut_off_is_removed),
		IN_FOLDER(a_message_whose_sound_had_its_name_already_gets_its_other_file),
		IN_FOLDER(what_a_living_process_records_is_left_alone),
		IN_FOLDER(a_folder_that_is_not_there_has_nothing_to_recover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
