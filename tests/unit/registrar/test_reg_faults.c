/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "registrar/reg_faults.h"

#define HANDLES 500u

static void check(const struct reg_faults *faults, uint32_t handle, unsigned said)
{
	char text[32];

	snprintf(text, sizeof(text), "failure %u", said);
	if (said)
		assert_string_equal(reg_faults_find(faults, handle), text);
	else
		assert_null(reg_faults_find(faults, handle));
}

/* Against a plain array, in an order that is made up. */
static void what_was_put_last_is_found_whatever_came_and_went(void **state)
{
	unsigned said[HANDLES + 1] = { 0 }, random = 1;
	struct reg_faults faults = { 0 };
	char text[32];

	(void)state;
	for (unsigned i = 1; i <= 20000; i++) {
		uint32_t handle;

		random = random * 1103515245u + 12345u;
		handle = (random >> 16) % HANDLES + 1;
		said[handle] = random & 0x40000000u ? i : 0;
		snprintf(text, sizeof(text), "failure %u", i);
		assert_int_equal(reg_faults_put(&faults, handle, said[handle] ? text : NULL),
				 said[handle] != 0);
		if (i % 100 == 0)
			for (uint32_t k = 1; k <= HANDLES; k++)
				check(&faults, k, said[k]);
	}
	for (uint32_t k = 1; k <= HANDLES; k++)
		assert_false(reg_faults_put(&faults, k, NULL));
	assert_int_equal(faults.slots.count, 0);
	assert_null(faults.slots.slots); /* after an outage the memory is given back */
	reg_faults_done(&faults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_last_is_found_whatever_came_and_went),
	};

	return cmocka_run_group_tests_name("registrar/reg_faults", tests, NULL, NULL);
}
