/* SPDX-License-Identifier: Apache-2.0 */
/* trace.h - what was said lately: a ring of messages, as they went over the wire.
 *
 * Every SIP message that leaves or arrives is copied into one piece of memory of a
 * fixed size; the oldest give way. Notes say what a call decided meanwhile. A call is
 * found by its id, through the Call-IDs of all its legs. Keys and proofs of passwords
 * are blotted out on the way in: the ring never holds them.
 *
 * Thread: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_TRACE_H
#define BREAKOUT_TAS_SIP_TRACE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include "base/clock.h"
#include "base/macros.h"
#include "config/config.h"

struct sip_trace; /* opaque */

enum sip_trace_kind { SIP_TRACE_MESSAGE, SIP_TRACE_NOTE };

/* Valid during the visit. */
struct sip_trace_entry {
	enum sip_trace_kind kind;
	wall_ms at;
	bool sent;                    /* MESSAGE: by us */
	enum sip_transport transport; /* MESSAGE */
	char local[INET6_ADDRSTRLEN], remote[INET6_ADDRSTRLEN];
	uint16_t local_port, remote_port;
	const char *text; /* not NUL-terminated */
	size_t length;
};

/* room: bytes, at least 64 KiB. 0 or -ENOMEM. */
int sip_trace_create(struct sip_trace **ret_trace, size_t room) MUST_CHECK;
struct sip_trace *sip_trace_destroy(struct sip_trace *trace);

/* A dialog belongs to a call. NULL trace is fine, here and below. */
void sip_trace_link(struct sip_trace *trace, const char *call, const char *call_id);
void sip_trace_note(struct sip_trace *trace, const char *call, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* The text is copied. The addresses are AF_INET or AF_INET6. */
struct sip_trace_message {
	bool sent;
	enum sip_transport transport;
	const struct sockaddr_storage *local, *remote;
	const char *call_id;        /* NULL: it has none */
	const struct iovec *pieces; /* of its text */
	size_t piece_count;
};
void sip_trace_message(struct sip_trace *trace, const struct sip_trace_message *message);

/* What belongs to a call (its id, or one Call-ID), oldest first. Returns how many. */
size_t sip_trace_each(const struct sip_trace *trace, const char *call,
		      void (*visit)(const struct sip_trace_entry *entry, void *arg), void *arg);
/* When the oldest that is still there was written; 0: nothing is. */
wall_ms sip_trace_since(const struct sip_trace *trace);

/* Hears of each message after it was written down, blotted; NULL: nobody. */
typedef void sip_trace_tap_fn(const struct sip_trace_entry *entry, const char *call_id, void *arg);
void sip_trace_tap(struct sip_trace *trace, sip_trace_tap_fn *tap, void *arg);

#endif
