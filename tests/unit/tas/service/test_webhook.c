/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/service_rig.h"

#include <jansson.h>
#include <unistd.h>
#include "base/clock.h"

#define CALLER "+4799000001" /* of the service "office" */
#define CALLED "+004712345678"

static char *told_headers[] = { TEXT("Diversion"), TEXT("X-Absent") };
static char secret_path[] = "/tmp/breakout-secret-XXXXXX";
static struct config_webhook webhook = { .url = TEXT("https://crm.example.com/calls?key=1"),
					 .ca_file = TEXT("/ca.pem"),
					 .secret_file = secret_path,
					 .deadline_ms = 800,
					 .connections = 32,
					 .queue = 256,
					 .headers = told_headers,
					 .header_count = 2 };
static struct config_action actions[2];
static struct config_rule rules[3];
static struct config_service office;
static int hooks; /* somewhere to point to */

static void put_secret(const char *text)
{
	FILE *file = fopen(secret_path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* The service "office" has these rules instead; the room knows the webhook. */
static int setup(void **state)
{
	struct service_rig *rig;
	int fd = mkstemp(strcpy(secret_path, "/tmp/breakout-secret-XXXXXX"));

	assert_true(fd >= 0);
	close(fd);
	put_secret("s3cret\n");
	assert_int_equal(rig_setup(state), 0);
	rig = *state;
	office = rig_services[RIG_OFFICE];
	actions[0] = (struct config_action){ .kind = ACTION_WEBHOOK, .webhook = &webhook };
	actions[1] = rig_echo[0];
	rules[0] = (struct config_rule){ .directions = 7, .actions = actions, .action_count = 1 };
	rules[1] = (struct config_rule){ .directions = DIRECTION_MT,
					 .actions = rig_refuse,
					 .action_count = 1 };
	rules[2] = rig_tone_rules[0];
	rig_services[RIG_OFFICE].rules = rules;
	rig_services[RIG_OFFICE].rule_count = 3;
	rig->config.webhooks = &webhook;
	rig->config.webhook_count = 1;
	service_destroy(rig->room);
	clock_fake_wall_set(1700000000123);
	return service_create(&rig->room,
			      &(struct service_options){ .config = &rig->config,
							 .hooks = (struct hook_room *)&hooks });
}

static int teardown(void **state)
{
	rig_services[RIG_OFFICE] = office;
	unlink(secret_path);
	clock_real();
	return rig_teardown(state);
}

/* Decides, and begins the first step's question. */
static int ask(struct service_rig *rig)
{
	struct call_question *question;

	rig_decide(rig, CALLED, CALLER);
	question = rig->plan->steps[0].question;
	assert_non_null(question);
	return question->ask(question, (struct call *)&rig->info);
}

static void says(struct service_rig *rig, const char *body)
{
	assert_int_equal(ask(rig), 0);
	fake_hook_reply(HOOK_ANSWERED, 200, body);
}

static void a_webhook_is_a_step_with_its_deadline(void **state)
{
	struct service_rig *rig = *state;
	const struct call_plan *plan = rig_decide(rig, CALLED, CALLER);

	assert_int_equal(plan->steps[0].kind, CALL_STEP_ASK);
	assert_string_equal(plan->steps[0].label, "webhook crm.example.com");
	assert_int_equal(plan->steps[0].ask_ms, 800);
	assert_int_equal(fake_posts, 0); /* deciding asks nobody */
}

static void the_rules_after_it_are_for_what_it_leaves_undecided(void **state)
{
	struct service_rig *rig = *state;
	const struct call_plan *plan = rig_decide(rig, CALLED, CALLER);

	assert_labels(plan, "webhook crm.example.com, answer tone, loop?");
	assert_int_equal(plan->steps[1].turn, CALL_TURN_UNADVISED);
	assert_int_equal(plan->steps[2].turn, CALL_TURN_ALWAYS);
	plan = rig_decide(rig, "+014799000001", "+4712345678");
	assert_labels(plan, "webhook crm.example.com, reject 603, loop?");
	assert_int_equal(plan->steps[1].turn, CALL_TURN_UNADVISED);
}

static void without_another_rule_it_loops(void **state)
{
	struct service_rig *rig = *state;
	const struct call_plan *plan;

	rig_services[RIG_OFFICE].rule_count = 1;
	plan = rig_decide(rig, CALLED, CALLER);
	assert_labels(plan, "webhook crm.example.com, loop, loop?");
	assert_false(plan->steps[1].bypass);
	assert_int_equal(plan->steps[1].turn, CALL_TURN_UNADVISED);
	assert_int_equal(plan->steps[2].turn, CALL_TURN_ADVISED); /* for what it may say */
	/* A forked call is never looped. */
	plan = rig_decide(rig, "+014799000003", "+4712345678");
	assert_labels(plan, "webhook crm.example.com, reject 480");
}

static void the_actions_after_it_are_always_tried(void **state)
{
	struct service_rig *rig = *state;
	const struct call_plan *plan;

	rules[0].action_count = 2;
	plan = rig_decide(rig, CALLED, CALLER);
	assert_labels(plan, "webhook crm.example.com, answer echo, loop?");
	assert_int_equal(plan->steps[1].turn, CALL_TURN_ALWAYS);
}

static void two_webhooks_may_follow_each_other(void **state)
{
	struct service_rig *rig = *state;

	rules[2] = rules[0];
	assert_labels(rig_decide(rig, CALLED, CALLER),
		      "webhook crm.example.com, webhook crm.example.com, loop, loop?");
}

static void the_request_tells_the_call(void **state)
{
	struct service_rig *rig = *state;
	json_t *told;
	const char *from, *to, *time, *call, *direction, *diversion[2];

	rig_header(rig, "diversion", "<sip:+4711111111@x>;reason=\"no\"");
	rig_header(rig, "Diversion", "second\xff");
	rig_header(rig, "X-Untold", "no");
	assert_int_equal(ask(rig), 0);
	told = json_loads(fake_ask.body, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(told);
	assert_int_equal(json_unpack(told, "{s:s, s:s, s:s, s:s, s:s, s:{s:[ss], s:[]}}", "from",
				     &from, "to", &to, "time", &time, "call", &call, "direction",
				     &direction, "headers", "Diversion", &diversion[0],
				     &diversion[1], "X-Absent"),
			 0);
	assert_string_equal(from, CALLER);
	assert_string_equal(to, "+4712345678");
	assert_string_equal(time, "2023-11-14T22:13:20Z");
	assert_string_equal(call, "0123456789abcdef");
	assert_string_equal(direction, "mo");
	assert_string_equal(diversion[0], "<sip:+4711111111@x>;reason=\"no\"");
	assert_string_equal(diversion[1], "second\xef\xbf\xbd");
	assert_int_equal(json_object_size(json_object_get(told, "headers")), 2);
	json_decref(told);
	assert_string_equal(fake_ask.url, "https://crm.example.com/calls?key=1");
	assert_string_equal(fake_ask.ca_file, "/ca.pem");
	assert_string_equal(fake_ask.secret, "s3cret");
	assert_int_equal(fake_ask.deadline_ms, 800);
	assert_int_equal(fake_ask.connections, 32);
	assert_int_equal(fake_ask.queue, 256);
}

static void its_actions_become_steps(void **state)
{
	struct service_rig *rig = *state;

	says(rig, "{\"version\":1,\"actions\":["
		  "{\"action\":\"dial\",\"trunk\":\"pbx\",\"number\":\"4711\",\"ring_s\":5},"
		  "{\"action\":\"dial\",\"trunk\":\"web\"},{\"action\":\"loop\"}]}");
	assert_labels(fake_advice, "dial pbx, dial pbx/2?, dial web, loop");
	assert_string_equal(fake_advice->steps[0].request_uri,
			    "sip:4711@192.0.2.10:5060;transport=tcp");
	assert_int_equal(fake_advice->steps[0].ring_ms, 5000);
	assert_string_equal(fake_advice->steps[2].request_uri, "sip:+4712345678@pbx.example.org");
	assert_string_equal(fake_advice->steps[3].request_uri,
			    "sips:+4712345678@sbc.core.example.net:5061");
	assert_string_equal(fake_summary, "dial pbx, dial web, loop");
}

static void next_brings_no_steps(void **state)
{
	struct service_rig *rig = *state;

	says(rig, "{\"version\":1,\"action\":\"next\"}");
	assert_int_equal(fake_advice->step_count, 0);
	assert_string_equal(fake_summary, "next");
	assert_int_equal(ask(rig), 0);
	fake_hook_reply(HOOK_ANSWERED, 204, "");
	assert_string_equal(fake_summary, "next");
}

static void a_loop_is_not_for_a_forked_call(void **state)
{
	struct service_rig *rig = *state;
	struct call_question *question;

	rig_decide(rig, "+014799000003", "+4712345678");
	question = rig->plan->steps[0].question;
	assert_int_equal(question->ask(question, (struct call *)&rig->info), 0);
	fake_hook_reply(HOOK_ANSWERED, 200, "{\"version\":1,\"action\":\"loop\"}");
	assert_int_equal(fake_advice->step_count, 0);
}

static void trouble_brings_no_steps_and_says_why(void **state)
{
	struct service_rig *rig = *state;

	says(rig, "nonsense");
	assert_string_equal(fake_summary, "bad answer");
	assert_int_equal(ask(rig), 0);
	fake_hook_reply(HOOK_STATUS, 503, "{\"version\":1,\"action\":\"reject\"}");
	assert_string_equal(fake_summary, "HTTP status 503");
	assert_int_equal(ask(rig), 0);
	fake_hook_reply(HOOK_TIMEOUT, 0, "");
	assert_string_equal(fake_summary, "timeout");
	assert_int_equal(fake_advised, 3);
	assert_int_equal(fake_advice->step_count, 0);
}

static void who_stops_hears_nothing(void **state)
{
	struct service_rig *rig = *state;
	struct call_question *question;

	assert_int_equal(ask(rig), 0);
	question = rig->plan->steps[0].question;
	question->stop(question);
	question->stop(question);
	assert_int_equal(fake_cancels, 1);
	assert_int_equal(fake_advised, 0);
}

static void a_server_that_is_not_asked_is_told_at_once(void **state)
{
	struct service_rig *rig = *state;

	fake_post_fails = -EAGAIN;
	assert_int_equal(ask(rig), -EAGAIN);
	assert_int_equal(fake_advised, 0);
}

static void without_its_secret_it_is_not_asked(void **state)
{
	struct service_rig *rig = *state;

	put_secret("\n");
	service_reconfigure(rig->room, &rig->config, NULL);
	assert_int_equal(ask(rig), -EACCES);
	assert_int_equal(fake_posts, 0);
	put_secret("other\n");
	service_reconfigure(rig->room, &rig->config, NULL);
	assert_int_equal(ask(rig), 0);
	assert_string_equal(fake_ask.secret, "other");
}

static void a_question_outlives_the_configuration_it_came_from(void **state)
{
	struct service_rig *rig = *state;
	struct config_webhook *mortal = malloc(sizeof(*mortal));
	struct call_question *question;

	assert_non_null(mortal);
	*mortal = webhook;
	actions[0].webhook = mortal;
	rig_decide(rig, CALLED, CALLER);
	memset(mortal, 0x5a, sizeof(*mortal));
	free(mortal);
	actions[0].webhook = &webhook;
	question = rig->plan->steps[0].question;
	assert_int_equal(question->ask(question, (struct call *)&rig->info), 0);
	assert_string_equal(fake_ask.url, "https://crm.example.com/calls?key=1");
}

static void an_emergency_call_has_no_question(void **state)
{
	struct service_rig *rig = *state;

	assert_labels(rig_decide(rig, "00112", CALLER), "loop");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_webhook_is_a_step_with_its_deadline),
		T(the_rules_after_it_are_for_what_it_leaves_undecided),
		T(without_another_rule_it_loops),
		T(the_actions_after_it_are_always_tried),
		T(two_webhooks_may_follow_each_other),
		T(the_request_tells_the_call),
		T(its_actions_become_steps),
		T(next_brings_no_steps),
		T(a_loop_is_not_for_a_forked_call),
		T(trouble_brings_no_steps_and_says_why),
		T(who_stops_hears_nothing),
		T(a_server_that_is_not_asked_is_told_at_once),
		T(without_its_secret_it_is_not_asked),
		T(a_question_outlives_the_configuration_it_came_from),
		T(an_emergency_call_has_no_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
