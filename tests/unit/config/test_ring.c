/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/config/fixture.h"

#define TRUNKS BASE "trunks: [ { name: a, uris: sip:a }, { name: b, uris: sip:b } ]\n"

/* Line 8 begins with `    - do: `. */
#define RING(text) TRUNKS "services:\n  s:\n    - do: { ring: " text " }\n"

static void short_form_is_a_word_or_a_list(void **state)
{
	struct config *config =
		expect_config(TRUNKS "services:\n"
				     "  s:\n"
				     "    - do: [ ring: b, ring: [ a, subscriber ] ]\n");
	const struct config_action *action = config->services[1].rules[0].actions;

	(void)state;
	assert_int_equal(action[0].kind, ACTION_RING);
	assert_int_equal(action[0].target_count, 1);
	assert_int_equal(action[0].targets[0].kind, TARGET_TRUNK);
	assert_int_equal(action[0].targets[0].trunk, 1);
	assert_int_equal(action[0].order, RING_PARALLEL);
	assert_int_equal(action[0].ring_s, 0);
	assert_int_equal(action[1].target_count, 2);
	assert_int_equal(action[1].targets[0].trunk, 0);
	assert_int_equal(action[1].targets[1].kind, TARGET_SUBSCRIBER);
	assert_int_equal(action[1].targets[1].weight, 1);
	config_destroy(config);
}

static void every_key_is_read(void **state)
{
	struct config *config = expect_config(
		TRUNKS
		"services:\n"
		"  s:\n"
		"    - do:\n"
		"      - ring:\n"
		"          targets:\n"
		"            - { trunk: b, number: \"201\", for: 10s }\n"
		"            - { subscriber: true, after: 5s }\n"
		"            - { number: \"+4799000077\" }\n"
		"          for: 25s\n"
		"      - ring: { order: weighted, targets: [ { trunk: a, weight: 3 }, b ] }\n"
		"      - ring: { order: sequence, targets: a }\n"
		"      - ring: { order: round_robin, targets: [ a, b ] }\n"
		"      - ring: { order: longest_idle, targets: [ a, b ] }\n");
	const struct config_action *action = config->services[1].rules[0].actions;
	const struct config_target *target = action[0].targets;

	(void)state;
	assert_int_equal(action[0].ring_s, 25);
	assert_int_equal(target[0].kind, TARGET_TRUNK);
	assert_int_equal(target[0].trunk, 1);
	assert_string_equal(target[0].number, "201");
	assert_int_equal(target[0].ring_s, 10);
	assert_int_equal(target[1].kind, TARGET_SUBSCRIBER);
	assert_int_equal(target[1].after_s, 5);
	assert_int_equal(target[2].kind, TARGET_NUMBER);
	assert_string_equal(target[2].number, "+4799000077");
	assert_int_equal(action[1].order, RING_WEIGHTED);
	assert_int_equal(action[1].targets[0].weight, 3);
	assert_int_equal(action[1].targets[1].weight, 1);
	assert_int_equal(action[2].order, RING_SEQUENCE);
	assert_int_equal(action[3].order, RING_ROUND_ROBIN);
	assert_int_equal(action[4].order, RING_LONGEST_IDLE);
	config_destroy(config);
}

static void unknown_targets_are_found(void **state)
{
	(void)state;
	expect(RING("c"), ERROR(8, 19, "no trunk is called `c`. Known: a, b"));
	expect(RING("[ a, [ b ] ]"),
	       ERROR(8, 24,
		     "a target is a word or a mapping, not a list. Write all targets in one list"));
	expect(RING("[ a, { weight: 1 } ]"),
	       ERROR(8, 24,
		     "the target names nobody. Write one of `trunk: NAME`, `device: NAME`, "
		     "`subscriber: true` and "
		     "`number: \"+4799000001\"`; with `trunk`, `number` is dialled there")
		       ERROR(8, 34,
			     "`ring.targets[].weight` counts with `order: weighted` only. Leave it "
			     "out"));
	expect(RING("[ { trunk: a, subscriber: true } ]"),
	       ERROR(8, 21,
		     "the target names more than one. Write one of `trunk: NAME`, `device: NAME`, "
		     "`subscriber: "
		     "true` and `number: \"+4799000001\"`; with `trunk`, `number` is dialled "
		     "there"));
	expect(RING("[ { subscriber: true, number: \"+4799000001\" } ]"),
	       ERROR(8, 21,
		     "the target names more than one. Write one of `trunk: NAME`, `device: NAME`, "
		     "`subscriber: "
		     "true` and `number: \"+4799000001\"`; with `trunk`, `number` is dialled "
		     "there"));
	expect(RING("[ { subscriber: no } ]"),
	       ERROR(8, 35, "`ring.targets[].subscriber`: `no` is not known here. Known: true"));
}

static void numbers_that_nobody_can_dial_are_found(void **state)
{
	(void)state;
	expect(RING("[ { number: \"201\" } ]"),
	       ERROR(8, 31,
		     "`ring.targets[].number`: `201` cannot be asked of the core. Write it with "
		     "its "
		     "country code, such as \"+4799000001\", or name a `trunk` too"));
	expect(RING("[ { trunk: a, number: \"2 1\" } ]"),
	       ERROR(8, 41,
		     "`ring.targets[].number`: `2 1` cannot be dialled. Write digits or a name "
		     "without spaces"));
}

static void keys_without_a_meaning_are_found(void **state)
{
	(void)state;
	expect(RING("{ order: sequence, targets: [ { trunk: a, after: 5s } ] }"),
	       ERROR(8, 68,
		     "`ring.targets[].after` is for targets that ring together. Leave it out: with "
		     "this `order` a target rings after the one before it"));
	expect(RING("{ for: 5s, targets: [ a, { trunk: b, after: 5s } ] }"),
	       ERROR(8, 63,
		     "this target never rings: the others have stopped by then. Write less than "
		     "`for: 5s`"));
	expect(RING("{ order: first, targets: [] }"),
	       ERROR(8, 28,
		     "`ring.order`: `first` is not known here. Known: parallel, sequence, "
		     "weighted, "
		     "round_robin, longest_idle")
		       ERROR(8, 44,
			     "`ring.targets` is an empty list. Write at least one trunk, number or "
			     "`subscriber`"));
	expect(RING("{ for: 25s }"),
	       ERROR(8, 13, "`ring.targets` is missing: trunks, numbers, subscriber"));
}

static void sixteen_targets_are_enough(void **state)
{
	(void)state;
	expect(RING("[ a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a ]"),
	       ERROR(8, 19,
		     "`ring.targets` has 17 targets. Write 16 at most, or let a PBX ring its own "
		     "group"));
}

static void fork_needs_somebody_else_than_the_subscriber(void **state)
{
	struct config *config;

	(void)state;
	expect(RING("subscriber") "registrations: [ { number: \"+4799000001\", route_type: fork, "
				  "service: s } ]\n",
	       ERROR(9, 70,
		     "the service `s` never dials a trunk or answers, so a fork call would find "
		     "nobody. Add `do: { dial: TRUNK }` to it"));
	config = expect_config(
		RING("[ subscriber, a ]") "registrations: [ { number: \"+4799000001\", route_type: "
					  "fork, service: s } ]\n");
	config_destroy(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(short_form_is_a_word_or_a_list),
		IN_FOLDER(every_key_is_read),
		IN_FOLDER(unknown_targets_are_found),
		IN_FOLDER(numbers_that_nobody_can_dial_are_found),
		IN_FOLDER(keys_without_a_meaning_are_found),
		IN_FOLDER(sixteen_targets_are_enough),
		IN_FOLDER(fork_needs_somebody_else_than_the_subscriber),
	};

	return cmocka_run_group_tests_name("config/ring", tests, NULL, NULL);
}
