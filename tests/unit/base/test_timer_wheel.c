/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/timer_wheel.h"

static struct timer_wheel *wheel;

struct probe {
	struct timer timer;
	int fired;
	int order; /* 1 for the first of all that fired */
};
static int fired_total;

static void on_probe(struct timer *timer, void *arg)
{
	struct probe *probe = arg;

	assert_ptr_equal(timer, &probe->timer);
	assert_false(timer_active(timer));
	probe->fired++;
	probe->order = ++fired_total;
}

static void probe_init(struct probe *probe)
{
	*probe = (struct probe){ 0 };
	timer_init(&probe->timer, on_probe, probe);
}

static int setup(void **state)
{
	(void)state;
	fired_total = 0;
	return timer_wheel_create(&wheel, 1000);
}

static int teardown(void **state)
{
	(void)state;
	wheel = timer_wheel_destroy(wheel);
	return 0;
}

static void a_timer_never_fires_early_and_at_most_a_tick_late(void **state)
{
	(void)state;
	for (mono_ms due = 1001; due < 1030; due++) {
		struct probe probe;
		struct timer_wheel *own;

		assert_int_equal(timer_wheel_create(&own, 1000), 0);
		probe_init(&probe);
		timer_start(own, &probe.timer, due);
		assert_int_equal(timer_wheel_advance(own, due - 1, 0), 0);
		assert_int_equal(timer_wheel_advance(own, due + 9, 0), 1);
		assert_int_equal(probe.fired, 1);
		timer_wheel_destroy(own);
	}
}

static void a_timer_in_the_past_fires_at_the_next_advance(void **state)
{
	static const mono_ms past[] = { 1000, 999, 0, -1, INT64_MIN };
	struct probe probe;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(past); i++) {
		probe_init(&probe);
		timer_start(wheel, &probe.timer, past[i]);
		assert_int_equal(timer_wheel_next(wheel), 1000);
		assert_int_equal(timer_wheel_advance(wheel, 1000, 0), 1);
		assert_int_equal(probe.fired, 1);
	}
}

static void timers_of_every_distance_fire_in_due_order(void **state)
{
	static struct probe probes[40]; /* 10 ms to 174 years */
	mono_ms due = 10;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++, due *= 2) {
		probe_init(&probes[i]);
		timer_start(wheel, &probes[i].timer, 1000 + due);
	}
	due = 10;
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++, due *= 2) {
		assert_int_equal(timer_wheel_advance(wheel, 1000 + due - 1, 0), 0);
		assert_int_equal(timer_wheel_advance(wheel, 1000 + due, 0), 1);
		assert_int_equal(probes[i].fired, 1);
	}
}

static void a_jump_over_everything_fires_all_in_due_order(void **state)
{
	static struct probe probes[500];

	(void)state;
	for (int i = 0; i < 500; i++) {
		probe_init(&probes[i]);
		timer_start(wheel, &probes[i].timer, 2000 + (i * 7919 % 500) * 4001);
	}
	assert_int_equal(timer_wheel_advance(wheel, 1000000000, 0), 500);
	for (int i = 0; i < 500; i++)
		assert_int_equal(probes[i].order, i * 7919 % 500 + 1);
}

static void equal_due_times_fire_in_start_order(void **state)
{
	static struct probe probes[50];

	(void)state;
	for (int i = 0; i < 50; i++) {
		probe_init(&probes[i]);
		timer_start(wheel, &probes[i].timer, 700000);
	}
	assert_int_equal(timer_wheel_advance(wheel, 800000, 0), 50);
	for (int i = 0; i < 50; i++)
		assert_int_equal(probes[i].order, i + 1);
}

static void a_time_beyond_all_reckoning_is_kept_and_not_fired(void **state)
{
	struct probe probe;

	(void)state;
	probe_init(&probe);
	timer_start(wheel, &probe.timer, INT64_MAX);
	assert_int_equal(timer_wheel_advance(wheel, INT64_C(1) << 40, 0), 0);
	assert_true(timer_active(&probe.timer));
	timer_cancel(&probe.timer);
	assert_int_equal(timer_wheel_next(wheel), -1);
}

static void a_cancelled_timer_does_not_fire(void **state)
{
	struct probe probe;

	(void)state;
	probe_init(&probe);
	timer_cancel(&probe.timer); /* idle is fine */
	timer_start(wheel, &probe.timer, 1500);
	assert_true(timer_active(&probe.timer));
	timer_cancel(&probe.timer);
	assert_false(timer_active(&probe.timer));
	assert_int_equal(timer_wheel_next(wheel), -1);
	assert_int_equal(timer_wheel_advance(wheel, 5000, 0), 0);
}

static void starting_an_active_timer_moves_it(void **state)
{
	struct probe probe;

	(void)state;
	probe_init(&probe);
	timer_start(wheel, &probe.timer, 1500);
	timer_start(wheel, &probe.timer, 90000);
	assert_int_equal(timer_wheel_advance(wheel, 89999, 0), 0);
	assert_int_equal(timer_wheel_advance(wheel, 90000, 0), 1);
}

static void on_free(struct timer *timer, void *arg)
{
	(void)arg;
	fired_total++;
	free(timer);
}

static void a_callback_may_free_its_owner(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct timer *timer = malloc(sizeof(*timer));

		assert_non_null(timer);
		timer_init(timer, on_free, NULL);
		timer_start(wheel, timer, 1100);
	}
	assert_int_equal(timer_wheel_advance(wheel, 1100, 0), 3);
	assert_int_equal(fired_total, 3);
}

static void on_restart(struct timer *timer, void *arg)
{
	fired_total++;
	timer_start(wheel, timer, timer->due_ms + *(const mono_ms *)arg);
}

static void a_callback_may_restart_its_timer(void **state)
{
	mono_ms period = 100;
	struct timer timer;

	(void)state;
	timer_init(&timer, on_restart, &period);
	timer_start(wheel, &timer, 1100);
	assert_int_equal(timer_wheel_advance(wheel, 2000, 0), 10);
	assert_int_equal(timer_wheel_next(wheel), 2100);
	timer_cancel(&timer);
}

static void restarting_in_the_past_does_not_loop_for_ever(void **state)
{
	mono_ms period = 0;
	struct timer timer;

	(void)state;
	timer_init(&timer, on_restart, &period);
	timer_start(wheel, &timer, 1100);
	assert_int_equal(timer_wheel_advance(wheel, 5000, 0), 1);
	assert_int_equal(timer_wheel_next(wheel), 5000);
	assert_int_equal(timer_wheel_advance(wheel, 5000, 0), 1);
	timer_cancel(&timer);
}

static void on_cancel_other(struct timer *timer, void *arg)
{
	(void)timer;
	fired_total++;
	timer_cancel(arg);
}

static void a_callback_may_cancel_others_of_the_same_slot(void **state)
{
	struct timer first, second, third;

	(void)state;
	timer_init(&first, on_cancel_other, &second);
	timer_init(&second, on_cancel_other, &first);
	timer_init(&third, on_cancel_other, &first);
	timer_start(wheel, &first, 1100);
	timer_start(wheel, &second, 1100);
	timer_start(wheel, &third, 1100);
	assert_int_equal(timer_wheel_advance(wheel, 1100, 0), 2);
	assert_false(timer_active(&second));
	assert_int_equal(timer_wheel_next(wheel), -1);
}

static void a_budget_stops_and_the_rest_follows_in_order(void **state)
{
	static struct probe probes[10];

	(void)state;
	for (int i = 0; i < 10; i++) {
		probe_init(&probes[i]);
		timer_start(wheel, &probes[i].timer, 1100 + i / 5 * 10);
	}
	assert_int_equal(timer_wheel_advance(wheel, 1200, 3), 3);
	assert_true(timer_wheel_next(wheel) <= 1200);
	timer_cancel(&probes[3].timer); /* due, waiting: still cancellable */
	assert_int_equal(timer_wheel_advance(wheel, 1200, 3), 3);
	assert_int_equal(timer_wheel_advance(wheel, 1200, 100), 3);
	for (int i = 4; i < 10; i++)
		assert_int_equal(probes[i].order, i);
	assert_int_equal(timer_wheel_next(wheel), -1);
}

static void following_next_reaches_every_timer_in_few_steps(void **state)
{
	struct probe probe;
	mono_ms now = 1000, due = 3600000 + 1000;
	int steps = 0;

	(void)state;
	probe_init(&probe);
	assert_int_equal(timer_wheel_next(wheel), -1);
	timer_start(wheel, &probe.timer, due);
	while (!probe.fired) {
		mono_ms next = timer_wheel_next(wheel);

		assert_true(next >= now && next <= due);
		now = next;
		(void)timer_wheel_advance(wheel, now, 0);
		assert_true(++steps <= 8);
	}
	assert_int_equal(now, due);
}

static void time_going_back_does_no_harm(void **state)
{
	struct probe probe;

	(void)state;
	probe_init(&probe);
	(void)timer_wheel_advance(wheel, 50000, 0);
	assert_int_equal(timer_wheel_advance(wheel, 10, 0), 0);
	timer_start(wheel, &probe.timer, 50100);
	assert_int_equal(timer_wheel_advance(wheel, -5, 0), 0);
	assert_int_equal(timer_wheel_advance(wheel, 50100, 0), 1);
}

static void destroying_the_wheel_leaves_timers_idle(void **state)
{
	struct timer_wheel *own;
	struct probe near, far, past;

	(void)state;
	assert_int_equal(timer_wheel_create(&own, 0), 0);
	probe_init(&near);
	probe_init(&far);
	probe_init(&past);
	timer_start(own, &near.timer, 100);
	timer_start(own, &far.timer, 100000000);
	timer_start(own, &past.timer, -100);
	assert_null(timer_wheel_destroy(own));
	assert_false(timer_active(&near.timer) || timer_active(&far.timer) ||
		     timer_active(&past.timer));
	timer_cancel(&near.timer);
	assert_null(timer_wheel_destroy(NULL));
}

/* Against a plain array: random starts, cancels and advances. */
static void it_agrees_with_a_plain_list_on_random_work(void **state)
{
	static struct probe probes[200];
	mono_ms now = 1000;
	unsigned seed = 42;

	(void)state;
	for (int i = 0; i < 200; i++)
		probe_init(&probes[i]);
	for (int round = 0; round < 20000; round++) {
		struct probe *probe = &probes[rand_r(&seed) % 200];
		int what = rand_r(&seed) % 8;

		if (what == 0)
			timer_cancel(&probe->timer);
		else if (what < 6)
			timer_start(wheel, &probe->timer,
				    now - 20 + rand_r(&seed) % (1 << rand_r(&seed) % 22));
		if (what < 6)
			continue;
		now += rand_r(&seed) % (1 << rand_r(&seed) % 18);
		(void)timer_wheel_advance(wheel, now, 0);
		for (int i = 0; i < 200; i++)
			assert_true(!timer_active(&probes[i].timer) ||
				    probes[i].timer.due_ms > now / 10 * 10);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_timer_never_fires_early_and_at_most_a_tick_late),
		T(a_timer_in_the_past_fires_at_the_next_advance),
		T(timers_of_every_distance_fire_in_due_order),
		T(a_jump_over_everything_fires_all_in_due_order),
		T(equal_due_times_fire_in_start_order),
		T(a_time_beyond_all_reckoning_is_kept_and_not_fired),
		T(a_cancelled_timer_does_not_fire),
		T(starting_an_active_timer_moves_it),
		T(a_callback_may_free_its_owner),
		T(a_callback_may_restart_its_timer),
		T(restarting_in_the_past_does_not_loop_for_ever),
		T(a_callback_may_cancel_others_of_the_same_slot),
		T(a_budget_stops_and_the_rest_follows_in_order),
		T(following_next_reaches_every_timer_in_few_steps),
		T(time_going_back_does_no_harm),
		T(destroying_the_wheel_leaves_timers_idle),
		T(it_agrees_with_a_plain_list_on_random_work),
	};
	return cmocka_run_group_tests_name("timer_wheel", tests, NULL, NULL);
}
