/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "registrar/number_set.h"

static void an_empty_set_has_no_number(void **state)
{
	struct number_set set = { 0 };

	(void)state;
	assert_false(number_set_has(&set, 0));
	assert_false(number_set_has(&set, 479));
	number_set_done(&set);
}

/* Neighbours, gaps of every length, and each count that a last block can have. */
static void what_was_added_is_found_and_its_neighbours_are_not(void **state)
{
	static const uint64_t steps[] = { 1, 2, 127, 128, 129, 16383, 16384, 1000000007 };
	uint64_t numbers[200], number = 100;

	(void)state;
	for (size_t count = 1; count <= 200; count++) {
		struct number_set set = { 0 };

		number = 100;
		for (size_t i = 0; i < count; i++) {
			numbers[i] = number += steps[i * i % 8];
			assert_int_equal(number_set_add(&set, number), 0);
		}
		assert_int_equal(set.count, count);
		for (size_t i = 0; i < count; i++) {
			assert_true(number_set_has(&set, numbers[i]));
			if (i && numbers[i] - 1 != numbers[i - 1])
				assert_false(number_set_has(&set, numbers[i] - 1));
		}
		assert_false(number_set_has(&set, 100));
		assert_false(number_set_has(&set, number + 1));
		assert_false(number_set_has(&set, UINT64_MAX));
		number_set_done(&set);
	}
}

static void a_million_neighbours_take_little_memory(void **state)
{
	struct number_set set = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 1000000; i++)
		assert_int_equal(number_set_add(&set, 4790000000 + 3 * i), 0);
	assert_true(set.length < 1000000);
	assert_true(number_set_has(&set, 4790000000 + 2999997));
	assert_false(number_set_has(&set, 4790000000 + 2999998));
	number_set_done(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_set_has_no_number),
		cmocka_unit_test(what_was_added_is_found_and_its_neighbours_are_not),
		cmocka_unit_test(a_million_neighbours_take_little_memory),
	};

	return cmocka_run_group_tests_name("registrar/number_set", tests, NULL, NULL);
}
