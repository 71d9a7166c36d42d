/* SPDX-License-Identifier: Apache-2.0 */
#include <grpc/grpc.h>
#include <grpc/byte_buffer.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>

#include "proto/api_call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEND_QUEUE 256

/* The library allows one send and one receive at a time: sends wait in a ring,
 * and the next receive starts when the last one was delivered. The order of the
 * last message and the status is not fixed, so the end is when no batch is out. */
struct api_stream {
	struct api_call call;
	struct api_tag status_tag, send_tag, receive_tag;
	unsigned outstanding; /* batches whose completion has not come */
	grpc_metadata_array initial, trailing;
	grpc_byte_buffer *received;
	grpc_status_code status;
	grpc_slice details;
	grpc_byte_buffer *queue[SEND_QUEUE];
	unsigned queue_first, queue_count;
	grpc_byte_buffer *sending;
	bool send_busy;
	bool half_close;  /* asked for */
	bool half_closed; /* on its way or done */
	bool ended;       /* the status is in */
	bool stillborn;   /* opening failed: no callback */
	const struct api_stream_handlers *handlers;
	void *arg;
};

static void stream_free(struct api_stream *stream)
{
	while (stream->queue_count) {
		grpc_byte_buffer_destroy(stream->queue[stream->queue_first]);
		stream->queue_first = (stream->queue_first + 1) % SEND_QUEUE;
		stream->queue_count--;
	}
	grpc_byte_buffer_destroy(stream->sending);
	grpc_byte_buffer_destroy(stream->received);
	grpc_metadata_array_destroy(&stream->initial);
	grpc_metadata_array_destroy(&stream->trailing);
	grpc_slice_unref(stream->details);
	free(stream);
}

static int batch(struct api_stream *stream, const grpc_op *ops, size_t count, struct api_tag *tag)
{
	if (api_call_batch(&stream->call, ops, count, tag) != GRPC_CALL_OK)
		return -EINVAL;
	stream->outstanding++;
	return 0;
}

/* After every completion: the stream may be gone when this returns. */
static void settle(struct api_stream *stream)
{
	struct api_client *client = stream->call.client;
	char *details;

	stream->outstanding--;
	if (stream->outstanding)
		return;
	api_call_done(&stream->call);
	if (!stream->stillborn) {
		details = grpc_slice_to_c_string(stream->details);
		stream->handlers->end(stream, api_status_of(stream->status), details, stream->arg);
		gpr_free(details);
	}
	stream_free(stream);
	api_client_called_back(client);
}

/* ---- sending ---- */

/* A batch that cannot start means the call is over; its status is coming. */
static void send_next(struct api_stream *stream)
{
	grpc_op op;

	if (stream->send_busy || stream->ended)
		return;
	memset(&op, 0, sizeof(op));
	if (stream->queue_count) {
		stream->sending = stream->queue[stream->queue_first];
		stream->queue_first = (stream->queue_first + 1) % SEND_QUEUE;
		stream->queue_count--;
		op.op = GRPC_OP_SEND_MESSAGE;
		op.data.send_message.send_message = stream->sending;
	} else if (stream->half_close && !stream->half_closed) {
		stream->half_closed = true;
		op.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	} else {
		return;
	}
	stream->send_busy = batch(stream, &op, 1, &stream->send_tag) == 0;
}

static void on_sent(struct api_tag *tag, bool ok)
{
	struct api_stream *stream = CONTAINER_OF(tag, struct api_stream, send_tag);

	stream->send_busy = false;
	grpc_byte_buffer_destroy(stream->sending);
	stream->sending = NULL;
	if (ok)
		send_next(stream);
	settle(stream);
}

int api_stream_send(struct api_stream *stream, const ProtobufCMessage *message)
{
	grpc_byte_buffer *buffer;
	int err;

	if (stream->half_close || stream->ended)
		return -EPIPE;
	if (stream->queue_count == SEND_QUEUE)
		return -ENOBUFS;
	err = api_pack(stream->call.method->input, message, &buffer);
	if (err)
		return err;
	stream->queue[(stream->queue_first + stream->queue_count) % SEND_QUEUE] = buffer;
	stream->queue_count++;
	send_next(stream);
	return 0;
}

void api_stream_half_close(struct api_stream *stream)
{
	stream->half_close = true;
	send_next(stream);
}

void api_stream_cancel(struct api_stream *stream)
{
	grpc_call_cancel(stream->call.call, NULL);
}

/* ---- receiving ---- */

static int receive(struct api_stream *stream, bool first)
{
	grpc_op ops[2];

	memset(ops, 0, sizeof(ops));
	ops[0].op = GRPC_OP_RECV_MESSAGE;
	ops[0].data.recv_message.recv_message = &stream->received;
	ops[1].op = GRPC_OP_RECV_INITIAL_METADATA;
	ops[1].data.recv_initial_metadata.recv_initial_metadata = &stream->initial;
	return batch(stream, ops, first ? 2 : 1, &stream->receive_tag);
}

static void on_received(struct api_tag *tag, bool ok)
{
	struct api_stream *stream = CONTAINER_OF(tag, struct api_stream, receive_tag);
	grpc_byte_buffer *buffer = stream->received;
	ProtobufCMessage *message;

	stream->received = NULL;
	if (!ok || !buffer) { /* no more messages: the status says why */
		settle(stream);
		return;
	}
	message = api_unpack(stream->call.method->output, buffer);
	grpc_byte_buffer_destroy(buffer);
	if (message) {
		stream->handlers->message(stream, message, stream->arg);
		protobuf_c_message_free_unpacked(message, NULL);
		api_client_called_back(stream->call.client);
		(void)receive(stream, false); /* fails only when the call is over */
	} else {
		grpc_call_cancel_with_status(stream->call.call, GRPC_STATUS_INTERNAL,
					     "a message is not what it should be", NULL);
	}
	settle(stream);
}

static void on_status(struct api_tag *tag, bool ok)
{
	struct api_stream *stream = CONTAINER_OF(tag, struct api_stream, status_tag);

	(void)ok; /* always */
	stream->ended = true;
	settle(stream);
}

/* ---- opening ---- */

static int start_status(struct api_stream *stream)
{
	grpc_op op;

	memset(&op, 0, sizeof(op));
	op.op = GRPC_OP_RECV_STATUS_ON_CLIENT;
	op.data.recv_status_on_client.trailing_metadata = &stream->trailing;
	op.data.recv_status_on_client.status = &stream->status;
	op.data.recv_status_on_client.status_details = &stream->details;
	return batch(stream, &op, 1, &stream->status_tag);
}

static int start_sending(struct api_stream *stream, bool wait_for_ready)
{
	grpc_op ops[3];
	size_t count = 0;

	memset(ops, 0, sizeof(ops));
	ops[count++] = api_call_send_headers(&stream->call, wait_for_ready);
	if (stream->sending) {
		ops[count].op = GRPC_OP_SEND_MESSAGE;
		ops[count++].data.send_message.send_message = stream->sending;
	}
	if (stream->half_close) {
		stream->half_closed = true;
		ops[count++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	}
	stream->send_busy = true;
	return batch(stream, ops, count, &stream->send_tag);
}

/* The status first, so that the call's end is seen whatever happens next. */
static int start(struct api_stream *stream, bool wait_for_ready)
{
	int err = start_status(stream);

	if (err)
		return err;
	err = start_sending(stream, wait_for_ready);
	if (!err)
		err = receive(stream, /* first= */ true);
	return err;
}

static struct api_stream *stream_create(const struct api_stream_handlers *handlers, void *arg)
{
	struct api_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->status_tag.complete = on_status;
	stream->send_tag.complete = on_sent;
	stream->receive_tag.complete = on_received;
	stream->details = grpc_empty_slice();
	stream->handlers = handlers;
	stream->arg = arg;
	return stream;
}

int api_stream_open(struct api_client *client, const ProtobufCServiceDescriptor *service,
		    const char *method, const ProtobufCMessage *first, bool half_close,
		    const struct api_call_options *options,
		    const struct api_stream_handlers *handlers, void *arg,
		    struct api_stream **ret_stream)
{
	struct api_stream *stream = stream_create(handlers, arg);
	int err = 0;

	if (!stream)
		return -ENOMEM;
	stream->half_close = half_close;
	if (first)
		err = api_pack(first->descriptor, first, &stream->sending);
	if (!err)
		err = api_call_begin(&stream->call, client, service, method, first, options,
				     options ? options->deadline_ms : 0);
	if (err) {
		stream_free(stream);
		return err;
	}
	err = start(stream, options && options->wait_for_ready);
	if (err && !stream->outstanding) {
		api_call_done(&stream->call);
		stream_free(stream);
		return err;
	}
	if (err) { /* what has started still completes */
		stream->stillborn = true;
		grpc_call_cancel(stream->call.call, NULL);
		return err;
	}
	*ret_stream = stream;
	return 0;
}
