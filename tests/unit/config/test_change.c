/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#define TRUNK      "trunks: [ { name: pbx, uris: sip:a } ]\n"
#define OWN        "registrations: [ { numbers: [ +4722000001, +4722000002 ], route_type: loop } ]\n"
#define DO(action) BASE TRUNK OWN "services: { s: [ { do: { " action " } } ] }\n"

static void callers_to_show_are_read(void **state)
{
	struct config *config = expect_config(
		DO("loop: { caller: [ +4722000001, +4722000002 ], pick: by_called }"));
	const struct config_action *action = config->services[1].rules[0].actions;

	(void)state;
	assert_int_equal(action->caller_count, 2);
	assert_string_equal(action->callers[1], "+4722000002");
	assert_int_equal(action->pick, PICK_BY_CALLED);
	assert_int_equal(config->turn_count, 1);
	config_destroy(config);

	config = expect_config(DO("loop: { caller: +4722000001 }"));
	assert_int_equal(config->services[1].rules[0].actions->caller_count, 1);
	assert_int_equal(config->services[1].rules[0].actions->pick, PICK_IN_TURN);
	config_destroy(config);
}

static void a_number_of_nobody_here_is_warned_of(void **state)
{
	(void)state;
	expect(DO("loop: { caller: +4790000001 }"),
	       WARNING(7, 42,
		       "+4790***01 is not among the registrations: calls that show a number of "
		       "somebody else are refused in many countries. Show one of yours"));
	expect(DO("loop: { caller: me }"), ERROR(7, 42,
						 "`loop.caller`: `me` is not a number to call "
						 "back. Write one of yours, such as "
						 "+4722000000"));
}

static void rewrite(const char *strip, const char *prepend, const char *replace, const char *number,
		    const char *wanted)
{
	const struct config_rewrite how = { (char *)strip, (char *)prepend, (char *)replace };
	char text[40];
	bool changed = config_rewrite(&how, number, text, sizeof(text));

	assert_int_equal(changed, wanted != NULL);
	if (wanted)
		assert_string_equal(text, wanted);
}

static void a_number_is_stripped_prepended_to_or_replaced(void **state)
{
	(void)state;
	rewrite(NULL, NULL, NULL, "+4722334455", NULL);
	rewrite("+47", NULL, NULL, "+4722334455", "22334455");
	rewrite("+47", "0", NULL, "+4722334455", "022334455");
	rewrite("+47", "0", NULL, "+4622334455", NULL);
	rewrite(NULL, "9", NULL, "1881", "91881");
	rewrite(NULL, NULL, "+4722000000", "1881", "+4722000000");
	rewrite("1881", NULL, NULL, "1881", NULL); /* nothing would be left */
	rewrite(NULL, "12345678901234567890123456789012", NULL, "12345678901", NULL);
}

static void rewriting_is_read_for_loop_and_dial(void **state)
{
	struct config *config =
		expect_config(DO("dial: { trunk: pbx, number: { strip: +47, prepend: \"0\" } }"));
	const struct config_action *action = config->services[1].rules[0].actions;

	(void)state;
	assert_string_equal(action->number.strip, "+47");
	assert_string_equal(action->number.prepend, "0");
	config_destroy(config);
	config = expect_config(DO("loop: { number: +4722000001 }"));
	assert_string_equal(config->services[1].rules[0].actions->number.replace, "+4722000001");
	config_destroy(config);
	expect(DO("loop: { number: { replace: 1, strip: 2 } }"),
	       ERROR(7, 42,
		     "`loop.number`: `replace` leaves nothing to strip or to prepend to. Write one "
		     "or the other"));
	expect(DO("loop: { number: { strip: +47 22 } }"),
	       ERROR(7, 51,
		     "`number.strip`: `+47 22` is not dialled on any telephone. Write up to 32 "
		     "digits, quoted, with or without a plus in front"));
}

#define NO_ADDRESS " is not an address to call. Write sips:user@host or tel:+4722000000"

static void a_caller_is_redirected_to_an_address(void **state)
{
	struct config *config = expect_config(DO("redirect: \"sip:+4722000001@pbx.example.com\""));

	(void)state;
	assert_int_equal(config->services[1].rules[0].actions->kind, ACTION_REDIRECT);
	assert_string_equal(config->services[1].rules[0].actions->contact,
			    "sip:+4722000001@pbx.example.com");
	config_destroy(config);
	expect(DO("redirect: +4722000001"),
	       ERROR(7, 36, "`redirect.to`: `+4722000001`" NO_ADDRESS));
	expect(DO("redirect: \"sip:a@b>, <sip:c@d\""),
	       ERROR(7, 36, "`redirect.to`: `sip:a@b>, <sip:c@d`" NO_ADDRESS));
}

static void a_trunk_may_have_rules_for_its_calls(void **state)
{
	struct config *config = expect_config(
		BASE
		"trunks: [ { name: pbx, uris: sip:a, service: s }, { name: b, uris: sip:b } ]\n"
		"services: { s: [ do: { reject: 403 } ] }\n");

	(void)state;
	assert_int_equal(config->trunks[0].service, 1);
	assert_int_equal(config->trunks[1].service, 0);
	config_destroy(config);
	expect(BASE "trunks: [ { name: pbx, uris: sip:a, service: ofice } ]\n"
		    "services: { office: [ do: loop ] }\n",
	       ERROR(5, 46, "no service is called `ofice`. Did you mean `office`?"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(callers_to_show_are_read),
		IN_FOLDER(a_number_of_nobody_here_is_warned_of),
		IN_FOLDER(a_number_is_stripped_prepended_to_or_replaced),
		IN_FOLDER(rewriting_is_read_for_loop_and_dial),
		IN_FOLDER(a_caller_is_redirected_to_an_address),
		IN_FOLDER(a_trunk_may_have_rules_for_its_calls),
	};

	return cmocka_run_group_tests_name("config/change", tests, NULL, NULL);
}
