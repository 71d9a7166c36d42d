/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include "base/errand.h"

static struct mailbox *mailbox;
static struct errand *errand;

struct job {
	pthread_t ran_on, done_on;
	int result;
	unsigned done;
};

static void run(void *arg)
{
	struct job *job = arg;

	job->ran_on = pthread_self();
	job->result = 42;
}

static void done(void *arg)
{
	struct job *job = arg;

	job->done_on = pthread_self();
	job->done++;
	errand = errand_destroy(errand);
}

static void send_on(struct job *job)
{
	const struct errand_work work = { .run = run, .done = done, .arg = job };

	assert_int_equal(mailbox_create(&mailbox, NULL), 0);
	assert_int_equal(errand_create(&errand, mailbox, &work), 0);
}

static void it_runs_elsewhere_and_is_told_of_here(void **state)
{
	struct pollfd fd = { .events = POLLIN };
	struct job job = { 0 };

	(void)state;
	send_on(&job);
	fd.fd = mailbox_fd(mailbox);
	assert_int_equal(poll(&fd, 1, 20000), 1);
	assert_int_equal(job.done, 0);
	assert_int_equal(mailbox_drain(mailbox, 0), 1);
	assert_int_equal(job.done, 1);
	assert_int_equal(job.result, 42);
	assert_false(pthread_equal(job.ran_on, pthread_self()));
	assert_true(pthread_equal(job.done_on, pthread_self()));
	assert_null(errand);
	mailbox_destroy(mailbox, NULL);
}

static void who_is_not_waited_for_leaves_nothing_behind(void **state)
{
	struct job job = { 0 };

	(void)state;
	send_on(&job);
	errand = errand_destroy(errand);
	assert_int_equal(job.result, 42); /* it was brought to its end */
	mailbox_destroy(mailbox, NULL);
	assert_int_equal(job.done, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_runs_elsewhere_and_is_told_of_here),
		cmocka_unit_test(who_is_not_waited_for_leaves_nothing_behind),
	};

	return cmocka_run_group_tests_name("base/errand", tests, NULL, NULL);
}
