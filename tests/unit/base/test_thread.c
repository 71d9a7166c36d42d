/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include "base/thread.h"

struct seen {
	char name[16];
	int nice;
	bool signals_blocked;
};

static void *look(void *arg)
{
	struct seen *seen = arg;
	sigset_t mask;

	(void)pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
	seen->nice = getpriority(PRIO_PROCESS, 0);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
	seen->signals_blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGHUP) == 1;
	return arg;
}

static struct seen seen_by(const char *name, enum thread_rank rank)
{
	struct seen seen = { 0 };
	pthread_t thread;
	void *result = NULL;

	assert_int_equal(thread_start(&thread, name, rank, look, &seen), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, &seen);
	return seen;
}

static void it_has_a_name_and_no_signals(void **state)
{
	struct seen seen = seen_by("media-3", THREAD_PROMPT);
	sigset_t mask;

	(void)state;
	assert_string_equal(seen.name, "media-3");
	assert_true(seen.signals_blocked);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
	assert_int_equal(sigismember(&mask, SIGTERM), 0); /* ours are as before */
}

static void a_long_name_is_cut(void **state)
{
	(void)state;
	assert_string_equal(seen_by("writes-records-for-ever", THREAD_PROMPT).name,
			    "writes-records-");
}

static void a_patient_one_lets_others_go_first(void **state)
{
	int ours = getpriority(PRIO_PROCESS, 0);

	(void)state;
	assert_int_equal(seen_by("prompt", THREAD_PROMPT).nice, ours);
	assert_true(seen_by("patient", THREAD_PATIENT).nice > ours || ours > 0);
	assert_int_equal(getpriority(PRIO_PROCESS, 0), ours);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_has_a_name_and_no_signals),
		cmocka_unit_test(a_long_name_is_cut),
		cmocka_unit_test(a_patient_one_lets_others_go_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
