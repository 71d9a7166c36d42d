/* SPDX-License-Identifier: Apache-2.0 */
#include "media/dtls_algorithms.h"
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include "base/log.h"
#include "media/certificate.h"

#define KEPT_MAX  8
#define TURNS_MAX 20 /* a handshake takes four flights */

/* Of one kind of algorithm those that stay; kinds that are not here stay whole. */
struct choice {
	int operation;
	const char *property; /* that its definition must name; NULL: any */
	const char *names[KEPT_MAX + 1];
	OSSL_ALGORITHM kept[KEPT_MAX + 1]; /* ends with a zeroed one */
};

/* What the cipher suites, groups and SRTP profiles of dtls_identity.c and the certificates
 * that can sign for them need. SHA-1 is no part of that: OpenSSL names every
 * certificate by it. */
static struct choice choices[] = {
	{ .operation = OSSL_OP_DIGEST, .names = { "SHA1", "SHA2-256", "SHA2-384", "SHA2-512" } },
	{ .operation = OSSL_OP_CIPHER,
	  .names = { "AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305" } },
	{ .operation = OSSL_OP_MAC, .names = { "HMAC" } },
	{ .operation = OSSL_OP_KDF, .names = { "TLS1-PRF" } },
	{ .operation = OSSL_OP_KEYMGMT,
	  .names = { "EC", "RSA", "RSA-PSS", "ED25519", "ED448", "X25519" } },
	{ .operation = OSSL_OP_KEYEXCH, .names = { "ECDH", "X25519" } },
	{ .operation = OSSL_OP_SIGNATURE, .names = { "ECDSA", "RSA", "ED25519", "ED448" } },
	{ .operation = OSSL_OP_DECODER,
	  .property = "structure=SubjectPublicKeyInfo",
	  .names = { "EC", "RSA", "RSA-PSS", "ED25519", "ED448" } },
};

static OSSL_PROVIDER *whole; /* OpenSSL's default provider, in a context of its own */
static OSSL_LIB_CTX *lean;
static bool usable;

/* ---- a provider that hands on a part of another's algorithms ---- */

static struct choice *find_choice(int operation)
{
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++)
		if (choices[i].operation == operation)
			return &choices[i];
	return NULL;
}

/* An algorithm's names stand in a row with colons between them, the usual one first. */
static bool is_chosen(const struct choice *choice, const OSSL_ALGORITHM *algorithm)
{
	size_t length = strcspn(algorithm->algorithm_names, ":");

	if (choice->property && !strstr(algorithm->property_definition, choice->property))
		return false;
	for (const char *const *name = choice->names; *name; name++)
		if (strlen(*name) == length &&
		    strncmp(*name, algorithm->algorithm_names, length) == 0)
			return true;
	return false;
}

static void choose(struct choice *choice)
{
	int no_cache = 0;
	const OSSL_ALGORITHM *all =
		OSSL_PROVIDER_query_operation(whole, choice->operation, &no_cache);
	size_t count = 0;

	for (; all && all->algorithm_names && count < KEPT_MAX; all++)
		if (is_chosen(choice, all))
			choice->kept[count++] = *all;
}

static const OSSL_ALGORITHM *query(void *context, int operation, int *ret_no_cache)
{
	const struct choice *choice = find_choice(operation);

	(void)context;
	if (!choice)
		return OSSL_PROVIDER_query_operation(whole, operation, ret_no_cache);
	*ret_no_cache = 0;
	return choice->kept;
}

static void end_query(void *context, int operation, const OSSL_ALGORITHM *algorithms)
{
	(void)context;
	if (!find_choice(operation))
		OSSL_PROVIDER_unquery_operation(whole, operation, algorithms);
}

static int tell_capabilities(void *context, const char *capability, OSSL_CALLBACK *callback,
			     void *arg)
{
	(void)context;
	return OSSL_PROVIDER_get_capabilities(whole, capability, callback, arg);
}

/* The algorithms are the other's, so is the context they are called with. Without a
 * teardown: it is not ours to end. */
static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core,
		const OSSL_DISPATCH **ret_table, void **ret_context)
{
	static const OSSL_DISPATCH table[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query },
		{ OSSL_FUNC_PROVIDER_UNQUERY_OPERATION, (void (*)(void))end_query },
		{ OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))tell_capabilities },
		{ 0, NULL },
	};

	(void)handle;
	(void)core;
	*ret_table = table;
	*ret_context = OSSL_PROVIDER_get0_provider_ctx(whole);
	return 1;
}

static bool make(void)
{
	OSSL_LIB_CTX *around = OSSL_LIB_CTX_new();

	lean = OSSL_LIB_CTX_new();
	whole = around ? OSSL_PROVIDER_load(around, "default") : NULL;
	if (!lean || !whole)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++)
		choose(&choices[i]);
	return OSSL_PROVIDER_add_builtin(lean, "breakout-dtls", init) == 1 &&
	       OSSL_PROVIDER_load(lean, "breakout-dtls") != NULL;
}

/* ---- the proof ---- */

static int accept_all(X509_STORE_CTX *store, void *arg)
{
	(void)store;
	(void)arg;
	return 1;
}

static SSL_CTX *make_context(const struct certificate *certificate)
{
	SSL_CTX *context = SSL_CTX_new_ex(lean, NULL, DTLS_method());

	if (!context || SSL_CTX_use_certificate(context, certificate->x509) != 1 ||
	    SSL_CTX_use_PrivateKey(context, certificate->key) != 1 ||
	    SSL_CTX_set_tlsext_use_srtp(context, "SRTP_AEAD_AES_128_GCM") != 0) {
		SSL_CTX_free(context);
		return NULL;
	}
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(context, accept_all, NULL);
	SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
	return context;
}

/* Takes the BIOs, each of which is one direction; false: no memory. */
static bool join(SSL *client, SSL *server)
{
	BIO *there = BIO_new(BIO_s_mem()), *back = BIO_new(BIO_s_mem());

	if (!there || !back) {
		BIO_free(there);
		BIO_free(back);
		return false;
	}
	(void)BIO_set_mem_eof_return(there, -1); /* nothing yet, not the end */
	(void)BIO_set_mem_eof_return(back, -1);
	(void)BIO_up_ref(there);
	(void)BIO_up_ref(back);
	SSL_set_bio(client, back, there);
	SSL_set_bio(server, there, back);
	SSL_set_mtu(client, 1200);
	SSL_set_mtu(server, 1200);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	return true;
}

static bool shake(SSL *client, SSL *server)
{
	for (unsigned turn = 0; turn < TURNS_MAX; turn++) {
		int there = SSL_do_handshake(client), here = SSL_do_handshake(server);

		if (there == 1 && here == 1)
			return SSL_get_selected_srtp_profile(client) != NULL;
	}
	return false;
}

/* Names out of another OpenSSL than those we know may fit no longer: a handshake with
 * ourselves tells. */
static bool works(void)
{
	struct certificate certificate = { .x509 = NULL };
	SSL *client = NULL, *server = NULL;
	SSL_CTX *context = NULL;
	bool fine = false;

	if (certificate_make(&certificate) == 0)
		context = make_context(&certificate);
	if (context) {
		client = SSL_new(context);
		server = SSL_new(context);
	}
	if (client && server && join(client, server))
		fine = shake(client, server);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(context);
	certificate_done(&certificate);
	return fine;
}

/* What was made stays: threads may have asked it for random numbers, and give their
 * state back when they end. */
static void start(void)
{
	bool fips = EVP_default_properties_is_fips_enabled(NULL) == 1;

	usable = !fips && make() && works();
	if (!usable && !fips)
		log_notice("media",
			   "DTLS handshakes take a third longer: with a part of its algorithms "
			   "OpenSSL %s did not work",
			   OpenSSL_version(OPENSSL_VERSION_STRING));
	ERR_clear_error();
}

struct ossl_lib_ctx_st *dtls_algorithms(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, start); /* cannot fail with a static control */
	return usable ? lean : NULL;
}
