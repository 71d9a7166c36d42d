/* SPDX-License-Identifier: Apache-2.0 */
/* dtls_identity.c - our certificate and rules, and what OpenSSL asks of us in a handshake
 * that goes by them. */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include "media/certificate.h"
#include "media/dtls_algorithms.h"
#include "media/dtls_private.h"

static void keep_farewell(struct dtls *dtls, const char *bytes, int length)
{
	if (length <= 0 || (size_t)length > sizeof(dtls->farewell))
		return; /* of a suite that needs more: it goes without saying so */
	memcpy(dtls->farewell, bytes, (size_t)length);
	dtls->farewell_length = (uint8_t)length;
}

/* A datagram BIO: one read gets one datagram, one write sends one. A memory
 * BIO would join datagrams. */
static int bio_write(BIO *bio, const char *bytes, int length)
{
	struct dtls *dtls = BIO_get_data(bio);

	if (dtls->keeps) {
		keep_farewell(dtls, bytes, length);
	} else if (length > 0) {
		dtls->sent++;
		dtls->handlers.send((const uint8_t *)bytes, (size_t)length, dtls->handlers.arg);
	}
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

/* Of several hash functions the strongest decides, and of its fingerprints any
 * may match (RFC 8122 5). */
static bool is_promised(struct dtls *dtls, const X509 *x509)
{
	const struct sdp_fingerprint *strongest = &dtls->fingerprints[0];
	bool matches = false;

	for (unsigned i = 1; i < dtls->fingerprint_count; i++)
		if (dtls->fingerprints[i].length > strongest->length)
			strongest = &dtls->fingerprints[i];
	if (!certificate_fingerprint(x509, strongest->hash, &dtls->seen))
		return false;
	for (unsigned i = 0; i < dtls->fingerprint_count; i++)
		matches |= dtls->fingerprints[i].length == dtls->seen.length &&
			   CRYPTO_memcmp(dtls->fingerprints[i].bytes, dtls->seen.bytes,
					 dtls->seen.length) == 0;
	return matches;
}

/* Takes the place of a chain's verification: a WebRTC certificate is signed by
 * itself, and who it belongs to is said by its fingerprint (RFC 5763 5). */
static int verify(X509_STORE_CTX *store, void *arg)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct dtls *dtls = SSL_get_app_data(ssl);

	(void)arg;
	dtls->verified = is_promised(dtls, X509_STORE_CTX_get0_cert(store));
	if (!dtls->verified) /* the peer is told bad_certificate */
		X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return dtls->verified;
}

/* Notes how far it has come, and alerts. */
static void on_info(const SSL *ssl, int where, int value)
{
	static const char prefix[] = "SSLv3/TLS ";
	struct dtls *dtls = SSL_get_app_data(ssl);

	if (where & SSL_CB_ALERT) {
		const char *name = SSL_alert_desc_string_long(value);

		if (where & SSL_CB_READ)
			dtls->alert_in = name;
		else
			dtls->alert_out = name;
	} else if (where & SSL_CB_LOOP) {
		dtls->step = SSL_state_string_long(ssl);
		if (strncmp(dtls->step, prefix, sizeof(prefix) - 1) == 0)
			dtls->step += sizeof(prefix) - 1;
	}
}

static bool configure(SSL_CTX *context)
{
	SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET |
					     SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					     SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(context, 1); /* a datagram is read whole */
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(context, verify, NULL);
	SSL_CTX_set_info_callback(context, on_info);
	return SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION) == 1 &&
	       /* AEAD with forward secrecy only. The RSA suites are for who has such a
		* certificate: Janus by default, and we if configured so. */
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

static int fill_identity(struct dtls_identity *identity, const struct certificate *certificate)
{
	identity->bio = make_bio_method();
	identity->context = SSL_CTX_new_ex(dtls_algorithms(), NULL, DTLS_method());
	if (!identity->bio || !identity->context || !configure(identity->context) ||
	    SSL_CTX_use_certificate(identity->context, certificate->x509) != 1 ||
	    SSL_CTX_use_PrivateKey(identity->context, certificate->key) != 1 ||
	    !certificate_fingerprint(certificate->x509, "sha-256", &identity->fingerprint))
		return -EIO;
	return 0;
}

int dtls_identity_create(struct dtls_identity **ret_identity, const struct certificate *certificate)
{
	struct dtls_identity *identity = calloc(1, sizeof(*identity));
	struct certificate made = { .x509 = NULL };
	int err = identity ? 0 : -ENOMEM;

	if (!err && !certificate)
		err = certificate_make(&made);
	if (!err) {
		atomic_store(&identity->references, 1);
		err = fill_identity(identity, certificate ? certificate : &made);
	}
	ERR_clear_error();
	certificate_done(&made);
	if (err) {
		dtls_identity_unref(identity);
		return err;
	}
	*ret_identity = identity;
	return 0;
}

struct dtls_identity *dtls_identity_ref(struct dtls_identity *identity)
{
	atomic_fetch_add_explicit(&identity->references, 1, memory_order_relaxed);
	return identity;
}

struct dtls_identity *dtls_identity_unref(struct dtls_identity *identity)
{
	if (!identity ||
	    atomic_fetch_sub_explicit(&identity->references, 1, memory_order_acq_rel) > 1)
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
