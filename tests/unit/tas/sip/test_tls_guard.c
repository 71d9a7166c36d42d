/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls_guard.c - each cure on its own, against OpenSSL clients and servers
 * that are not sofia. */
#include "tests/unit/tas/sip/wire.h"
#include "tas/sip/tls_guard.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sofia-sip/su_time.h>
#include <fcntl.h>

static struct wire wire;

/* Waits until the guard knows `live` sessions. */
static void wait_live(size_t live)
{
	for (int i = 0; i < 400 && tls_guard_live() != live; i++)
		scene_step();
	assert_int_equal(tls_guard_live(), live);
}

static void many_connects_and_closes_leave_no_session(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	for (int i = 0; i < 200; i++) {
		wire_open(&wire, SOCK_STREAM, sip_endpoint_port(scene.b, 0));
		if (i % 2)
			wire_send(&wire, "OPTIONS sip:x SIP/2.0\r\n\r\n"); /* not TLS at all */
		scene_step();
		wire_close(&wire);
		scene_step();
		scene_step();
	}
	wait_live(0);
	scene_close();
}

static void a_handshake_that_does_not_end_is_ended(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	clock_fake_set(clock_now());
	wire_open(&wire, SOCK_STREAM, sip_endpoint_port(scene.b, 0));
	wait_live(1);
	wire_send_raw(&wire, "\x16\x03\x01\x02\x00\x01", 6); /* the beginning of a ClientHello */
	scene_pass(9500);
	assert_int_equal(tls_guard_live(), 1);
	scene_pass(2500);
	wait_live(0);
	wire_settle(&wire);
	assert_true(wire.closed);
	wire_close(&wire);
	scene_close();
}

/* ---- a TLS client of plain OpenSSL ---- */

struct tls_client {
	SSL_CTX *context;
	SSL *ssl;
	struct wire wire;
};

static void tls_open(struct tls_client *client, const char *identity, const char *suites)
{
	char file[32];

	wire_open(&client->wire, SOCK_STREAM, sip_endpoint_port(scene.b, 0));
	client->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_load_verify_locations(client->context, scene.pki.ca, NULL);
	SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
	if (identity) {
		(void)snprintf(file, sizeof(file), "%s.pem", identity);
		assert_int_equal(SSL_CTX_use_certificate_chain_file(client->context,
								    pki_path(&scene.pki, file)),
				 1);
		(void)snprintf(file, sizeof(file), "%s.key", identity);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(client->context,
							     pki_path(&scene.pki, file),
							     SSL_FILETYPE_PEM),
				 1);
	}
	if (suites) {
		SSL_CTX_set_max_proto_version(client->context, TLS1_2_VERSION);
		assert_int_equal(SSL_CTX_set_cipher_list(client->context, suites), 1);
	}
	client->ssl = SSL_new(client->context);
	SSL_set_fd(client->ssl, client->wire.fd);
	(void)fcntl(client->wire.fd, F_SETFL, O_NONBLOCK);
}

static bool tls_handshake(struct tls_client *client)
{
	for (int i = 0; i < 400; i++) {
		int result = SSL_connect(client->ssl);

		if (result == 1)
			return true;
		if (SSL_get_error(client->ssl, result) != SSL_ERROR_WANT_READ)
			break;
		scene_step();
	}
	ERR_clear_error();
	return false;
}

static void tls_done(struct tls_client *client)
{
	SSL_free(client->ssl);
	SSL_CTX_free(client->context);
	wire_close(&client->wire);
}

static void the_whole_chain_is_sent_and_strangers_to_the_guard_keep_their_sessions(void **state)
{
	struct tls_client client;

	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	tls_open(&client, NULL, NULL);
	assert_true(tls_handshake(&client));
	assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(client.ssl)), 2);
	assert_string_equal(SSL_get_version(client.ssl), "TLSv1.3");
	assert_int_equal(tls_guard_live(), 1); /* sofia's, not ours here */
	(void)SSL_shutdown(client.ssl);
	tls_done(&client);
	wait_live(0);
	scene_close();
}

static void only_suites_with_forward_secrecy_and_aead_are_taken(void **state)
{
	static const struct {
		const char *suites;
		bool taken;
	} cases[] = {
		{ "ECDHE-ECDSA-AES128-GCM-SHA256", true },
		{ "ECDHE-ECDSA-AES256-GCM-SHA384", true },
		{ "ECDHE-ECDSA-CHACHA20-POLY1305", true },
		{ "ECDHE-ECDSA-AES128-SHA", false },
		{ "ECDHE-ECDSA-AES128-SHA256", false },
		{ "ECDHE-ECDSA-AES256-CCM8", false },
		{ "AES128-GCM-SHA256", false },
	};
	struct tls_client client;

	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		tls_open(&client, NULL, cases[i].suites);
		if (tls_handshake(&client) != cases[i].taken)
			fail_msg("%s", cases[i].suites);
		tls_done(&client);
	}
	wait_live(0);
	scene_close();
}

static void half_a_message_is_not_waited_for_longer_than_32_s(void **state)
{
	static const char half[] = "OPTIONS sip:x SIP/2.0\r\nVia: ";
	struct tls_client client;

	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	clock_fake_set(clock_now());
	tls_open(&client, NULL, NULL);
	assert_true(tls_handshake(&client));
	for (int i = 0; i < 30; i++) { /* a byte a second does not help */
		assert_true(SSL_write(client.ssl, half + i % 20, 1) == 1);
		scene_pass(1000);
	}
	assert_int_equal(tls_guard_live(), 1);
	scene_pass(4000);
	wait_live(0);
	tls_done(&client);
	scene_close();
}

/* Answers to OPTIONS so far, as many as are wanted or come within a second. */
static unsigned answers(struct tls_client *client, unsigned so_far, unsigned wanted)
{
	char got[16384 + 1];

	for (int i = 0; i < 100 && so_far < wanted; i++) {
		int length = SSL_read(client->ssl, got, sizeof(got) - 1);

		got[length > 0 ? length : 0] = '\0';
		for (const char *at = strstr(got, "SIP/2.0 200"); at;
		     at = strstr(at + 1, "SIP/2.0 200"))
			so_far++;
		scene_step();
	}
	return so_far;
}

static void add_options(struct tls_client *client, int number)
{
	char text[512];
	int length = snprintf(text, sizeof(text),
			      "OPTIONS sip:x SIP/2.0\r\n"
			      "Via: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK%d\r\n"
			      "From: <sip:a@b>;tag=1\r\nTo: <sip:x>\r\nCall-ID: %d\r\n"
			      "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
			      number, number);

	assert_int_equal(SSL_write(client->ssl, text, length), length);
}

/* Most of them wait in OpenSSL's memory, of which no socket tells; the last but one is
 * cut in the middle. */
static void records_that_come_together_are_all_read(void **state)
{
	BIO *records = BIO_new(BIO_s_mem());
	struct tls_client client;
	unsigned heard = 0;
	size_t length, part;
	char *bytes;

	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	tls_open(&client, NULL, NULL);
	assert_true(tls_handshake(&client));
	SSL_set0_wbio(client.ssl, records);
	for (int round = 0; round < 3; round++) {
		(void)BIO_reset(records);
		for (int i = 0; i < 6; i++)
			add_options(&client, 10 * round + i);
		length = (size_t)BIO_get_mem_data(records, &bytes);
		part = length - length / 6 - 50;
		wire_send_raw(&client.wire, bytes, part);
		heard = answers(&client, heard, 6U * (unsigned)round + 4);
		assert_int_equal(heard, 6 * round + 4);
		wire_send_raw(&client.wire, bytes + part, length - part);
		heard = answers(&client, heard, 6U * (unsigned)round + 6);
		assert_int_equal(heard, 6 * round + 6);
	}
	tls_done(&client);
	scene_close();
}

/* A busy connection keeps its buffers, and gives them back when it is quiet. */
static void buffers_change_with_traffic_unnoticed(void **state)
{
	struct tls_client client;
	unsigned heard = 0;

	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	clock_fake_set(clock_now());
	tls_open(&client, NULL, NULL);
	assert_true(tls_handshake(&client));
	for (int second = 0; second < 6; second++) {
		unsigned count = second % 3 ? 1 : 20;

		for (unsigned i = 0; i < count; i++) {
			add_options(&client, 100 * second + (int)i);
			heard = answers(&client, heard, heard + 1);
		}
		scene_pass(1000);
	}
	assert_int_equal(heard, 44);
	tls_done(&client);
	scene_close();
}

static void a_stale_error_of_somebody_else_closes_nobody(void **state)
{
	(void)state;
	scene_open_pair(SIP_TRANSPORT_TLS);
	scene_talk(SIP_TRANSPORT_TLS);
	for (int i = 0; i < 20; i++) {
		ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
		scene_step();
	}
	ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
	assert_int_equal(leg_offer(scene.caller.leg, OFFER, false), 0);
	scene_wait(&scene.callee, "OFFER+sdp");
	assert_int_equal(tls_guard_live(), 2);
	ERR_clear_error();
	scene_close();
}

/* ---- next hops with all kinds of certificates ---- */

static void call_with(const char *certificate, const char *key, const char *host, const char *heard)
{
	struct config_listen listen;
	struct sip_endpoint_options options;
	char uri[128];

	options = scene_options(&listen, SIP_TRANSPORT_TLS);
	options.certificate = pki_path(&scene.pki, certificate);
	options.private_key = pki_path(&scene.pki, key);
	scene.b = scene_endpoint(&options);
	memset(&scene.caller, 0, sizeof(scene.caller));
	scene_uri(uri, sizeof(uri), "x", host, sip_endpoint_port(scene.b, 0), SIP_TRANSPORT_TLS);
	assert_int_equal(scene_try_call(uri, OFFER), 0);
	if (heard) {
		/* Time stands still: it is the handshake that tells, no time-out. */
		clock_fake_set(clock_now());
		scene_wait(&scene.caller, heard);
		clock_real();
	} else {
		scene_wait_invite(scene.invites + 1);
		scene.callee.leg = leg_release(scene.callee.leg, NULL);
	}
	scene.caller.leg = leg_release(scene.caller.leg, NULL);
	scene_settle();
	scene.b = sip_endpoint_destroy(scene.b);
}

static void a_next_hop_with_a_bad_certificate_is_refused_without_a_time_out(void **state)
{
	struct config_listen listen;
	struct sip_endpoint_options options;
	struct pki_entity own;

	(void)state;
	scene_open();
	options = scene_options(&listen, SIP_TRANSPORT_TLS);
	scene.a = scene_endpoint(&options);
	pki_identity(&scene.pki, "name", "DNS:127.0.0.1,DNS:other.example.com,IP:127.0.0.2", 200);
	pki_identity(&scene.pki, "address", "IP:127.0.0.1", 200);
	own = pki_make(NULL, "IP:127.0.0.1", 200);
	pki_write_chain(&scene.pki, "self.pem", own.certificate, NULL, NULL);
	pki_write_key(&scene.pki, "self.key", own.key);
	pki_free(&own);
	own = pki_make(&scene.pki.intermediate, "IP:127.0.0.1", 200);
	pki_write_chain(&scene.pki, "alone.pem", own.certificate, NULL, NULL);
	pki_write_key(&scene.pki, "alone.key", own.key);
	pki_free(&own);
	call_with("good.pem", "good.key", "127.0.0.1", NULL);
	call_with("address.pem", "address.key", "127.0.0.1", NULL);
	call_with("name.pem", "name.key", "127.0.0.1", "ENDED:tls:408");
	call_with("self.pem", "self.key", "127.0.0.1", "ENDED:tls:408");
	call_with("alone.pem", "alone.key", "127.0.0.1", "ENDED:tls:408"); /* no intermediate */
	call_with("good.pem", "good.key", "127.0.0.1", NULL);
	wait_live(0);
	scene.b = scene_endpoint(&options);
	scene_close();
}

static void clients_must_show_a_certificate_when_asked_to(void **state)
{
	struct config_listen listen;
	struct sip_endpoint_options options;
	struct pki_entity foreign;
	struct tls_client client;

	(void)state;
	scene_open();
	foreign = pki_make(NULL, "DNS:sbc.example.com", 100);
	pki_write_chain(&scene.pki, "foreign.pem", foreign.certificate, NULL, NULL);
	pki_write_key(&scene.pki, "foreign.key", foreign.key);
	pki_free(&foreign);
	options = scene_options(&listen, SIP_TRANSPORT_TLS);
	scene.a = scene_endpoint(&options);
	options.client_ca = scene.pki.ca;
	scene.b = scene_endpoint(&options);
	tls_open(&client, "good", NULL);
	assert_true(tls_handshake(&client));
	wait_live(1);
	tls_done(&client);
	tls_open(&client, "foreign", "ECDHE-ECDSA-AES128-GCM-SHA256");
	assert_false(tls_handshake(&client));
	tls_done(&client);
	tls_open(&client, NULL, "ECDHE-ECDSA-AES128-GCM-SHA256");
	assert_false(tls_handshake(&client));
	tls_done(&client);
	wait_live(0);
	scene_close();
}

static char seen_name[100];

static int note_names(const struct sip_source *source, void *arg)
{
	(void)arg;
	(void)snprintf(seen_name, sizeof(seen_name), "%s",
		       source->certificate_names && source->certificate_names[0]
			       ? source->certificate_names[0]
			       : "-");
	return 0;
}

static void the_names_of_a_verified_client_are_known(void **state)
{
	struct sip_endpoint_handlers handlers = scene_handlers;
	struct config_listen listen;
	struct sip_endpoint_options options;

	(void)state;
	scene_open();
	handlers.identify = note_names;
	options = scene_options(&listen, SIP_TRANSPORT_TLS);
	scene.a = scene_endpoint(&options);
	options.client_ca = scene.pki.ca;
	assert_int_equal(sip_endpoint_create(&scene.b, scene.loop, &options, &handlers, scene.error,
					     sizeof(scene.error)),
			 0);
	scene_call(SIP_TRANSPORT_TLS, OFFER);
	assert_string_equal(seen_name, "localhost");
	scene_close();
}

static void sofias_time_is_our_time(void **state)
{
	su_time_t before, after;

	(void)state;
	tls_guard_install();
	clock_fake_set(clock_now());
	before = su_now();
	clock_fake_wall_set(0);
	after = su_now();
	assert_int_equal(su_duration(after, before), 0);
	clock_fake_advance(32000);
	after = su_now();
	assert_int_equal(su_duration(after, before), 32000);
	clock_real();
}

static void note_line(enum log_level level, const char *area, const char *line, void *arg)
{
	(void)area;
	assert_int_equal(level, LOG_LEVEL_ERROR);
	(void)snprintf(arg, 256, "%s", line);
}

static void an_openssl_with_known_holes_is_named(void **state)
{
	char line[256] = "";

	(void)state;
	log_set_sink(note_line, line);
	assert_true(tls_guard_judge_openssl(0x30000160L, "OpenSSL 3.0.22"));
	assert_string_equal(line, "");
	assert_false(tls_guard_judge_openssl(0x30000110L, "OpenSSL 3.0.17"));
	log_set_sink(NULL, NULL);
	assert_non_null(strstr(line, "OpenSSL 3.0.17 has known holes"));
	assert_non_null(strstr(line, "upgrade libssl3 to 3.0.22-1~deb12u2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_connects_and_closes_leave_no_session),
		cmocka_unit_test(a_handshake_that_does_not_end_is_ended),
		cmocka_unit_test(
			the_whole_chain_is_sent_and_strangers_to_the_guard_keep_their_sessions),
		cmocka_unit_test(only_suites_with_forward_secrecy_and_aead_are_taken),
		cmocka_unit_test(half_a_message_is_not_waited_for_longer_than_32_s),
		cmocka_unit_test(records_that_come_together_are_all_read),
		cmocka_unit_test(buffers_change_with_traffic_unnoticed),
		cmocka_unit_test(a_stale_error_of_somebody_else_closes_nobody),
		cmocka_unit_test(a_next_hop_with_a_bad_certificate_is_refused_without_a_time_out),
		cmocka_unit_test(clients_must_show_a_certificate_when_asked_to),
		cmocka_unit_test(the_names_of_a_verified_client_are_known),
		cmocka_unit_test(sofias_time_is_our_time),
		cmocka_unit_test(an_openssl_with_known_holes_is_named),
	};

	return cmocka_run_group_tests_name("tas/sip/tls_guard", tests, NULL, NULL);
}
