/* SPDX-License-Identifier: Apache-2.0 */
#include <grpc/grpc.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>

#include "proto/api_route.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/str.h"
#include "proto/message_check.h"

/* A hand-over through the completion queue orders memory, but inside a library
 * that ThreadSanitizer does not see into; these two lines tell it. */
#if defined(__SANITIZE_THREAD__)
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define HAND_OVER(tag) __tsan_release(tag)
#define TAKE_OVER(tag) __tsan_acquire(tag)
#else
#define HAND_OVER(tag) ((void)(tag))
#define TAKE_OVER(tag) ((void)(tag))
#endif

void api_tag_hand_over(struct api_tag *tag)
{
	HAND_OVER(tag);
}

#define UNARY_DEADLINE_MS 10000
#define POLL_BUDGET       256 /* completions a poll takes before it looks up */

struct api_client {
	struct api_route *route; /* what begins goes this way */
	struct api_route *next;  /* takes its place once it is connected; NULL: none */
	pthread_mutex_t lock;    /* of `route`, for api_client_wake() */
	unsigned watches;        /* completions of routes' that are to come */
	grpc_completion_queue *queue;
	struct api_client *polled; /* whose queue it is: our own, or that of the one beside us */
	struct api_call *open;
	bool closing;         /* no new call: the queue aborts the process on one */
	bool returning;       /* api_client_poll() has a reason to come back */
	struct api_tag woken; /* completes when api_client_wake() was called */
	_Atomic bool wake_on_its_way;
};

struct unary {
	struct api_call call;
	struct api_tag tag;
	grpc_metadata_array initial, trailing;
	grpc_byte_buffer *request, *response;
	grpc_status_code status;
	grpc_slice details;
	api_done_fn *done;
	void *arg;
};

const char *api_status_name(enum api_status status)
{
	static const char *const names[] = {
		[API_OK] = "OK",
		[API_CANCELLED] = "CANCELLED",
		[API_UNKNOWN] = "UNKNOWN",
		[API_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
		[API_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
		[API_NOT_FOUND] = "NOT_FOUND",
		[API_ALREADY_EXISTS] = "ALREADY_EXISTS",
		[API_PERMISSION_DENIED] = "PERMISSION_DENIED",
		[API_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
		[API_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
		[API_ABORTED] = "ABORTED",
		[API_OUT_OF_RANGE] = "OUT_OF_RANGE",
		[API_UNIMPLEMENTED] = "UNIMPLEMENTED",
		[API_INTERNAL] = "INTERNAL",
		[API_UNAVAILABLE] = "UNAVAILABLE",
		[API_DATA_LOSS] = "DATA_LOSS",
		[API_UNAUTHENTICATED] = "UNAUTHENTICATED",
	};

	return (unsigned)status < ARRAY_SIZE(names) ? names[status] : "UNKNOWN";
}

enum api_status api_status_of(grpc_status_code code)
{
	return code >= 0 && code <= GRPC_STATUS_UNAUTHENTICATED ? (enum api_status)code
								: API_UNKNOWN;
}

/* Any thread. The library explains handshakes and resets here which the calls
 * report again in their details, hence debug. Everything below its own error
 * level stays out: its traces print header values, the token among them. */
static void on_library_log(gpr_log_func_args *args)
{
	if (args->severity != GPR_LOG_SEVERITY_ERROR)
		return;
	if (str_starts(args->message, "assertion failed"))
		log_error("grpc", "%s:%d: %s", args->file, args->line, args->message);
	else
		log_debug("grpc", "%s", args->message);
}

static gpr_timespec in_ms(int64_t ms)
{
	return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(ms, GPR_TIMESPAN));
}

/* ---- messages ---- */

int api_pack(const ProtobufCMessageDescriptor *type, const ProtobufCMessage *message,
	     grpc_byte_buffer **ret_buffer)
{
	grpc_slice slice;

	if (message->descriptor != type || !message_check_utf8(message))
		return -EINVAL;
	slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));
	protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
	*ret_buffer = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return *ret_buffer ? 0 : -ENOMEM;
}

ProtobufCMessage *api_unpack(const ProtobufCMessageDescriptor *type, grpc_byte_buffer *buffer)
{
	grpc_byte_buffer_reader reader;
	ProtobufCMessage *message;
	grpc_slice all;

	if (!grpc_byte_buffer_reader_init(&reader, buffer))
		return NULL;
	all = grpc_byte_buffer_reader_readall(&reader);
	grpc_byte_buffer_reader_destroy(&reader);
	message = protobuf_c_message_unpack(type, NULL, GRPC_SLICE_LENGTH(all),
					    GRPC_SLICE_START_PTR(all));
	grpc_slice_unref(all);
	return message;
}

/* ---- what unary calls and streams have in common ---- */

/* The library prints a value it finds illegal, so it must never see one. */
static int add_header(struct api_call *call, const char *key, const char *prefix, const char *value)
{
	grpc_metadata *header = &call->metadata[call->metadata_count];
	size_t prefix_length = strlen(prefix), length = strlen(value);
	grpc_slice slice = grpc_slice_malloc(prefix_length + length);

	memcpy(GRPC_SLICE_START_PTR(slice), prefix, prefix_length);
	memcpy(GRPC_SLICE_START_PTR(slice) + prefix_length, value, length);
	if (!length || !grpc_header_nonbin_value_is_legal(slice)) {
		grpc_slice_unref(slice);
		return -EINVAL;
	}
	memset(header, 0, sizeof(*header));
	header->key = grpc_slice_from_static_string(key);
	header->value = slice;
	call->metadata_count++;
	return 0;
}

static void drop_headers(struct api_call *call)
{
	while (call->metadata_count)
		grpc_slice_unref(call->metadata[--call->metadata_count].value);
}

static int add_headers(struct api_call *call, const struct api_call_options *options)
{
	int err = 0;

	if (options && options->token)
		err = add_header(call, "authorization", "Bearer ", options->token);
	if (!err && options && options->msisdn)
		err = add_header(call, "wg2-msisdn", "", options->msisdn);
	if (err)
		drop_headers(call);
	return err;
}

static int create_call(struct api_call *call, const ProtobufCServiceDescriptor *service,
		       const char *method, unsigned deadline_ms)
{
	size_t service_length = strlen(service->name), length = strlen(method);
	grpc_slice slice = grpc_slice_malloc(service_length + length + 2);
	uint8_t *path = GRPC_SLICE_START_PTR(slice);

	path[0] = path[service_length + 1] = '/';
	memcpy(path + 1, service->name, service_length);
	memcpy(path + service_length + 2, method, length);
	call->call = grpc_channel_create_call(
		call->client->route->channel, NULL, GRPC_PROPAGATE_DEFAULTS, call->client->queue,
		slice, NULL, deadline_ms ? in_ms(deadline_ms) : gpr_inf_future(GPR_CLOCK_MONOTONIC),
		NULL);
	grpc_slice_unref(slice);
	return call->call ? 0 : -ENOMEM;
}

int api_call_begin(struct api_call *call, struct api_client *client,
		   const ProtobufCServiceDescriptor *service, const char *method,
		   const ProtobufCMessage *request, const struct api_call_options *options,
		   unsigned deadline_ms)
{
	int err;

	if (client->closing)
		return -ESHUTDOWN;
	call->client = client;
	call->method = protobuf_c_service_descriptor_get_method_by_name(service, method);
	if (!call->method || (request && request->descriptor != call->method->input))
		return -EINVAL;
	err = add_headers(call, options);
	if (err)
		return err;
	err = create_call(call, service, method, deadline_ms);
	if (err) {
		drop_headers(call);
		return err;
	}
	call->route = client->route;
	call->route->calls++;
	call->next = client->open;
	if (call->next)
		call->next->link = &call->next;
	call->link = &client->open;
	client->open = call;
	return 0;
}

void api_call_done(struct api_call *call)
{
	*call->link = call->next;
	if (call->next)
		call->next->link = call->link;
	grpc_call_unref(call->call);
	drop_headers(call);
	call->route->calls--;
	api_route_settle(call->route);
}

grpc_op api_call_send_headers(const struct api_call *call, bool wait_for_ready)
{
	grpc_op op;

	memset(&op, 0, sizeof(op));
	op.op = GRPC_OP_SEND_INITIAL_METADATA;
	op.data.send_initial_metadata.count = call->metadata_count;
	op.data.send_initial_metadata.metadata = (grpc_metadata *)call->metadata;
	if (wait_for_ready)
		op.flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY |
			   GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET;
	return op;
}

grpc_call_error api_call_batch(struct api_call *call, const grpc_op *ops, size_t count,
			       struct api_tag *tag)
{
	api_tag_hand_over(tag);
	return grpc_call_start_batch(call->call, ops, count, tag, NULL);
}

void api_client_called_back(struct api_client *client)
{
	client->polled->returning = true;
}

/* ---- unary ---- */

static void unary_free(struct unary *unary)
{
	grpc_metadata_array_destroy(&unary->initial);
	grpc_metadata_array_destroy(&unary->trailing);
	grpc_byte_buffer_destroy(unary->request);
	grpc_byte_buffer_destroy(unary->response);
	grpc_slice_unref(unary->details);
	free(unary);
}

static void unary_complete(struct api_tag *tag, bool ok)
{
	struct unary *unary = CONTAINER_OF(tag, struct unary, tag);
	struct api_client *client = unary->call.client;
	enum api_status status = api_status_of(unary->status);
	ProtobufCMessage *response = NULL;
	char *details = grpc_slice_to_c_string(unary->details);
	const char *text = details;

	(void)ok; /* a batch with RECV_STATUS always succeeds */
	if (status == API_OK) {
		if (unary->response)
			response = api_unpack(unary->call.method->output, unary->response);
		if (!response) {
			status = API_INTERNAL;
			text = "the response is not the message it should be";
		}
	}
	api_call_done(&unary->call);
	unary->done(status, text, response, unary->arg);
	if (response)
		protobuf_c_message_free_unpacked(response, NULL);
	gpr_free(details);
	unary_free(unary);
	api_client_called_back(client);
}

static grpc_call_error unary_start(struct unary *unary, bool wait_for_ready)
{
	grpc_op ops[6];

	memset(ops, 0, sizeof(ops));
	ops[0] = api_call_send_headers(&unary->call, wait_for_ready);
	ops[1].op = GRPC_OP_SEND_MESSAGE;
	ops[1].data.send_message.send_message = unary->request;
	ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
	ops[3].data.recv_initial_metadata.recv_initial_metadata = &unary->initial;
	ops[4].op = GRPC_OP_RECV_MESSAGE;
	ops[4].data.recv_message.recv_message = &unary->response;
	ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
	ops[5].data.recv_status_on_client.trailing_metadata = &unary->trailing;
	ops[5].data.recv_status_on_client.status = &unary->status;
	ops[5].data.recv_status_on_client.status_details = &unary->details;
	return api_call_batch(&unary->call, ops, ARRAY_SIZE(ops), &unary->tag);
}

int api_unary(struct api_client *client, const ProtobufCServiceDescriptor *service,
	      const char *method, const ProtobufCMessage *request,
	      const struct api_call_options *options, api_done_fn *done, void *arg)
{
	unsigned deadline_ms =
		options && options->deadline_ms ? options->deadline_ms : UNARY_DEADLINE_MS;
	struct unary *unary = calloc(1, sizeof(*unary));
	int err;

	if (!unary)
		return -ENOMEM;
	unary->tag.complete = unary_complete;
	unary->done = done;
	unary->arg = arg;
	unary->details = grpc_empty_slice();
	err = api_pack(request->descriptor, request, &unary->request);
	if (!err)
		err = api_call_begin(&unary->call, client, service, method, request, options,
				     deadline_ms);
	if (err) {
		unary_free(unary);
		return err;
	}
	if (unary_start(unary, options && options->wait_for_ready) != GRPC_CALL_OK) {
		api_call_done(&unary->call);
		unary_free(unary);
		return -EINVAL;
	}
	return 0;
}

/* ---- the client ---- */

static void on_woken(struct api_tag *tag, bool ok)
{
	struct api_client *client = CONTAINER_OF(tag, struct api_client, woken);

	(void)ok;
	atomic_store(&client->wake_on_its_way, false);
	client->returning = true;
}

/* The library has no call to wake a completion queue. Watching the channel for
 * leaving a state it is not in completes at once, and may be done anywhere. */
void api_client_wake(struct api_client *client)
{
	client = client->polled;
	if (atomic_exchange(&client->wake_on_its_way, true))
		return;
	api_tag_hand_over(&client->woken);
	pthread_mutex_lock(&client->lock);
	grpc_channel_watch_connectivity_state(client->route->channel, GRPC_CHANNEL_SHUTDOWN,
					      gpr_inf_past(GPR_CLOCK_MONOTONIC), client->queue,
					      &client->woken);
	pthread_mutex_unlock(&client->lock);
}

/* False when nothing came until `deadline`. */
static bool take_one(struct api_client *client, gpr_timespec deadline)
{
	grpc_event event = grpc_completion_queue_next(client->queue, deadline, NULL);
	struct api_tag *tag = event.tag;

	if (event.type != GRPC_OP_COMPLETE)
		return false;
	TAKE_OVER(tag);
	tag->complete(tag, event.success != 0);
	return true;
}

void api_client_poll(struct api_client *client, mono_ms until)
{
	mono_ms now = clock_now();
	gpr_timespec deadline = in_ms(until > now ? until - now : 0);

	client->returning = false;
	for (unsigned taken = 0; taken < POLL_BUDGET; taken++) {
		/* After the first callback only what is there already. */
		if (client->returning)
			deadline = gpr_inf_past(GPR_CLOCK_MONOTONIC);
		if (!take_one(client, deadline))
			return;
	}
}

/* ---- another connection in place of the one there is ---- */

static void use_route(struct api_client *client, struct api_route *route)
{
	struct api_route *old = client->route;
	bool serves = api_route_ready(old);

	pthread_mutex_lock(&client->lock);
	client->route = route;
	pthread_mutex_unlock(&client->lock);
	/* What waits for a connection there waits in vain. */
	for (struct api_call *call = client->open; !serves && call; call = call->next)
		if (call->route == old)
			grpc_call_cancel(call->call, NULL);
	api_route_retire(old);
}

static void watch_next(struct api_client *client)
{
	client->watches++;
	api_route_watch(client->next, client->queue);
}

void api_client_watched(struct api_client *client)
{
	client->watches--;
	client->polled->returning = true;
}

/* A connection that serves stays until the new one does: what is new may be wrong. */
void api_client_look(struct api_client *client)
{
	struct api_route *next = client->next;

	if (!next || client->closing || next->watched)
		return;
	if (!api_route_ready(next)) {
		watch_next(client);
		return;
	}
	client->next = NULL;
	use_route(client, next);
}

static void forget_next(struct api_client *client)
{
	api_route_retire(client->next);
	client->next = NULL;
}

int api_client_renew(struct api_client *client, const struct api_client_options *options,
		     bool at_once, char *error, size_t error_room)
{
	struct api_route *route;
	sigset_t all, before;
	int err;

	if (error_room)
		error[0] = '\0';
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = api_route_create(&route, client, options, error, error_room);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return err;
	forget_next(client);
	if (at_once) {
		use_route(client, route);
	} else {
		client->next = route;
		watch_next(client);
	}
	return 0;
}

bool api_client_renewing(const struct api_client *client)
{
	return client->next != NULL;
}

/* ---- create and destroy ---- */

/* The library's threads inherit the signal mask: none of them may take one. */
static int connect_client(struct api_client *client, const struct api_client_options *options,
			  char *error, size_t error_room)
{
	int err = api_route_create(&client->route, client, options, error, error_room);

	if (err)
		return err;
	client->polled = options->beside ? options->beside : client;
	client->queue = options->beside ? options->beside->queue
					: grpc_completion_queue_create_for_next(NULL);
	return client->queue ? 0 : -ENOMEM;
}

int api_client_create(struct api_client **ret_client, const struct api_client_options *options,
		      char *error, size_t error_room)
{
	struct api_client *client;
	sigset_t all, before;
	int err;

	if (error_room)
		error[0] = '\0';
	if (!options->target || !options->target[0]) {
		snprintf(error, error_room, "no target: give the host and port of the core's API");
		return -EINVAL;
	}
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->woken.complete = on_woken;
	pthread_mutex_init(&client->lock, NULL);

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	gpr_set_log_function(on_library_log);
	grpc_init();
	err = connect_client(client, options, error, error_room);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err) {
		api_client_destroy(client);
		return err;
	}
	*ret_client = client;
	return 0;
}

struct api_client *api_client_destroy(struct api_client *client)
{
	if (!client)
		return NULL;
	client->closing = true;
	for (struct api_call *call = client->open; call; call = call->next)
		grpc_call_cancel(call->call, NULL);
	while (client->open)
		(void)take_one(client, gpr_inf_future(GPR_CLOCK_MONOTONIC));
	forget_next(client);
	while (client->watches)
		(void)take_one(client, gpr_inf_future(GPR_CLOCK_MONOTONIC));
	api_route_retire(client->route);
	if (client->queue && client->polled == client) {
		grpc_completion_queue_shutdown(client->queue);
		while (take_one(client, gpr_inf_future(GPR_CLOCK_MONOTONIC)))
			;
		grpc_completion_queue_destroy(client->queue);
	}
	grpc_shutdown_blocking();
	pthread_mutex_destroy(&client->lock);
	free(client);
	return NULL;
}
