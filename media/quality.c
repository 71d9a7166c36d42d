/* SPDX-License-Identifier: Apache-2.0 */
#include "media/quality.h"
#include "base/str.h"
#include "media/relay.h"
#include "media/rtcp.h"

#define MAX_DROPOUT 3000   /* sequence numbers, RFC 3550 A.1 */
#define CYCLE       65536u /* sequence numbers are counted from here: none below 0 */
#define WINDOW      64     /* bits of `came` */
#define NS_PER_S    1000000000u
#define NS_PER_MS   1000000u

uint64_t quality_lost(const struct quality *quality)
{
	uint64_t expected = (uint64_t)quality->highest - quality->first + quality->started;

	return quality->lost_before +
	       (expected > quality->received ? expected - quality->received : 0);
}

static void start(struct quality *quality, uint32_t ssrc, uint16_t number)
{
	if (quality->started)
		quality->lost_before = quality_lost(quality);
	if (!quality->started || ssrc != quality->ssrc) {
		quality->last_sr.at_ns = 0;
		quality->told_lost = quality->lost_before;
	}
	quality->started = true;
	quality->ssrc = ssrc;
	quality->first = quality->highest = CYCLE + number;
	quality->received = 1;
	quality->came = 1;
	quality->newest_ns = 0;
}

/* One that is not newer than the newest. */
static void count_late(struct quality *quality, struct receipt *receipt, unsigned behind)
{
	bool seen = behind < WINDOW && (quality->came >> behind & 1);

	if (seen) {
		atomic_store_explicit(&receipt->duplicates, ++quality->duplicates,
				      memory_order_relaxed);
		return;
	}
	if (behind < WINDOW)
		quality->came |= UINT64_C(1) << behind;
	if (quality->highest - behind < quality->first)
		quality->first = quality->highest - behind;
	quality->received++;
	atomic_store_explicit(&receipt->reordered, ++quality->reordered, memory_order_relaxed);
}

/* True: the packet is the newest of its stream. */
static bool count_number(struct quality *quality, struct receipt *receipt, const uint8_t *packet)
{
	uint16_t number = (uint16_t)(packet[2] << 8 | packet[3]);
	uint32_t ssrc = relay_word_at(packet + 8);
	uint16_t ahead = (uint16_t)(number - (uint16_t)quality->highest);

	if (!quality->started || ssrc != quality->ssrc ||
	    (ahead >= MAX_DROPOUT && ahead < CYCLE - MAX_DROPOUT)) {
		start(quality, ssrc, number);
		return true;
	}
	if (ahead == 0 || ahead >= MAX_DROPOUT) {
		count_late(quality, receipt, (uint16_t)-ahead);
		return false;
	}
	quality->highest += ahead;
	quality->came = ahead < WINDOW ? quality->came << ahead | 1 : 1;
	quality->received++;
	return true;
}

/* RFC 3550 A.8, over packets that carry new time: those of one key pressed share
 * their timestamp (RFC 4733 2.2). A jump of a second is the sender's clock, not the
 * network. */
static void count_time(struct quality *quality, struct receipt *receipt, uint32_t timestamp,
		       uint64_t now_ns)
{
	int32_t step = (int32_t)(timestamp - quality->timestamp);
	int64_t late;

	if (quality->newest_ns != 0 && step > 0) {
		late = (int64_t)((now_ns - quality->newest_ns) * quality->rate / NS_PER_S) - step;
		late = late < 0 ? -late : late;
		if (late < (int64_t)quality->rate) {
			quality->jitter_x16 += (uint32_t)late - ((quality->jitter_x16 + 8) >> 4);
			atomic_store_explicit(&receipt->jitter_x16, quality->jitter_x16,
					      memory_order_relaxed);
		}
	}
	if (quality->newest_ns == 0 || step > 0) {
		quality->timestamp = timestamp;
		quality->newest_ns = now_ns;
	}
}

static void count_gap(struct quality *quality, struct receipt *receipt, uint64_t now_ns)
{
	unsigned gap_ms = (unsigned)((now_ns - quality->last_ns) / NS_PER_MS);

	if (quality->last_ns != 0 &&
	    gap_ms > atomic_load_explicit(&receipt->gap_ms, memory_order_relaxed))
		atomic_store_explicit(&receipt->gap_ms, gap_ms, memory_order_relaxed);
	quality->last_ns = now_ns;
}

void quality_packet(struct quality *quality, struct receipt *receipt, const uint8_t *packet,
		    uint64_t now_ns)
{
	bool newest = count_number(quality, receipt, packet);

	atomic_store_explicit(&receipt->lost, quality_lost(quality), memory_order_relaxed);
	if (newest && quality->rate)
		count_time(quality, receipt, relay_word_at(packet + 4), now_ns);
	count_gap(quality, receipt, now_ns);
}

void quality_beside(struct quality *quality, struct receipt *receipt, uint64_t now_ns)
{
	count_gap(quality, receipt, now_ns);
}

static void measure_round_trip(const struct quality *from, struct receipt *receipt,
			       const struct rtcp_block *block, uint64_t now_ns)
{
	uint64_t kept_ns = (uint64_t)block->delay * NS_PER_S >> 16;

	if (block->last_sr == 0)
		return;
	for (unsigned i = 0; i < QUALITY_PASSED_MAX; i++) {
		const struct quality_passed *passed = &from->passed[i];

		if (passed->at_ns == 0 || passed->ntp != block->last_sr ||
		    passed->at_ns + kept_ns > now_ns)
			continue;
		atomic_store_explicit(&receipt->rtt_us,
				      (unsigned)((now_ns - passed->at_ns - kept_ns) / 1000),
				      memory_order_relaxed);
	}
}

static void note_sender(struct quality *quality, const struct rtcp_report *report, uint64_t now_ns)
{
	if (quality->started && report->ssrc == quality->ssrc)
		quality->last_sr = (struct quality_passed){ report->ntp, now_ns };
}

static void note_block(struct receipt *receipt, const struct rtcp_block *block)
{
	atomic_store_explicit(&receipt->reported_lost, block->lost, memory_order_relaxed);
	atomic_store_explicit(&receipt->reported_fraction, block->fraction, memory_order_relaxed);
	atomic_store_explicit(&receipt->reported_jitter, block->jitter, memory_order_relaxed);
	atomic_store_explicit(&receipt->reported, true, memory_order_relaxed);
}

void quality_reported(struct quality *quality, uint32_t ntp, uint64_t now_ns)
{
	quality->passed[quality->passed_next++ % QUALITY_PASSED_MAX] =
		(struct quality_passed){ ntp, now_ns };
}

int32_t quality_lost_untold(const struct quality *quality)
{
	return (int32_t)(quality_lost(quality) - quality->told_lost);
}

void quality_told(struct quality *quality)
{
	quality->told_lost = quality_lost(quality);
}

void quality_reports(struct quality *from, struct quality *to, struct receipt *receipt,
		     uint32_t ssrc, const uint8_t *packet, size_t length, uint64_t now_ns,
		     int32_t *lost)
{
	struct rtcp_report report;
	size_t at = 0;

	while (rtcp_next_report(packet, length, &at, &report)) {
		if (report.sender) {
			note_sender(from, &report, now_ns);
			quality_reported(to, report.ntp, now_ns);
		}
		for (unsigned i = 0; i < report.count; i++) {
			if (report.blocks[i].ssrc != ssrc)
				continue;
			measure_round_trip(from, receipt, &report.blocks[i], now_ns);
			note_block(receipt, &report.blocks[i]);
			*lost = report.blocks[i].lost;
		}
	}
}

void quality_agree(struct quality *quality, struct receipt *receipt, uint32_t rate, bool sends)
{
	if (rate != quality->rate) {
		quality->newest_ns = 0;
		quality->jitter_x16 = 0;
	}
	quality->rate = rate;
	if (!sends)
		quality->last_ns = 0;
	atomic_store_explicit(&receipt->rate, rate, memory_order_relaxed);
	atomic_store_explicit(&receipt->sends, sends, memory_order_relaxed);
	atomic_store_explicit(&receipt->agreed, true, memory_order_relaxed);
}

/* Impairment at no loss, and robustness against it, with concealment: G.113
 * appendix I; G.722 and Opus have no values on this scale and count as G.711. */
static void equipment(const char *codec, double *ret_ie, double *ret_bpl)
{
	bool amr = str_starts(codec, "AMR"); /* at 12.2 kbit/s, as GSM EFR */

	*ret_ie = amr ? 5 : 0;
	*ret_bpl = amr ? 10 : 25.1;
}

double quality_mos(const struct media_receipt *receipt)
{
	double all = (double)(receipt->packets_in + receipt->lost), loss, delay, ie, bpl, r;

	if (receipt->packets_in == 0)
		return 0;
	equipment(receipt->codec, &ie, &bpl);
	loss = 100.0 * (double)receipt->lost / all;
	/* Half the round trip, a packet of 20 ms, and a jitter buffer of twice the jitter. */
	delay = receipt->rtt_us / 2000.0 + 20 + 2 * receipt->jitter_us / 1000.0;
	r = 93.2 - 0.024 * delay - (delay > 177.3 ? 0.11 * (delay - 177.3) : 0) - ie -
	    (95 - ie) * loss / (loss + bpl);
	if (r < 0)
		return 1;
	return 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6; /* G.107 annex B */
}
