/* SPDX-License-Identifier: Apache-2.0 */
#include "records/keep.h"
#include "tests/fake/text.h"
#include "tests/unit/records/spool.h"

static bool exists(const char *suffix)
{
	char path[160];

	snprintf(path, sizeof(path), "%s%s", spool, suffix);
	return access(path, F_OK) == 0;
}

static void read_text(const char *suffix, char *text, size_t room)
{
	char path[160];

	snprintf(path, sizeof(path), "%s%s", spool, suffix);
	text_read(path, text, room);
}

static void three_files(void)
{
	spool_add("-a", spool_record(1), 10);
	spool_add("-b", spool_record(2), 20);
	spool_add("", spool_record(3), 5); /* whatever its age: it is written */
}

static void files_that_are_too_old_go(void **state)
{
	(void)state;
	three_files();
	keep_files(spool, &(struct keep){ .expire_before = 15000 });
	assert_false(exists("-a"));
	assert_true(exists("-b"));
	assert_true(exists(""));
}

static void old_files_lose_their_numbers_once_and_keep_their_order(void **state)
{
	const struct keep keep = { .mask_before = 15000 };
	struct cursor_file *files;
	char text[512];
	size_t count;

	(void)state;
	three_files();
	for (int i = 0; i < 2; i++)
		keep_files(spool, &keep);
	assert_false(exists("-a"));
	assert_true(exists("-b"));
	read_text("-a.masked", text, sizeof(text));
	assert_null(strstr(text, "+4799000001"));
	assert_non_null(strstr(text, "\"id\":\"0000000000000001\""));
	assert_non_null(strstr(text, "\"number\":\"+4799***01\""));
	assert_int_equal(cursor_files(spool, &files, &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(files[1].changed_ns, 10000000000);
	cursor_files_free(files, count);
	assert_int_equal(spool_errors, 0);
}

static void what_somebody_still_reads_is_not_masked(void **state)
{
	static const struct cursor_position beginning;
	struct cursor cursor;
	const char *line;
	struct keep keep = { .mask_before = 15000, .readers = { &cursor } };

	(void)state;
	spool_add("-a", spool_record(1), 10);
	spool_add("", spool_record(3), 30);
	assert_int_equal(cursor_init(&cursor, spool, &beginning), 0);
	keep_files(spool, &keep);
	assert_true(exists("-a"));
	assert_int_equal(cursor_read(&cursor, &line), 1);
	keep_files(spool, &keep);
	assert_true(exists("-a"));
	assert_int_equal(cursor_read(&cursor, &line), 1);
	assert_int_equal(cursor_read(&cursor, &line), 0);
	keep_files(spool, &keep);
	assert_true(exists("-a.masked"));
	cursor_done(&cursor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPOOL_TEST(files_that_are_too_old_go),
		SPOOL_TEST(old_files_lose_their_numbers_once_and_keep_their_order),
		SPOOL_TEST(what_somebody_still_reads_is_not_masked),
	};

	return cmocka_run_group_tests_name("records/keep", tests, NULL, NULL);
}
