/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "base/metrics.h"
#include "tas/call/cdr.h"
#include "tests/fake/folder.h"
#include "tests/fake/text.h"

static char path[96];

static int make_folder(void **state)
{
	(void)state;
	assert_int_equal(folder_make(), 0);
	snprintf(path, sizeof(path), "%s/cdr.json", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return folder_remove();
}

static void lines_are_appended_in_order(void **state)
{
	struct cdr_writer *writer = NULL;
	char text[64];

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(cdr_writer_create(&writer, path, NULL), 0);
		cdr_write(writer, "{\"n\":1}", 0);
		cdr_write(writer, "{\"n\":2}", 0);
		assert_null(cdr_writer_destroy(writer));
	}
	text_read(path, text, sizeof(text));
	assert_string_equal(text, "{\"n\":1}\n{\"n\":2}\n{\"n\":1}\n{\"n\":2}\n");
}

static void nothing_is_lost_at_the_end(void **state)
{
	struct cdr_writer *writer = NULL;
	struct stat st;

	(void)state;
	assert_int_equal(cdr_writer_create(&writer, path, NULL), 0);
	for (int i = 0; i < 10000; i++)
		cdr_write(writer, "0123456789", 0);
	cdr_writer_destroy(writer);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 110000);
	assert_int_equal(st.st_mode & 0777, 0640 & ~umask(0));
}

static void moved_file_is_followed(void **state)
{
	struct cdr_writer *writer = NULL;
	char moved[128], text[64];

	(void)state;
	snprintf(moved, sizeof(moved), "%s.1", path);
	assert_int_equal(cdr_writer_create(&writer, path, NULL), 0);
	assert_int_equal(rename(path, moved), 0);
	cdr_write(writer, "after", 0);
	cdr_writer_destroy(writer);
	text_read(path, text, sizeof(text));
	assert_string_equal(text, "after\n");
}

static char complaint[256];
static pthread_mutex_t complaint_lock = PTHREAD_MUTEX_INITIALIZER;

static void keep_line(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)area;
	(void)arg;
	pthread_mutex_lock(&complaint_lock);
	if (level == LOG_LEVEL_ERROR && !complaint[0])
		snprintf(complaint, sizeof(complaint), "%s", line);
	pthread_mutex_unlock(&complaint_lock);
}

static void full_disk_is_said_once_and_stalls_nobody(void **state)
{
	struct cdr_writer *writer = NULL;

	(void)state;
	log_set_sink(keep_line, NULL);
	assert_int_equal(cdr_writer_create(&writer, "/dev/full", NULL), 0);
	for (int i = 0; i < 1000; i++)
		cdr_write(writer, "{}", 0);
	cdr_writer_destroy(writer);
	log_set_sink(NULL, NULL);
	assert_non_null(strstr(complaint, "No space left on device"));
}

static void *read_to_the_end(void *arg)
{
	static char text[1 << 16];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	while ((n = read(fd, text, sizeof(text))) > 0)
		*(size_t *)arg += (size_t)n;
	close(fd);
	return NULL;
}

/* A pipe that nobody reads yet is the slowest of disks. */
static void what_comes_while_the_disk_is_slow_is_not_lost(void **state)
{
	enum { LINES = 10, LENGTH = 1 << 20 };
	char *line = calloc(1, LENGTH + 1);
	struct cdr_writer *writer = NULL;
	pthread_t reader;
	size_t arrived = 0;
	int open_end;

	(void)state;
	assert_non_null(line);
	memset(line, 'x', LENGTH);
	assert_int_equal(mkfifo(path, 0600), 0);
	open_end = open(path, O_RDWR | O_CLOEXEC);
	assert_true(open_end >= 0);
	assert_int_equal(cdr_writer_create(&writer, path, NULL), 0);
	for (int i = 0; i < LINES; i++)
		cdr_write(writer, line, 0);
	assert_int_equal(pthread_create(&reader, NULL, read_to_the_end, &arrived), 0);
	cdr_writer_destroy(writer);
	close(open_end);
	assert_int_equal(pthread_join(reader, NULL), 0);
	assert_int_equal(arrived, (size_t)LINES * (LENGTH + 1));
	free(line);
}

static void no_number_is_written_whole_if_so_wanted(void **state)
{
	const struct config_records config = { .mask_at_once = true };
	struct cdr_writer *writer = NULL;
	char text[64];

	(void)state;
	assert_int_equal(cdr_writer_create(&writer, path, &config), 0);
	cdr_write(writer, "{\"from\":\"+4799000012\"}", 0);
	cdr_writer_destroy(writer);
	text_read(path, text, sizeof(text));
	assert_string_equal(text, "{\"from\":\"+4799***12\"}\n");
}

static void unusable_path_is_an_error(void **state)
{
	struct cdr_writer *writer = NULL;

	(void)state;
	assert_int_equal(cdr_writer_create(&writer, "/nowhere/at/all", NULL), -ENOENT);
	assert_int_equal(cdr_writer_create(&writer, folder, NULL), -EISDIR);
	assert_null(writer);
	assert_null(cdr_writer_destroy(NULL));
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(lines_are_appended_in_order),
		T(nothing_is_lost_at_the_end),
		T(moved_file_is_followed),
		T(full_disk_is_said_once_and_stalls_nobody),
		T(what_comes_while_the_disk_is_slow_is_not_lost),
		T(no_number_is_written_whole_if_so_wanted),
		T(unusable_path_is_an_error),
	};

	return cmocka_run_group_tests_name("tas/call/cdr", tests, NULL, NULL);
}
