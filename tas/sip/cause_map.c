/* SPDX-License-Identifier: Apache-2.0 */
/* cause_map.c - the one table behind cause_map.h, both ways. */
#include "tas/sip/cause_map.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How many values may come back to one cause, and the zero that ends them. */
#define BACK_MAX 8

/* One row a cause: what we say for it, and which received values mean it.
 * Q.850 values: ITU-T Q.850 section 2.2.7; pairs after RFC 3398 sections
 * 7.2.4.1 and 8.2.6.1 and 3GPP TS 29.163 section 7.2.3.1. A cause that only we
 * can know (our limits, our media) has no way back. */
#define NO_WAY_BACK .from_status = { 0 }
static const struct entry {
	const char *name;
	int status;
	const char *phrase;
	int q850;
	const char *q850_text;
	int from_status[BACK_MAX], from_q850[BACK_MAX];
} entries[CAUSE_COUNT] = {
	[CAUSE_NORMAL] = { "normal", 200, "OK", 16, "Normal call clearing", .from_q850 = { 16 } },
	[CAUSE_CANCELLED] = { "cancelled", 487, "Request Terminated", 16, "Normal call clearing",
			      .from_status = { 487 } },
	[CAUSE_BUSY] = { "busy", 486, "Busy Here", 17, "User busy", { 486, 600 }, { 17 } },
	[CAUSE_NO_ANSWER] = { "no_answer",
			      480,
			      "Temporarily Unavailable",
			      19,
			      "No answer",
			      { 408 },
			      { 18, 19 } },
	[CAUSE_REJECTED] = { "rejected", 603, "Decline", 21, "Call rejected", { 603 }, { 21, 24 } },
	[CAUSE_UNKNOWN_NUMBER] = { "unknown_number",
				   404,
				   "Not Found",
				   1,
				   "Unallocated number",
				   { 404, 410, 484, 604 },
				   { 1, 2, 3, 4, 5, 22, 28 } },
	[CAUSE_UNAVAILABLE] = { "unavailable",
				480,
				"Temporarily Unavailable",
				20,
				"Subscriber absent",
				{ 480 },
				{ 20, 27, 29 } },
	[CAUSE_NOT_ACCEPTABLE] = { "not_acceptable",
				   488,
				   "Not Acceptable Here",
				   88,
				   "Incompatible destination",
				   { 415, 488, 606 },
				   { 88 } },
	[CAUSE_NEXT_HOP_DOWN] = { "next_hop_down", 503, "Service Unavailable", 38,
				  "Network out of order", NO_WAY_BACK },
	[CAUSE_MEDIA_FAILED] = { "media_failed", 488, "Not Acceptable Here", 47,
				 "Resource unavailable", NO_WAY_BACK },
	[CAUSE_MEDIA_SILENT] = { "media_silent", 408, "Request Timeout", 31, "Media silent",
				 NO_WAY_BACK },
	[CAUSE_LOOP] = { "loop",
			 482,
			 "Loop Detected",
			 25,
			 "Exchange routing error",
			 { 482, 483 },
			 { 25 } },
	[CAUSE_OVERLOAD] = { "overload", 503, "Service Unavailable", 42,
			     "Switching equipment congestion", NO_WAY_BACK },
	[CAUSE_TIME_LIMIT] = { "time_limit", 480, "Temporarily Unavailable", 102,
			       "Recovery on timer expiry", NO_WAY_BACK },
	[CAUSE_DRAINING] = { "draining", 503, "Service Unavailable", 41, "Temporary failure",
			     NO_WAY_BACK },
	[CAUSE_INTERNAL] = { "internal", 500, "Server Internal Error", 41, "Temporary failure",
			     NO_WAY_BACK },
	[CAUSE_DIALOG_LOST] = { "dialog_lost", 481, "Call/Transaction Does Not Exist", 102,
				"Recovery on timer expiry", .from_status = { 481 } },
	[CAUSE_SESSION_EXPIRED] = { "session_expired", 408, "Request Timeout", 102,
				    "Recovery on timer expiry", NO_WAY_BACK },
	[CAUSE_REDIRECTED] = { "redirected", 302, "Moved Temporarily", 23,
			       "Redirection to new destination", NO_WAY_BACK },
	[CAUSE_INTERRUPTED] = { "interrupted", 500, "Server Internal Error", 41,
				"Temporary failure", NO_WAY_BACK },
};

static const struct entry *entry(enum cause cause)
{
	assert((unsigned)cause < CAUSE_COUNT);
	return &entries[cause];
}

const char *cause_name(enum cause cause)
{
	return entry(cause)->name;
}

int cause_to_status(enum cause cause)
{
	return entry(cause)->status;
}

const char *cause_to_phrase(enum cause cause)
{
	return entry(cause)->phrase;
}

int cause_to_q850(enum cause cause)
{
	return entry(cause)->q850;
}

void cause_to_reason(enum cause cause, char *ret_reason, size_t room)
{
	(void)snprintf(ret_reason, room, "Q.850;cause=%d;text=\"%s\"", entry(cause)->q850,
		       entry(cause)->q850_text);
}

/* ---- the way back ---- */

static bool lists(const int *values, int value)
{
	for (; *values; values++)
		if (*values == value)
			return true;
	return false;
}

enum cause cause_from_status(int status)
{
	for (int i = 0; i < CAUSE_COUNT; i++)
		if (lists(entries[i].from_status, status))
			return (enum cause)i;
	if (status >= 200 && status < 300)
		return CAUSE_NORMAL;
	/* 5xx: the callee's side is there, but cannot. 3xx, 4xx, 6xx: it will not. */
	return status >= 500 && status < 600 ? CAUSE_UNAVAILABLE : CAUSE_REJECTED;
}

enum cause cause_from_q850(int q850)
{
	/* ITU-T Q.850 section 2.2.5: the class of a value that is not known here. */
	static const enum cause classes[8] = {
		[0] = CAUSE_NORMAL,
		[1] = CAUSE_NORMAL,      /* normal event */
		[2] = CAUSE_UNAVAILABLE, /* no resource */
		[3] = CAUSE_REJECTED,    /* not available */
		[4] = CAUSE_NOT_ACCEPTABLE,
		[5] = CAUSE_NOT_ACCEPTABLE, /* not implemented, invalid */
		[6] = CAUSE_UNAVAILABLE,
		[7] = CAUSE_UNAVAILABLE, /* protocol, interworking */
	};

	for (int i = 0; i < CAUSE_COUNT; i++)
		if (lists(entries[i].from_q850, q850))
			return (enum cause)i;
	return classes[(unsigned)q850 >> 4 & 7];
}

/* The length of one value, up to a separator that stands in no quoted-string. */
static size_t span_to(const char *text, char separator, char other)
{
	bool quoted = false;
	size_t i;

	for (i = 0; text[i]; i++) {
		if (quoted && text[i] == '\\' && text[i + 1])
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == separator || text[i] == other))
			break;
	}
	return i;
}

/* The number of "cause = N", 0 for another parameter. */
static int cause_parameter(const char *text, size_t length)
{
	char word[24], *end;
	long number;

	text += strspn(text, " \t");
	if (strncasecmp(text, "cause", 5) != 0)
		return 0;
	(void)snprintf(word, sizeof(word), "%.*s", (int)length, text + 5);
	text = word + strspn(word, " \t");
	if (*text != '=' || !strchr("0123456789 \t", text[1]))
		return 0;
	number = strtol(text + 1, &end, 10);
	return strchr(" \t,;", *end) && number > 0 && number < 1000 ? (int)number : 0;
}

void cause_read_reason(struct cause_reason *reason, const char *value)
{
	while (*value) {
		const char *protocol = value + strspn(value, " \t");
		size_t name = strcspn(protocol, " \t;,");
		int number = 0;

		value += span_to(value, ',', ';');
		while (*value == ';') {
			size_t length = span_to(++value, ',', ';');

			if (!number)
				number = cause_parameter(value, length);
			value += length;
		}
		value += *value == ',';
		if (name == 5 && strncasecmp(protocol, "Q.850", name) == 0 && number < 128 &&
		    !reason->q850)
			reason->q850 = number;
		else if (name == 3 && strncasecmp(protocol, "SIP", name) == 0 && number >= 100 &&
			 number < 700 && !reason->status)
			reason->status = number;
	}
}

static enum cause cause_said(const struct cause_reason *reason)
{
	enum cause cause = reason->q850 ? cause_from_q850(reason->q850) : CAUSE_NORMAL;

	if (cause == CAUSE_NORMAL && reason->status >= 300)
		cause = cause_from_status(reason->status);
	return cause;
}

enum cause cause_from_response(int status, const struct cause_reason *reason)
{
	enum cause cause = cause_said(reason);

	return cause == CAUSE_NORMAL ? cause_from_status(status) : cause;
}

enum cause cause_from_bye(const struct cause_reason *reason)
{
	enum cause cause = cause_said(reason);

	return cause == CAUSE_CANCELLED ? CAUSE_NORMAL : cause; /* it was answered */
}
