/* SPDX-License-Identifier: Apache-2.0 */
/* tls_batch.h - what is said to one peer in one turn of the loop leaves as one record.
 *
 * A write to a socket costs twenty times what encrypting a message does: behind it are
 * a segment, its acknowledgement and a peer that is woken. While a turn of the loop is
 * under way messages to a connection are gathered, and sent at its end. What cannot be
 * sent then is tried again by the next turns; until it has gone nothing more is taken,
 * and sofia keeps a queue of its own. A turn is a handful of events, so what is
 * gathered waits for less than a millisecond.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_TLS_BATCH_H
#define BREAKOUT_TAS_SIP_TLS_BATCH_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

/* Of one connection. The first two are the owner's to fill, the rest is zero. */
struct tls_batch {
	SSL *ssl;
	int (*write)(SSL *ssl, const void *bytes, int length); /* OpenSSL's SSL_write() */
	struct tls_batch *next; /* in the list of those that have something */
	char *bytes;            /* NULL: nothing waits */
	size_t length;
	bool blocked; /* sent in vain: OpenSSL wants the same bytes again */
};

/* A turn of the loop begins; from its first event until tls_batch_send() messages are
 * gathered. What is said outside of that, by timers before the poll, leaves at once. */
void tls_batch_open(void);
void tls_batch_event(void);

/* As SSL_write(). */
int tls_batch_write(struct tls_batch *batch, const void *bytes, int length);

/* The turn is over: sends what was gathered for all. True: something is left, come back soon. lost:
 * told of each connection that cannot be written to any more. */
bool tls_batch_send(void (*lost)(struct tls_batch *batch));

/* The same for the connection on this socket, which is about to be closed. */
void tls_batch_send_last(int fd);

/* Forgets what was gathered. */
void tls_batch_done(struct tls_batch *batch);

#endif
