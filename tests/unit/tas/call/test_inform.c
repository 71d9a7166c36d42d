/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/call_rig.h"

#define RELAY "application/dtmf-relay"

static void a_loop_passes_any_info_and_its_answer(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	fake_leg_info(rig->a, "application/x-of-nobody", "hello");
	assert_did(b, FAKE_LEG_INFORM, 0, "hello");
	fake_leg_event(b, LEG_EV_INFO_ANSWERED, 415, NULL);
	assert_did(rig->a, FAKE_LEG_INFORM_ANSWER, 415, NULL);
	fake_leg_info(b, RELAY, "Signal=1");
	assert_did(rig->a, FAKE_LEG_INFORM, 0, "Signal=1");
}

static void a_trunk_is_told_digits_only(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_dial("dial pbx")));

	fake_leg_info(rig->a, RELAY "; charset=x", "Signal=1");
	assert_did(b, FAKE_LEG_INFORM, 0, "Signal=1");
	fake_leg_event(b, LEG_EV_INFO_ANSWERED, 200, NULL);
	fake_leg_info(rig->a, "application/dtmf-relayed", "Signal=1");
	assert_did(rig->a, FAKE_LEG_INFORM_ANSWER, 415, NULL);
	fake_leg_info(rig->a, NULL, NULL);
	assert_did(rig->a, FAKE_LEG_INFORM_ANSWER, 200, NULL);
	assert_did(b, FAKE_LEG_INFORM, 0, "Signal=1");
}

static void what_cannot_cross_says_why(void **state)
{
	struct rig *rig = *state;
	struct leg *b = rig_talking(rig, RIG_PLAN(rig_loop()));

	b->inform_out = true;
	fake_leg_info(rig->a, RELAY, "Signal=1");
	assert_did(rig->a, FAKE_LEG_INFORM_ANSWER, 491, NULL);
	b->informs = false;
	fake_leg_info(rig->a, RELAY, "Signal=1");
	assert_did(rig->a, FAKE_LEG_INFORM_ANSWER, 405, NULL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_loop_passes_any_info_and_its_answer),
		T(a_trunk_is_told_digits_only),
		T(what_cannot_cross_says_why),
	};

	return cmocka_run_group_tests_name("tas/call/inform", tests, NULL, NULL);
}
