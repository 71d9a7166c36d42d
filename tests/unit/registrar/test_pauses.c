/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/e164.h"
#include "registrar/pauses.h"

#define NUMBER "+4799000001"
#define NOW    1000000

/* A fleet's, whose database nobody serves. */
static struct pauses *pauses;

static int begin(void **state)
{
	char conninfo[] = "host=/nonexistent";
	const struct config_postgres nowhere = { .conninfo = conninfo };

	(void)state;
	clock_fake_set(NOW);
	return pauses_create(&pauses, NULL, &nowhere);
}

static int finish(void **state)
{
	(void)state;
	pauses = pauses_destroy(pauses);
	return 0;
}

static struct reg_pause pause_of(const char *number, wall_ms until)
{
	struct reg_pause pause = { .scope = PAUSE_NUMBER, .until = until, .why = "a try" };

	snprintf(pause.what, sizeof(pause.what), "%s", number);
	return pause;
}

static bool held(const char *number)
{
	return pauses_hold(pauses, e164_pack(number), 0);
}

static void what_others_ordered_holds_and_ends_with_their_word(void **state)
{
	struct reg_pause list[] = { pause_of(NUMBER, 0), pause_of("+4799000002", 0) };

	(void)state;
	assert_true(pauses_hear(pauses, pauses_orders(pauses), list, 2));
	assert_true(held(NUMBER) && held("+4799000002"));
	assert_true(pauses_hear(pauses, pauses_orders(pauses), list, 1));
	assert_true(held(NUMBER) && !held("+4799000002"));
	assert_true(pauses_hear(pauses, pauses_orders(pauses), list, 0));
	assert_int_equal(pauses_count(pauses), 0);
}

static void what_is_over_or_makes_no_sense_is_not_taken_in(void **state)
{
	struct reg_pause list[] = { pause_of(NUMBER, clock_wall() - 1), pause_of("112", 0),
				    pause_of("+4799000002", clock_wall() + 1000) };

	(void)state;
	list[1].scope = (enum pause_scope)7;
	assert_true(pauses_hear(pauses, pauses_orders(pauses), list, 3));
	assert_int_equal(pauses_count(pauses), 1);
	assert_true(held("+4799000002") && !held(NUMBER));
	assert_false(pauses_expire(pauses, clock_wall()));
	assert_true(pauses_expire(pauses, clock_wall() + 1000));
	assert_int_equal(pauses_count(pauses), 0);
}

static void a_look_from_before_an_order_is_not_taken_in(void **state)
{
	struct reg_pause list[] = { pause_of(NUMBER, 0) };
	unsigned orders = pauses_orders(pauses);

	(void)state;
	assert_false(pauses_hear(pauses, orders - 1, list, 1));
	assert_false(held(NUMBER));
}

static void an_order_that_cannot_be_shared_is_refused(void **state)
{
	struct reg_pause pause = pause_of(NUMBER, 0), list[] = { pause };

	(void)state;
	assert_int_equal(pauses_put(pauses, &pause), -EIO);
	assert_false(held(NUMBER));
	assert_true(pauses_hear(pauses, pauses_orders(pauses), list, 1));
	assert_int_equal(pauses_end(pauses, PAUSE_NUMBER, NUMBER, "me"), -EIO);
	assert_true(held(NUMBER));
	assert_int_equal(pauses_end(pauses, PAUSE_ALL, "", "me"), -ENOENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
	const struct CMUnitTest tests[] = {
		TEST(what_others_ordered_holds_and_ends_with_their_word),
		TEST(what_is_over_or_makes_no_sense_is_not_taken_in),
		TEST(a_look_from_before_an_order_is_not_taken_in),
		TEST(an_order_that_cannot_be_shared_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
