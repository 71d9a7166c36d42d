/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/service_rig.h"

static char *shown[] = { TEXT("+4722000001"), TEXT("+4722000002"), TEXT("+4722000003") };

/* The call of +4799000001 goes through a rule with this action alone. */
static struct call_plan *decide(struct service_rig *rig, const struct config_action *action,
				const char *called)
{
	struct config_action copy = *action;
	struct config_rule rule = { .directions = 7, .actions = &copy, .action_count = 1 };
	struct call_plan *plan;

	rig_services[RIG_OFFICE].rules = &rule;
	rig_services[RIG_OFFICE].rule_count = 1;
	plan = rig_decide(rig, called, "+4799000001");
	rig_services[RIG_OFFICE].rules = rig_office_rules;
	rig_services[RIG_OFFICE].rule_count = 2;
	return plan;
}

static void with_turns(struct service_rig *rig, size_t count)
{
	rig->config.turn_count = count;
	service_reconfigure(rig->room, &rig->config, NULL);
}

#define SHOW(...)                                                                                  \
	(&(struct config_action){                                                                  \
		.kind = ACTION_LOOP, .callers = shown, .caller_count = 3, __VA_ARGS__ })

static void callers_take_turns(void **state)
{
	static const char *const wanted[] = { "sips:+4722000001@core.example.net",
					      "sips:+4722000002@core.example.net",
					      "sips:+4722000003@core.example.net",
					      "sips:+4722000001@core.example.net" };
	struct service_rig *rig = *state;

	with_turns(rig, 2);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const struct call_plan *plan =
			decide(rig, SHOW(.pick = PICK_IN_TURN, .turn = 1), "+004712345678");

		assert_string_equal(plan->steps[0].from_uri, wanted[i]);
		assert_labels(plan, "loop as another caller");
	}
	assert_string_equal(decide(rig, SHOW(.turn = 0), "+004712345678")->steps[0].from_uri,
			    wanted[0]);
}

static void a_rehearsal_takes_no_turn(void **state)
{
	struct service_rig *rig = *state;
	struct service_rehearsal rehearsal = { .now = 0 };
	struct config_rule rule = { .directions = 7, .action_count = 1 };

	with_turns(rig, 1);
	rule.actions = SHOW(.turn = 0);
	(void)decide(rig, rule.actions, "+004712345678");
	rig_services[RIG_OFFICE].rules = &rule;
	rig_services[RIG_OFFICE].rule_count = 1;
	for (unsigned i = 0; i < 3; i++) {
		call_plan_free(rig->plan);
		rig->plan = service_rehearse(rig->room, &rig->info, &rehearsal);
		assert_string_equal(rig->plan->steps[0].from_uri,
				    "sips:+4722000002@core.example.net");
	}
	rig_services[RIG_OFFICE].rules = rig_office_rules;
	rig_services[RIG_OFFICE].rule_count = 2;
}

static void the_same_callee_sees_the_same_caller(void **state)
{
	struct service_rig *rig = *state;
	unsigned seen[4] = { 0 };

	with_turns(rig, 1);
	for (unsigned i = 0; i < 60; i++) {
		char called[32], first[64];

		(void)snprintf(called, sizeof(called), "+00471234%04u", i);
		(void)snprintf(
			first, sizeof(first), "%s",
			decide(rig, SHOW(.pick = PICK_BY_CALLED), called)->steps[0].from_uri);
		assert_string_equal(
			decide(rig, SHOW(.pick = PICK_BY_CALLED), called)->steps[0].from_uri,
			first);
		seen[first[strlen("sips:+472200000")] - '0']++;
	}
	assert_true(seen[1] > 5 && seen[2] > 5 && seen[3] > 5);
}

static void all_that_names_the_old_caller_goes_or_changes(void **state)
{
	struct service_rig *rig = *state;
	const struct call_step *step;
	const struct sip_headers *headers;

	with_turns(rig, 1);
	rig->info.from_display = "Kari";
	rig_header(rig, "Session-ID", "ab30317f1a784dc48ff824d0d3715d86;remote=0");
	rig_header(rig, "P-Asserted-Identity", "<tel:+4799000001>");
	rig_header(rig, "P-Asserted-Identity", "\"Kari\" <sip:+4799000001@x>");
	rig_header(rig, "P-Preferred-Identity", "<sip:+4799000001@x>");
	rig_header(rig, "Remote-Party-ID", "<sip:+4799000001@x>");
	rig_header(rig, "Identity", "eyJ...;info=<https://x/>");
	rig_header(rig, "Diversion", "<sip:+4799000009@x>;reason=unconditional");
	step = decide(rig, SHOW(.turn = 0), "+004712345678")->steps;
	headers = &step->headers;
	assert_string_equal(step->from_uri, "sips:+4722000001@core.example.net");
	assert_null(step->from_display);
	assert_string_equal(sip_headers_find(headers, "P-Asserted-Identity"),
			    "<sips:+4722000001@core.example.net>");
	assert_null(sip_headers_find(headers, "P-Preferred-Identity"));
	assert_null(sip_headers_find(headers, "Remote-Party-ID"));
	assert_null(sip_headers_find(headers, "Identity"));
	assert_string_equal(sip_headers_find(headers, "Session-ID"),
			    "ab30317f1a784dc48ff824d0d3715d86;remote=0");
	assert_non_null(sip_headers_find(headers, "Diversion"));
	assert_non_null(strstr(rig->plan->record, ",\"presented\":\"+4722000001\""));
	for (size_t i = 0; i < headers->count; i++)
		assert_null(strstr(headers->items[i].value, "99000001"));
}

static void an_identity_nobody_asserted_is_not_made_up(void **state)
{
	struct service_rig *rig = *state;

	with_turns(rig, 1);
	assert_null(
		sip_headers_find(&decide(rig, SHOW(.turn = 0), "+004712345678")->steps[0].headers,
				 "P-Asserted-Identity"));
}

static void the_called_number_is_rewritten_for_the_core(void **state)
{
	struct service_rig *rig = *state;
	const struct config_action action = {
		.kind = ACTION_LOOP, .number = { .strip = TEXT("0"), .prepend = TEXT("+47") }
	};
	const struct call_plan *plan = decide(rig, &action, "00022334455");

	assert_labels(plan, "loop to +4722***55");
	assert_string_equal(plan->steps[0].request_uri,
			    "sips:+4722334455@sbc.core.example.net:5061");
	assert_string_equal(plan->steps[0].to_uri, "sips:+4722334455@tas.example.com;x=1");
	assert_labels(decide(rig, &action, "+004722334455"), "loop");
}

static void the_called_number_is_rewritten_for_a_trunk(void **state)
{
	struct service_rig *rig = *state;
	const struct config_action action = { .kind = ACTION_DIAL,
					      .trunk = 0,
					      .number = { .replace = TEXT("200") } };
	const struct call_plan *plan = decide(rig, &action, "+004722334455");

	assert_labels(plan, "dial pbx to 200, dial pbx/2 to 200?, loop?");
	assert_string_equal(plan->steps[0].request_uri, "sip:200@192.0.2.10:5060;transport=tcp");
}

static void a_redirected_caller_is_told_where_to(void **state)
{
	struct service_rig *rig = *state;
	const struct config_action action = { .kind = ACTION_REDIRECT,
					      .contact = TEXT("sips:+4722000000@pbx.example.com") };
	const struct call_plan *plan = decide(rig, &action, "+004722334455");

	assert_labels(plan, "redirect");
	assert_int_equal(plan->steps[0].status, 302);
	assert_int_equal(plan->steps[0].cause, CAUSE_REDIRECTED);
	assert_string_equal(plan->steps[0].request_uri, "sips:+4722000000@pbx.example.com");
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(callers_take_turns),
		T(a_rehearsal_takes_no_turn),
		T(the_same_callee_sees_the_same_caller),
		T(all_that_names_the_old_caller_goes_or_changes),
		T(an_identity_nobody_asserted_is_not_made_up),
		T(the_called_number_is_rewritten_for_the_core),
		T(the_called_number_is_rewritten_for_a_trunk),
		T(a_redirected_caller_is_told_where_to),
	};

	return cmocka_run_group_tests_name("tas/service/change", tests, NULL, NULL);
}
