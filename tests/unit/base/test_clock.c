/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

static void real_time_moves_forward(void **state)
{
	uint64_t before = clock_now_ns();

	(void)state;
	assert_true(clock_now() > 0);
	assert_true(clock_now_ns() >= before);
	assert_true(clock_wall() > 1600000000000); /* after 2020 */
}

static void faked_time_stands_still_until_moved(void **state)
{
	(void)state;
	clock_fake_set(1000);
	assert_int_equal(clock_now(), 1000);
	assert_int_equal(clock_now_ns(), 1000000000);
	assert_int_equal(clock_wall(), clock_wall());
	clock_fake_wall_set(5000);
	clock_fake_advance(250);
	assert_int_equal(clock_now(), 1250);
	assert_int_equal(clock_wall(), 5250);
	clock_real();
	assert_true(clock_wall() > 1600000000000);
}

static void advancing_first_starts_at_the_real_time(void **state)
{
	mono_ms before = clock_now();

	(void)state;
	clock_fake_advance(3600000);
	assert_true(clock_now() >= before + 3600000);
	clock_real();
	assert_true(clock_now() < before + 3600000);
}

static void a_moment_is_told_as_rfc_3339_says(void **state)
{
	static const struct {
		wall_ms wall;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 951782400007, "2000-02-29T00:00:00.007Z" },
		{ 1795819518987, "2026-11-27T22:45:18.987Z" },
	};
	char text[CLOCK_TEXT_ROOM];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		clock_wall_text(cases[i].wall, text);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_time_moves_forward),
		cmocka_unit_test(faked_time_stands_still_until_moved),
		cmocka_unit_test(advancing_first_starts_at_the_real_time),
		cmocka_unit_test(a_moment_is_told_as_rfc_3339_says),
	};
	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
