/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "registrar/reg_state.h"

#define NOW 1000000

static uint64_t seed = 42;

static struct reg_input at(mono_ms now)
{
	return (struct reg_input){ .now = now, .random = &seed, .asked = 1, .ttl_s = 3600 };
}

static struct reg wanted_reg(enum reg_state state)
{
	return (struct reg){ .number = 4799000001, .wanted = 1, .state = state & 0xfu };
}

static void step(struct reg *reg, enum reg_event event, mono_ms now)
{
	struct reg_input input = at(now);

	assert_int_equal(reg_handle(reg, event, &input), 0);
}

/* The table a reader of reg_state.h expects, written down a second time. A dash
 * is a cell that cannot happen. First between requests, then with one out. */
static const char *const between_requests[REG_STATE_COUNT] = {
	/*                    DUE OK FAILED POSTPONED REFUSED CHANGED REMOVED EXPIRED */
	[REG_NEW] = "P----NW-",      [REG_PENDING] = "-----P--",   [REG_ACTIVE] = "P----AW-",
	[REG_BACKOFF] = "P----BW-",  [REG_REFUSED] = "P----RW-",   [REG_WITHDRAWING] = "W----NWW",
	[REG_WITHHELD] = "-----NW-", [REG_ELSEWHERE] = "-----EE-",
};
static const char *const with_one_out[REG_STATE_COUNT] = {
	[REG_NEW] = "-----NN-",      [REG_PENDING] = "-ABBRPP-",   [REG_ACTIVE] = "-----AA-",
	[REG_BACKOFF] = "-----BB-",  [REG_REFUSED] = "-----RR-",   [REG_WITHDRAWING] = "-WWWWWW-",
	[REG_WITHHELD] = "-----HH-", [REG_ELSEWHERE] = "-EEEEEE-", /* WITHHELD: cannot be */
};

static void check_cell(enum reg_state state, enum reg_event event, bool in_flight, char expected)
{
	static const char letters[REG_STATE_COUNT + 1] = "NPABRWHE";
	struct reg reg = wanted_reg(state), before;
	struct reg_input input = at(NOW);
	bool unwanted =
		event == REG_EV_REMOVED || (state == REG_WITHDRAWING && event != REG_EV_CHANGED);

	reg.told = 1;
	reg.wanted = unwanted ? 0 : 1;
	reg.flags = in_flight ? REG_IN_FLIGHT : 0;
	before = reg;
	if (reg_handle(&reg, event, &input)) {
		assert_int_equal(expected, '-');
		assert_memory_equal(&reg, &before, sizeof(reg));
		return;
	}
	assert_int_equal(letters[reg.state], expected);
}

static void every_cell_of_the_table_is_as_drawn(void **state)
{
	(void)state;
	for (int s = 0; s < REG_STATE_COUNT; s++) {
		for (int e = 0; e < REG_EVENT_COUNT; e++) {
			/* PENDING has its request out by definition. */
			if (s != REG_PENDING)
				check_cell((enum reg_state)s, (enum reg_event)e, false,
					   between_requests[s][e]);
			check_cell((enum reg_state)s, (enum reg_event)e, true, with_one_out[s][e]);
		}
	}
}

static void an_accepted_one_expires_a_ttl_after_it_was_sent(void **state)
{
	struct reg reg = wanted_reg(REG_NEW);

	(void)state;
	step(&reg, REG_EV_DUE, NOW);
	assert_int_equal(reg.flags & REG_IN_FLIGHT, REG_IN_FLIGHT);
	step(&reg, REG_EV_OK, NOW + 9000); /* a slow answer prolongs nothing */
	assert_int_equal(reg.state, REG_ACTIVE);
	assert_int_equal(reg.expires_ms, NOW + 3600000);
	assert_int_equal(reg.told, 1);
	assert_int_equal(reg.flags & REG_IN_FLIGHT, 0);
}

static void a_timely_refresh_is_due_at_30_to_48_percent(void **state)
{
	mono_ms low = INT64_MAX, high = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct reg reg = wanted_reg(REG_ACTIVE);

		reg.expires_ms = NOW + 1;
		reg.due_ms = NOW;
		step(&reg, REG_EV_DUE, NOW);
		step(&reg, REG_EV_OK, NOW + 50);
		low = reg.due_ms < low ? reg.due_ms : low;
		high = reg.due_ms > high ? reg.due_ms : high;
	}
	assert_in_range(low - NOW, 1080000, 1090000);
	assert_in_range(high - NOW, 1718000, 1728000);
}

static void first_and_late_ones_are_spread_wider(void **state)
{
	mono_ms low = INT64_MAX, high = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct reg reg = wanted_reg(i % 2 ? REG_NEW : REG_ACTIVE);

		if (i % 2 == 0) { /* an outage long, its refresh waited */
			reg.expires_ms = NOW + 600000;
			reg.due_ms = NOW - 60000;
		}
		step(&reg, REG_EV_DUE, NOW);
		step(&reg, REG_EV_OK, NOW + 50);
		low = reg.due_ms < low ? reg.due_ms : low;
		high = reg.due_ms > high ? reg.due_ms : high;
	}
	assert_in_range(low - NOW, 360000, 370000);
	assert_in_range(high - NOW, 1718000, 1728000);
}

static void a_ttl_is_obeyed_but_not_beyond_reason(void **state)
{
	static const struct {
		uint32_t said, used;
	} cases[] = { { 1, 1 }, { 2, 2 }, { 0, 3600 }, { 86400, 86400 }, { UINT32_MAX, 86400 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct reg reg = wanted_reg(REG_NEW);
		struct reg_input input = at(NOW);

		input.ttl_s = cases[i].said;
		step(&reg, REG_EV_DUE, NOW);
		assert_int_equal(reg_handle(&reg, REG_EV_OK, &input), 0);
		assert_int_equal(reg.expires_ms - NOW, (mono_ms)cases[i].used * 1000);
		assert_true(reg.due_ms < reg.expires_ms);
	}
}

static void failures_wait_longer_each_time_up_to_a_minute(void **state)
{
	static const mono_ms ceilings[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ceilings); i++) {
		mono_ms high = 0, low = INT64_MAX;

		for (int n = 0; n < 500; n++) {
			struct reg reg = wanted_reg(REG_BACKOFF);

			reg.failures = (uint8_t)i;
			step(&reg, REG_EV_DUE, NOW);
			step(&reg, REG_EV_FAILED, NOW);
			assert_int_equal(reg.failures, i + 1);
			high = reg.due_ms - NOW > high ? reg.due_ms - NOW : high;
			low = reg.due_ms - NOW < low ? reg.due_ms - NOW : low;
		}
		assert_in_range(high, ceilings[i] * 9 / 10, ceilings[i]);
		assert_in_range(low, 0, ceilings[i] / 10); /* full jitter */
	}
}

static void a_refused_one_is_tried_after_1_5_15_and_60_minutes(void **state)
{
	static const mono_ms minutes[] = { 1, 5, 15, 60, 60 };
	struct reg reg = wanted_reg(REG_NEW);

	(void)state;
	reg.failures = 3; /* of another kind: they do not count here */
	for (size_t i = 0; i < ARRAY_SIZE(minutes); i++) {
		step(&reg, REG_EV_DUE, NOW);
		step(&reg, REG_EV_REFUSED, NOW);
		assert_int_equal(reg.state, REG_REFUSED);
		assert_true(reg.flags & REG_REFUSING);
		assert_in_range(reg.due_ms - NOW, minutes[i] * 48000, minutes[i] * 60000);
	}
	step(&reg, REG_EV_DUE, NOW);
	step(&reg, REG_EV_OK, NOW);
	assert_int_equal(reg.failures, 0);
	assert_false(reg.flags & REG_REFUSING);
}

static void a_postponed_one_is_due_at_once_and_not_blamed(void **state)
{
	struct reg reg = wanted_reg(REG_ACTIVE);

	(void)state;
	step(&reg, REG_EV_DUE, NOW);
	step(&reg, REG_EV_POSTPONED, NOW + 5);
	assert_int_equal(reg.due_ms, NOW + 5);
	assert_int_equal(reg.failures, 0);
}

static void one_changed_while_pending_is_sent_again_at_once(void **state)
{
	struct reg reg = wanted_reg(REG_NEW);

	(void)state;
	step(&reg, REG_EV_DUE, NOW);
	reg.wanted = 2;
	step(&reg, REG_EV_CHANGED, NOW + 1);
	step(&reg, REG_EV_OK, NOW + 2); /* of the old ones */
	assert_int_equal(reg.state, REG_ACTIVE);
	assert_int_equal(reg.told, 1);
	assert_int_equal(reg.due_ms, NOW + 2);
}

static void one_removed_while_pending_is_withdrawn_after_the_answer(void **state)
{
	(void)state;
	for (enum reg_event answer = REG_EV_OK; answer <= REG_EV_REFUSED; answer++) {
		struct reg reg = wanted_reg(REG_NEW);

		step(&reg, REG_EV_DUE, NOW);
		reg.wanted = 0;
		step(&reg, REG_EV_REMOVED, NOW + 1);
		assert_int_equal(reg.state, REG_PENDING);
		step(&reg, answer, NOW + 2);
		assert_int_equal(reg.state, REG_WITHDRAWING);
		assert_int_equal(reg.due_ms, NOW + 2);
		/* A lost answer may have been a yes: that one is deleted too. */
		assert_int_equal(reg_gone(&reg),
				 answer == REG_EV_POSTPONED || answer == REG_EV_REFUSED);
	}
}

static void a_withdrawn_one_is_gone_when_deleted_or_expired(void **state)
{
	struct reg reg = wanted_reg(REG_ACTIVE);

	(void)state;
	reg.told = 1;
	reg.wanted = 0;
	step(&reg, REG_EV_REMOVED, NOW);
	assert_int_equal(reg.state, REG_WITHDRAWING);
	assert_false(reg_gone(&reg));
	step(&reg, REG_EV_DUE, NOW);
	step(&reg, REG_EV_FAILED, NOW);
	assert_false(reg_gone(&reg));
	step(&reg, REG_EV_DUE, NOW);
	step(&reg, REG_EV_OK, NOW);
	assert_true(reg_gone(&reg));

	reg = wanted_reg(REG_WITHDRAWING);
	reg.told = 1;
	reg.wanted = 0;
	step(&reg, REG_EV_EXPIRED, NOW);
	assert_true(reg_gone(&reg));
}

static void one_wanted_again_during_its_delete_starts_anew_after_it(void **state)
{
	struct reg reg = wanted_reg(REG_WITHDRAWING);

	(void)state;
	reg.told = 1;
	reg.wanted = 0;
	step(&reg, REG_EV_DUE, NOW);
	reg.wanted = 1;
	step(&reg, REG_EV_CHANGED, NOW + 1);
	assert_int_equal(reg.state, REG_WITHDRAWING);
	step(&reg, REG_EV_OK, NOW + 2);
	assert_int_equal(reg.state, REG_NEW);
	assert_int_equal(reg.told, 0);
	assert_int_equal(reg.due_ms, NOW + 2);
}

static void hold(struct reg *reg, bool held, mono_ms now)
{
	reg->flags = (uint8_t)(held ? reg->flags | REG_HELD : reg->flags & ~REG_HELD);
	step(reg, held ? REG_EV_REMOVED : REG_EV_CHANGED, now);
}

static void one_held_is_deleted_kept_and_made_anew(void **state)
{
	struct reg reg = wanted_reg(REG_ACTIVE);

	(void)state;
	reg.told = 1;
	reg.expires_ms = NOW + 3600000;
	hold(&reg, true, NOW);
	assert_int_equal(reg.state, REG_WITHDRAWING);
	assert_int_equal(reg.due_ms, NOW);
	step(&reg, REG_EV_DUE, NOW);
	step(&reg, REG_EV_OK, NOW + 20);
	assert_int_equal(reg.state, REG_WITHHELD);
	assert_int_equal(reg.told, 0);
	assert_false(reg_gone(&reg));
	hold(&reg, false, NOW + 50);
	assert_int_equal(reg.state, REG_NEW);
	assert_int_equal(reg.due_ms, NOW + 50);
}

static void one_held_before_it_was_told_is_kept_at_once(void **state)
{
	struct reg reg = wanted_reg(REG_NEW);

	(void)state;
	hold(&reg, true, NOW);
	assert_int_equal(reg.state, REG_WITHHELD);
	reg.wanted = 0;
	step(&reg, REG_EV_REMOVED, NOW);
	assert_true(reg_gone(&reg));
}

static void one_held_while_a_request_is_out_is_deleted_after_the_answer(void **state)
{
	struct reg reg = wanted_reg(REG_NEW);

	(void)state;
	step(&reg, REG_EV_DUE, NOW);
	hold(&reg, true, NOW + 1);
	assert_int_equal(reg.state, REG_PENDING);
	step(&reg, REG_EV_FAILED, NOW + 2); /* it may arrive yet */
	assert_int_equal(reg.state, REG_WITHDRAWING);
	assert_int_equal(reg.flags & REG_CONFLICT, REG_CONFLICT);
	step(&reg, REG_EV_DUE, NOW + 3);
	step(&reg, REG_EV_OK, NOW + 4);
	assert_int_equal(reg.state, REG_WITHDRAWING); /* so it is said once more */
	assert_in_range(reg.due_ms - NOW, 20000, 30010);
	step(&reg, REG_EV_DUE, NOW + 30000);
	step(&reg, REG_EV_OK, NOW + 30001);
	assert_int_equal(reg.state, REG_WITHHELD);
}

static void one_released_during_its_delete_starts_anew_after_it(void **state)
{
	struct reg reg = wanted_reg(REG_ACTIVE);

	(void)state;
	reg.told = 1;
	reg.expires_ms = NOW + 3600000;
	hold(&reg, true, NOW);
	step(&reg, REG_EV_DUE, NOW);
	hold(&reg, false, NOW + 1);
	assert_int_equal(reg.state, REG_WITHDRAWING);
	step(&reg, REG_EV_OK, NOW + 2);
	assert_int_equal(reg.state, REG_NEW);
}

static void one_that_is_hastened_says_nothing_new(void **state)
{
	struct reg reg = wanted_reg(REG_NEW);

	(void)state;
	step(&reg, REG_EV_DUE, NOW);
	reg_hasten(&reg, NOW + 1); /* it is out */
	assert_int_equal(reg.due_ms, NOW);
	step(&reg, REG_EV_FAILED, NOW + 2);
	reg_hasten(&reg, NOW + 3);
	assert_int_equal(reg.due_ms, NOW + 3);
	assert_int_equal(reg.flags & REG_CONFLICT, 0);
	hold(&reg, true, NOW + 4);
	assert_int_equal(reg.state, REG_WITHDRAWING);
	reg_hasten(&reg, NOW + 5);
	assert_int_equal(reg.state, REG_WITHDRAWING);
	assert_int_equal(reg.due_ms, NOW + 4);
}

static void what_a_lagging_row_says_ends_no_withdrawal(void **state)
{
	struct reg reg = wanted_reg(REG_ACTIVE);

	(void)state;
	reg.told = 1;
	reg.expires_ms = NOW + 1000;
	reg.flags = REG_LAGGING;
	reg.wanted = 0;
	step(&reg, REG_EV_REMOVED, NOW);
	assert_int_equal(reg.state, REG_WITHDRAWING);
	assert_int_equal(reg.expires_ms, 0);
	step(&reg, REG_EV_DUE, NOW + 1);
	step(&reg, REG_EV_OK, NOW + 2);
	assert_true(reg_gone(&reg));
	assert_int_equal(reg.flags, 0);
}

static void failures_are_counted_without_overflow(void **state)
{
	struct reg reg = wanted_reg(REG_NEW);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		step(&reg, REG_EV_DUE, NOW);
		step(&reg, REG_EV_FAILED, NOW);
		assert_in_range(reg.due_ms - NOW, 0, 60000);
	}
	assert_int_equal(reg.failures, UINT8_MAX);
}

static void disowned_it_forgets_and_owned_it_begins_anew(void **state)
{
	struct reg reg = wanted_reg(REG_ACTIVE);

	(void)state;
	reg.told = 1;
	reg.expires_ms = NOW + 5;
	reg.flags = REG_UNSURE;
	reg.repeat = 1;
	reg_disown(&reg);
	assert_int_equal(reg.state, REG_ELSEWHERE);
	assert_int_equal(reg.told, 0);
	assert_int_equal(reg.expires_ms, 0);
	assert_int_equal(reg.flags, 0);
	assert_false(reg_gone(&reg)); /* it is wanted: calls of it are looked up */
	reg_repeat(&reg, true, NOW);
	assert_int_equal(reg.repeat, 0);
	reg_own(&reg, NOW + 7);
	assert_int_equal(reg.state, REG_NEW);
	assert_int_equal(reg.due_ms, NOW + 7);
}

static void an_answer_after_it_was_disowned_changes_nothing(void **state)
{
	struct reg reg = wanted_reg(REG_NEW);

	(void)state;
	step(&reg, REG_EV_DUE, NOW);
	reg_disown(&reg);
	assert_int_equal(reg.flags, REG_IN_FLIGHT);
	step(&reg, REG_EV_OK, NOW + 1);
	assert_int_equal(reg.state, REG_ELSEWHERE);
	assert_int_equal(reg.told, 0);
	assert_int_equal(reg.flags, 0);
}

static void while_it_may_only_repeat_it_says_what_was_told(void **state)
{
	struct reg reg = wanted_reg(REG_ACTIVE);
	struct reg_input input = at(NOW);

	(void)state;
	reg.told = 1;
	reg_repeat(&reg, true, NOW);
	reg.wanted = 2;
	assert_int_equal(reg_wish(&reg), 1);
	step(&reg, REG_EV_DUE, NOW);
	input.asked = 1;
	assert_int_equal(reg_handle(&reg, REG_EV_OK, &input), 0);
	assert_int_equal(reg.state, REG_ACTIVE);
	assert_true(reg.due_ms > NOW); /* refreshed in its own time, not changed at once */
	reg.wanted = 0;
	step(&reg, REG_EV_REMOVED, NOW);
	assert_int_equal(reg.state, REG_ACTIVE);
	reg_repeat(&reg, false, NOW + 1);
	assert_int_equal(reg.state, REG_WITHDRAWING);
	assert_int_equal(reg.due_ms, NOW + 1);
}

static void a_withdrawal_waits_while_it_may_only_repeat(void **state)
{
	struct reg reg = wanted_reg(REG_WITHDRAWING);

	(void)state;
	reg.told = 1;
	reg.wanted = 0;
	reg_repeat(&reg, true, NOW);
	assert_int_equal(reg.state, REG_NEW);
	assert_int_equal(reg_wish(&reg), 1);
	reg_repeat(&reg, false, NOW);
	assert_int_equal(reg.state, REG_WITHDRAWING);
}

static void states_have_names(void **state)
{
	(void)state;
	for (int s = 0; s < REG_STATE_COUNT; s++)
		assert_string_not_equal(reg_state_name((enum reg_state)s), "?");
	assert_string_equal(reg_state_name((enum reg_state)77), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_of_the_table_is_as_drawn),
		cmocka_unit_test(an_accepted_one_expires_a_ttl_after_it_was_sent),
		cmocka_unit_test(a_timely_refresh_is_due_at_30_to_48_percent),
		cmocka_unit_test(first_and_late_ones_are_spread_wider),
		cmocka_unit_test(a_ttl_is_obeyed_but_not_beyond_reason),
		cmocka_unit_test(failures_wait_longer_each_time_up_to_a_minute),
		cmocka_unit_test(a_refused_one_is_tried_after_1_5_15_and_60_minutes),
		cmocka_unit_test(a_postponed_one_is_due_at_once_and_not_blamed),
		cmocka_unit_test(one_changed_while_pending_is_sent_again_at_once),
		cmocka_unit_test(one_removed_while_pending_is_withdrawn_after_the_answer),
		cmocka_unit_test(a_withdrawn_one_is_gone_when_deleted_or_expired),
		cmocka_unit_test(one_wanted_again_during_its_delete_starts_anew_after_it),
		cmocka_unit_test(one_held_is_deleted_kept_and_made_anew),
		cmocka_unit_test(one_held_before_it_was_told_is_kept_at_once),
		cmocka_unit_test(one_held_while_a_request_is_out_is_deleted_after_the_answer),
		cmocka_unit_test(one_released_during_its_delete_starts_anew_after_it),
		cmocka_unit_test(one_that_is_hastened_says_nothing_new),
		cmocka_unit_test(what_a_lagging_row_says_ends_no_withdrawal),
		cmocka_unit_test(failures_are_counted_without_overflow),
		cmocka_unit_test(disowned_it_forgets_and_owned_it_begins_anew),
		cmocka_unit_test(an_answer_after_it_was_disowned_changes_nothing),
		cmocka_unit_test(while_it_may_only_repeat_it_says_what_was_told),
		cmocka_unit_test(a_withdrawal_waits_while_it_may_only_repeat),
		cmocka_unit_test(states_have_names),
	};

	return cmocka_run_group_tests_name("registrar/reg_state", tests, NULL, NULL);
}
