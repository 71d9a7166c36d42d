/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/call_rig.h"
#include <errno.h>

static unsigned emptied;

static void on_empty(void *arg)
{
	(void)arg;
	emptied++;
}

static struct call_room *small_room(struct rig *rig)
{
	struct call_room *room = NULL;

	assert_int_equal(
		call_room_create(&room, &(struct call_room_options){ .wheel = rig->wheel,
								     .limits = rig_limits(1) }),
		0);
	return room;
}

static void full_room_refuses_with_503(void **state)
{
	struct rig *rig = *state;
	struct call_room *room = small_room(rig);
	struct leg *second = fake_leg_incoming("1", "2", "offer");

	assert_int_equal(
		call_start(room, fake_leg_incoming("1", "2", "offer"), RIG_PLAN(rig_loop())), 0);
	assert_true(call_start(room, second, RIG_PLAN(rig_loop())) < 0);
	assert_true(second->released);
	assert_int_equal(second->farewell_status, 503);
	assert_string_equal(second->farewell_headers, "");
	assert_int_equal(call_room_count(room), 1);
	call_room_destroy(room);
}

static void draining_room_refuses_all_but_emergency_calls(void **state)
{
	struct rig *rig = *state;
	struct call_room *room = small_room(rig);
	struct leg *refused = fake_leg_incoming("1", "2", "offer");
	struct call_plan *plan = RIG_PLAN(rig_passed());

	call_room_drain(room, true);
	assert_int_equal(call_start(room, refused, RIG_PLAN(rig_loop())), -ESHUTDOWN);
	assert_true(refused->released);
	assert_int_equal(refused->farewell_status, 503);
	plan->emergency = true;
	assert_int_equal(call_start(room, fake_leg_incoming("112", "2", "offer"), plan), 0);
	assert_int_equal(call_room_count(room), 1);
	call_room_destroy(room);
}

static void a_drain_that_is_taken_back_lets_calls_in(void **state)
{
	struct rig *rig = *state;
	struct call_room *room = small_room(rig);

	call_room_drain(room, true);
	call_room_drain(room, false);
	assert_int_equal(
		call_start(room, fake_leg_incoming("1", "2", "offer"), RIG_PLAN(rig_loop())), 0);
	call_room_destroy(room);
}

static void emergency_call_passes_the_limit(void **state)
{
	struct rig *rig = *state;
	struct call_room *room = small_room(rig);
	struct call_plan *plan = RIG_PLAN(rig_passed());

	plan->emergency = true;
	assert_int_equal(
		call_start(room, fake_leg_incoming("1", "2", "offer"), RIG_PLAN(rig_loop())), 0);
	assert_int_equal(call_start(room, fake_leg_incoming("112", "2", "offer"), plan), 0);
	assert_int_equal(call_room_count(room), 2);
	call_room_destroy(room);
}

static void limit(struct rig *rig, unsigned calls, unsigned per_number)
{
	call_room_set_limits(rig->room, &(struct call_limits){ .calls = calls,
							       .calls_per_number = per_number,
							       .duration_s = 4 * 3600 });
}

static void number_with_its_limit_of_calls_is_busy(void **state)
{
	struct rig *rig = *state;
	struct leg *second = fake_leg_incoming("1", "2", "offer");
	struct call_plan *other = RIG_PLAN(rig_loop()), *urgent = RIG_PLAN(rig_passed());

	limit(rig, 100, 1);
	rig_start(rig, "offer", RIG_PLAN(rig_loop()));
	assert_int_equal(call_start(rig->room, second, RIG_PLAN(rig_loop())), -EBUSY);
	assert_int_equal(second->farewell_status, 486);
	snprintf(other->number, sizeof(other->number), "+4799000009");
	assert_int_equal(call_start(rig->room, fake_leg_incoming("1", "2", "offer"), other), 0);
	urgent->emergency = true;
	assert_int_equal(call_start(rig->room, fake_leg_incoming("1", "2", "offer"), urgent), 0);
	rig->refused = 1;
}

static void number_whose_call_ended_may_have_the_next(void **state)
{
	struct rig *rig = *state;

	limit(rig, 100, 2);
	for (int round = 0; round < 3; round++) {
		rig_start(rig, "offer", RIG_PLAN(rig_loop()));
		rig_start(rig, "offer", RIG_PLAN(rig_loop()));
		call_room_end_all(rig->room, CAUSE_NORMAL);
	}
	assert_int_equal(call_room_count(rig->room), 0);
}

static void calls_of_a_number_in_other_processes_count_too(void **state)
{
	struct rig *rig = *state;
	struct leg *second = fake_leg_incoming("1", "2", "offer");
	struct str told = { 0 };
	struct unpack from;

	limit(rig, 100, 1);
	pack_text(&told, "+4799000001");
	pack_number(&told, 1);
	from = (struct unpack){ .at = told.text, .end = told.text + told.length };
	assert_int_equal(shared_count_take(call_room_numbers(rig->room), 4711, &from), 0);
	str_done(&told);
	assert_int_equal(call_start(rig->room, second, RIG_PLAN(rig_loop())), -EBUSY);
	assert_int_equal(second->farewell_status, 486);
	shared_count_forget(call_room_numbers(rig->room), 4711);
	rig_start(rig, "offer", RIG_PLAN(rig_loop()));
	rig->refused = 1;
}

static void refused_call_leaves_a_record(void **state)
{
	struct rig *rig = *state;
	char line[2048] = "";
	FILE *file;

	limit(rig, 0, 0);
	assert_int_equal(
		call_start(rig->room, fake_leg_incoming("1", "2", "offer"), RIG_PLAN(rig_loop())),
		-EBUSY);
	rig->room = call_room_destroy(rig->room); /* now it is written */
	file = fopen(rig->cdr, "r");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	assert_non_null(strstr(line, "\"cause\":\"overload\""));
	assert_non_null(strstr(line, "\"status\":503"));
	assert_non_null(strstr(line, "\"number\":\"+4799000001\""));
	rig->refused = 1;
}

static void new_limits_hold_for_the_next_call(void **state)
{
	struct rig *rig = *state;

	limit(rig, 0, 0);
	assert_int_equal(
		call_start(rig->room, fake_leg_incoming("1", "2", "offer"), RIG_PLAN(rig_loop())),
		-EBUSY);
	limit(rig, 1, 0);
	rig_start(rig, "offer", RIG_PLAN(rig_loop()));
	rig->refused = 1;
}

static void calls_of_other_processes_count_too(void **state)
{
	struct rig *rig = *state;

	limit(rig, 2, 0);
	call_room_set_beside(rig->room, 2);
	assert_int_equal(
		call_start(rig->room, fake_leg_incoming("1", "2", "offer"), RIG_PLAN(rig_loop())),
		-EBUSY);
	call_room_set_beside(rig->room, 1);
	rig_start(rig, "offer", RIG_PLAN(rig_loop()));
	rig->refused = 1;
}

static void plan_without_steps_is_refused(void **state)
{
	struct rig *rig = *state;
	struct leg *a = fake_leg_incoming("1", "2", "offer");
	struct call_plan *plan = calloc(1, sizeof(*plan));

	assert_true(call_start(rig->room, a, plan) < 0);
	assert_int_equal(a->farewell_status, 500);
}

static void ending_all_says_why_and_tells_when_empty(void **state)
{
	struct rig *rig = *state;
	struct leg *b;

	emptied = 0;
	call_room_on_empty(rig->room, on_empty, NULL);
	rig_start(rig, "offer", RIG_PLAN(rig_loop()));
	b = rig_talking(rig, RIG_PLAN(rig_loop()));
	call_room_end_all(rig->room, CAUSE_DRAINING);
	assert_int_equal(call_room_count(rig->room), 0);
	assert_int_equal(emptied, 1);
	assert_true(b->released);
	assert_true(rig_ended_with(rig, "draining", "us"));
}

static void info_of(const struct call_info *info, void *arg)
{
	*(struct call_info *)arg = *info;
}

static void list_tells_what_a_call_is_doing(void **state)
{
	struct rig *rig = *state;
	struct call_info info = { 0 };

	rig_talking(rig, RIG_PLAN(rig_loop()));
	call_room_each(rig->room, info_of, &info);
	assert_int_equal(info.state, CALL_TALKING);
	assert_int_equal(fake_media_last()->established, 1);
	assert_string_equal(call_state_name(info.state), "TALKING");
	assert_string_equal(info.step, "loop");
	assert_string_equal(info.number, "+4799000001");
	assert_string_equal(info.from, "+4799000001");
	assert_string_equal(info.to, "+004712345678");
	assert_int_equal(strlen(info.id), 16);
	assert_true(info.media);
	assert_string_equal(info.call_id_b, leg_info(fake_leg_last())->call_id);
	assert_int_equal(info.receipt[MEDIA_A].packets_in, 111);
}

static void room_needs_a_writable_cdr_file(void **state)
{
	struct rig *rig = *state;
	struct call_room *room = NULL;

	assert_int_equal(
		call_room_create(&room,
				 &(struct call_room_options){ .wheel = rig->wheel,
							      .cdr_file = "/nowhere/x.json" }),
		-2);
	assert_null(room);
}

static void destroyed_room_lets_every_leg_go(void **state)
{
	struct rig *rig = *state;
	struct call_room *room = small_room(rig);

	assert_int_equal(
		call_start(room, fake_leg_incoming("1", "2", "offer"), RIG_PLAN(rig_loop())), 0);
	assert_null(call_room_destroy(room));
	assert_int_equal(fake_leg_live_count(), 0);
	assert_null(call_room_destroy(NULL));
	assert_null(call_plan_free(NULL));
}

/* For tests whose calls are in a room without a CDR file. */
static int rig_teardown_bare(void **state)
{
	struct rig *rig = *state;

	rig->starts = rig->ends = 0;
	return rig_teardown(state);
}

#define T(f)    cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
#define BARE(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown_bare)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BARE(full_room_refuses_with_503),
		BARE(emergency_call_passes_the_limit),
		BARE(draining_room_refuses_all_but_emergency_calls),
		BARE(a_drain_that_is_taken_back_lets_calls_in),
		T(number_with_its_limit_of_calls_is_busy),
		T(number_whose_call_ended_may_have_the_next),
		T(calls_of_a_number_in_other_processes_count_too),
		T(refused_call_leaves_a_record),
		T(new_limits_hold_for_the_next_call),
		T(calls_of_other_processes_count_too),
		T(plan_without_steps_is_refused),
		T(ending_all_says_why_and_tells_when_empty),
		T(list_tells_what_a_call_is_doing),
		T(room_needs_a_writable_cdr_file),
		BARE(destroyed_room_lets_every_leg_go),
	};

	return cmocka_run_group_tests_name("tas/call/call", tests, NULL, NULL);
}
