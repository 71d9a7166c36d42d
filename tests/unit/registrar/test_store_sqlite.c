/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>
#include "base/log.h"
#include "registrar/store.h"
#include "tests/fake/folder.h"

static char path[64];
static char log_text[4096];
static struct reg_params first = { (char *)"sips:a", (char *)"00", (char *)"01", ROUTE_TYPE_LOOP };
static struct reg_params second = { (char *)"sips:b:5061", (char *)"", (char *)"",
				    ROUTE_TYPE_INGRESS };

struct read {
	size_t count;
	uint64_t numbers[4096];
	char uris[4096][16];
	struct store_row last;
	int fail;
};

static void on_log(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)level, (void)area, (void)arg;
	strncat(log_text, line, sizeof(log_text) - strlen(log_text) - 1);
}

static int on_row(const struct store_row *row, void *arg)
{
	struct read *read = arg;

	read->numbers[read->count] = row->number;
	snprintf(read->uris[read->count], 16, "%s", row->params->sip_uri);
	read->count++;
	read->last = *row;
	return read->fail;
}

static int set_up(void **state)
{
	struct read *read = calloc(1, sizeof(*read));

	if (folder_make())
		return -1;
	snprintf(path, sizeof(path), "%s/db", folder);
	log_text[0] = '\0';
	log_set_sink(on_log, NULL);
	*state = read;
	return 0;
}

static int tear_down(void **state)
{
	log_set_sink(NULL, NULL);
	free(*state);
	return folder_remove();
}

static struct store *open_it(struct read *read)
{
	struct store *store;

	assert_int_equal(store_open(&store, path, on_row, read), 0);
	return store;
}

static void write_one(struct store *store, uint64_t number, const struct reg_params *params,
		      wall_ms expires)
{
	struct store_row row = { .number = number,
				 .tenant = "",
				 .params = params,
				 .core = 77,
				 .expires = expires,
				 .ttl_s = 3600 };
	const char *why = "";

	assert_int_equal(store_write(store, &row, 1, STORE_NOTE, &why), 0);
}

static void what_is_written_is_read_in_number_order(void **state)
{
	struct read *read = *state;
	struct store *store = open_it(read);

	assert_int_equal(read->count, 0);
	write_one(store, 4799000001, &first, 3000);
	write_one(store, 4799000002, &second, 1000);
	write_one(store, 4799000003, &first, 2000);
	write_one(store, 4799000001, &second, 4000); /* replaces */
	store_close(store);
	store_close(open_it(read));
	assert_int_equal(read->count, 3);
	assert_int_equal(read->numbers[0], 4799000001);
	assert_int_equal(read->numbers[1], 4799000002);
	assert_int_equal(read->numbers[2], 4799000003);
	assert_string_equal(read->uris[0], "sips:b:5061");
	assert_string_equal(read->uris[2], "sips:a");
	assert_int_equal(read->last.expires, 2000);
	assert_int_equal(read->last.ttl_s, 3600);
	assert_int_equal(read->last.core, 77);
}

static void what_is_forgotten_is_gone(void **state)
{
	struct read *read = *state;
	struct store *store = open_it(read);

	write_one(store, 4799000001, &first, 1000);
	write_one(store, 4799000002, &first, 1000);
	write_one(store, 4799000001, NULL, 0);
	write_one(store, 4799000009, NULL, 0); /* never there: fine */
	store_close(store);
	store_close(open_it(read));
	assert_int_equal(read->count, 1);
	assert_int_equal(read->numbers[0], 4799000002);
}

static void a_killed_writer_leaves_whole_batches(void **state)
{
	struct read *read = *state;
	struct store_row rows[100];
	const char *why;
	int status;
	pid_t child = fork();

	for (unsigned i = 0; i < 100; i++)
		rows[i] = (struct store_row){ .tenant = "",
					      .params = i % 2 ? &first : &second,
					      .expires = 1000,
					      .ttl_s = 60 };
	if (!child) {
		struct store *store;

		if (store_open(&store, path, on_row, read))
			_exit(1);
		for (uint64_t batch = 0; batch < 20; batch++) {
			for (uint64_t i = 0; i < 100; i++)
				rows[i].number = batch * 100 + i + 1;
			if (store_write(store, rows, 100, STORE_NOTE, &why))
				_exit(1);
		}
		raise(SIGKILL);
	}
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	store_close(open_it(read));
	assert_int_equal(read->count, 2000);
	assert_string_equal(log_text, "");
}

static void damage(size_t offset)
{
	char noise[512];
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	memset(noise, 0x5a, sizeof(noise));
	assert_int_equal(pwrite(fd, noise, sizeof(noise), (off_t)offset), sizeof(noise));
	close(fd);
}

static void a_file_that_is_no_database_is_moved_aside(void **state)
{
	struct read *read = *state;
	char pattern[80];
	glob_t files;
	struct store *store;

	damage(0);
	store = open_it(read);
	assert_int_equal(read->count, 0);
	assert_non_null(strstr(log_text, "is damaged"));
	assert_non_null(strstr(log_text, "moved aside"));
	write_one(store, 4799000001, &first, 1000);
	store_close(store);
	store_close(open_it(read));
	assert_int_equal(read->count, 1);
	snprintf(pattern, sizeof(pattern), "%s.damaged-*", path);
	assert_int_equal(glob(pattern, 0, NULL, &files), 0);
	globfree(&files);
}

static void a_database_damaged_inside_is_moved_aside(void **state)
{
	struct read *read = *state;
	struct store *store = open_it(read);

	for (uint64_t i = 1; i <= 1000; i++)
		write_one(store, i + 4799000000, &first, (wall_ms)i);
	store_close(store);
	for (size_t page = 1; page < 8; page++)
		damage(page * 4096);
	store = open_it(read);
	assert_non_null(strstr(log_text, "is damaged"));
	write_one(store, 4799000001, &first, 1000);
	store_close(store);
}

static void a_place_that_cannot_be_written_is_said(void **state)
{
	struct store *store = NULL;

	assert_int_equal(store_open(&store, "/nonexistent/db", on_row, *state), -EIO);
	assert_non_null(strstr(log_text, "/nonexistent/db cannot be opened for writing: No such"));
	assert_int_equal(store_open(&store, folder, on_row, *state), -EIO);
	assert_null(store);
}

static void a_file_of_a_newer_version_is_left_alone(void **state)
{
	struct store *store = open_it(*state);
	sqlite3 *db;

	store_close(store);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL);
	sqlite3_close(db);
	store = NULL;
	assert_int_equal(store_open(&store, path, on_row, *state), -EIO);
	assert_non_null(strstr(log_text, "newer"));
	assert_null(store);
	assert_int_equal(access(path, F_OK), 0);
}

static void a_failing_write_changes_nothing_and_says_why(void **state)
{
	struct read *read = *state;
	struct store *store = open_it(read);
	struct store_row rows[] = {
		{ .number = 4799000001, .tenant = "", .params = &first, .expires = 1, .ttl_s = 1 },
		{ .number = 4799000002, .tenant = "", .params = &first, .expires = 1, .ttl_s = 1 }
	};
	const char *why = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db,
		     "CREATE TRIGGER no BEFORE INSERT ON told WHEN NEW.number = 4799000002 "
		     "BEGIN SELECT RAISE(ABORT, 'no'); END",
		     NULL, NULL, NULL);
	assert_int_equal(store_write(store, rows, 2, STORE_NOTE, &why), -EIO);
	assert_non_null(why);
	sqlite3_exec(db, "DROP TRIGGER no", NULL, NULL, NULL);
	assert_int_equal(store_write(store, rows + 1, 1, STORE_NOTE, &why), 0); /* works again */
	sqlite3_close(db);
	store_close(store);
	store_close(open_it(read));
	assert_int_equal(read->count, 1);
	assert_int_equal(read->numbers[0], 4799000002);
}

static void a_visitor_that_cannot_go_on_ends_the_opening(void **state)
{
	struct read *read = *state;
	struct store *store = open_it(read);

	write_one(store, 4799000001, &first, 1);
	store_close(store);
	store = NULL;
	read->fail = -ENOMEM;
	assert_int_equal(store_open(&store, path, on_row, read), -ENOMEM);
	assert_null(store);
}

static void the_file_is_not_for_everybody(void **state)
{
	struct stat info;

	store_close(open_it(*state));
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 07, 0);
}

#define STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE(what_is_written_is_read_in_number_order),
		STORE(what_is_forgotten_is_gone),
		STORE(a_killed_writer_leaves_whole_batches),
		STORE(a_file_that_is_no_database_is_moved_aside),
		STORE(a_database_damaged_inside_is_moved_aside),
		STORE(a_place_that_cannot_be_written_is_said),
		STORE(a_file_of_a_newer_version_is_left_alone),
		STORE(a_failing_write_changes_nothing_and_says_why),
		STORE(a_visitor_that_cannot_go_on_ends_the_opening),
		STORE(the_file_is_not_for_everybody),
	};

	return cmocka_run_group_tests_name("registrar/store_sqlite", tests, NULL, NULL);
}
