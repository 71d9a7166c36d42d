/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_hosts.c - which of our addresses serves whom, asked of the kernel on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "media/net_hosts.h"

static struct net_hosts hosts;

static void have(const char *own, const char *told)
{
	assert_int_equal(net_parse(own, 0, &hosts.own[hosts.count]), 0);
	assert_int_equal(net_parse(told ? told : own, 0, &hosts.told[hosts.count]), 0);
	hosts.count++;
}

static int set_up(void **state)
{
	(void)state;
	memset(&hosts, 0, sizeof(hosts));
	return 0;
}

static unsigned towards(const char *peer)
{
	union net_address address;

	assert_int_equal(net_parse(peer, 4000, &address), 0);
	return net_hosts_towards(&hosts, &address);
}

static bool has_ipv6(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	bool has = fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

static void a_peer_is_served_from_an_address_of_its_family(void **state)
{
	(void)state;
	have("192.0.2.1", NULL); /* none of this machine's: the family alone decides */
	have("2001:db8::1", NULL);
	assert_int_equal(towards("127.0.0.9"), 0);
	assert_int_equal(towards("198.51.100.7"), 0);
	assert_int_equal(towards("::1"), 1);
	assert_int_equal(towards("2001:db8:ffff::7"), 1);
}

static void of_several_the_one_on_the_way_serves(void **state)
{
	(void)state;
	have("127.0.0.3", NULL);
	have("127.0.0.1", NULL); /* what the kernel sends from on loopback */
	assert_int_equal(towards("127.0.0.9"), 1);
	assert_int_equal(towards("0.0.0.0"), 0); /* nowhere: the first */
	if (!has_ipv6())
		return;
	have("fd00::7", NULL);
	have("::1", NULL);
	assert_int_equal(towards("::1"), 3);
	assert_int_equal(towards("127.0.0.9"), 1);
}

static void if_none_is_on_the_way_the_first_serves(void **state)
{
	(void)state;
	have("127.0.0.3", NULL);
	have("127.0.0.4", NULL);
	assert_int_equal(towards("127.0.0.9"), 0);
}

static void without_one_of_its_family_none_serves(void **state)
{
	union net_address nowhere;

	(void)state;
	memset(&nowhere, 0, sizeof(nowhere));
	have("127.0.0.1", NULL);
	assert_int_equal(towards("::1"), hosts.count);
	assert_int_equal(net_hosts_towards(&hosts, &nowhere), hosts.count);
}

static void one_is_found_by_what_is_told_too(void **state)
{
	union net_address address;

	(void)state;
	have("10.0.0.1", "203.0.113.1");
	have("fd00::1", "2001:db8::1");
	assert_int_equal(net_parse("203.0.113.1", 9, &address), 0);
	assert_int_equal(net_hosts_find(&hosts, &address), 0);
	assert_int_equal(net_parse("fd00::1", 9, &address), 0);
	assert_int_equal(net_hosts_find(&hosts, &address), 1);
	assert_int_equal(net_parse("203.0.113.2", 9, &address), 0);
	assert_int_equal(net_hosts_find(&hosts, &address), hosts.count);
	assert_false(net_hosts_on_loopback(&hosts));
	have("127.0.0.1", NULL);
	assert_true(net_hosts_on_loopback(&hosts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_peer_is_served_from_an_address_of_its_family, set_up),
		cmocka_unit_test_setup(of_several_the_one_on_the_way_serves, set_up),
		cmocka_unit_test_setup(if_none_is_on_the_way_the_first_serves, set_up),
		cmocka_unit_test_setup(without_one_of_its_family_none_serves, set_up),
		cmocka_unit_test_setup(one_is_found_by_what_is_told_too, set_up),
	};

	return cmocka_run_group_tests_name("media/net_hosts", tests, NULL, NULL);
}
