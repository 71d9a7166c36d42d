/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/roster.h"

static const char *name_of(const void *list, size_t i)
{
	return ((const char *const *)list)[i];
}

static void take(struct roster *roster, const char *const *names, size_t count)
{
	assert_int_equal(roster_take(roster, name_of, names, count), 0);
}

static void a_name_keeps_its_number_wherever_it_stands(void **state)
{
	struct roster roster = { .count = 0 };
	size_t a, b, place;

	(void)state;
	take(&roster, (const char *const[]){ "a", "b" }, 2);
	a = roster_number(&roster, 0);
	b = roster_number(&roster, 1);
	take(&roster, (const char *const[]){ "c", "b", "a" }, 3);
	assert_int_equal(roster_number(&roster, 2), a);
	assert_int_equal(roster_number(&roster, 1), b);
	assert_true(roster_place(&roster, a, &place));
	assert_int_equal(place, 2);
	roster_done(&roster);
}

static void a_name_that_is_gone_stands_nowhere_and_comes_back(void **state)
{
	struct roster roster = { .count = 0 };
	size_t b, place = 7;

	(void)state;
	take(&roster, (const char *const[]){ "a", "b" }, 2);
	b = roster_number(&roster, 1);
	take(&roster, (const char *const[]){ "a", "c" }, 2);
	assert_false(roster_place(&roster, b, &place));
	assert_int_not_equal(roster_number(&roster, 1), b);
	take(&roster, (const char *const[]){ "b" }, 1);
	assert_true(roster_place(&roster, b, &place));
	assert_int_equal(place, 0);
	roster_done(&roster);
}

static void what_nobody_knows_is_nowhere(void **state)
{
	struct roster roster = { .count = 0 };
	size_t place;

	(void)state;
	assert_false(roster_place(&roster, 0, &place));
	take(&roster, NULL, 0);
	assert_false(roster_place(&roster, 0, &place));
	assert_int_equal(roster_number(&roster, 3), 3);
	roster_done(&roster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_keeps_its_number_wherever_it_stands),
		cmocka_unit_test(a_name_that_is_gone_stands_nowhere_and_comes_back),
		cmocka_unit_test(what_nobody_knows_is_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
