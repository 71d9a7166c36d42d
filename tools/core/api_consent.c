/* SPDX-License-Identifier: Apache-2.0 */
/* api_consent.c - the core's services wgtwo.consents.v0.ConsentService and
 * wgtwo.consents.v1.ConsentEventService, as far as a product needs them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "tools/core/api_inside.h"
#include "wgtwo/consents/v0/consents.pb-c.h"
#include "wgtwo/consents/v1/consent_events.pb-c.h"

#define PAGE              50
#define MAX_IN_FLIGHT     50 /* wgtwo/events/v1/events.proto: the default */
#define MAX_IN_FLIGHT_MAX 200

typedef Wgtwo__Consents__V0__ListConsentsForProductRequest list_request;
typedef Wgtwo__Consents__V1__StreamConsentChangeEventsRequest stream_request;
typedef Wgtwo__Consents__V1__AckConsentChangeEventRequest ack_request;

static struct grants *grants_of(const struct request *request)
{
	return book_grants(request->server->book);
}

/* ---- the list ---- */

struct consent_parts {
	Wgtwo__Consents__V0__Consent consent;
	Wgtwo__Consents__V0__ConsentOwner owner;
	Wgtwo__Consents__V0__Subscription subscription;
	Wgtwo__Common__V0__SubscriptionIdentifier id;
};

static void make_consent(struct consent_parts *parts, char *id)
{
	wgtwo__consents__v0__consent__init(&parts->consent);
	wgtwo__consents__v0__consent_owner__init(&parts->owner);
	wgtwo__consents__v0__subscription__init(&parts->subscription);
	wgtwo__common__v0__subscription_identifier__init(&parts->id);
	parts->id.value = id;
	parts->subscription.subscription_identifier = &parts->id;
	parts->owner.value_case = WGTWO__CONSENTS__V0__CONSENT_OWNER__VALUE_SUBSCRIPTION;
	parts->owner.subscription = &parts->subscription;
	parts->consent.owner = &parts->owner;
	parts->consent.product_id = (char *)"product";
	parts->consent.revocable = 1;
}

static void answer_list(struct request *request, size_t from)
{
	Wgtwo__Consents__V0__ListConsentsForProductResponse response =
		WGTWO__CONSENTS__V0__LIST_CONSENTS_FOR_PRODUCT_RESPONSE__INIT;
	Wgtwo__Common__V0__PaginationResponse pagination =
		WGTWO__COMMON__V0__PAGINATION_RESPONSE__INIT;
	Wgtwo__Consents__V0__Consent *list[PAGE];
	struct consent_parts parts[PAGE];
	char ids[PAGE][GRANT_ID_ROOM], token[24] = "";
	size_t count, next = grants_page(grants_of(request), from, ids, PAGE, &count);

	for (size_t i = 0; i < count; i++) {
		make_consent(&parts[i], ids[i]);
		list[i] = &parts[i].consent;
	}
	if (next)
		(void)snprintf(token, sizeof(token), "%zu", next);
	pagination.next_page_token = token;
	response.consents = list;
	response.n_consents = count;
	response.pagination = &pagination;
	request_finish(request, GRPC_STATUS_OK, "", request_packed(&response.base));
}

static void serve_list(struct request *request, const uint8_t *bytes, size_t length)
{
	list_request *message =
		wgtwo__consents__v0__list_consents_for_product_request__unpack(NULL, length, bytes);
	size_t from = 0;

	if (message && message->pagination)
		from = strtoul(message->pagination->page_token, NULL, 10);
	if (message)
		answer_list(request, from);
	else
		request_finish(request, GRPC_STATUS_INVALID_ARGUMENT, "the request does not parse",
			       NULL);
	if (message)
		wgtwo__consents__v0__list_consents_for_product_request__free_unpacked(message,
										      NULL);
}

/* ---- acknowledgements ---- */

static void serve_ack(struct request *request, const uint8_t *bytes, size_t length)
{
	ack_request *message =
		wgtwo__consents__v1__ack_consent_change_event_request__unpack(NULL, length, bytes);
	Wgtwo__Consents__V1__AckConsentChangeEventResponse response =
		WGTWO__CONSENTS__V1__ACK_CONSENT_CHANGE_EVENT_RESPONSE__INIT;
	Wgtwo__Events__V1__AckStatus status = WGTWO__EVENTS__V1__ACK_STATUS__INIT;
	bool known = message && message->ack_info &&
		     grants_ack(grants_of(request), message->ack_info->value);

	status.status_code =
		known ? WGTWO__EVENTS__V1__ACK_STATUS__STATUS_CODE__STATUS_CODE_SUCCESS
		      : WGTWO__EVENTS__V1__ACK_STATUS__STATUS_CODE__STATUS_CODE_FAILURE;
	response.ack_status = &status;
	request_finish(request, GRPC_STATUS_OK, "", request_packed(&response.base));
	if (message)
		wgtwo__consents__v1__ack_consent_change_event_request__free_unpacked(message, NULL);
}

/* ---- the stream ---- */

static void *closed_tag(struct request *request)
{
	return (char *)request + 1;
}

static void start(struct request *request, const grpc_op *op, void *tag)
{
	if (grpc_call_start_batch(request->call, op, 1, tag, NULL) != GRPC_CALL_OK)
		log_error("api", "a stream cannot be served");
}

static void take_configuration(struct request *request,
			       const Wgtwo__Events__V1__StreamConfiguration *wanted)
{
	const Wgtwo__Events__V1__DurableQueue *queue =
		wanted && wanted->stream_type_case ==
					WGTWO__EVENTS__V1__STREAM_CONFIGURATION__STREAM_TYPE_DURABLE_QUEUE
			? wanted->durable_queue
			: NULL;

	(void)snprintf(request->queue, sizeof(request->queue), "%s",
		       queue ? queue->custom_name : "");
	request->max_in_flight =
		wanted && wanted->max_in_flight ? wanted->max_in_flight : MAX_IN_FLIGHT;
	if (request->max_in_flight > MAX_IN_FLIGHT_MAX)
		request->max_in_flight = MAX_IN_FLIGHT_MAX;
}

static void serve_stream(struct request *request, const uint8_t *bytes, size_t length)
{
	struct api_server *server = request->server;
	grpc_op close = { .op = GRPC_OP_RECV_CLOSE_ON_SERVER,
			  .data.recv_close_on_server.cancelled = &request->cancelled };
	grpc_op metadata = { .op = GRPC_OP_SEND_INITIAL_METADATA };
	stream_request *message = wgtwo__consents__v1__stream_consent_change_events_request__unpack(
		NULL, length, bytes);

	if (!message) {
		request_finish(request, GRPC_STATUS_INVALID_ARGUMENT, "the request does not parse",
			       NULL);
		return;
	}
	take_configuration(request, message->stream_configuration);
	wgtwo__consents__v1__stream_consent_change_events_request__free_unpacked(message, NULL);
	request->phase = PHASE_STREAM;
	request->sending = true;
	request->next_stream = server->streams;
	server->streams = request;
	log_info("api", "consents: a stream of queue %s", request->queue);
	start(request, &close, closed_tag(request));
	start(request, &metadata, request);
}

static void make_change(Wgtwo__Consents__V1__ConsentChangeEvent *change, enum grant_kind kind,
			Wgtwo__Consents__V1__ConsentAdded *added,
			Wgtwo__Consents__V1__ConsentUpdated *updated,
			Wgtwo__Consents__V1__ConsentRevoked *revoked)
{
	switch (kind) {
	case GRANT_ADDED:
		change->type_case = WGTWO__CONSENTS__V1__CONSENT_CHANGE_EVENT__TYPE_ADDED;
		change->added = added;
		break;
	case GRANT_UPDATED:
		change->type_case = WGTWO__CONSENTS__V1__CONSENT_CHANGE_EVENT__TYPE_UPDATED;
		change->updated = updated;
		break;
	case GRANT_REVOKED:
		change->type_case = WGTWO__CONSENTS__V1__CONSENT_CHANGE_EVENT__TYPE_REVOKED;
		change->revoked = revoked;
		break;
	}
}

static grpc_byte_buffer *event_message(struct grant_event *event)
{
	Wgtwo__Consents__V1__StreamConsentChangeEventsResponse response =
		WGTWO__CONSENTS__V1__STREAM_CONSENT_CHANGE_EVENTS_RESPONSE__INIT;
	Wgtwo__Consents__V1__ConsentChangeEvent change =
		WGTWO__CONSENTS__V1__CONSENT_CHANGE_EVENT__INIT;
	Wgtwo__Consents__V1__ConsentAdded added = WGTWO__CONSENTS__V1__CONSENT_ADDED__INIT;
	Wgtwo__Consents__V1__ConsentUpdated updated = WGTWO__CONSENTS__V1__CONSENT_UPDATED__INIT;
	Wgtwo__Consents__V1__ConsentRevoked revoked = WGTWO__CONSENTS__V1__CONSENT_REVOKED__INIT;
	Wgtwo__Common__V1__E164 number = WGTWO__COMMON__V1__E164__INIT;
	Wgtwo__Events__V1__Metadata metadata = WGTWO__EVENTS__V1__METADATA__INIT;
	Wgtwo__Events__V1__Identifier identifier = WGTWO__EVENTS__V1__IDENTIFIER__INIT;
	Wgtwo__Events__V1__AckInfo ack = WGTWO__EVENTS__V1__ACK_INFO__INIT;
	Wgtwo__Common__V1__SubscriptionIdentifier id =
		WGTWO__COMMON__V1__SUBSCRIPTION_IDENTIFIER__INIT;
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	make_change(&change, event->kind, &added, &updated, &revoked);
	number.e164 = event->number;
	change.target_case = WGTWO__CONSENTS__V1__CONSENT_CHANGE_EVENT__TARGET_NUMBER;
	change.number = &number;
	at.seconds = event->at / 1000;
	at.nanos = (int32_t)(event->at % 1000) * 1000000;
	id.value = event->subscription;
	identifier.subscription_identifier = &id;
	ack.value = event->ack;
	metadata.timestamp = &at;
	metadata.identifier = &identifier;
	metadata.ack_info = &ack;
	metadata.is_redelivered = event->again;
	response.metadata = &metadata;
	response.consent_change_event = &change;
	return request_packed(&response.base);
}

static void send_next(struct request *request)
{
	struct grant_event event;
	grpc_op op = { .op = GRPC_OP_SEND_MESSAGE };
	grpc_byte_buffer *message;

	if (!grants_next(grants_of(request), request->queue, request->max_in_flight, &event))
		return;
	message = event_message(&event);
	op.data.send_message.send_message = message;
	request->sending = true;
	start(request, &op, request);
	grpc_byte_buffer_destroy(message);
}

void consent_serve_streams(struct api_server *server)
{
	if (atomic_load(&server->closing))
		return;
	for (struct request *request = server->streams; request; request = request->next_stream)
		if (!request->sending && !request->closed)
			send_next(request);
}

static void end_stream(struct request *request)
{
	struct request **link = &request->server->streams;

	while (*link != request)
		link = &(*link)->next_stream;
	*link = request->next_stream;
	grants_cut(grants_of(request), request->queue);
	request_free(request);
}

void consent_stream_event(struct request *request, bool closed, bool success)
{
	(void)success; /* who has gone tells by its close */
	if (closed)
		request->closed = true;
	else
		request->sending = false;
	if (request->closed && !request->sending)
		end_stream(request);
}

/* ---- any of them ---- */

void consent_serve(struct request *request)
{
	grpc_slice slice;

	if (request_slice(request, &slice)) {
		request_finish(request, GRPC_STATUS_INVALID_ARGUMENT, "there is no message", NULL);
		return;
	}
	if (request->method == METHOD_LIST)
		serve_list(request, GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice));
	else if (request->method == METHOD_STREAM)
		serve_stream(request, GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice));
	else
		serve_ack(request, GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice));
	grpc_slice_unref(slice);
}
