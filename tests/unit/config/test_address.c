/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "config/address.h"

static bool contains(const char *network, const char *address)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct config_cidr cidr;
	bool host_bits;

	assert_null(cidr_parse(network, &cidr, &host_bits));
	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		return config_cidr_contains(&cidr, (const struct sockaddr *)(const void *)&v4);
	assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
	return config_cidr_contains(&cidr, (const struct sockaddr *)(const void *)&v6);
}

static void a_network_contains_its_addresses_only(void **state)
{
	(void)state;
	assert_true(contains("192.0.2.0/24", "192.0.2.255"));
	assert_false(contains("192.0.2.0/24", "192.0.3.0"));
	assert_true(contains("192.0.2.128/25", "192.0.2.129"));
	assert_false(contains("192.0.2.128/25", "192.0.2.127"));
	assert_true(contains("192.0.2.7", "192.0.2.7"));
	assert_false(contains("192.0.2.7", "192.0.2.6"));
	assert_true(contains("192.0.2.6/31", "192.0.2.7"));
	assert_true(contains("0.0.0.0/0", "203.0.113.1"));
	assert_true(contains("2001:db8::/32", "2001:db8:ffff::1"));
	assert_false(contains("2001:db8::/32", "2001:db9::1"));
	assert_true(contains("2001:db8::8/125", "2001:db8::f"));
	assert_false(contains("2001:db8::8/125", "2001:db8::10"));
	assert_true(contains("::1", "::1"));
}

static void mapped_addresses_compare_as_ipv4(void **state)
{
	(void)state;
	assert_true(contains("192.0.2.0/24", "::ffff:192.0.2.9"));
	assert_true(contains("::ffff:192.0.2.0/120", "192.0.2.9"));
	assert_false(contains("::ffff:192.0.2.0/120", "192.0.3.9"));
	assert_true(contains("::ffff:192.0.2.9", "192.0.2.9"));
	assert_false(contains("::/0", "192.0.2.9"));
	assert_false(contains("::/0", "::ffff:192.0.2.9"));
	assert_false(contains("0.0.0.0/0", "2001:db8::1"));
}

static void other_address_families_are_in_no_network(void **state)
{
	struct sockaddr other = { .sa_family = AF_UNIX };
	struct config_cidr cidr;
	bool host_bits;

	(void)state;
	assert_null(cidr_parse("0.0.0.0/0", &cidr, &host_bits));
	assert_false(config_cidr_contains(&cidr, &other));
	cidr = (struct config_cidr){ 0 };
	assert_false(config_cidr_contains(&cidr, &other));
}

static void wrong_networks_are_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"/",
		"/24",
		"192.0.2.0/",
		"192.0.2.0/33",
		"192.0.2.0/-1",
		"192.0.2/24",
		"2001:db8::/129",
		"host",
		"[::1]",
		"192.0.2.0/24 ",
		"::ffff:192.0.2.0/95",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1/1"
	};
	struct config_cidr cidr;
	bool host_bits;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_non_null(cidr_parse(wrong[i], &cidr, &host_bits));
}

static void host_bits_are_noticed(void **state)
{
	struct config_cidr cidr;
	bool host_bits;

	(void)state;
	assert_null(cidr_parse("192.0.2.7/24", &cidr, &host_bits));
	assert_true(host_bits);
	assert_null(cidr_parse("192.0.2.0/24", &cidr, &host_bits));
	assert_false(host_bits);
	assert_null(cidr_parse("192.0.2.7", &cidr, &host_bits));
	assert_false(host_bits);
	assert_null(cidr_parse("2001:db8::1/64", &cidr, &host_bits));
	assert_true(host_bits);
}

static void hosts_are_names_or_literals(void **state)
{
	char longest[300];

	(void)state;
	assert_true(host_is_name("tas.example.com"));
	assert_true(host_is_name("a-b.c1"));
	assert_true(host_is_name("192.0.2.1"));
	assert_false(host_is_name(""));
	assert_false(host_is_name("a..b"));
	assert_false(host_is_name(".a"));
	assert_false(host_is_name("a."));
	assert_false(host_is_name("-a"));
	assert_false(host_is_name("a-"));
	assert_false(host_is_name("a-.b"));
	assert_false(host_is_name("a b"));
	assert_false(host_is_name("bl\xc3\xa5"));
	memset(longest, 'a', sizeof(longest));
	longest[64] = '\0';
	assert_false(host_is_name(longest));
	longest[63] = '\0';
	assert_true(host_is_name(longest));
	assert_true(host_is_literal("::"));
	assert_false(host_is_literal("[::]"));
	assert_true(host_is_loopback("127.9.9.9"));
	assert_true(host_is_loopback("::1"));
	assert_true(host_is_loopback("LocalHost"));
	assert_false(host_is_loopback("128.0.0.1"));
	assert_false(host_is_loopback("localhost.example.com"));
	assert_true(host_is_wildcard("0.0.0.0"));
	assert_true(host_is_wildcard("::"));
	assert_false(host_is_wildcard("::1"));
	assert_false(host_is_wildcard("any"));
	assert_true(host_is_multicast("224.0.0.1"));
	assert_true(host_is_multicast("255.255.255.255"));
	assert_true(host_is_multicast("ff02::1"));
	assert_false(host_is_multicast("223.255.255.255"));
	assert_false(host_is_multicast("2001:db8::1"));
	assert_false(host_is_multicast("ff"));
}

static void hosts_and_ports_come_apart(void **state)
{
	char host[HOST_ROOM], text[600];
	uint16_t port;

	(void)state;
	assert_null(host_port_parse("a:1", 3, host, &port));
	assert_string_equal(host, "a");
	assert_int_equal(port, 1);
	assert_null(host_port_parse("[::1]:65535", 11, host, &port));
	assert_string_equal(host, "::1");
	assert_int_equal(port, 65535);
	assert_null(host_port_parse("abc:99", 1, host, &port)); /* only what it was given */
	assert_string_equal(host, "a");
	assert_int_equal(port, 0);
	assert_non_null(host_port_parse("", 0, host, &port));
	assert_non_null(host_port_parse("a:", 2, host, &port));
	assert_non_null(host_port_parse("a:65536", 7, host, &port));
	assert_non_null(host_port_parse("a:-1", 4, host, &port));
	assert_non_null(host_port_parse("[::1]x", 6, host, &port));
	assert_non_null(host_port_parse("[]:1", 4, host, &port));
	memset(text, 'a', sizeof(text));
	assert_non_null(host_port_parse(text, sizeof(text), host, &port));
}

static void sip_uris_come_apart(void **state)
{
	struct sip_uri uri;

	(void)state;
	assert_null(sip_uri_parse("SIPS:Host:5061", &uri));
	assert_true(uri.secure);
	assert_string_equal(uri.host, "Host");
	assert_int_equal(uri.port, 5061);
	assert_null(sip_uri_parse("sip:[::1];transport=UDP", &uri));
	assert_false(uri.secure);
	assert_string_equal(uri.host, "::1");
	assert_int_equal(uri.port, 0);
	assert_non_null(sip_uri_parse("", &uri));
	assert_non_null(sip_uri_parse("sip:", &uri));
	assert_non_null(sip_uri_parse("sips:;transport=tcp", &uri));
	assert_non_null(sip_uri_parse("sip:h?x=y", &uri));
}

static void transports_have_their_names(void **state)
{
	(void)state;
	assert_string_equal(sip_transport_name(SIP_TRANSPORT_TLS), "tls");
	assert_string_equal(sip_transport_name(SIP_TRANSPORT_TCP), "tcp");
	assert_string_equal(sip_transport_name(SIP_TRANSPORT_UDP), "udp");
}

static void a_uri_without_transport_means_tls_for_sips_and_udp_for_sip(void **state)
{
	(void)state;
	assert_int_equal(config_uri_transport("sips:pbx:5061"), SIP_TRANSPORT_TLS);
	assert_int_equal(config_uri_transport("sip:pbx;transport=TLS"), SIP_TRANSPORT_TLS);
	assert_int_equal(config_uri_transport("sip:pbx:5060;transport=tcp"), SIP_TRANSPORT_TCP);
	assert_int_equal(config_uri_transport("sip:pbx;transport=udp"), SIP_TRANSPORT_UDP);
	assert_int_equal(config_uri_transport("sip:pbx:5060"), SIP_TRANSPORT_UDP);
}

static void a_literal_host_becomes_a_socket_address(void **state)
{
	struct sockaddr_storage address;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;

	(void)state;
	assert_int_equal(host_address("192.0.2.1", 5061, &address), 0);
	assert_int_equal(v4->sin_family, AF_INET);
	assert_int_equal(ntohs(v4->sin_port), 5061);
	assert_int_equal(ntohl(v4->sin_addr.s_addr), 0xc0000201);
	assert_int_equal(host_address("::1", 1, &address), 0);
	assert_int_equal(v6->sin6_family, AF_INET6);
	assert_int_equal(ntohs(v6->sin6_port), 1);
	assert_true(IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr));
	assert_int_equal(host_address("localhost", 1, &address), -EINVAL);
	assert_int_equal(address.ss_family, AF_UNSPEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_literal_host_becomes_a_socket_address),
		cmocka_unit_test(a_network_contains_its_addresses_only),
		cmocka_unit_test(mapped_addresses_compare_as_ipv4),
		cmocka_unit_test(other_address_families_are_in_no_network),
		cmocka_unit_test(wrong_networks_are_refused),
		cmocka_unit_test(host_bits_are_noticed),
		cmocka_unit_test(hosts_are_names_or_literals),
		cmocka_unit_test(hosts_and_ports_come_apart),
		cmocka_unit_test(sip_uris_come_apart),
		cmocka_unit_test(transports_have_their_names),
		cmocka_unit_test(a_uri_without_transport_means_tls_for_sips_and_udp_for_sip),
	};
	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
