/* SPDX-License-Identifier: Apache-2.0 */
/* dtls_private.h - what the files of an association have of each other.
 *
 * dtls.c: life and handshake; dtls_identity.c: our certificate, the rules, and what OpenSSL
 * asks of us meanwhile; dtls_queue.c: datagrams that wait, and whose turn it is.
 */
#ifndef BREAKOUT_MEDIA_DTLS_PRIVATE_H
#define BREAKOUT_MEDIA_DTLS_PRIVATE_H

#include <stdatomic.h>
#include "media/dtls.h"

/* OpenSSL's SSL, SSL_CTX and BIO_METHOD. */
struct ssl_st;
struct ssl_ctx_st;
struct bio_method_st;

#define DTLS_RECORD_HEADER 13 /* bytes, RFC 6347 4.1; the sequence number is in it */

/* Bytes of a sealed alert: header, explicit nonce, alert, tag (RFC 6347 4.1, RFC 5288 3). */
#define DTLS_FAREWELL_ROOM (13 + 8 + 2 + 16)

struct dtls_identity {
	atomic_uint references;
	struct ssl_ctx_st *context;
	struct bio_method_st *bio;
	struct sdp_fingerprint fingerprint;
};

enum dtls_state {
	DTLS_IDLE, /* not started; what comes waits */
	DTLS_HANDSHAKING,
	DTLS_READY,   /* keys are out; the SSL repeats the last flight if asked */
	DTLS_SETTLED, /* SSL freed */
	DTLS_FAILED
};

/* A datagram that waits for the start or for its turn. */
struct dtls_waiting {
	struct dtls_waiting *next;
	size_t length;
	uint8_t bytes[];
};

struct dtls {
	enum dtls_state state;
	struct dtls_identity *identity;
	struct ssl_st *ssl; /* from the start until settled */
	bool client;
	struct timer_wheel *wheel;
	struct timer retransmit, deadline; /* deadline: handshake, then linger */
	struct dtls_handlers handlers;

	const uint8_t *datagram; /* the one being read, inside take() */
	size_t datagram_length;
	struct dtls_waiting *first, **last;
	unsigned waiting_count;
	struct dtls_queue *queue; /* NULL: none */
	struct dtls *next;        /* in the queue, */
	bool queued;              /* if it is, */
	uint64_t place;           /* by this: lower ones first */
	unsigned steps;           /* taken in this place */

	struct sdp_fingerprint fingerprints[SDP_FINGERPRINTS_MAX];
	unsigned fingerprint_count;
	struct sdp_fingerprint seen; /* of the peer's certificate; length 0: not yet */
	bool verified;

	/* For the sentence about a failure; texts are OpenSSL's, static. */
	const char *step, *alert_in, *alert_out;
	unsigned sent, received, repeats;
	bool greeted; /* a client was said hello to */

	/* The SSL's last record, sealed when it is freed, for the end. */
	uint8_t farewell[DTLS_FAREWELL_ROOM];
	uint8_t farewell_length;
	bool keeps; /* what the SSL sends is not for the peer yet, but for `farewell` */
};

/* ---- dtls_queue.c ---- */

void dtls_queue_add(struct dtls_queue *queue, struct dtls *dtls);
/* The last place: behind all who have one. */
void dtls_take_place(struct dtls *dtls);

/* More than a flight's worth, or no memory: lost, as on the network. */
void dtls_keep(struct dtls *dtls, const uint8_t *datagram, size_t length);
/* The caller's to free; NULL: none waits. */
struct dtls_waiting *dtls_next_waiting(struct dtls *dtls);
void dtls_drop_waiting(struct dtls *dtls); /* and its place in the queue */

/* ---- dtls.c ---- */

/* One that waited; false: none did. */
bool dtls_take_waiting(struct dtls *dtls);

#endif
