/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

static char findings[4096];

/* Loads BASE with these; NULL-ended lists. */
static struct config *load_with(const char *yaml, const char *const *given,
				const char *const *environment)
{
	struct config *config = NULL;
	struct str errors = { 0 };
	char path[160];
	struct config_sources sources = { .path = path,
					  .given = given,
					  .environment = (char *const *)environment };
	int err;

	put("breakout.yaml", yaml);
	(void)snprintf(path, sizeof(path), "%s/breakout.yaml", folder);
	while (given && given[sources.given_count])
		sources.given_count++;
	err = config_load_from(&sources, &config, &errors);
	(void)snprintf(findings, sizeof(findings), "%s", errors.text ? errors.text : "");
	str_done(&errors);
	assert_true(err ? !config : !!config);
	return config;
}

#define LIST(...)                                                                                  \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static void the_command_line_goes_before_the_environment_and_that_before_files(void **state)
{
	const char *const environment[] = { "PATH=/bin", "BREAKOUT_LIMITS_CALLS=200",
					    "BREAKOUT_LIMITS_DURATION=2h", NULL };
	struct config *config =
		load_with(BASE "limits: { calls: 100, duration: 1h, calls_per_number: 3 }\n",
			  LIST("limits.calls=300"), environment);

	(void)state;
	assert_string_equal(findings, "");
	assert_non_null(config);
	assert_int_equal(config->max_calls, 300);
	assert_int_equal(config->max_call_s, 7200);
	assert_int_equal(config->max_calls_per_number, 3);
	config_destroy(config);
}

static void a_mapping_that_no_file_has_comes_into_being(void **state)
{
	struct config *config =
		load_with(BASE "log:\n", LIST("log.level=debug", "trace.hep.id=7"), NULL);

	(void)state;
	assert_string_equal(findings, "");
	assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(config->trace.hep_id, 7);
	config_destroy(config);
}

static void a_value_is_yaml(void **state)
{
	struct config *config = load_with(
		BASE, LIST("emergency=[112, 999]", "sip.listen=tls://[::]:5061", "limits.calls="),
		NULL);

	(void)state;
	assert_string_equal(findings, "");
	assert_int_equal(config->emergency_count, 2);
	assert_int_equal(config->sip.listen[0].port, 5061);
	assert_int_equal(config->max_calls, 10000); /* nothing after a key: its default */
	config_destroy(config);
	assert_null(load_with(BASE, LIST("emergency=[112"), NULL));
	assert_non_null(
		strstr(findings, "command line --set emergency:2:1: error: not valid YAML"));
}

static void every_source_is_read_before_anything_is_said(void **state)
{
	const char *const environment[] = { "BREAKOUT_CORE_API_DEADLINE=fast", NULL };

	(void)state;
	assert_null(load_with(BASE "limits: { calls: many }\n",
			      LIST("core.api.max_rat=7", "stop.drain=1w", "log=info",
				   "trunks.pbx.media=rtp", "sip.t1"),
			      environment));
	assert_non_null(strstr(findings, "breakout.yaml:5:18: error: `limits.calls`"));
	assert_non_null(strstr(findings, "environment BREAKOUT_CORE_API_DEADLINE:1:1: error: "
					 "`core.api.deadline`: `fast` is not a duration"));
	assert_non_null(strstr(findings, "command line --set core.api.max_rat:1:1: error: unknown "
					 "key `max_rat` in `core.api`. Did you mean `max_rate`?"));
	assert_non_null(strstr(findings, "command line --set stop.drain:1:1: error: "));
	assert_non_null(strstr(findings, "command line --set log:1:1: error: `log` is a mapping. "
					 "Name one of its keys, such as `log.level`"));
	assert_non_null(strstr(findings, "--set trunks.pbx.media:1:1: error: `trunks` can only be "
					 "set as a whole"));
	assert_non_null(strstr(findings, "--set sip.t1:1:1: error: no value follows"));
}

static void a_variable_that_looks_like_a_key_is_warned_of(void **state)
{
	const char *const environment[] = { "BREAKOUT_LIMITS_CALL=5",
					    "BREAKOUT_SERVICE_HOST=10.0.0.1", "BREAKOUT_BIN=/x",
					    NULL };
	struct config *config = load_with(BASE, NULL, environment);

	(void)state;
	assert_non_null(config);
	assert_string_equal(findings, "environment BREAKOUT_LIMITS_CALL:1:1: warning: no key has "
				      "this name, so it counts for nothing. Did you mean "
				      "BREAKOUT_LIMITS_CALLS?\n");
	config_destroy(config);
}

static void without_other_sources_the_file_is_all(void **state)
{
	struct config *config = load_with(BASE, NULL, NULL);

	(void)state;
	assert_string_equal(findings, "");
	assert_int_equal(config->max_calls, 10000);
	config_destroy(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(the_command_line_goes_before_the_environment_and_that_before_files),
		IN_FOLDER(a_mapping_that_no_file_has_comes_into_being),
		IN_FOLDER(a_value_is_yaml),
		IN_FOLDER(every_source_is_read_before_anything_is_said),
		IN_FOLDER(a_variable_that_looks_like_a_key_is_warned_of),
		IN_FOLDER(without_other_sources_the_file_is_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
