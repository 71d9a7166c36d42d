/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/media/dtls_ends.h"

#include <malloc.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include "media/certificate.h"

#define MANY 50

static struct certificate foreign;

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
	return start_ends(state) || certificate_make(&foreign);
}

static int stop(void **state)
{
	certificate_done(&foreign);
	return stop_ends(state);
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
