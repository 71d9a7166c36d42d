/* SPDX-License-Identifier: Apache-2.0 */
/* farewell.c - what each side is told when a call ends.
 *
 * Who ended it has said why (Reason, RFC 3326), and the other side hears that.
 * On a loop it hears nothing else: a BYE without a Reason stays without. A
 * trunk is told our reading of it, and so is everybody when the end is ours.
 */
#include <stdio.h>
#include "base/str.h"
#include "tas/call/call_state.h"

#define WARNING_ROOM 1024 /* bytes: the longest sentence of media's is whole */

struct cause_reason farewell_read(const struct sip_headers *headers)
{
	struct cause_reason said = { 0 };

	for (size_t i = 0; i < headers->count; i++)
		if (str_equal_nocase(headers->items[i].name, "Reason"))
			cause_read_reason(&said, headers->items[i].value);
	return said;
}

/* RFC 3326 allows several Reason values; they stay several. */
static const char *received_reason(const struct sip_headers *headers, char *room, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < headers->count; i++) {
		int n;

		if (!str_equal_nocase(headers->items[i].name, "Reason"))
			continue;
		n = snprintf(room + used, size - used, "%s%s", used ? ", " : "",
			     headers->items[i].value);
		if (n < 0 || (size_t)n >= size - used) {
			room[used] = '\0'; /* half a value is worse than none */
			break;
		}
		used += (size_t)n;
	}
	return used ? room : NULL;
}

/* The Reason of a BYE or CANCEL; NULL: it has none. */
static const char *reason_for(const struct call *call, const struct ending *ending, char *room,
			      size_t size)
{
	const char *received = ending->bye ? received_reason(ending->bye, room, size) : NULL;

	if (received)
		return received;
	if (ending->bye && call_current_step(call)->to_core)
		return NULL;
	if (ending->cause == CAUSE_CANCELLED)
		return "SIP;cause=487;text=\"Request Terminated\"";
	cause_to_reason(ending->cause, room, size);
	return room;
}

/* Warning: 399, RFC 3261 20.43; the text is a quoted-string. */
static int add_warning(struct sip_headers *headers, const char *sentence)
{
	char text[WARNING_ROOM];
	size_t used = (size_t)snprintf(text, sizeof(text), "399 breakout \"");

	for (; *sentence && used < sizeof(text) - 2; sentence++)
		text[used++] = *sentence == '"' || *sentence == '\\' ? '\'' : *sentence;
	text[used++] = '"';
	text[used] = '\0';
	return sip_headers_add(headers, "Warning", text);
}

/* What a final response carries: B's own on a loop, else ours. */
static int final_headers(const struct call *call, const struct ending *ending, const char *reason,
			 struct sip_headers *headers)
{
	int err = 0;

	if (ending->headers)
		err = early_copy_headers(call, headers, ending->headers);
	if (!err && ending->warning)
		err = add_warning(headers, ending->warning);
	if (err || !reason || sip_headers_find(headers, "Reason") ||
	    (ending->headers && call_current_step(call)->to_core))
		return err;
	return sip_headers_add(headers, "Reason", reason);
}

/* A BYE takes the other BYE's headers along, with its Reason apart. */
static int bye_headers(const struct call *call, const struct ending *ending,
		       struct sip_headers *headers)
{
	int err;

	if (!ending->bye || !call_current_step(call)->to_core)
		return 0;
	err = sip_headers_copy_transparent(headers, ending->bye);
	sip_headers_remove(headers, "Reason");
	return err;
}

static void say_a(struct call *call, const struct ending *ending, struct leg_farewell farewell)
{
	struct sip_headers headers = { 0 };

	farewell.status = ending->status ? ending->status : cause_to_status(ending->cause);
	if (farewell.status < 300) /* hung up normally, but before A was answered */
		farewell.status = 480;
	farewell.phrase = ending->phrase;
	farewell.contact = ending->contact;
	if (!call->a_answered) { /* else the BYE's are in it already */
		farewell.headers = NULL;
		if (final_headers(call, ending, farewell.reason, &headers) == 0)
			farewell.headers = &headers; /* else the status alone says it */
	}
	call->leg[MEDIA_A] = leg_release(call->leg[MEDIA_A], &farewell);
	sip_headers_done(&headers);
}

void farewell_say(struct call *call, const struct ending *ending)
{
	char reason[256];
	struct sip_headers headers = { 0 };
	struct leg_farewell farewell = { .reason =
						 reason_for(call, ending, reason, sizeof(reason)) };

	if (bye_headers(call, ending, &headers) == 0)
		farewell.headers = &headers; /* else the reason alone says it */
	ring_release(call, farewell.reason);
	call->leg[MEDIA_B] = leg_release(call->leg[MEDIA_B], &farewell);
	say_a(call, ending, farewell);
	sip_headers_done(&headers);
}
