/* SPDX-License-Identifier: Apache-2.0 */
/* test_hosts.c - names of a hosts file, and a call to one. */
#include "tests/unit/tas/sip/wire.h"

#include "tas/sip/hosts.h"

static char path[] = "/tmp/breakout-hosts-XXXXXX";

static int set_up(void **state)
{
	static const char text[] = "# comment 9.9.9.9 nowhere\n"
				   "\n::1 both six # tail other\n"
				   "127.0.0.5\tboth  Alias\r\n"
				   "not-an-address broken\n"
				   "127.0.0.6 both\n"
				   "127.0.0.7";
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -1;
	return close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static void names_are_found_ipv4_first(void **state)
{
	char address[INET6_ADDRSTRLEN] = "unset";

	(void)state;
	assert_int_equal(hosts_find(path, "both", address), 0);
	assert_string_equal(address, "127.0.0.5");
	assert_int_equal(hosts_find(path, "ALIAS", address), 0);
	assert_string_equal(address, "127.0.0.5");
	assert_int_equal(hosts_find(path, "six", address), 0);
	assert_string_equal(address, "::1");
}

static void what_is_not_there_is_not_found(void **state)
{
	static const char *const names[] = { "nowhere", "other", "broken", "", "127.0.0.5", "bot" };
	char address[INET6_ADDRSTRLEN] = "unset";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(hosts_find(path, names[i], address), -ENOENT);
	assert_int_equal(hosts_find("/nonexistent", "both", address), -ENOENT);
	assert_string_equal(address, "unset");
}

static void a_next_hop_may_be_a_name_of_etc_hosts(void **state)
{
	struct config_listen listen;
	struct sip_endpoint_options options;
	char uri[128];

	(void)state;
	scene_open();
	options = scene_options(&listen, SIP_TRANSPORT_TLS);
	options.domain = "localhost"; /* in Contact: so are the requests of the dialog */
	scene.a = scene_endpoint(&options);
	scene.b = scene_endpoint(&options);
	scene_uri(uri, sizeof(uri), "x", "localhost", sip_endpoint_port(scene.b, 0),
		  SIP_TRANSPORT_TLS);
	assert_int_equal(scene_try_call(uri, OFFER), 0);
	scene_wait_invite(1);
	assert_string_equal(leg_info(scene.callee.leg)->request_uri, uri); /* as written */
	assert_int_equal(leg_answer(scene.callee.leg, ANSWER, NULL), 0);
	scene_wait(&scene.caller, "ANSWERED+sdp");
	assert_int_equal(leg_ack(scene.caller.leg, NULL), 0);
	scene_wait(&scene.callee, "CONFIRMED");
	scene.callee.leg = leg_release(scene.callee.leg, NULL);
	scene_wait(&scene.caller, "ENDED:bye:200");
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene_wait_gone();
	scene_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found_ipv4_first),
		cmocka_unit_test(what_is_not_there_is_not_found),
		cmocka_unit_test(a_next_hop_may_be_a_name_of_etc_hosts),
	};

	return cmocka_run_group_tests_name("tas/sip/hosts", tests, set_up, tear_down);
}
