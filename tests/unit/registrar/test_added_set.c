/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "registrar/added_set.h"
#include "registrar/reg_state.h"

#define NUMBERS 40
#define ROUNDS  500

static void steps_leave_what_one_by_one_would(void **state)
{
	uint16_t model[NUMBERS] = { 0 }; /* terms plus 1; 0: not there */
	struct added_set set = { 0 };
	uint64_t random = 7;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct added_step steps[NUMBERS];
		size_t count = 0, there = 0;

		for (size_t i = 0; i < NUMBERS; i++) {
			bool goes = reg_random(&random) < 0.4;

			if (reg_random(&random) < 0.7)
				continue;
			steps[count] =
				(struct added_step){ goes ? REG_CHANGE_REMOVED : REG_CHANGE_ADDED,
						     { .number = 1000 + i,
						       .terms = (uint16_t)round } };
			model[i] = goes ? 0 : steps[count].number.terms + 1;
			count++;
		}
		assert_int_equal(added_set_apply(&set, steps, count), 0);
		for (size_t i = 0; i < NUMBERS; i++) {
			const struct added_number *found = added_set_find(&set, 1000 + i);

			there += model[i] != 0;
			assert_int_equal(found ? found->terms + 1 : 0, model[i]);
		}
		assert_int_equal(set.count, there);
	}
	added_set_done(&set);
}

static void what_many_say_is_kept_once(void **state)
{
	struct added_set set = { 0 };
	uint16_t a, b, c, d, alice, bob, again;

	(void)state;
	assert_int_equal(added_set_terms(&set, ROUTE_TYPE_LOOP, "loop", "default", &a), 0);
	assert_int_equal(added_set_terms(&set, ROUTE_TYPE_FORK, "loop", "default", &b), 0);
	assert_int_equal(added_set_terms(&set, ROUTE_TYPE_LOOP, "loop", "acme", &c), 0);
	assert_int_equal(added_set_terms(&set, ROUTE_TYPE_LOOP, "loop", "default", &d), 0);
	assert_true(a == d && a != b && a != c && b != c);
	assert_int_equal(set.terms_count, 3);
	assert_int_equal(added_set_who(&set, "alice", &alice), 0);
	assert_int_equal(added_set_who(&set, "bob", &bob), 0);
	assert_int_equal(added_set_who(&set, "alice", &again), 0);
	assert_true(alice == again && alice != bob);
	added_set_done(&set);
	assert_null(set.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_leave_what_one_by_one_would),
		cmocka_unit_test(what_many_say_is_kept_once),
	};

	return cmocka_run_group_tests_name("registrar/added_set", tests, NULL, NULL);
}
