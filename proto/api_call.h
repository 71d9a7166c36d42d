/* SPDX-License-Identifier: Apache-2.0 */
/* api_call.h - what api_client.c (unary calls) and api_stream.c share.
 *
 * Only they and api_route.c know gRPC: they include its headers before this one.
 * Everything runs on the client's thread.
 */
#ifndef BREAKOUT_PROTO_API_CALL_H
#define BREAKOUT_PROTO_API_CALL_H

#include "proto/api.h"

/* What a completion carries: the function that takes it from there. */
struct api_tag {
	void (*complete)(struct api_tag *tag, bool ok);
};

/* The library gets it, whose completion is to come. */
void api_tag_hand_over(struct api_tag *tag);

/* Begins every kind of call. The client cancels those still open when it ends
 * and waits for their last completion. */
struct api_call {
	struct api_client *client;
	struct api_call *next, **link; /* open calls of the client */
	struct api_route *route;       /* api_route.h */
	grpc_call *call;
	grpc_metadata metadata[2]; /* stays until the call is over */
	size_t metadata_count;
	const ProtobufCMethodDescriptor *method;
};

/* Looks the method up, checks `request` (NULL: none yet) and the header values,
 * makes the gRPC call and links it. 0, -EINVAL, -ESHUTDOWN or -ENOMEM. */
int api_call_begin(struct api_call *call, struct api_client *client,
		   const ProtobufCServiceDescriptor *service, const char *method,
		   const ProtobufCMessage *request, const struct api_call_options *options,
		   unsigned deadline_ms) MUST_CHECK;
void api_call_done(struct api_call *call);

grpc_call_error api_call_batch(struct api_call *call, const grpc_op *ops, size_t count,
			       struct api_tag *tag);
grpc_op api_call_send_headers(const struct api_call *call, bool wait_for_ready);

/* A callback went out: lets api_client_poll() return. */
void api_client_called_back(struct api_client *client);

/* A watch of one of its routes has ended; and whether the next one may take over. */
void api_client_watched(struct api_client *client);
void api_client_look(struct api_client *client);

/* 0, -EINVAL (wrong type, not UTF-8) or -ENOMEM. */
int api_pack(const ProtobufCMessageDescriptor *type, const ProtobufCMessage *message,
	     grpc_byte_buffer **ret_buffer) MUST_CHECK;
/* NULL if the bytes are no such message. */
ProtobufCMessage *api_unpack(const ProtobufCMessageDescriptor *type, grpc_byte_buffer *buffer);

enum api_status api_status_of(grpc_status_code code);

#endif
