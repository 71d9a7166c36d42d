/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>
#include "registrar/vigil.h"
#include "tests/fake/folder.h"

static char store[80];

static int set_up(void **state)
{
	(void)state;
	if (folder_make())
		return -1;
	(void)snprintf(store, sizeof(store), "%s/db", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return folder_remove();
}

static void a_daemon_is_seen_alive_until_it_leaves(void **state)
{
	struct vigil_sign sign;
	struct vigil *daemon;

	(void)state;
	vigil_look(store, &sign);
	assert_false(sign.alive);
	assert_int_equal(sign.pid, 0);
	assert_int_equal(vigil_keep(&daemon, store, 0), 0);
	vigil_look(store, &sign);
	assert_true(sign.alive);
	assert_int_equal(sign.phase, VIGIL_STARTING);
	assert_int_equal(sign.pid, getpid());
	vigil_beat(daemon, VIGIL_SERVING, 123456789012);
	vigil_look(store, &sign);
	assert_int_equal(sign.phase, VIGIL_SERVING);
	assert_int_equal(sign.beat, 123456789012);
	vigil_beat(daemon, VIGIL_STOPPING, 7);
	vigil_beat(daemon, VIGIL_SERVING, 8); /* another thread's, too late */
	vigil_leave(daemon);
	vigil_look(store, &sign);
	assert_false(sign.alive);
	assert_int_equal(sign.beat, 7);
}

static void who_takes_over_has_the_locks_without_a_gap(void **state)
{
	struct vigil *first, *second, *watchdog;
	struct vigil_sign sign;

	(void)state;
	assert_int_equal(vigil_keep(&first, store, 0), 0);
	second = vigil_adopt(dup(vigil_descriptor(first)));
	assert_non_null(second);
	vigil_leave(first);
	vigil_look(store, &sign);
	assert_true(sign.alive);
	assert_int_equal(sign.phase, VIGIL_STARTING);
	assert_int_equal(vigil_stand_in(&watchdog, store), -EBUSY);
	vigil_leave(second);
	vigil_look(store, &sign);
	assert_false(sign.alive);
	assert_null(vigil_adopt(-1));
}

static void two_daemons_do_not_share_a_store(void **state)
{
	struct vigil *first, *second;

	(void)state;
	assert_int_equal(vigil_keep(&first, store, 0), 0);
	assert_int_equal(vigil_keep(&second, store, 0), -EBUSY);
	vigil_leave(first);
	assert_int_equal(vigil_keep(&second, store, 0), 0);
	vigil_leave(second);
}

static void who_stands_in_waits_for_the_daemons_end_and_is_waited_for(void **state)
{
	struct vigil *daemon, *watchdog, *other;
	struct vigil_sign sign;

	(void)state;
	assert_int_equal(vigil_keep(&daemon, store, 0), 0);
	assert_int_equal(vigil_stand_in(&watchdog, store), -EBUSY);
	vigil_leave(daemon);
	assert_int_equal(vigil_stand_in(&watchdog, store), 0);
	assert_int_equal(vigil_stand_in(&other, store), -EBUSY);
	vigil_look(store, &sign);
	assert_false(sign.alive); /* a watchdog is no daemon */
	assert_int_equal(vigil_keep(&daemon, store, 0), -ETIMEDOUT);
	vigil_leave(watchdog);
	assert_int_equal(vigil_keep(&daemon, store, 0), 0);
	vigil_leave(daemon);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
	struct vigil *vigil;

	(void)state;
	assert_int_equal(vigil_keep(&vigil, "/nonexistent/db", 0), -ENOENT);
	assert_int_equal(vigil_stand_in(&vigil, "/nonexistent/db"), -ENOENT);
}

#define VIGIL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		VIGIL(a_daemon_is_seen_alive_until_it_leaves),
		VIGIL(who_takes_over_has_the_locks_without_a_gap),
		VIGIL(two_daemons_do_not_share_a_store),
		VIGIL(who_stands_in_waits_for_the_daemons_end_and_is_waited_for),
		VIGIL(a_folder_that_is_not_there_is_an_error),
	};

	return cmocka_run_group_tests_name("registrar/vigil", tests, NULL, NULL);
}
