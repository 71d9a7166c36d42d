/* SPDX-License-Identifier: Apache-2.0 */
/* tls_profile.h - one endpoint's identity and trust in TLS: its certificate
 * chain and key, whom it believes, and how long a peer may dawdle.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_TLS_PROFILE_H
#define BREAKOUT_TAS_SIP_TLS_PROFILE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/macros.h"

struct tport_s;
struct tls_session; /* tls_guard.c */

/* An outgoing connection failed before its handshake was done. tls: for a
 * reason of TLS (certificate, alert), not of the network. */
typedef void tls_failure_fn(struct tport_s *tport, bool tls, const char *reason, void *arg);

struct tls_profile {
	X509 *leaf; /* NULL: no certificate, we only call others */
	EVP_PKEY *key;
	STACK_OF(X509) * chain;     /* intermediates, in order */
	X509_STORE *next_hop_trust; /* NULL: next hops are not verified */
	X509_STORE *client_trust;   /* NULL: clients show no certificate */
	bool renewed;               /* contexts still have the first certificate */
	unsigned handshake_s;
	tls_failure_fn *on_failure;
	void *arg;
	struct tls_session *sessions; /* the guard's */
};

struct tls_profile_options {
	const char *certificate, *private_key; /* PEM paths; NULL: none */
	const char *ca_file;                   /* NULL: the system's */
	const char *client_ca;                 /* NULL: clients are not asked */
	const char *domain; /* our leaf must be valid for it; NULL: not checked */
	bool verify_next_hop;
	unsigned handshake_s;
	tls_failure_fn *on_failure;
	void *arg;
};

/* 0, -ENOMEM, or -EINVAL with one sentence that says what to mend. */
int tls_profile_create(struct tls_profile **ret_profile, const struct tls_profile_options *options,
		       char *error, size_t room) MUST_CHECK;
struct tls_profile *tls_profile_destroy(struct tls_profile *profile);

/* Takes over another one's certificate, key and trust; its domain has been checked. What is
 * connected goes on as it is. */
void tls_profile_renew(struct tls_profile *profile, struct tls_profile *take_fresh);

/* Suites, chain and options for a new context: RFC 9325. 0 or -EINVAL. */
int tls_profile_set_up(const struct tls_profile *profile, SSL_CTX *context) MUST_CHECK;
/* For a new connection: what was renewed since its context was made. 0 or -EINVAL. */
int tls_profile_set_up_connection(const struct tls_profile *profile, SSL *ssl) MUST_CHECK;
/* Before the handshake. host: name or literal address of the next hop. */
void tls_profile_set_up_client(const struct tls_profile *profile, SSL *ssl, const char *host);
void tls_profile_set_up_server(const struct tls_profile *profile, SSL *ssl);

/* Whether a certificate is for a host name or a literal address. */
bool tls_certificate_is_for(const X509 *certificate, const char *domain);

/* DNS names of a certificate, NULL-ended, one block for free(); NULL: none. */
char **tls_certificate_names(X509 *certificate);

#endif
