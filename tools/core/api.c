/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/core/api_inside.h"

#include <errno.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/str.h"
#include "tools/core/pki.h"
#include "wgtwo/sipbreakout/v1/sipbreakout.pb-c.h"

enum { TICK_MS = 50 };

/* How many of each may wait for a client. */
static const int posted[METHOD_COUNT] = { [METHOD_UPSERT] = 64,
					  [METHOD_DELETE] = 8,
					  [METHOD_LIST] = 2,
					  [METHOD_STREAM] = 2,
					  [METHOD_ACK] = 8 };

static const char *const paths[METHOD_COUNT] = {
	[METHOD_UPSERT] = "/wgtwo.sipbreakout.v1.SipBreakoutService/UpsertRegistration",
	[METHOD_DELETE] = "/wgtwo.sipbreakout.v1.SipBreakoutService/DeleteRegistration",
	[METHOD_LIST] = "/wgtwo.consents.v0.ConsentService/ListConsentsForProduct",
	[METHOD_STREAM] = "/wgtwo.consents.v1.ConsentEventService/StreamConsentChangeEvents",
	[METHOD_ACK] = "/wgtwo.consents.v1.ConsentEventService/AckConsentChangeEvent",
};

void request_free(struct request *request)
{
	grpc_metadata_array_destroy(&request->metadata);
	if (request->payload)
		grpc_byte_buffer_destroy(request->payload);
	if (request->call)
		grpc_call_unref(request->call);
	free(request);
}

static void post(struct api_server *server, enum method method)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return;
	request->server = server;
	request->method = method;
	grpc_metadata_array_init(&request->metadata);
	if (grpc_server_request_registered_call(server->server, server->methods[method],
						&request->call, &request->deadline,
						&request->metadata, &request->payload, server->cq,
						server->cq, request) != GRPC_CALL_OK)
		request_free(request);
}

static void batch(struct request *request, const grpc_op *ops, size_t count)
{
	request->phase = PHASE_ENDING;
	if (grpc_call_start_batch(request->call, ops, count, request, NULL) != GRPC_CALL_OK)
		request_free(request);
}

void request_finish(struct request *request, grpc_status_code status, const char *details,
		    grpc_byte_buffer *take_message)
{
	grpc_slice text = grpc_slice_from_static_string(details);
	grpc_op ops[4] = {
		{ .op = GRPC_OP_SEND_INITIAL_METADATA },
		{ .op = GRPC_OP_RECV_CLOSE_ON_SERVER,
		  .data.recv_close_on_server.cancelled = &request->cancelled },
		{ .op = GRPC_OP_SEND_STATUS_FROM_SERVER,
		  .data.send_status_from_server = { .status = status, .status_details = &text } },
		{ .op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = take_message },
	};

	batch(request, ops, take_message ? 4 : 3);
	if (take_message)
		grpc_byte_buffer_destroy(take_message);
}

grpc_byte_buffer *request_packed(const ProtobufCMessage *message)
{
	grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));

	protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
	grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return buffer;
}

/* The answer of either method: `problem` "" means OK. */
static void answer(struct request *request, const char *problem)
{
	Wgtwo__Sipbreakout__V1__StatusCode code =
		*problem ? WGTWO__SIPBREAKOUT__V1__STATUS_CODE__STATUS_CODE_NOT_ACCEPTABLE
			 : WGTWO__SIPBREAKOUT__V1__STATUS_CODE__STATUS_CODE_OK;
	Google__Protobuf__Duration ttl = GOOGLE__PROTOBUF__DURATION__INIT;
	Wgtwo__Sipbreakout__V1__UpsertRegistrationResponse upsert;
	Wgtwo__Sipbreakout__V1__DeleteRegistrationResponse deleted;
	const ProtobufCMessage *message = &deleted.base;
	char mutable_problem[160];

	(void)snprintf(mutable_problem, sizeof(mutable_problem), "%s", problem);
	if (request->method == METHOD_UPSERT) {
		wgtwo__sipbreakout__v1__upsert_registration_response__init(&upsert);
		upsert.status_code = code;
		upsert.error_message = mutable_problem;
		ttl.seconds = request->server->ttl_s;
		upsert.time_to_live = *problem ? NULL : &ttl;
		message = &upsert.base;
	} else {
		wgtwo__sipbreakout__v1__delete_registration_response__init(&deleted);
		deleted.status_code = code;
		deleted.error_message = mutable_problem;
	}
	if (*problem)
		book_count(request->server->book, offsetof(struct book_counts, refused));
	request_finish(request, GRPC_STATUS_OK, "", request_packed(message));
}

static bool all_digits(const char *text)
{
	return strspn(text, "0123456789") == strlen(text);
}

static bool sips_uri_valid(const char *uri)
{
	if (!str_starts(uri, "sips:"))
		return false;
	const char *host = uri + 5;
	size_t length = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	const char *rest = host + length;

	if (!length || length > strlen(host) || strpbrk(host, "@;?/<> \r\n\t"))
		return false;
	if (!*rest)
		return true;
	long port = strtol(rest + 1, NULL, 10);
	return *rest == ':' && rest[1] && all_digits(rest + 1) && port > 0 && port < 65536;
}

const char *api_registration_problem(const struct book_registration *registration)
{
	if (!e164_valid(registration->number))
		return "phone_number: not an E.164 number with a plus";
	if (!sips_uri_valid(registration->sip_uri))
		return "sip_uri: must be sips:host or sips:host:port";
	if (!all_digits(registration->prefix_mo))
		return "mobile_originating_prefix: digits only, at most 15";
	if (!all_digits(registration->prefix_mt))
		return "mobile_terminating_prefix: digits only, at most 15";
	if (registration->route_type <= ROUTE_TYPE_NONE ||
	    registration->route_type >= ROUTE_TYPE_COUNT)
		return "route_type: unspecified or unknown";
	return "";
}

/* A text that does not fit is made invalid, not cut into another valid one. */
static void copy_text(char *to, size_t room, const char *from)
{
	if (snprintf(to, room, "%s", from) >= (int)room)
		(void)snprintf(to, room, "?");
}

static void read_registration(struct book_registration *to,
			      const Wgtwo__Sipbreakout__V1__Registration *from)
{
	if (!from)
		return;
	if (from->phone_number)
		copy_text(to->number, sizeof(to->number), from->phone_number->e164);
	copy_text(to->sip_uri, sizeof(to->sip_uri), from->sip_uri);
	copy_text(to->prefix_mo, sizeof(to->prefix_mo), from->mobile_originating_prefix);
	copy_text(to->prefix_mt, sizeof(to->prefix_mt), from->mobile_terminating_prefix);
	int type = (int)from->route_type;
	to->route_type =
		type > 0 && type < ROUTE_TYPE_COUNT ? (enum route_type)type : ROUTE_TYPE_NONE;
}

int request_slice(struct request *request, grpc_slice *ret_slice)
{
	grpc_byte_buffer_reader reader;

	if (!request->payload || !grpc_byte_buffer_reader_init(&reader, request->payload))
		return -EBADMSG;
	*ret_slice = grpc_byte_buffer_reader_readall(&reader);
	grpc_byte_buffer_reader_destroy(&reader);
	return 0;
}

/* Both requests are one Registration in field 1. */
static int read_request(struct request *request)
{
	grpc_slice slice;

	if (request_slice(request, &slice))
		return -EBADMSG;
	Wgtwo__Sipbreakout__V1__UpsertRegistrationRequest *message =
		wgtwo__sipbreakout__v1__upsert_registration_request__unpack(
			NULL, GRPC_SLICE_LENGTH(slice), GRPC_SLICE_START_PTR(slice));
	grpc_slice_unref(slice);
	if (!message)
		return -EBADMSG;
	read_registration(&request->registration, message->registration);
	wgtwo__sipbreakout__v1__upsert_registration_request__free_unpacked(message, NULL);
	return 0;
}

static bool token_good(const struct request *request)
{
	char value[256];

	if (!request->server->token_required)
		return true;
	for (size_t i = 0; i < request->metadata.count; i++) {
		const grpc_metadata *item = &request->metadata.metadata[i];
		if (grpc_slice_str_cmp(item->key, "authorization") != 0 ||
		    GRPC_SLICE_LENGTH(item->value) >= sizeof(value))
			continue;
		memcpy(value, GRPC_SLICE_START_PTR(item->value), GRPC_SLICE_LENGTH(item->value));
		value[GRPC_SLICE_LENGTH(item->value)] = '\0';
		return strncasecmp(value, "bearer ", 7) == 0 &&
		       book_token_valid(request->server->book, value + 7);
	}
	return false;
}

static void upsert(struct request *request)
{
	struct book_registration *registration = &request->registration;
	const char *problem = api_registration_problem(registration);
	char masked[32];

	e164_mask(registration->number, masked, sizeof(masked));
	if (*problem) {
		log_notice("api", "reg=%s upsert refused why=\"%s\"", masked, problem);
		answer(request, problem);
		return;
	}
	registration->expires_ms = clock_now() + (mono_ms)request->server->ttl_s * 1000;
	if (book_upsert(request->server->book, registration)) {
		request_finish(request, GRPC_STATUS_INTERNAL, "out of memory", NULL);
		return;
	}
	log_info("api", "reg=%s upserted type=%s sip_uri=%s", masked,
		 route_type_name(registration->route_type), registration->sip_uri);
	answer(request, "");
}

static void delete (struct request *request)
{
	const struct book_registration *registration = &request->registration;
	char masked[32];
	int err = book_delete(request->server->book, registration->number, registration->sip_uri);

	e164_mask(registration->number, masked, sizeof(masked));
	log_info("api", "reg=%s delete %s", masked, err ? "refused" : "done");
	if (err == -ENOENT)
		answer(request, "phone_number: no such registration");
	else
		answer(request, err ? "sip_uri: another one is registered" : "");
}

static void serve(struct request *request)
{
	switch (request->method) {
	case METHOD_UPSERT:
		upsert(request);
		break;
	case METHOD_DELETE:
		delete (request);
		break;
	case METHOD_LIST:
	case METHOD_STREAM:
	case METHOD_ACK:
		consent_serve(request);
		break;
	case METHOD_COUNT:
		break;
	}
}

static void delay(struct request *request, unsigned delay_ms)
{
	struct api_server *server = request->server;

	request->phase = PHASE_DELAYED;
	request->due_ms = clock_now() + delay_ms;
	request->next_delayed = server->delayed;
	server->delayed = request;
}

/* Serves what is due; while the server closes it only lets go. */
static void serve_delayed(struct api_server *server)
{
	bool closing = atomic_load(&server->closing);
	struct request **link = &server->delayed;

	while (*link) {
		struct request *request = *link;
		if (!closing && request->due_ms > clock_now()) {
			link = &request->next_delayed;
			continue;
		}
		*link = request->next_delayed;
		if (closing)
			request_free(request);
		else
			serve(request);
	}
}

/* The client's deadline or departure ends it. */
static void hang(struct request *request)
{
	grpc_op close = { .op = GRPC_OP_RECV_CLOSE_ON_SERVER,
			  .data.recv_close_on_server.cancelled = &request->cancelled };

	batch(request, &close, 1);
}

static void on_call(struct request *request)
{
	struct book *book = request->server->book;
	unsigned delay_ms = 0;

	if (request->method <= METHOD_DELETE && read_request(request)) {
		request_finish(request, GRPC_STATUS_INVALID_ARGUMENT, "the request does not parse",
			       NULL);
		return;
	}
	switch (book_fault_take(book, request->registration.number, &delay_ms)) {
	case FAULT_UNAVAILABLE:
		request_finish(request, GRPC_STATUS_UNAVAILABLE, "fault switch unavailable", NULL);
		return;
	case FAULT_RESOURCE_EXHAUSTED:
		request_finish(request, GRPC_STATUS_RESOURCE_EXHAUSTED,
			       "fault switch resource_exhausted", NULL);
		return;
	case FAULT_UNAUTHENTICATED:
		request_finish(request, GRPC_STATUS_UNAUTHENTICATED, "fault switch unauthenticated",
			       NULL);
		return;
	case FAULT_NOT_ACCEPTABLE:
		if (request->method <= METHOD_DELETE)
			answer(request, "fault switch not_acceptable");
		else
			request_finish(request, GRPC_STATUS_PERMISSION_DENIED,
				       "fault switch not_acceptable", NULL);
		return;
	case FAULT_HANG:
		hang(request);
		return;
	case FAULT_SLOW:
	case FAULT_NONE:
	case FAULT_TOKEN_DOWN:
	case FAULT_TOKEN_REFUSED:
	case FAULT_COUNT:
		break;
	}
	if (!token_good(request)) {
		book_count(book, offsetof(struct book_counts, unauthenticated));
		log_notice("api", "call without a valid token refused");
		request_finish(request, GRPC_STATUS_UNAUTHENTICATED, "the token is not valid",
			       NULL);
	} else if (delay_ms) {
		delay(request, delay_ms);
	} else {
		serve(request);
	}
}

static void on_event(struct request *request, bool success)
{
	switch (request->phase) {
	case PHASE_POSTED:
		if (!success) {
			request_free(request);
			break;
		}
		post(request->server, request->method);
		on_call(request);
		break;
	case PHASE_DELAYED: /* has nothing in the queue */
		break;
	case PHASE_STREAM:
		consent_stream_event(request, /* closed= */ false, success);
		break;
	case PHASE_ENDING:
		request_free(request);
		break;
	}
}

/* It looks up now and then for what is due and for the end. */
static void *run(void *arg)
{
	struct api_server *server = arg;

	for (;;) {
		gpr_timespec until = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
						  gpr_time_from_millis(TICK_MS, GPR_TIMESPAN));
		grpc_event event = grpc_completion_queue_next(server->cq, until, NULL);
		serve_delayed(server);
		consent_serve_streams(server);
		if (event.type == GRPC_QUEUE_SHUTDOWN)
			return NULL;
		if (event.type == GRPC_QUEUE_TIMEOUT)
			continue;
		if (event.tag == server) /* every call has ended */
			grpc_completion_queue_shutdown(server->cq);
		else if ((uintptr_t)event.tag & 1) /* api_consent.c's */
			consent_stream_event((struct request *)((char *)event.tag - 1),
					     /* closed= */ true, event.success);
		else
			on_event(event.tag, event.success);
	}
}

/* A second simulator on the port must fail, and the keep-alive a client of the
 * core sends, one a minute without calls, must pass. */
static grpc_server *new_server(void)
{
	grpc_arg list[] = {
		{ .type = GRPC_ARG_INTEGER,
		  .key = (char *)GRPC_ARG_ALLOW_REUSEPORT,
		  .value.integer = 0 },
		{ .type = GRPC_ARG_INTEGER,
		  .key = (char *)GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS,
		  .value.integer = 1 },
		{ .type = GRPC_ARG_INTEGER,
		  .key = (char *)GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
		  .value.integer = 50000 },
	};
	grpc_channel_args args = { ARRAY_SIZE(list), list };

	return grpc_server_create(&args, NULL);
}

static int bind_port(struct api_server *server, const struct api_server_options *options)
{
	char address[96];
	char *chain = pki_read_file(options->certificate),
	     *key = pki_read_file(options->private_key);
	grpc_ssl_pem_key_cert_pair pair = { key, chain };
	grpc_server_credentials *credentials = NULL;
	int port = 0;

	if (chain && key)
		credentials = grpc_ssl_server_credentials_create_ex(
			NULL, &pair, 1, GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE, NULL);
	(void)snprintf(address, sizeof(address),
		       strchr(options->address, ':') ? "[%s]:%u" : "%s:%u", options->address,
		       options->port);
	if (credentials) {
		port = grpc_server_add_http2_port(server->server, address, credentials);
		grpc_server_credentials_release(credentials);
	}
	free(chain);
	free(key);
	server->port = (uint16_t)port;
	if (!credentials)
		return -EINVAL;
	return port ? 0 : -EADDRINUSE;
}

static void on_log(gpr_log_func_args *args)
{
	if (args->severity == GPR_LOG_SEVERITY_ERROR)
		log_debug("grpc", "%s:%d %s", args->file, args->line, args->message);
}

int api_server_create(struct api_server **ret_server, const struct api_server_options *options)
{
	struct api_server *server = calloc(1, sizeof(*server));

	if (!server)
		return -ENOMEM;
	server->book = options->book;
	server->ttl_s = options->ttl_s;
	server->token_required = options->token_required;
	gpr_set_log_function(on_log);
	grpc_init();
	server->cq = grpc_completion_queue_create_for_next(NULL);
	server->server = new_server();
	for (int i = 0; i < METHOD_COUNT; i++)
		server->methods[i] =
			grpc_server_register_method(server->server, paths[i], NULL,
						    GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
	grpc_server_register_completion_queue(server->server, server->cq, NULL);
	int err = bind_port(server, options);
	if (!err) {
		grpc_server_start(server->server);
		for (int method = 0; method < METHOD_COUNT; method++)
			for (int i = 0; i < posted[method]; i++)
				post(server, (enum method)method);
		err = -pthread_create(&server->thread, NULL, run, server);
		server->thread_runs = !err;
	}
	if (err) {
		api_server_destroy(server);
		return err;
	}
	*ret_server = server;
	return 0;
}

static void close_server(struct api_server *server)
{
	atomic_store(&server->closing, true);
	grpc_server_shutdown_and_notify(server->server, server->cq, server);
	grpc_server_cancel_all_calls(server->server);
	if (server->thread_runs)
		pthread_join(server->thread, NULL);
	else
		run(server); /* drains what was posted */
}

struct api_server *api_server_destroy(struct api_server *server)
{
	if (!server)
		return NULL;
	close_server(server);
	grpc_server_destroy(server->server);
	grpc_completion_queue_destroy(server->cq);
	grpc_shutdown_blocking();
	free(server);
	return NULL;
}

uint16_t api_server_port(const struct api_server *server)
{
	return server->port;
}
