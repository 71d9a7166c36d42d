/* SPDX-License-Identifier: Apache-2.0 */
/* test_sip_loop.c - mail, timers and descriptors on one thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants the above before it */
#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "tas/sip/sip_loop.h"

static struct sip_loop *loop;
static unsigned delivered;
static void *receiver_seen;

static int set_up(void **state)
{
	(void)state;
	delivered = 0;
	return sip_loop_create(&loop);
}

static int tear_down(void **state)
{
	(void)state;
	loop = sip_loop_destroy(loop);
	clock_real();
	return 0;
}

static void on_mail(struct mail *mail, void *receiver)
{
	delivered++;
	receiver_seen = receiver;
	free(mail);
}

static void on_last_mail(struct mail *mail, void *receiver)
{
	free(mail);
	sip_loop_stop(receiver);
}

static void post(mail_fn *deliver)
{
	struct mail *mail = calloc(1, sizeof(*mail));

	mail->deliver = deliver;
	mailbox_post(sip_loop_mailbox(loop), mail);
}

static void *send_from_thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++)
		post(on_mail);
	post(on_last_mail);
	return NULL;
}

static void mail_from_another_thread_is_delivered_and_can_stop_the_loop(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, send_from_thread, NULL), 0);
	sip_loop_run(loop);
	pthread_join(thread, NULL);
	assert_int_equal(delivered, 1000);
	assert_ptr_equal(receiver_seen, loop);
}

static void on_timer(struct timer *timer, void *arg)
{
	(void)timer;
	(*(unsigned *)arg)++;
}

static void timers_fire_when_their_time_has_come(void **state)
{
	struct timer timer;
	unsigned fired = 0;

	(void)state;
	clock_fake_set(clock_now());
	timer_init(&timer, on_timer, &fired);
	timer_start(sip_loop_wheel(loop), &timer, clock_now() + 32000);
	sip_loop_step(loop, 0);
	clock_fake_advance(31000);
	sip_loop_step(loop, 0);
	assert_int_equal(fired, 0);
	clock_fake_advance(1010);
	sip_loop_step(loop, 0);
	assert_int_equal(fired, 1);
}

static void a_step_sleeps_no_longer_than_the_next_timer(void **state)
{
	struct timer timer;
	unsigned fired = 0;
	mono_ms start = clock_now();

	(void)state;
	timer_init(&timer, on_timer, &fired);
	timer_start(sip_loop_wheel(loop), &timer, start + 30);
	for (int i = 0; i < 10 && !fired; i++)
		sip_loop_step(loop, 5000);
	assert_int_equal(fired, 1);
	assert_in_range(clock_now() - start, 30, 2000);
}

static void what_it_waits_is_idle_and_what_it_does_is_not(void **state)
{
	struct timer timer;
	unsigned fired = 0;
	uint64_t before = sip_loop_idle_ns(loop);

	(void)state;
	timer_init(&timer, on_timer, &fired);
	timer_start(sip_loop_wheel(loop), &timer, clock_now() + 30);
	for (int i = 0; i < 10 && !fired; i++)
		sip_loop_step(loop, 5000);
	assert_true(sip_loop_idle_ns(loop) - before > 20 * 1000 * 1000);

	before = sip_loop_idle_ns(loop);
	for (mono_ms begin = clock_now(); clock_now() - begin < 30;)
		; /* as a callback would that takes its time */
	sip_loop_step(loop, 0);
	assert_true(sip_loop_idle_ns(loop) - before < 20 * 1000 * 1000);
}

static unsigned reads;

static void on_readable(int fd, void *arg)
{
	char byte;

	(void)arg;
	reads++;
	assert_int_equal(read(fd, &byte, 1), 1);
}

static void on_readable_once(int fd, void *arg)
{
	reads++;
	sip_loop_unwatch(arg, fd); /* from inside its own callback */
}

static void descriptors_are_watched_until_they_are_not(void **state)
{
	int ends[2];

	(void)state;
	reads = 0;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(sip_loop_watch(loop, ends[0], on_readable, NULL), 0);
	assert_int_equal(write(ends[1], "ab", 2), 2);
	sip_loop_step(loop, 50);
	sip_loop_step(loop, 50);
	assert_int_equal(reads, 2);
	sip_loop_unwatch(loop, ends[0]);
	assert_int_equal(write(ends[1], "c", 1), 1);
	sip_loop_step(loop, 0);
	assert_int_equal(reads, 2);
	assert_int_equal(sip_loop_watch(loop, ends[0], on_readable_once, loop), 0);
	sip_loop_step(loop, 50);
	sip_loop_step(loop, 0);
	assert_int_equal(reads, 3);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			mail_from_another_thread_is_delivered_and_can_stop_the_loop, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(timers_fire_when_their_time_has_come, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_it_waits_is_idle_and_what_it_does_is_not,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_step_sleeps_no_longer_than_the_next_timer, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(descriptors_are_watched_until_they_are_not, set_up,
						tear_down),
	};

	return cmocka_run_group_tests_name("tas/sip/sip_loop", tests, NULL, NULL);
}
