/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include "media/certificate.h"
#include "media/dtls.h"
#include "media/dtls_algorithms.h"

#define ROOM 8192

/* Ours, and the wire to a peer that has all of OpenSSL. */
static struct dtls *dtls;
static struct timer_wheel *wheel;
static SSL *peer;
static unsigned ready;
static enum srtp_suite suite;

static void on_send(const uint8_t *bytes, size_t length, void *arg)
{
	(void)arg;
	assert_int_equal(BIO_write(SSL_get_rbio(peer), bytes, (int)length), (int)length);
}

static void on_ready(const struct srtp_keys *keys, void *arg)
{
	(void)arg;
	ready++;
	suite = keys->suite;
}

static void on_failed(const char *reason, void *arg)
{
	(void)arg;
	fail_msg("%s", reason);
}

static EVP_PKEY *make_key(const char *type)
{
	if (strcmp(type, "RSA") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	if (strcmp(type, "ED25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return EVP_PKEY_Q_keygen(NULL, NULL, "EC", type);
}

static void make_certificate(struct certificate *ret_certificate, const char *type)
{
	EVP_PKEY *key = make_key(type);
	X509 *x509 = X509_new();

	assert_non_null(key);
	assert_non_null(x509);
	assert_true(X509_gmtime_adj(X509_getm_notBefore(x509), -60) &&
		    X509_gmtime_adj(X509_getm_notAfter(x509), 3600));
	assert_int_equal(X509_set_pubkey(x509, key), 1);
	assert_true(X509_sign(x509, key, strcmp(type, "ED25519") == 0 ? NULL : EVP_sha256()) > 0);
	*ret_certificate = (struct certificate){ .x509 = x509, .key = key };
}

static int accept_all(X509_STORE_CTX *store, void *arg)
{
	(void)store;
	(void)arg;
	return 1;
}

static SSL_CTX *make_peer(const struct certificate *certificate, const char *ciphers,
			  const char *groups, bool client)
{
	SSL_CTX *context = SSL_CTX_new(DTLS_method());

	assert_non_null(context);
	SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU);
	assert_int_equal(SSL_CTX_set_cipher_list(context, ciphers), 1);
	assert_int_equal(SSL_CTX_set1_groups_list(context, groups), 1);
	assert_int_equal(SSL_CTX_set_tlsext_use_srtp(context, "SRTP_AEAD_AES_256_GCM"), 0);
	assert_int_equal(SSL_CTX_use_certificate(context, certificate->x509), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, certificate->key), 1);
	/* A server asks for our certificate, and takes any. */
	SSL_CTX_set_verify(context, client ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(context, accept_all, NULL);
	peer = SSL_new(context);
	assert_non_null(peer);
	SSL_set_bio(peer, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	BIO_set_mem_eof_return(SSL_get_rbio(peer), -1);
	SSL_set_mtu(peer, 1200);
	if (client)
		SSL_set_connect_state(peer);
	else
		SSL_set_accept_state(peer);
	return context;
}

static void run(void)
{
	uint8_t bytes[ROOM];

	dtls_start(dtls);
	for (unsigned turn = 0; turn < 8; turn++) {
		int length;

		(void)SSL_do_handshake(peer);
		length = BIO_read(SSL_get_wbio(peer), bytes, sizeof(bytes));
		if (length > 0)
			dtls_receive(dtls, bytes, (size_t)length);
	}
}

/* Our certificate, the peer's, and what the peer insists on. */
struct meeting {
	const char *ours, *theirs, *ciphers, *groups;
};

static void meet(const struct meeting *meeting, bool client)
{
	struct certificate ours, theirs;
	struct dtls_identity *identity;
	struct sdp_fingerprint print;
	SSL_CTX *context;

	make_certificate(&ours, meeting->ours);
	make_certificate(&theirs, meeting->theirs);
	assert_int_equal(dtls_identity_create(&identity, &ours), 0);
	assert_true(certificate_fingerprint(theirs.x509, "sha-512", &print));
	context = make_peer(&theirs, meeting->ciphers, meeting->groups, !client);
	assert_int_equal(dtls_create(&dtls,
				     &(const struct dtls_setup){
					     .identity = identity,
					     .wheel = wheel,
					     .client = client,
					     .fingerprints = &print,
					     .fingerprint_count = 1,
					     .handlers = { on_send, on_ready, on_failed, NULL },
				     }),
			 0);
	ready = 0;
	run();
	assert_int_equal(ready, 1);
	assert_int_equal(suite, SRTP_SUITE_AEAD_AES_256_GCM);
	assert_true(SSL_is_init_finished(peer));
	dtls_destroy(dtls);
	SSL_free(peer);
	SSL_CTX_free(context);
	dtls_identity_unref(identity);
	certificate_done(&ours);
	certificate_done(&theirs);
}

static void peers_of_all_kinds_are_understood(void **state)
{
	static const struct meeting meetings[] = {
		{ "P-256", "P-256", "ECDHE-ECDSA-AES128-GCM-SHA256", "X25519:P-256" },
		{ "P-256", "P-384", "ECDHE-ECDSA-AES256-GCM-SHA384", "P-256:P-384" },
		{ "P-384", "P-256", "ECDHE-ECDSA-CHACHA20-POLY1305", "P-384:P-256" },
		{ "RSA", "RSA", "ECDHE-RSA-AES128-GCM-SHA256", "X25519" },
		{ "RSA", "RSA", "ECDHE-RSA-AES256-GCM-SHA384", "P-256" },
		{ "RSA", "RSA", "ECDHE-RSA-CHACHA20-POLY1305", "P-384" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(meetings); i++) {
		meet(&meetings[i], /* client= */ true);
		meet(&meetings[i], /* client= */ false);
	}
}

/* A client's certificate is bound to no suite. */
static void a_clients_certificate_may_be_of_another_kind_than_ours(void **state)
{
	static const struct meeting meetings[] = {
		{ "P-256", "RSA", "ECDHE-ECDSA-AES128-GCM-SHA256", "X25519:P-256" },
		{ "P-256", "ED25519", "ECDHE-ECDSA-AES128-GCM-SHA256", "X25519:P-256" },
		{ "RSA", "P-384", "ECDHE-RSA-AES128-GCM-SHA256", "P-384" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(meetings); i++)
		meet(&meetings[i], /* client= */ false);
}

static void what_dtls_has_no_use_for_is_left_out(void **state)
{
	struct ossl_lib_ctx_st *few = dtls_algorithms();
	EVP_MD *md = EVP_MD_fetch(few, "SHA2-256", NULL);

	(void)state;
	assert_non_null(few);
	assert_ptr_equal(few, dtls_algorithms());
	assert_non_null(md);
	EVP_MD_free(md);
	assert_null(EVP_MD_fetch(few, "MD5", NULL));
	assert_null(EVP_CIPHER_fetch(few, "AES-128-CBC", NULL));
	assert_null(EVP_KEYMGMT_fetch(few, "DH", NULL));
}

static void *draw(void *arg)
{
	static unsigned char bytes[2][32];
	bool second = arg != NULL;

	if (RAND_bytes_ex(dtls_algorithms(), bytes[second], sizeof(bytes[0]), 0) != 1)
		return NULL;
	return bytes[second];
}

/* Each thread has a generator of its own there, which ends with it. */
static void threads_draw_random_numbers_of_their_own(void **state)
{
	pthread_t threads[2];
	void *drawn[2];

	(void)state;
	assert_int_equal(pthread_create(&threads[0], NULL, draw, NULL), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, draw, threads), 0);
	assert_int_equal(pthread_join(threads[0], &drawn[0]), 0);
	assert_int_equal(pthread_join(threads[1], &drawn[1]), 0);
	assert_non_null(drawn[0]);
	assert_non_null(drawn[1]);
	assert_memory_not_equal(drawn[0], drawn[1], 32);
}

static int start(void **state)
{
	(void)state;
	return timer_wheel_create(&wheel, clock_now());
}

static int stop(void **state)
{
	(void)state;
	timer_wheel_destroy(wheel);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peers_of_all_kinds_are_understood),
		cmocka_unit_test(a_clients_certificate_may_be_of_another_kind_than_ours),
		cmocka_unit_test(what_dtls_has_no_use_for_is_left_out),
		cmocka_unit_test(threads_draw_random_numbers_of_their_own),
	};

	return cmocka_run_group_tests_name("media/dtls_algorithms", tests, start, stop);
}
