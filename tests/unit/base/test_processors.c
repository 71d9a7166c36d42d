/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/processors.h"

static void a_list_keeps_the_order_it_is_written_in(void **state)
{
	static const uint16_t wanted[] = { 8, 2, 3, 4, 5 };
	struct processors list;

	(void)state;
	assert_null(processors_parse("8, 2-5", &list));
	assert_int_equal(list.count, ARRAY_SIZE(wanted));
	assert_memory_equal(list.numbers, wanted, sizeof(wanted));
	assert_null(processors_parse("0-63", &list));
	assert_int_equal(list.count, 64);
	assert_null(processors_parse("1023", &list));
	assert_int_equal(list.numbers[0], 1023);
}

static void what_is_no_list_is_told_with_what_to_write(void **state)
{
	static const struct {
		const char *text, *problem;
	} cases[] = {
		{ "", "is not a list" },
		{ "a", "is not a list" },
		{ "-1", "is not a list" },
		{ "1-", "is not a list" },
		{ "1,", "is not a list" },
		{ ",1", "is not a list" },
		{ "1 2", "is not a list" },
		{ "1-2-3", "is not a list" },
		{ "1024", "is not a list" },
		{ "99999999999999999999", "is not a list" },
		{ "5-2", "lower number first" },
		{ "1,1", "twice" },
		{ "1-4,3", "twice" },
		{ "0-64", "64 at most" },
	};
	struct processors list;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *problem = processors_parse(cases[i].text, &list);

		assert_non_null(problem);
		assert_non_null(strstr(problem, cases[i].problem));
	}
}

static void those_usable_are_the_mask_of_the_process(void **state)
{
	struct str text = { 0 };
	struct processors list;
	cpu_set_t before, one;
	unsigned first = 0;
	char wanted[16];

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	processors_add_usable(&text);
	assert_null(processors_parse(text.text, &list));
	assert_int_equal(list.count, processors_usable_count());
	for (unsigned i = 0; i < list.count; i++)
		assert_true(processors_usable(list.numbers[i]));
	str_done(&text);

	while (!CPU_ISSET(first, &before))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(processors_usable_count(), 1);
	assert_true(processors_usable(first));
	assert_false(processors_usable(first + 1));
	assert_false(processors_usable(100000));
	processors_add_usable(&text);
	(void)snprintf(wanted, sizeof(wanted), "%u", first);
	assert_string_equal(text.text, wanted);
	str_done(&text);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_keeps_the_order_it_is_written_in),
		cmocka_unit_test(what_is_no_list_is_told_with_what_to_write),
		cmocka_unit_test(those_usable_are_the_mask_of_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
