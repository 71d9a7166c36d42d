/* SPDX-License-Identifier: Apache-2.0 */
#include "records/cursor.h"
#include "tests/unit/records/spool.h"

static struct cursor cursor;

static void start(const struct cursor_position *from)
{
	static const struct cursor_position beginning;

	assert_int_equal(cursor_init(&cursor, spool, from ? from : &beginning), 0);
}

static void expect_line(const char *text)
{
	const char *line = NULL;
	int got = cursor_read(&cursor, &line);

	if (!text) {
		assert_int_equal(got, 0);
		return;
	}
	assert_int_equal(got, 1);
	assert_string_equal(line, text);
}

static void lines_come_as_they_are_written(void **state)
{
	(void)state;
	start(NULL);
	expect_line(NULL); /* there is no file */
	spool_add("", "{1}\n{2}\n{3", 10);
	expect_line("{1}");
	expect_line("{2}");
	expect_line(NULL); /* half a line */
	spool_add("", "}\n", 11);
	expect_line("{3}");
	expect_line(NULL);
	cursor_done(&cursor);
}

static void a_position_outlives_the_process_and_a_rename(void **state)
{
	struct cursor_position position;

	(void)state;
	start(NULL);
	spool_add("", "{1}\n{2}\n", 10);
	expect_line("{1}");
	position = cursor.at;
	cursor_done(&cursor);
	spool_rename("-20270115T080000Z");
	spool_add("", "{3}\n", 20);
	start(&position);
	assert_int_equal(cursor_behind(&cursor), 8);
	expect_line("{2}");
	expect_line("{3}");
	expect_line(NULL);
	assert_int_equal(cursor_behind(&cursor), 0);
	cursor_done(&cursor);
}

static void a_renamed_file_is_read_to_its_end_first(void **state)
{
	(void)state;
	start(NULL);
	spool_add("", "{1}\n", 10);
	expect_line("{1}");
	spool_rename(".1");
	expect_line(NULL);
	spool_add(".1", "{2}\n", 11); /* the writer has not looked yet */
	expect_line("{2}");
	spool_add(".1", "{3}\n", 12);
	spool_add("", "{4}\n", 13);
	expect_line("{3}");
	expect_line("{4}");
	expect_line(NULL);
	cursor_done(&cursor);
}

static void old_files_are_read_first_whatever_their_names(void **state)
{
	(void)state;
	spool_add(".2", "{1}\n", 10);
	spool_add(".1", "{2}\n", 20);
	spool_add("-20270115T080000Z", "{3}\n", 30);
	spool_add(".0.gz", "\x1f\x8b", 25);
	spool_add("", "{4}\n", 40);
	start(NULL);
	expect_line("{1}");
	expect_line("{2}");
	expect_line("{3}");
	expect_line("{4}");
	expect_line(NULL);
	cursor_done(&cursor);
}

static void what_was_removed_is_passed_over_and_told(void **state)
{
	struct cursor_position position;
	char gone[128];

	(void)state;
	spool_add("", "{1}\n{2}\n", 10);
	start(NULL);
	expect_line("{1}");
	expect_line("{2}");
	expect_line(NULL);
	position = cursor.at;
	cursor_done(&cursor);
	spool_rename(".1");
	spool_add(".0", "{0}\n", 5); /* older: not read again */
	spool_add("", "{3}\n", 20);
	snprintf(gone, sizeof(gone), "%s.1", spool);
	assert_int_equal(unlink(gone), 0);
	start(&position);
	expect_line("{3}");
	assert_int_equal(spool_notices, 1);
	cursor_done(&cursor);
}

static void a_file_cut_in_place_is_complained_of_and_read_anew(void **state)
{
	(void)state;
	spool_add("", "{1}\n{2}\n", 10);
	start(NULL);
	expect_line("{1}");
	expect_line("{2}");
	assert_int_equal(truncate(spool, 0), 0);
	expect_line(NULL);
	assert_int_equal(spool_errors, 1);
	spool_add("", "{3}\n", 4000000000); /* after the cut, which was now */
	expect_line("{3}");
	cursor_done(&cursor);
}

static void skipping_leaves_only_what_comes(void **state)
{
	(void)state;
	spool_add("", "{1}\n{2}\n", 10);
	start(NULL);
	assert_int_equal(cursor_skip(&cursor), 0);
	expect_line(NULL);
	spool_add("", "{3}\n", 11);
	expect_line("{3}");
	cursor_done(&cursor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPOOL_TEST(lines_come_as_they_are_written),
		SPOOL_TEST(a_position_outlives_the_process_and_a_rename),
		SPOOL_TEST(a_renamed_file_is_read_to_its_end_first),
		SPOOL_TEST(old_files_are_read_first_whatever_their_names),
		SPOOL_TEST(what_was_removed_is_passed_over_and_told),
		SPOOL_TEST(a_file_cut_in_place_is_complained_of_and_read_anew),
		SPOOL_TEST(skipping_leaves_only_what_comes),
	};

	return cmocka_run_group_tests_name("records/cursor", tests, NULL, NULL);
}
