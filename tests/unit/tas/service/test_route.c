/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/service_rig.h"

static void rule_of_the_direction_is_taken(void **state)
{
	struct service_rig *rig = *state;
	struct call_plan *plan = rig_decide(rig, "+004712345678", "+4799000001");

	assert_int_equal(plan->direction, DIRECTION_MO);
	assert_int_equal(plan->route_type, ROUTE_TYPE_LOOP);
	assert_string_equal(plan->number, "+4799000001");
	assert_string_equal(plan->service, "office/1");
	assert_int_equal(plan->media_a, MEDIA_LEG_WEBRTC);
	assert_labels(plan, "dial pbx, dial pbx/2?, loop?");
	assert_true(plan->steps[2].bypass);
	assert_int_equal(plan->steps[0].ring_ms, 20000);

	plan = rig_decide(rig, "+014799000001", "+4712345678");
	assert_string_equal(plan->service, "office/2");
	assert_labels(plan, "dial web, loop");
	assert_false(plan->steps[1].bypass);
}

static void service_without_rules_loops(void **state)
{
	struct service_rig *rig = *state;
	struct call_plan *plan = rig_decide(rig, "+014799000002", "+4712345678");

	assert_string_equal(plan->service, "loop");
	assert_labels(plan, "loop");
	assert_false(plan->steps[0].bypass);
	assert_true(plan->steps[0].to_core);
}

static void direction_without_a_rule_loops(void **state)
{
	struct service_rig *rig = *state;

	rig->config.prefix_mo = rig->config.prefix_mt = NULL;
	rig_office_rules[0].directions = DIRECTION_UNKNOWN;
	assert_labels(rig_decide(rig, "+4712345678", "+4799000001"), "loop");
	rig_office_rules[0].directions = DIRECTION_MO;
}

/* The second rule of "office" (mt) is for these callers only; else it loops. */
static void screen(struct config_pattern *patterns, size_t count)
{
	rig_office_rules[1].callers = patterns;
	rig_office_rules[1].caller_count = count;
}

static void rule_of_the_caller_is_taken(void **state)
{
	struct service_rig *rig = *state;
	struct config_pattern wanted[] = {
		{ .kind = PATTERN_PREFIX, .from = TEXT("+47") },
		{ .kind = PATTERN_ANONYMOUS },
	};

	screen(wanted, 1);
	assert_labels(rig_decide(rig, "+014799000001", "+4712345678"), "dial web, loop");
	assert_labels(rig_decide(rig, "+014799000001", "+4712345678;npdi"), "dial web, loop");
	assert_labels(rig_decide(rig, "+014799000001", "+4612345678"), "loop");
	assert_labels(rig_decide(rig, "+014799000001", "anonymous"), "loop");
	screen(wanted, 2);
	assert_labels(rig_decide(rig, "+014799000001", "Anonymous"), "dial web, loop");
	rig_header(rig, "Privacy", "id");
	assert_labels(rig_decide(rig, "+014799000001", "+4612345678"), "dial web, loop");
	screen(NULL, 0);
}

static void rule_of_the_called_number_is_taken(void **state)
{
	struct service_rig *rig = *state;
	struct config_pattern wanted = { .kind = PATTERN_RANGE,
					 .from = TEXT("+4712345600"),
					 .to = TEXT("+4712345699") };

	rig_office_rules[0].called = &wanted;
	rig_office_rules[0].called_count = 1;
	assert_string_equal(rig_decide(rig, "+004712345678", "+4799000001")->service, "office/1");
	assert_labels(rig_decide(rig, "+004712345700", "+4799000001"), "loop");
	rig_office_rules[0].called = NULL;
	rig_office_rules[0].called_count = 0;
}

static void strict_service_has_no_rescue(void **state)
{
	struct service_rig *rig = *state;

	assert_labels(rig_decide(rig, "+004712345678", "+4799000008"), "dial pbx, dial pbx/2?");
}

static void rejection_is_no_failure(void **state)
{
	struct service_rig *rig = *state;
	struct call_plan *plan = rig_decide(rig, "+014799000006", "+4712345678");

	assert_labels(plan, "reject 603");
	assert_string_equal(plan->steps[0].phrase, "No");
	assert_int_equal(plan->steps[0].cause, CAUSE_REJECTED);
}

static void answer_is_rescued_when_media_has_no_room(void **state)
{
	struct service_rig *rig = *state;
	struct call_plan *plan = rig_decide(rig, "+004712345678", "+4799000007");

	assert_labels(plan, "answer tone, loop?");
	assert_int_equal(plan->steps[0].local.tone_hz, 425);
	plan = rig_decide(rig, "+004712345678", "+4799000009");
	assert_labels(plan, "answer echo");
	assert_true(plan->steps[0].local.echo);
}

static void announcement_of_a_rejection_is_early_media_unless_told_otherwise(void **state)
{
	struct service_rig *rig = *state;
	struct call_plan *plan = rig_decide(rig, "+014799000006", "+4712345678");

	assert_labels(plan, "reject 603");
	assert_true(plan->steps[0].early);
	assert_null(plan->steps[0].local.sound); /* it names none */
	rig_refuse[0].answer_first = true;
	plan = rig_decide(rig, "+014799000006", "+4712345678");
	assert_false(plan->steps[0].early);
	rig_refuse[0].answer_first = false;
}

static void action_that_plays_says_what_and_how_often(void **state)
{
	struct service_rig *rig = *state;
	struct config_sound welcome = { .path = TEXT("tests/data/no-such.wav"),
					.at = TEXT("c:1:1") };
	struct config_action before = rig_echo[0];
	struct call_plan *plan;

	rig_echo[0] = (struct config_action){
		.kind = ACTION_ANSWER, .answer = ANSWER_SOUND, .sound = &welcome, .repeat = 3
	};
	plan = rig_decide(rig, "+004712345678", "+4799000009");
	assert_labels(plan, "answer play");
	assert_int_equal(plan->steps[0].local.repeat, 3);
	assert_int_equal(plan->steps[0].local.tone_hz, 0);
	rig_echo[0] = before;
}

static void voicemail_tells_the_caller_unless_it_hides(void **state)
{
	struct service_rig *rig = *state;
	struct config_action before = rig_echo[0];
	const struct call_mailbox *mailbox;
	struct call_plan *plan;

	rig_echo[0] = (struct config_action){ .kind = ACTION_VOICEMAIL,
					      .mailbox = TEXT("office"),
					      .voicemail_dir = TEXT("/mail"),
					      .beep = true,
					      .message_s = 60,
					      .silence_s = 4 };
	plan = rig_decide(rig, "+004712345678", "+4799000009");
	assert_labels(plan, "voicemail office");
	mailbox = plan->steps[0].mailbox;
	assert_string_equal(mailbox->folder, "/mail/office");
	assert_string_equal(mailbox->name, "office");
	assert_string_equal(mailbox->caller, "+4799000009");
	assert_string_equal(mailbox->called, "+4712345678");
	assert_int_equal(mailbox->max_ms, 60000);
	assert_int_equal(mailbox->silence_ms, 4000);
	rig_header(rig, "Privacy", "id");
	plan = rig_decide(rig, "+004712345678", "+4799000009");
	assert_string_equal(plan->steps[0].mailbox->caller, "");
	rig_echo[0] = before;
}

static void forked_call_is_never_looped(void **state)
{
	struct service_rig *rig = *state;
	struct call_plan *plan = rig_decide(rig, "+014799000003", "+4712345678");

	assert_labels(plan, "dial web");
	assert_int_equal(plan->route_type, ROUTE_TYPE_FORK);
}

static void fallback_without_another_step_is_unavailable(void **state)
{
	struct service_rig *rig = *state;
	struct call_plan *plan = rig_decide(rig, "+014799000004", "+4712345678");

	assert_labels(plan, "reject 480");
	assert_int_equal(plan->steps[0].cause, CAUSE_UNAVAILABLE);
}

static void unknown_number_is_looped_untouched(void **state)
{
	struct service_rig *rig = *state;
	struct call_plan *plan = rig_decide(rig, "+004712345678", "+4711111111");

	assert_labels(plan, "loop");
	assert_true(plan->steps[0].bypass);
	assert_string_equal(plan->number, "");
	assert_string_equal(plan->service, "unknown");
}

static bool consents(const char *number, void *arg)
{
	(void)arg;
	return !strcmp(number, "+4712345678");
}

static void a_number_whose_owner_consents_has_the_rules_of_all_such(void **state)
{
	struct service_rig *rig = *state;
	static struct config_consents template = { .route_type = ROUTE_TYPE_LOOP, .service = 1 };
	const struct service_options options = { .config = &rig->config,
						 .is_registered = consents,
						 .is_consented = consents };
	struct call_plan *plan;

	rig->config.consents = &template;
	service_destroy(rig->room);
	assert_int_equal(service_create(&rig->room, &options), 0);
	plan = rig_decide(rig, "+004711111111", "+4712345678");
	assert_int_equal(plan->route_type, ROUTE_TYPE_LOOP);
	assert_string_equal(plan->number, "+4712345678");
	assert_string_equal(plan->service, "office/1");
	/* What is configured stays as it is. */
	plan = rig_decide(rig, "+014799000002", "+4712345678");
	assert_string_equal(plan->service, "loop");
	/* And nobody's stays nobody's. */
	plan = rig_decide(rig, "+004712345678", "+4711111111");
	assert_string_equal(plan->service, "unknown");
}

static const char *added_service = "office";

static bool find_added(const char *number, struct service_number *ret_number, void *arg)
{
	(void)arg;
	if (strcmp(number, "+4712345678") != 0 && strcmp(number, "+4799000002") != 0)
		return false;
	*ret_number = (struct service_number){ .route_type = ROUTE_TYPE_LOOP, .tenant = "default" };
	snprintf(ret_number->service, sizeof(ret_number->service), "%s", added_service);
	return true;
}

static void a_number_that_was_added_has_the_rules_it_was_added_with(void **state)
{
	struct service_rig *rig = *state;
	static struct config_consents template = { .route_type = ROUTE_TYPE_LOOP, .service = 0 };
	const struct service_options options = { .config = &rig->config,
						 .is_registered = consents,
						 .is_consented = consents,
						 .find_added = find_added };
	struct call_plan *plan;

	rig->config.consents = &template; /* goes behind */
	service_destroy(rig->room);
	assert_int_equal(service_create(&rig->room, &options), 0);
	plan = rig_decide(rig, "+004711111111", "+4712345678");
	assert_int_equal(plan->route_type, ROUTE_TYPE_LOOP);
	assert_string_equal(plan->number, "+4712345678");
	assert_string_equal(plan->service, "office/1");
	/* What is configured stays as it is. */
	plan = rig_decide(rig, "+014799000002", "+4712345678");
	assert_string_equal(plan->service, "loop");
	/* Without its service it is looped, until the core knows that it is gone. */
	rig->config.consents = NULL;
	added_service = "closed";
	plan = rig_decide(rig, "+004711111111", "+4712345678");
	assert_string_equal(plan->service, "unknown");
	assert_labels(plan, "loop");
	added_service = "office";
}

static void ordinary_call_of_an_ingress_number_is_looped_untouched(void **state)
{
	struct service_rig *rig = *state;

	assert_true(rig_decide(rig, "+014799000005", "+4712345678")->steps[0].bypass);
}

static void asserted_identity_counts_before_from(void **state)
{
	struct service_rig *rig = *state;

	rig->info.asserted_user = "+4799000001";
	assert_string_equal(rig_decide(rig, "+004712345678", "anonymous")->number, "+4799000001");
}

static void emergency_is_looped_first_and_untouched(void **state)
{
	struct service_rig *rig = *state;
	static const char *const users[] = { "00112", "112", "+00112", "911", "+112" };

	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		struct call_plan *plan = rig_decide(rig, users[i], "+4799000007");

		assert_labels(plan, "loop");
		assert_true(plan->emergency);
		assert_true(plan->steps[0].bypass);
		assert_string_equal(plan->service, "emergency");
	}
	assert_false(rig_decide(rig, "001123", "+4799000007")->emergency);
}

static void emergency_is_seen_in_urn_and_priority(void **state)
{
	struct service_rig *rig = *state;

	rig_header(rig, "Priority", "Emergency");
	assert_true(rig_decide(rig, "+004712345678", "+4799000007")->emergency);
	sip_headers_remove(&rig->headers, "Priority");

	rig->info.request_uri = "urn:service:sos.police";
	rig->info.request_user = rig->info.to_user = "";
	call_plan_free(rig->plan);
	rig->plan = service_decide(rig->room, &rig->info);
	assert_true(rig->plan->emergency);
	assert_string_equal(rig->plan->steps[0].request_uri, "urn:service:sos.police");
	assert_string_equal(rig->plan->steps[0].next_hop, "sips:sbc.core.example.net:5061");
}

static void spent_max_forwards_gets_483(void **state)
{
	struct service_rig *rig = *state;

	rig->info.max_forwards = 1;
	assert_labels(rig_decide(rig, "+004712345678", "+4799000002"), "reject 483");
	assert_int_equal(rig->plan->steps[0].cause, CAUSE_LOOP);
	assert_labels(rig_decide(rig, "00112", "+4799000002"), "loop");
	assert_int_equal(rig->plan->steps[0].max_forwards, 1);
	rig->info.max_forwards = 0;
	assert_labels(rig_decide(rig, "00112", "+4799000002"), "reject 483");
}

static void undialable_user_goes_back_to_the_core(void **state)
{
	struct service_rig *rig = *state;
	char user[200];

	memset(user, '9', sizeof(user) - 1);
	user[sizeof(user) - 1] = '\0';
	assert_labels(rig_decide(rig, user, "+4799000001"), "loop");
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(rule_of_the_direction_is_taken),
		T(service_without_rules_loops),
		T(direction_without_a_rule_loops),
		T(rule_of_the_caller_is_taken),
		T(rule_of_the_called_number_is_taken),
		T(strict_service_has_no_rescue),
		T(rejection_is_no_failure),
		T(answer_is_rescued_when_media_has_no_room),
		T(announcement_of_a_rejection_is_early_media_unless_told_otherwise),
		T(action_that_plays_says_what_and_how_often),
		T(voicemail_tells_the_caller_unless_it_hides),
		T(forked_call_is_never_looped),
		T(fallback_without_another_step_is_unavailable),
		T(unknown_number_is_looped_untouched),
		T(a_number_whose_owner_consents_has_the_rules_of_all_such),
		T(a_number_that_was_added_has_the_rules_it_was_added_with),
		T(ordinary_call_of_an_ingress_number_is_looped_untouched),
		T(asserted_identity_counts_before_from),
		T(emergency_is_looped_first_and_untouched),
		T(emergency_is_seen_in_urn_and_priority),
		T(spent_max_forwards_gets_483),
		T(undialable_user_goes_back_to_the_core),
	};

	return cmocka_run_group_tests_name("tas/service/route", tests, NULL, NULL);
}
