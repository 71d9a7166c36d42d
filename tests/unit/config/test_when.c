/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#define TRUNKS     "trunks: [ { name: a, uris: sip:a }, { name: b, uris: sip:b } ]\n"
#define RULE(when) BASE TRUNKS "services: { s: [ { when: { " when " }, do: loop } ] }\n"

static void every_condition_is_read(void **state)
{
	struct config *config =
		expect_config(RULE("number: +4799*, route_type: [loop, ingress], "
				   "time: [ \"Mon 08:00-09:00\", Tue ], holiday: false, "
				   "header: [ X-A, { name: X-B, matches: \"7*\", "
				   "case_sensitive: true } ], trunk: b, load: 80"));
	const struct config_rule *rule = &config->services[1].rules[0];

	(void)state;
	assert_int_equal(rule->directions, 7);
	assert_int_equal(rule->number_count, 1);
	assert_int_equal(rule->numbers[0].kind, PATTERN_PREFIX);
	assert_int_equal(rule->route_types, 1 << ROUTE_TYPE_LOOP | 1 << ROUTE_TYPE_INGRESS);
	assert_int_equal(rule->window_count, 2);
	assert_string_equal(rule->windows[1].text, "Tue");
	assert_int_equal(rule->holiday, HOLIDAY_NEVER);
	assert_int_equal(rule->header_count, 2);
	assert_string_equal(rule->headers[0].name, "X-A");
	assert_null(rule->headers[0].matches);
	assert_string_equal(rule->headers[1].matches, "7*");
	assert_true(rule->headers[1].case_sensitive);
	assert_int_equal(rule->trunk_count, 1);
	assert_int_equal(rule->trunks[0], 1);
	assert_int_equal(rule->load, 80);
	config_destroy(config);
}

static void a_rule_without_conditions_asks_nothing(void **state)
{
	struct config *config = expect_config(RULE(""));
	const struct config_rule *rule = &config->services[1].rules[0];

	(void)state;
	assert_int_equal(rule->directions, 7);
	assert_int_equal(rule->route_types, 0);
	assert_int_equal(rule->holiday, HOLIDAY_ANY);
	assert_int_equal(rule->window_count + rule->header_count + rule->trunk_count +
				 rule->number_count + rule->load,
			 0);
	config_destroy(config);
}

static void headers_that_rules_look_at_are_known_once_each(void **state)
{
	struct config *config = expect_config(RULE("header: [ X-A, x-a, { name: X-B } ]"));

	(void)state;
	assert_int_equal(config->watched_header_count, 2);
	assert_string_equal(config->watched_headers[0], "X-A");
	assert_string_equal(config->watched_headers[1], "X-B");
	config_destroy(config);
}

static void mistakes_say_what_to_write(void **state)
{
	(void)state;
	expect(RULE("holiday: perhaps, route_type: lop, load: 101, trunk: c"),
	       ERROR(6, 37,
		     "`when.holiday`: `perhaps` is not known here. Known: false, true, no, "
		     "yes, off, on")
		       ERROR(6, 58,
			     "`when.route_type`: `lop` is not known here. Did you mean `loop`?")
			       ERROR(6, 69, "`when.load`: `101` is out of range. Write 1 to 100")
				       ERROR(6, 81, "no trunk is called `c`. Known: a, b"));
	expect(RULE("header: { matches: x }"),
	       ERROR(6, 36, "`when.header.name` is missing: the header's name"));
	expect(RULE("header: From"),
	       ERROR(6, 36,
		     "`when.header`: From belongs to one dialog and is not looked at. Use "
		     "`caller` or `called`"));
	expect(RULE("header: [ [ X ] ]"),
	       ERROR(6, 38,
		     "`when.header` must be a name or `{ name: X-Account, matches: \"7*\" }`"));
	expect(RULE("direction: [], time: []"),
	       ERROR(6, 39,
		     "`when.direction` is an empty list. Leave the key out to match every call")
		       ERROR(6, 49,
			     "`when.time` is an empty list. Leave the key out to match every "
			     "call"));
	expect(RULE("direction: { mo: 1 }"),
	       ERROR(6, 39, "`when.direction` must be mo, mt or unknown, or a list of them"));
}

static bool matches(const char *pattern, const char *value)
{
	return config_header_matches(
		&(struct config_header){ .name = (char *)"X", .matches = (char *)pattern }, value);
}

static void a_header_is_compared_whole_with_stars_for_the_rest(void **state)
{
	(void)state;
	assert_true(matches(NULL, ""));
	assert_true(matches("gold", "Gold"));
	assert_false(matches("gold", "golden"));
	assert_true(matches("gold*", "golden"));
	assert_true(matches("*en", "golden"));
	assert_true(matches("*ld*", "golden"));
	assert_true(matches("g?ld", "gild"));
	assert_false(matches("g?ld", "gld"));
	assert_true(matches("*", ""));
	assert_false(matches("?", ""));
	assert_true(matches("*a*b*c", "xxaxxbxxbxxc"));
	assert_false(matches("*a*b*c", "xxbxxaxxc"));
	assert_false(config_header_matches(&(struct config_header){ .name = (char *)"X",
								    .matches = (char *)"gold",
								    .case_sensitive = true },
					   "Gold"));
}

/* The worst a value can do: every star nearly matches everywhere. */
static void a_hostile_value_costs_a_bounded_time(void **state)
{
	static char value[100001], pattern[129];

	(void)state;
	memset(value, 'a', sizeof(value) - 1);
	memset(pattern, 'a', sizeof(pattern) - 1);
	for (size_t i = 0; i < sizeof(pattern) - 1; i += 2)
		pattern[i] = '*';
	pattern[sizeof(pattern) - 2] = 'b';
	for (unsigned i = 0; i < 1000; i++)
		assert_false(matches(pattern, value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(every_condition_is_read),
		IN_FOLDER(a_rule_without_conditions_asks_nothing),
		IN_FOLDER(headers_that_rules_look_at_are_known_once_each),
		IN_FOLDER(mistakes_say_what_to_write),
		IN_FOLDER(a_header_is_compared_whole_with_stars_for_the_rest),
		IN_FOLDER(a_hostile_value_costs_a_bounded_time),
	};

	return cmocka_run_group_tests_name("config/when", tests, NULL, NULL);
}
