/* SPDX-License-Identifier: Apache-2.0 */
/* test_recording_file.c has files on a disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "media/ogg_opus.h"
#include "media/sound_file.h"
#include "media/tone.h"
#include "tests/fake/folder.h"

static char path[128];
static int fd;
static unsigned pages;
static int fails; /* what taking a page returns */

static int take(void *arg, const uint8_t *bytes, size_t length)
{
	assert_ptr_equal(arg, &fd);
	if (fails)
		return fails;
	pages++;
	assert_memory_equal(bytes, "OggS", 4);
	assert_int_equal(write(fd, bytes, length), length);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	if (folder_make())
		return -1;
	(void)snprintf(path, sizeof(path), "%s/sound.opus", folder);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	pages = 0;
	fails = 0;
	return fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	close(fd);
	return folder_remove();
}

/* A tone of 500 Hz in each channel. */
static int put(struct ogg_opus *file, unsigned channels, size_t frames)
{
	static const int16_t wave[16] = { 0, 3061,  5657,  7391,  8000,  7391,  5657,  3061,
					  0, -3061, -5657, -7391, -8000, -7391, -5657, -3061 };
	int16_t samples[2 * 4096];

	assert_true(frames <= 4096);
	for (size_t i = 0; i < frames * channels; i++)
		samples[i] = wave[i / channels % 16];
	return ogg_opus_write(file, samples, frames);
}

/* As an independent decoder reads it. */
static void assert_heard(size_t frames)
{
	char why[SOUND_FILE_WHY_ROOM];
	int16_t *samples;
	size_t count;
	double power = 0;

	assert_int_equal(sound_file_read(path, &samples, &count, why), 0);
	assert_int_equal(count, frames);
	for (size_t i = 0; i < count; i++)
		power += (double)samples[i] * samples[i];
	assert_in_range((int64_t)(power / (double)count), 24000000, 40000000); /* 32: 8000^2 / 2 */
	free(samples);
}

static void whole(unsigned channels, size_t frames)
{
	struct ogg_opus *file;
	off_t size;

	assert_int_equal(ogg_opus_create(&file, channels, take, &fd), 0);
	assert_int_equal(ogg_opus_begin(file), 0);
	for (size_t at = 0; at < frames; at += 160)
		assert_int_equal(put(file, channels, frames - at < 160 ? frames - at : 160), 0);
	assert_int_equal(ogg_opus_end(file), 0);
	assert_int_equal(ogg_opus_taken(file), frames);
	ogg_opus_destroy(file);
	assert_heard(frames);
	assert_int_equal(ogg_opus_measure(fd, &size), frames);
	assert_int_equal(size, lseek(fd, 0, SEEK_END));
}

static void what_was_given_is_heard_to_the_sample(void **state)
{
	(void)state;
	whole(2, 20 * TONE_RATE + 77);
	assert_int_equal(pages, OGG_OPUS_HEAD_PAGES + 21);
}

static void it_may_be_one_channel(void **state)
{
	(void)state;
	whole(1, TONE_RATE);
}

/* The last packet is full, but what the coder holds back is not out. */
static void an_end_on_a_packet_is_heard(void **state)
{
	(void)state;
	whole(2, 50 * 160);
}

static void pieces_of_any_size_are_taken(void **state)
{
	struct ogg_opus *file;
	size_t frames = 0;

	(void)state;
	assert_int_equal(ogg_opus_create(&file, 2, take, &fd), 0);
	assert_int_equal(ogg_opus_begin(file), 0);
	for (size_t size = 16 * 7; size < 4096; frames += size, size += 16 * 7)
		assert_int_equal(put(file, 2, size), 0);
	assert_int_equal(ogg_opus_end(file), 0);
	assert_int_equal(ogg_opus_taken(file), frames);
	ogg_opus_destroy(file);
	assert_heard(frames);
}

static void a_second_is_on_a_page(void **state)
{
	struct ogg_opus *file;
	off_t size;

	(void)state;
	assert_int_equal(ogg_opus_create(&file, 2, take, &fd), 0);
	assert_int_equal(ogg_opus_begin(file), 0);
	for (unsigned i = 0; i < 99; i++)
		assert_int_equal(put(file, 2, 160), 0);
	assert_int_equal(pages, OGG_OPUS_HEAD_PAGES + 1);
	assert_in_range(ogg_opus_taken(file), TONE_RATE - 80, TONE_RATE);
	assert_int_equal(ogg_opus_measure(fd, &size), ogg_opus_taken(file));
	assert_int_equal(write(fd, "OggS", 4), 4); /* of the next one */
	assert_int_equal(ogg_opus_measure(fd, &size), ogg_opus_taken(file));
	assert_int_equal(size, lseek(fd, 0, SEEK_END) - 4);
	ogg_opus_destroy(file);
	assert_int_equal(ftruncate(fd, size), 0);
	assert_heard((size_t)ogg_opus_measure(fd, &size));
}

static void who_takes_no_page_ends_it(void **state)
{
	struct ogg_opus *file;
	int err = 0;

	(void)state;
	assert_int_equal(ogg_opus_create(&file, 2, take, &fd), 0);
	assert_int_equal(ogg_opus_begin(file), 0);
	fails = -ENOSPC;
	for (unsigned i = 0; i < 50; i++)
		err = err ? err : put(file, 2, 160);
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(ogg_opus_taken(file), 0);
	ogg_opus_destroy(file);
}

static void what_is_no_ogg_file_measures_nothing(void **state)
{
	off_t size = 1;

	(void)state;
	assert_int_equal(ogg_opus_measure(fd, &size), 0);
	assert_int_equal(size, 0);
	assert_int_equal(write(fd, "RIFF and more", 13), 13);
	assert_int_equal(ogg_opus_measure(fd, &size), 0);
	assert_int_equal(size, 0);
	assert_int_equal(ogg_opus_measure(-1, &size), 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_was_given_is_heard_to_the_sample),
		T(it_may_be_one_channel),
		T(an_end_on_a_packet_is_heard),
		T(pieces_of_any_size_are_taken),
		T(a_second_is_on_a_page),
		T(who_takes_no_page_ends_it),
		T(what_is_no_ogg_file_measures_nothing),
	};

	return cmocka_run_group_tests_name("media/ogg_opus", tests, NULL, NULL);
}
