/* SPDX-License-Identifier: Apache-2.0 */
/* test_listening.c - sockets that are there before sofia asks for them, silent ones, and
 * connections that somebody else has accepted. */
#include "tests/unit/tas/sip/wire.h"
#include "tas/sip/endpoint_private.h"

static struct wire wire, listener;

static struct sip_endpoint *open_with(enum sip_transport transport, uint16_t port,
				      struct inherited_socket *inherited, size_t count)
{
	struct config_listen listen;
	struct sip_endpoint_options options = scene_options(&listen, transport);

	listen.port = port;
	options.inherited = inherited;
	options.inherited_count = count;
	return scene_endpoint(&options);
}

static int set_up(void **state)
{
	(void)state;
	scene_open();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	wire_close(&wire);
	wire_close(&listener);
	scene_close();
	return 0;
}

static bool is_answered(const char *transport)
{
	wire_request(&wire, "OPTIONS", "sip:x@127.0.0.1", transport, "", "");
	for (int i = 0; i < 40 && !strstr(wire.got, "SIP/2.0 200"); i++)
		wire_poll(&wire);
	return strstr(wire.got, "SIP/2.0 200") != NULL;
}

/* ---- sockets that are there already ---- */

static void a_socket_of_the_same_address_is_used(void **state)
{
	struct inherited_socket inherited = { .transport = SIP_TRANSPORT_TCP };

	(void)state;
	wire_open(&listener, SOCK_STREAM, 0);
	inherited.fd = dup(listener.fd);
	inherited.asked_port = listener.port;
	wire_open(&wire, SOCK_STREAM, listener.port); /* it waits there since before */
	scene.b = open_with(SIP_TRANSPORT_TCP, listener.port, &inherited, 1);
	assert_int_equal(inherited.fd, -1);
	assert_int_equal(sip_endpoint_port(scene.b, 0), listener.port);
	assert_true(is_answered("TCP"));
}

static void a_socket_for_any_port_keeps_the_one_it_has(void **state)
{
	struct inherited_socket inherited = { .transport = SIP_TRANSPORT_UDP };

	(void)state;
	wire_open(&listener, SOCK_DGRAM, 0);
	inherited.fd = dup(listener.fd);
	scene.b = open_with(SIP_TRANSPORT_UDP, 0, &inherited, 1);
	assert_int_equal(inherited.fd, -1);
	assert_int_equal(sip_endpoint_port(scene.b, 0), listener.port);
	wire_open(&wire, SOCK_DGRAM, listener.port);
	assert_true(is_answered("UDP"));
}

static void a_socket_for_something_else_is_left_alone(void **state)
{
	struct inherited_socket inherited[3] = {
		{ .fd = -1, .transport = SIP_TRANSPORT_TCP },
		{ .fd = 0, .transport = SIP_TRANSPORT_UDP },                     /* transport */
		{ .fd = 0, .transport = SIP_TRANSPORT_TCP, .asked_port = 5060 }, /* port */
	};

	(void)state;
	wire_open(&listener, SOCK_STREAM, 0);
	inherited[1].fd = dup(listener.fd);
	inherited[2].fd = dup(listener.fd);
	scene.b = open_with(SIP_TRANSPORT_TCP, 0, inherited, 3);
	assert_true(sip_endpoint_port(scene.b, 0) != listener.port);
	for (int i = 1; i < 3; i++) {
		assert_true(inherited[i].fd >= 0);
		close(inherited[i].fd);
	}
	wire_open(&wire, SOCK_STREAM, sip_endpoint_port(scene.b, 0));
	assert_true(is_answered("TCP"));
}

/* ---- the sockets sofia has ---- */

static void sockets_are_found_by_address_or_else_by_transport(void **state)
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&address;
	const struct listening *listening;

	(void)state;
	scene.b = open_with(SIP_TRANSPORT_TCP, 0, NULL, 0);
	listening = &scene.b->listening;
	assert_int_equal(listening->count, 1);
	*in = wire_address(sip_endpoint_port(scene.b, 0));
	assert_ptr_equal(listening_find(listening, SIP_TRANSPORT_TCP, &address),
			 listening->sockets);
	in->sin_port = htons(1);
	assert_ptr_equal(listening_find(listening, SIP_TRANSPORT_TCP, &address),
			 listening->sockets);
	assert_null(listening_find(listening, SIP_TRANSPORT_UDP, &address));
	address.ss_family = AF_INET6;
	assert_ptr_equal(listening_find(listening, SIP_TRANSPORT_TCP, &address),
			 listening->sockets);
}

static void what_comes_to_a_silent_socket_waits(void **state)
{
	(void)state;
	scene.b = open_with(SIP_TRANSPORT_UDP, 0, NULL, 0);
	listening_set_silent(&scene.b->listening, true);
	wire_open(&wire, SOCK_DGRAM, sip_endpoint_port(scene.b, 0));
	assert_false(is_answered("UDP"));
	listening_set_silent(&scene.b->listening, false);
	wire_expect(&wire, "SIP/2.0 200");
}

static void sockets_of_others_are_nobodys_business(void **state)
{
	struct listening listening = { .count = 0 };
	struct inherited_socket inherited = { .transport = SIP_TRANSPORT_TCP };

	(void)state;
	wire_open(&listener, SOCK_STREAM, 0);
	inherited.fd = listener.fd;
	listening.inherited = &inherited;
	listening.inherited_count = 1;
	listening_enter(&listening, SIP_TRANSPORT_TCP, 0);
	wire_open(&wire, SOCK_STREAM, 0); /* binds, and it is not sofia that does */
	listening_leave();
	assert_int_equal(inherited.fd, listener.fd);
	assert_true(wire.port != listener.port);
	assert_int_equal(listening.count, 0);
	listening_done(&listening);
}

/* ---- connections that were accepted elsewhere ---- */

static void a_given_connection_is_served_as_its_peers(void **state)
{
	struct sockaddr_storage peer = { 0 };
	int pair[2];

	(void)state;
	scene.b = open_with(SIP_TRANSPORT_TCP, 0, NULL, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	*(struct sockaddr_in *)&peer = wire_address(4711);
	assert_non_null(listening_give(scene.b->listening.sockets, pair[1], &peer));
	assert_false(listening_is_giving());
	wire = (struct wire){ .fd = pair[0], .port = 4712 };
	assert_true(is_answered("TCP"));
	/* RFC 3261 section 18.2.1 and RFC 3581: from where it came. */
	assert_non_null(strstr(wire.got, "4712"));
	wire_request(&wire, "OPTIONS", "sip:x@127.0.0.1", "TCP;rport", "", "");
	wire_expect(&wire, "rport=4711");
}

static void the_next_connection_is_accepted_as_before(void **state)
{
	struct sockaddr_storage peer = { 0 };
	int pair[2];

	(void)state;
	scene.b = open_with(SIP_TRANSPORT_TCP, 0, NULL, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	*(struct sockaddr_in *)&peer = wire_address(4711);
	assert_non_null(listening_give(scene.b->listening.sockets, pair[1], &peer));
	close(pair[0]);
	scene_settle();
	wire_open(&wire, SOCK_STREAM, sip_endpoint_port(scene.b, 0));
	assert_true(is_answered("TCP"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_socket_of_the_same_address_is_used),
		T(a_socket_for_any_port_keeps_the_one_it_has),
		T(a_socket_for_something_else_is_left_alone),
		T(sockets_are_found_by_address_or_else_by_transport),
		T(what_comes_to_a_silent_socket_waits),
		T(sockets_of_others_are_nobodys_business),
		T(a_given_connection_is_served_as_its_peers),
		T(the_next_connection_is_accepted_as_before),
	};

	return cmocka_run_group_tests_name("tas/sip/listening", tests, NULL, NULL);
}
