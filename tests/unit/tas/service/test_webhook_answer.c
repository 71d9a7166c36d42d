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

static struct config_trunk trunks[] = { { .name = (char *)"pbx" }, { .name = (char *)"web" } };
static const struct config config = { .trunks = trunks, .trunk_count = 2 };

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
		"`action`: `fly` is not known. Known: loop, dial, answer, reject, next");
	refused("{\"version\":1,\"actions\":[]}", "`actions`: must be a list of 1 to 8 actions");
	refused("{\"version\":1,\"actions\":{}}", "`actions`: must be a list of 1 to 8 actions");
	refused("{\"version\":1,\"actions\":[7]}",
		"`actions[0].action`: is missing, or is no text");
	refused("{\"version\":1,\"actions\":[{\"action\":\"next\"}]}",
		"`actions[0].action`: `next` is not known. Known: loop, dial, answer, reject");
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
		"`play`: must be `echo` or `tone`");
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
		"`action`: `?` is not known. Known: loop, dial, answer, reject, next");
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
		cmocka_unit_test(next_is_no_action),
		cmocka_unit_test(what_is_no_answer_is_refused),
		cmocka_unit_test(what_a_member_may_not_be_is_said),
		cmocka_unit_test(numbers_and_reasons_cannot_smuggle_anything),
		cmocka_unit_test(a_summary_of_many_actions_is_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
