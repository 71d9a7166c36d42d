/* SPDX-License-Identifier: Apache-2.0 */
/* consent_wire.h - consents as the core's API speaks of them: the stream of
 * changes, their acknowledgement, and the list.
 *
 * Registrar thread only. The messages themselves stay in consent_wire.c.
 */
#ifndef BREAKOUT_REGISTRAR_CONSENT_WIRE_H
#define BREAKOUT_REGISTRAR_CONSENT_WIRE_H

#include "proto/api.h"
#include "registrar/consent_store.h"

struct consent_event {
	struct consent_change change; /* number 0: not a number's, or not a valid one */
	bool known;                   /* false: a kind of event that came later than this program */
	bool tenant;                  /* an operator's, for all of its subscriptions */
	bool redelivered;
};

/* What the core is asked for; strings are borrowed for the call. */
struct consent_stream_options {
	const char *queue;
	unsigned max_in_flight;
	const struct api_call_options *call;
};

struct consent_stream_handlers {
	/* The event is the layer's, and gone after the call returns. */
	void (*event)(const struct consent_event *event, void *arg);
	/* Last callback. details: printable. */
	void (*end)(enum api_status status, const char *details, void *arg);
};

/* From where the queue stands, or the oldest event the core has. `handlers` stay. 0
 * or what api_stream_open() returns. */
int consent_stream_open(struct api_client *client, const struct consent_stream_options *options,
			const struct consent_stream_handlers *handlers, void *arg,
			struct api_stream **ret_stream) MUST_CHECK;

/* status API_OK and `done` false: the core answers that it could not. Exactly once per
 * call that was accepted. */
typedef void consent_ack_fn(enum api_status status, bool done, void *arg);
int consent_ack_send(struct api_client *client, const char *event,
		     const struct api_call_options *options, consent_ack_fn *done,
		     void *arg) MUST_CHECK;

struct consent_page {
	size_t count;                                                 /* of consents */
	const char *(*id)(const struct consent_page *page, size_t i); /* "" for a tenant */
	const char *next;                                             /* "": the last page */
	const void *message;
};
/* page NULL: `status` and `details` say why. */
typedef void consent_page_fn(const struct consent_page *page, enum api_status status,
			     const char *details, void *arg);
int consent_list_send(struct api_client *client, const char *page_token,
		      const struct api_call_options *options, consent_page_fn *done,
		      void *arg) MUST_CHECK;

#endif
