/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#define TRUNKS BASE "trunks: [ { name: a, uris: sip:a }, { name: b, uris: sip:b } ]\n"

static void loop_is_built_in_as_the_first(void **state)
{
	struct config *config = expect_config(BASE);
	const struct config_service *loop = &config->services[0];

	(void)state;
	assert_int_equal(config->service_count, 1);
	assert_string_equal(loop->name, "loop");
	assert_true(loop->fail_to_loop);
	assert_int_equal(loop->rule_count, 1);
	assert_int_equal(loop->rules[0].directions, 7);
	assert_int_equal(loop->rules[0].action_count, 1);
	assert_int_equal(loop->rules[0].actions[0].kind, ACTION_LOOP);
	config_destroy(config);
}

static void every_action_is_read(void **state)
{
	struct config *config = expect_config(
		TRUNKS
		"services:\n"
		"  s:\n"
		"    - when: { direction: mt }\n"
		"      do:\n"
		"        - dial: b\n"
		"        - dial: { trunk: a, ring: 25s }\n"
		"        - loop\n"
		"        - loop: { ring: 30s }\n"
		"        - loop:\n"
		"    - when: { direction: [mo, unknown] }\n"
		"      do: [ answer: echo, answer: tone, answer: { tone: 1000 } ]\n"
		"    - do: [ reject, reject: 486, reject: { status: 600, reason: Not today } ]\n"
		"    - when: {}\n"
		"      do: loop\n");
	const struct config_service *service = &config->services[1];
	const struct config_action *action = service->rules[0].actions;

	(void)state;
	assert_int_equal(config->service_count, 2);
	assert_string_equal(service->name, "s");
	assert_true(service->fail_to_loop);
	assert_int_equal(service->rule_count, 4);
	assert_int_equal(service->rules[0].directions, DIRECTION_MT);
	assert_int_equal(service->rules[0].action_count, 5);
	assert_int_equal(action[0].kind, ACTION_DIAL);
	assert_int_equal(action[0].trunk, 1);
	assert_int_equal(action[0].ring_s, 0);
	assert_int_equal(action[1].trunk, 0);
	assert_int_equal(action[1].ring_s, 25);
	assert_int_equal(action[2].kind, ACTION_LOOP);
	assert_int_equal(action[2].ring_s, 0);
	assert_int_equal(action[3].ring_s, 30);
	assert_int_equal(action[4].kind, ACTION_LOOP);
	assert_int_equal(service->rules[1].directions, DIRECTION_MO | DIRECTION_UNKNOWN);
	action = service->rules[1].actions;
	assert_int_equal(action[0].kind, ACTION_ANSWER);
	assert_int_equal(action[0].answer, ANSWER_ECHO);
	assert_int_equal(action[1].answer, ANSWER_TONE);
	assert_int_equal(action[1].tone_hz, 425);
	assert_int_equal(action[2].answer, ANSWER_TONE);
	assert_int_equal(action[2].tone_hz, 1000);
	assert_int_equal(service->rules[2].directions, 7);
	action = service->rules[2].actions;
	assert_int_equal(action[0].kind, ACTION_REJECT);
	assert_int_equal(action[0].status, 603);
	assert_int_equal(action[1].status, 486);
	assert_null(action[1].reason);
	assert_int_equal(action[2].status, 600);
	assert_string_equal(action[2].reason, "Not today");
	assert_int_equal(service->rules[3].directions, 7);
	config_destroy(config);
}

static void files_to_play_are_listed_once_with_their_place(void **state)
{
	struct config *config = expect_config(
		BASE
		"services:\n"
		"  s:\n"
		"    - do:\n"
		"        - answer: { play: sounds/welcome.wav }\n"
		"        - answer: { play: /other.wav, repeat: forever }\n"
		"        - reject: { status: 480, announcement: sounds/welcome.wav, repeat: 3 }\n"
		"        - reject: { announcement: /other.wav, answer_first: yes }\n");
	const struct config_action *action = config->services[1].rules[0].actions;
	char wanted[160];

	(void)state;
	assert_int_equal(config->sound_count, 2);
	assert_int_equal(action[0].answer, ANSWER_SOUND);
	(void)snprintf(wanted, sizeof(wanted), "%s/sounds/welcome.wav", folder);
	assert_string_equal(action[0].sound->path, wanted);
	(void)snprintf(wanted, sizeof(wanted), "%s/breakout.yaml:8:27", folder);
	assert_string_equal(action[0].sound->at, wanted);
	assert_int_equal(action[0].sound->index, 0);
	assert_int_equal(action[0].repeat, 1);
	assert_string_equal(action[1].sound->path, "/other.wav");
	assert_int_equal(action[1].repeat, 0);
	assert_ptr_equal(action[2].sound, action[0].sound);
	assert_int_equal(action[2].repeat, 3);
	assert_false(action[2].answer_first);
	assert_ptr_equal(action[3].sound, action[1].sound);
	assert_true(action[3].answer_first);
	assert_int_equal(action[3].status, 603);
	config_destroy(config);
}

static void a_mailbox_is_read_in_full_or_by_its_name(void **state)
{
	struct config *config = expect_config(
		BASE
		"services:\n"
		"  s:\n"
		"    - do:\n"
		"        - voicemail: office\n"
		"        - voicemail: { box: +4799000001, greeting: hello.wav, repeat: 2,\n"
		"                       beep: no, max_length: 30s, silence: 0, dir: mail }\n"
		"registrations: [ { number: '+4799000001', route_type: fork, service: s } ]\n");
	const struct config_action *action = config->services[1].rules[0].actions;
	char wanted[160];

	(void)state;
	assert_int_equal(action[0].kind, ACTION_VOICEMAIL);
	assert_string_equal(action[0].mailbox, "office");
	assert_string_equal(action[0].voicemail_dir, "/var/lib/breakout/voicemail");
	assert_null(action[0].sound);
	assert_true(action[0].beep);
	assert_int_equal(action[0].message_s, 180);
	assert_int_equal(action[0].silence_s, 5);
	assert_string_equal(action[1].mailbox, "+4799000001");
	(void)snprintf(wanted, sizeof(wanted), "%s/mail", folder);
	assert_string_equal(action[1].voicemail_dir, wanted);
	assert_non_null(action[1].sound);
	assert_int_equal(action[1].repeat, 2);
	assert_false(action[1].beep);
	assert_int_equal(action[1].message_s, 30);
	assert_int_equal(action[1].silence_s, 0);
	config_destroy(config);
}

static void announcements_go_before_something_else(void **state)
{
	struct config *config = expect_config(
		TRUNKS
		"services:\n"
		"  s: [ { do: [ announce: a.wav, dial: a, announce: { play: b.wav, repeat: 2,"
		" answer_first: yes }, loop ] } ]\n");
	const struct config_action *action = config->services[1].rules[0].actions;

	(void)state;
	assert_int_equal(action[0].kind, ACTION_ANNOUNCE);
	assert_int_equal(action[0].repeat, 1);
	assert_int_equal(action[2].repeat, 2);
	assert_false(action[0].answer_first);
	assert_true(action[2].answer_first);
	assert_int_equal(config->sound_count, 2);
	config_destroy(config);
	expect(TRUNKS "services:\n"
		      "  s: [ { do: { announce: a.wav } } ]\n"
		      "  t: [ { do: [ announce: { play: a.wav, repeat: forever }, loop ] } ]\n"
		      "  u: [ { do: [ announce: a.wav, dial: a, ring: [ a, b ] ] } ]\n"
		      "  v: [ { do: [ announce: { play: a.wav, answer_first: yes },"
		      " redirect: sip:a@b ] } ]\n",
	       ERROR(7, 14,
		     "nothing follows the announcement. Write the action it goes before, or "
		     "`answer: { play: FILE.wav }`") ERROR(8, 26,
							   "what is played forever is never "
							   "followed by the next action. Write a "
							   "number after `repeat`")
		       ERROR(9, 42,
			     "targets cannot ring together after `announce`. Write an "
			     "`order` in which they take turns, such as `order: sequence`")
			       ERROR(10, 62,
				     "a caller cannot be redirected after `announce` has answered. "
				     "Leave out `answer_first`, or `dial` or `loop` to whom it is "
				     "to "
				     "reach"));
}

static void mistakes_about_a_mailbox_are_told(void **state)
{
	(void)state;
	expect(BASE "services:\n"
		    "  s:\n"
		    "    - do:\n"
		    "        - voicemail\n"
		    "        - voicemail: ../etc\n"
		    "        - voicemail: .hidden\n"
		    "        - voicemail: { box: a, greeting: a.wav, repeat: forever }\n",
	       ERROR(8, 11, "`voicemail.box` is missing: the name of the folder its messages go to")
		       ERROR(9, 22,
			     "`voicemail.box`: `../etc` cannot name a mailbox. Write up to 64 "
			     "letters, digits and + - _ ., the first no dot")
			       ERROR(10, 22,
				     "`voicemail.box`: `.hidden` cannot name a mailbox. Write up "
				     "to 64 letters, digits and + - _ ., the first no dot")
				       ERROR(11, 22,
					     "what is played forever is never followed by the "
					     "message. Write a number after `repeat`"));
}

static void mistakes_about_what_to_play_are_told(void **state)
{
	(void)state;
	expect(BASE "services:\n"
		    "  s:\n"
		    "    - do:\n"
		    "        - answer: {}\n"
		    "        - answer: { tone: 425, play: a.wav }\n"
		    "        - answer: { play: a.wav, repeat: often }\n"
		    "        - answer: { play: a.wav, repeat: 0 }\n"
		    "        - reject: { announcement: a.wav, repeat: forever }\n",
	       ERROR(8, 19,
		     "`answer` needs either a tone or a file. Write `{ tone: 425 }` or `{ play: "
		     "FILE.wav }`")
		       ERROR(9, 19,
			     "`answer` needs either a tone or a file. Write `{ tone: 425 }` or `{ "
			     "play: FILE.wav }`")
			       ERROR(10, 42,
				     "`answer.repeat`: `often` is not a whole number. Write "
				     "digits only")
				       ERROR(11, 42,
					     "`answer.repeat`: `0` is out of range. Write 1 to "
					     "1000") ERROR(12, 19,
							   "what is played forever is never "
							   "followed by the rejection. Write a "
							   "number after `repeat`"));
}

static void a_file_to_play_that_is_not_there_is_told(void **state)
{
	char key[64];

	(void)state;
	put("cert.pem", "");
	put("key.pem", "");
	(void)snprintf(key, sizeof(key), "%s/key.pem", folder);
	assert_int_equal(chmod(key, 0600), 0);
	expect_as(true,
		  BASE "services: { s: [ { do: { answer: { play: /nonexistent/a.wav } } } ] }\n",
		  ERROR(5, 42,
			"`answer.play`: cannot read /nonexistent/a.wav: No such file or directory. "
			"Check path and permissions"));
}

static void a_service_in_full_says_what_failure_means(void **state)
{
	struct config *config =
		expect_config(BASE "services:\n  a: { on_failure: reject, rules: [ do: loop ] }\n"
				   "  b: { rules: [ { do: loop } ] }\n");

	(void)state;
	assert_false(config->services[1].fail_to_loop);
	assert_true(config->services[2].fail_to_loop);
	assert_int_equal(config->services[1].rule_count, 1);
	config_destroy(config);
}

static void mistakes_of_services_are_found(void **state)
{
	(void)state;
	expect(BASE "services:\n"
		    "  loop: [ do: loop ]\n"
		    "  a: loop\n"
		    "  b: []\n"
		    "  c: { on_failure: retry, rule: [] }\n"
		    "  d: { rules: [] }\n",
	       ERROR(6, 3, "the service `loop` is built in. Choose another name") ERROR(
		       7, 6, "the service `a` must be a list of rules. Write `- do: loop` below it")
		       ERROR(8, 3, "the service `b` has no rules. Write `- do: loop` below it")
			       ERROR(9, 3,
				     "`service.rules` is missing: a list of rules, the first that "
				     "matches is "
				     "used") ERROR(9, 20,
						   "`service.on_failure`: `retry` is not known "
						   "here. Known: reject, loop")
				       ERROR(9, 27,
					     "unknown key `rule` in `service`. Did you mean "
					     "`rules`?") ERROR(10, 3,
							       "the service `d` has no rules. "
							       "Write `- do: loop` below it"));
}

static void numbers_of_a_rule_are_read(void **state)
{
	const struct config_rule *rule;
	struct config *config = expect_config(BASE "services:\n"
						   "  a:\n"
						   "    - when: { caller: [anonymous, +47*], "
						   "called: +4799000000-+4799000099 }\n"
						   "      do: loop\n"
						   "    - when: { called: \"1881\" }\n"
						   "      do: loop\n");

	(void)state;
	rule = &config->services[1].rules[0];
	assert_int_equal(rule->caller_count, 2);
	assert_int_equal(rule->callers[0].kind, PATTERN_ANONYMOUS);
	assert_int_equal(rule->callers[1].kind, PATTERN_PREFIX);
	assert_true(config_pattern_matches(&rule->callers[1], "+4712345678"));
	assert_false(config_pattern_matches(&rule->callers[1], "+4612345678"));
	assert_false(config_pattern_matches(&rule->callers[0], ""));
	assert_int_equal(rule->called_count, 1);
	assert_true(config_pattern_matches(&rule->called[0], "+4799000000"));
	assert_true(config_pattern_matches(&rule->called[0], "+4799000099"));
	assert_false(config_pattern_matches(&rule->called[0], "+4799000100"));
	assert_false(config_pattern_matches(&rule->called[0], "+47990000500"));
	assert_false(config_pattern_matches(&rule->called[0], "+479900005"));
	rule = &config->services[1].rules[1];
	assert_int_equal(rule->caller_count, 0);
	assert_true(config_pattern_matches(&rule->called[0], "1881"));
	assert_false(config_pattern_matches(&rule->called[0], "18811"));
	config_destroy(config);
}

#define PATTERN_HELP                                                                               \
	" is not a number, a range or a beginning. Write \"+4799000001\", "                        \
	"\"+4799000000-+4799000099\" with two numbers of one length, or \"+47*\""

static void mistakes_in_numbers_are_found(void **state)
{
	(void)state;
	expect(BASE "services:\n"
		    "  a:\n"
		    "    - when: { caller: bob }\n"
		    "      do: loop\n"
		    "    - when: { called: anonymous }\n"
		    "      do: loop\n"
		    "    - when: { called: +47990-+479900 }\n"
		    "      do: loop\n"
		    "    - when: { called: +479-+471 }\n"
		    "      do: loop\n"
		    "    - when: { called: 4790-+479 }\n"
		    "      do: loop\n"
		    "    - when: { called: +4712345678901234 }\n"
		    "      do: loop\n"
		    "    - when: { caller: [] }\n"
		    "      do: loop\n",
	       ERROR(7, 23, "`when.caller`: `bob`" PATTERN_HELP) ERROR(
		       9, 23, "`when.called`: `anonymous`" PATTERN_HELP)
		       ERROR(11, 23, "`when.called`: `+47990-+479900`" PATTERN_HELP) ERROR(
			       13, 23,
			       "`when.called`: `+479-+471` ends before it begins. Write the lower "
			       "number first") ERROR(15, 23,
						     "`when.called`: `4790-+479`" PATTERN_HELP)
			       ERROR(17, 23, "`when.called`: `+4712345678901234`" PATTERN_HELP)
				       ERROR(19, 23,
					     "`when.caller` is an empty list. Leave the key out to "
					     "match every call"));
}

static void mistakes_of_rules_are_found(void **state)
{
	(void)state;
	expect(BASE "services:\n"
		    "  a:\n"
		    "    - when: { direction: up }\n"
		    "    - do: []\n"
		    "    - loop\n"
		    "    - { when: { tame: now, direction: [[mo]] }, do: loop }\n"
		    "    - { when: mo, do: loop }\n"
		    "    - { when: { direction: [] }, do: loop }\n",
	       ERROR(7, 7,
		     "`rules[].do` is missing: an action or a list of actions, tried in order")
		       ERROR(7, 26,
			     "`when.direction`: `up` is not known here. Known: mo, mt, unknown")
			       ERROR(8, 11,
				     "the rule does nothing. Write `do: loop` or another action")
				       ERROR(9, 7,
					     "`service.rules` must be a mapping, not a single "
					     "value. Write its keys "
					     "indented below it")
					       ERROR(10, 17,
						     "unknown key `tame` in `when`. Did you mean "
						     "`time`?") ERROR(10, 40,
								      "`when.direction` must be "
								      "mo, mt or unknown, "
								      "or a list of them")
						       ERROR(11, 15,
							     "`rules[].when` must be a mapping, "
							     "not a single value. Write its keys "
							     "indented below it")
							       ERROR(12, 28,
								     "`when.direction` is an empty "
								     "list. Leave the key out to "
								     "match every "
								     "call"));
}

static void mistakes_of_actions_are_found(void **state)
{
	(void)state;
	expect(TRUNKS "services:\n"
		      "  a:\n"
		      "    - do:\n"
		      "        - conference\n"
		      "        - diall: a\n"
		      "        - { loop: {}, dial: a }\n"
		      "        - [loop]\n"
		      "        - dial\n"
		      "        - dial: { ring: 5s }\n"
		      "        - dial: { trunk: a, ring: 0 }\n"
		      "        - answer\n"
		      "        - answer: musak\n"
		      "        - answer: { tone: 9000 }\n"
		      "        - answer: [echo]\n"
		      "        - reject: 200\n"
		      "        - reject: busy\n"
		      "        - loop: fast\n",
	       ERROR(9, 11,
		     "no action is called `conference`. Known: loop, dial, ring, announce, "
		     "answer, voicemail, reject, redirect, "
		     "webhook") ERROR(10, 11, "no action is called `diall`. Did you mean `dial`?")
		       ERROR(11, 11,
			     "an action is one word or one `word: ...`. Begin each with `- `")
			       ERROR(12, 11,
				     "an action is one word or one `word: ...`. Begin each with `- "
				     "`") ERROR(13, 11,
						"`dial.trunk` is missing: a name from trunks")
				       ERROR(14, 11, "`dial.trunk` is missing: a name from trunks")
					       ERROR(15, 35,
						     "`dial.ring`: `0` is out of range. Write 1s "
						     "to 10m") ERROR(16, 11,
								     "`answer` needs what to play. "
								     "Write `{ answer: echo }`, "
								     "`{ answer: tone }` or "
								     "`{ answer: { play: "
								     "FILE.wav } }`")
						       ERROR(17, 19,
							     "`answer`: `musak` is not known here. "
							     "Known: echo, tone") ERROR(18, 27,
											"`answer."
											"tone`: "
											"`9000` is "
											"out of "
											"range. "
											"Write 50 "
											"to 3400")
							       ERROR(19, 19,
								     "`answer` must be followed by "
								     "a mapping. Write `{ answer: "
								     "{ tone: ... } "
								     "}`") ERROR(20, 19,
										 "`reject.status`: "
										 "`200` is out of "
										 "range. Write 400 "
										 "to 699")
								       ERROR(21, 19,
									     "`reject.status`: "
									     "`busy` is not a "
									     "whole number. Write "
									     "digits only")
									       ERROR(22, 17,
										     "`loop` must "
										     "be followed "
										     "by a "
										     "mapping. "
										     "Write `{ "
										     "loop: { "
										     "ring: ... } "
										     "}`"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(loop_is_built_in_as_the_first),
		IN_FOLDER(every_action_is_read),
		IN_FOLDER(files_to_play_are_listed_once_with_their_place),
		IN_FOLDER(mistakes_about_what_to_play_are_told),
		IN_FOLDER(a_mailbox_is_read_in_full_or_by_its_name),
		IN_FOLDER(announcements_go_before_something_else),
		IN_FOLDER(mistakes_about_a_mailbox_are_told),
		IN_FOLDER(a_file_to_play_that_is_not_there_is_told),
		IN_FOLDER(a_service_in_full_says_what_failure_means),
		IN_FOLDER(mistakes_of_services_are_found),
		IN_FOLDER(numbers_of_a_rule_are_read),
		IN_FOLDER(mistakes_in_numbers_are_found),
		IN_FOLDER(mistakes_of_rules_are_found),
		IN_FOLDER(mistakes_of_actions_are_found),
	};
	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
