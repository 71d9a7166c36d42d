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
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "tas/call/cdr.h"
#include "tas/call/cdr_open.h"
#include "tests/fake/folder.h"
#include "tests/fake/text.h"

static char path[96], kept[128];
static struct str found;

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int setup(void **state)
{
	(void)state;
	assert_int_equal(folder_make(), 0);
	snprintf(path, sizeof(path), "%s/cdr.jsonl", folder);
	snprintf(kept, sizeof(kept), "%s/.cdr.jsonl.open", folder);
	write_file(path, "");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	str_done(&found);
	log_set_sink(NULL, NULL);
	clock_real();
	return folder_remove();
}

static void note(const char *line, void *arg)
{
	(void)arg;
	str_add(&found, line);
}

static void put(struct cdr_open *open, unsigned slot, wall_ms start, wall_ms answer,
		const char *line)
{
	cdr_open_put(open, slot,
		     &(struct cdr_open_call){ .start = start, .answer = answer, .line = line });
}

#define LINE(id) "{\"id\":\"" id "\",\"end\":\x01,\"talk_ms\":\x02,\"duration_ms\":\x03}"

/* Two calls, of which one ends; then the process is no more. */
static void killed_after(const struct timespec *last_beat)
{
	struct cdr_open open;
	struct timespec times[2] = { *last_beat, *last_beat };

	assert_int_equal(cdr_open_create(&open, path, 1), 0);
	put(&open, 0, 1000, 3000, LINE("one"));
	put(&open, 7, 2000, 5000, LINE("known to be two, and later to be"));
	/* More is known of it. */
	cdr_open_put(&open, 7,
		     &(struct cdr_open_call){
			     .start = 2000, .answer = 5000, .line = LINE("two"), .again = true });
	cdr_open_clear(&open, 0);
	assert_int_equal(futimens(open.fd, times), 0);
	cdr_open_leave(&open);
	free(open.path);
}

static void a_killed_process_leaves_the_calls_that_went_on(void **state)
{
	struct cdr_open open;

	(void)state;
	killed_after(&(struct timespec){ .tv_sec = 65, .tv_nsec = 5000000 });
	assert_int_equal(cdr_open_create(&open, path, 1), 0);
	cdr_open_recover(&open, path, note, NULL);
	assert_string_equal(found.text, "{\"id\":\"two\",\"end\":\"1970-01-01T00:01:05.005Z\","
					"\"talk_ms\":60005,\"duration_ms\":63005}\n");
	cdr_open_forget(&open);
	str_done(&found);
	cdr_open_recover(&open, path, note, NULL);
	assert_null(found.text);
	cdr_open_destroy(&open);
	assert_int_equal(access(kept, F_OK), -1);
}

static void a_record_that_was_written_before_the_kill_is_not_written_again(void **state)
{
	struct cdr_open open;

	(void)state;
	killed_after(&(struct timespec){ .tv_sec = 65 });
	write_file(path, "{\"schema\":1,\"id\":\"two\",\"talk_ms\":1}\n");
	assert_int_equal(cdr_open_create(&open, path, 1), 0);
	cdr_open_recover(&open, path, note, NULL);
	assert_null(found.text);
	cdr_open_destroy(&open);
}

static void torn_and_strange_slots_are_passed_over(void **state)
{
	struct cdr_open open;
	char torn[] = "1 2 {\"id\":\"x\",\"en";

	(void)state;
	write_file(kept, torn);
	assert_int_equal(cdr_open_create(&open, path, 1), 0);
	cdr_open_recover(&open, path, note, NULL);
	write_file(kept, "nothing of ours\n");
	cdr_open_recover(&open, path, note, NULL);
	assert_null(found.text);
	cdr_open_destroy(&open);
}

static void one_process_at_a_time(void **state)
{
	struct cdr_open first, second;

	(void)state;
	assert_int_equal(cdr_open_create(&first, path, 1), 0);
	assert_int_equal(cdr_open_create(&second, path, 1), -EBUSY);
	put(&second, 0, 1, 1, LINE("none"));
	cdr_open_clear(&second, 0);
	cdr_open_destroy(&second);
	assert_int_equal(access(kept, F_OK), 0);
	cdr_open_destroy(&first);
}

static void the_file_is_touched_every_ten_seconds_while_a_call_goes_on(void **state)
{
	const struct timespec long_ago[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct cdr_open open;
	struct stat st;

	(void)state;
	assert_int_equal(cdr_open_create(&open, path, 1), 0);
	assert_int_equal(cdr_open_beat(&open, 0), -1);
	put(&open, 0, 1, 1, LINE("one"));
	assert_int_equal(cdr_open_beat(&open, 50000), CDR_OPEN_BEAT_MS);
	assert_int_equal(futimens(open.fd, long_ago), 0);
	assert_int_equal(cdr_open_beat(&open, 59999), 1);
	assert_int_equal(fstat(open.fd, &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1);
	assert_int_equal(cdr_open_beat(&open, 60000), CDR_OPEN_BEAT_MS);
	assert_int_equal(fstat(open.fd, &st), 0);
	assert_true(st.st_mtim.tv_sec > 1);
	cdr_open_clear(&open, 0);
	cdr_open_destroy(&open);
}

static void what_is_no_file_keeps_nothing(void **state)
{
	struct cdr_open open;

	(void)state;
	assert_int_equal(cdr_open_create(&open, "/dev/null", 1), 0);
	assert_int_equal(open.fd, -1);
	cdr_open_destroy(&open);
}

static void ignore(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)level;
	(void)area;
	(void)line;
	(void)arg;
}

/* The whole way: what one writer leaves, the next one writes. */
static void the_next_writer_writes_them_first(void **state)
{
	struct cdr_writer *writer = NULL;
	char text[512] = "";

	(void)state;
	log_set_sink(ignore, NULL);
	killed_after(&(struct timespec){ .tv_sec = 65 });
	assert_int_equal(cdr_writer_create(&writer, path, NULL), 0);
	for (int i = 0; i < 3; i++) {
		unsigned slot = cdr_answered(writer, 1, 1, LINE("next"), 0);

		assert_int_equal(slot, 1); /* given back each time */
		assert_int_equal(cdr_answered(writer, 1, 1, LINE("next"), slot), slot);
		cdr_write(writer, "{\"id\":\"next\"}", slot);
	}
	cdr_writer_destroy(writer);
	text_read(path, text, sizeof(text));
	assert_string_equal(text, "{\"id\":\"two\",\"end\":\"1970-01-01T00:01:05.000Z\","
				  "\"talk_ms\":60000,\"duration_ms\":63000}\n"
				  "{\"id\":\"next\"}\n{\"id\":\"next\"}\n{\"id\":\"next\"}\n");
	assert_int_equal(access(kept, F_OK), -1);
}

/* Two daemons for a while: each keeps its own calls, and what is left is taken up. */
static void a_writer_beside_another_has_a_file_of_its_own(void **state)
{
	struct cdr_open first, third;
	struct cdr_writer *writer = NULL;
	char second[sizeof(kept) + 1], text[512] = "";

	(void)state;
	log_set_sink(ignore, NULL);
	(void)snprintf(second, sizeof(second), "%s2", kept);
	assert_int_equal(cdr_open_create(&first, path, 1), 0);
	assert_int_equal(cdr_writer_create_beside(&writer, path, NULL), 0);
	assert_int_equal(access(second, F_OK), 0);
	assert_true(cdr_open_is_there(path, 2));
	assert_int_equal(cdr_open_create(&third, path, 2), -EBUSY);
	cdr_writer_destroy(writer);
	assert_int_equal(access(second, F_OK), -1);
	assert_int_equal(access(kept, F_OK), 0);
	cdr_open_destroy(&first);

	/* The first has ended; two that came after it go on. */
	assert_int_equal(cdr_open_create(&first, path, 2), 0);
	assert_int_equal(cdr_open_create(&third, path, 3), 0);
	assert_int_equal(cdr_writer_create_beside(&writer, path, NULL), 0);
	assert_int_equal(access(kept, F_OK), 0);
	cdr_writer_destroy(writer);
	cdr_open_destroy(&first);
	cdr_open_destroy(&third);

	killed_after(&(struct timespec){ .tv_sec = 65 });
	assert_int_equal(rename(kept, second), 0);
	assert_int_equal(cdr_writer_create(&writer, path, NULL), 0);
	cdr_writer_destroy(writer);
	text_read(path, text, sizeof(text));
	assert_non_null(strstr(text, "\"id\":\"two\""));
	assert_int_equal(access(second, F_OK), -1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_killed_process_leaves_the_calls_that_went_on),
		T(a_record_that_was_written_before_the_kill_is_not_written_again),
		T(torn_and_strange_slots_are_passed_over),
		T(one_process_at_a_time),
		T(the_file_is_touched_every_ten_seconds_while_a_call_goes_on),
		T(what_is_no_file_keeps_nothing),
		T(the_next_writer_writes_them_first),
		T(a_writer_beside_another_has_a_file_of_its_own),
	};

	return cmocka_run_group_tests_name("tas/call/cdr_open", tests, NULL, NULL);
}
