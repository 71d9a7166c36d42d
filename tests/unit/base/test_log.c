/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static struct {
	enum log_level level;
	char area[32], line[4096];
	int count;
} seen;

static void sink(enum log_level level, const char *area, const char *line, void *arg)
{
	assert_ptr_equal(arg, &seen);
	seen.level = level;
	seen.count++;
	(void)snprintf(seen.area, sizeof(seen.area), "%s", area);
	(void)snprintf(seen.line, sizeof(seen.line), "%s", line);
}

static int setup(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	log_set_level(LOG_LEVEL_INFO);
	log_set_sink(sink, &seen);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_set_sink(NULL, NULL);
	log_set_level(LOG_LEVEL_INFO);
	clock_real();
	return 0;
}

static void the_sink_gets_level_area_and_line(void **state)
{
	(void)state;
	errno = ENOENT;
	log_notice("call", "call=%s %d", "7f3a", 5);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(seen.level, LOG_LEVEL_NOTICE);
	assert_string_equal(seen.area, "call");
	assert_string_equal(seen.line, "call=7f3a 5");
}

static void lines_below_the_level_are_dropped(void **state)
{
	(void)state;
	log_debug("x", "dropped");
	assert_int_equal(seen.count, 0);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("x", "kept");
	assert_int_equal(seen.count, 1);
	log_set_level(LOG_LEVEL_ERROR);
	log_notice("x", "dropped");
	assert_int_equal(seen.count, 1);
}

static void control_characters_cannot_forge_a_line(void **state)
{
	(void)state;
	log_info("sip", "from=%s", "a\r\nerror sip forged\x1b[2J\x7f\t\xc2\x9b bl\xc3\xa5");
	assert_string_equal(seen.line,
			    "from=a\\x0d\\x0aerror sip forged\\x1b[2J\\x7f\\x09\\xc2\\x9b"
			    " bl\xc3\xa5");
}

static void a_long_line_is_cut_and_says_so(void **state)
{
	char text[5000];
	size_t length;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_info("sip", "%s", text);
	length = strlen(seen.line);
	assert_true(length > 1000 && length < 2048);
	assert_string_equal(seen.line + length - 3, "...");
	memset(text, '\n', 1500);
	text[1500] = '\0';
	log_info("sip", "%s", text);
	length = strlen(seen.line);
	assert_true(length < 2048);
	assert_string_equal(seen.line + length - 3, "...");
}

static void level_names_parse_back(void **state)
{
	enum log_level level;

	(void)state;
	for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
		assert_int_equal(log_level_parse(log_level_name((enum log_level)i), &level), 0);
		assert_int_equal(level, i);
	}
	level = LOG_LEVEL_DEBUG;
	assert_int_equal(log_level_parse("loud", &level), -EINVAL);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
}

/* Runs log_error() with stderr in a file; returns what was written. */
static void capture(bool journal, char *ret_text, size_t room)
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	char stream[64];
	struct stat st;
	size_t length;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &st), 0);
	(void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
		       (uintmax_t)st.st_ino + (journal ? 0 : 1));
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
	log_set_sink(NULL, NULL);
	log_error("config", "file=%s", "a\nb");
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	(void)close(saved);
	rewind(file);
	length = fread(ret_text, 1, room - 1, file);
	ret_text[length] = '\0';
	(void)fclose(file);
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
}

static void the_journal_gets_a_syslog_prefix(void **state)
{
	char text[256];

	(void)state;
	capture(true, text, sizeof(text));
	assert_string_equal(text, "<3>config file=a\\x0ab\n");
}

static void a_terminal_gets_the_time_of_day(void **state)
{
	char text[256];

	(void)state;
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	clock_fake_wall_set(((12 * 60 + 34) * 60 + 56) * 1000 + 7);
	capture(false, text, sizeof(text));
	assert_string_equal(text, "12:34:56.007 error  config    file=a\\x0ab\n");
}

static void a_limit_lets_a_burst_pass_and_counts_the_rest(void **state)
{
	struct log_limit limit = { 0 };
	unsigned suppressed = 99;

	(void)state;
	clock_fake_set(100000);
	for (int i = 0; i < 3; i++) {
		assert_true(log_limit_pass(&limit, 3, 1000, &suppressed));
		assert_int_equal(suppressed, 0);
	}
	for (int i = 0; i < 5; i++)
		assert_false(log_limit_pass(&limit, 3, 1000, &suppressed));
	clock_fake_advance(999);
	assert_false(log_limit_pass(&limit, 3, 1000, &suppressed));
	clock_fake_advance(1);
	assert_true(log_limit_pass(&limit, 3, 1000, &suppressed));
	assert_int_equal(suppressed, 6);
	assert_true(log_limit_pass(&limit, 3, 1000, &suppressed));
	assert_int_equal(suppressed, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_sink_gets_level_area_and_line),
		T(lines_below_the_level_are_dropped),
		T(control_characters_cannot_forge_a_line),
		T(a_long_line_is_cut_and_says_so),
		T(level_names_parse_back),
		T(the_journal_gets_a_syslog_prefix),
		T(a_terminal_gets_the_time_of_day),
		T(a_limit_lets_a_burst_pass_and_counts_the_rest),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
