/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "media/jitter.h"

static struct jitter jitter;

static enum jitter_put put(uint32_t ssrc, uint16_t sequence, size_t length)
{
	static const uint8_t payload[JITTER_PAYLOAD + 1];
	const struct jitter_piece piece = { .ssrc = ssrc,
					    .timestamp = sequence * 160u,
					    .sequence = sequence,
					    .type = 8,
					    .payload = payload,
					    .length = length };

	return jitter_put(&jitter, &piece);
}

static int set_up(void **state)
{
	(void)state;
	memset(&jitter, 0, sizeof(jitter));
	return 0;
}

static void packets_come_out_by_number_over_the_wrap(void **state)
{
	static const uint16_t order[] = { 65534, 1, 65535, 0, 2 };

	(void)state;
	assert_int_equal(put(1, order[0], 10), JITTER_NEW);
	for (unsigned i = 1; i < 5; i++)
		assert_int_equal(put(1, order[i], 10), JITTER_TAKEN);
	assert_int_equal(jitter.count, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(jitter_take(&jitter)->timestamp, (uint16_t)(65534 + i) * 160u);
	assert_int_equal(jitter.count, 0);
}

static void what_is_late_twice_or_too_long_is_refused(void **state)
{
	(void)state;
	(void)put(1, 10, 10);
	assert_int_equal(put(1, 10, 10), JITTER_REFUSED);
	assert_non_null(jitter_take(&jitter));
	assert_int_equal(put(1, 10, 10), JITTER_REFUSED);
	assert_int_equal(put(1, 11, JITTER_PAYLOAD + 1), JITTER_REFUSED);
	assert_int_equal(put(1, 11, JITTER_PAYLOAD), JITTER_TAKEN);
}

static void a_missing_one_is_skipped_and_what_follows_is_seen_before(void **state)
{
	(void)state;
	(void)put(1, 10, 10);
	(void)put(1, 12, 12);
	assert_non_null(jitter_take(&jitter));
	assert_null(jitter_peek(&jitter));
	assert_null(jitter_take(&jitter));
	assert_int_equal(jitter_peek(&jitter)->length, 12);
	assert_int_equal(jitter_take(&jitter)->length, 12);
}

static void the_oldest_make_room(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < JITTER_SLOTS + 3; i++)
		assert_int_not_equal(put(1, i, 10), JITTER_REFUSED);
	assert_int_equal(jitter.count, JITTER_SLOTS);
	assert_int_equal(jitter_take(&jitter)->timestamp, 3 * 160);
	assert_int_equal(put(1, 1000, 10), JITTER_TAKEN); /* a long gap */
	assert_int_equal(jitter.count, 1);
}

static void another_source_or_a_jump_begins_anew(void **state)
{
	(void)state;
	(void)put(1, 10, 10);
	assert_int_equal(put(2, 11, 10), JITTER_NEW);
	assert_int_equal(jitter.count, 1);
	assert_int_equal(put(2, 20000, 10), JITTER_NEW);
	assert_int_equal(put(2, 10, 10), JITTER_NEW);
	assert_int_equal(jitter.count, 1);
}

#define T(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(packets_come_out_by_number_over_the_wrap),
		T(what_is_late_twice_or_too_long_is_refused),
		T(a_missing_one_is_skipped_and_what_follows_is_seen_before),
		T(the_oldest_make_room),
		T(another_source_or_a_jump_begins_anew),
	};

	return cmocka_run_group_tests_name("media/jitter", tests, NULL, NULL);
}
