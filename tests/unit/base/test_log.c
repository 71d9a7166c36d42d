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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_out.h"

static struct {
	enum log_level level;
	char area[32], line[4096], previous[4096];
	int count;
} seen;

static void sink(enum log_level level, const char *area, const char *line, void *arg)
{
	assert_ptr_equal(arg, &seen);
	seen.level = level;
	seen.count++;
	(void)snprintf(seen.area, sizeof(seen.area), "%s", area);
	memcpy(seen.previous, seen.line, sizeof(seen.previous));
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

/* ---- numbers ---- */

static void no_number_is_written_whole_from_info_upward(void **state)
{
	static const char *const before[] = { " +",    ",+",   "<sip:+", "tel:+", "\"%2B",
					      "sips:", "sip:", "tel:",   "=+",    "x+" };
	unsigned seed = 11;

	(void)state;
	log_set_level(LOG_LEVEL_DEBUG);
	for (unsigned round = 0; round < 5000; round++) {
		const char *prefix = before[round % ARRAY_SIZE(before)];
		size_t digits = 7 + round / 7 % 9;
		char number[24] = "";

		for (size_t i = 0; i < digits; i++) {
			seed = seed * 1103515245u + 12345u;
			number[i] = (char)('0' + (seed >> 16) % 10);
		}
		for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
			log_write((enum log_level)level, "call", "a=%s%s@h %s%s;x b=1", prefix,
				  number, prefix, number);
			if (level == LOG_LEVEL_DEBUG)
				assert_non_null(strstr(seen.line, number));
			else
				assert_null(strstr(seen.line, number));
			assert_non_null(strstr(seen.line, ";x b=1"));
		}
	}
}

static void what_is_no_number_stays(void **state)
{
	(void)state;
	log_info("call",
		 "q=+1 n=+4799000012, m=+123456 to=112 sip:192.0.2.1 at=1800000000042 sip:");
	assert_string_equal(seen.line, "q=+1 n=+4799***12, m=+123456 to=112 sip:192.0.2.1 "
				       "at=1800000000042 sip:");
	log_info("call", "%s", "sip:+4799000012@h sip:4799000012@h %2B4799000012 tel:+");
	assert_string_equal(seen.line, "sip:+4799***12@h sip:47***12@h %2B4799***12 tel:+");
}

/* ---- levels ---- */

static void an_area_may_have_a_level_of_its_own_for_a_while(void **state)
{
	(void)state;
	clock_fake_set(1000);
	assert_int_equal(log_override("sip", LOG_LEVEL_DEBUG, 600), 0);
	log_debug("sip", "seen");
	assert_int_equal(seen.count, 1);
	log_debug("call", "not");
	assert_int_equal(seen.count, 1);
	clock_fake_advance(599999);
	log_debug("sip", "seen");
	assert_int_equal(seen.count, 2);
	clock_fake_advance(1);
	log_debug("sip", "not");
	assert_int_equal(seen.count, 2);
	assert_false(log_enabled(LOG_LEVEL_DEBUG));
}

static void all_areas_may_be_louder_and_one_quieter(void **state)
{
	(void)state;
	clock_fake_set(1000);
	assert_int_equal(log_override("media", LOG_LEVEL_ERROR, 60), 0);
	assert_int_equal(log_override(NULL, LOG_LEVEL_DEBUG, 10), 0);
	log_info("media", "not");
	log_debug("call", "seen");
	assert_int_equal(seen.count, 1);
	log_set_level(LOG_LEVEL_NOTICE); /* a reload: counts once the while is over */
	log_debug("call", "seen");
	assert_int_equal(seen.count, 2);
	clock_fake_advance(10000);
	log_info("call", "not");
	assert_int_equal(seen.count, 2);
	clock_fake_advance(50000);
	log_notice("media", "seen");
	assert_int_equal(seen.count, 3);
}

static void a_level_needs_an_area_of_bearable_length(void **state)
{
	(void)state;
	assert_int_equal(log_override("this is no area of ours", LOG_LEVEL_DEBUG, 1), -EINVAL);
}

static void another_level_may_be_for_good_and_taken_back(void **state)
{
	(void)state;
	clock_fake_set(1000);
	assert_int_equal(log_override("sip", LOG_LEVEL_DEBUG, 0), 0);
	assert_int_equal(log_override(NULL, LOG_LEVEL_ERROR, 0), 0);
	clock_fake_advance(1000000000);
	log_debug("sip", "seen");
	log_info("call", "not");
	assert_int_equal(seen.count, 1);
	log_override_end("sip");
	log_debug("sip", "not");
	assert_int_equal(seen.count, 1);
	log_override_end(NULL);
	log_info("call", "seen");
	assert_int_equal(seen.count, 2);
	log_override_end("never");
}

/* ---- rates ---- */

static void one_place_writes_so_many_lines_a_second_and_says_how_many_it_did_not(void **state)
{
	(void)state;
	clock_fake_set(5000);
	log_set_rate(3);
	for (int i = 0; i < 10; i++)
		log_info("sip", "peer=%d", i);
	assert_int_equal(seen.count, 3);
	log_tell_suppressed();
	assert_int_equal(seen.count, 3); /* the second is not over */
	log_info("call", "another kind");
	assert_int_equal(seen.count, 4);
	clock_fake_advance(1000);
	log_info("call", "another kind");
	assert_int_equal(seen.count, 6);
	assert_string_equal(seen.previous, "log suppressed=7 like=\"peer=%d\"");
	log_set_rate(0);
	assert_int_equal(seen.count, 6);
}

static void the_summary_comes_without_another_line(void **state)
{
	(void)state;
	clock_fake_set(5000);
	log_set_rate(1);
	for (int i = 0; i < 5; i++)
		log_notice("sip", "other=%d why=\"%s\"", i, "x");
	clock_fake_advance(1000);
	log_tell_suppressed();
	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.line, "log suppressed=4 like=\"other=%d why='%s'\"");
	assert_string_equal(seen.area, "sip");
	assert_int_equal(seen.level, LOG_LEVEL_NOTICE);
	log_tell_suppressed();
	assert_int_equal(seen.count, 2);
	for (int i = 0; i < 2; i++)
		log_notice("sip", "last");
	log_set_rate(0);
	assert_string_equal(seen.line, "log suppressed=1 like=\"last\"");
}

static void errors_are_never_kept_back(void **state)
{
	(void)state;
	clock_fake_set(5000);
	log_set_rate(1);
	for (int i = 0; i < 100; i++)
		log_error("sip", "broken=%d", i);
	assert_int_equal(seen.count, 100);
	log_set_rate(0);
}

/* ---- JSON and journal ---- */

static void a_json_line_has_the_message_and_its_fields(void **state)
{
	char text[1024];
	int length;

	(void)state;
	clock_fake_wall_set(1800000000042);
	length = log_json(text, sizeof(text), LOG_LEVEL_NOTICE, "call",
			  "call=7f3a end step=\"dial pbx\" path=c:\\x a\xff=1 e=\xff");
	text[length] = '\0';
	assert_string_equal(
		text,
		"{\"time\":\"2027-01-15T08:00:00.042Z\",\"level\":\"notice\",\"area\":\"call\","
		"\"message\":\"call=7f3a end step=\\\"dial pbx\\\" path=c:\\\\x a\\ufffd=1 "
		"e=\\ufffd\",\"fields\":{\"call\":\"7f3a\",\"step\":\"dial "
		"pbx\",\"path\":\"c:\\\\x\","
		"\"e\":\"\\ufffd\"}}\n");
}

static void the_journal_gets_fields(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *before = log_journal_path;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char text[1024];
	ssize_t n;

	(void)state;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/breakout-journal-%d",
		       (int)getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	log_journal_path = address.sun_path;
	log_set_format(LOG_JOURNALD);
	log_set_sink(NULL, NULL);
	log_notice("call", "call=7f3a step=\"dial pbx\" pdd_ms=12");
	n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "PRIORITY=5\n"));
	assert_non_null(strstr(text, "\nBREAKOUT_AREA=call\n"
				     "MESSAGE=call call=7f3a step=\"dial pbx\" pdd_ms=12\n"
				     "BREAKOUT_CALL=7f3a\nBREAKOUT_STEP=dial pbx\n"
				     "BREAKOUT_PDD_MS=12\n"));
	(void)close(fd);
	(void)unlink(address.sun_path);
	log_journal_path = before;
	log_set_format(LOG_TEXT);
	log_set_sink(NULL, NULL);
}

static void without_a_journal_its_lines_go_to_stderr(void **state)
{
	const char *before = log_journal_path;
	char text[256];

	(void)state;
	log_journal_path = "/nowhere/at/all";
	log_set_format(LOG_JOURNALD);
	capture(false, text, sizeof(text));
	log_set_format(LOG_TEXT);
	log_journal_path = before;
	assert_non_null(strstr(text, " error  config    file=a\\x0ab\n"));
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
		T(no_number_is_written_whole_from_info_upward),
		T(what_is_no_number_stays),
		T(an_area_may_have_a_level_of_its_own_for_a_while),
		T(all_areas_may_be_louder_and_one_quieter),
		T(a_level_needs_an_area_of_bearable_length),
		T(another_level_may_be_for_good_and_taken_back),
		T(one_place_writes_so_many_lines_a_second_and_says_how_many_it_did_not),
		T(the_summary_comes_without_another_line),
		T(errors_are_never_kept_back),
		T(a_json_line_has_the_message_and_its_fields),
		T(the_journal_gets_fields),
		T(without_a_journal_its_lines_go_to_stderr),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
