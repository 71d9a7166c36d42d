/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "media/server_check.h"
#include "tests/fake/fake_stun.h"

static struct fake_stun server;
static char why[SERVER_WHY_ROOM];

static int start(void **state)
{
	(void)state;
	server = (struct fake_stun){ .mapped = "203.0.113.9", .code = 401 };
	return fake_stun_start(&server);
}

static int stop(void **state)
{
	(void)state;
	fake_stun_stop(&server);
	return 0;
}

static struct server_question question(bool turn, uint16_t port)
{
	struct server_question asked = {
		.turn = turn, .username = "breakout", .password = "sesame", .stop_fd = -1
	};

	assert_int_equal(net_parse("127.0.0.1", port, &asked.address), 0);
	assert_int_equal(net_parse("127.0.0.1", 0, &asked.from), 0);
	return asked;
}

static void a_stun_server_that_tells_our_address_serves(void **state)
{
	struct server_question asked = question(/* turn= */ false, server.port);

	(void)state;
	assert_int_equal(server_check(&asked, why), SERVER_SERVES);
	assert_string_equal(why, "");
}

static void who_refuses_says_why(void **state)
{
	static const struct {
		int code;
		const char *why;
	} cases[] = { { 401, "401 wrong user name or password" },
		      { 403, "403 forbidden: see what its configuration lets us do" },
		      { 486, "486 our allocation quota there is used up" },
		      { 508, "508 its relay ports are used up" },
		      { 599, "599" } };
	struct server_question asked = question(/* turn= */ true, server.port);

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		server.code = cases[i].code;
		server.asked = 0;
		assert_int_equal(server_check(&asked, why), SERVER_REFUSES);
		assert_string_equal(why, cases[i].why);
		assert_int_equal(server.asked, 2); /* who we are is said when it is asked for */
	}
}

static void who_is_not_there_is_silent(void **state)
{
	struct server_question asked = question(/* turn= */ true, 9);

	(void)state;
	assert_int_equal(server_check(&asked, why), SERVER_SILENT);
	assert_string_equal(why, "no answer: Connection refused");
	asked.tcp = true;
	assert_int_equal(server_check(&asked, why), SERVER_SILENT);
	assert_string_equal(why, "no connection: Connection refused");
}

static void a_question_can_be_broken_off(void **state)
{
	struct server_question asked = question(/* turn= */ false, server.port);
	int fds[2];

	(void)state;
	server.mapped = NULL; /* it would be silent for three seconds */
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	asked.stop_fd = fds[0];
	assert_int_equal(server_check(&asked, why), SERVER_STOPPED);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_stun_server_that_tells_our_address_serves, start,
						stop),
		cmocka_unit_test_setup_teardown(who_refuses_says_why, start, stop),
		cmocka_unit_test_setup_teardown(who_is_not_there_is_silent, start, stop),
		cmocka_unit_test_setup_teardown(a_question_can_be_broken_off, start, stop),
	};

	return cmocka_run_group_tests_name("media/server_check", tests, NULL, NULL);
}
