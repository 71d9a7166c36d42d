/* SPDX-License-Identifier: Apache-2.0 */
/* A link to a server that is not there, says nothing or talks rubbish. What a real one
 * answers is in tests/interop/test_fleet_database.py. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "sql/postgres.h"
#include "tests/fake/folder.h"

#define SHORTLY 150 /* ms; each test that waits does it once */

static char conninfo[64];

static int set_up(void **state)
{
	(void)state;
	if (folder_make())
		return -1;
	snprintf(conninfo, sizeof(conninfo), "host=%s dbname=x user=u", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return folder_remove();
}

static struct pg *create(void)
{
	struct pg *pg;

	assert_int_equal(pg_create(&pg, conninfo, NULL), 0);
	return pg;
}

/* ---- a server of a few bytes ---- */

static struct fake {
	int listener;
	pthread_t thread;
	const char *first, *second; /* answers to the first message and the next */
	size_t first_length, second_length;
	bool hangs_up;
} fake;

static void *fake_thread(void *arg)
{
	char bytes[4096];
	int fd = accept(fake.listener, NULL, NULL);

	(void)arg;
	if (read(fd, bytes, sizeof(bytes)) > 0)
		(void)!write(fd, fake.first, fake.first_length);
	if (fake.second && read(fd, bytes, sizeof(bytes)) > 0)
		(void)!write(fd, fake.second, fake.second_length);
	if (!fake.hangs_up) /* until the client does */
		while (read(fd, bytes, sizeof(bytes)) > 0)
			;
	close(fd);
	return NULL;
}

static void fake_start(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", folder);
	fake.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fake.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fake.listener, 1), 0);
	assert_int_equal(pthread_create(&fake.thread, NULL, fake_thread, NULL), 0);
}

static void fake_stop(void)
{
	pthread_join(fake.thread, NULL);
	close(fake.listener);
	memset(&fake, 0, sizeof(fake));
}

/* AuthenticationOk, ReadyForQuery:
 * https://www.postgresql.org/docs/15/protocol-message-formats.html */
#define WELCOME "R\0\0\0\10\0\0\0\0Z\0\0\0\5I"

/* ---- tests ---- */

static void arrays_are_what_the_server_reads_as_one(void **state)
{
	struct str numbers = { 0 }, texts = { 0 }, empty = { 0 };

	(void)state;
	pg_array_int(&numbers, -1);
	pg_array_int(&numbers, INT64_MAX);
	pg_array_end(&numbers);
	assert_string_equal(numbers.text, "{-1,9223372036854775807}");
	pg_array_text(&texts, "a,b}");
	pg_array_text(&texts, "");
	pg_array_text(&texts, "say \"NULL\" \\ twice");
	pg_array_end(&texts);
	assert_string_equal(texts.text, "{\"a,b}\",\"\",\"say \\\"NULL\\\" \\\\ twice\"}");
	pg_array_end(&empty);
	assert_string_equal(empty.text, "{}");
	str_done(&numbers);
	str_done(&texts);
	str_done(&empty);
}

static void what_libpq_does_not_understand_is_said_in_one_line(void **state)
{
	char why[64] = "";

	(void)state;
	assert_int_equal(pg_check("host=/tmp dbname=x", why, sizeof(why)), 0);
	assert_int_equal(pg_check("postgresql://u@[::1]:5433/x?sslmode=require", why, sizeof(why)),
			 0);
	assert_string_equal(why, "");
	assert_int_equal(pg_check("hots=/tmp", why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "hots"));
	assert_null(strchr(why, '\n'));
	assert_int_equal(pg_check("host=/tmp dbname='open", why, sizeof(why)), -EINVAL);
	assert_true(why[0] && strlen(why) < sizeof(why));
}

static void a_server_that_is_not_there_is_an_error_at_once(void **state)
{
	struct pg *pg = create();
	mono_ms began = clock_now();

	(void)state;
	assert_int_equal(pg_connect(pg, clock_now() + 5000), -EIO);
	assert_true(clock_now() - began < 1000);
	assert_non_null(strstr(pg_error(pg), folder));
	assert_false(pg_connected(pg));
	assert_int_equal(pg_fd(pg), -1);
	assert_false(pg_notified(pg));
	pg_destroy(pg);
}

static void without_a_connection_a_statement_fails(void **state)
{
	struct pg *pg = create();
	struct pg_rows *rows = NULL;

	(void)state;
	assert_int_equal(pg_exec(pg, "SELECT 1", NULL, 0, clock_now() + 1000, &rows), -EIO);
	assert_string_equal(pg_error(pg), "not connected");
	assert_int_equal(pg_script(pg, "SELECT 1", clock_now() + 1000), -EIO);
	assert_null(rows);
	pg_drop(pg);
	assert_null(pg_destroy(pg));
	assert_null(pg_destroy(NULL));
}

static void a_password_file_that_cannot_be_read_is_named(void **state)
{
	char path[64];
	struct pg *pg;

	(void)state;
	snprintf(path, sizeof(path), "%s/password", folder);
	assert_int_equal(pg_create(&pg, conninfo, path), 0);
	assert_int_equal(pg_connect(pg, clock_now() + 1000), -EIO);
	assert_non_null(strstr(pg_error(pg), path));
	assert_non_null(strstr(pg_error(pg), strerror(ENOENT)));
	pg_destroy(pg);
}

static void a_server_that_says_nothing_is_waited_for_no_longer_than_asked(void **state)
{
	struct pg *pg = create();
	mono_ms began = clock_now();

	(void)state;
	fake_start();
	assert_int_equal(pg_connect(pg, clock_now() + SHORTLY), -EIO);
	assert_in_range(clock_now() - began, SHORTLY, 10 * SHORTLY);
	assert_string_equal(pg_error(pg), "no answer from the server in time");
	assert_false(pg_connected(pg));
	fake_stop();
	pg_destroy(pg);
}

static void a_deadline_that_is_over_waits_for_nothing(void **state)
{
	struct pg *pg = create();

	(void)state;
	fake_start();
	assert_int_equal(pg_connect(pg, clock_now() - 1), -EIO);
	assert_string_equal(pg_error(pg), "no answer from the server in time");
	fake_stop();
	pg_destroy(pg);
}

static void an_answer_that_does_not_come_ends_the_connection(void **state)
{
	struct pg *pg = create();
	struct pg_rows *rows = NULL;

	(void)state;
	fake.first = WELCOME;
	fake.first_length = sizeof(WELCOME) - 1;
	fake_start();
	assert_int_equal(pg_connect(pg, clock_now() + 2000), 0);
	assert_true(pg_connected(pg) && pg_fd(pg) >= 0);
	assert_int_equal(pg_exec(pg, "SELECT 1", NULL, 0, clock_now() + SHORTLY, &rows), -EIO);
	assert_string_equal(pg_error(pg), "no answer from the server in time");
	assert_false(pg_connected(pg));
	assert_null(rows);
	fake_stop();
	pg_destroy(pg);
}

static void a_server_that_hangs_up_ends_the_connection(void **state)
{
	struct pg *pg = create();

	(void)state;
	fake.first = WELCOME;
	fake.first_length = sizeof(WELCOME) - 1;
	fake.second = "";
	fake.hangs_up = true;
	fake_start();
	assert_int_equal(pg_connect(pg, clock_now() + 2000), 0);
	assert_int_equal(pg_exec(pg, "SELECT 1", NULL, 0, clock_now() + 2000, NULL), -EIO);
	assert_true(pg_error(pg)[0] && !strchr(pg_error(pg), '\n'));
	assert_false(pg_connected(pg));
	fake_stop();
	pg_destroy(pg);
}

static void rubbish_is_no_server(void **state)
{
	static const char rubbish[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	struct pg *pg = create();

	(void)state;
	fake.first = rubbish;
	fake.first_length = sizeof(rubbish) - 1;
	fake.hangs_up = true;
	fake_start();
	assert_int_equal(pg_connect(pg, clock_now() + 2000), -EIO);
	assert_true(pg_error(pg)[0] && !strchr(pg_error(pg), '\n'));
	assert_false(pg_connected(pg));
	fake_stop();
	pg_destroy(pg);
}

static void rubbish_after_a_statement_ends_the_connection(void **state)
{
	/* A row of a length that nothing has. */
	static const char rubbish[] = "D\377\377\377\377\377\377\377\377";
	struct pg *pg = create();
	struct pg_rows *rows = NULL;

	(void)state;
	fake.first = WELCOME;
	fake.first_length = sizeof(WELCOME) - 1;
	fake.second = rubbish;
	fake.second_length = sizeof(rubbish) - 1;
	fake.hangs_up = true;
	fake_start();
	assert_int_equal(pg_connect(pg, clock_now() + 2000), 0);
	assert_int_equal(pg_exec(pg, "SELECT 1", NULL, 0, clock_now() + 2000, &rows), -EIO);
	assert_false(pg_connected(pg));
	assert_null(rows);
	fake_stop();
	pg_destroy(pg);
}

static void a_server_that_ends_while_nothing_is_asked_is_noticed(void **state)
{
	struct pg *pg = create();

	(void)state;
	fake.first = WELCOME;
	fake.first_length = sizeof(WELCOME) - 1;
	fake.hangs_up = true;
	fake_start();
	assert_int_equal(pg_connect(pg, clock_now() + 2000), 0);
	fake_stop();
	assert_true(pg_notified(pg)); /* look: something has happened */
	assert_false(pg_connected(pg));
	pg_destroy(pg);
}

#define LINK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LINK(arrays_are_what_the_server_reads_as_one),
		LINK(what_libpq_does_not_understand_is_said_in_one_line),
		LINK(a_server_that_is_not_there_is_an_error_at_once),
		LINK(without_a_connection_a_statement_fails),
		LINK(a_password_file_that_cannot_be_read_is_named),
		LINK(a_server_that_says_nothing_is_waited_for_no_longer_than_asked),
		LINK(a_deadline_that_is_over_waits_for_nothing),
		LINK(an_answer_that_does_not_come_ends_the_connection),
		LINK(a_server_that_hangs_up_ends_the_connection),
		LINK(rubbish_is_no_server),
		LINK(rubbish_after_a_statement_ends_the_connection),
		LINK(a_server_that_ends_while_nothing_is_asked_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
