/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/service_rig.h"

static void trunk_reaches_an_ingress_number(void **state)
{
	struct service_rig *rig = *state;
	const struct call_plan *plan;

	rig->info.peer = 1;
	rig_header(rig, "Privacy", "id");
	rig_header(rig, "P-Asserted-Identity", "<tel:+4700000000>");
	rig_header(rig, "Session-ID", "chosen by the trunk");
	plan = rig_decide(rig, "4799000005", "200");
	assert_labels(plan, "ingress");
	assert_int_equal(plan->media_a, MEDIA_LEG_RTP);
	assert_int_equal(plan->route_type, ROUTE_TYPE_INGRESS);
	assert_string_equal(plan->number, "+4799000005");
	assert_string_equal(plan->steps[0].request_uri,
			    "sips:+4799000005@sbc.core.example.net:5061");
	assert_string_equal(plan->steps[0].from_uri, "sips:200@tas.example.com");
	assert_int_equal(plan->steps[0].media, MEDIA_LEG_WEBRTC);
	assert_int_equal(plan->steps[0].headers.count, 1);
	assert_string_equal(sip_headers_find(&plan->steps[0].headers, "Privacy"), "id");
}

static void keys_that_came_in_the_clear_are_refused(void **state)
{
	struct service_rig *rig = *state;
	struct config_trunk *trunk = &rig->config.trunks[0];
	enum media_kind before = trunk->media;

	rig->info.peer = 1;
	rig->info.transport = SIP_TRANSPORT_TCP;
	trunk->media = MEDIA_SDES;
	assert_labels(rig_decide(rig, "4799000005", "200"), "reject 488");
	trunk->media = MEDIA_SDES_OR_RTP;
	assert_labels(rig_decide(rig, "4799000005", "200"), "reject 488");
	trunk->keys_in_clear = true;
	assert_labels(rig_decide(rig, "4799000005", "200"), "ingress");
	assert_int_equal(rig->plan->media_a, MEDIA_LEG_SDES_OR_RTP);
	trunk->keys_in_clear = false;
	rig->info.transport = SIP_TRANSPORT_TLS;
	trunk->media = MEDIA_SDES;
	assert_labels(rig_decide(rig, "4799000005", "200"), "ingress");
	assert_int_equal(rig->plan->media_a, MEDIA_LEG_SDES);
	trunk->media = before;
}

static void trunk_reaches_nothing_else(void **state)
{
	struct service_rig *rig = *state;
	static const char *const users[] = { "+4799000001", "+4712345678", "+004799000005x", "112",
					     "" };

	rig->info.peer = 1;
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		assert_labels(rig_decide(rig, users[i], "200"), "reject 404");
}

static void trunk_without_the_right_gets_403(void **state)
{
	struct service_rig *rig = *state;

	rig->info.peer = 2;
	assert_labels(rig_decide(rig, "+4799000005", "200"), "reject 403");
	rig->info.peer = 3; /* no such trunk */
	assert_labels(rig_decide(rig, "+4799000005", "200"), "reject 403");
	rig->info.peer = -1;
	assert_labels(rig_decide(rig, "+4799000005", "200"), "reject 403");
}

static void looping_trunk_gets_483(void **state)
{
	struct service_rig *rig = *state;

	rig->info.peer = 1;
	rig->info.max_forwards = 1;
	assert_labels(rig_decide(rig, "+4799000005", "200"), "reject 483");
}

/* The calls of pbx go through the service's rules first. */
static void with_rules(struct service_rig *rig, size_t service)
{
	rig->info.peer = 1;
	rig_trunks[0].service = service;
}

static void a_trunk_s_service_decides_first(void **state)
{
	struct service_rig *rig = *state;

	with_rules(rig, RIG_REFUSE);
	assert_labels(rig_decide(rig, "+4799000005", "200"), "reject 603");
	assert_string_equal(rig->plan->service, "refuse/1");
	assert_string_equal(rig->plan->number, "+4799000005");
	with_rules(rig, RIG_ECHO);
	assert_labels(rig_decide(rig, "12345", "200"), "answer echo");
	with_rules(rig, 0);
}

static void a_loop_of_a_trunk_reaches_only_what_the_trunk_may(void **state)
{
	struct service_rig *rig = *state;

	with_rules(rig, RIG_LOOPED);
	assert_labels(rig_decide(rig, "+4799000005", "200"), "ingress");
	assert_labels(rig_decide(rig, "+4712345678", "200"), "reject 404");
	assert_labels(rig_decide(rig, "+4799000001", "200"), "reject 404");
	with_rules(rig, 0);
}

static void without_a_rule_for_it_a_trunk_s_call_is_as_ever(void **state)
{
	struct service_rig *rig = *state;
	struct config_rule never = {
		.directions = 7, .load = 100, .actions = rig_refuse, .action_count = 1
	};

	rig_services[RIG_STRICT].rules = &never;
	rig_services[RIG_STRICT].rule_count = 1;
	with_rules(rig, RIG_STRICT);
	assert_labels(rig_decide(rig, "+4799000005", "200"), "ingress");
	assert_labels(rig_decide(rig, "+4712345678", "200"), "reject 404");
	rig_services[RIG_STRICT].rules = rig_office_rules;
	rig_services[RIG_STRICT].rule_count = 2;
	with_rules(rig, 0);
}

/* What a trunk says is not believed because it goes on to another one. */
static void a_trunk_is_not_believed_by_another_one(void **state)
{
	struct service_rig *rig = *state;
	struct config_rule rule = { .directions = 7, .actions = rig_dial_pbx, .action_count = 1 };

	rig_services[RIG_STRICT].rules = &rule;
	rig_services[RIG_STRICT].rule_count = 1;
	rig_header(rig, "P-Asserted-Identity", "<sip:+4700000000@pbx>");
	rig->info.asserted_user = "+4700000000";
	with_rules(rig, RIG_STRICT);
	assert_labels(rig_decide(rig, "+4712345678", "200"), "dial pbx, dial pbx/2?");
	assert_null(strstr(rig->plan->steps[0].from_uri, "+4700000000"));
	rig_services[RIG_STRICT].rules = rig_office_rules;
	rig_services[RIG_STRICT].rule_count = 2;
	with_rules(rig, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(trunk_reaches_an_ingress_number),
		T(keys_that_came_in_the_clear_are_refused),
		T(trunk_reaches_nothing_else),
		T(trunk_without_the_right_gets_403),
		T(looping_trunk_gets_483),
		T(a_trunk_s_service_decides_first),
		T(a_loop_of_a_trunk_reaches_only_what_the_trunk_may),
		T(without_a_rule_for_it_a_trunk_s_call_is_as_ever),
		T(a_trunk_is_not_believed_by_another_one),
	};

	return cmocka_run_group_tests_name("tas/service/ingress", tests, NULL, NULL);
}
