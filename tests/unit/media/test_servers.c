/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/str.h"
#include "media/media.h"
#include "media/servers.h"
#include "tests/fake/fake_stun.h"
#include "tests/fake/folder.h"

static struct config config;
static struct config_turn turn[2];
static char password_path[200];
static struct str findings;

static void put_password(const char *text)
{
	FILE *file = fopen(password_path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int start(void **state)
{
	(void)state;
	memset(&config, 0, sizeof(config));
	memset(turn, 0, sizeof(turn));
	findings = (struct str){ 0 };
	config.media.gather_ms = 300;
	config.media.turn = turn;
	config.media.turn_at = (char *)"b.yaml:3:5";
	if (folder_make())
		return -1;
	(void)snprintf(password_path, sizeof(password_path), "%s/password", folder);
	turn[0].address = (char *)"192.0.2.7:3478";
	turn[0].username = (char *)"me";
	turn[0].password_file = password_path;
	put_password("sesame\n");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	str_done(&findings);
	return folder_remove();
}

static void without_any_there_is_nothing(void **state)
{
	struct ice_servers *servers = NULL;
	struct servers_now now;

	(void)state;
	assert_int_equal(media_servers_create(&servers, &config, &findings), 0);
	assert_null(servers);
	servers_now(NULL, &now);
	assert_int_equal(now.turn_count, 0);
	assert_int_equal(now.stun.any.sa_family, AF_UNSPEC);
}

static void a_call_is_given_what_needs_no_name_server(void **state)
{
	struct ice_servers *servers;
	struct servers_now now;

	(void)state;
	config.media.stun = (char *)"stun.example:3478";
	config.media.turn_count = 2;
	config.media.ice_policy = ICE_POLICY_RELAY;
	turn[1] = (struct config_turn){ .address = (char *)"[2001:db8::7]:443",
					.transport = TURN_TCP,
					.secret_file = password_path };
	clock_fake_wall_set(1000000 * 1000LL);
	assert_int_equal(media_servers_create(&servers, &config, &findings), 0);
	servers_now(servers, &now);
	assert_int_equal(now.stun.any.sa_family, AF_UNSPEC);
	assert_int_equal(now.turn_count, 2);
	assert_true(now.relay_only);
	assert_int_equal(now.gather_ms, 300);
	assert_int_equal(net_port(&now.turn[0].address), 3478);
	assert_false(now.turn[0].tcp);
	assert_string_equal(now.turn[0].username, "me");
	assert_string_equal(now.turn[0].password, "sesame");
	assert_int_equal(now.turn[1].address.any.sa_family, AF_INET6);
	assert_true(now.turn[1].tcp);
	assert_string_equal(now.turn[1].username, "1086400:breakout"); /* good for a day */
	/* printf 1086400:breakout | openssl dgst -sha1 -hmac sesame -binary | base64 */
	assert_string_equal(now.turn[1].password, "+uNQEgjF35NkgueZA4A9ozZd4UY=");
	clock_real();
	media_servers_unref(servers);
}

static void a_password_that_cannot_be_read_is_a_finding(void **state)
{
	struct ice_servers *servers = NULL;

	(void)state;
	config.media.turn_count = 1;
	put_password("\n");
	assert_int_equal(media_servers_create(&servers, &config, &findings), -EINVAL);
	assert_non_null(strstr(findings.text, "b.yaml:3:5: error: `media.turn.password_file`: "));
	assert_non_null(strstr(findings.text, "its first line is empty\n"));
	assert_int_equal(remove(password_path), 0);
	assert_int_equal(media_servers_create(&servers, &config, &findings), -EINVAL);
	assert_non_null(strstr(findings.text, "No such file"));
	assert_null(servers);
}

/* Until calls are given so many relays to ask. */
static void await_turn(struct ice_servers *servers, unsigned count)
{
	static struct servers_now now;

	for (unsigned i = 0; i < 5000; i++) {
		servers_now(servers, &now);
		if (now.turn_count == count)
			return;
		(void)poll(NULL, 0, 1);
	}
	fail_msg("there are %u", now.turn_count);
}

static void one_that_refuses_is_given_to_no_call(void **state)
{
	struct fake_stun server = { .mapped = "203.0.113.9", .code = 486 };
	struct ice_servers *servers;
	struct servers_now now;
	union net_address from;
	char address[40];

	(void)state;
	assert_int_equal(fake_stun_start(&server), 0);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", server.port);
	turn[0].address = address;
	turn[0].username = (char *)"breakout";
	config.media.turn_count = 1;
	config.media.stun = address;
	assert_int_equal(net_parse("127.0.0.1", 0, &from), 0);
	assert_int_equal(media_servers_create(&servers, &config, &findings), 0);
	await_turn(servers, 1); /* not asked yet: it may be good */
	assert_int_equal(servers_start(servers, &from, NULL), 0);
	await_turn(servers, 0);
	servers_now(servers, &now);
	assert_int_equal(net_port(&now.stun), server.port);
	servers_stop(servers);
	media_servers_unref(servers);
	fake_stun_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_any_there_is_nothing, start, stop),
		cmocka_unit_test_setup_teardown(a_call_is_given_what_needs_no_name_server, start,
						stop),
		cmocka_unit_test_setup_teardown(a_password_that_cannot_be_read_is_a_finding, start,
						stop),
		cmocka_unit_test_setup_teardown(one_that_refuses_is_given_to_no_call, start, stop),
	};

	return cmocka_run_group_tests_name("media/servers", tests, NULL, NULL);
}
