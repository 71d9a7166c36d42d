/* SPDX-License-Identifier: Apache-2.0 */
/* tls_profile.c - reading and judging certificates, and what a context gets. */
#include "tas/sip/tls_profile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Forward secrecy and authenticated encryption only (RFC 9325 section 4.2);
 * TLS 1.3 has nothing else. */
#define SUITES "ECDHE+AESGCM:ECDHE+CHACHA20"

static int complain(char *error, size_t room, const char *format, ...) PRINTF_LIKE(3, 4);

static int complain(char *error, size_t room, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(error, room, format, args);
	va_end(args);
	ERR_clear_error();
	return -EINVAL;
}

/* A key under a passphrase cannot be opened by a daemon. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)arg;
	return 0;
}

static int read_chain(struct tls_profile *profile, const char *path, char *error, size_t room)
{
	BIO *file = BIO_new_file(path, "r");
	X509 *certificate;

	if (!file)
		return complain(error, room, "certificate %s cannot be read: %s", path,
				strerror(errno));
	profile->chain = sk_X509_new_null();
	while ((certificate = PEM_read_bio_X509(file, NULL, no_passphrase, NULL))) {
		if (!profile->leaf) {
			profile->leaf = certificate;
		} else if (!profile->chain || !sk_X509_push(profile->chain, certificate)) {
			X509_free(certificate);
			break;
		}
	}
	BIO_free(file);
	ERR_clear_error(); /* the end of the file is an error to PEM_read */
	if (!profile->chain)
		return -ENOMEM;
	if (!profile->leaf)
		return complain(error, room,
				"certificate %s holds no PEM certificate: put our certificate "
				"first, then the intermediates",
				path);
	return 0;
}

static int read_key(struct tls_profile *profile, const char *path, char *error, size_t room)
{
	BIO *file = BIO_new_file(path, "r");

	if (!file)
		return complain(error, room, "private key %s cannot be read: %s", path,
				strerror(errno));
	profile->key = PEM_read_bio_PrivateKey(file, NULL, no_passphrase, NULL);
	BIO_free(file);
	if (!profile->key)
		return complain(error, room,
				"private key %s is not a PEM private key without passphrase", path);
	return 0;
}

static int check_order(const struct tls_profile *profile, const char *path, char *error,
		       size_t room)
{
	X509 *subject = profile->leaf;

	for (int i = 0; i < sk_X509_num(profile->chain); i++) {
		X509 *issuer = sk_X509_value(profile->chain, i);

		if (X509_check_issued(issuer, subject) != X509_V_OK)
			return complain(error, room,
					"certificate %s: entry %d did not sign entry %d: order it "
					"as our certificate, then each one's issuer",
					path, i + 2, i + 1);
		subject = issuer;
	}
	return 0;
}

static int check_dates(const struct tls_profile *profile, const char *path, char *error,
		       size_t room)
{
	int days = 0, seconds = 0;

	if (X509_cmp_current_time(X509_get0_notBefore(profile->leaf)) > 0)
		return complain(error, room,
				"certificate %s is not valid yet: check the clock or the file",
				path);
	if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(profile->leaf)) || days < 0 ||
	    seconds < 0)
		return complain(error, room, "certificate %s has expired: renew it", path);

	return 0;
}

static bool is_address(const char *host)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

bool tls_certificate_is_for(const X509 *certificate, const char *domain)
{
	X509 *asked = (X509 *)certificate; /* OpenSSL keeps what it parses in it */
	int fits = is_address(domain) ? X509_check_ip_asc(asked, domain, 0)
				      : X509_check_host(asked, domain, 0, 0, NULL);

	return fits == 1;
}

static int check_domain(const struct tls_profile *profile, const char *path, const char *domain,
			char *error, size_t room)
{
	if (tls_certificate_is_for(profile->leaf, domain))
		return 0;
	return complain(error, room,
			"certificate %s is not valid for the domain %s: get one with that name in "
			"subjectAltName",
			path, domain);
}

static int load_identity(struct tls_profile *profile, const struct tls_profile_options *options,
			 char *error, size_t room)
{
	const char *path = options->certificate;
	int err;

	if (!path && !options->private_key)
		return 0;
	if (!path || !options->private_key)
		return complain(error, room, "TLS needs both a certificate and its private key");
	err = read_chain(profile, path, error, room);
	if (!err)
		err = read_key(profile, options->private_key, error, room);
	if (!err && X509_check_private_key(profile->leaf, profile->key) != 1)
		err = complain(error, room,
			       "private key %s does not fit certificate %s: they must be a pair, "
			       "our certificate first in its file",
			       options->private_key, path);
	if (!err)
		err = check_order(profile, path, error, room);
	if (!err)
		err = check_dates(profile, path, error, room);
	if (!err && options->domain)
		err = check_domain(profile, path, options->domain, error, room);
	return err;
}

/* file NULL: what the system trusts. */
static int load_trust(X509_STORE **ret_store, const char *file, char *error, size_t room)
{
	X509_STORE *store = X509_STORE_new();
	int loaded;

	if (!store)
		return -ENOMEM;
	loaded = file ? X509_STORE_load_file(store, file) : X509_STORE_set_default_paths(store);
	if (loaded != 1) {
		X509_STORE_free(store);
		return complain(error, room,
				"trusted certificates %s cannot be read: give a PEM file",
				file ? file : "of the system");
	}
	*ret_store = store;
	return 0;
}

int tls_profile_create(struct tls_profile **ret_profile, const struct tls_profile_options *options,
		       char *error, size_t room)
{
	struct tls_profile *profile = calloc(1, sizeof(*profile));
	int err;

	if (!profile)
		return -ENOMEM;
	profile->handshake_s = options->handshake_s;
	profile->on_failure = options->on_failure;
	profile->arg = options->arg;
	err = load_identity(profile, options, error, room);
	if (!err && options->verify_next_hop)
		err = load_trust(&profile->next_hop_trust, options->ca_file, error, room);
	if (!err && options->client_ca)
		err = load_trust(&profile->client_trust, options->client_ca, error, room);
	ERR_clear_error();
	if (err) {
		tls_profile_destroy(profile);
		return err;
	}
	*ret_profile = profile;
	return 0;
}

struct tls_profile *tls_profile_destroy(struct tls_profile *profile)
{
	if (!profile)
		return NULL;
	X509_STORE_free(profile->client_trust);
	X509_STORE_free(profile->next_hop_trust);
	sk_X509_pop_free(profile->chain, X509_free);
	EVP_PKEY_free(profile->key);
	X509_free(profile->leaf);
	free(profile);
	return NULL;
}

void tls_profile_renew(struct tls_profile *profile, struct tls_profile *take_fresh)
{
	struct tls_profile old = *profile;

	profile->leaf = take_fresh->leaf;
	profile->key = take_fresh->key;
	profile->chain = take_fresh->chain;
	profile->next_hop_trust = take_fresh->next_hop_trust;
	profile->client_trust = take_fresh->client_trust;
	profile->renewed = true;
	take_fresh->leaf = old.leaf;
	take_fresh->key = old.key;
	take_fresh->chain = old.chain;
	take_fresh->next_hop_trust = old.next_hop_trust;
	take_fresh->client_trust = old.client_trust;
	tls_profile_destroy(take_fresh); /* connections hold references to what they use */
}

/* A context keeps one certificate for each type of key, and would go on to offer the
 * old one of another type: so a connection forgets those of its context first. */
int tls_profile_set_up_connection(const struct tls_profile *profile, SSL *ssl)
{
	if (!profile->renewed)
		return 0;
	SSL_certs_clear(ssl);
	if (profile->leaf &&
	    !SSL_use_cert_and_key(ssl, profile->leaf, profile->key, profile->chain, 1))
		return -EINVAL;
	return 0;
}

int tls_profile_set_up(const struct tls_profile *profile, SSL_CTX *context)
{
	/* A peer that goes away without close_notify ends the stream, no more: SIP
	 * messages carry their own length, so nothing can be cut off unseen. */
	SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					     SSL_OP_CIPHER_SERVER_PREFERENCE |
					     SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_TICKET);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	if (!SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) ||
	    !SSL_CTX_set_max_proto_version(context, 0) ||
	    !SSL_CTX_set_cipher_list(context, SUITES) || !SSL_CTX_set_num_tickets(context, 0))
		return -EINVAL;
	if (profile->leaf &&
	    !SSL_CTX_use_cert_and_key(context, profile->leaf, profile->key, profile->chain, 1))
		return -EINVAL;
	return 0;
}

/* RFC 5922 section 7.1: a URI "sip:host" in subjectAltName names the host too. */
static bool has_sip_uri(X509 *certificate, const char *host)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const ASN1_IA5STRING *uri;
		const char *text;
		size_t length = strlen("sip:") + strlen(host);

		if (name->type != GEN_URI)
			continue;
		uri = name->d.uniformResourceIdentifier;
		text = (const char *)ASN1_STRING_get0_data(uri);
		found = (size_t)ASN1_STRING_length(uri) == length &&
			strncasecmp(text, "sip:", strlen("sip:")) == 0 &&
			strncasecmp(text + strlen("sip:"), host, strlen(host)) == 0;
	}
	GENERAL_NAMES_free(names);
	return found;
}

/* sofia's own callback accepts everything; this one keeps OpenSSL's judgement. */
static int judge_next_hop(int ok, X509_STORE_CTX *store)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(store);
	const char *host = X509_VERIFY_PARAM_get0_host(param, 0);

	if (!ok && X509_STORE_CTX_get_error(store) == X509_V_ERR_HOSTNAME_MISMATCH && host &&
	    has_sip_uri(X509_STORE_CTX_get0_cert(store), host)) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	return ok;
}

static int judge_client(int ok, X509_STORE_CTX *store)
{
	(void)store;
	return ok;
}

void tls_profile_set_up_client(const struct tls_profile *profile, SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	char bare[256];

	/* sofia writes IPv6 literals in brackets. */
	(void)snprintf(bare, sizeof(bare), "%s", host[0] == '[' ? host + 1 : host);
	if (host[0] == '[')
		bare[strcspn(bare, "]")] = '\0';
	if (!is_address(bare))
		(void)SSL_set_tlsext_host_name(ssl, bare); /* without it: the server's default */
	if (!profile->next_hop_trust)
		return;
	(void)SSL_set1_verify_cert_store(ssl, profile->next_hop_trust); /* only counts up */
	/* RFC 5922 section 7.2: no wildcards. When the name cannot be stored the
	 * empty set of trusted roots makes the handshake fail, not pass. */
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_WILDCARDS);
	if (!(is_address(bare) ? X509_VERIFY_PARAM_set1_ip_asc(param, bare)
			       : X509_VERIFY_PARAM_set1_host(param, bare, 0)))
		(void)SSL_set1_verify_cert_store(ssl, NULL);
	SSL_set_verify(ssl, SSL_VERIFY_PEER, judge_next_hop);
}

void tls_profile_set_up_server(const struct tls_profile *profile, SSL *ssl)
{
	if (!profile->client_trust) {
		SSL_set_verify(ssl, SSL_VERIFY_NONE, judge_client);
		return;
	}
	(void)SSL_set1_verify_cert_store(ssl, profile->client_trust); /* only counts up */
	/* SIP servers call with the certificate they also serve with, which need
	 * not say clientAuth (RFC 5922 section 7, RFC 5924 section 5). */
	(void)X509_VERIFY_PARAM_set_purpose(SSL_get0_param(ssl), X509_PURPOSE_ANY);
	SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, judge_client);
}

char **tls_certificate_names(X509 *certificate)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	int count = sk_GENERAL_NAME_num(names);
	size_t room = (size_t)(count + 1) * sizeof(char *), used = 0;
	char **list, *text;

	for (int i = 0; i < count; i++) {
		GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			room += (size_t)ASN1_STRING_length(name->d.dNSName) + 1;
	}
	list = count > 0 ? calloc(1, room) : NULL;
	text = list ? (char *)(list + count + 1) : NULL;
	for (int i = 0; i < count && list; i++) {
		GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const ASN1_IA5STRING *dns;
		size_t length;

		if (name->type != GEN_DNS)
			continue;
		dns = name->d.dNSName;
		length = (size_t)ASN1_STRING_length(dns);
		if (memchr(ASN1_STRING_get0_data(dns), '\0', length))
			continue; /* "good.example\0.evil.example" names nobody */
		memcpy(text, ASN1_STRING_get0_data(dns), length);
		list[used++] = text;
		text += length + 1;
	}
	GENERAL_NAMES_free(names);
	return list;
}
