/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "media/digit_detector.h"
#include "media/digits.h"

static void digits_and_events_are_the_same_sixteen(void **state)
{
	uint8_t event;

	(void)state;
	for (uint8_t i = 0; i < 16; i++) {
		assert_true(digit_event(digit_of(i), &event));
		assert_int_equal(event, i);
	}
	assert_true(digit_event('d', &event));
	assert_int_equal(event, 15);
	assert_int_equal(digit_of(16), 0); /* flash */
	assert_false(digit_event('x', &event));
	assert_false(digit_event('\0', &event));
}

static bool map(struct digit_map *digit, uint32_t from, uint32_t to, uint32_t at, bool marker,
		uint32_t duration, bool end, uint32_t *ret_duration, uint32_t *ret_offset)
{
	uint8_t payload[DIGIT_PAYLOAD] = { 5, end ? 0x8a : 0x0a, (uint8_t)(duration >> 8),
					   (uint8_t)duration };
	bool begins = digit_map_payload(digit, from, to, at, marker, payload, ret_offset);

	*ret_duration = (uint32_t)(payload[2] << 8 | payload[3]);
	assert_int_equal(payload[0], 5);
	assert_int_equal(payload[1], end ? 0x8a : 0x0a);
	return begins;
}

static void lengths_change_with_the_clock(void **state)
{
	struct digit_map digit = { 0 };
	uint32_t duration, offset;

	(void)state;
	assert_true(map(&digit, 8000, 48000, 100, true, 160, false, &duration, &offset));
	assert_int_equal(duration, 960);
	assert_int_equal(offset, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_false(map(&digit, 8000, 48000, 100, false, 800, true, &duration, &offset));
	assert_int_equal(duration, 4800);
	assert_true(map(&digit, 8000, 48000, 5000, true, 160, false, &duration, &offset));
}

static void a_long_digit_goes_on_in_segments(void **state)
{
	struct digit_map digit = { 0 };
	uint32_t duration, offset;

	(void)state;
	(void)map(&digit, 8000, 48000, 100, true, 160, false, &duration, &offset);
	/* Two seconds are 96000 ticks of 48 kHz: more than 16 bits. */
	assert_false(map(&digit, 8000, 48000, 100, false, 16000, false, &duration, &offset));
	assert_int_equal(offset, 0xffff);
	assert_int_equal(duration, 96000 - 0xffff);
	/* And back: the second segment has a timestamp of its own. */
	memset(&digit, 0, sizeof(digit));
	(void)map(&digit, 48000, 8000, 100, true, 0xffff, false, &duration, &offset);
	assert_false(map(&digit, 48000, 8000, 100 + 0xffff, false, 96000 - 0xffff, true, &duration,
			 &offset));
	assert_int_equal(offset, 0);
	assert_int_equal(duration, 16000);
}

static void a_digit_is_sent_with_three_ends_and_a_gap(void **state)
{
	struct digit_queue queue = { .count = 0 };
	struct digit_step step;
	unsigned packets = 0, ends = 0, begins = 0, steps = 0;

	(void)state;
	assert_true(digit_queue_add(&queue, 5, 100));
	assert_true(digit_queue_add(&queue, 6, 100));
	while (digit_queue_busy(&queue)) {
		digit_queue_step(&queue, 8000, &step);
		steps++;
		packets += step.packet;
		begins += step.begins;
		if (!step.packet || !(step.payload[1] & 0x80))
			continue;
		ends++;
		assert_int_equal(step.payload[2] << 8 | step.payload[3], 800);
	}
	assert_int_equal(begins, 2);
	assert_int_equal(ends, 6);
	assert_int_equal(packets, 2 * (5 + 2));
	assert_int_equal(steps, 2 * (5 + 2 + DIGIT_GAP_MS / DIGIT_STEP_MS));
}

static void an_open_digit_lasts_until_it_is_closed(void **state)
{
	struct digit_queue queue = { .count = 0 };
	struct digit_step step;

	(void)state;
	assert_true(digit_queue_add(&queue, 11, DIGIT_OPEN));
	for (unsigned i = 0; i < 500; i++) { /* ten seconds, in segments */
		digit_queue_step(&queue, 8000, &step);
		assert_true(step.packet);
		assert_false(step.payload[1] & 0x80);
	}
	assert_int_equal(step.offset, 0xffff);
	digit_queue_close(&queue, 10000);
	digit_queue_step(&queue, 8000, &step);
	assert_true(step.payload[1] & 0x80);
}

static void a_full_queue_takes_no_more(void **state)
{
	struct digit_queue queue = { .count = 0 };

	(void)state;
	for (unsigned i = 0; i < DIGITS_PENDING; i++)
		assert_true(digit_queue_add(&queue, 1, 100));
	assert_false(digit_queue_add(&queue, 1, 100));
	assert_false(digit_queue_add(&(struct digit_queue){ .count = 0 }, 16, 100));
}

static char found[64];
static unsigned over;

static void on_found(char digit, void *arg)
{
	(void)arg;
	if (digit)
		strncat(found, &digit, 1);
	else
		over++;
}

static void tones_that_are_played_are_found_again(void **state)
{
	struct digit_queue queue = { .count = 0 };
	struct digit_detector *detector;
	int16_t samples[160];

	(void)state;
	assert_int_equal(digit_detector_create(&detector, on_found, NULL), 0);
	for (uint8_t event = 0; event < 16; event++)
		assert_true(digit_queue_add(&queue, event, 100));
	while (digit_queue_busy(&queue)) {
		digit_queue_play(&queue, 8000, samples, 160);
		digit_detector_hear(detector, samples, 160);
	}
	assert_string_equal(found, "0123456789*#ABCD");
	assert_true(over >= 15);
	digit_detector_destroy(detector);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digits_and_events_are_the_same_sixteen),
		cmocka_unit_test(lengths_change_with_the_clock),
		cmocka_unit_test(a_long_digit_goes_on_in_segments),
		cmocka_unit_test(a_digit_is_sent_with_three_ends_and_a_gap),
		cmocka_unit_test(an_open_digit_lasts_until_it_is_closed),
		cmocka_unit_test(a_full_queue_takes_no_more),
		cmocka_unit_test(tones_that_are_played_are_found_again),
	};

	return cmocka_run_group_tests_name("media/digits", tests, NULL, NULL);
}
