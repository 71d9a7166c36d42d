/* SPDX-License-Identifier: Apache-2.0 */
/* reports.h - RTCP across a direction whose speech is converted.
 *
 * Each side sees one stream of ours where the other sends its own; its reports are
 * rewritten so that each reads as if about the stream that it knows (RFC 3550
 * section 7.2). NTP times stay, and so round trips are those of the whole way.
 *
 * Threads: the media thread of the session.
 */
#ifndef BREAKOUT_MEDIA_REPORTS_H
#define BREAKOUT_MEDIA_REPORTS_H

#include <stddef.h>
#include <stdint.h>

/* A stream as it came in, and as it goes out. */
struct reports_stream {
	uint32_t in_ssrc, in_timestamp, in_clock;
	uint16_t in_sequence; /* the newest */
	uint32_t out_ssrc, out_timestamp, out_clock;
	uint32_t packets, octets; /* sent */
};

/* A sound compound of the sender of `own`; what it receives is `other`. Either is NULL
 * where nothing is converted. Packets that say nothing over there (feedback, extended
 * reports, APP) are left out. Returns the length that is left. */
size_t reports_rewrite(uint8_t *packet, size_t length, const struct reports_stream *own,
		       const struct reports_stream *other);

#endif
