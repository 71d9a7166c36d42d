/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <malloc.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "media/certificate.h"
#include "media/dtls.h"

#define QUEUE 64
#define MANY  50

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
	mono_ms ready_at;
	struct srtp_keys keys;
	char reason[1024];
};

static struct dtls_identity *identities[2];
static struct timer_wheel *wheel;
static struct dtls_queue steps, *queue; /* NULL: none */
static struct end ends[2];
static struct certificate foreign;

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

static void (*sends)(const uint8_t *bytes, size_t length, void *arg) = on_send;

static void on_ready(const struct srtp_keys *keys, void *arg)
{
	struct end *end = arg;

	end->ready++;
	end->ready_at = clock_now();
	end->keys = *keys;
}

static void on_failed(const char *reason, void *arg)
{
	struct end *end = arg;

	end->failed++;
	(void)snprintf(end->reason, sizeof(end->reason), "%s", reason);
}

static void make_end(struct end *end, unsigned identity, bool client,
		     const struct sdp_fingerprint *believed, unsigned count)
{
	const struct dtls_setup setup = {
		.identity = identities[identity],
		.wheel = wheel,
		.queue = queue,
		.client = client,
		.fingerprints = believed,
		.fingerprint_count = count,
		.handlers = { sends, on_ready, on_failed, end },
	};

	memset(end, 0, sizeof(*end));
	assert_int_equal(dtls_create(&end->dtls, &setup), 0);
}

/* Two ends with a fingerprint each believes in; end 0 is the client. */
static void make(const struct sdp_fingerprint *believed_by_client,
		 const struct sdp_fingerprint *believed_by_server)
{
	make_end(&ends[0], 0, true, believed_by_client, 1);
	make_end(&ends[1], 1, false, believed_by_server, 1);
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
	struct srtp_keys before;

	(void)state;
	make(print_of(1), print_of(0));
	run();
	before = ends[1].keys;
	make_end(&stranger, 0, true, print_of(1), 1);
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

static void a_handshake_is_four_datagrams_of_which_none_is_split(void **state)
{
	(void)state;
	make(print_of(1), print_of(0));
	dtls_start(ends[1].dtls);
	dtls_start(ends[0].dtls);
	deliver_all();
	assert_agreed();
	assert_int_equal(ends[0].head, 2);
	assert_int_equal(ends[1].head, 2);
	destroy();
}

static void a_hello_before_the_start_waits_for_it(void **state)
{
	(void)state;
	make(print_of(1), print_of(0));
	dtls_start(ends[0].dtls);
	assert_true(deliver_one(&ends[0], &ends[1]));
	assert_int_equal(ends[1].head, 0);
	dtls_start(ends[1].dtls); /* no repetition, no timer: the kept one is answered */
	deliver_all();
	assert_agreed();
	destroy();
}

static void a_flood_before_the_start_is_kept_up_to_a_limit(void **state)
{
	static uint8_t big[2000] = { 22 };

	(void)state;
	make(print_of(1), print_of(0));
	dtls_receive(ends[1].dtls, big, sizeof(big));
	for (unsigned i = 0; i < 1000; i++) {
		memcpy(big + 14, &i, sizeof(i)); /* none is another one's repetition */
		dtls_receive(ends[1].dtls, big, 20);
	}
	run();
	assert_agreed();
	destroy();
}

static void steps_wait_in_the_queue_until_it_is_run(void **state)
{
	(void)state;
	queue = &steps;
	make(print_of(1), print_of(0));
	dtls_start(ends[1].dtls);
	dtls_start(ends[0].dtls);
	deliver_all();
	assert_int_equal(ends[1].head, 0);
	assert_true(dtls_queue_run(queue, 0));
	assert_false(dtls_queue_run(queue, 1));
	assert_int_equal(ends[1].head, 1);
	while (ends[0].ready == 0) {
		deliver_all();
		(void)dtls_queue_run(queue, 1);
	}
	assert_agreed();
	assert_int_equal(steps.shaking, 0);
	destroy();
	queue = NULL;
}

static void an_association_that_ends_leaves_the_queue(void **state)
{
	struct end more[3];

	(void)state;
	queue = &steps;
	make(print_of(1), print_of(0));
	dtls_start(ends[0].dtls);
	for (unsigned i = 0; i < 3; i++) {
		make_end(&more[i], 1, false, print_of(0), 1);
		dtls_start(more[i].dtls);
		dtls_receive(more[i].dtls, ends[0].sent[0].bytes, ends[0].sent[0].length);
	}
	dtls_destroy(more[2].dtls);
	dtls_destroy(more[0].dtls);
	assert_false(dtls_queue_run(queue, 8));
	assert_int_equal(more[1].head, 1);
	dtls_destroy(more[1].dtls);
	assert_false(dtls_queue_run(queue, 8));
	destroy();
	queue = NULL;
}

/* Servers wait in the queue, their clients do not; all have started, and each server has
 * the first datagram of its client, `repeats` times more. */
static struct end *crowd_of(unsigned count, unsigned repeats)
{
	struct end *crowd = test_calloc(2 * count, sizeof(*crowd));

	for (unsigned i = 0; i < count; i++) {
		struct end *client = &crowd[2 * i], *server = client + 1;

		queue = NULL;
		make_end(client, 0, true, print_of(1), 1);
		queue = &steps;
		make_end(server, 1, false, print_of(0), 1);
		dtls_start(server->dtls);
		dtls_start(client->dtls);
		for (unsigned k = 0; k <= repeats; k++, client->sent[0].bytes[10]++)
			dtls_receive(server->dtls, client->sent[0].bytes, client->sent[0].length);
		client->tail = client->head;
	}
	queue = NULL;
	return crowd;
}

static void crowd_leaves(struct end *crowd, unsigned count)
{
	for (unsigned i = 0; i < 2 * count; i++)
		dtls_destroy(crowd[i].dtls);
	test_free(crowd);
	assert_int_equal(steps.shaking, 0);
	memset(&steps, 0, sizeof(steps));
}

/* A step takes 75 ms here, so ten seconds have 66 handshakes of two steps, and a hundred
 * want one. With a turn for each, and with what they repeat, none would have keys in time.
 * Nothing else is repeated, as that would go by the real time of this test: the wheel
 * stands, and of what a client says the last is delivered, its flight. */
static void of_a_crowd_as_many_as_possible_have_keys_in_time(void **state)
{
	enum { CROWD = 100, STEP_MS = 75 };
	mono_ms began = clock_now();
	unsigned in_time = 0;
	struct end *crowd;

	(void)state;
	clock_fake_set(began);
	crowd = crowd_of(CROWD, 3);
	while (steps.first) {
		(void)dtls_queue_run(&steps, 1);
		clock_fake_advance(STEP_MS);
		for (unsigned i = 0; i < CROWD; i++) {
			struct end *client = &crowd[2 * i], *server = client + 1;

			while (deliver_one(server, client))
				;
			if (client->tail != client->head)
				client->tail = client->head - 1;
			(void)deliver_one(client, server);
		}
	}
	for (unsigned i = 0; i < CROWD; i++) {
		const struct end *server = &crowd[2 * i + 1];

		assert_int_equal(server->ready, 1);
		if (i > 0) /* in their order */
			assert_true(server->ready_at > crowd[2 * i - 1].ready_at);
		in_time += server->ready_at - began <= DTLS_HANDSHAKE_MS;
	}
	assert_in_range(in_time, DTLS_HANDSHAKE_MS / STEP_MS / 2 - 1, CROWD);
	crowd_leaves(crowd, CROWD);
	clock_real();
}

static unsigned answered(const struct end *crowd, unsigned count)
{
	unsigned answers = 0;

	for (unsigned i = 0; i < count; i++)
		answers += crowd[2 * i + 1].head > 0;
	return answers;
}

static void take_a_millisecond(const uint8_t *bytes, size_t length, void *arg)
{
	on_send(bytes, length, arg);
	clock_fake_advance(1);
}

/* Each answer takes a millisecond here. */
static void a_long_turn_is_followed_by_more_steps(void **state)
{
	enum { CROWD = 60 };
	mono_ms now = clock_now();
	struct end *crowd;

	(void)state;
	sends = take_a_millisecond;
	crowd = crowd_of(CROWD, 0);
	clock_fake_set(now);
	assert_true(dtls_queue_turn(&steps, now));
	assert_int_equal(answered(crowd, CROWD), 2);
	assert_true(dtls_queue_turn(&steps, now += 3));
	assert_int_equal(answered(crowd, CROWD), 4);
	assert_true(dtls_queue_turn(&steps, now += 22));
	assert_int_equal(answered(crowd, CROWD), 4 + 11);
	assert_true(dtls_queue_turn(&steps, now += 1000));
	assert_int_equal(answered(crowd, CROWD), 15 + 20);
	assert_true(dtls_queue_turn(&steps, now += 1000));
	assert_false(dtls_queue_turn(&steps, now += 20));
	assert_int_equal(answered(crowd, CROWD), CROWD);
	clock_real();
	crowd_leaves(crowd, CROWD);
	sends = on_send;
}

/* The one that began first says much that leads nowhere. */
static void who_says_too_much_waits_behind_the_others(void **state)
{
	struct end *crowd = crowd_of(3, 0);
	uint8_t junk[40] = { 22, 0xfe, 0xfd };

	(void)state;
	for (unsigned i = 0; i < 2 * DTLS_WAITING_MAX; i++) {
		junk[20] = (uint8_t)i;
		dtls_receive(crowd[1].dtls, junk, sizeof(junk));
	}
	assert_true(dtls_queue_run(&steps, DTLS_WAITING_MAX / 2));
	assert_int_equal(answered(crowd, 3), 1);
	assert_true(dtls_queue_run(&steps, 3));
	assert_int_equal(answered(crowd, 3), 3);
	assert_false(dtls_queue_run(&steps, DTLS_WAITING_MAX));
	crowd_leaves(crowd, 3);
}

/* Where the crowd is, answers wait: the last to come has 50 ms and one for each other. */
static void a_crowd_has_longer_before_anything_is_repeated(void **state)
{
	struct timer_wheel *shared = wheel, *own;
	struct end crowd[MANY], last;
	mono_ms began;

	(void)state;
	queue = &steps;
	for (unsigned i = 0; i < MANY; i++) {
		make_end(&crowd[i], 0, true, print_of(1), 1);
		dtls_start(crowd[i].dtls);
	}
	assert_int_equal(steps.shaking, MANY);
	/* On a round number: a wheel names no moment beyond the next one. */
	began = (clock_now() | 0xffff) + 1;
	clock_fake_set(began);
	assert_int_equal(timer_wheel_create(&own, began), 0);
	wheel = own;
	make_end(&last, 0, true, print_of(1), 1);
	dtls_start(last.dtls);
	assert_in_range(timer_wheel_next(own) - began, 50 + MANY / 2, 2 * (50 + MANY));
	clock_real();
	dtls_destroy(last.dtls);
	for (unsigned i = 0; i < MANY; i++)
		dtls_destroy(crowd[i].dtls);
	assert_int_equal(steps.shaking, 0);
	timer_wheel_destroy(own);
	wheel = shared;
	queue = NULL;
}

static void the_strongest_hash_decides_and_any_of_its_prints_may_match(void **state)
{
	struct sdp_fingerprint prints[3] = { *print_of(1), { .hash = "sha-512", .length = 64 } };

	(void)state;
	make(print_of(1), print_of(0));
	dtls_destroy(ends[0].dtls);
	make_end(&ends[0], 0, true, prints, 2); /* the right sha-256 does not help */
	run();
	assert_int_equal(ends[0].failed, 1);
	assert_non_null(strstr(ends[0].reason, " and others"));
	assert_non_null(strstr(ends[0].reason, "sha-512"));
	destroy();

	prints[1] = prints[2] = *print_of(1);
	prints[0].bytes[0] ^= 1;
	make(print_of(1), print_of(0));
	dtls_destroy(ends[0].dtls);
	make_end(&ends[0], 0, true, prints, 3);
	run();
	assert_agreed();
	destroy();
}

static void a_failure_names_role_step_alert_and_datagrams(void **state)
{
	struct sdp_fingerprint wrong = *print_of(1);

	(void)state;
	wrong.bytes[0] ^= 1;
	make(&wrong, print_of(0));
	run();
	assert_non_null(strstr(ends[0].reason, "DTLS as client: fingerprint differs"));
	assert_non_null(strstr(ends[0].reason, "alert sent bad certificate"));
	assert_non_null(strstr(ends[1].reason, "DTLS as server: handshake failed"));
	assert_non_null(strstr(ends[1].reason, "last step \""));
	assert_non_null(strstr(ends[1].reason, "received bad certificate"));
	assert_non_null(strstr(ends[1].reason, "datagrams sent 1, received 2, repeats 0"));
	destroy();
}

static size_t heap(void)
{
	return mallinfo2().uordblks;
}

/* Many, so that what OpenSSL keeps once for all does not count. */
static void an_agreed_association_gives_its_memory_back(void **state)
{
	struct end *pairs = test_calloc(2 * MANY, sizeof(*pairs));
	size_t before, during, after;

	(void)state;
	make(print_of(1), print_of(0)); /* warms up */
	run();
	destroy();
	before = heap();
	for (unsigned i = 0; i < MANY; i++) {
		struct end *client = &pairs[2 * i], *server = client + 1;

		make_end(client, 0, true, print_of(1), 1);
		make_end(server, 1, false, print_of(0), 1);
		dtls_start(server->dtls);
		dtls_start(client->dtls);
		while (deliver_one(client, server) || deliver_one(server, client))
			;
		assert_int_equal(client->ready + server->ready, 2);
	}
	during = heap();
	for (unsigned i = 0; i < 2 * MANY; i++)
		dtls_settled(pairs[i].dtls);
	after = heap();
	print_message("per pair: %zu bytes after the handshake, %zu settled\n",
		      (during - before) / MANY, (after - before) / MANY);
	assert_true(during - before < (size_t)MANY * 100000); /* the client's is gone already */
	assert_true(after - before < (size_t)MANY * 4000);
	for (unsigned i = 0; i < 2 * MANY; i++)
		dtls_destroy(pairs[i].dtls);
	test_free(pairs);
}

/* By this end, to the other: one alert. */
static void expect_farewell(struct end *from, struct end *to)
{
	unsigned before = from->head;

	dtls_farewell(from->dtls);
	dtls_farewell(from->dtls); /* said once */
	assert_int_equal(from->head, before + 1);
	assert_int_equal(from->sent[before % QUEUE].bytes[0], 21); /* alert */
	deliver_all();
	assert_int_equal(to->failed, 0);
}

static void goodbye_is_said_before_the_memory_is_freed_and_after(void **state)
{
	(void)state;
	for (unsigned settled = 0; settled < 2; settled++) {
		make(print_of(1), print_of(0));
		run();
		if (settled)
			dtls_settled(ends[1].dtls);
		expect_farewell(&ends[0], &ends[1]); /* the client, which is always settled */
		destroy();
		make(print_of(1), print_of(0));
		run();
		if (settled)
			dtls_settled(ends[1].dtls);
		expect_farewell(&ends[1], &ends[0]);
		destroy();
	}
}

static void a_goodbye_that_is_heard_is_answered(void **state)
{
	unsigned before;

	(void)state;
	make(print_of(1), print_of(0));
	run();
	before = ends[1].head;
	expect_farewell(&ends[0], &ends[1]); /* the server has not heard media yet */
	assert_int_equal(ends[1].head, before + 1);
	assert_int_equal(ends[1].sent[before % QUEUE].bytes[0], 21);
	dtls_farewell(ends[1].dtls);
	assert_int_equal(ends[1].head, before + 1); /* it has been said */
	destroy();
}

static void without_keys_there_is_nothing_to_say(void **state)
{
	(void)state;
	make(print_of(1), print_of(0));
	dtls_farewell(ends[0].dtls);
	dtls_start(ends[0].dtls);
	ends[0].head = ends[0].tail = 0;
	dtls_farewell(ends[0].dtls);
	assert_int_equal(ends[0].head, 0);
	destroy();
}

/* A peer of OpenSSL's own making, over memory. */
static SSL *foreign_client(SSL_CTX **ret_context, const char *profiles)
{
	SSL *ssl;

	*ret_context = SSL_CTX_new(DTLS_client_method());
	assert_non_null(*ret_context);
	SSL_CTX_set_options(*ret_context, SSL_OP_NO_QUERY_MTU);
	if (profiles)
		assert_int_equal(SSL_CTX_set_tlsext_use_srtp(*ret_context, profiles), 0);
	assert_int_equal(SSL_CTX_use_certificate(*ret_context, foreign.x509), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(*ret_context, foreign.key), 1);
	ssl = SSL_new(*ret_context);
	assert_non_null(ssl);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	BIO_set_mem_eof_return(SSL_get_rbio(ssl), -1);
	SSL_set_mtu(ssl, 1200);
	SSL_set_connect_state(ssl);
	return ssl;
}

static void run_against(SSL *ssl)
{
	uint8_t bytes[8192];

	dtls_start(ends[1].dtls);
	for (unsigned turn = 0; turn < 8; turn++) {
		int length;

		(void)SSL_do_handshake(ssl);
		length = BIO_read(SSL_get_wbio(ssl), bytes, sizeof(bytes));
		if (length > 0)
			dtls_receive(ends[1].dtls, bytes, (size_t)length);
		for (; ends[1].tail != ends[1].head; ends[1].tail++) {
			const struct datagram *sent = &ends[1].sent[ends[1].tail % QUEUE];

			(void)BIO_write(SSL_get_rbio(ssl), sent->bytes, (int)sent->length);
		}
	}
}

static void a_foreign_peer_hears_our_goodbye(void **state)
{
	struct sdp_fingerprint print;
	SSL_CTX *context;
	SSL *ssl = foreign_client(&context, "SRTP_AEAD_AES_128_GCM");
	uint8_t byte;

	(void)state;
	assert_true(certificate_fingerprint(foreign.x509, "sha-256", &print));
	make_end(&ends[1], 1, false, &print, 1);
	run_against(ssl);
	assert_int_equal(ends[1].ready, 1);
	dtls_settled(ends[1].dtls);
	(void)SSL_read(ssl, &byte, 1);
	assert_false(SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN);
	dtls_farewell(ends[1].dtls);
	run_against(ssl);
	assert_true(SSL_read(ssl, &byte, 1) <= 0);
	assert_true(SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN);
	dtls_destroy(ends[1].dtls);
	SSL_free(ssl);
	SSL_CTX_free(context);
}

static void our_order_of_profiles_wins(void **state)
{
	static const struct {
		const char *offered;
		enum srtp_suite chosen;
	} cases[] = {
		{ "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM",
		  SRTP_SUITE_AEAD_AES_128_GCM },
		{ "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM", SRTP_SUITE_AEAD_AES_256_GCM },
		{ "SRTP_AES128_CM_SHA1_32:SRTP_AES128_CM_SHA1_80", SRTP_SUITE_AES128_CM_SHA1_80 },
	};
	struct sdp_fingerprint print;

	(void)state;
	assert_true(certificate_fingerprint(foreign.x509, "sha-384", &print));
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		SSL_CTX *context;
		SSL *ssl = foreign_client(&context, cases[i].offered);

		make_end(&ends[1], 1, false, &print, 1);
		run_against(ssl);
		assert_int_equal(ends[1].ready, 1);
		assert_int_equal(ends[1].keys.suite, cases[i].chosen);
		dtls_destroy(ends[1].dtls);
		SSL_free(ssl);
		SSL_CTX_free(context);
	}
}

static void without_a_common_profile_there_are_no_keys(void **state)
{
	static const char *const offers[] = { NULL, "SRTP_AES128_CM_SHA1_32" };
	struct sdp_fingerprint print;

	(void)state;
	assert_true(certificate_fingerprint(foreign.x509, "sha-256", &print));
	for (unsigned i = 0; i < ARRAY_SIZE(offers); i++) {
		SSL_CTX *context;
		SSL *ssl = foreign_client(&context, offers[i]);

		make_end(&ends[1], 1, false, &print, 1);
		run_against(ssl);
		assert_int_equal(ends[1].ready, 0);
		assert_int_equal(ends[1].failed, 1);
		assert_non_null(strstr(ends[1].reason, "profile"));
		dtls_destroy(ends[1].dtls);
		SSL_free(ssl);
		SSL_CTX_free(context);
	}
}

/* The sprayer's hellos of the known race: no usable suite, and SHA-1 only. */
static void a_hello_with_nothing_usable_gets_an_alert_and_a_name(void **state)
{
	struct sdp_fingerprint print;
	SSL_CTX *context;
	SSL *ssl = foreign_client(&context, "SRTP_AEAD_AES_128_GCM");

	(void)state;
	assert_true(certificate_fingerprint(foreign.x509, "sha-256", &print));
	SSL_set_security_level(ssl, 0);
	assert_int_equal(SSL_set_cipher_list(ssl, "AES128-SHA"), 1);
	make_end(&ends[1], 1, false, &print, 1);
	run_against(ssl);
	assert_int_equal(ends[1].ready, 0);
	assert_int_equal(ends[1].failed, 1);
	assert_non_null(strstr(ends[1].reason, "no shared cipher"));
	assert_non_null(strstr(ends[1].reason, "alert sent handshake failure"));
	dtls_destroy(ends[1].dtls);
	SSL_free(ssl);
	SSL_CTX_free(context);
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

static void datagrams_after_the_end_are_ignored(void **state)
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
	return dtls_identity_create(&identities[0], NULL) ||
	       dtls_identity_create(&identities[1], NULL) ||
	       timer_wheel_create(&wheel, clock_now()) || certificate_make(&foreign);
}

static int stop(void **state)
{
	(void)state;
	dtls_identity_unref(identities[0]);
	dtls_identity_unref(identities[1]);
	timer_wheel_destroy(wheel);
	certificate_done(&foreign);
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
		cmocka_unit_test(a_handshake_is_four_datagrams_of_which_none_is_split),
		cmocka_unit_test(a_hello_before_the_start_waits_for_it),
		cmocka_unit_test(a_flood_before_the_start_is_kept_up_to_a_limit),
		cmocka_unit_test(steps_wait_in_the_queue_until_it_is_run),
		cmocka_unit_test(an_association_that_ends_leaves_the_queue),
		cmocka_unit_test(of_a_crowd_as_many_as_possible_have_keys_in_time),
		cmocka_unit_test(a_long_turn_is_followed_by_more_steps),
		cmocka_unit_test(who_says_too_much_waits_behind_the_others),
		cmocka_unit_test(a_crowd_has_longer_before_anything_is_repeated),
		cmocka_unit_test(the_strongest_hash_decides_and_any_of_its_prints_may_match),
		cmocka_unit_test(a_failure_names_role_step_alert_and_datagrams),
		cmocka_unit_test(an_agreed_association_gives_its_memory_back),
		cmocka_unit_test(goodbye_is_said_before_the_memory_is_freed_and_after),
		cmocka_unit_test(a_goodbye_that_is_heard_is_answered),
		cmocka_unit_test(without_keys_there_is_nothing_to_say),
		cmocka_unit_test(a_foreign_peer_hears_our_goodbye),
		cmocka_unit_test(our_order_of_profiles_wins),
		cmocka_unit_test(without_a_common_profile_there_are_no_keys),
		cmocka_unit_test(a_hello_with_nothing_usable_gets_an_alert_and_a_name),
		cmocka_unit_test(silence_ends_in_a_failure_after_ten_seconds),
		cmocka_unit_test(datagrams_after_the_end_are_ignored),
	};

	return cmocka_run_group_tests_name("media/dtls", tests, start, stop);
}
