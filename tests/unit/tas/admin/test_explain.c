/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/service_rig.h"

#include <jansson.h>
#include "tas/admin/explain.h"

static json_t *ask(struct service_rig *rig, const char *question_text)
{
	json_t *question = json_loads(question_text, 0, NULL), *answer;

	assert_non_null(question);
	answer = explain(rig->room, question);
	assert_non_null(answer);
	json_decref(question);
	return answer;
}

static void expect_error(struct service_rig *rig, const char *question, const char *wanted)
{
	json_t *answer = ask(rig, question);

	assert_string_equal(json_string_value(json_object_get(answer, "error")), wanted);
	json_decref(answer);
}

static void expect_member(const json_t *answer, const char *name, const char *wanted)
{
	assert_string_equal(json_string_value(json_object_get(answer, name)), wanted);
}

static void a_made_up_call_gets_the_prefix_of_its_direction(void **state)
{
	struct service_rig *rig = *state;
	json_t *answer = ask(rig, "{\"from\":\"+4799000001\",\"called\":\"+4712345678\","
				  "\"direction\":\"mo\"}");
	const json_t *rules = json_object_get(answer, "rules");
	const json_t *plan = json_object_get(answer, "plan");

	expect_member(answer, "direction", "mo");
	expect_member(answer, "number", "+4799000001");
	expect_member(answer, "service", "office/1");
	assert_int_equal(json_array_size(rules), 1);
	assert_true(json_is_true(json_object_get(json_array_get(rules, 0), "taken")));
	assert_int_equal(json_array_size(plan), 3);
	expect_member(json_array_get(plan, 0), "step", "dial pbx");
	expect_member(json_array_get(plan, 2), "step", "loop");
	assert_true(json_is_true(json_object_get(json_array_get(plan, 2), "only_after_trouble")));
	json_decref(answer);

	answer = ask(rig, "{\"called\":\"112\",\"direction\":\"mt\"}");
	expect_member(answer, "service", "emergency");
	json_decref(answer);
}

static void conditions_are_told_with_their_values(void **state)
{
	struct service_rig *rig = *state;
	json_t *answer = ask(rig, "{\"called\":\"+4799000001\",\"direction\":\"mt\"}");
	const json_t *rule = json_array_get(json_object_get(answer, "rules"), 0);
	const json_t *condition = json_array_get(json_object_get(rule, "conditions"), 0);

	assert_true(json_is_false(json_object_get(rule, "taken")));
	expect_member(condition, "condition", "direction");
	expect_member(condition, "is", "mt");
	expect_member(condition, "wanted", "mo");
	expect_member(answer, "service", "office/2");
	json_decref(answer);
}

/* What tas/call and this room write is what this room reads. */
static void a_record_is_a_question_about_its_call(void **state)
{
	struct service_rig *rig = *state;
	char *watched[] = { TEXT("X-Account"), TEXT("X-Queue") };
	struct str text = { 0 };
	json_t *record, *question, *answer;

	rig->config.watched_headers = watched;
	rig->config.watched_header_count = 1;
	rig_header(rig, "X-Account", "789");
	rig_header(rig, "Privacy", "id");
	(void)rig_decide(rig, "+014799000001", "+4712345678");
	str_addf(&text,
		 "{\"id\":\"1\",\"start\":\"2026-07-01T12:00:00.250Z\",\"from\":\"+4712345678\","
		 "\"to\":\"+014799000001\"%s}",
		 rig->plan->record);
	record = json_loads(text.text, 0, NULL);
	assert_non_null(record);
	str_done(&text);
	question = explain_question(record);
	rig->config.watched_header_count = 2;
	answer = explain(rig->room, question);
	expect_member(answer, "service", "office/2");
	expect_member(answer, "at", "2026-07-01T12:00:00Z");
	assert_int_equal(json_array_size(json_object_get(answer, "unknown_headers")), 1);
	json_decref(answer);
	json_decref(question);
	json_decref(record);
}

static void a_trunk_may_be_the_sender(void **state)
{
	struct service_rig *rig = *state;
	json_t *answer = ask(rig, "{\"from\":\"200\",\"called\":\"+4799000005\","
				  "\"direction\":\"mt\",\"sender\":\"pbx\"}");

	expect_member(answer, "service", "ingress");
	json_decref(answer);
	expect_error(rig, "{\"called\":\"1\",\"sender\":\"nobody\"}",
		     "no trunk has the sender's name");
}

static void expect_at(struct service_rig *rig, const char *at, const char *wanted)
{
	json_t *question = json_pack("{s:s, s:s}", "called", "112", "at", at);
	json_t *answer = explain(rig->room, question);

	expect_member(answer, wanted ? "at" : "error",
		      wanted ? wanted
			     : "at is no time: write 2026-12-24T18:00, and Z or +01:00 for another "
			       "zone than time_zone");
	json_decref(answer);
	json_decref(question);
}

static void times_are_read_in_any_zone(void **state)
{
	struct service_rig *rig = *state;

	expect_at(rig, "2026-12-24T18:00Z", "2026-12-24T18:00:00Z");
	expect_at(rig, "2026-12-24T18:00:07.999Z", "2026-12-24T18:00:07Z");
	expect_at(rig, "2026-12-24T18:00+05:30", "2026-12-24T12:30:00Z");
	expect_at(rig, "2026-12-24T18:00:00-01:00", "2026-12-24T19:00:00Z");
	expect_at(rig, "tomorrow", NULL);
	expect_at(rig, "2026-12-24", NULL);
	expect_at(rig, "2026-12-24T18:00 o'clock", NULL);
	expect_at(rig, "2026-12-24T18:00:99999999999", NULL);
}

static void senseless_questions_get_a_sentence(void **state)
{
	struct service_rig *rig = *state;

	expect_error(rig, "{}", "called is missing: the number that was dialled");
	expect_error(rig, "{\"called\":\"1\",\"direction\":\"up\"}", "direction is mo or mt");
	expect_error(rig, "{\"called\":\"1\",\"headers\":{\"X-A\":\"a\\r\\nVia: b\"}}",
		     "a header is none that SIP could carry");
	expect_error(rig, "{\"called\":5,\"from\":[],\"headers\":7}",
		     "called is missing: the number that was dialled");
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_made_up_call_gets_the_prefix_of_its_direction),
		T(conditions_are_told_with_their_values),
		T(a_record_is_a_question_about_its_call),
		T(a_trunk_may_be_the_sender),
		T(times_are_read_in_any_zone),
		T(senseless_questions_get_a_sentence),
	};

	return cmocka_run_group_tests_name("tas/admin/explain", tests, NULL, NULL);
}
