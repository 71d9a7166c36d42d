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
	int32_t *lost; /* set to the lost packets that are reported of it, if any are */
};

/* A sound compound in a buffer of RELAY_BUFFER. What says nothing over there is left out:
 * reports about other streams, the sender's part of one that is not sent there, feedback,
 * which no SDP of ours agrees on, and BYE: ours goes on. Returns the length that is left;
 * 0: nothing. */
size_t reports_rewrite(uint8_t *packet, size_t length, const struct reports_way *way);

#endif
