/* SPDX-License-Identifier: Apache-2.0 */
/* reports.h - RTCP across us.
 *
 * Each side sees one stream of ours where the other sends its own; its reports are
 * rewritten so that each reads as if about the stream that it knows (RFC 3550
 * section 7.2). NTP times stay, and so round trips are those of the whole way.
 *
 * Threads: the media thread of the session.
 */
#ifndef BREAKOUT_MEDIA_REPORTS_H
#define BREAKOUT_MEDIA_REPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "media/sender.h"

/* RFC 3550 6.4 to 6.7, RFC 3611. */
enum { REPORT_SR = 200, REPORT_RR, REPORT_SDES, REPORT_BYE, REPORT_APP, REPORT_XR = 207 };

/* A stream as it came in, and as it goes out. */
struct reports_stream {
	uint32_t in_ssrc, in_timestamp, in_clock;
	uint32_t out_ssrc, out_timestamp, out_clock;
	uint32_t packets, octets; /* sent */
	/* Extended numbers as it came in: the newest, the first that went out, and what lies
	 * between them and ours. */
	uint32_t newest, oldest, shift;
	bool made;              /* of its speech: numbers that go out are not its own */
	int32_t lost_of_others; /* of what is reported lost, not of this stream */
};

struct reports_way {
	uint32_t ssrc;     /* ours, towards who will read this */
	const char *cname; /* of that, */
	/* the stream of its author; NULL: something else is sent there now, */
	const struct reports_stream *own;
	uint32_t other_ssrc; /* ours, towards its author, and */
	/* what feeds that; NULL: nothing of who will read this. */
	const struct reports_stream *other;
	struct sender_told *told; /* who will read this, of its stream */
};

/* Of the stream `ssrc` this number and so many more lost are told: what is to be said of it
 * stands in `told` then. */
void reports_tell(struct sender_told *told, uint32_t ssrc, uint32_t number, int32_t more);
/* 24 bits with a sign: RFC 3550 6.4.1. */
uint32_t reports_lost(const struct sender_told *told);
/* An SDES with a CNAME, behind a compound of that length; returns the new one. */
size_t reports_describe(uint8_t *packet, size_t length, uint32_t ssrc, const char *cname);

/* A sound compound in a buffer of RELAY_BUFFER. What says nothing over there is left out:
 * reports about other streams, the sender's part of one that is not sent there, feedback,
 * which no SDP of ours agrees on, and BYE: ours goes on. Returns the length that is left;
 * 0: nothing. */
size_t reports_rewrite(uint8_t *packet, size_t length, const struct reports_way *way);

#endif
