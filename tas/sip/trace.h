/* SPDX-License-Identifier: Apache-2.0 */
/* trace.h - what was said lately: a ring of messages, as they went over the wire.
 *
 * Every SIP message that leaves or arrives is copied into one piece of memory of a
 * fixed size; the oldest give way. Notes say what a call decided meanwhile. A call is
 * found by its id, through the Call-IDs of all its legs. Keys and proofs of passwords
 * are blotted out on the way in: the ring never holds them.
 *
 * Calls that somebody wants in full are followed: each piece is handed on as it is
 * written down, from the INVITE on, whatever the ring forgets later.
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

/* room: bytes, at least 64 KiB; 0: nothing is kept, except what following calls needs while
 * there is somebody who wants any. 0 or -ENOMEM. */
int sip_trace_create(struct sip_trace **ret_trace, size_t room) MUST_CHECK;
struct sip_trace *sip_trace_destroy(struct sip_trace *trace);

/* Whether messages need be handed in at all. NULL trace is fine, here and below. */
bool sip_trace_listens(const struct sip_trace *trace);
/* Whether sip_trace_each() may find something: room was not 0. */
bool sip_trace_keeps(const struct sip_trace *trace);

/* A call begins with this dialog; it is about these names, numbers or not (NULL: none). */
#define SIP_TRACE_NAMES 4
void sip_trace_call(struct sip_trace *trace, const char *call, const char *call_id,
		    const char *const names[static SIP_TRACE_NAMES]);
/* A further dialog belongs to a call. */
void sip_trace_link(struct sip_trace *trace, const char *call, const char *call_id);
/* The call is over; its last messages may still come. */
void sip_trace_over(struct sip_trace *trace, const char *call);
void sip_trace_note(struct sip_trace *trace, const char *call, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* The text is copied. The addresses are AF_INET or AF_INET6. */
struct sip_trace_message {
	bool sent;
	enum sip_transport transport;
	const struct sockaddr_storage *local, *remote;
	const char *call_id; /* NULL: it has none */
	/* User parts of an INVITE that begins a dialog; NULL: none. */
	const char *names[SIP_TRACE_NAMES];
	const struct iovec *pieces; /* of its text */
	size_t piece_count;
};
void sip_trace_message(struct sip_trace *trace, const struct sip_trace_message *message);

/* What belongs to a call (its id, or the Call-ID of any of its dialogs), oldest first.
 * Returns how many. */
size_t sip_trace_each(const struct sip_trace *trace, const char *call,
		      void (*visit)(const struct sip_trace_entry *entry, void *arg), void *arg);
/* When the oldest that is still there was written; 0: nothing is. */
wall_ms sip_trace_since(const struct sip_trace *trace);

/* ---- calls in full ---- */

/* What is handed on of a call that is followed. Valid during the call. */
struct sip_trace_piece {
	enum { SIP_TRACE_BEGUN, SIP_TRACE_CALL, SIP_TRACE_DIALOG, SIP_TRACE_ENTRY } what;
	uint64_t story;                      /* which: from 1, one after another */
	const char *name;                    /* CALL: its id; DIALOG: a Call-ID; BEGUN: what was
					      * wanted */
	const struct sip_trace_entry *entry; /* ENTRY */
};
struct sip_trace_follow {
	/* Whether anything may be wanted: asked often. */
	bool (*active)(void *arg);
	/* Whether calls of this name are: which it is by the one who wants, or NULL. */
	const char *(*wants)(const char *name, void *arg);
	/* Of a call that was wanted: it began, and is no mere INVITE that was refused. */
	void (*counts)(const char *wanted, void *arg);
	void (*take)(const struct sip_trace_piece *piece, void *arg);
	void *arg;
};
/* 0 or -ENOMEM. */
int sip_trace_follow(struct sip_trace *trace, const struct sip_trace_follow *follow) MUST_CHECK;
void sip_trace_unfollow(struct sip_trace *trace);
bool sip_trace_is_followed(const struct sip_trace *trace, const char *call);

/* Hears of each message after it was written down, blotted; NULL: nobody. */
typedef void sip_trace_tap_fn(const struct sip_trace_entry *entry, const char *call_id, void *arg);
void sip_trace_tap(struct sip_trace *trace, sip_trace_tap_fn *tap, void *arg);

#endif
