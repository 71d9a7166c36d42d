/* SPDX-License-Identifier: Apache-2.0 */
#include "bare_dtls.h"
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <time.h>
#include "media/certificate.h"

#define MTU       1200
#define TURNS_MAX 20 /* a handshake takes four flights */

static double cpu_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* No chain is looked at: a WebRTC certificate is signed by itself (RFC 5763 5). */
static int accept_all(X509_STORE_CTX *store, void *arg)
{
	(void)store;
	(void)arg;
	return 1;
}

static SSL_CTX *make_context(void)
{
	struct certificate made = { .x509 = NULL };
	SSL_CTX *context = SSL_CTX_new(DTLS_method());
	bool fine = context && certificate_make(&made) == 0 &&
		    SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1 &&
		    SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES128-GCM-SHA256") == 1 &&
		    SSL_CTX_set1_groups_list(context, "X25519:P-256") == 1 &&
		    SSL_CTX_set_tlsext_use_srtp(context, "SRTP_AEAD_AES_128_GCM") == 0 &&
		    SSL_CTX_use_certificate(context, made.x509) == 1 &&
		    SSL_CTX_use_PrivateKey(context, made.key) == 1;

	certificate_done(&made);
	if (!fine) {
		SSL_CTX_free(context);
		return NULL;
	}
	SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(context, accept_all, NULL);
	return context;
}

static BIO *make_pipe(void)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio)
		BIO_set_mem_eof_return(bio, -1);
	return bio;
}

/* Each side of a pipe has a reference of its own. */
static SSL *make_side(SSL_CTX *context, BIO *in, BIO *out, bool client)
{
	SSL *ssl = SSL_new(context);

	if (!ssl)
		return NULL;
	(void)BIO_up_ref(in);
	(void)BIO_up_ref(out);
	SSL_set_bio(ssl, in, out);
	SSL_set_mtu(ssl, MTU);
	if (client)
		SSL_set_connect_state(ssl);
	else
		SSL_set_accept_state(ssl);
	return ssl;
}

static bool shake(SSL *client, SSL *server)
{
	for (unsigned turn = 0; turn < TURNS_MAX; turn++) {
		int there = SSL_do_handshake(client), here = SSL_do_handshake(server);

		if (there == 1 && here == 1)
			return true;
	}
	return false;
}

static bool handshake(SSL_CTX *context)
{
	BIO *to_server = make_pipe(), *to_client = make_pipe();
	SSL *client = NULL, *server = NULL;
	bool done = false;

	if (to_server && to_client) {
		client = make_side(context, to_client, to_server, /* client= */ true);
		server = make_side(context, to_server, to_client, /* client= */ false);
		done = client && server && shake(client, server);
	}
	SSL_free(client);
	SSL_free(server);
	BIO_free(to_server);
	BIO_free(to_client);
	return done;
}

double bare_dtls_ns(unsigned count)
{
	SSL_CTX *context = make_context();
	bool fine = context && handshake(context); /* the first fetches algorithms */
	double began = cpu_ns();

	for (unsigned i = 0; fine && i < count; i++)
		fine = handshake(context);
	began = cpu_ns() - began;
	SSL_CTX_free(context);
	return fine ? began / count : 0;
}
