/* SPDX-License-Identifier: Apache-2.0 */
#include "media/dtls.h"
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define DTLS_MTU 1200 /* bytes; passes every path that carries IPv6 and a tunnel */

struct dtls_identity {
	SSL_CTX *context;
	BIO_METHOD *bio;
	struct sdp_fingerprint fingerprint;
};

enum dtls_state {
	DTLS_IDLE, /* not started: datagrams are lost, the peer repeats them */
	DTLS_HANDSHAKING,
	DTLS_READY,   /* keys are out; the SSL repeats the last flight if asked */
	DTLS_SETTLED, /* SSL freed */
	DTLS_FAILED
};

struct dtls {
	enum dtls_state state;
	SSL *ssl;
	bool client;
	struct timer_wheel *wheel;
	struct timer retransmit, deadline; /* deadline: handshake, then linger */
	struct dtls_handlers handlers;
	const uint8_t *datagram; /* the one being read, inside dtls_receive() */
	size_t datagram_length;
	struct sdp_fingerprint fingerprints[SDP_FINGERPRINTS_MAX];
	unsigned fingerprint_count;
};

/* A datagram BIO: one read gets one datagram, one write sends one. A memory
 * BIO would join datagrams. */
static int bio_write(BIO *bio, const char *bytes, int length)
{
	struct dtls *dtls = BIO_get_data(bio);

	if (length > 0)
		dtls->handlers.send((const uint8_t *)bytes, (size_t)length, dtls->handlers.arg);
	return length; /* what the network loses, the timer repeats */
}

static int bio_read(BIO *bio, char *bytes, int room)
{
	struct dtls *dtls = BIO_get_data(bio);
	size_t length = dtls->datagram_length;

	BIO_clear_retry_flags(bio);
	if (!dtls->datagram || room <= 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	if (length > (size_t)room)
		length = (size_t)room;
	memcpy(bytes, dtls->datagram, length);
	dtls->datagram = NULL;
	return (int)length;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT;
}

/* Accepts every chain: a WebRTC certificate is self-signed, and who it belongs
 * to is decided by its fingerprint after the handshake (RFC 5763 5). */
static int accept_any(int preverified, X509_STORE_CTX *store)
{
	(void)preverified;
	(void)store;
	return 1;
}

static bool fingerprint_of(const X509 *certificate, const char *hash,
			   struct sdp_fingerprint *ret_fingerprint)
{
	char name[8] = "";
	unsigned length = 0;
	const EVP_MD *md;

	/* "sha-256" is SHA256 to OpenSSL. */
	(void)snprintf(name, sizeof(name), "SHA%.3s", hash + 4);
	md = EVP_get_digestbyname(name);
	memset(ret_fingerprint, 0, sizeof(*ret_fingerprint));
	memcpy(ret_fingerprint->hash, hash, strlen(hash) + 1);
	if (!md || X509_digest(certificate, md, ret_fingerprint->bytes, &length) != 1)
		return false;
	ret_fingerprint->length = (uint8_t)length;
	return true;
}

static X509 *make_certificate(EVP_PKEY *key)
{
	X509 *certificate = X509_new();
	X509_NAME *name;
	uint64_t serial;
	bool ok;

	if (!certificate || RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1)
		goto fail;
	name = X509_get_subject_name(certificate);
	ok = X509_set_version(certificate, X509_VERSION_3) == 1 &&
	     ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1 &&
	     X509_gmtime_adj(X509_getm_notBefore(certificate), -24L * 3600) &&
	     X509_gmtime_adj(X509_getm_notAfter(certificate), 3650L * 24 * 3600) &&
	     /* The usual name: it says nothing about us (RFC 8827 6.5 wants none). */
	     X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"WebRTC",
					-1, -1, 0) == 1 &&
	     X509_set_issuer_name(certificate, name) == 1 &&
	     X509_set_pubkey(certificate, key) == 1 &&
	     X509_sign(certificate, key, EVP_sha256()) > 0;
	if (ok)
		return certificate;
fail:
	X509_free(certificate);
	return NULL;
}

static bool configure(SSL_CTX *context)
{
	SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET |
					     SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					     SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_quiet_shutdown(context, 1);
	SSL_CTX_set_read_ahead(context, 1); /* a datagram is read whole */
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
	return SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION) == 1 &&
	       /* AEAD with forward secrecy only. Our certificate is ECDSA; the RSA suites are
		* for servers that hold an RSA one, as Janus does by default. */
	       SSL_CTX_set_cipher_list(
		       context, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
				"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:"
				"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305") == 1 &&
	       SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1 &&
	       /* 0 is success here, unlike everywhere else. */
	       SSL_CTX_set_tlsext_use_srtp(context, "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:"
						    "SRTP_AES128_CM_SHA1_80") == 0;
}

static BIO_METHOD *make_bio_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "media");

	if (!method)
		return NULL;
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_ctrl(method, bio_ctrl);
	return method;
}

int dtls_identity_create(struct dtls_identity **ret_identity)
{
	struct dtls_identity *identity = calloc(1, sizeof(*identity));
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509 *certificate = key ? make_certificate(key) : NULL;
	int err = -ENOMEM;

	if (!identity || !certificate)
		goto done;
	err = -EIO;
	identity->bio = make_bio_method();
	identity->context = SSL_CTX_new(DTLS_method());
	if (!identity->bio || !identity->context || !configure(identity->context) ||
	    SSL_CTX_use_certificate(identity->context, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey(identity->context, key) != 1 ||
	    !fingerprint_of(certificate, "sha-256", &identity->fingerprint))
		goto done;
	*ret_identity = identity;
	identity = NULL;
	err = 0;
done:
	ERR_clear_error();
	X509_free(certificate);
	EVP_PKEY_free(key);
	dtls_identity_destroy(identity);
	return err;
}

struct dtls_identity *dtls_identity_destroy(struct dtls_identity *identity)
{
	if (!identity)
		return NULL;
	SSL_CTX_free(identity->context);
	BIO_meth_free(identity->bio);
	free(identity);
	return NULL;
}

const struct sdp_fingerprint *dtls_identity_fingerprint(const struct dtls_identity *identity)
{
	return &identity->fingerprint;
}

static void drop_ssl(struct dtls *dtls)
{
	timer_cancel(&dtls->retransmit);
	timer_cancel(&dtls->deadline);
	SSL_free(dtls->ssl);
	dtls->ssl = NULL;
}

/* The SSL stays until destroy: this may run inside one of its callbacks. */
static void fail(struct dtls *dtls, const char *reason)
{
	dtls->state = DTLS_FAILED;
	timer_cancel(&dtls->retransmit);
	timer_cancel(&dtls->deadline);
	dtls->handlers.failed(reason, dtls->handlers.arg);
}

static void fail_with_openssl(struct dtls *dtls)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());
	char reason[200];

	(void)snprintf(reason, sizeof(reason), "DTLS handshake failed: %s",
		       why ? why : "no reason given");
	ERR_clear_error();
	fail(dtls, reason);
}

static bool fingerprint_matches(struct dtls *dtls)
{
	X509 *certificate = SSL_get1_peer_certificate(dtls->ssl);
	struct sdp_fingerprint seen = { .length = 0 };
	char seen_text[SDP_FINGERPRINT_ROOM] = "none", wanted[SDP_FINGERPRINT_ROOM];
	char reason[2 * SDP_FINGERPRINT_ROOM + 100];
	bool matches = false;

	for (unsigned i = 0; certificate && i < dtls->fingerprint_count && !matches; i++) {
		const struct sdp_fingerprint *promised = &dtls->fingerprints[i];

		matches = fingerprint_of(certificate, promised->hash, &seen) &&
			  seen.length == promised->length &&
			  CRYPTO_memcmp(seen.bytes, promised->bytes, seen.length) == 0;
	}
	X509_free(certificate);
	if (matches)
		return true;
	if (seen.length > 0)
		sdp_fingerprint_format(&seen, seen_text);
	sdp_fingerprint_format(&dtls->fingerprints[dtls->fingerprint_count - 1], wanted);
	(void)snprintf(reason, sizeof(reason),
		       "DTLS fingerprint differs: the SDP promised %s, the certificate is %s",
		       wanted, seen_text);
	fail(dtls, reason);
	return false;
}

static bool suite_of(unsigned long profile, enum srtp_suite *ret_suite)
{
	switch (profile) {
	case SRTP_AEAD_AES_128_GCM:
		*ret_suite = SRTP_SUITE_AEAD_AES_128_GCM;
		return true;
	case SRTP_AEAD_AES_256_GCM:
		*ret_suite = SRTP_SUITE_AEAD_AES_256_GCM;
		return true;
	case SRTP_AES128_CM_SHA1_80:
		*ret_suite = SRTP_SUITE_AES128_CM_SHA1_80;
		return true;
	default:
		return false;
	}
}

/* Client key, server key, client salt, server salt. Source: RFC 5764 4.2. */
static bool export_keys(struct dtls *dtls, enum srtp_suite suite, struct srtp_keys *ret_keys)
{
	static const char label[] = "EXTRACTOR-dtls_srtp";
	size_t key = srtp_suite_key_length(suite), salt = srtp_suite_salt_length(suite);
	uint8_t material[2 * SRTP_KEY_ROOM];
	uint8_t *client = dtls->client ? ret_keys->outbound : ret_keys->inbound;
	uint8_t *server = dtls->client ? ret_keys->inbound : ret_keys->outbound;

	if (SSL_export_keying_material(dtls->ssl, material, 2 * (key + salt), label,
				       sizeof(label) - 1, NULL, 0, 0) != 1)
		return false;
	memset(ret_keys, 0, sizeof(*ret_keys));
	ret_keys->suite = suite;
	memcpy(client, material, key);
	memcpy(server, material + key, key);
	memcpy(client + key, material + 2 * key, salt);
	memcpy(server + key, material + 2 * key + salt, salt);
	OPENSSL_cleanse(material, sizeof(material));
	return true;
}

/* With no profile in common OpenSSL completes the handshake all the same, so
 * the profile is checked here. */
static void finish(struct dtls *dtls)
{
	const SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(dtls->ssl);
	struct srtp_keys keys;
	enum srtp_suite suite;

	if (!fingerprint_matches(dtls))
		return;
	if (!profile || !suite_of(profile->id, &suite)) {
		fail(dtls, "DTLS completed without an SRTP protection profile in common");
		return;
	}
	if (!export_keys(dtls, suite, &keys)) {
		fail(dtls, "DTLS key export failed");
		return;
	}
	dtls->state = DTLS_READY;
	timer_start(dtls->wheel, &dtls->deadline, clock_now() + DTLS_LINGER_MS);
	dtls->handlers.ready(&keys, dtls->handlers.arg);
	OPENSSL_cleanse(&keys, sizeof(keys));
}

/* OpenSSL times flights by the wall clock of its own; the wheel only has to
 * call it at the moment it names. */
static void arm_retransmit(struct dtls *dtls)
{
	struct timeval left;

	timer_cancel(&dtls->retransmit);
	if (dtls->state != DTLS_HANDSHAKING || DTLSv1_get_timeout(dtls->ssl, &left) != 1)
		return;
	timer_start(dtls->wheel, &dtls->retransmit,
		    clock_now() + (mono_ms)left.tv_sec * 1000 + left.tv_usec / 1000 + 1);
}

static void shake(struct dtls *dtls)
{
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(dtls->ssl);
	if (result == 1)
		finish(dtls);
	else if (SSL_get_error(dtls->ssl, result) != SSL_ERROR_WANT_READ)
		fail_with_openssl(dtls);
	arm_retransmit(dtls);
}

/* After the handshake the SSL only answers a repeated last flight (RFC 6347
 * 4.2.4); data and alerts are not for us. OpenSSL drops a new ClientHello
 * itself: it is of epoch 0, and an encrypted one would be a renegotiation. */
static void absorb(struct dtls *dtls)
{
	uint8_t ignored[256];

	ERR_clear_error();
	while (SSL_read(dtls->ssl, ignored, sizeof(ignored)) > 0)
		;
	ERR_clear_error();
}

static void on_retransmit(struct timer *timer, void *arg)
{
	struct dtls *dtls = arg;

	(void)timer;
	ERR_clear_error();
	if (DTLSv1_handle_timeout(dtls->ssl) < 0)
		fail_with_openssl(dtls);
	else
		arm_retransmit(dtls);
}

static void on_deadline(struct timer *timer, void *arg)
{
	struct dtls *dtls = arg;

	(void)timer;
	if (dtls->state == DTLS_HANDSHAKING)
		fail(dtls, "DTLS handshake did not finish within 10 s");
	else
		dtls_settled(dtls);
}

/* 50 ms, then doubling to 1.6 s: OpenSSL's first second is too long in a call
 * set-up, and it gives up after 12 time-outs, which is past our deadline. */
static unsigned next_timeout(SSL *ssl, unsigned previous_us)
{
	(void)ssl;
	if (previous_us == 0)
		return 50000;
	return previous_us >= 1600000 ? 1600000 : previous_us * 2;
}

int dtls_create(struct dtls **ret_dtls, const struct dtls_identity *identity,
		struct timer_wheel *wheel, bool client, const struct sdp_fingerprint *fingerprints,
		unsigned fingerprint_count, const struct dtls_handlers *handlers)
{
	struct dtls *dtls = calloc(1, sizeof(*dtls));
	BIO *bio = BIO_new(identity->bio);

	if (dtls)
		dtls->ssl = SSL_new(identity->context);
	if (!dtls || !bio || !dtls->ssl) {
		BIO_free(bio);
		if (dtls)
			SSL_free(dtls->ssl);
		free(dtls);
		return -ENOMEM;
	}
	dtls->client = client;
	dtls->wheel = wheel;
	dtls->handlers = *handlers;
	memcpy(dtls->fingerprints, fingerprints, fingerprint_count * sizeof(*fingerprints));
	dtls->fingerprint_count = fingerprint_count;
	timer_init(&dtls->retransmit, on_retransmit, dtls);
	timer_init(&dtls->deadline, on_deadline, dtls);

	BIO_set_data(bio, dtls);
	BIO_set_init(bio, 1);
	SSL_set_bio(dtls->ssl, bio, bio);
	SSL_set_mtu(dtls->ssl, DTLS_MTU);
	DTLS_set_timer_cb(dtls->ssl, next_timeout);
	if (client)
		SSL_set_connect_state(dtls->ssl);
	else
		SSL_set_accept_state(dtls->ssl);
	*ret_dtls = dtls;
	return 0;
}

struct dtls *dtls_destroy(struct dtls *dtls)
{
	if (!dtls)
		return NULL;
	drop_ssl(dtls);
	OPENSSL_cleanse(dtls, sizeof(*dtls));
	free(dtls);
	return NULL;
}

void dtls_start(struct dtls *dtls)
{
	if (dtls->state != DTLS_IDLE)
		return;
	dtls->state = DTLS_HANDSHAKING;
	timer_start(dtls->wheel, &dtls->deadline, clock_now() + DTLS_HANDSHAKE_MS);
	if (dtls->client)
		shake(dtls);
}

void dtls_receive(struct dtls *dtls, const uint8_t *datagram, size_t length)
{
	dtls->datagram = datagram;
	dtls->datagram_length = length;
	if (dtls->state == DTLS_HANDSHAKING)
		shake(dtls);
	else if (dtls->state == DTLS_READY)
		absorb(dtls);
	dtls->datagram = NULL;
}

void dtls_settled(struct dtls *dtls)
{
	if (dtls->state != DTLS_READY)
		return;
	dtls->state = DTLS_SETTLED;
	drop_ssl(dtls);
}

bool dtls_is_client(const struct dtls *dtls)
{
	return dtls->client;
}
