/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "tas/load/machine.h"

static void memory_is_what_cannot_be_given_back(void **state)
{
	(void)state;
	assert_int_equal(machine_meminfo_percent("MemTotal:       16000000 kB\n"
						 "MemFree:          100000 kB\n"
						 "MemAvailable:    4000000 kB\n"),
			 75);
	assert_int_equal(machine_meminfo_percent(""), 0);
	assert_int_equal(machine_meminfo_percent("MemTotal: 1 kB\n"), 100);
}

static void a_cgroup_without_a_limit_limits_nothing(void **state)
{
	(void)state;
	assert_int_equal(machine_cgroup_percent("max\n", "anon 900\nfile 1\n"), 0);
	assert_int_equal(machine_cgroup_percent("1000\n", "anon 900\nfile 5000\n"), 90);
	assert_int_equal(machine_cgroup_percent("1000\n", "file 5\nanon 2000\n"), 100);
	assert_int_equal(machine_cgroup_percent("", ""), 0);
}

static void open_files_count_against_the_limit(void **state)
{
	struct rlimit before, small;
	int fds[40];
	unsigned with;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	small = (struct rlimit){ 100, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
	for (size_t i = 0; i < 40; i++)
		fds[i] = open("/dev/null", O_RDONLY);
	with = machine_files();
	for (size_t i = 0; i < 40; i++)
		close(fds[i]);
	assert_in_range(with, 43, 60);
	assert_in_range(with - machine_files(), 39, 41);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* The kernel's time, which is what is measured. */
static void spend_ms(long ms)
{
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < ms);
}

static void what_was_not_waited_was_busy(void **state)
{
	struct machine machine;
	unsigned sip, media;

	(void)state;
	machine_init(&machine);
	machine_busy(&machine, 5000, &sip, &media);
	assert_int_equal(sip, 0);
	spend_ms(10);
	machine_busy(&machine, 5000, &sip, &media); /* no wait came to be counted */
	assert_int_equal(sip, 100);
	spend_ms(10);
	machine_busy(&machine, 5000 + 10 * 1000 * 1000, &sip, &media);
	assert_in_range(sip, 0, 90);
	assert_int_equal(media, 0);
	machine_done(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_what_cannot_be_given_back),
		cmocka_unit_test(a_cgroup_without_a_limit_limits_nothing),
		cmocka_unit_test(open_files_count_against_the_limit),
		cmocka_unit_test(what_was_not_waited_was_busy),
	};

	return cmocka_run_group_tests_name("tas/load/machine", tests, NULL, NULL);
}
