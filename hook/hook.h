/* SPDX-License-Identifier: Apache-2.0 */
/* hook.h - the door to the hook room: one POST to somebody's HTTP server, one
 * answer, within a deadline.
 *
 * It knows URLs, certificates, signatures and servers that do not answer; it
 * does not know what is asked. A thread of its own talks HTTP, so whoever asks
 * never waits: neither for a name, nor for a connection, nor for the answer.
 *
 * Threads: everything below belongs to the thread that created the room and
 * calls hook_room_drain() when hook_room_fd() is readable.
 */
#ifndef BREAKOUT_HOOK_HOOK_H
#define BREAKOUT_HOOK_HOOK_H

#include <stddef.h>
#include "base/macros.h"

struct hook_room; /* opaque */
struct hook_ask;  /* opaque: one POST under way */

int hook_room_create(struct hook_room **ret_room) MUST_CHECK;
/* Every ask must have been answered or cancelled. */
struct hook_room *hook_room_destroy(struct hook_room *room);
int hook_room_fd(const struct hook_room *room); /* borrowed */
void hook_room_drain(struct hook_room *room);

/* Copied by hook_post(). */
struct hook_request {
	const char *url;      /* https://... or http://... */
	const char *ca_file;  /* PEM: who may sign the server's certificate; NULL: system's */
	const char *secret;   /* signs the body; NULL: no signature */
	unsigned deadline_ms; /* from hook_post() to the whole answer */
	unsigned connections; /* to this URL at the same time */
	unsigned queue;       /* requests that may wait for one of them */
	const char *body;     /* JSON */
};

enum hook_result {
	HOOK_ANSWERED,    /* with a 2xx; the body may be empty */
	HOOK_STATUS,      /* with another HTTP status; redirects are not followed */
	HOOK_TIMEOUT,     /* past the deadline */
	HOOK_UNREACHABLE, /* no such name, no connection, or broken off */
	HOOK_UNTRUSTED,   /* the certificate is not by who may sign it, or not for this host */
	HOOK_TOO_LARGE,   /* the answer exceeds HOOK_BODY_MAX */
	HOOK_FULL,        /* not asked: the queue is full */
	HOOK_SUSPENDED,   /* not asked: too many went unanswered, a probe a second is */
	HOOK_CANCELLED,   /* by whoever asked */
	HOOK_RESULT_COUNT
};
const char *hook_result_name(enum hook_result result); /* "timeout" */

#define HOOK_BODY_MAX ((size_t)64 * 1024)

struct hook_reply {
	enum hook_result result;
	int status;         /* HTTP; 0: none came */
	unsigned took_ms;   /* since hook_post() */
	const char *body;   /* NUL-ended; "" if there is none */
	size_t length;      /* of body, which may hold a NUL */
	const char *detail; /* what went wrong, for a log line; "" */
};
/* The last thing heard of an ask. */
typedef void hook_reply_fn(const struct hook_reply *reply, void *arg);

/* 0, and on_reply will be called, never from inside; or no reply comes: -EBUSY
 * (HOOK_FULL), -EAGAIN (HOOK_SUSPENDED), -ENOMEM. */
int hook_post(struct hook_ask **ret_ask, struct hook_room *room, const struct hook_request *request,
	      hook_reply_fn *on_reply, void *arg) MUST_CHECK;
/* No reply comes any more. Past the deadline this counts as HOOK_TIMEOUT. NULL
 * is fine; returns NULL. */
struct hook_ask *hook_cancel(struct hook_ask *ask);

#endif
