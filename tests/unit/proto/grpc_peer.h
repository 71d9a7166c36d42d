/* SPDX-License-Identifier: Apache-2.0 */
/* grpc_peer.h - a small server on the gRPC C core for tests and measurements.
 *
 * What it does with a call is said by the last word of the method's name:
 * UpsertRegistration answers `reply`; Echo sends every message back until the
 * client half-closes; Count answers the first message COUNT times; Fail ends
 * with NOT_FOUND "no such thing"; Garbage answers bytes that are no message;
 * anything else never answers. It runs on a thread of its own.
 */
#ifndef BREAKOUT_TESTS_GRPC_PEER_H
#define BREAKOUT_TESTS_GRPC_PEER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

#if defined(__SANITIZE_THREAD__)
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define PEER_HAND_OVER(tag) __tsan_release(tag)
#define PEER_TAKE_OVER(tag) __tsan_acquire(tag)
#else
#define PEER_HAND_OVER(tag) ((void)(tag))
#define PEER_TAKE_OVER(tag) ((void)(tag))
#endif

#define PEER_COUNT  20
#define PEER_POSTED 64 /* requests waiting for a call */

enum peer_event { PEER_NEW, PEER_CLOSED, PEER_RECEIVED, PEER_SENT, PEER_STATUS, PEER_EVENTS };

struct peer_call;
struct peer_tag {
	enum peer_event event;
	struct peer_call *call;
};

struct peer {
	grpc_server *server;
	grpc_completion_queue *queue;
	pthread_t thread;
	int port;
	uint8_t reply[64];
	size_t reply_length;
	atomic_uint calls;
	struct peer_tag shutdown;
	bool closed; /* nothing can be begun any more; the thread's */
	pthread_mutex_t lock;
	char authorization[256], msisdn[64], user_agent[128]; /* of the last call */
};

struct peer_call {
	struct peer *peer;
	grpc_call *call;
	grpc_call_details details;
	grpc_metadata_array metadata;
	grpc_byte_buffer *in, *out;
	struct peer_tag tags[PEER_EVENTS];
	int cancelled;
	unsigned outstanding, left;
	char method[64];
	bool headers_sent, answered;
};

static void peer_post(struct peer *peer)
{
	struct peer_call *call = calloc(1, sizeof(*call));

	call->peer = peer;
	for (int i = 0; i < PEER_EVENTS; i++)
		call->tags[i] = (struct peer_tag){ (enum peer_event)i, call };
	grpc_call_details_init(&call->details);
	grpc_metadata_array_init(&call->metadata);
	call->outstanding = 1;
	PEER_HAND_OVER(&call->tags[PEER_NEW]);
	if (grpc_server_request_call(peer->server, &call->call, &call->details, &call->metadata,
				     peer->queue, peer->queue,
				     &call->tags[PEER_NEW]) != GRPC_CALL_OK)
		abort();
}

static void peer_batch(struct peer_call *call, const grpc_op *ops, size_t count,
		       enum peer_event event)
{
	PEER_HAND_OVER(&call->tags[event]);
	if (grpc_call_start_batch(call->call, ops, count, &call->tags[event], NULL) == GRPC_CALL_OK)
		call->outstanding++;
}

static void peer_receive(struct peer_call *call)
{
	grpc_op op;

	memset(&op, 0, sizeof(op));
	op.op = GRPC_OP_RECV_MESSAGE;
	op.data.recv_message.recv_message = &call->in;
	peer_batch(call, &op, 1, PEER_RECEIVED);
}

/* Headers travel with the first thing that is sent: one write for an answer. */
static size_t peer_add_headers(struct peer_call *call, grpc_op *ops)
{
	if (call->headers_sent)
		return 0;
	call->headers_sent = true;
	ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
	return 1;
}

static void peer_send(struct peer_call *call, grpc_byte_buffer *take_message)
{
	grpc_op ops[2];
	size_t count;

	memset(ops, 0, sizeof(ops));
	count = peer_add_headers(call, ops);
	call->out = take_message;
	ops[count].op = GRPC_OP_SEND_MESSAGE;
	ops[count++].data.send_message.send_message = call->out;
	peer_batch(call, ops, count, PEER_SENT);
}

/* Ends the call, with a last message if there is one. */
static void peer_end(struct peer_call *call, grpc_status_code status, const char *text,
		     grpc_byte_buffer *take_message)
{
	grpc_slice details = grpc_slice_from_static_string(text);
	grpc_op ops[3];
	size_t count;

	memset(ops, 0, sizeof(ops));
	count = peer_add_headers(call, ops);
	ops[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
	ops[count].data.send_status_from_server.status = status;
	ops[count++].data.send_status_from_server.status_details = &details;
	call->out = take_message;
	if (take_message) {
		ops[count].op = GRPC_OP_SEND_MESSAGE;
		ops[count++].data.send_message.send_message = call->out;
	}
	call->answered = true;
	peer_batch(call, ops, count, PEER_STATUS);
}

static grpc_byte_buffer *peer_bytes(const void *bytes, size_t length)
{
	grpc_slice slice = grpc_slice_from_copied_buffer(bytes, length);
	grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);

	grpc_slice_unref(slice);
	return buffer;
}

static void peer_note_headers(struct peer_call *call)
{
	struct peer *peer = call->peer;
	struct {
		const char *key;
		char *to;
		size_t room;
	} wanted[] = { { "authorization", peer->authorization, sizeof(peer->authorization) },
		       { "wg2-msisdn", peer->msisdn, sizeof(peer->msisdn) },
		       { "user-agent", peer->user_agent, sizeof(peer->user_agent) } };

	pthread_mutex_lock(&peer->lock);
	for (size_t i = 0; i < call->metadata.count; i++)
		for (size_t k = 0; k < 3; k++)
			if (grpc_slice_str_cmp(call->metadata.metadata[i].key, wanted[k].key) ==
			    0) {
				char *value =
					grpc_slice_to_c_string(call->metadata.metadata[i].value);

				snprintf(wanted[k].to, wanted[k].room, "%s", value);
				gpr_free(value);
			}
	pthread_mutex_unlock(&peer->lock);
}

static void peer_on_new(struct peer_call *call)
{
	char *path = grpc_slice_to_c_string(call->details.method);
	grpc_op op;

	peer_post(call->peer);
	atomic_fetch_add(&call->peer->calls, 1);
	snprintf(call->method, sizeof(call->method), "%s", strrchr(path, '/') + 1);
	gpr_free(path);
	peer_note_headers(call);
	memset(&op, 0, sizeof(op));
	op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
	op.data.recv_close_on_server.cancelled = &call->cancelled;
	peer_batch(call, &op, 1, PEER_CLOSED);
	peer_receive(call);
}

static void peer_on_received(struct peer_call *call)
{
	struct peer *peer = call->peer;
	grpc_byte_buffer *in = call->in;

	call->in = NULL;
	if (!strcmp(call->method, "UpsertRegistration"))
		peer_end(call, GRPC_STATUS_OK, "", peer_bytes(peer->reply, peer->reply_length));
	else if (!strcmp(call->method, "Garbage"))
		peer_end(call, GRPC_STATUS_OK, "", peer_bytes("\xff\xff\xff", 3));
	else if (!strcmp(call->method, "Fail"))
		peer_end(call, GRPC_STATUS_NOT_FOUND, "no such thing", NULL);
	else if (!strcmp(call->method, "Echo") && in)
		peer_send(call, grpc_byte_buffer_copy(in));
	else if (!strcmp(call->method, "Echo"))
		peer_end(call, GRPC_STATUS_OK, "", NULL);
	else if (!strcmp(call->method, "Count") && in) {
		call->left = PEER_COUNT - 1;
		peer_send(call, grpc_byte_buffer_copy(in));
	}
	grpc_byte_buffer_destroy(in);
}

static void peer_on_sent(struct peer_call *call)
{
	grpc_byte_buffer *sent = call->out;

	call->out = NULL;
	if (!strcmp(call->method, "Echo"))
		peer_receive(call);
	else if (call->left--)
		peer_send(call, grpc_byte_buffer_copy(sent));
	else
		peer_end(call, GRPC_STATUS_OK, "", NULL);
	grpc_byte_buffer_destroy(sent);
}

static void peer_settle(struct peer_call *call)
{
	if (--call->outstanding)
		return;
	if (call->call)
		grpc_call_unref(call->call);
	grpc_call_details_destroy(&call->details);
	grpc_metadata_array_destroy(&call->metadata);
	grpc_byte_buffer_destroy(call->in);
	grpc_byte_buffer_destroy(call->out);
	free(call);
}

static void peer_handle(struct peer_tag *tag, bool ok)
{
	struct peer_call *call = tag->call;

	/* What had come for a call is handed out after the server's end too. To begin
	 * something then, in a queue that is shut down, is the end of the process. */
	ok = ok && !call->peer->closed;
	if (tag->event == PEER_NEW && ok)
		peer_on_new(call);
	else if (tag->event == PEER_RECEIVED && ok && !call->answered)
		peer_on_received(call);
	else if (tag->event == PEER_SENT && ok && !call->answered)
		peer_on_sent(call);
	peer_settle(call);
}

static void *peer_thread(void *arg)
{
	struct peer *peer = arg;

	for (;;) {
		grpc_event event = grpc_completion_queue_next(
			peer->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);

		if (event.type == GRPC_QUEUE_SHUTDOWN)
			return NULL;
		if (event.tag == &peer->shutdown) {
			peer->closed = true;
			grpc_server_destroy(peer->server);
			grpc_completion_queue_shutdown(peer->queue);
			continue;
		}
		PEER_TAKE_OVER(event.tag);
		peer_handle(event.tag, event.success != 0);
	}
}

/* `pem_key` and `pem_cert` NULL: without TLS. */
static inline struct peer *peer_start(const char *pem_key, const char *pem_cert, const void *reply,
				      size_t reply_length)
{
	grpc_ssl_pem_key_cert_pair pair = { pem_key, pem_cert };
	struct peer *peer = calloc(1, sizeof(*peer));
	grpc_server_credentials *credentials;

	grpc_init();
	pthread_mutex_init(&peer->lock, NULL);
	memcpy(peer->reply, reply, reply_length);
	peer->reply_length = reply_length;
	credentials = pem_key ? grpc_ssl_server_credentials_create(NULL, &pair, 1, 0, NULL)
			      : grpc_insecure_server_credentials_create();
	peer->queue = grpc_completion_queue_create_for_next(NULL);
	peer->server = grpc_server_create(NULL, NULL);
	grpc_server_register_completion_queue(peer->server, peer->queue, NULL);
	peer->port = grpc_server_add_http2_port(peer->server, "127.0.0.1:0", credentials);
	grpc_server_credentials_release(credentials);
	grpc_server_start(peer->server);
	for (int i = 0; i < PEER_POSTED; i++)
		peer_post(peer);
	pthread_create(&peer->thread, NULL, peer_thread, peer);
	return peer;
}

static inline void peer_stop(struct peer *peer)
{
	grpc_server_shutdown_and_notify(peer->server, peer->queue, &peer->shutdown);
	grpc_server_cancel_all_calls(peer->server);
	pthread_join(peer->thread, NULL);
	grpc_completion_queue_destroy(peer->queue);
	pthread_mutex_destroy(&peer->lock);
	free(peer);
	grpc_shutdown_blocking();
}

#endif
