/* SPDX-License-Identifier: Apache-2.0 */
/* rtcp.h - what sender and receiver reports say (RFC 3550 6.4). Pure functions. */
#ifndef BREAKOUT_MEDIA_RTCP_H
#define BREAKOUT_MEDIA_RTCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTCP_BLOCKS_MAX 31 /* the count has five bits */

/* What a receiver says of one stream. */
struct rtcp_block {
	uint32_t ssrc;
	uint8_t fraction; /* lost since its last report, of 256 */
	int32_t lost;     /* since the beginning; duplicates make it negative */
	uint32_t jitter;  /* in the stream's timestamp units */
	uint32_t last_sr; /* the middle of the NTP time of the sender report it had last; 0: none */
	uint32_t delay;   /* since it came, in 1/65536 s */
};

struct rtcp_report {
	bool sender;   /* SR, else RR */
	uint32_t ssrc; /* of its author */
	uint32_t ntp;  /* SR: the middle of its NTP time, as last_sr will repeat it */
	uint8_t count;
	struct rtcp_block blocks[RTCP_BLOCKS_MAX];
};

/* The next SR or RR at or after *at of a sound compound (relay_rtcp_is_sound());
 * *at moves behind it. False: there is no other. One whose count does not fit its
 * length is passed over. */
bool rtcp_next_report(const uint8_t *packet, size_t length, size_t *at,
		      struct rtcp_report *ret_report);

#endif
