/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "registrar/refresh.h"

#define START 1000000

static struct reg_table table;
static struct refresh *refresh;
static mono_ms now;

static void set_up(size_t count)
{
	uint64_t *numbers = calloc(count, sizeof(*numbers));

	for (size_t i = 0; i < count; i++)
		numbers[i] = reg_key(i + 1, 0);
	assert_int_equal(reg_table_merge(&table, numbers, count), 0);
	free(numbers);
	for (size_t i = 0; i < count; i++)
		reg_table_find(&table, reg_key(i + 1, 0))->wanted = 1;
	now = START;
	assert_int_equal(refresh_create(&refresh, &table, 7, now), 0);
}

static int tear_down(void **state)
{
	(void)state;
	refresh = refresh_destroy(refresh);
	reg_table_done(&table);
	return 0;
}

static struct reg *file_at(uint64_t number, mono_ms due)
{
	struct reg *reg = reg_table_find(&table, reg_key(number, 0));

	reg_set_due(reg, due);
	refresh_file(refresh, reg);
	return reg;
}

/* As file_at(), for one whose TTL is running. */
static struct reg *file_active(uint64_t number, mono_ms due)
{
	struct reg *reg = reg_table_find(&table, reg_key(number, 0));

	reg->told = 1;
	reg_set_expiry(reg, due + 1800000);
	return file_at(number, due);
}

static uint64_t take(void)
{
	const struct reg *reg = refresh_take(refresh, now);

	return reg ? reg->number : 0;
}

static enum refresh_news answer(uint64_t number, enum refresh_answer what)
{
	return refresh_answered(refresh, reg_table_find(&table, reg_key(number, 0)), what, now);
}

/* Takes whatever is handed out within `ms`, each answered at once. */
static unsigned take_for(mono_ms ms, enum refresh_answer what)
{
	unsigned taken = 0;
	uint64_t number;

	for (mono_ms end = now + ms; now < end;) {
		mono_ms next;

		while ((number = take())) {
			taken++;
			answer(number, what);
		}
		next = refresh_next(refresh, now);
		now = next > now ? next : now + 1;
	}
	return taken;
}

static void nobody_is_taken_before_the_time(void **state)
{
	static const mono_ms delays[] = { 1, 250, 5000, 60000, 1638400, 3300000, 43200000 };

	(void)state;
	set_up(ARRAY_SIZE(delays));
	for (size_t i = 0; i < ARRAY_SIZE(delays); i++)
		file_active(i + 1, START + delays[i]);
	for (size_t i = 0; i < ARRAY_SIZE(delays); i++) {
		while (now < START + delays[i]) {
			mono_ms next;

			assert_int_equal(take(), 0);
			next = refresh_next(refresh, now);
			assert_true(next > now);
			now = next < START + delays[i] ? next : START + delays[i];
		}
		now = START + delays[i] + 99; /* at most a slot late */
		assert_int_equal(take(), i + 1);
		answer(i + 1, REFRESH_ANSWERED);
	}
}

static void those_overdue_come_in_the_order_they_were_due(void **state)
{
	(void)state;
	set_up(100);
	for (uint64_t i = 1; i <= 100; i++)
		file_active(i, START + (mono_ms)((i * 37) % 100) * 300);
	now = START + 60000;
	for (uint64_t i = 0; i < 100; i++) {
		uint64_t number = take();

		while (!number) { /* the bucket fills */
			now += 20;
			number = take();
		}
		assert_int_equal((number * 37) % 100, i);
	}
}

static void those_filed_for_one_moment_come_in_the_order_of_filing(void **state)
{
	(void)state;
	set_up(20);
	for (uint64_t i = 1; i <= 10; i++)
		file_at(i, START + 37);
	for (uint64_t i = 11; i <= 20; i++) /* the same slot, one and two turns later */
		file_at(i, START + 37 + (mono_ms)(i % 2 + 1) * 1638400);
	refresh_unfile(refresh, reg_table_find(&table, reg_key(1, 0)));
	refresh_unfile(refresh, reg_table_find(&table, reg_key(5, 0)));
	now = START + 100;
	for (uint64_t i = 2; i <= 10; i++)
		if (i != 5)
			assert_int_equal(take(), i);
	assert_int_equal(take(), 0);
	now += 1638400;
	for (uint64_t i = 12; i <= 20; i += 2)
		assert_int_equal(take(), i);
	now += 1638400;
	for (uint64_t i = 11; i <= 19; i += 2)
		assert_int_equal(take(), i);
	assert_int_equal(take(), 0);
}

static void moving_and_unfiling_leaves_the_queues_whole(void **state)
{
	unsigned taken = 0;

	(void)state;
	set_up(50);
	srand(1);
	for (int i = 0; i < 20000; i++) {
		struct reg *reg = reg_table_find(&table, reg_key((uint64_t)(rand() % 50) + 1, 0));
		int what = rand() % 8;

		if (what == 0)
			refresh_unfile(refresh, reg);
		else if (what == 1)
			refresh_file_first(refresh, reg);
		else if (what < 5)
			file_active(reg->number, now + rand() % 3000);
		else if (what < 7)
			file_at(reg->number, now + rand() % 200);
		else
			now += rand() % 300;
		reg = refresh_take(refresh, now);
		if (reg) {
			assert_int_equal(reg->queue, 0);
			taken++;
			answer(reg->number, REFRESH_ANSWERED);
		}
	}
	assert_true(taken > 100);
	for (uint64_t i = 1; i <= 50; i++)
		file_active(i, now);
	now += 1000;
	assert_int_equal(take_for(1000, REFRESH_ANSWERED), 50); /* each exactly once */
}

static void a_window_bounds_what_is_in_flight(void **state)
{
	(void)state;
	set_up(1000);
	for (uint64_t i = 1; i <= 1000; i++)
		file_at(i, START);
	for (int i = 0; i < 100; i++) {
		while (take())
			;
		now += 20;
	}
	assert_int_equal(refresh_in_flight(refresh), REFRESH_WINDOW);
	answer(1, REFRESH_ANSWERED);
	now += 20;
	assert_true(take() != 0);
	assert_int_equal(take(), 0);
}

static void a_bucket_bounds_the_rate_to_twice_the_steady_one(void **state)
{
	unsigned taken;

	(void)state;
	set_up(2000);
	for (uint64_t i = 1; i <= 2000; i++)
		file_at(i, START);
	taken = take_for(1000, REFRESH_ANSWERED);
	assert_in_range(taken, 450, 550); /* the least rate, however few numbers */
	refresh_expect(refresh, 1000000, 3600);
	taken = take_for(1000, REFRESH_ANSWERED);
	assert_in_range(taken, 1300, 1500); /* 2 * 1,000,000 / (0.4 * 3600 s) = 1389 */
}

static void the_bucket_is_small(void **state)
{
	unsigned taken = 0;

	(void)state;
	set_up(100);
	for (uint64_t i = 1; i <= 100; i++)
		file_at(i, START);
	now += 3600000; /* an hour of saving up */
	while (take())
		taken++;
	assert_in_range(taken, 20, 30); /* 50 ms worth */
}

static void new_ones_get_a_fifth_while_refreshes_wait(void **state)
{
	unsigned fresh = 0;

	(void)state;
	set_up(200);
	for (uint64_t i = 1; i <= 100; i++)
		file_at(i, START);
	for (uint64_t i = 101; i <= 200; i++)
		file_active(i, START);
	for (int i = 0; i < 100;) {
		uint64_t number = take();

		if (!number) {
			now += 20;
			continue;
		}
		i++;
		answer(number, REFRESH_ANSWERED);
		fresh += number <= 100;
	}
	assert_int_equal(fresh, 20);
}

static void three_different_numbers_failing_close_the_gate(void **state)
{
	(void)state;
	set_up(10);
	assert_int_equal(file_at(1, START)->number, 1);
	for (int i = 0; i < 50; i++) { /* one number's own trouble */
		file_at(1, now);
		now += 100;
		assert_int_equal(take(), 1);
		assert_int_equal(answer(1, REFRESH_FAILED), REFRESH_NO_NEWS);
	}
	assert_false(refresh_down(refresh));
	for (uint64_t i = 2; i <= 3; i++) {
		file_at(i, now);
		assert_int_equal(take(), i);
		assert_int_equal(answer(i, REFRESH_FAILED),
				 i == 3 ? REFRESH_WENT_DOWN : REFRESH_NO_NEWS);
	}
	assert_true(refresh_down(refresh));
}

static void a_success_in_between_keeps_the_gate_open(void **state)
{
	(void)state;
	set_up(10);
	for (uint64_t i = 1; i <= 10; i++) {
		file_at(i, now);
		assert_int_equal(take(), i);
		assert_int_equal(answer(i, i % 3 ? REFRESH_FAILED : REFRESH_ANSWERED),
				 REFRESH_NO_NEWS);
		now += 100;
	}
	assert_false(refresh_down(refresh));
}

static void one_number_alone_closes_the_gate_at_once(void **state)
{
	(void)state;
	set_up(1);
	file_at(1, now);
	assert_int_equal(take(), 1);
	assert_int_equal(answer(1, REFRESH_FAILED), REFRESH_WENT_DOWN);
}

static void go_down(void)
{
	for (uint64_t i = 1; i <= 3; i++) {
		file_at(i, now);
		assert_int_equal(take(), i);
		answer(i, REFRESH_FAILED);
	}
	assert_true(refresh_down(refresh));
}

static void while_down_one_probe_at_a_time_goes_out(void **state)
{
	unsigned taken = 0;

	(void)state;
	set_up(1000);
	go_down();
	for (uint64_t i = 4; i <= 1000; i++)
		file_active(i, now);
	assert_int_equal(take(), 0);
	now += 1000;
	assert_true(take() != 0);
	now += 60000;
	assert_int_equal(take(), 0); /* the probe is still out */
	assert_int_equal(answer(4, REFRESH_FAILED), REFRESH_NO_NEWS);
	taken = take_for(300000, REFRESH_FAILED);
	assert_in_range(taken, 10, 25); /* 5 minutes: every 15 to 30 s in the end */
}

static void a_probe_that_succeeds_opens_the_gate(void **state)
{
	(void)state;
	set_up(1000);
	go_down();
	for (uint64_t i = 4; i <= 1000; i++)
		file_active(i, now);
	now += 1000;
	assert_int_equal(answer(take(), REFRESH_ANSWERED), REFRESH_CAME_UP);
	assert_false(refresh_down(refresh));
	/* Not at full speed at once: 10 % of it first, all of it after 20 s. */
	assert_in_range(take_for(1000, REFRESH_ANSWERED), 30, 100);
	(void)take_for(20000, REFRESH_ANSWERED);
	assert_int_equal(take(), 0);
}

static void answers_from_before_the_outage_do_not_delay_the_probe(void **state)
{
	(void)state;
	set_up(300);
	for (uint64_t i = 1; i <= 300; i++)
		file_at(i, now);
	for (int i = 0; i < 30; i++) {
		while (take())
			;
		now += 20;
	}
	for (uint64_t i = 1; i <= REFRESH_WINDOW; i++) { /* all of them time out, slowly */
		answer(i, REFRESH_FAILED);
		now += 20;
	}
	assert_true(refresh_down(refresh));
	assert_true(refresh_next(refresh, now) - now <= 1000);
}

static void what_is_out_at_a_former_api_does_not_brake_the_next(void **state)
{
	(void)state;
	set_up(1000);
	go_down();
	for (uint64_t i = 4; i <= 1000; i++)
		file_at(i, now);
	now += 1000;
	assert_int_equal(take(), 4);
	refresh_move(refresh, now);
	assert_int_equal(take(), 5);
	assert_int_equal(take(), 0); /* a probe of this one too */
	assert_int_equal(refresh_in_flight(refresh), 2);
	assert_int_equal(answer(4, REFRESH_FORMER), REFRESH_NO_NEWS);
	assert_int_equal(refresh_in_flight(refresh), 1);
	assert_int_equal(take(), 0);
	assert_int_equal(answer(5, REFRESH_ANSWERED), REFRESH_CAME_UP);
}

static void a_window_that_a_former_api_fills_is_empty_for_the_next(void **state)
{
	unsigned out = 0;

	(void)state;
	set_up(1000);
	for (uint64_t i = 1; i <= 1000; i++)
		file_at(i, now);
	for (int i = 0; i < 100; i++, now += 20)
		while (take())
			out++;
	assert_int_equal(out, REFRESH_WINDOW);
	refresh_move(refresh, now);
	assert_int_equal(take(), REFRESH_WINDOW + 1);
	for (uint64_t i = 1; i <= REFRESH_WINDOW; i++)
		answer(i, REFRESH_FORMER);
	assert_int_equal(refresh_in_flight(refresh), 1);
	answer(REFRESH_WINDOW + 1, REFRESH_ANSWERED);
	assert_int_equal(refresh_in_flight(refresh), 0);
}

static void held_nothing_goes_out(void **state)
{
	(void)state;
	set_up(10);
	file_at(1, START);
	refresh_hold(refresh, true);
	assert_int_equal(take_for(10000, REFRESH_ANSWERED), 0);
	refresh_hold(refresh, false);
	assert_int_equal(take_for(1000, REFRESH_ANSWERED), 1);
}

static void an_exhausted_api_is_asked_less(void **state)
{
	unsigned before, after;

	(void)state;
	set_up(5000);
	for (uint64_t i = 1; i <= 5000; i++)
		file_at(i, START);
	before = take_for(1000, REFRESH_ANSWERED);
	(void)take_for(5000, REFRESH_EXHAUSTED);
	after = take_for(1000, REFRESH_ANSWERED);
	assert_true(after < before / 3);
	assert_true(after > 10);
	assert_false(refresh_down(refresh));
}

static void in_a_hurry_only_the_window_counts(void **state)
{
	unsigned taken = 0;

	(void)state;
	set_up(1000);
	for (uint64_t i = 1; i <= 1000; i++)
		file_at(i, START);
	refresh_hurry(refresh);
	while (take())
		taken++;
	assert_int_equal(taken, REFRESH_WINDOW);
}

static void one_put_back_comes_first(void **state)
{
	(void)state;
	set_up(10);
	for (uint64_t i = 1; i <= 10; i++)
		reg_set_due(reg_table_find(&table, reg_key(i, 0)), START);
	for (uint64_t i = 1; i <= 10; i++)
		file_at(i, START);
	assert_int_equal(take(), 1);
	answer(1, REFRESH_VOID);
	refresh_file_first(refresh, reg_table_find(&table, reg_key(1, 0)));
	assert_int_equal(take(), 1);
	assert_int_equal(take(), 2);
}

static void the_shortest_time_left_goes_first(void **state)
{
	(void)state;
	set_up(20);
	for (uint64_t i = 1; i <= 20; i++) {
		struct reg *reg = reg_table_find(&table, reg_key(i, 0));

		reg->told = 1;
		reg_set_expiry(reg, START + (mono_ms)((i * 7) % 20 + 1) * 60000);
		file_at(i, START);
	}
	for (uint64_t i = 0; i < 20; i++)
		assert_int_equal((take() * 7) % 20, i);
}

static void those_that_fail_on_their_own_hold_up_nobody(void **state)
{
	unsigned good = 0, bad = 0;

	(void)state;
	set_up(2000);
	for (uint64_t i = 1; i <= 2000; i++) {
		reg_table_find(&table, reg_key(i, 0))->failures = i <= 1000;
		file_at(i, START);
	}
	for (mono_ms end = now + 2000; now < end; now += 20) {
		uint64_t number;

		while ((number = take())) {
			if (number > 1000) {
				good++;
				answer(number, REFRESH_ANSWERED);
			} else {
				bad++; /* hangs */
			}
		}
	}
	assert_true(good > 800);
	assert_true(bad <= REFRESH_WINDOW / 4);
}

static void those_known_to_fail_are_no_sign_of_an_outage(void **state)
{
	(void)state;
	set_up(10);
	for (uint64_t i = 1; i <= 10; i++) {
		reg_table_find(&table, reg_key(i, 0))->failures = 1;
		file_at(i, now);
		assert_int_equal(take(), i);
		assert_int_equal(answer(i, REFRESH_FAILED), REFRESH_NO_NEWS);
		now += 5000;
	}
	assert_false(refresh_down(refresh));
}

static void a_probe_is_one_that_has_not_failed(void **state)
{
	(void)state;
	set_up(100);
	go_down();
	for (uint64_t i = 4; i <= 30; i++) {
		reg_table_find(&table, reg_key(i, 0))->failures = 3;
		file_active(i, now);
	}
	file_active(50, now);
	now += 1000;
	assert_int_equal(take(), 50);
}

static void a_slow_api_gets_fewer_at_a_time(void **state)
{
	struct refresh_load load;

	(void)state;
	set_up(1000);
	refresh_expect(refresh, 1000, 3600);
	for (int turn = 0; turn < 4000; turn++) {
		mono_ms took = turn < 1000 ? 100 : 900;
		uint64_t number = (uint64_t)turn % 1000 + 1;
		struct reg *reg = file_at(number, now);

		assert_non_null(refresh_take(refresh, now));
		reg_set_due(reg, now);
		now += took;
		answer(number, REFRESH_ANSWERED);
		refresh_load(refresh, now, &load);
		if (turn == 999)
			assert_int_equal(load.window, REFRESH_WINDOW);
		if (turn == 1100)
			assert_true(load.window < 32);
	}
}

static void a_long_sleep_loses_nobody(void **state)
{
	(void)state;
	set_up(1000);
	for (uint64_t i = 1; i <= 1000; i++)
		file_active(i, START + (mono_ms)i * 4000); /* up to 66 minutes */
	now = START + 5 * 3600000;
	assert_int_equal(take_for(10000, REFRESH_ANSWERED), 1000);
}

#define REFRESH(test) cmocka_unit_test_teardown(test, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REFRESH(nobody_is_taken_before_the_time),
		REFRESH(those_overdue_come_in_the_order_they_were_due),
		REFRESH(those_filed_for_one_moment_come_in_the_order_of_filing),
		REFRESH(moving_and_unfiling_leaves_the_queues_whole),
		REFRESH(a_window_bounds_what_is_in_flight),
		REFRESH(a_bucket_bounds_the_rate_to_twice_the_steady_one),
		REFRESH(the_bucket_is_small),
		REFRESH(new_ones_get_a_fifth_while_refreshes_wait),
		REFRESH(three_different_numbers_failing_close_the_gate),
		REFRESH(a_success_in_between_keeps_the_gate_open),
		REFRESH(one_number_alone_closes_the_gate_at_once),
		REFRESH(while_down_one_probe_at_a_time_goes_out),
		REFRESH(a_probe_that_succeeds_opens_the_gate),
		REFRESH(answers_from_before_the_outage_do_not_delay_the_probe),
		REFRESH(what_is_out_at_a_former_api_does_not_brake_the_next),
		REFRESH(a_window_that_a_former_api_fills_is_empty_for_the_next),
		REFRESH(held_nothing_goes_out),
		REFRESH(an_exhausted_api_is_asked_less),
		REFRESH(in_a_hurry_only_the_window_counts),
		REFRESH(one_put_back_comes_first),
		REFRESH(the_shortest_time_left_goes_first),
		REFRESH(those_that_fail_on_their_own_hold_up_nobody),
		REFRESH(those_known_to_fail_are_no_sign_of_an_outage),
		REFRESH(a_probe_is_one_that_has_not_failed),
		REFRESH(a_slow_api_gets_fewer_at_a_time),
		REFRESH(a_long_sleep_loses_nobody),
	};

	return cmocka_run_group_tests_name("registrar/refresh", tests, NULL, NULL);
}
