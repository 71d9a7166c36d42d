/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "tas/call/cdr_file.h"
#include "tests/fake/folder.h"

static char path[96];
static struct cdr_file file;
static int syncs, sync_error; /* errno of the next fdatasync() */

/* In place of libc's: a test counts what a disk would have to do. */
int fdatasync(int fd)
{
	(void)fd;
	syncs++;
	errno = sync_error;
	return sync_error ? -1 : 0;
}

static int make_file(void **state)
{
	(void)state;
	assert_int_equal(folder_make(), 0);
	snprintf(path, sizeof(path), "%s/cdr.json", folder);
	assert_int_equal(cdr_file_open(&file, path), 0);
	syncs = sync_error = 0;
	return 0;
}

static int remove_file(void **state)
{
	(void)state;
	cdr_file_close(&file);
	return folder_remove();
}

static void add(const char *line, mono_ms now)
{
	assert_int_equal(cdr_file_add(&file, line), 0);
	cdr_file_work(&file, now);
}

static void assert_size(const char *name, off_t size)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_size, size);
}

static void a_record_is_written_at_once_and_synced_later(void **state)
{
	(void)state;
	assert_int_equal(cdr_file_wait_ms(&file, 1000), -1);
	add("one\n", 1000);
	assert_size(path, 4);
	assert_int_equal(syncs, 0);
	assert_int_equal(cdr_file_wait_ms(&file, 1000), CDR_SYNC_MS);
	cdr_file_work(&file, 1000 + CDR_SYNC_MS - 1);
	assert_int_equal(syncs, 0);
	cdr_file_work(&file, 1000 + CDR_SYNC_MS);
	assert_int_equal(syncs, 1);
	assert_int_equal(cdr_file_wait_ms(&file, 1000 + CDR_SYNC_MS), -1);
}

static void many_records_share_a_sync_which_none_puts_off(void **state)
{
	(void)state;
	for (mono_ms now = 0; now < 1000; now++)
		add("x\n", now);
	assert_size(path, 2000);
	assert_in_range(syncs, 1000 / CDR_SYNC_MS - 3, 1000 / CDR_SYNC_MS);
}

static void a_moved_file_gets_what_was_begun_and_is_left_after_its_sync(void **state)
{
	char moved[128];

	(void)state;
	snprintf(moved, sizeof(moved), "%s.1", path);
	add("one\n", 0);
	assert_int_equal(rename(path, moved), 0);
	add("two\n", 1);
	assert_size(moved, 8);
	cdr_file_work(&file, CDR_SYNC_MS);
	add("three\n", CDR_SYNC_MS + 1);
	assert_size(moved, 8);
	assert_size(path, 6);
}

static void what_is_not_synced_is_when_the_file_is_closed(void **state)
{
	(void)state;
	add("one\n", 0);
	cdr_file_close(&file);
	assert_int_equal(syncs, 1);
}

static void a_large_file_is_renamed_and_nothing_is_split(void **state)
{
	char moved[128];

	(void)state;
	clock_fake_wall_set(1800000000000); /* 2027-01-15T08:00:00Z */
	snprintf(moved, sizeof(moved), "%s-20270115T080000Z", path);
	file.rotate_bytes = 8;
	add("one\n", 0);
	add("two\n", 1);
	add("three\n", 2); /* not away from lines that are still to be synced */
	cdr_file_work(&file, CDR_SYNC_MS);
	add("four\n", CDR_SYNC_MS + 1);
	assert_size(moved, 14);
	assert_size(path, 5);
	cdr_file_work(&file, 100);
	file.rotate_bytes = 1;
	add("five\n", 101); /* that name is taken within the second: later */
	assert_size(path, 10);
	clock_real();
}

static void the_first_record_of_a_day_begins_a_file(void **state)
{
	const struct timespec yesterday[2] = { { .tv_sec = 1799900000 }, { .tv_sec = 1799900000 } };
	char moved[128];

	(void)state;
	clock_fake_wall_set(1800000000000);
	snprintf(moved, sizeof(moved), "%s-20270115T080000Z", path);
	file.rotate_daily = true;
	add("one\n", 0);
	cdr_file_work(&file, CDR_SYNC_MS);
	assert_int_equal(futimens(file.fd, yesterday), 0);
	add("two\n", 100);
	assert_size(moved, 4);
	assert_size(path, 4);
	clock_real();
}

static void half_a_line_of_a_killed_process_is_ended(void **state)
{
	(void)state;
	add("{\"id\":\"on", 0); /* nine bytes */
	cdr_file_close(&file);
	for (int i = 0; i < 2; i++) { /* and then left alone */
		assert_int_equal(cdr_file_open(&file, path), 0);
		assert_size(path, 10);
		cdr_file_close(&file);
	}
	assert_int_equal(cdr_file_open(&file, path), 0);
}

static void a_refusing_disk_is_asked_once_a_second_and_keeps_4_mib(void **state)
{
	static char line[1 << 20];

	(void)state;
	cdr_file_close(&file);
	assert_int_equal(cdr_file_open(&file, "/dev/full"), 0);
	memset(line, 'x', sizeof(line) - 1);
	for (int i = 0; i < 4; i++)
		add(line, 5000 + i);
	assert_int_equal(cdr_file_add(&file, line), -ENOBUFS);
	assert_int_equal(cdr_file_wait_ms(&file, 5000), CDR_RETRY_MS);
	free(file.path);
	file.path = strdup(path); /* as if room had been made */
	cdr_file_work(&file, 5000 + CDR_RETRY_MS - 1);
	assert_size(path, 0);
	cdr_file_work(&file, 5000 + CDR_RETRY_MS);
	assert_size(path, 4 * (off_t)(sizeof(line) - 1));
}

static int errors;

static void count_errors(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)area;
	(void)line;
	(void)arg;
	errors += level == LOG_LEVEL_ERROR;
}

static void a_failed_sync_is_told_and_a_pipe_needs_none(void **state)
{
	(void)state;
	log_set_sink(count_errors, NULL);
	errors = 0;
	sync_error = EINVAL;
	add("one\n", 0);
	cdr_file_work(&file, CDR_SYNC_MS);
	assert_int_equal(errors, 0);
	sync_error = EIO;
	add("two\n", 100);
	cdr_file_work(&file, 100 + CDR_SYNC_MS);
	log_set_sink(NULL, NULL);
	assert_int_equal(errors, 1);
	assert_int_equal(cdr_file_wait_ms(&file, 200), -1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_file, remove_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_record_is_written_at_once_and_synced_later),
		T(many_records_share_a_sync_which_none_puts_off),
		T(a_moved_file_gets_what_was_begun_and_is_left_after_its_sync),
		T(a_large_file_is_renamed_and_nothing_is_split),
		T(the_first_record_of_a_day_begins_a_file),
		T(half_a_line_of_a_killed_process_is_ended),
		T(what_is_not_synced_is_when_the_file_is_closed),
		T(a_refusing_disk_is_asked_once_a_second_and_keeps_4_mib),
		T(a_failed_sync_is_told_and_a_pipe_needs_none),
	};

	return cmocka_run_group_tests_name("tas/call/cdr_file", tests, NULL, NULL);
}
