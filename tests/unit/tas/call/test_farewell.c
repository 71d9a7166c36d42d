/* SPDX-License-Identifier: Apache-2.0 */
/* test_farewell.c - each side hears why the other ended the call. */
#include "tests/fake/call_rig.h"

#define ELSEWHERE "SIP;cause=200;text=\"elsewhere\""

static void add(struct sip_headers *headers, const char *name, const char *value)
{
	assert_int_equal(sip_headers_add(headers, name, value), 0);
}

/* The record of the only call says so. */
static bool recorded(const struct rig *rig, const char *wanted)
{
	char line[4096] = "";
	FILE *file;

	call_room_destroy(rig->room); /* writes what is left */
	((struct rig *)rig)->room = NULL;
	file = fopen(rig->cdr, "r");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	if (strstr(line, wanted))
		return true;
	print_error("wanted %s, got: %s\n", wanted, line);
	return false;
}

static void reasons_of_a_cancel_travel_on(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));
	struct sip_headers headers = { 0 };

	add(&headers, "Reason", ELSEWHERE);
	add(&headers, "Reason", "Q.850;cause=26");
	fake_leg_end_headers(rig->a, LEG_END_CANCELLED, 487, &headers);
	sip_headers_done(&headers);
	assert_string_equal(b->farewell_reason, ELSEWHERE ", Q.850;cause=26");
	assert_true(rig_ended_with(rig, "cancelled", "a"));
	assert_true(recorded(rig, "\"q850\":26,"));
}

static void on_a_loop_an_end_without_reason_stays_without(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));

	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
	assert_null(b->farewell_reason);
	b = rig_talking(rig, RIG_PLAN(rig_loop()));
	fake_leg_end(b, LEG_END_BYE, 200);
	assert_null(rig->a->farewell_reason);
}

static void a_trunk_is_told_a_reason_where_none_came(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_dial("dial pbx")));

	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
	assert_string_equal(b->farewell_reason, "SIP;cause=487;text=\"Request Terminated\"");
	b = rig_talking(rig, RIG_PLAN(rig_dial("dial pbx")));
	fake_leg_end(rig->a, LEG_END_BYE, 200);
	assert_string_equal(b->farewell_reason, "Q.850;cause=16;text=\"Normal call clearing\"");
}

static void on_a_loop_a_bye_takes_its_headers_along_both_ways(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));
	struct sip_headers headers = { 0 };

	add(&headers, "Reason", "Q.850;cause=16");
	add(&headers, "P-Charging-Vector", "icid-value=1");
	add(&headers, "Supported", "timer");
	fake_leg_end_headers(rig->a, LEG_END_BYE, 200, &headers);
	assert_string_equal(b->farewell_reason, "Q.850;cause=16");
	assert_string_equal(b->farewell_headers, "P-Charging-Vector: icid-value=1\n");
	b = rig_talking(rig, RIG_PLAN(rig_loop()));
	fake_leg_end_headers(b, LEG_END_BYE, 200, &headers);
	assert_string_equal(rig->a->farewell_headers, "P-Charging-Vector: icid-value=1\n");
	sip_headers_done(&headers);
}

static void a_bye_tells_a_trunk_its_reason_only(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_dial("dial pbx")));
	struct sip_headers headers = { 0 };

	add(&headers, "Reason", "Q.850;cause=31");
	add(&headers, "P-Charging-Vector", "icid-value=1");
	fake_leg_end_headers(rig->a, LEG_END_BYE, 200, &headers);
	sip_headers_done(&headers);
	assert_string_equal(b->farewell_reason, "Q.850;cause=31");
	assert_string_equal(b->farewell_headers, "");
	assert_true(rig_ended_with(rig, "normal", "a"));
	assert_true(recorded(rig, "\"q850\":31,"));
}

static void a_bye_that_names_a_fault_is_no_normal_end(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));
	struct sip_headers headers = { 0 };

	add(&headers, "Reason", "SIP;cause=503, Q.850;cause=41");
	fake_leg_end_headers(b, LEG_END_BYE, 200, &headers);
	sip_headers_done(&headers);
	assert_true(rig_ended_with(rig, "unavailable", "b"));
	assert_true(recorded(rig, "\"cause\":\"unavailable\",\"q850\":41,\"status\":200"));
}

static void a_refusal_is_recorded_as_its_reason_says(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));
	struct sip_headers headers = { 0 };

	add(&headers, "Reason", "Q.850;cause=19;text=\"rang\"");
	fake_leg_end_headers(b, LEG_END_REFUSED, 480, &headers);
	sip_headers_done(&headers);
	assert_int_equal(rig->a->farewell_status, 480);
	assert_string_equal(rig->a->farewell_headers, "Reason: Q.850;cause=19;text=\"rang\"\n");
	assert_true(recorded(rig, "\"cause\":\"no_answer\",\"q850\":19,\"status\":480"));
}

static void on_a_loop_a_refusal_gains_nothing(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));
	struct sip_headers headers = { 0 };

	add(&headers, "Retry-After", "7 (busy hour)");
	fake_leg_end_headers(b, LEG_END_REFUSED, 503, &headers);
	sip_headers_done(&headers);
	assert_int_equal(rig->a->farewell_status, 503);
	assert_string_equal(rig->a->farewell_headers, "Retry-After: 7 (busy hour)\n");
}

static void a_hangup_before_the_answer_reaches_a_as_a_refusal(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_dialling(rig, RIG_PLAN(rig_loop()));
	struct sip_headers headers = { 0 };

	fake_leg_event(b, LEG_EV_ANSWERED, 200, "answer-b");
	add(&headers, "Reason", "Q.850;cause=31");
	fake_leg_end_headers(b, LEG_END_BYE, 200, &headers);
	sip_headers_done(&headers);
	assert_int_equal(rig->a->farewell_status, 480);
	assert_string_equal(rig->a->farewell_headers, "Reason: Q.850;cause=31\n");
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reasons_of_a_cancel_travel_on),
		T(on_a_loop_an_end_without_reason_stays_without),
		T(a_trunk_is_told_a_reason_where_none_came),
		T(on_a_loop_a_bye_takes_its_headers_along_both_ways),
		T(a_bye_tells_a_trunk_its_reason_only),
		T(a_bye_that_names_a_fault_is_no_normal_end),
		T(a_refusal_is_recorded_as_its_reason_says),
		T(on_a_loop_a_refusal_gains_nothing),
		T(a_hangup_before_the_answer_reaches_a_as_a_refusal),
	};

	return cmocka_run_group_tests_name("tas/call/farewell", tests, NULL, NULL);
}
