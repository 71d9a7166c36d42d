/* SPDX-License-Identifier: Apache-2.0 */
/* dtls.h - keys for SRTP from a DTLS 1.2 handshake (RFC 5764, RFC 8842).
 *
 * An association knows certificates, fingerprints and timers. It does not know
 * sockets: datagrams come in from an address that ICE has validated, and go
 * out through `send`. It fails closed: without a matching fingerprint there
 * are no keys.
 *
 * Threads: an identity is read-only after its creation and shared by all; an
 * association belongs to the media thread of its session.
 */
#ifndef BREAKOUT_MEDIA_DTLS_H
#define BREAKOUT_MEDIA_DTLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"
#include "base/timer_wheel.h"
#include "media/sdp.h"
#include "media/srtp.h"

#define DTLS_HANDSHAKE_MS 10000 /* from dtls_start() to keys */
#define DTLS_LINGER_MS    30000 /* how long the last flight can be repeated */

struct dtls_identity; /* opaque: our certificate and rules */

/* 0, -ENOMEM or -EIO (OpenSSL refuses). */
int dtls_identity_create(struct dtls_identity **ret_identity) MUST_CHECK;
struct dtls_identity *dtls_identity_destroy(struct dtls_identity *identity);
const struct sdp_fingerprint *dtls_identity_fingerprint(const struct dtls_identity *identity);

struct dtls; /* opaque: one association */

struct dtls_handlers {
	void (*send)(const uint8_t *datagram, size_t length, void *arg);
	/* The peer is who its SDP says. The keys are wiped after the call. */
	void (*ready)(const struct srtp_keys *keys, void *arg);
	void (*failed)(const char *reason, void *arg); /* at most once; then it is inert */
	void *arg;
};

/* The fingerprints (at least one) are copied. 0, -ENOMEM. */
int dtls_create(struct dtls **ret_dtls, const struct dtls_identity *identity,
		struct timer_wheel *wheel, bool client, const struct sdp_fingerprint *fingerprints,
		unsigned fingerprint_count, const struct dtls_handlers *handlers) MUST_CHECK;
/* Not from inside a handler. NULL is fine; returns NULL. */
struct dtls *dtls_destroy(struct dtls *dtls);

void dtls_start(struct dtls *dtls); /* ICE is connected; again is fine */
void dtls_receive(struct dtls *dtls, const uint8_t *datagram, size_t length);
/* An SRTP packet has authenticated: the peer has our last flight. Frees the
 * handshake's memory (70 KB). */
void dtls_settled(struct dtls *dtls);

bool dtls_is_client(const struct dtls *dtls);

#endif
