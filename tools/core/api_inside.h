/* SPDX-License-Identifier: Apache-2.0 */
/* api_inside.h - the API server as its own files see it. Others use api.h.
 *
 *   api.c          the server, registrations
 *   api_consent.c  consents: a list, a stream of events, their acknowledgements
 *
 * Threads: the server's own.
 */
#ifndef BREAKOUT_TOOLS_CORE_API_INSIDE_H
#define BREAKOUT_TOOLS_CORE_API_INSIDE_H

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>
#include "proto/api.h"
#include "tools/core/api.h"
#include "tools/core/grants.h"

enum method { METHOD_UPSERT, METHOD_DELETE, METHOD_LIST, METHOD_STREAM, METHOD_ACK, METHOD_COUNT };

enum phase {
	PHASE_POSTED,  /* waits for a client */
	PHASE_DELAYED, /* waits in api_server.delayed */
	PHASE_STREAM,  /* is one of api_server.streams */
	PHASE_ENDING   /* its last batch is on the way */
};

/* One call; its address is the completion queue's tag, but of a stream's close
 * (request_closed_tag()). */
struct request {
	struct api_server *server;
	enum method method;
	enum phase phase;
	grpc_call *call;
	grpc_metadata_array metadata;
	grpc_byte_buffer *payload;
	gpr_timespec deadline;
	int cancelled;
	mono_ms due_ms; /* PHASE_DELAYED */
	struct request *next_delayed;
	struct book_registration registration;
	/* PHASE_STREAM: */
	struct request *next_stream;
	char queue[GRANT_QUEUE_ROOM];
	unsigned max_in_flight;
	bool sending, closed; /* a message is on its way; the client has gone */
};

struct api_server {
	grpc_server *server;
	grpc_completion_queue *cq;
	pthread_t thread;
	bool thread_runs;
	void *methods[METHOD_COUNT];
	struct book *book;
	unsigned ttl_s;
	bool token_required;
	uint16_t port;
	struct request *delayed, *streams; /* the thread's */
	atomic_bool closing;
};

void request_free(struct request *request);
/* The last batch: the request goes when it has gone. */
void request_finish(struct request *request, grpc_status_code status, const char *details,
		    grpc_byte_buffer *take_message);
grpc_byte_buffer *request_packed(const ProtobufCMessage *message);
/* The whole of its message; -EBADMSG: there is none. Unref the slice. */
int request_slice(struct request *request, grpc_slice *ret_slice) MUST_CHECK;

/* ---- api_consent.c ---- */

void consent_serve(struct request *request); /* of the last three methods */
/* Sends what there is to the streams that can take it. */
void consent_serve_streams(struct api_server *server);
/* A batch of a stream has ended; `closed`: the one that waits for the client's end. */
void consent_stream_event(struct request *request, bool closed, bool success);

#endif
