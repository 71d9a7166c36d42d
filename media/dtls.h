/* SPDX-License-Identifier: Apache-2.0 */
/* dtls.h - keys for SRTP from a DTLS 1.2 handshake (RFC 5764, RFC 8842).
 *
 * An association knows certificates, fingerprints and timers. It does not know
 * sockets: datagrams come in from an address that ICE has validated, and go
 * out through `send`. It fails closed: without a matching fingerprint there
 * are no keys.
 *
 * A step of a handshake costs as much as a hundred packets, so the steps of a
 * media thread wait in its queue, which the thread runs a few at a time: those of the
 * association that started first come first, so that when there are more than ten
 * seconds can serve, as many as possible end in time.
 *
 * Threads: an identity is never changed after its creation and shared by all;
 * an association and a queue belong to one media thread.
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
#define DTLS_DATAGRAM_MAX 1500  /* bytes; a longer one is dropped */
#define DTLS_WAITING_MAX  16    /* datagrams of one association in the queue */

struct certificate;
struct dtls_identity; /* opaque: our certificate and rules; counted references */

/* With a reference to `certificate`, or, if NULL, one made for it. 0, -ENOMEM
 * or -EIO (OpenSSL refuses). */
int dtls_identity_create(struct dtls_identity **ret_identity,
			 const struct certificate *certificate) MUST_CHECK;
struct dtls_identity *dtls_identity_ref(struct dtls_identity *identity);
struct dtls_identity *dtls_identity_unref(struct dtls_identity *identity); /* NULL fine */
const struct sdp_fingerprint *dtls_identity_fingerprint(const struct dtls_identity *identity);

struct dtls; /* opaque: one association */

/* Associations with datagrams that wait for their step. Zeroed is empty. */
struct dtls_queue {
	struct dtls *first, *last;
	unsigned shaking; /* associations between their start and their keys */
	uint64_t last_place;
	mono_ms left_at; /* the last turn began then and left some; 0: none */
};
/* Takes up to `steps` datagrams. True: more wait, call again soon. */
bool dtls_queue_run(struct dtls_queue *queue, unsigned steps);
/* A thread's turn, which began at `now`: steps for 2 ms, and if the last one left some, for
 * half of the time since then, 20 ms at most: packets, agents and set-ups may make turns
 * long, and handshakes have ten seconds. */
bool dtls_queue_turn(struct dtls_queue *queue, mono_ms now);

struct dtls_handlers {
	void (*send)(const uint8_t *datagram, size_t length, void *arg);
	/* The peer is who its SDP says. The keys are wiped after the call. */
	void (*ready)(const struct srtp_keys *keys, void *arg);
	void (*failed)(const char *reason, void *arg); /* at most once; then it is inert */
	void *arg;
};

struct dtls_setup {
	struct dtls_identity *identity; /* it takes a reference */
	struct timer_wheel *wheel;
	struct dtls_queue *queue; /* NULL: each step is taken at once */
	bool client;
	const struct sdp_fingerprint *fingerprints; /* at least one; copied */
	unsigned fingerprint_count;
	struct dtls_handlers handlers;
};

/* 0, -ENOMEM. */
int dtls_create(struct dtls **ret_dtls, const struct dtls_setup *setup) MUST_CHECK;
/* Says nothing. Not from inside a handler. NULL is fine; returns NULL. */
struct dtls *dtls_destroy(struct dtls *dtls);

void dtls_start(struct dtls *dtls); /* ICE is connected; again is fine */
/* One that comes before the start waits for it: a peer may be connected, and
 * say hello, earlier than we are. */
void dtls_receive(struct dtls *dtls, const uint8_t *datagram, size_t length);
/* An SRTP packet has authenticated: the peer has our last flight. Frees the
 * handshake's memory (70 KB). What is left of it is our close_notify, sealed: the peer's,
 * which only the freed keys could read, is not heard from here on. */
void dtls_settled(struct dtls *dtls);
/* The call is over: says close_notify, if keys were agreed, by `send`. */
void dtls_farewell(struct dtls *dtls);

bool dtls_is_client(const struct dtls *dtls);

#endif
