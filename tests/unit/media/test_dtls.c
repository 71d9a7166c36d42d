/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "media/dtls.h"

#define QUEUE 64

struct datagram {
	uint8_t bytes[1500];
	size_t length;
};

/* One association and the wire that leads away from it. */
struct end {
	struct dtls *dtls;
	struct datagram sent[QUEUE];
	unsigned head, tail;         /* free-running */
	unsigned drop_from, drop_to; /* datagram numbers lost on the wire */
	unsigned ready, failed;
	struct srtp_keys keys;
	char reason[512];
};

static struct dtls_identity *identities[2];
static struct timer_wheel *wheel;
static struct end ends[2];

static void on_send(const uint8_t *bytes, size_t length, void *arg)
{
	struct end *end = arg;
	unsigned number = end->head;

	assert_true(length <= 1200);
	end->head++;
	if (number >= end->drop_from && number < end->drop_to)
		end->sent[number % QUEUE].length = 0;
	else {
		memcpy(end->sent[number % QUEUE].bytes, bytes, length);
		end->sent[number % QUEUE].length = length;
	}
}

static void on_ready(const struct srtp_keys *keys, void *arg)
{
	struct end *end = arg;

	end->ready++;
	end->keys = *keys;
}

static void on_failed(const char *reason, void *arg)
{
	struct end *end = arg;

	end->failed++;
	(void)snprintf(end->reason, sizeof(end->reason), "%s", reason);
}

/* Two ends with a fingerprint each believes in; end 0 is the client. */
static void make(const struct sdp_fingerprint *believed_by_client,
		 const struct sdp_fingerprint *believed_by_server)
{
	memset(ends, 0, sizeof(ends));
	for (unsigned i = 0; i < 2; i++) {
		const struct dtls_handlers handlers = { on_send, on_ready, on_failed, &ends[i] };
		const struct sdp_fingerprint *believed =
			i == 0 ? believed_by_client : believed_by_server;

		assert_int_equal(dtls_create(&ends[i].dtls, identities[i], wheel, i == 0, believed,
					     1, &handlers),
				 0);
	}
}

static const struct sdp_fingerprint *print_of(unsigned end)
{
	return dtls_identity_fingerprint(identities[end]);
}

static bool deliver_one(struct end *from, struct end *to)
{
	struct datagram *datagram = &from->sent[from->tail % QUEUE];

	if (from->tail == from->head)
		return false;
	from->tail++;
	if (datagram->length > 0)
		dtls_receive(to->dtls, datagram->bytes, datagram->length);
	return true;
}

static void deliver_all(void)
{
	while (deliver_one(&ends[0], &ends[1]) || deliver_one(&ends[1], &ends[0]))
		;
}

/* Runs wires and timers until both ends have come to a result. */
static void run(void)
{
	mono_ms deadline = clock_now() + 15000;

	dtls_start(ends[1].dtls);
	dtls_start(ends[0].dtls);
	while (ends[0].ready + ends[0].failed == 0 || ends[1].ready + ends[1].failed == 0) {
		assert_true(clock_now() < deadline);
		deliver_all();
		(void)poll(NULL, 0, 5);
		(void)timer_wheel_advance(wheel, clock_now(), 0);
	}
	deliver_all();
}

static void destroy(void)
{
	dtls_destroy(ends[0].dtls);
	dtls_destroy(ends[1].dtls);
	assert_int_equal(timer_wheel_next(wheel), -1);
}

static void assert_agreed(void)
{
	assert_int_equal(ends[0].ready, 1);
	assert_int_equal(ends[1].ready, 1);
	assert_int_equal(ends[0].keys.suite, SRTP_SUITE_AEAD_AES_128_GCM);
	assert_memory_equal(ends[0].keys.outbound, ends[1].keys.inbound, SRTP_KEY_ROOM);
	assert_memory_equal(ends[0].keys.inbound, ends[1].keys.outbound, SRTP_KEY_ROOM);
	assert_memory_not_equal(ends[0].keys.inbound, ends[0].keys.outbound, SRTP_KEY_ROOM);
}

static void both_ends_get_the_same_keys(void **state)
{
	(void)state;
	make(print_of(1), print_of(0));
	run();
	assert_agreed();
	destroy();
}

static void a_wrong_fingerprint_yields_no_keys_and_names_both(void **state)
{
	struct sdp_fingerprint wrong = *print_of(1);
	char promised[SDP_FINGERPRINT_ROOM], seen[SDP_FINGERPRINT_ROOM];

	(void)state;
	wrong.bytes[31] ^= 1;
	make(&wrong, print_of(0));
	run();
	assert_int_equal(ends[0].ready, 0);
	assert_int_equal(ends[0].failed, 1);
	sdp_fingerprint_format(&wrong, promised);
	sdp_fingerprint_format(print_of(1), seen);
	assert_non_null(strstr(ends[0].reason, promised));
	assert_non_null(strstr(ends[0].reason, seen));
	destroy();
}

static void the_server_checks_the_clients_fingerprint_too(void **state)
{
	(void)state;
	make(print_of(1), print_of(1));
	run();
	assert_int_equal(ends[1].ready, 0);
	assert_int_equal(ends[1].failed, 1);
	destroy();
}

static void every_lost_flight_is_repeated(void **state)
{
	(void)state;
	for (unsigned end = 0; end < 2; end++) {
		for (unsigned lost = 0; lost < 3; lost++) {
			make(print_of(1), print_of(0));
			ends[end].drop_from = lost;
			ends[end].drop_to = lost + 1;
			run();
			assert_agreed();
			destroy();
		}
	}
}

static void the_servers_last_flight_is_repeated_after_it_has_keys(void **state)
{
	mono_ms deadline = clock_now() + 10000;

	(void)state;
	make(print_of(1), print_of(0));
	dtls_start(ends[1].dtls);
	dtls_start(ends[0].dtls);
	while (ends[1].ready == 0) {
		assert_true(clock_now() < deadline);
		ends[1].drop_from = ends[1].head + 1000; /* nothing yet */
		if (!deliver_one(&ends[1], &ends[0])) {
			unsigned before = ends[1].head;

			(void)deliver_one(&ends[0], &ends[1]);
			if (ends[1].ready) /* the flight that went with it is lost */
				ends[1].tail = ends[1].head;
			(void)before;
		}
	}
	assert_int_equal(ends[0].ready, 0);
	while (ends[0].ready == 0) {
		assert_true(clock_now() < deadline);
		(void)poll(NULL, 0, 5);
		(void)timer_wheel_advance(wheel, clock_now(), 0);
		deliver_all();
	}
	assert_agreed();
	destroy();
}

static void a_hello_after_the_handshake_changes_nothing(void **state)
{
	struct end stranger;
	const struct dtls_handlers handlers = { on_send, on_ready, on_failed, &stranger };
	struct srtp_keys before;

	(void)state;
	make(print_of(1), print_of(0));
	run();
	before = ends[1].keys;
	memset(&stranger, 0, sizeof(stranger));
	assert_int_equal(
		dtls_create(&stranger.dtls, identities[0], wheel, true, print_of(1), 1, &handlers),
		0);
	dtls_start(stranger.dtls);
	dtls_receive(ends[1].dtls, stranger.sent[0].bytes, stranger.sent[0].length);
	assert_int_equal(ends[1].head, ends[1].tail); /* not a byte back */
	assert_int_equal(ends[1].ready, 1);
	assert_memory_equal(&before, &ends[1].keys, sizeof(before));
	dtls_destroy(stranger.dtls);
	destroy();
}

static void junk_does_not_disturb_a_handshake(void **state)
{
	uint8_t junk[600];

	(void)state;
	make(print_of(1), print_of(0));
	dtls_start(ends[1].dtls);
	srand(7);
	for (unsigned i = 0; i < 2000; i++) {
		size_t length = 1 + (size_t)rand() % sizeof(junk);

		for (size_t k = 0; k < length; k++)
			junk[k] = (uint8_t)rand();
		junk[0] = (uint8_t)(20 + rand() % 44);
		dtls_receive(ends[1].dtls, junk, length);
	}
	assert_int_equal(ends[1].failed, 0);
	run();
	assert_agreed();
	destroy();
}

static void silence_ends_in_a_failure_after_ten_seconds(void **state)
{
	struct timer_wheel *real = wheel;

	(void)state;
	clock_fake_set(1000);
	assert_int_equal(timer_wheel_create(&wheel, 1000), 0);
	make(print_of(1), print_of(0));
	dtls_start(ends[1].dtls);
	clock_fake_advance(DTLS_HANDSHAKE_MS - 100);
	(void)timer_wheel_advance(wheel, clock_now(), 0);
	assert_int_equal(ends[1].failed, 0);
	clock_fake_advance(200);
	(void)timer_wheel_advance(wheel, clock_now(), 0);
	assert_int_equal(ends[1].failed, 1);
	assert_non_null(strstr(ends[1].reason, "10 s"));
	destroy();
	timer_wheel_destroy(wheel);
	wheel = real;
	clock_real();
}

static void datagrams_before_the_start_and_after_the_end_are_ignored(void **state)
{
	(void)state;
	make(print_of(1), print_of(0));
	dtls_receive(ends[1].dtls, (const uint8_t *)"\x16\xfe\xfd", 3);
	run();
	dtls_settled(ends[0].dtls);
	dtls_settled(ends[1].dtls);
	assert_int_equal(timer_wheel_next(wheel), -1);
	dtls_receive(ends[1].dtls, (const uint8_t *)"\x16\xfe\xfd", 3);
	assert_int_equal(ends[1].head, ends[1].tail);
	destroy();
}

static int start(void **state)
{
	(void)state;
	return dtls_identity_create(&identities[0]) || dtls_identity_create(&identities[1]) ||
	       timer_wheel_create(&wheel, clock_now());
}

static int stop(void **state)
{
	(void)state;
	dtls_identity_destroy(identities[0]);
	dtls_identity_destroy(identities[1]);
	timer_wheel_destroy(wheel);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_get_the_same_keys),
		cmocka_unit_test(a_wrong_fingerprint_yields_no_keys_and_names_both),
		cmocka_unit_test(the_server_checks_the_clients_fingerprint_too),
		cmocka_unit_test(every_lost_flight_is_repeated),
		cmocka_unit_test(the_servers_last_flight_is_repeated_after_it_has_keys),
		cmocka_unit_test(a_hello_after_the_handshake_changes_nothing),
		cmocka_unit_test(junk_does_not_disturb_a_handshake),
		cmocka_unit_test(silence_ends_in_a_failure_after_ten_seconds),
		cmocka_unit_test(datagrams_before_the_start_and_after_the_end_are_ignored),
	};

	return cmocka_run_group_tests_name("media/dtls", tests, start, stop);
}
