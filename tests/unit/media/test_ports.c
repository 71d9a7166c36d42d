/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/metrics.h"
#include "media/ports.h"

static union net_address loopback;

static int set_up(void **state)
{
	(void)state;
	clock_fake_set(1000);
	return net_parse("127.0.0.1", 0, &loopback);
}

static void pairs_are_even_and_bound(void **state)
{
	struct ports *ports;
	uint16_t port;
	int fds[2];
	union net_address bound;
	socklen_t size = sizeof(bound);

	(void)state;
	assert_int_equal(ports_create(&ports, 22101, 22111), 0);
	assert_int_equal(ports_take_pair(ports, &loopback, 1, &port, &fds), 0);
	assert_int_equal(port % 2, 0);
	assert_int_equal(getsockname(fds[1], &bound.any, &size), 0);
	assert_int_equal(net_port(&bound), port + 1);
	close(fds[0]);
	close(fds[1]);
	ports_destroy(ports);
}

static void an_empty_range_says_so_and_a_port_given_back_rests(void **state)
{
	struct ports *ports;
	uint16_t a, b, c;

	(void)state;
	assert_int_equal(ports_create(&ports, 22120, 22121), 0);
	assert_int_equal(ports_take(ports, &loopback, 1, &a), 0);
	assert_int_equal(ports_take(ports, &loopback, 1, &b), 0);
	assert_int_not_equal(a, b);
	assert_int_equal(ports_take(ports, &loopback, 1, &c), -ENOSPC);
	ports_give(ports, a, 1);
	assert_int_equal(ports_take(ports, &loopback, 1, &c), -ENOSPC);
	clock_fake_advance(PORTS_QUARANTINE_MS);
	assert_int_equal(ports_take(ports, &loopback, 1, &c), 0);
	assert_int_equal(c, a);
	ports_destroy(ports);
}

static void a_port_somebody_else_holds_is_passed_over(void **state)
{
	struct ports *ports;
	union net_address held = loopback;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), fds[2];
	uint16_t port;

	(void)state;
	net_set_port(&held, 22131);
	assert_int_equal(bind(fd, &held.any, net_size(&held)), 0);
	assert_int_equal(ports_create(&ports, 22130, 22133), 0);
	assert_int_equal(ports_take_pair(ports, &loopback, 1, &port, &fds), 0);
	assert_int_equal(port, 22132);
	close(fds[0]);
	close(fds[1]);
	close(fd);
	ports_destroy(ports);
}

static void searches_in_one_range_begin_at_different_places(void **state)
{
	uint16_t first = 0, port;
	bool differ = false;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct ports *ports;

		assert_int_equal(ports_create(&ports, 20000, 29999), 0);
		assert_int_equal(ports_take(ports, &loopback, 1, &port), 0);
		differ = differ || (first && port != first);
		first = port;
		ports_destroy(ports);
	}
	assert_true(differ);
}

static void a_foreign_address_is_an_error_not_a_full_range(void **state)
{
	struct ports *ports;
	union net_address foreign;
	uint16_t port;

	(void)state;
	assert_int_equal(net_parse("192.0.2.1", 0, &foreign), 0);
	assert_int_equal(ports_create(&ports, 22140, 22143), 0);
	assert_int_equal(ports_take(ports, &foreign, 1, &port), -EADDRNOTAVAIL);
	ports_destroy(ports);
}

static void an_impossible_range_is_refused(void **state)
{
	struct ports *ports = NULL;

	(void)state;
	assert_int_equal(ports_create(&ports, 3000, 3000), -EINVAL);
	assert_int_equal(ports_create(&ports, 0, 3000), -EINVAL);
	assert_int_equal(ports_create(&ports, 3001, 3000), -EINVAL);
	assert_null(ports);
}

struct gauges {
	int64_t free, used, resting;
};

static void keep_gauge(const struct metric *metric, void *arg)
{
	struct gauges *gauges = arg;

	if (strcmp(metric->name, "breakout_media_ports") != 0)
		return;
	if (strstr(metric->labels, "free"))
		gauges->free = metric_get(metric);
	else if (strstr(metric->labels, "used"))
		gauges->used = metric_get(metric);
	else
		gauges->resting = metric_get(metric);
}

static void assert_gauges(int64_t unused, int64_t used, int64_t resting)
{
	struct gauges gauges = { 0 };

	metrics_each(keep_gauge, &gauges);
	assert_int_equal(gauges.free, unused);
	assert_int_equal(gauges.used, used);
	assert_int_equal(gauges.resting, resting);
}

static void gauges_tell_free_used_and_resting_ports(void **state)
{
	struct ports *ports;
	uint16_t pair, one, other;
	int fds[2];

	(void)state;
	assert_int_equal(ports_create(&ports, 22150, 22155), 0);
	assert_gauges(6, 0, 0);
	assert_int_equal(ports_take_pair(ports, &loopback, 1, &pair, &fds), 0);
	assert_int_equal(ports_take(ports, &loopback, 1, &one), 0);
	assert_gauges(3, 3, 0);
	ports_give(ports, pair, 2);
	clock_fake_advance(PORTS_QUARANTINE_MS / 2);
	ports_give(ports, one, 1);
	assert_gauges(3, 0, 3);
	clock_fake_advance(PORTS_QUARANTINE_MS / 2);
	assert_int_equal(ports_take(ports, &loopback, 1, &other), 0);
	assert_gauges(4, 1, 1);
	ports_destroy(ports);
	assert_gauges(0, 0, 0);
	close(fds[0]);
	close(fds[1]);
}

static void ports_rest_and_return_many_times_over(void **state)
{
	struct ports *ports;
	uint16_t port;

	(void)state;
	assert_int_equal(ports_create(&ports, 22160, 22162), 0);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(ports_take(ports, &loopback, 1, &port), 0);
		ports_give(ports, port, 1);
		clock_fake_advance(PORTS_QUARANTINE_MS / 2);
	}
	clock_fake_advance(PORTS_QUARANTINE_MS);
	assert_int_equal(ports_take(ports, &loopback, 1, &port), 0);
	assert_gauges(2, 1, 0);
	ports_destroy(ports);
}

/* One port number, though it is bound several times. */
static void a_port_is_free_on_all_addresses_or_not_taken(void **state)
{
	union net_address both[2];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ports *ports;
	uint16_t port;

	(void)state;
	assert_int_equal(net_parse("127.0.0.1", 0, &both[0]), 0);
	assert_int_equal(net_parse("127.0.0.2", 22164, &both[1]), 0);
	assert_int_equal(bind(fd, &both[1].any, net_size(&both[1])), 0);
	assert_int_equal(ports_create(&ports, 22164, 22165), 0);
	assert_int_equal(ports_take(ports, both, 2, &port), 0);
	assert_int_equal(port, 22165);
	assert_int_equal(ports_take(ports, both, 2, &port), -ENOSPC);
	assert_int_equal(ports_take(ports, both, 1, &port), 0);
	assert_int_equal(port, 22164);
	ports_destroy(ports);
	close(fd);
}

static void a_pair_is_on_all_addresses_or_not_taken(void **state)
{
	union net_address both[2], bound;
	socklen_t size = sizeof(bound);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), fds[2][2], held[2][2];
	struct ports *ports;
	uint16_t port;

	(void)state;
	assert_int_equal(net_parse("127.0.0.1", 0, &both[0]), 0);
	assert_int_equal(net_parse("127.0.0.2", 22171, &both[1]), 0);
	assert_int_equal(bind(fd, &both[1].any, net_size(&both[1])), 0);
	assert_int_equal(ports_create(&ports, 22170, 22173), 0);
	assert_int_equal(ports_take_pair(ports, both, 2, &port, held), 0);
	assert_int_equal(port, 22172);
	assert_int_equal(getsockname(held[1][1], &bound.any, &size), 0);
	assert_true(net_same_host(&bound, &both[1]));
	assert_int_equal(net_port(&bound), 22173);
	assert_int_equal(ports_take_pair(ports, both, 2, &port, fds), -ENOSPC);
	assert_int_equal(ports_take_pair(ports, both, 1, &port, fds), 0); /* the first is free */
	assert_int_equal(port, 22170);
	ports_close(fds, 1);
	ports_close(held, 2);
	ports_destroy(ports);
	close(fd);
}

static void some_are_kept_of_a_wide_range(void **state)
{
	struct ports *ports;
	uint16_t taken[98];

	(void)state;
	assert_int_equal(ports_create(&ports, 22200, 22299), 0);
	for (unsigned i = 0; i < 90; i++)
		assert_int_equal(ports_take(ports, &loopback, 1, &taken[i]), 0);
	assert_int_equal(ports_used_percent(ports), 90);
	assert_true(ports_spare(ports, 8));
	assert_false(ports_spare(ports, 9)); /* two are kept */
	ports_give(ports, taken[0], 1);
	assert_int_equal(ports_used_percent(ports), 90); /* it rests */
	assert_false(ports_spare(ports, 9));
	clock_fake_advance(PORTS_QUARANTINE_MS);
	assert_int_equal(ports_used_percent(ports), 89);
	assert_true(ports_spare(ports, 9));
	ports_destroy(ports);
}

static void none_is_kept_of_a_narrow_one(void **state)
{
	struct ports *ports;

	(void)state;
	assert_int_equal(ports_create(&ports, 22300, 22303), 0);
	assert_true(ports_spare(ports, 4));
	assert_false(ports_spare(ports, 5));
	ports_destroy(ports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_pair_is_on_all_addresses_or_not_taken, set_up),
		cmocka_unit_test_setup(pairs_are_even_and_bound, set_up),
		cmocka_unit_test_setup(some_are_kept_of_a_wide_range, set_up),
		cmocka_unit_test_setup(none_is_kept_of_a_narrow_one, set_up),
		cmocka_unit_test_setup(an_empty_range_says_so_and_a_port_given_back_rests, set_up),
		cmocka_unit_test_setup(a_port_somebody_else_holds_is_passed_over, set_up),
		cmocka_unit_test_setup(searches_in_one_range_begin_at_different_places, set_up),
		cmocka_unit_test_setup(a_foreign_address_is_an_error_not_a_full_range, set_up),
		cmocka_unit_test_setup(an_impossible_range_is_refused, set_up),
		cmocka_unit_test_setup(gauges_tell_free_used_and_resting_ports, set_up),
		cmocka_unit_test_setup(ports_rest_and_return_many_times_over, set_up),
		cmocka_unit_test_setup(a_port_is_free_on_all_addresses_or_not_taken, set_up),
	};

	return cmocka_run_group_tests_name("media/ports", tests, NULL, NULL);
}
