/* SPDX-License-Identifier: Apache-2.0 */
/* api.h - the door to the proto room: the one way to speak the core's API.
 *
 * api_client_* carries unary, server-streaming and bidirectional calls over
 * the gRPC C core; api_token_* gets and renews OAuth 2.0 tokens. They know
 * messages as protobuf-c descriptors, not what a registration is.
 *
 * Threads: an api_client belongs to the thread that calls api_client_poll();
 * all its functions and callbacks run there, except api_client_wake(). Calls
 * only progress inside api_client_poll(), so its thread must always be there.
 * An api_token has a thread of its own.
 */
#ifndef BREAKOUT_PROTO_API_H
#define BREAKOUT_PROTO_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <protobuf-c/protobuf-c.h>
#include "base/clock.h"
#include "base/macros.h"

/* gRPC status codes (grpc/grpc doc/statuscodes.md). */
enum api_status {
	API_OK = 0,
	API_CANCELLED = 1,
	API_UNKNOWN = 2,
	API_INVALID_ARGUMENT = 3,
	API_DEADLINE_EXCEEDED = 4,
	API_NOT_FOUND = 5,
	API_ALREADY_EXISTS = 6,
	API_PERMISSION_DENIED = 7,
	API_RESOURCE_EXHAUSTED = 8,
	API_FAILED_PRECONDITION = 9,
	API_ABORTED = 10,
	API_OUT_OF_RANGE = 11,
	API_UNIMPLEMENTED = 12,
	API_INTERNAL = 13,
	API_UNAVAILABLE = 14,
	API_DATA_LOSS = 15,
	API_UNAUTHENTICATED = 16
};
const char *api_status_name(enum api_status status);
/* "STATUS: their words", in printable ASCII: it goes into logs and listings. */
void api_explain(char *text, size_t room, const char *status, const char *words);

struct api_client; /* opaque */
struct api_stream; /* opaque */

struct api_client_options {
	const char *target;      /* host:port */
	const char *ca_file;     /* PEM, parsed and checked here; NULL: system's */
	const char *ca_pem;      /* instead: its text, which has been checked */
	const char *server_name; /* certificate name to expect; NULL: host of target */
	bool plaintext;
	struct api_client *beside;     /* NULL, or polled and woken for both; destroyed later */
	unsigned keepalive_ms;         /* 0: 60000 */
	unsigned keepalive_timeout_ms; /* 0: 10000 */
	unsigned connect_timeout_ms;   /* 0: 5000 */
	unsigned backoff_initial_ms;   /* 0: 500 */
	unsigned backoff_max_ms;       /* 0: 5000 */
};

/* 0, -ENOMEM or -EINVAL with a sentence in error (CA file unreadable, ...). */
int api_client_create(struct api_client **ret_client, const struct api_client_options *options,
		      char *error, size_t error_room) MUST_CHECK;
/* Cancels what is open, delivers its callbacks, frees. Of one that has others beside it:
 * after them. */
struct api_client *api_client_destroy(struct api_client *client);

/* Another connection for what begins from now on; what has begun ends on the old one.
 * Unless `at_once`, it counts once it is connected: a connection that serves is not given
 * up for one that may not. `beside` is not looked at. As api_client_create(); the old one
 * stays after an error. */
int api_client_renew(struct api_client *client, const struct api_client_options *options,
		     bool at_once, char *error, size_t error_room) MUST_CHECK;
bool api_client_renewing(const struct api_client *client); /* the new one is not connected yet */

/* Progresses calls and runs their callbacks until `until` (clock_now time), or
 * earlier after a wake or at least one callback. */
void api_client_poll(struct api_client *client, mono_ms until);
/* Any thread: makes api_client_poll() return soon. */
void api_client_wake(struct api_client *client);

struct api_call_options {
	const char *token;    /* bearer token or NULL */
	const char *msisdn;   /* metadata wg2-msisdn or NULL */
	unsigned deadline_ms; /* unary: 0 means 10000; streams: 0 means none */
	bool wait_for_ready;  /* queue while disconnected instead of failing at once */
};

/* `response` (NULL unless API_OK) and `details` are the layer's and gone after
 * the call returns. Exactly one call per accepted request. May start others. */
typedef void api_done_fn(enum api_status status, const char *details,
			 const ProtobufCMessage *response, void *arg);

/* Packs `request` during the call. 0, -EINVAL (wrong type, invalid UTF-8,
 * illegal header value; no callback comes), -ESHUTDOWN or -ENOMEM. */
int api_unary(struct api_client *client, const ProtobufCServiceDescriptor *service,
	      const char *method, const ProtobufCMessage *request,
	      const struct api_call_options *options, api_done_fn *done, void *arg) MUST_CHECK;

struct api_stream_handlers {
	void (*message)(struct api_stream *stream, const ProtobufCMessage *message, void *arg);
	/* Last callback; the stream is gone after it. */
	void (*end)(struct api_stream *stream, enum api_status status, const char *details,
		    void *arg);
};

/* `first` may be NULL; half_close ends our sending side after it. */
int api_stream_open(struct api_client *client, const ProtobufCServiceDescriptor *service,
		    const char *method, const ProtobufCMessage *first, bool half_close,
		    const struct api_call_options *options,
		    const struct api_stream_handlers *handlers, void *arg,
		    struct api_stream **ret_stream) MUST_CHECK;
/* 0, -ENOBUFS (256 messages wait already), -EPIPE (half closed or ended). */
int api_stream_send(struct api_stream *stream, const ProtobufCMessage *message) MUST_CHECK;
void api_stream_half_close(struct api_stream *stream);
void api_stream_cancel(struct api_stream *stream); /* `end` still comes */

struct api_token; /* opaque */

struct api_token_options {
	const char *url; /* https:// (http:// to loopback only) */
	const char *client_id;
	const char *client_secret_file; /* first line is the secret; read at each fetch */
	const char *scope;
	const char *ca_file; /* NULL: system's */
	const char *ca_pem;  /* instead: its text */
	bool raw_basic;      /* no form-encoding inside Basic (RFC 6749 2.3.1) */
	unsigned timeout_ms; /* 0: 10000 */
	unsigned serial;     /* told with what is fetched by these */
};

/* Token thread, under its lock: no function of the token's may be called. `token` NULL: the fetch
 * failed, `error` says why and what to mend, the next try comes at `retry_ms` from now. Copy what
 * you keep. */
typedef void api_token_fn(const char *token, unsigned expires_in_s, const char *error,
			  unsigned retry_ms, unsigned serial, void *arg);

/* Starts the thread and the first fetch; renews at 70-80 % of the life. */
int api_token_create(struct api_token **ret_token, const struct api_token_options *options,
		     api_token_fn *on_token, void *arg) MUST_CHECK;
struct api_token *api_token_destroy(struct api_token *token);
/* Any thread: from now on as `options` say. `anew`: the token in hand was of other
 * credentials: it is forgotten, one under way is not told, another is fetched at once.
 * Else what is fetched later goes by them. As api_token_create(); after an error it goes
 * on as before. */
int api_token_change(struct api_token *token, const struct api_token_options *options,
		     bool anew) MUST_CHECK;
/* Any thread: fetches nothing more, tells nothing more; api_token_destroy() ends it. */
void api_token_quit(struct api_token *token);
/* Any thread: the core refused this token; fetch another now unless a newer
 * one is in hand already. At most one fetch per second. */
void api_token_invalidate(struct api_token *token, const char *refused);

#endif
