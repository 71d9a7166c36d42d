/* SPDX-License-Identifier: Apache-2.0 */
/* quality.h - what a peer's packets are like, told from each one in passing: loss,
 * order, jitter, gaps; and from the reports that cross: round trip, and what the
 * peer says it receives.
 *
 * What a peer reports of loss and jitter of our stream is about the whole way from the
 * other end, as what is lost on the way to us is lost in ours too. The round trip is our own: we
 * know when a sender report passed towards the peer, and its reports tell how long it had kept it.
 *
 * Nothing here allocates or locks. Threads: the media thread of the session.
 */
#ifndef BREAKOUT_MEDIA_QUALITY_H
#define BREAKOUT_MEDIA_QUALITY_H

#include "media/receipt.h"

#define QUALITY_PASSED_MAX 4 /* sender reports a peer may be late with */

struct quality {
	bool started;
	uint32_t ssrc;
	uint32_t first, highest; /* extended sequence numbers, RFC 3550 A.1 */
	uint64_t received;       /* since first; each number once */
	uint64_t lost_before;    /* of earlier SSRCs and restarts */
	uint64_t came;           /* bit n: the packet `highest` - n */
	uint64_t duplicates, reordered;

	uint32_t rate;       /* Hz of the RTP clock; 0: not known, no jitter */
	uint32_t timestamp;  /* the newest */
	uint64_t newest_ns;  /* when it came; 0: none yet */
	uint32_t jitter_x16; /* timestamp units, RFC 3550 A.8 */
	uint64_t last_ns;    /* of the last packet; 0: a gap begins nowhere */

	/* Sender reports that went to this peer. */
	struct quality_passed {
		uint32_t ntp;
		uint64_t at_ns;
	} passed[QUALITY_PASSED_MAX];
	unsigned passed_next;
	struct quality_passed last_sr; /* its own, of this stream; at_ns 0: none yet */
	uint64_t told_lost;            /* of the stream, when it was last told of some */
};

/* A sound RTP packet of this peer came. */
void quality_packet(struct quality *quality, struct receipt *receipt, const uint8_t *packet,
		    uint64_t now_ns);

/* One that is not of its stream of speech. */
void quality_beside(struct quality *quality, struct receipt *receipt, uint64_t now_ns);

/* A sound RTCP compound of the peer `from`, as it came, passes to the peer `to`; the receipt is
 * that of `from`, the SSRC ours towards it. `lost` is set to the lost packets that are reported
 * of that, if any are. */
void quality_reports(struct quality *from, struct quality *to, struct receipt *receipt,
		     uint32_t ssrc, const uint8_t *packet, size_t length, uint64_t now_ns,
		     int32_t *lost);

/* A sender report of our own making goes to this peer; ntp: the middle of its time. */
void quality_reported(struct quality *quality, uint32_t ntp, uint64_t now_ns);

/* Lost since the beginning; and of the stream, since its peer was last told of some. */
uint64_t quality_lost(const struct quality *quality);
int32_t quality_lost_untold(const struct quality *quality);
void quality_told(struct quality *quality);

/* What was agreed: the peer's RTP clock, and whether it sends at all. */
void quality_agree(struct quality *quality, struct receipt *receipt, uint32_t rate, bool sends);

/* Mean opinion score of what arrives, 1 to 4.5, on the narrow-band scale; 0: nothing
 * to judge. The E-model of ITU-T G.107 with its defaults, reduced to loss and delay:
 * Id as in Cole and Rosenbluth, Voice over IP Performance Monitoring (2001), and the
 * equipment values of G.113 appendix I. */
double quality_mos(const struct media_receipt *receipt);

#endif
