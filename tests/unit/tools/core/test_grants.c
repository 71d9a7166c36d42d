/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "tools/core/grants.h"

#define FIRST  "+4799000001"
#define SECOND "+4799000002"

static struct grants *grants;
static struct grant_event event;

static int begin(void **state)
{
	(void)state;
	clock_fake_set(1000000);
	return grants_create(&grants);
}

static int finish(void **state)
{
	(void)state;
	grants = grants_destroy(grants);
	return 0;
}

static void give(const char *number)
{
	assert_int_equal(grants_change(grants, number, GRANT_ADDED), 0);
}

static void an_event_comes_again_until_it_is_acknowledged(void **state)
{
	(void)state;
	give(FIRST);
	assert_true(grants_next(grants, "q", 50, &event));
	assert_string_equal(event.number, FIRST);
	assert_false(event.again);
	assert_false(grants_next(grants, "q", 50, &event));
	clock_fake_advance(GRANT_AGAIN_MS);
	assert_true(grants_next(grants, "q", 50, &event));
	assert_true(event.again);
	assert_true(grants_ack(grants, event.ack));
	clock_fake_advance(GRANT_AGAIN_MS);
	assert_false(grants_next(grants, "q", 50, &event));
}

static void a_stream_that_is_cut_tells_the_next_what_was_not_acknowledged(void **state)
{
	(void)state;
	give(FIRST);
	give(SECOND);
	assert_true(grants_next(grants, "q", 50, &event));
	assert_true(grants_ack(grants, event.ack));
	assert_true(grants_next(grants, "q", 50, &event));
	grants_cut(grants, "q");
	assert_true(grants_next(grants, "q", 50, &event));
	assert_string_equal(event.number, SECOND);
	assert_true(event.again);
}

static void each_queue_has_a_place_of_its_own(void **state)
{
	struct grants_counts counts;

	(void)state;
	give(FIRST);
	assert_true(grants_next(grants, "q", 50, &event));
	assert_true(grants_ack(grants, event.ack));
	assert_true(grants_next(grants, "r", 50, &event));
	assert_false(event.again);
	grants_counts(grants, &counts);
	assert_int_equal(counts.waiting, 1);
	assert_false(grants_ack(grants, "s/0"));
	assert_false(grants_ack(grants, "q/1"));
	assert_false(grants_ack(grants, "q/"));
	assert_false(grants_ack(grants, ""));
}

static void no_more_are_out_than_the_reader_wants(void **state)
{
	(void)state;
	give(FIRST);
	give(SECOND);
	assert_true(grants_next(grants, "q", 1, &event));
	assert_false(grants_next(grants, "q", 1, &event));
	assert_true(grants_ack(grants, event.ack));
	assert_true(grants_next(grants, "q", 1, &event));
}

static void the_list_has_who_consents_now_page_by_page(void **state)
{
	char ids[2][GRANT_ID_ROOM], first[GRANT_ID_ROOM];
	char number[E164_ROOM];
	size_t count;

	(void)state;
	for (uint64_t i = 0; i < 100; i++) {
		e164_unpack(4799000000 + i, number);
		give(number);
	}
	assert_int_equal(grants_change(grants, SECOND, GRANT_REVOKED), 0);
	assert_int_equal(grants_change(grants, SECOND, GRANT_REVOKED), -ENOENT);
	assert_int_equal(grants_change(grants, "112", GRANT_ADDED), -EINVAL);
	assert_int_equal(grants_page(grants, 0, ids, 2, &count), 2);
	strcpy(first, ids[0]);
	assert_int_equal(grants_page(grants, 97, ids, 2, &count), 0);
	assert_int_equal(count, 2);
	assert_string_not_equal(first, ids[0]);
	assert_int_equal(grants_page(grants, 99, ids, 2, &count), 0);
	assert_int_equal(count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
	const struct CMUnitTest tests[] = {
		TEST(an_event_comes_again_until_it_is_acknowledged),
		TEST(a_stream_that_is_cut_tells_the_next_what_was_not_acknowledged),
		TEST(each_queue_has_a_place_of_its_own),
		TEST(no_more_are_out_than_the_reader_wants),
		TEST(the_list_has_who_consents_now_page_by_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
