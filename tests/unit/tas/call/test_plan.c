/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/call_rig.h"

#include <errno.h>
#include "tas/call/call_state.h"

/* A question whose answer the test gives. */
struct asker {
	struct call_question question;
	struct call *call;
	int err;
};
static unsigned asked, stopped, destroyed;
static struct asker *waiting;

static int on_ask(struct call_question *question, struct call *call)
{
	struct asker *asker = CONTAINER_OF(question, struct asker, question);

	asked++;
	asker->call = call;
	waiting = asker->err ? NULL : asker;
	assert_string_equal(call_caller(call)->from_user, "+4799000001");
	assert_int_equal(strlen(call_id(call)), 16);
	return asker->err;
}

static void on_stop(struct call_question *question)
{
	stopped++;
	assert_ptr_equal(question, &waiting->question);
	waiting = NULL;
}

static void on_destroy(struct call_question *question)
{
	destroyed++;
	free(CONTAINER_OF(question, struct asker, question));
}

static struct call_step ask_failing(int err)
{
	struct asker *asker = calloc(1, sizeof(*asker));

	assert_non_null(asker);
	asker->err = err;
	asker->question = (struct call_question){ on_ask, on_stop, on_destroy };
	return (struct call_step){ .kind = CALL_STEP_ASK,
				   .label = strdup("webhook x"),
				   .question = &asker->question,
				   .ask_ms = 800 };
}

static struct call_step ask(void)
{
	return ask_failing(0);
}

static struct call_step unadvised(struct call_step step)
{
	step.turn = CALL_TURN_UNADVISED;
	return step;
}

static struct call_step advised(struct call_step step)
{
	step.turn = CALL_TURN_ADVISED;
	return step;
}

static void advise(const char *summary, const struct call_step *steps, size_t count)
{
	struct call_step *take = count ? calloc(count, sizeof(*take)) : NULL;
	struct call *call;

	assert_non_null(waiting);
	call = waiting->call;
	waiting = NULL;
	if (count) {
		assert_non_null(take);
		memcpy(take, steps, count * sizeof(*take));
	}
	call_advise(call, &(struct call_advice){
				  .take_steps = take, .step_count = count, .summary = summary });
}

static int setup(void **state)
{
	asked = stopped = destroyed = 0;
	waiting = NULL;
	return rig_setup(state);
}

static int teardown(void **state)
{
	int err = rig_teardown(state);

	assert_int_equal(destroyed, asked);
	assert_null(waiting);
	return err;
}

static void the_call_waits_and_takes_the_steps_it_is_told(void **state)
{
	struct rig *rig = *state;
	const struct call_step steps[] = { rig_dial("dial pbx"), rig_reject(486) };

	rig_start(rig, "offer-a", RIG_PLAN(ask(), unadvised(rig_loop())));
	assert_int_equal(asked, 1);
	assert_null(fake_leg_last());
	assert_null(fake_leg_did(rig->a)); /* nothing beyond the 100 that went out before */
	clock_fake_advance(300);
	advise("dial pbx", steps, 2);
	assert_true(fake_media_reply(fake_media_last(), "offer-for-b"));
	assert_int_equal(fake_leg_invite_count(), 1);
	fake_leg_end(fake_leg_last(), LEG_END_REFUSED, 486);
	assert_true(rig_ended_with(rig, "rejected", "us")); /* its second step, not the loop */
	assert_int_equal(fake_leg_invite_count(), 1);
}

static void without_steps_the_plan_goes_on(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(ask(), unadvised(rig_passed()), rig_reject(480)));
	advise("next", NULL, 0);
	assert_int_equal(fake_leg_invite_count(), 1);
	assert_int_equal(stopped, 0);
}

static void a_question_without_steps_is_no_trouble_to_be_rescued_from(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(ask(), rig_rescue()));
	advise("next", NULL, 0);
	assert_int_equal(fake_leg_invite_count(), 0);
	assert_true(rig_ended_with(rig, "unavailable", "us"));
}

static void the_deadline_stops_the_question_and_the_plan_goes_on(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(ask(), unadvised(rig_passed())));
	rig_advance(rig, 799);
	assert_int_equal(fake_leg_invite_count(), 0);
	rig_advance(rig, 20);
	assert_int_equal(stopped, 1);
	assert_int_equal(fake_leg_invite_count(), 1);
}

static void a_question_that_cannot_be_asked_costs_nothing(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a",
		  RIG_PLAN(ask_failing(-EAGAIN), ask_failing(-EBUSY), rig_passed()));
	assert_int_equal(asked, 2);
	assert_int_equal(stopped, 0);
	assert_int_equal(fake_leg_invite_count(), 1);
}

static void a_caller_who_gives_up_stops_the_question(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(ask(), rig_loop()));
	fake_leg_end(rig->a, LEG_END_CANCELLED, 487);
	assert_int_equal(stopped, 1);
	assert_int_equal(destroyed, 1);
	assert_true(rig_ended_with(rig, "cancelled", "a"));
	assert_int_equal(fake_leg_invite_count(), 0);
}

static void a_stop_of_ours_stops_the_question(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(ask(), rig_loop()));
	call_room_end_all(rig->room, CAUSE_DRAINING);
	assert_int_equal(stopped, 1);
	assert_true(rig_ended_with(rig, "draining", "us"));
}

static void a_call_waits_no_longer_than_a_call_may_last(void **state)
{
	struct rig *rig = *state;
	const struct call_limits limits = { .calls = 10, .duration_s = 60 };
	struct call_step patient = ask();

	patient.ask_ms = 3600 * 1000;
	call_room_set_limits(rig->room, &limits);
	rig_start(rig, "offer-a", RIG_PLAN(patient, rig_loop()));
	rig_advance(rig, 60 * 1000);
	rig_advance(rig, 20);
	assert_int_equal(stopped, 1);
	assert_true(rig_ended_with(rig, "time_limit", "us"));
}

static void advised_steps_that_break_are_rescued(void **state)
{
	struct rig *rig = *state;
	const struct call_step steps[] = { rig_dial("dial pbx") };

	rig_start(rig, "offer-a",
		  RIG_PLAN(ask(), unadvised(rig_reject(486)), advised(rig_rescue())));
	advise("dial pbx", steps, 1);
	assert_true(fake_media_reply(fake_media_last(), "offer-for-b"));
	fake_leg_end(fake_leg_last(), LEG_END_TIMEOUT, 503);
	assert_int_equal(fake_leg_invite_count(), 2); /* the rescue */
	assert_null(fake_media_last());
}

static void a_rescue_for_advised_steps_is_not_for_others(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a",
		  RIG_PLAN(ask(), unadvised(rig_dial("dial pbx")), advised(rig_rescue())));
	advise("next", NULL, 0);
	assert_true(fake_media_reply(fake_media_last(), "offer-for-b"));
	fake_leg_end(fake_leg_last(), LEG_END_TIMEOUT, 503);
	assert_true(rig_ended_with(rig, "next_hop_down", "us"));
	assert_int_equal(fake_leg_invite_count(), 1);
}

static void what_the_core_could_not_do_is_not_tried_there_again(void **state)
{
	struct rig *rig = *state;
	const struct call_step steps[] = { rig_passed() };

	rig_start(rig, "offer-a", RIG_PLAN(ask(), advised(rig_rescue())));
	advise("loop", steps, 1);
	fake_leg_end(fake_leg_last(), LEG_END_TIMEOUT, 503);
	assert_true(rig_ended_with(rig, "next_hop_down", "us"));
	assert_int_equal(fake_leg_invite_count(), 1);
}

static void a_plan_that_ends_in_a_question_ends_the_call(void **state)
{
	struct rig *rig = *state;

	rig_start(rig, "offer-a", RIG_PLAN(ask()));
	advise("next", NULL, 0);
	assert_true(rig_ended_with(rig, "unavailable", "us"));
	assert_int_equal(rig->a->farewell_status, 480);
}

static void the_record_tells_who_was_asked_and_what_he_said(void **state)
{
	struct rig *rig = *state;
	char cdr[4096];
	FILE *file;

	rig_start(rig, "offer-a", RIG_PLAN(ask(), ask(), rig_reject(486)));
	clock_fake_advance(42);
	advise("next", NULL, 0);
	clock_fake_advance(7);
	advise("bad \"answer\"", NULL, 0);
	rig->room = call_room_destroy(rig->room); /* the writer has finished */
	file = fopen(rig->cdr, "r");
	assert_non_null(file);
	cdr[fread(cdr, 1, sizeof(cdr) - 1, file)] = '\0';
	fclose(file);
	assert_non_null(strstr(
		cdr, ",\"asked\":[{\"step\":\"webhook x\",\"answer\":\"next\",\"ms\":42},"
		     "{\"step\":\"webhook x\",\"answer\":\"bad \\\"answer\\\"\",\"ms\":7}],"));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_call_waits_and_takes_the_steps_it_is_told),
		T(without_steps_the_plan_goes_on),
		T(a_question_without_steps_is_no_trouble_to_be_rescued_from),
		T(the_deadline_stops_the_question_and_the_plan_goes_on),
		T(a_question_that_cannot_be_asked_costs_nothing),
		T(a_caller_who_gives_up_stops_the_question),
		T(a_stop_of_ours_stops_the_question),
		T(a_call_waits_no_longer_than_a_call_may_last),
		T(advised_steps_that_break_are_rescued),
		T(a_rescue_for_advised_steps_is_not_for_others),
		T(what_the_core_could_not_do_is_not_tried_there_again),
		T(a_plan_that_ends_in_a_question_ends_the_call),
		T(the_record_tells_who_was_asked_and_what_he_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
