/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/macros.h"
#include "tas/service/service.h"

static bool is_down(size_t trunk, void *arg)
{
	return ((const bool *)arg)[trunk];
}

static bool stranded(struct config_action *actions, size_t count, bool first, bool second)
{
	struct config_rule rule = { .actions = actions, .action_count = count };
	struct config_service service = { .rules = &rule, .rule_count = 1 };
	bool down[] = { first, second };

	return service_is_stranded(&service, is_down, down);
}

static void a_service_of_trunks_is_stranded_when_all_of_them_are_down(void **state)
{
	struct config_action both[] = { { .kind = ACTION_DIAL, .trunk = 0 },
					{ .kind = ACTION_DIAL, .trunk = 1 } };

	(void)state;
	assert_false(stranded(both, 2, false, false));
	assert_false(stranded(both, 2, true, false));
	assert_true(stranded(both, 2, true, true));
}

static void targets_that_are_rung_together_count_too(void **state)
{
	struct config_target targets[] = { { .kind = TARGET_TRUNK, .trunk = 1 },
					   { .kind = TARGET_SUBSCRIBER } };
	struct config_action ring = { .kind = ACTION_RING, .targets = targets, .target_count = 1 };

	(void)state;
	assert_true(stranded(&ring, 1, false, true));
	ring.target_count = 2;
	assert_false(stranded(&ring, 1, false, true));
}

static void who_has_another_way_is_not(void **state)
{
	static const enum action_kind ways[] = { ACTION_LOOP,    ACTION_ANSWER,  ACTION_VOICEMAIL,
						 ACTION_REJECT,  ACTION_WEBHOOK, ACTION_DEVICE,
						 ACTION_REDIRECT };
	struct config_action actions[] = { { .kind = ACTION_ANNOUNCE }, { .kind = ACTION_DIAL } };

	(void)state;
	assert_true(stranded(actions, 2, true, true));
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		actions[0].kind = ways[i];
		assert_false(stranded(actions, 2, true, true));
	}
	assert_false(stranded(actions, 0, true, true)); /* the built-in loop */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_of_trunks_is_stranded_when_all_of_them_are_down),
		cmocka_unit_test(targets_that_are_rung_together_count_too),
		cmocka_unit_test(who_has_another_way_is_not),
	};

	return cmocka_run_group_tests_name("tas/service/stranded", tests, NULL, NULL);
}
