/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

static void an_unknown_key_gets_the_likely_name(void **state)
{
	(void)state;
	expect(BASE "log: { levle: info }\n",
	       ERROR(5, 8, "unknown key `levle` in `log`. Did you mean `level`?"));
	expect(BASE "stop: { withdrawn: true }\nregistration: []\n",
	       ERROR(5, 9, "unknown key `withdrawn` in `stop`. Did you mean `withdraw`?")
		       ERROR(6, 1, "unknown key `registration`. Did you mean `registrations`?"));
}

static void an_unknown_key_like_no_other_gets_the_list(void **state)
{
	(void)state;
	expect(BASE "stop: { colour: red }\n",
	       ERROR(5, 9, "unknown key `colour` in `stop`. Known: withdraw, drain"));
}

static void a_wrong_shape_says_the_right_one(void **state)
{
	(void)state;
	expect(DOMAIN SIP CORE "media: [a]\nlog: info\nstop: { drain: [1] }\n"
			       "limits: { calls: { a: 1 } }\nemergency: { a: 1 }\n"
			       "emergency: 1\n",
	       ERROR(4, 8,
		     "`media` must be a mapping, not a list. Write its keys indented below it")
		       ERROR(5, 6,
			     "`log` must be a mapping, not a single value. Write its keys indented "
			     "below it") ERROR(6, 16,
					       "`stop.drain` must be a single value, not a list. "
					       "Write `key: value`")
			       ERROR(7, 18,
				     "`limits.calls` must be a single value, not a mapping. Write "
				     "`key: "
				     "value`") ERROR(8, 12,
						     "`emergency` must be a list, not a mapping. "
						     "Write `[a, b]` or one `- "
						     "item` a line")
				       ERROR(9, 1,
					     "`emergency` is given twice; first in line 8. Remove "
					     "one"));
	expect(BASE "trunks: { name: a }\nservices: []\nregistrations: all\n",
	       ERROR(5, 9,
		     "`trunks` must be a list, not a mapping. Write `[a, b]` or one `- item` a "
		     "line") ERROR(6, 11,
				   "`services` must be a mapping, not a list. Write its keys "
				   "indented below "
				   "it") ERROR(7, 16,
					       "`registrations` must be a list, not a single "
					       "value. Write `[a, b]` or "
					       "one `- item` a line"));
}

static void an_item_of_the_wrong_shape_is_placed(void **state)
{
	(void)state;
	expect(BASE "trunks: [pbx]\nemergency: [112, [911]]\n",
	       ERROR(5, 10,
		     "`trunks` must be a mapping, not a single value. Write its keys indented "
		     "below it")
		       ERROR(6, 18,
			     "`emergency` must be a single value, not a list. Write `key: value`"));
	expect(BASE "trunks: pbx\n",
	       ERROR(5, 9,
		     "`trunks` must be a list, not a single value. Write `[a, b]` or one `- "
		     "item` a line"));
}

static void a_missing_key_is_placed_at_its_mapping(void **state)
{
	(void)state;
	expect(DOMAIN SIP MEDIA "core:\n  api: { deadline: 1s }\n  sbc:\n",
	       ERROR(5, 8, "`core.api.target` is missing: host:port of the core's API") ERROR(
		       6, 3,
		       "`core.sbc.uri` is missing: where calls go back to the core, sips:host or "
		       "sips:host:port") ERROR(6, 3,
					       "`core.sbc.trusted` is missing: networks the core's "
					       "calls come from, such "
					       "as [192.0.2.0/24]"));
}

static void nothing_after_a_key_means_its_default(void **state)
{
	struct config *config = expect_config(BASE "log:\nlimits: { calls: }\ntrunks:\n"
						   "stop: { drain: ~, withdraw: null }\n"
						   "services:\nregistrations:\nemergency:\n");

	(void)state;
	assert_int_equal(config->max_calls, 10000);
	assert_int_equal(config->drain_s, 14400);
	assert_int_equal(config->emergency_count, 8);
	assert_int_equal(config->trunk_count, 0);
	config_destroy(config);
}

static void a_single_value_may_stand_for_a_list(void **state)
{
	struct config *config = expect_config(BASE "emergency: 112\n");

	(void)state;
	assert_int_equal(config->emergency_count, 1);
	config_destroy(config);
}

static void a_value_must_be_one_clean_line(void **state)
{
	char yaml[3000] = BASE "cdr: { file: ";
	size_t length = strlen(yaml);

	(void)state;
	expect(BASE "cdr: { file: '' }\nstore: { sqlite: \"a\\nb\" }\n"
		    "admin: { socket: \"a\\x7f\" }\n",
	       ERROR(5, 14, "`cdr.file` is empty. Write a value or leave the key out") ERROR(
		       6, 18,
		       "`store.sqlite`: `a?b` contains a line break or control character. "
		       "Remove it")
		       ERROR(7, 18,
			     "`admin.socket`: `a?` contains a line break or control character. "
			     "Remove it"));
	memset(yaml + length, 'x', 1001);
	memcpy(yaml + length + 1001, " }\n", 4);
	expect(yaml, ERROR(5, 14,
			   "`cdr.file`: `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			   "xxxxxxxx` is longer than 1000 characters. Shorten it"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(an_unknown_key_gets_the_likely_name),
		IN_FOLDER(an_unknown_key_like_no_other_gets_the_list),
		IN_FOLDER(a_wrong_shape_says_the_right_one),
		IN_FOLDER(an_item_of_the_wrong_shape_is_placed),
		IN_FOLDER(a_missing_key_is_placed_at_its_mapping),
		IN_FOLDER(nothing_after_a_key_means_its_default),
		IN_FOLDER(a_single_value_may_stand_for_a_list),
		IN_FOLDER(a_value_must_be_one_clean_line),
	};
	return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
