/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "registrar/history.h"

static struct history history;

static int set_up(void **state)
{
	(void)state;
	memset(&history, 0, sizeof(history));
	return 0;
}

static void add(uint64_t number, wall_ms at, const char *text)
{
	history_add(&history, number, &(struct reg_attempt){ .at = at }, text);
}

static void attempts_of_one_number_come_newest_first(void **state)
{
	struct reg_attempt attempts[4];

	(void)state;
	assert_int_equal(history_find(&history, 1, attempts, 4), 0);
	add(1, 10, "first");
	add(2, 20, "another");
	add(1, 30, "second");
	assert_int_equal(history_find(&history, 1, attempts, 4), 2);
	assert_string_equal(attempts[0].text, "second");
	assert_int_equal(attempts[1].at, 10);
	assert_int_equal(history_find(&history, 1, attempts, 1), 1);
}

static void the_oldest_are_forgotten(void **state)
{
	struct reg_attempt attempts[4];

	(void)state;
	add(1, 10, "x");
	for (unsigned i = 0; i < HISTORY_ROOM - 1; i++)
		add(2, i, "x");
	assert_int_equal(history_find(&history, 1, attempts, 4), 1);
	add(2, 0, "x");
	assert_int_equal(history_find(&history, 1, attempts, 4), 0);
}

static void a_long_text_is_cut(void **state)
{
	struct reg_attempt attempt;
	char text[300];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	add(1, 10, text);
	assert_int_equal(history_find(&history, 1, &attempt, 1), 1);
	assert_int_equal(strlen(attempt.text), sizeof(attempt.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(attempts_of_one_number_come_newest_first, set_up),
		cmocka_unit_test_setup(the_oldest_are_forgotten, set_up),
		cmocka_unit_test_setup(a_long_text_is_cut, set_up),
	};

	return cmocka_run_group_tests_name("registrar/history", tests, NULL, NULL);
}
