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

/* A call with a trunk that takes digits so. */
static struct leg *talking_with(struct rig *rig, enum media_dtmf dtmf)
{
	struct call_step step = rig_dial("dial pbx");

	step.codecs.dtmf = dtmf;
	return rig_talking(rig, RIG_PLAN(step));
}

static void info_becomes_events_where_the_trunk_wants_them(void **state)
{
	struct rig *rig = *state;

	(void)talking_with(rig, MEDIA_DTMF_RFC4733);
	fake_leg_info(rig->a, RELAY, "Signal=5\r\nDuration=250\r\n");
	assert_did(rig->a, FAKE_LEG_INFORM_ANSWER, 200, NULL);
	assert_int_equal(fake_media_last()->digits[MEDIA_B], '5');
	assert_int_equal(fake_media_last()->digit_ms, 250);
	fake_leg_info(rig->a, RELAY, "Duration= 99999\r\nsignal: 11\r\n");
	assert_int_equal(fake_media_last()->digits[MEDIA_B], '#');
	assert_int_equal(fake_media_last()->digit_ms, 8000);
	fake_leg_info(rig->a, "application/dtmf", "*");
	assert_int_equal(fake_media_last()->digits[MEDIA_B], '*');
	assert_int_equal(fake_media_last()->digit_ms, 160);
}

static void what_is_no_digit_crosses_as_it_came(void **state)
{
	struct rig *rig = *state;
	struct leg *b = talking_with(rig, MEDIA_DTMF_RFC4733);

	fake_leg_info(rig->a, RELAY, "Signal=flash");
	assert_did(b, FAKE_LEG_INFORM, 0, "Signal=flash");
	assert_int_equal(fake_media_last()->digits[MEDIA_B], 0);
}

static void info_of_a_trunk_becomes_events_towards_the_core(void **state)
{
	struct rig *rig = *state;
	struct leg *b = talking_with(rig, MEDIA_DTMF_INFO);

	fake_leg_info(b, RELAY, "Signal=7");
	assert_did(b, FAKE_LEG_INFORM_ANSWER, 200, NULL);
	assert_int_equal(fake_media_last()->digits[MEDIA_A], '7');
	/* The core's own INFO is what such a trunk takes. */
	fake_leg_info(rig->a, RELAY, "Signal=8");
	assert_did(b, FAKE_LEG_INFORM, 0, "Signal=8");
}

static void a_digit(struct media_session *session, char digit)
{
	const struct media_event event = {
		.type = MEDIA_EV_DIGIT, .side = MEDIA_A, .digit = digit, .digit_ms = 100
	};

	session->on_event(session, &event, session->arg);
}

static void digits_of_the_media_are_told_one_after_the_other(void **state)
{
	struct rig *rig = *state;
	struct leg *b = talking_with(rig, MEDIA_DTMF_INFO);

	a_digit(fake_media_last(), '1');
	assert_did(b, FAKE_LEG_INFORM, 0, "Signal=1\r\nDuration=100\r\n");
	a_digit(fake_media_last(), '2');
	assert_did(b, FAKE_LEG_INFORM, 0, "Signal=1\r\nDuration=100\r\n");
	fake_leg_event(b, LEG_EV_INFO_ANSWERED, 200, NULL);
	assert_did(b, FAKE_LEG_INFORM, 0, "Signal=2\r\nDuration=100\r\n");
	fake_leg_event(b, LEG_EV_INFO_ANSWERED, 415, NULL); /* nobody of A's side asked */
	for (unsigned i = 0; i < 100; i++)
		a_digit(fake_media_last(), '3');
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_loop_passes_any_info_and_its_answer),
		T(a_trunk_is_told_digits_only),
		T(what_cannot_cross_says_why),
		T(info_becomes_events_where_the_trunk_wants_them),
		T(what_is_no_digit_crosses_as_it_came),
		T(info_of_a_trunk_becomes_events_towards_the_core),
		T(digits_of_the_media_are_told_one_after_the_other),
	};

	return cmocka_run_group_tests_name("tas/call/inform", tests, NULL, NULL);
}
