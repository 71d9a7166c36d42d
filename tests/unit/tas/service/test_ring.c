/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/service_rig.h"

#define TARGETS(list) .targets = (list), .target_count = ARRAY_SIZE(list)

static struct config_target pbx_and_subscriber[] = { { .kind = TARGET_TRUNK, .weight = 1 },
						     { .kind = TARGET_SUBSCRIBER, .weight = 1 } };
static struct config_target phones[] = {
	{ .kind = TARGET_TRUNK, .trunk = 1, .number = TEXT("201"), .weight = 1 },
	{ .kind = TARGET_TRUNK, .trunk = 1, .number = TEXT("202"), .weight = 1, .ring_s = 7 },
	{ .kind = TARGET_NUMBER, .number = TEXT("+4788000001"), .weight = 1 },
};

/* Calls to and from the numbers of `office` get these actions. */
static void rig_actions(struct service_rig *rig, struct config_action *actions, size_t count)
{
	static struct config_service services[ARRAY_SIZE(rig_services)];
	static struct config_rule rule;

	rule = (struct config_rule){ .directions = 7, .actions = actions, .action_count = count };
	memcpy(services, rig_services, sizeof(services));
	services[RIG_OFFICE].rules = &rule;
	services[RIG_OFFICE].rule_count = 1;
	rig->config.services = services;
}

/* The plan for a call to +4799000001, which has this one action. */
static struct call_plan *decide(struct service_rig *rig, struct config_action *action)
{
	rig_actions(rig, action, 1);
	return rig_decide(rig, "+014799000001", "+4712345678");
}

static void assert_targets(const struct call_step *ring, const char *wanted)
{
	const struct call_plan targets = { .steps = ring->targets,
					   .step_count = ring->target_count };

	assert_int_equal(ring->kind, CALL_STEP_RING);
	assert_labels(&targets, wanted);
}

static void targets_of_a_group_are_in_one_step(void **state)
{
	struct config_action action = { .kind = ACTION_RING,
					.ring_s = 25,
					TARGETS(pbx_and_subscriber) };
	const struct call_step *ring = decide(*state, &action)->steps;

	assert_labels(((struct service_rig *)*state)->plan, "ring");
	assert_targets(ring, "dial pbx, dial pbx/2?, loop");
	assert_int_equal(ring->ring_ms, 25000);
	assert_false(ring->in_sequence);
	assert_int_equal(ring->targets[0].ring_ms, 0);
	assert_int_equal(ring->targets[0].media, MEDIA_LEG_RTP);
	assert_true(ring->targets[2].to_core);
	assert_string_equal(ring->targets[2].request_uri,
			    "sips:+4799000001@sbc.core.example.net:5061");
	assert_string_equal(ring->targets[0].target_name, "pbx");
	assert_null(ring->targets[2].target_name);
}

static void phone_of_a_pbx_and_another_number_are_dialled(void **state)
{
	struct service_rig *rig = *state;
	struct config_action action = { .kind = ACTION_RING, TARGETS(phones) };
	const struct call_step *target;

	rig_header(rig, "Session-ID", "abc;remote=def");
	target = decide(rig, &action)->steps[0].targets;
	assert_targets(rig->plan->steps, "dial web 201, dial web 202, number +4788***01");
	assert_string_equal(target[0].request_uri, "sip:201@pbx.example.org");
	assert_string_equal(target[0].to_uri, "sip:201@pbx.example.org");
	assert_int_equal(target[1].ring_ms, 7000);
	assert_string_equal(target[1].target_name, "web/202");
	assert_true(target[2].to_core);
	assert_string_equal(target[2].request_uri, "sips:+4788000001@sbc.core.example.net:5061");
	assert_string_equal(target[2].to_uri, "sips:+4788000001@sbc.core.example.net:5061");
	assert_string_equal(target[2].from_uri, "sips:+4712345678@core.example.net");
	assert_string_equal(sip_headers_find(&target[2].headers, "Session-ID"), "abc;remote=def");
	assert_non_null(sip_headers_find(&target[2].headers, "Breakout-Hop"));
}

static void group_without_a_loop_is_rescued_by_one(void **state)
{
	struct service_rig *rig = *state;
	struct config_action action = { .kind = ACTION_RING, TARGETS(phones) };

	assert_labels(decide(rig, &action), "ring, loop?");
	assert_true(rig->plan->steps[1].bypass);
}

static void core_that_rings_the_subscriber_is_not_asked_to(void **state)
{
	struct service_rig *rig = *state;
	struct config_action action = { .kind = ACTION_RING,
					.ring_s = 25,
					TARGETS(pbx_and_subscriber) };

	rig_actions(rig, &action, 1);
	assert_labels(rig_decide(rig, "+014799000003", "+4712345678"), "dial pbx, dial pbx/2?");
	assert_int_equal(rig->plan->steps[0].ring_ms, 25000);
}

static void single_target_is_an_ordinary_dial(void **state)
{
	struct service_rig *rig = *state;
	struct config_action action = {
		.kind = ACTION_RING, .ring_s = 20, .targets = phones, .target_count = 1
	};

	assert_labels(decide(rig, &action), "dial web 201, loop?");
	assert_int_equal(rig->plan->steps[0].ring_ms, 20000);
	action.order = RING_LONGEST_IDLE;
	action.ring_s = 0;
	assert_labels(decide(rig, &action), "dial web 201, loop?");
	assert_int_equal(rig->plan->steps[0].ring_ms, 30000);
}

static void subscriber_alone_is_a_loop(void **state)
{
	struct service_rig *rig = *state;
	struct config_action action = { .kind = ACTION_RING,
					.targets = &pbx_and_subscriber[1],
					.target_count = 1 };

	assert_labels(decide(rig, &action), "loop");
	rig_actions(rig, &action, 1);
	assert_labels(rig_decide(rig, "+014799000003", "+4712345678"), "reject 480");
}

static void delayed_target_says_so(void **state)
{
	struct config_target targets[] = {
		{ .kind = TARGET_TRUNK, .trunk = 1, .weight = 1 },
		{ .kind = TARGET_SUBSCRIBER, .weight = 1, .after_s = 5, .ring_s = 10 },
	};
	struct config_action action = { .kind = ACTION_RING, TARGETS(targets) };
	const struct call_step *ring = decide(*state, &action)->steps;

	assert_int_equal(ring->targets[0].after_ms, 0);
	assert_int_equal(ring->targets[1].after_ms, 5000);
	assert_int_equal(ring->targets[1].ring_ms, 10000);
}

static void turns_last_as_long_as_each_of_them(void **state)
{
	struct config_action action = {
		.kind = ACTION_RING, .order = RING_SEQUENCE, .ring_s = 20, TARGETS(phones)
	};
	const struct call_step *ring = decide(*state, &action)->steps;

	assert_true(ring->in_sequence);
	assert_int_equal(ring->targets[0].ring_ms, 20000);
	assert_int_equal(ring->targets[1].ring_ms, 7000);
	assert_int_equal(ring->ring_ms, 20000 + 7000 + 20000 + 3000);
}

static void round_robin_goes_on_with_the_next_call_and_after_a_reload(void **state)
{
	struct service_rig *rig = *state;
	struct config_action action = {
		.kind = ACTION_RING, .order = RING_ROUND_ROBIN, .targets = phones, .target_count = 2
	};
	struct config config;

	assert_targets(decide(rig, &action)->steps, "dial web 201, dial web 202");
	assert_targets(decide(rig, &action)->steps, "dial web 202, dial web 201");
	config = rig->config;
	service_reconfigure(rig->room, &config, NULL);
	assert_targets(decide(rig, &action)->steps, "dial web 201, dial web 202");
	service_reconfigure(rig->room, &rig->config, NULL);
}

static void news_of_calls_reach_the_order(void **state)
{
	struct service_rig *rig = *state;
	struct config_action action = { .kind = ACTION_RING,
					.order = RING_LONGEST_IDLE,
					.targets = phones,
					.target_count = 2 };
	struct service_room *idle = rig->room;

	assert_int_equal(
		service_create(&rig->room,
			       &(struct service_options){ .config = &rig->config,
							  .calls = (struct call_room *)rig }),
		0);
	service_destroy(idle);
	rig_on_target("web/201", CALL_TARGET_TAKEN, rig_on_target_arg);
	assert_labels(decide(rig, &action), "dial web 202, loop?");
	rig_on_target("web/201", CALL_TARGET_DONE, rig_on_target_arg);
	assert_targets(decide(rig, &action)->steps, "dial web 202, dial web 201");
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

static void after_an_announcement_targets_take_turns_in_its_media(void **state)
{
	struct service_rig *rig = *state;
	struct config_action actions[] = { { .kind = ACTION_ANNOUNCE, .repeat = 1 },
					   { .kind = ACTION_RING,
					     .order = RING_SEQUENCE,
					     .ring_s = 20,
					     TARGETS(pbx_and_subscriber) } };
	const struct call_plan *plan;

	rig_actions(rig, actions, 2);
	plan = rig_decide(rig, "+014799000001", "+4712345678");
	assert_labels(plan, "announce, dial pbx, dial pbx/2?, loop");
	assert_int_equal(plan->steps[1].ring_ms, 20000);
	assert_int_equal(plan->steps[3].ring_ms, 20000);
	assert_true(plan->steps[0].early);
	actions[0].answer_first = true;
	plan = rig_decide(rig, "+014799000001", "+4712345678");
	assert_labels(plan, "answer, announce, dial pbx, dial pbx/2?, loop");
	assert_true(plan->steps[0].goes_on && !plan->steps[0].early);
}

static void who_was_answered_is_not_redirected(void **state)
{
	struct service_rig *rig = *state;
	struct config_action actions[] = {
		{ .kind = ACTION_ANNOUNCE, .repeat = 1, .answer_first = true },
		{ .kind = ACTION_REDIRECT, .contact = TEXT("sip:a@b.example") },
		{ .kind = ACTION_REJECT, .status = 480 }
	};

	rig_actions(rig, actions, 3);
	assert_labels(rig_decide(rig, "+014799000001", "+4712345678"),
		      "answer, announce, reject 480");
	actions[0].answer_first = false;
	assert_labels(rig_decide(rig, "+014799000001", "+4712345678"),
		      "announce, redirect, reject 480");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(targets_of_a_group_are_in_one_step),
		T(after_an_announcement_targets_take_turns_in_its_media),
		T(who_was_answered_is_not_redirected),
		T(phone_of_a_pbx_and_another_number_are_dialled),
		T(group_without_a_loop_is_rescued_by_one),
		T(core_that_rings_the_subscriber_is_not_asked_to),
		T(single_target_is_an_ordinary_dial),
		T(subscriber_alone_is_a_loop),
		T(delayed_target_says_so),
		T(turns_last_as_long_as_each_of_them),
		T(round_robin_goes_on_with_the_next_call_and_after_a_reload),
		T(news_of_calls_reach_the_order),
	};

	return cmocka_run_group_tests_name("tas/service/ring", tests, NULL, NULL);
}
