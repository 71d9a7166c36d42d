/* SPDX-License-Identifier: Apache-2.0 */
/* The recording below is the test's: it counts, and says how the disk is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "media/dictation.h"
#include "media/tone.h"

#define FRAME 160

static int16_t written[8000 * 12];
static size_t written_count;
static enum recording_state disk;

enum recording_state recording_state(const struct recording *recording)
{
	(void)recording;
	return disk;
}

void recording_write(struct recording *recording, const int16_t *samples, size_t count)
{
	(void)recording;
	assert_true(written_count + count <= sizeof(written) / sizeof(written[0]));
	memcpy(written + written_count, samples, count * sizeof(*samples));
	written_count += count;
}

struct line {
	struct dictation dictation;
	struct tone_source tone, hush;
	uint32_t at;
	mono_ms now;
};

static int setup(void **state)
{
	static struct line line;

	memset(&line, 0, sizeof(line));
	line.dictation = (struct dictation){ .recording = (struct recording *)&line,
					     .max_ms = 10000,
					     .silence_ms = 3000 };
	tone_source_init(&line.tone, 1000);
	line.at = 0xffffff00; /* wraps soon */
	line.now = 5000;
	written_count = 0;
	disk = RECORDING_OPEN;
	*state = &line;
	return 0;
}

static void speak(struct line *line, bool loud)
{
	int16_t samples[FRAME];
	const struct dictation_piece piece = {
		.ssrc = 7, .timestamp = line->at, .samples = samples, .count = FRAME
	};

	for (size_t i = 0; i < FRAME; i++)
		samples[i] = loud ? tone_source_next(&line->tone) : (int16_t)(i % 8);
	dictation_hear(&line->dictation, &piece, line->now);
	line->at += FRAME;
	line->now += 20;
}

static void what_comes_before_the_beginning_is_no_message(void **state)
{
	struct line *line = *state;

	speak(line, true);
	assert_int_equal(written_count, 0);
	assert_null(dictation_over(&line->dictation, line->now + 60000));
	dictation_begin(&line->dictation, line->now);
	speak(line, true);
	speak(line, true);
	assert_int_equal(written_count, 2 * FRAME);
	assert_int_equal(dictation_ms(&line->dictation), 40);
}

static void lost_packets_are_silence_of_their_length(void **state)
{
	struct line *line = *state;

	dictation_begin(&line->dictation, line->now);
	speak(line, true);
	line->at += 5 * FRAME;
	speak(line, true);
	assert_int_equal(written_count, 7 * FRAME);
	for (size_t i = FRAME; i < 6 * FRAME; i++)
		assert_int_equal(written[i], 0);
	assert_int_not_equal(written[6 * FRAME + 2], 0);
}

static void late_and_repeated_packets_are_left_out(void **state)
{
	struct line *line = *state;

	dictation_begin(&line->dictation, line->now);
	speak(line, true);
	speak(line, true);
	line->at -= FRAME; /* twice */
	speak(line, true);
	line->at -= 2 * FRAME; /* late */
	speak(line, true);
	assert_int_equal(written_count, 2 * FRAME);
}

static void another_sender_or_clock_goes_on_without_a_gap(void **state)
{
	struct line *line = *state;

	dictation_begin(&line->dictation, line->now);
	speak(line, true);
	line->at += 100000000;
	speak(line, true);
	line->at -= 500000;
	speak(line, true);
	assert_int_equal(written_count, 3 * FRAME);
}

static void silence_ends_it(void **state)
{
	struct line *line = *state;

	dictation_begin(&line->dictation, line->now);
	for (int i = 0; i < 10; i++)
		speak(line, true);
	for (int i = 0; i < 148; i++)
		speak(line, false);
	assert_null(dictation_over(&line->dictation, line->now));
	speak(line, false);
	assert_string_equal(dictation_over(&line->dictation, line->now), "silence");
	/* A sender that sends nothing when nobody speaks is as silent. */
	speak(line, true);
	assert_null(dictation_over(&line->dictation, line->now));
	assert_string_equal(dictation_over(&line->dictation, line->now + 3000), "silence");
	line->dictation.silence_ms = 0;
	assert_null(dictation_over(&line->dictation, line->now + 3000));
}

static void a_line_on_which_nobody_spoke_is_no_message(void **state)
{
	struct line *line = *state;

	dictation_begin(&line->dictation, line->now);
	for (int i = 0; i < 100; i++)
		speak(line, false);
	assert_int_equal(dictation_ms(&line->dictation), 0);
}

static void the_length_has_an_end(void **state)
{
	struct line *line = *state;

	dictation_begin(&line->dictation, line->now);
	for (int i = 0; i < 499; i++)
		speak(line, true);
	assert_null(dictation_over(&line->dictation, line->now));
	line->at += 400 * FRAME; /* a gap that would be longer than what is left */
	speak(line, true);
	assert_string_equal(dictation_over(&line->dictation, line->now), "max_length");
	assert_int_equal(written_count, 80000);
	assert_int_equal(dictation_ms(&line->dictation), 10000);
}

static void a_disk_that_takes_no_more_ends_it(void **state)
{
	struct line *line = *state;

	dictation_begin(&line->dictation, line->now);
	speak(line, true);
	disk = RECORDING_BROKEN;
	assert_string_equal(dictation_over(&line->dictation, line->now), "disk");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_comes_before_the_beginning_is_no_message, setup),
		cmocka_unit_test_setup(lost_packets_are_silence_of_their_length, setup),
		cmocka_unit_test_setup(late_and_repeated_packets_are_left_out, setup),
		cmocka_unit_test_setup(another_sender_or_clock_goes_on_without_a_gap, setup),
		cmocka_unit_test_setup(silence_ends_it, setup),
		cmocka_unit_test_setup(a_line_on_which_nobody_spoke_is_no_message, setup),
		cmocka_unit_test_setup(the_length_has_an_end, setup),
		cmocka_unit_test_setup(a_disk_that_takes_no_more_ends_it, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
