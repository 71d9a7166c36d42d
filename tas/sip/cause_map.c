/* SPDX-License-Identifier: Apache-2.0 */
/* cause_map.c - the table behind cause_map.h, and the way back from a status. */
#include "tas/sip/cause_map.h"

#include <assert.h>
#include <stdio.h>

#include "base/macros.h"

/* Q.850 values: ITU-T Q.850 section 2.2.7; pairs after RFC 3398 section
 * 8.2.6.1 and 3GPP TS 29.163 section 7.2.3.1. */
static const struct entry {
	const char *name;
	int status;
	const char *phrase;
	int q850;
	const char *q850_text;
} entries[CAUSE_COUNT] = {
	[CAUSE_NORMAL] = { "normal", 200, "OK", 16, "Normal call clearing" },
	[CAUSE_CANCELLED] = { "cancelled", 487, "Request Terminated", 16, "Normal call clearing" },
	[CAUSE_BUSY] = { "busy", 486, "Busy Here", 17, "User busy" },
	[CAUSE_NO_ANSWER] = { "no_answer", 480, "Temporarily Unavailable", 19, "No answer" },
	[CAUSE_REJECTED] = { "rejected", 603, "Decline", 21, "Call rejected" },
	[CAUSE_UNKNOWN_NUMBER] = { "unknown_number", 404, "Not Found", 1, "Unallocated number" },
	[CAUSE_UNAVAILABLE] = { "unavailable", 480, "Temporarily Unavailable", 20,
				"Subscriber absent" },
	[CAUSE_NOT_ACCEPTABLE] = { "not_acceptable", 488, "Not Acceptable Here", 88,
				   "Incompatible destination" },
	[CAUSE_NEXT_HOP_DOWN] = { "next_hop_down", 503, "Service Unavailable", 38,
				  "Network out of order" },
	[CAUSE_MEDIA_FAILED] = { "media_failed", 488, "Not Acceptable Here", 47,
				 "Resource unavailable" },
	[CAUSE_MEDIA_SILENT] = { "media_silent", 408, "Request Timeout", 31, "Media silent" },
	[CAUSE_LOOP] = { "loop", 482, "Loop Detected", 25, "Exchange routing error" },
	[CAUSE_OVERLOAD] = { "overload", 503, "Service Unavailable", 42,
			     "Switching equipment congestion" },
	[CAUSE_TIME_LIMIT] = { "time_limit", 480, "Temporarily Unavailable", 102,
			       "Recovery on timer expiry" },
	[CAUSE_DRAINING] = { "draining", 503, "Service Unavailable", 41, "Temporary failure" },
	[CAUSE_INTERNAL] = { "internal", 500, "Server Internal Error", 41, "Temporary failure" },
	[CAUSE_DIALOG_LOST] = { "dialog_lost", 481, "Call/Transaction Does Not Exist", 102,
				"Recovery on timer expiry" },
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

enum cause cause_from_status(int status)
{
	static const struct {
		int status;
		enum cause cause;
	} pairs[] = {
		{ 404, CAUSE_UNKNOWN_NUMBER }, { 408, CAUSE_NO_ANSWER },
		{ 410, CAUSE_UNKNOWN_NUMBER }, { 415, CAUSE_NOT_ACCEPTABLE },
		{ 480, CAUSE_UNAVAILABLE },    { 481, CAUSE_DIALOG_LOST },
		{ 482, CAUSE_LOOP },           { 483, CAUSE_LOOP },
		{ 484, CAUSE_UNKNOWN_NUMBER }, { 486, CAUSE_BUSY },
		{ 487, CAUSE_CANCELLED },      { 488, CAUSE_NOT_ACCEPTABLE },
		{ 600, CAUSE_BUSY },           { 603, CAUSE_REJECTED },
		{ 604, CAUSE_UNKNOWN_NUMBER }, { 606, CAUSE_NOT_ACCEPTABLE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (pairs[i].status == status)
			return pairs[i].cause;
	if (status >= 200 && status < 300)
		return CAUSE_NORMAL;
	/* 5xx: the callee's side is there, but cannot. 3xx, 4xx, 6xx: it will not. */
	return status >= 500 && status < 600 ? CAUSE_UNAVAILABLE : CAUSE_REJECTED;
}

void cause_to_reason(enum cause cause, char *ret_reason, size_t room)
{
	(void)snprintf(ret_reason, room, "Q.850;cause=%d;text=\"%s\"", entry(cause)->q850,
		       entry(cause)->q850_text);
}
