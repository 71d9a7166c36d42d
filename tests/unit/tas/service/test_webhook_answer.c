/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "tas/service/webhook_answer.h"

static struct config_sound sounds = { .path = (char *)"/srv/sounds/closed.wav" };
static struct config_action box = {
	.kind = ACTION_VOICEMAIL, .mailbox = (char *)"office", .sound = &sounds, .message_s = 60
};
static struct config_rule rules[] = { { .actions = &box, .action_count = 1 } };
static struct config_service services[] = { { .rules = rules, .rule_count = 1 } };
static struct config_device devices[] = { { .name = (char *)"anna" } };
static struct config_trunk trunks[] = { { .name = (char *)"pbx" }, { .name = (char *)"web" } };
static const struct config config = { .trunks = trunks,
				      .trunk_count = 2,
				      .devices = devices,
				      .device_count = 1,
				      .services = services,
				      .service_count = 1,
				      .sounds = &sounds };

static struct webhook_answer answer;
static char error[256];

static int parse(const char *text)
{
	error[0] = '\0';
	memset(&answer, 0, sizeof(answer));
	return webhook_answer_parse(text, strlen(text), &config, &answer, error, sizeof(error));
}

static void refused(const char *text, const char *why)
{
	assert_int_equal(parse(text), -EINVAL);
	assert_string_equal(error, why);
}

static void every_action_is_read(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"version\":1,\"action\":\"dial\",\"trunk\":\"web\","
			       "\"number\":\"*21#\",\"ring_s\":25}"),
			 0);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.actions[0].action.kind, ACTION_DIAL);
	assert_int_equal(answer.actions[0].action.trunk, 1);
	assert_int_equal(answer.actions[0].action.ring_s, 25);
	assert_string_equal(answer.actions[0].number, "*21#");
	assert_string_equal(answer.summary, "dial web");
	webhook_answer_done(&answer);

	assert_int_equal(parse("{\"actions\":[{\"action\":\"loop\",\"ring_s\":1},"
			       "{\"action\":\"answer\",\"play\":\"echo\"},"
			       "{\"action\":\"answer\",\"play\":\"tone\"},"
			       "{\"action\":\"answer\",\"play\":\"tone\",\"tone_hz\":1000},"
			       "{\"action\":\"reject\"},"
			       "{\"action\":\"reject\",\"status\":486,\"reason\":\"Ring\\u00e9r\"}"
			       "],\"version\":1}"),
			 0);
	assert_int_equal(answer.count, 6);
	assert_int_equal(answer.actions[0].action.kind, ACTION_LOOP);
	assert_int_equal(answer.actions[0].action.ring_s, 1);
	assert_int_equal(answer.actions[1].action.answer, ANSWER_ECHO);
	assert_int_equal(answer.actions[2].action.tone_hz, 425);
	assert_int_equal(answer.actions[3].action.answer, ANSWER_TONE);
	assert_int_equal(answer.actions[3].action.tone_hz, 1000);
	assert_int_equal(answer.actions[4].action.status, 603);
	assert_null(answer.actions[4].action.reason);
	assert_int_equal(answer.actions[5].action.status, 486);
	assert_string_equal(answer.actions[5].action.reason, "Ring\xc3\xa9r");
	assert_string_equal(answer.summary, "loop, answer, answer, answer, reject 603, reject 486");
	webhook_answer_done(&answer);
}

static void what_rules_can_do_answers_can_do_too(void **state)
{
	const struct config_target *targets;

	(void)state;
	assert_int_equal(parse("{\"version\":1,\"actions\":["
			       "{\"action\":\"announce\",\"play\":\"closed.wav\",\"repeat\":2,"
			       "\"answer_first\":true},"
			       "{\"action\":\"loop\",\"caller\":\"+4722000000\"},"
			       "{\"action\":\"device\",\"device\":\"anna\",\"ring_s\":9},"
			       "{\"action\":\"voicemail\",\"box\":\"office\"},"
			       "{\"action\":\"answer\",\"play\":\"/srv/sounds/closed.wav\"},"
			       "{\"action\":\"redirect\",\"to\":\"sips:a@b.example\"}]}"),
			 0);
	assert_ptr_equal(answer.actions[0].action.sound, &sounds);
	assert_int_equal(answer.actions[0].action.repeat, 2);
	assert_true(answer.actions[0].action.answer_first);
	assert_string_equal(answer.actions[1].caller, "+4722000000");
	assert_int_equal(answer.actions[2].action.device, 0);
	assert_int_equal(answer.actions[3].action.message_s, 60);
	assert_int_equal(answer.actions[4].action.answer, ANSWER_SOUND);
	assert_string_equal(answer.actions[5].action.contact, "sips:a@b.example");
	webhook_answer_done(&answer);
	assert_int_equal(parse("{\"version\":1,\"action\":\"ring\",\"order\":\"sequence\","
			       "\"targets\":[{\"trunk\":\"web\",\"number\":\"201\"},"
			       "{\"subscriber\":true,\"after_s\":5},{\"device\":\"anna\"},"
			       "{\"number\":\"+4799000077\",\"ring_s\":10}]}"),
			 0);
	targets = answer.actions[0].targets;
	assert_int_equal(answer.actions[0].target_count, 4);
	assert_int_equal(answer.actions[0].action.order, RING_SEQUENCE);
	assert_int_equal(targets[0].kind, TARGET_TRUNK);
	assert_string_equal(targets[0].number, "201");
	assert_int_equal(targets[1].kind, TARGET_SUBSCRIBER);
	assert_int_equal(targets[1].after_s, 5);
	assert_int_equal(targets[2].kind, TARGET_DEVICE);
	assert_int_equal(targets[3].kind, TARGET_NUMBER);
	webhook_answer_done(&answer);
}

#define RING(targets) "{\"version\":1,\"action\":\"ring\",\"targets\":" targets "}"

static void what_the_configuration_has_not_is_refused(void **state)
{
	(void)state;
	refused("{\"version\":1,\"action\":\"announce\",\"play\":\"../x.wav\"}",
		"`play`: no rule plays a file called `../x.wav`");
	refused("{\"version\":1,\"action\":\"announce\",\"play\":\"closed.wav\","
		"\"answer_first\":\"yes\"}",
		"`answer_first`: must be true or false");
	refused("{\"version\":1,\"action\":\"voicemail\",\"box\":\"../x\"}",
		"`box`: no rule has a mailbox called `../x`");
	refused("{\"version\":1,\"action\":\"device\",\"device\":\"eve\"}",
		"`device`: no device is called `eve`");
	refused("{\"version\":1,\"action\":\"loop\",\"caller\":\"4722\"}",
		"`caller`: is not a number to call back. Send one of yours, such as +4722000000");
	refused("{\"version\":1,\"action\":\"redirect\",\"to\":\"sip:a@b>,<sip:c@d\"}",
		"`to`: is not an address to call. Send sips:user@host or tel:+4722000000");
	refused("{\"version\":1,\"action\":\"redirect\",\"to\":\"sip:a@b\\r\\nX: 1\"}",
		"`to`: is not an address to call. Send sips:user@host or tel:+4722000000");
	refused(RING("[]"), "`targets`: must be a list of 1 to 8 targets");
	refused(RING("[1]"), "`targets[0].`: must be an object");
	refused(RING("[{}]"),
		"`targets[0].trunk`: send one of `trunk`, `device`, `subscriber`, `number`");
	refused(RING("[{\"subscriber\":true},{\"device\":\"anna\",\"trunk\":\"pbx\"}]"),
		"`targets[1].trunk`: send one of `trunk`, `device`, `subscriber`, `number`");
	refused(RING("[{\"subscriber\":false}]"), "`targets[0].subscriber`: must be true");
	refused(RING("[{\"number\":\"201\"}]"),
		"`targets[0].number`: cannot be asked of the core. Send it with its country code, "
		"or a `trunk` too");
	refused(RING("[{\"trunk\":\"pbx\",\"action\":\"loop\"}]"),
		"`targets[0].action`: `a target` has no such member");
}

static void next_is_no_action(void **state)
{
	(void)state;
	assert_int_equal(parse(" {\"version\":1,\"action\":\"next\"} "), 0);
	assert_int_equal(answer.count, 0);
	assert_string_equal(answer.summary, "next");
	webhook_answer_done(&answer);
}

static void what_is_no_answer_is_refused(void **state)
{
	(void)state;
	assert_int_equal(parse(""), -EINVAL);
	assert_int_equal(parse("{\"version\":1,\"action\":\"loop\",\"action\":\"loop\"}"), -EINVAL);
	assert_non_null(strstr(error, "no JSON at line 1 column"));
	refused("[]", "``: must be a JSON object");
	refused("{}", "`version`: must be 1");
	refused("{\"version\":\"1\",\"action\":\"loop\"}", "`version`: must be 1");
	refused("{\"version\":2,\"action\":\"loop\"}", "`version`: must be 1");
	refused("{\"version\":1}", "`action`: is missing, or is no text");
	refused("{\"version\":1,\"action\":3}", "`action`: is missing, or is no text");
	refused("{\"version\":1,\"action\":\"fly\"}",
		"`action`: `fly` is not known. Known: loop, dial, device, ring, announce, "
		"answer, voicemail, reject, redirect, next");
	refused("{\"version\":1,\"actions\":[]}", "`actions`: must be a list of 1 to 8 actions");
	refused("{\"version\":1,\"actions\":{}}", "`actions`: must be a list of 1 to 8 actions");
	refused("{\"version\":1,\"actions\":[7]}",
		"`actions[0].action`: is missing, or is no text");
	refused("{\"version\":1,\"actions\":[{\"action\":\"next\"}]}",
		"`actions[0].action`: `next` is not known. Known: loop, dial, device, ring, "
		"announce, "
		"answer, voicemail, reject, redirect");
	refused("{\"version\":1,\"actions\":[{\"action\":\"loop\"}],\"action\":\"loop\"}",
		"`action`: may not stand beside `actions`");
	refused("{\"version\":1,\"action\":\"next\",\"why\":1}",
		"`why`: may not stand beside `action`");
}

static void what_a_member_may_not_be_is_said(void **state)
{
	(void)state;
	refused("{\"version\":1,\"action\":\"loop\",\"ring\":5}",
		"`ring`: `loop` has no such member");
	refused("{\"version\":1,\"actions\":[{\"action\":\"loop\",\"version\":1}]}",
		"`actions[0].version`: `loop` has no such member");
	refused("{\"version\":1,\"action\":\"loop\",\"ring_s\":601}",
		"`ring_s`: must be a whole number from 1 to 600");
	refused("{\"version\":1,\"action\":\"loop\",\"ring_s\":4294967297}",
		"`ring_s`: must be a whole number from 1 to 600");
	refused("{\"version\":1,\"action\":\"loop\",\"ring_s\":\"5\"}",
		"`ring_s`: must be a whole number from 1 to 600");
	refused("{\"version\":1,\"action\":\"dial\"}", "`trunk`: is missing");
	refused("{\"version\":1,\"action\":\"dial\",\"trunk\":\"pb\"}",
		"`trunk`: no trunk is called `pb`");
	refused("{\"version\":1,\"action\":\"dial\",\"trunk\":null}", "`trunk`: must be a text");
	refused("{\"version\":1,\"action\":\"answer\",\"play\":\"song\"}",
		"`play`: no rule plays a file called `song`");
	refused("{\"version\":1,\"action\":\"reject\",\"status\":200}",
		"`status`: must be a whole number from 400 to 699");
}

static void numbers_and_reasons_cannot_smuggle_anything(void **state)
{
	static const char *const numbers[] = {
		"",        "+",           "+47x",
		"+47*1",   "1@evil",      "1;tag=2",
		"1%0d%0a", "1\\r\\nX: y", "+470000000000000000000000000000000"
	};
	static const char *const reasons[] = { "", "a\\r\\nX-Evil: 1", "a\\u0007", "a\\u007f",
					       "12345678901234567890123456789012"
					       "123456789012345678901234567890123" };
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		snprintf(text, sizeof(text),
			 "{\"version\":1,\"action\":\"dial\",\"trunk\":\"pbx\",\"number\":\"%s\"}",
			 numbers[i]);
		refused(text, "`number`: is no number. Send digits, with or without +");
	}
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		snprintf(text, sizeof(text),
			 "{\"version\":1,\"action\":\"reject\",\"reason\":\"%s\"}", reasons[i]);
		refused(text, "`reason`: must be a line of 1 to 64 bytes");
	}
	assert_int_equal(parse("{\"version\":1,\"action\":\"reject\",\"reason\":\"a\\u0000b\"}"),
			 -EINVAL);
	refused("{\"version\":1,\"action\":\"a\\nb\"}",
		"`action`: `?` is not known. Known: loop, dial, device, ring, announce, "
		"answer, voicemail, reject, redirect, next");
	refused("{\"version\":1,\"action\":\"loop\",\"a\\nb\":1}",
		"`?`: `loop` has no such member");
}

static void a_summary_of_many_actions_is_cut_short(void **state)
{
	char text[1024] = "{\"version\":1,\"actions\":[";

	(void)state;
	for (int i = 0; i < WEBHOOK_ACTION_MAX; i++)
		strcat(text, i ? ",{\"action\":\"reject\"}" : "{\"action\":\"reject\"}");
	strcat(text, "]}");
	assert_int_equal(parse(text), 0);
	assert_int_equal(strlen(answer.summary), sizeof(answer.summary) - 1);
	webhook_answer_done(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_action_is_read),
		cmocka_unit_test(what_rules_can_do_answers_can_do_too),
		cmocka_unit_test(what_the_configuration_has_not_is_refused),
		cmocka_unit_test(next_is_no_action),
		cmocka_unit_test(what_is_no_answer_is_refused),
		cmocka_unit_test(what_a_member_may_not_be_is_said),
		cmocka_unit_test(numbers_and_reasons_cannot_smuggle_anything),
		cmocka_unit_test(a_summary_of_many_actions_is_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
