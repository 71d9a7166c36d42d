/* SPDX-License-Identifier: Apache-2.0 */
/* test_log_levels.c - what an operator asks of the log's levels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "tas/admin/log_levels.h"

static void quiet(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)level;
	(void)area;
	(void)line;
	(void)arg;
}

static int setup(void **state)
{
	(void)state;
	clock_fake_set(1000);
	log_set_sink(quiet, NULL);
	log_set_level(LOG_LEVEL_INFO);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_override_end(NULL);
	log_override_end("sip");
	log_set_sink(NULL, NULL);
	clock_real();
	return 0;
}

static void assert_levels(const char *request, const char *wanted)
{
	json_t *answer = log_levels_answer(request);
	char *text = json_dumps(answer, JSON_COMPACT);

	assert_string_equal(text, wanted);
	free(text);
	json_decref(answer);
}

static void assert_refused(const char *request, const char *word)
{
	json_t *answer = log_levels_answer(request);
	const char *error = json_string_value(json_object_get(answer, "error"));

	assert_non_null(error);
	assert_non_null(strstr(error, word));
	json_decref(answer);
	assert_levels("", "{\"log\":[{\"area\":\"*\",\"level\":\"info\",\"left_s\":0}]}");
}

static void levels_are_changed_for_a_while(void **state)
{
	(void)state;
	assert_levels("sip=debug for 10m",
		      "{\"log\":[{\"area\":\"*\",\"level\":\"info\",\"left_s\":0},"
		      "{\"area\":\"sip\",\"level\":\"debug\",\"left_s\":600}]}");
	assert_levels("error for 90s",
		      "{\"log\":[{\"area\":\"*\",\"level\":\"error\",\"left_s\":90},"
		      "{\"area\":\"sip\",\"level\":\"debug\",\"left_s\":600}]}");
	clock_fake_advance(90000);
	assert_levels("", "{\"log\":[{\"area\":\"*\",\"level\":\"info\",\"left_s\":0},"
			  "{\"area\":\"sip\",\"level\":\"debug\",\"left_s\":510}]}");
	clock_fake_advance(510000);
	assert_levels("", "{\"log\":[{\"area\":\"*\",\"level\":\"info\",\"left_s\":0}]}");
}

static void a_level_for_good_goes_with_default(void **state)
{
	(void)state;
	assert_levels("notice", "{\"log\":[{\"area\":\"*\",\"level\":\"notice\",\"left_s\":0}]}");
	assert_levels("sip=error", "{\"log\":[{\"area\":\"*\",\"level\":\"notice\",\"left_s\":0},"
				   "{\"area\":\"sip\",\"level\":\"error\",\"left_s\":0}]}");
	assert_levels("default", "{\"log\":[{\"area\":\"*\",\"level\":\"info\",\"left_s\":0},"
				 "{\"area\":\"sip\",\"level\":\"error\",\"left_s\":0}]}");
	assert_levels("sip=default",
		      "{\"log\":[{\"area\":\"*\",\"level\":\"info\",\"left_s\":0}]}");
}

static void rubbish_changes_nothing(void **state)
{
	(void)state;
	assert_refused("loud", "no level");
	assert_refused("sip=", "no level");
	assert_refused("=debug", "no area");
	assert_refused("Sip\x1b=debug", "no area");
	assert_refused("averylongnameofanarea=debug", "no area");
	assert_refused("sip=debug for", "for TIME");
	assert_refused("sip=debug in 10m", "for TIME");
	assert_refused("sip=debug for 10m more", "for TIME");
	assert_refused("debug for 10", "no time");
	assert_refused("debug for -5m", "no time");
	assert_refused("debug for 25h", "no time");
	assert_refused("debug for 0s", "no time");
	assert_refused("debug for 99999999999h", "no time");
	assert_refused("default for 10m", "no level");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(levels_are_changed_for_a_while),
		T(a_level_for_good_goes_with_default),
		T(rubbish_changes_nothing),
	};
	return cmocka_run_group_tests_name("log_levels", tests, NULL, NULL);
}
