/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include "base/shared_count.h"

#define OLD 4711

static struct shared_count *ours, *theirs;
static unsigned pieces;

static int setup(void **state)
{
	(void)state;
	pieces = 0;
	return shared_count_create(&ours) || shared_count_create(&theirs);
}

static int teardown(void **state)
{
	(void)state;
	ours = shared_count_destroy(ours);
	theirs = shared_count_destroy(theirs);
	return 0;
}

static int carry(const struct str *packed, void *arg)
{
	struct unpack from = { .at = packed->text, .end = packed->text + packed->length };

	(void)arg;
	assert_true(packed->length < FD_LINK_ROOM / 2);
	pieces++;
	return shared_count_take(ours, OLD, &from);
}

static void tell(bool all)
{
	assert_int_equal(shared_count_tell(theirs, all, carry, NULL), 0);
}

static void what_others_have_counts_too(void **state)
{
	(void)state;
	assert_true(shared_count_add(theirs, "+47"));
	assert_true(shared_count_add(theirs, "+47"));
	assert_true(shared_count_add(ours, "+47"));
	assert_int_equal(shared_count_of_all(ours, "+47"), 1);
	tell(true);
	assert_int_equal(shared_count_of_all(ours, "+47"), 3);
	assert_int_equal(shared_count_here(ours, "+47"), 1);
	assert_int_equal(shared_count_of_all(ours, "+46"), 0);
}

static void only_what_has_changed_is_told_again(void **state)
{
	(void)state;
	assert_true(shared_count_add(theirs, "+47"));
	assert_true(shared_count_add(theirs, "+46"));
	tell(true);
	tell(false);
	assert_int_equal(pieces, 1);
	shared_count_remove(theirs, "+47");
	shared_count_remove(theirs, "+47"); /* there is none: nothing happens */
	assert_true(shared_count_add(theirs, "+45"));
	tell(false);
	assert_int_equal(pieces, 2);
	assert_int_equal(shared_count_of_all(ours, "+47"), 0);
	assert_int_equal(shared_count_of_all(ours, "+46"), 1);
	assert_int_equal(shared_count_of_all(ours, "+45"), 1);
}

/* A restart that failed: what was to be told meanwhile is of no use to the next one. */
static void who_tells_nobody_begins_anew(void **state)
{
	(void)state;
	assert_true(shared_count_add(theirs, "+47"));
	tell(true);
	shared_count_tell_nobody(theirs);
	shared_count_tell_nobody(theirs);
	assert_true(shared_count_add(theirs, "+46"));
	shared_count_forget(ours, OLD);
	tell(false);
	assert_int_equal(shared_count_of_all(ours, "+47"), 1);
	assert_int_equal(shared_count_of_all(ours, "+46"), 1);
}

static void one_that_is_gone_has_nothing(void **state)
{
	(void)state;
	assert_true(shared_count_add(theirs, "+47"));
	tell(true);
	shared_count_forget(ours, OLD);
	shared_count_forget(ours, OLD);
	assert_int_equal(shared_count_of_all(ours, "+47"), 0);
	tell(true); /* another of the same number */
	assert_int_equal(shared_count_of_all(ours, "+47"), 1);
}

static void many_names_are_told_in_pieces(void **state)
{
	char name[32];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		(void)snprintf(name, sizeof(name), "+4799%06d", i);
		assert_true(shared_count_add(theirs, name));
	}
	tell(true);
	assert_true(pieces > 3);
	assert_int_equal(shared_count_of_all(ours, "+4799009999"), 1);
}

static int refuse(const struct str *packed, void *arg)
{
	(void)packed;
	(void)arg;
	return -EPIPE;
}

static void what_fails_and_what_is_broken_is_said(void **state)
{
	struct unpack half = { .at = "12345678" };

	(void)state;
	assert_true(shared_count_add(theirs, "+47"));
	assert_int_equal(shared_count_tell(theirs, true, refuse, NULL), -EPIPE);
	half.end = half.at + 3;
	assert_int_equal(shared_count_take(ours, OLD, &half), -EPROTO);
}

static void there_are_only_so_many_others(void **state)
{
	struct str piece = { 0 };

	(void)state;
	pack_text(&piece, "+47");
	pack_number(&piece, 1);
	for (int i = 1; i <= SHARED_COUNT_OTHERS_MAX + 1; i++) {
		struct unpack from = { .at = piece.text, .end = piece.text + piece.length };

		assert_int_equal(shared_count_take(ours, i, &from),
				 i > SHARED_COUNT_OTHERS_MAX ? -ENOSPC : 0);
	}
	assert_int_equal(shared_count_of_all(ours, "+47"), SHARED_COUNT_OTHERS_MAX);
	str_done(&piece);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_others_have_counts_too, setup, teardown),
		cmocka_unit_test_setup_teardown(only_what_has_changed_is_told_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_tells_nobody_begins_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_is_gone_has_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(many_names_are_told_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(what_fails_and_what_is_broken_is_said, setup,
						teardown),
		cmocka_unit_test_setup_teardown(there_are_only_so_many_others, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
