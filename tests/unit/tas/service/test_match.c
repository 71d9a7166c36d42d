/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/service_rig.h"

/* What was thought aloud, one line a thought. */
static char thoughts[4096];

static void overhear(const struct service_thought *thought, void *arg)
{
	size_t used = strlen(thoughts);

	(void)arg;
	if (thought->note)
		return;
	if (thought->condition)
		(void)snprintf(thoughts + used, sizeof(thoughts) - used, "%zu %s %s: %s; %s\n",
			       thought->rule, thought->condition, thought->holds ? "yes" : "no",
			       thought->is, thought->wanted);
	else
		(void)snprintf(thoughts + used, sizeof(thoughts) - used, "%zu %s\n", thought->rule,
			       thought->holds ? "taken" : "refused");
}

/* The call to +4799000001 (office) at this moment; office has one rule. */
static const char *think(struct service_rig *rig, const struct config_rule *rule,
			 const struct service_rehearsal *moment)
{
	struct service_rehearsal rehearsal = *moment;

	rehearsal.trace = overhear;
	thoughts[0] = '\0';
	rig_services[RIG_OFFICE].rules = (struct config_rule *)rule;
	rig_services[RIG_OFFICE].rule_count = 1;
	(void)rig_decide(rig, "+014799000001", "+4712345678");
	call_plan_free(rig->plan);
	rig->plan = service_rehearse(rig->room, &rig->info, &rehearsal);
	assert_non_null(rig->plan);
	rig_services[RIG_OFFICE].rules = rig_office_rules;
	rig_services[RIG_OFFICE].rule_count = 2;
	return thoughts;
}

#define RULE(...) (&(struct config_rule){ .actions = rig_refuse, .action_count = 1, __VA_ARGS__ })
#define EVERY     .directions = 7
#define NOW       (&(struct service_rehearsal){ 0 })

static void a_rule_without_conditions_is_taken_without_a_question(void **state)
{
	assert_string_equal(think(*state, RULE(EVERY, .load = 0), NOW), "1 taken\n");
}

static void the_first_condition_that_fails_refuses(void **state)
{
	struct config_pattern swedes = { .kind = PATTERN_PREFIX, .from = TEXT("+46") };

	assert_string_equal(think(*state, RULE(.directions = DIRECTION_MO, .load = 5), NOW),
			    "1 direction no: mt; mo\n1 refused\n");
	assert_string_equal(think(*state,
				  RULE(.directions = DIRECTION_MT | DIRECTION_UNKNOWN,
				       .callers = &swedes, .caller_count = 1),
				  NOW),
			    "1 direction yes: mt; mt, unknown\n"
			    "1 caller no: +4712345678; +46*\n1 refused\n");
}

static void numbers_are_compared_in_three_places(void **state)
{
	struct config_pattern mine = { .kind = PATTERN_RANGE,
				       .from = TEXT("+4799000000"),
				       .to = TEXT("+4799000009") };
	uint64_t none;
	struct config_numbers empty = { .path = TEXT("blocked.csv"), .keys = &none };
	struct config_pattern blocked = { .kind = PATTERN_LIST, .list = &empty };
	struct config_pattern hidden[] = { { .kind = PATTERN_ANONYMOUS }, blocked };
	struct service_rig *rig = *state;

	assert_string_equal(think(rig,
				  RULE(EVERY, .numbers = &mine, .number_count = 1, .called = &mine,
				       .called_count = 1),
				  NOW),
			    "1 number yes: +4799000001; +4799000000-+4799000009\n"
			    "1 called yes: +4799000001; +4799000000-+4799000009\n1 taken\n");
	assert_string_equal(think(rig, RULE(EVERY, .callers = &blocked, .caller_count = 1), NOW),
			    "1 caller no: +4712345678; 0 numbers of blocked.csv\n1 refused\n");
	rig_header(rig, "Privacy", "id");
	assert_string_equal(think(rig, RULE(EVERY, .callers = hidden, .caller_count = 2), NOW),
			    "1 caller yes: +4712345678, anonymous; anonymous, 0 numbers of "
			    "blocked.csv\n1 taken\n");
}

static void the_way_a_number_is_registered_counts(void **state)
{
	assert_string_equal(think(*state, RULE(EVERY, .route_types = 1 << ROUTE_TYPE_LOOP_MO), NOW),
			    "1 route_type no: loop; loop_mo\n1 refused\n");
	assert_string_equal(think(*state, RULE(EVERY, .route_types = 1 << ROUTE_TYPE_LOOP), NOW),
			    "1 route_type yes: loop; loop\n1 taken\n");
}

static void any_header_of_the_list_will_do(void **state)
{
	struct config_header headers[] = { { .name = TEXT("X-Account"), .matches = TEXT("7*") },
					   { .name = TEXT("s") } };
	struct service_rig *rig = *state;
	const struct config_rule *rule = RULE(EVERY, .headers = headers, .header_count = 2);

	assert_string_equal(think(rig, rule, NOW),
			    "1 header no: not there; X-Account: 7*, s: *\n1 refused\n");
	rig_header(rig, "X-Account", "123");
	rig_header(rig, "x-account", "789");
	assert_string_equal(think(rig, rule, NOW), "1 header yes: X-Account: 123, X-Account: 789; "
						   "X-Account: 7*, s: *\n1 taken\n");
	sip_headers_remove(&rig->headers, "X-Account");
	rig_header(rig, "Subject", "compact or not");
	assert_string_equal(think(rig, rule, NOW), "1 header yes: s: compact or not; "
						   "X-Account: 7*, s: *\n1 taken\n");
}

static void the_sender_is_the_core_or_a_trunk(void **state)
{
	size_t trunk = 1;

	assert_string_equal(think(*state, RULE(EVERY, .trunks = &trunk, .trunk_count = 1), NOW),
			    "1 trunk no: core; web\n1 refused\n");
}

static void load_is_at_least_what_the_rule_says(void **state)
{
	const struct config_rule *rule = RULE(EVERY, .load = 80);

	assert_string_equal(think(*state, rule, (&(struct service_rehearsal){ .load = 79 })),
			    "1 load no: 79 % of limits.calls; 80 % or more\n1 refused\n");
	assert_string_equal(think(*state, rule, (&(struct service_rehearsal){ .load = 80 })),
			    "1 load yes: 80 % of limits.calls; 80 % or more\n1 taken\n");
}

static void the_record_names_why_each_rule_was_refused(void **state)
{
	struct service_rig *rig = *state;
	const struct call_plan *plan;
	char *watched[] = { TEXT("X-Account"), TEXT("X-Queue") };

	rig->config.watched_headers = watched;
	rig->config.watched_header_count = 2;
	strcpy(rig->config.version, "0123456789abcdef");
	rig_header(rig, "X-Account", "7\"");
	plan = rig_decide(rig, "+014799000001", "+4712345678");
	assert_string_equal(plan->record,
			    ",\"config\":\"0123456789abcdef\",\"sender\":\"core\""
			    ",\"caller\":\"+4712345678\",\"called\":\"+4799000001\",\"load\":0"
			    ",\"rules\":[\"direction\",\"taken\"],\"plan\":[\"dial web\",\"loop\"]"
			    ",\"privacy\":false,\"headers\":{\"X-Account\":\"7\\\"\","
			    "\"X-Queue\":null}");
}

static void a_long_list_of_rules_makes_no_long_record(void **state)
{
	struct service_rig *rig = *state;
	struct config_rule many[100];

	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = *RULE(EVERY, .load = 100);
	rig_services[RIG_OFFICE].rules = many;
	rig_services[RIG_OFFICE].rule_count = ARRAY_SIZE(many);
	(void)rig_decide(rig, "+014799000001", "+4712345678");
	rig_services[RIG_OFFICE].rules = rig_office_rules;
	rig_services[RIG_OFFICE].rule_count = 2;
	assert_string_equal(rig->plan->service, "office");
	assert_non_null(strstr(rig->plan->record, "\"load\",\"...\"]"));
	assert_true(strlen(rig->plan->record) < 500);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_rule_without_conditions_is_taken_without_a_question),
		T(the_first_condition_that_fails_refuses),
		T(numbers_are_compared_in_three_places),
		T(the_way_a_number_is_registered_counts),
		T(any_header_of_the_list_will_do),
		T(the_sender_is_the_core_or_a_trunk),
		T(load_is_at_least_what_the_rule_says),
		T(the_record_names_why_each_rule_was_refused),
		T(a_long_list_of_rules_makes_no_long_record),
	};

	return cmocka_run_group_tests_name("tas/service/match", tests, NULL, NULL);
}
