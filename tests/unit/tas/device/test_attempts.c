/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include "tas/device/attempts.h"

static struct sockaddr_storage address(const char *text, uint16_t port)
{
	struct sockaddr_storage storage = { .ss_family = AF_INET };
	struct sockaddr_in *in = (struct sockaddr_in *)&storage;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;

	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_port = htons(port);
		return storage;
	}
	storage.ss_family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
	in6->sin6_port = htons(port);
	return storage;
}

static unsigned taken(struct attempts *attempts, const char *text, unsigned tries, mono_ms now)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < tries; i++) {
		struct sockaddr_storage source = address(text, (uint16_t)(1000 + i));

		taken += attempts_take(attempts, &source, 30, now);
	}
	return taken;
}

static void a_source_has_a_minutes_share_at_once(void **state)
{
	static struct attempts attempts;

	(void)state;
	assert_int_equal(taken(&attempts, "192.0.2.1", 100, 5000), 30); /* whatever its port */
	assert_int_equal(taken(&attempts, "192.0.2.2", 1, 5000), 1);
}

static void it_comes_back_evenly(void **state)
{
	static struct attempts attempts;

	(void)state;
	assert_int_equal(taken(&attempts, "192.0.2.1", 30, 5000), 30);
	assert_int_equal(taken(&attempts, "192.0.2.1", 10, 6999), 0);
	assert_int_equal(taken(&attempts, "192.0.2.1", 10, 7000), 1);
	assert_int_equal(taken(&attempts, "192.0.2.1", 100, 67000), 30);
}

static void what_succeeds_does_not_count(void **state)
{
	static struct attempts attempts;
	struct sockaddr_storage source = address("192.0.2.1", 1);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_true(attempts_take(&attempts, &source, 30, 5000)); /* the challenge */
		assert_true(attempts_take(&attempts, &source, 30, 5000)); /* its answer */
		attempts_give_back(&attempts, &source, 30, 5000);
		attempts.total.full_ms = 0; /* not what this is about */
	}
	assert_int_equal(taken(&attempts, "192.0.2.1", 100, 5000), 30); /* but gives no more */
}

static void a_site_is_one_source(void **state)
{
	static struct attempts attempts;

	(void)state;
	assert_int_equal(taken(&attempts, "2001:db8:1:2::1", 30, 5000), 30);
	assert_int_equal(taken(&attempts, "2001:db8:1:2:ffff::9", 1, 5000), 0);
	assert_int_equal(taken(&attempts, "2001:db8:1:3::1", 1, 5000), 1);
}

static void all_together_have_a_limit_too(void **state)
{
	static struct attempts attempts;
	unsigned sum = 0;
	char text[32];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		(void)snprintf(text, sizeof(text), "198.51.%u.%u", i / 250 % 250, i % 250);
		sum += taken(&attempts, text, 1, 5000);
	}
	assert_in_range(sum, 2000, 30 * ATTEMPTS_TOTAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_source_has_a_minutes_share_at_once),
		cmocka_unit_test(it_comes_back_evenly),
		cmocka_unit_test(what_succeeds_does_not_count),
		cmocka_unit_test(a_site_is_one_source),
		cmocka_unit_test(all_together_have_a_limit_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
