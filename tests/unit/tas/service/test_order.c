/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "tas/service/order.h"

static int book_setup(void **state)
{
	struct order_book *book;

	clock_fake_set(1000);
	assert_int_equal(order_book_create(&book), 0);
	*state = book;
	return 0;
}

static int book_teardown(void **state)
{
	order_book_destroy(*state);
	clock_real();
	return 0;
}

/* Three phones and the trunk itself. */
static const struct order_target four[] = {
	{ .index = 0, .name = "a", .weight = 3, .one_phone = true },
	{ .index = 1, .name = "b", .weight = 1, .one_phone = true },
	{ .index = 2, .name = "c", .weight = 1, .one_phone = true },
	{ .index = 3, .name = "t", .weight = 1 },
};

/* The names in the order they are rung for one call. */
static const char *rung_of(struct order_book *book, enum ring_order order, const char *rule,
			   size_t count)
{
	static char text[8];
	struct order_target targets[4];

	memcpy(targets, four, sizeof(targets));
	count = order_targets(book, order, rule, targets, count);
	for (size_t i = 0; i < count; i++)
		text[i] = targets[i].name[0];
	text[count] = '\0';
	return text;
}

static void call_ends(struct order_book *book, const char *target)
{
	order_book_news(book, target, CALL_TARGET_TAKEN);
	clock_fake_advance(1000);
	order_book_news(book, target, CALL_TARGET_DONE);
}

static void parallel_and_sequence_stay_as_they_are(void **state)
{
	for (int i = 0; i < 3; i++) {
		assert_string_equal(rung_of(*state, RING_PARALLEL, "r/1", 4), "abct");
		assert_string_equal(rung_of(*state, RING_SEQUENCE, "r/1", 4), "abct");
	}
}

static void round_robin_begins_with_the_next_one(void **state)
{
	assert_string_equal(rung_of(*state, RING_ROUND_ROBIN, "r/1", 3), "abc");
	assert_string_equal(rung_of(*state, RING_ROUND_ROBIN, "r/1", 3), "bca");
	assert_string_equal(rung_of(*state, RING_ROUND_ROBIN, "r/1", 3), "cab");
	assert_string_equal(rung_of(*state, RING_ROUND_ROBIN, "r/1", 3), "abc");
}

static void rules_have_turns_of_their_own(void **state)
{
	assert_string_equal(rung_of(*state, RING_ROUND_ROBIN, "r/1", 3), "abc");
	assert_string_equal(rung_of(*state, RING_ROUND_ROBIN, "r/2", 3), "abc");
	assert_string_equal(rung_of(*state, RING_ROUND_ROBIN, "r/1", 3), "bca");
}

static void weights_are_met_exactly(void **state)
{
	unsigned first[3] = { 0 };

	for (int i = 0; i < 50; i++)
		first[rung_of(*state, RING_WEIGHTED, "r/1", 3)[0] - 'a']++;
	assert_int_equal(first[0], 30);
	assert_int_equal(first[1], 10);
	assert_int_equal(first[2], 10);
}

static void everybody_is_in_the_order_once(void **state)
{
	for (int i = 0; i < 20; i++) {
		const char *rung = rung_of(*state, RING_WEIGHTED, "r/1", 4);

		assert_int_equal(strlen(rung), 4);
		assert_true(strchr(rung, 'a') && strchr(rung, 'b') && strchr(rung, 'c') &&
			    strchr(rung, 't'));
	}
}

static void longest_idle_is_whose_last_call_ended_first(void **state)
{
	assert_string_equal(rung_of(*state, RING_LONGEST_IDLE, "r/1", 3), "abc");
	call_ends(*state, "a");
	assert_string_equal(rung_of(*state, RING_LONGEST_IDLE, "r/1", 3), "bca");
	call_ends(*state, "c");
	assert_string_equal(rung_of(*state, RING_LONGEST_IDLE, "r/1", 3), "bac");
	call_ends(*state, "b");
	assert_string_equal(rung_of(*state, RING_LONGEST_IDLE, "r/2", 3), "acb");
}

static void ringing_in_vain_leaves_a_phone_idle(void **state)
{
	order_book_news(*state, "a", CALL_TARGET_TAKEN);
	order_book_news(*state, "a", CALL_TARGET_FREE);
	assert_string_equal(rung_of(*state, RING_LONGEST_IDLE, "r/1", 3), "abc");
}

static void phone_with_a_call_is_left_out(void **state)
{
	order_book_news(*state, "a", CALL_TARGET_TAKEN);
	assert_string_equal(rung_of(*state, RING_SEQUENCE, "r/1", 4), "bct");
	assert_string_equal(rung_of(*state, RING_LONGEST_IDLE, "r/1", 4), "bct");
	assert_string_equal(rung_of(*state, RING_ROUND_ROBIN, "r/1", 4), "bct");
	assert_string_equal(rung_of(*state, RING_PARALLEL, "r/1", 4), "abct");
	order_book_news(*state, "a", CALL_TARGET_TAKEN);
	order_book_news(*state, "a", CALL_TARGET_FREE);
	assert_string_equal(rung_of(*state, RING_SEQUENCE, "r/1", 4), "bct");
	order_book_news(*state, "a", CALL_TARGET_DONE);
	assert_string_equal(rung_of(*state, RING_SEQUENCE, "r/1", 4), "abct");
}

static void phone_with_a_call_of_another_process_is_left_out(void **state)
{
	struct str told = { 0 };
	struct unpack from;

	pack_text(&told, "b");
	pack_number(&told, 1);
	from = (struct unpack){ .at = told.text, .end = told.text + told.length };
	assert_int_equal(shared_count_take(order_book_calls(*state), 4711, &from), 0);
	str_done(&told);
	assert_string_equal(rung_of(*state, RING_SEQUENCE, "r/1", 4), "act");
	shared_count_forget(order_book_calls(*state), 4711);
	assert_string_equal(rung_of(*state, RING_SEQUENCE, "r/1", 4), "abct");
}

static void trunk_is_never_busy(void **state)
{
	order_book_news(*state, "t", CALL_TARGET_TAKEN);
	assert_string_equal(rung_of(*state, RING_SEQUENCE, "r/1", 4), "abct");
}

static void all_ring_when_all_have_a_call(void **state)
{
	order_book_news(*state, "a", CALL_TARGET_TAKEN);
	order_book_news(*state, "b", CALL_TARGET_TAKEN);
	order_book_news(*state, "c", CALL_TARGET_TAKEN);
	assert_string_equal(rung_of(*state, RING_SEQUENCE, "r/1", 3), "abc");
}

static void news_of_nobodys_call_are_harmless(void **state)
{
	order_book_news(*state, "a", CALL_TARGET_DONE);
	order_book_news(*state, "a", CALL_TARGET_FREE);
	assert_string_equal(rung_of(*state, RING_SEQUENCE, "r/1", 3), "abc");
}

static void nobody_to_ring_is_nobody(void **state)
{
	assert_string_equal(rung_of(*state, RING_WEIGHTED, "r/1", 0), "");
}

#define T(f) cmocka_unit_test_setup_teardown(f, book_setup, book_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(parallel_and_sequence_stay_as_they_are),
		T(round_robin_begins_with_the_next_one),
		T(rules_have_turns_of_their_own),
		T(weights_are_met_exactly),
		T(everybody_is_in_the_order_once),
		T(longest_idle_is_whose_last_call_ended_first),
		T(ringing_in_vain_leaves_a_phone_idle),
		T(phone_with_a_call_is_left_out),
		T(phone_with_a_call_of_another_process_is_left_out),
		T(trunk_is_never_busy),
		T(all_ring_when_all_have_a_call),
		T(news_of_nobodys_call_are_harmless),
		T(nobody_to_ring_is_nobody),
	};

	return cmocka_run_group_tests_name("tas/service/order", tests, NULL, NULL);
}
