/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/consent_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/e164.h"
#include "wgtwo/consents/v0/consents.pb-c.h"
#include "wgtwo/consents/v1/consent_events.pb-c.h"

#define LIST_SERVICE  (&wgtwo__consents__v0__consent_service__descriptor)
#define EVENT_SERVICE (&wgtwo__consents__v1__consent_event_service__descriptor)
#define PAGE_SIZE     1000

/* Heap, for the time of one request; freed by its last callback. */
struct pending {
	consent_ack_fn *acked;
	consent_page_fn *paged;
	const struct consent_stream_handlers *handlers;
	void *arg;
};

static struct pending *pending_create(void *arg)
{
	struct pending *pending = calloc(1, sizeof(*pending));

	if (pending)
		pending->arg = arg;
	return pending;
}

/* ---- events ---- */

static const char *id_of(const Wgtwo__Events__V1__Metadata *metadata)
{
	const Wgtwo__Common__V1__SubscriptionIdentifier *id =
		metadata->identifier ? metadata->identifier->subscription_identifier : NULL;

	return id ? id->value : "";
}

static wall_ms time_of(const Wgtwo__Events__V1__Metadata *metadata)
{
	const Google__Protobuf__Timestamp *timestamp = metadata->timestamp;

	return timestamp ? timestamp->seconds * 1000 + timestamp->nanos / 1000000 : clock_wall();
}

static void read_metadata(const Wgtwo__Events__V1__Metadata *metadata, struct consent_event *event)
{
	if (!metadata)
		return;
	event->change.id = id_of(metadata);
	event->change.at = time_of(metadata);
	event->change.event = metadata->ack_info ? metadata->ack_info->value : "";
	event->redelivered = metadata->is_redelivered;
}

static void read_change(const Wgtwo__Consents__V1__ConsentChangeEvent *message,
			struct consent_event *event)
{
	if (!message)
		return;
	event->known = true;
	switch (message->type_case) {
	case WGTWO__CONSENTS__V1__CONSENT_CHANGE_EVENT__TYPE_ADDED:
		event->change.kind = CONSENT_ADDED;
		break;
	case WGTWO__CONSENTS__V1__CONSENT_CHANGE_EVENT__TYPE_UPDATED:
		event->change.kind = CONSENT_UPDATED;
		break;
	case WGTWO__CONSENTS__V1__CONSENT_CHANGE_EVENT__TYPE_REVOKED:
		event->change.kind = CONSENT_REVOKED;
		break;
	case WGTWO__CONSENTS__V1__CONSENT_CHANGE_EVENT__TYPE__NOT_SET:
	default: /* the wire's own number */
		event->known = false;
		break;
	}
	event->tenant =
		message->target_case == WGTWO__CONSENTS__V1__CONSENT_CHANGE_EVENT__TARGET_TENANT;
	if (message->target_case == WGTWO__CONSENTS__V1__CONSENT_CHANGE_EVENT__TARGET_NUMBER &&
	    message->number)
		event->change.number = e164_pack(message->number->e164);
}

static void on_message(struct api_stream *stream, const ProtobufCMessage *message, void *arg)
{
	const Wgtwo__Consents__V1__StreamConsentChangeEventsResponse *response =
		(const Wgtwo__Consents__V1__StreamConsentChangeEventsResponse *)message;
	const struct pending *pending = arg;
	struct consent_event event = { .change = { .id = "", .event = "", .at = clock_wall() } };

	(void)stream;
	read_metadata(response->metadata, &event);
	read_change(response->consent_change_event, &event);
	pending->handlers->event(&event, pending->arg);
}

static void on_end(struct api_stream *stream, enum api_status status, const char *details,
		   void *arg)
{
	struct pending *pending = arg;

	(void)stream;
	pending->handlers->end(status, details, pending->arg);
	free(pending);
}

int consent_stream_open(struct api_client *client, const struct consent_stream_options *options,
			const struct consent_stream_handlers *handlers, void *arg,
			struct api_stream **ret_stream)
{
	static const struct api_stream_handlers ours = { on_message, on_end };
	Wgtwo__Consents__V1__StreamConsentChangeEventsRequest request =
		WGTWO__CONSENTS__V1__STREAM_CONSENT_CHANGE_EVENTS_REQUEST__INIT;
	Wgtwo__Events__V1__StreamConfiguration configuration =
		WGTWO__EVENTS__V1__STREAM_CONFIGURATION__INIT;
	Wgtwo__Events__V1__DurableQueue queue = WGTWO__EVENTS__V1__DURABLE_QUEUE__INIT;
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
	struct pending *pending = pending_create(arg);
	int err;

	if (!pending)
		return -ENOMEM;
	pending->handlers = handlers;
	queue.custom_name = (char *)options->queue;
	configuration.stream_type_case =
		WGTWO__EVENTS__V1__STREAM_CONFIGURATION__STREAM_TYPE_DURABLE_QUEUE;
	configuration.durable_queue = &queue;
	configuration.max_in_flight = options->max_in_flight;
	configuration.start_position_case =
		WGTWO__EVENTS__V1__STREAM_CONFIGURATION__START_POSITION_START_AT_OLDEST_POSSIBLE;
	configuration.start_at_oldest_possible = &empty;
	request.stream_configuration = &configuration;
	err = api_stream_open(client, EVENT_SERVICE, "StreamConsentChangeEvents", &request.base,
			      /* half_close= */ true, options->call, &ours, pending, ret_stream);
	if (err)
		free(pending);
	return err;
}

/* ---- acknowledgements ---- */

static void on_acked(enum api_status status, const char *details, const ProtobufCMessage *message,
		     void *arg)
{
	const Wgtwo__Consents__V1__AckConsentChangeEventResponse *response =
		(const Wgtwo__Consents__V1__AckConsentChangeEventResponse *)message;
	struct pending *pending = arg;

	(void)details; /* the event comes again, which is what there is to know */
	pending->acked(
		status,
		response && response->ack_status &&
			response->ack_status->status_code ==
				WGTWO__EVENTS__V1__ACK_STATUS__STATUS_CODE__STATUS_CODE_SUCCESS,
		pending->arg);
	free(pending);
}

int consent_ack_send(struct api_client *client, const char *event,
		     const struct api_call_options *options, consent_ack_fn *done, void *arg)
{
	Wgtwo__Consents__V1__AckConsentChangeEventRequest request =
		WGTWO__CONSENTS__V1__ACK_CONSENT_CHANGE_EVENT_REQUEST__INIT;
	Wgtwo__Events__V1__AckInfo info = WGTWO__EVENTS__V1__ACK_INFO__INIT;
	struct pending *pending = pending_create(arg);
	int err;

	if (!pending)
		return -ENOMEM;
	pending->acked = done;
	info.value = (char *)event;
	request.ack_info = &info;
	err = api_unary(client, EVENT_SERVICE, "AckConsentChangeEvent", &request.base, options,
			on_acked, pending);
	if (err)
		free(pending);
	return err;
}

/* ---- the list ---- */

static const char *listed_id(const struct consent_page *page, size_t i)
{
	const Wgtwo__Consents__V0__ListConsentsForProductResponse *response = page->message;
	const Wgtwo__Consents__V0__ConsentOwner *owner = response->consents[i]->owner;

	if (!owner || owner->value_case != WGTWO__CONSENTS__V0__CONSENT_OWNER__VALUE_SUBSCRIPTION ||
	    !owner->subscription || !owner->subscription->subscription_identifier)
		return "";
	return owner->subscription->subscription_identifier->value;
}

static void on_page(enum api_status status, const char *details, const ProtobufCMessage *message,
		    void *arg)
{
	const Wgtwo__Consents__V0__ListConsentsForProductResponse *response =
		(const Wgtwo__Consents__V0__ListConsentsForProductResponse *)message;
	struct pending *pending = arg;
	struct consent_page page = { .id = listed_id, .next = "", .message = message };

	if (response) {
		page.count = response->n_consents;
		if (response->pagination)
			page.next = response->pagination->next_page_token;
	}
	pending->paged(response ? &page : NULL, status, details, pending->arg);
	free(pending);
}

int consent_list_send(struct api_client *client, const char *page_token,
		      const struct api_call_options *options, consent_page_fn *done, void *arg)
{
	Wgtwo__Consents__V0__ListConsentsForProductRequest request =
		WGTWO__CONSENTS__V0__LIST_CONSENTS_FOR_PRODUCT_REQUEST__INIT;
	Wgtwo__Common__V0__PaginationRequest pagination =
		WGTWO__COMMON__V0__PAGINATION_REQUEST__INIT;
	struct pending *pending = pending_create(arg);
	int err;

	if (!pending)
		return -ENOMEM;
	pending->paged = done;
	pagination.page_size = PAGE_SIZE;
	pagination.page_token = (char *)page_token;
	request.pagination = &pagination;
	err = api_unary(client, LIST_SERVICE, "ListConsentsForProduct", &request.base, options,
			on_page, pending);
	if (err)
		free(pending);
	return err;
}
