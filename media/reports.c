/* SPDX-License-Identifier: Apache-2.0 */
#include "media/reports.h"
#include <stdbool.h>
#include <string.h>
#include "media/relay.h"

/* RFC 3550 6.4 to 6.6. */
enum { REPORT_SR = 200, REPORT_RR, REPORT_SDES, REPORT_BYE };
#define HEADER 4  /* bytes before the SSRC */
#define SENDER 20 /* of a sender's part, behind the SSRC */
#define BLOCK  24

static void write_word(uint8_t *bytes, uint32_t word)
{
	for (unsigned i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(word >> (24 - 8 * i));
}

static uint32_t scale(uint32_t ticks, uint32_t to, uint32_t from)
{
	return (uint32_t)((int64_t)(int32_t)ticks * to / (from ? from : 1));
}

static void rewrite_ssrc(uint8_t *bytes, const struct reports_stream *own)
{
	if (own && relay_word_at(bytes) == own->in_ssrc)
		write_word(bytes, own->out_ssrc);
}

/* NTP stays; the RTP time that goes with it, and the counts, are of our stream. */
static void rewrite_sender(uint8_t *sender, const struct reports_stream *own)
{
	uint32_t since = relay_word_at(sender + 8) - own->in_timestamp;

	write_word(sender + 8, own->out_timestamp + scale(since, own->out_clock, own->in_clock));
	write_word(sender + 12, own->packets);
	write_word(sender + 16, own->octets);
}

/* What is lost between us and its author is told to who sends; which number came
 * last is true only of ours, so that of theirs stands for it. */
static void rewrite_block(uint8_t *block, const struct reports_stream *other)
{
	if (relay_word_at(block) != other->out_ssrc)
		return;
	write_word(block, other->in_ssrc);
	block[10] = (uint8_t)(other->in_sequence >> 8);
	block[11] = (uint8_t)other->in_sequence;
	write_word(block + 12, scale(relay_word_at(block + 12), other->in_clock, other->out_clock));
}

/* False: it is left out. */
static bool rewrite_one(uint8_t *report, size_t length, const struct reports_stream *own,
			const struct reports_stream *other)
{
	size_t at = HEADER + 4;

	if (report[1] > REPORT_BYE || length < HEADER + 4)
		return report[1] == REPORT_BYE || report[1] == REPORT_SDES;
	rewrite_ssrc(report + HEADER, own);
	if (report[1] > REPORT_RR)
		return true;
	if (report[1] == REPORT_SR) {
		if (own && length >= at + SENDER)
			rewrite_sender(report + at, own);
		at += SENDER;
	}
	for (unsigned i = 0; other && i < (report[0] & 0x1fu) && at + BLOCK <= length; i++) {
		rewrite_block(report + at, other);
		at += BLOCK;
	}
	return true;
}

size_t reports_rewrite(uint8_t *packet, size_t length, const struct reports_stream *own,
		       const struct reports_stream *other)
{
	size_t at = 0, kept = 0;

	while (at < length) {
		size_t size = ((size_t)(packet[at + 2] << 8 | packet[at + 3]) + 1) * 4;

		if (rewrite_one(packet + at, size, own, other)) {
			memmove(packet + kept, packet + at, size);
			kept += size;
		}
		at += size;
	}
	return kept;
}
