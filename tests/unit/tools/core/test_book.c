/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/book.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

static struct book *book;

static int open_book(void **state)
{
	(void)state;
	clock_fake_set(1000);
	return book_create(&book);
}

static int close_book(void **state)
{
	(void)state;
	book = book_destroy(book);
	clock_real();
	return 0;
}

static struct book_registration loop_until(mono_ms expires_ms)
{
	return (struct book_registration){ .number = "+4799000001",
					   .sip_uri = "sips:tas.example.com",
					   .prefix_mo = "00",
					   .route_type = ROUTE_TYPE_LOOP,
					   .expires_ms = expires_ms };
}

static void what_was_registered_is_found(void **state)
{
	struct book_registration in = loop_until(5000), out;

	(void)state;
	assert_int_equal(book_upsert(book, &in), 0);
	assert_int_equal(book_lookup(book, "+4799000001", &out), 0);
	assert_string_equal(out.sip_uri, "sips:tas.example.com");
	assert_int_equal(out.route_type, ROUTE_TYPE_LOOP);
	assert_int_equal(out.upserts, 1);
	assert_int_equal(book_lookup(book, "+4799000002", &out), -ENOENT);
}

static void a_refresh_prolongs_and_counts(void **state)
{
	struct book_registration in = loop_until(2000), out;

	(void)state;
	assert_int_equal(book_upsert(book, &in), 0);
	in.expires_ms = 9000;
	assert_int_equal(book_upsert(book, &in), 0);
	clock_fake_set(8000);
	assert_int_equal(book_lookup(book, "+4799000001", &out), 0);
	assert_int_equal(out.upserts, 2);
}

static void a_registration_without_refresh_is_gone_at_its_ttl(void **state)
{
	struct book_registration in = loop_until(2000), out;
	struct book_counts counts;

	(void)state;
	assert_int_equal(book_upsert(book, &in), 0);
	clock_fake_set(1999);
	assert_int_equal(book_lookup(book, "+4799000001", &out), 0);
	assert_int_equal(book_sweep(book), 0);
	clock_fake_set(2000);
	assert_int_equal(book_lookup(book, "+4799000001", &out), -ENOENT);
	assert_int_equal(book_sweep(book), 1);
	book_counts(book, &counts);
	assert_int_equal(counts.registrations, 0);
}

static void a_delete_needs_the_same_sip_uri(void **state)
{
	struct book_registration in = loop_until(5000), out;

	(void)state;
	assert_int_equal(book_upsert(book, &in), 0);
	assert_int_equal(book_delete(book, "+4799000001", "sips:other"), -EINVAL);
	assert_int_equal(book_lookup(book, "+4799000001", &out), 0);
	assert_int_equal(book_delete(book, "+4799000001", "sips:tas.example.com"), 0);
	assert_int_equal(book_lookup(book, "+4799000001", &out), -ENOENT);
	assert_int_equal(book_delete(book, "+4799000001", "sips:tas.example.com"), -ENOENT);
}

static void a_token_is_87_characters_and_lives_as_long_as_said(void **state)
{
	char token[BOOK_TOKEN_ROOM];

	(void)state;
	assert_int_equal(book_token_issue(book, 10, token), 0);
	assert_int_equal(strlen(token), 87);
	assert_true(book_token_valid(book, token));
	assert_false(book_token_valid(book, ""));
	assert_false(book_token_valid(book, "other"));
	clock_fake_advance(10000);
	assert_false(book_token_valid(book, token));
}

static void a_revoked_token_is_worth_nothing(void **state)
{
	char token[BOOK_TOKEN_ROOM];

	(void)state;
	assert_int_equal(book_token_issue(book, 10, token), 0);
	assert_int_equal(book_token_revoke_all(book), 1);
	assert_false(book_token_valid(book, token));
	assert_int_equal(book_token_revoke_all(book), 0);
}

static void a_fault_for_a_number_leaves_others_alone_and_ends_by_count(void **state)
{
	struct book_fault fault = {
		.kind = FAULT_SLOW, .number = "+4799000001", .count = 2, .delay_ms = 70
	};
	unsigned delay_ms = 0;

	(void)state;
	assert_int_equal(book_fault_add(book, &fault), 0);
	assert_int_equal(book_fault_take(book, "+4799000002", &delay_ms), FAULT_NONE);
	assert_int_equal(delay_ms, 0);
	assert_int_equal(book_fault_take(book, "+4799000001", &delay_ms), FAULT_SLOW);
	assert_int_equal(delay_ms, 70);
	assert_int_equal(book_fault_take_token(book), FAULT_NONE);
	assert_int_equal(book_fault_take(book, "+4799000001", &delay_ms), FAULT_SLOW);
	assert_int_equal(book_fault_take(book, "+4799000001", &delay_ms), FAULT_NONE);
}

static void a_fault_without_count_stays_until_cleared(void **state)
{
	struct book_fault fault = { .kind = FAULT_TOKEN_DOWN };
	unsigned delay_ms;

	(void)state;
	assert_int_equal(book_fault_add(book, &fault), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(book_fault_take_token(book), FAULT_TOKEN_DOWN);
	assert_int_equal(book_fault_take(book, "+4799000001", &delay_ms), FAULT_NONE);
	book_fault_clear(book);
	assert_int_equal(book_fault_take_token(book), FAULT_NONE);
}

static void the_list_of_faults_is_bounded(void **state)
{
	struct book_fault fault = { .kind = FAULT_HANG };

	(void)state;
	for (int i = 0; i < 64; i++)
		assert_int_equal(book_fault_add(book, &fault), 0);
	assert_int_equal(book_fault_add(book, &fault), -ENOSPC);
}

static void every_fault_has_a_name_that_parses(void **state)
{
	static const char *const names[] = {
		"unavailable",        "slow",           "hang",       "unauthenticated",
		"resource_exhausted", "not_acceptable", "token_down", "token_refused"
	};
	enum fault_kind kind;

	(void)state;
	for (int i = FAULT_NONE + 1; i < FAULT_COUNT; i++) {
		assert_int_equal(fault_kind_parse(names[i - FAULT_NONE - 1], &kind), 0);
		assert_int_equal(kind, i);
	}
	assert_int_equal(fault_kind_parse("none", &kind), -EINVAL);
	assert_int_equal(fault_kind_parse("earthquake", &kind), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define BOOK_TEST(test) cmocka_unit_test_setup_teardown(test, open_book, close_book)
		BOOK_TEST(what_was_registered_is_found),
		BOOK_TEST(a_refresh_prolongs_and_counts),
		BOOK_TEST(a_registration_without_refresh_is_gone_at_its_ttl),
		BOOK_TEST(a_delete_needs_the_same_sip_uri),
		BOOK_TEST(a_token_is_87_characters_and_lives_as_long_as_said),
		BOOK_TEST(a_revoked_token_is_worth_nothing),
		BOOK_TEST(a_fault_for_a_number_leaves_others_alone_and_ends_by_count),
		BOOK_TEST(a_fault_without_count_stays_until_cleared),
		BOOK_TEST(the_list_of_faults_is_bounded),
		cmocka_unit_test(every_fault_has_a_name_that_parses),
	};

	return cmocka_run_group_tests_name("tools/core/book", tests, NULL, NULL);
}
