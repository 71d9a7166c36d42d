/* SPDX-License-Identifier: Apache-2.0 */
#include "media/reports.h"
#include <string.h>
#include "media/relay.h"

#define HEADER     4  /* bytes before the SSRC */
#define REPORTS    8  /* bytes before the blocks of an RR, or the sender's part of an SR */
#define SENDER     20 /* of that part */
#define BLOCK      24
#define SDES_CNAME 1

/* Of extended reports, RFC 3611 4. */
enum { XR_REFERENCE_TIME = 4, XR_DELAY = 5, XR_VOIP = 7 };
#define XR_DELAY_BLOCK 12

static uint32_t scale(uint32_t ticks, uint32_t to, uint32_t from)
{
	return (uint32_t)((int64_t)(int32_t)ticks * to / (from ? from : 1));
}

static void write_length(uint8_t *part, size_t size)
{
	part[2] = (uint8_t)((size / 4 - 1) >> 8);
	part[3] = (uint8_t)(size / 4 - 1);
}

/* NTP stays; the RTP time that goes with it, and the counts, are of our stream. */
static void rewrite_sender(uint8_t *sender, const struct reports_stream *own)
{
	uint32_t since = relay_word_at(sender + 8) - own->in_timestamp;

	sender_put_word(sender + 8,
			own->out_timestamp + scale(since, own->out_clock, own->in_clock));
	sender_put_word(sender + 12, own->packets);
	sender_put_word(sender + 16, own->octets);
}

/* Which of its numbers came last. Where they are not those that go out, its newest stands
 * for it. False: it was one of another stream, from before this one. */
static bool newest_received(const struct reports_stream *other, uint32_t ours, uint32_t *ret_number)
{
	uint16_t behind = (uint16_t)(other->newest + other->shift - ours);
	uint32_t number = other->made ? other->newest : other->newest - behind;

	*ret_number = number - SENDER_CYCLE;
	return other->made || (int32_t)(number - other->oldest) >= 0;
}

uint32_t reports_lost(const struct sender_told *told)
{
	int32_t lost = told->lost;

	if (lost > 0x7fffff)
		lost = 0x7fffff;
	if (lost < -0x800000)
		lost = -0x800000;
	return (uint32_t)lost & 0xffffff;
}

/* Each author counts cycles from where it began; the newest goes back by what is on its way
 * from the one to the other only. */
void reports_tell(struct sender_told *told, uint32_t ssrc, uint32_t number, int32_t more)
{
	int16_t step = (int16_t)(number - told->number);

	if (!told->known || told->ssrc != ssrc) {
		told->known = true;
		told->ssrc = ssrc;
		told->number = number;
		told->lost = 0;
	} else if (step > 0 || step < -SENDER_LEAP) {
		told->number += (uint32_t)step;
	}
	told->lost = (int32_t)((uint32_t)told->lost + (uint32_t)more);
}

/* The far side's count of it, modulo 2^32: what peers report may be anything. */
static void tell_far(struct sender_told *told, const struct reports_stream *other, uint32_t number,
		     int32_t lost)
{
	uint32_t count = (uint32_t)lost - (uint32_t)other->lost_of_others;
	bool goes_on = told->known && told->ssrc == other->in_ssrc && told->far == other->out_ssrc;

	reports_tell(told, other->in_ssrc, number,
		     (int32_t)(goes_on ? count - (uint32_t)told->far_lost : count));
	told->far = other->out_ssrc;
	told->far_lost = (int32_t)count;
	told->blocks++;
}

/* What is lost between us and its author is told to who sends. False: it is about no
 * stream of theirs. */
static bool rewrite_block(uint8_t *block, const struct reports_way *way)
{
	const struct reports_stream *other = way->other;
	uint32_t fraction = relay_word_at(block + 4) & 0xff000000, number;
	int32_t lost = (int32_t)(relay_word_at(block + 4) << 8) >> 8;

	if (relay_word_at(block) != way->other_ssrc)
		return false;
	if (!other || !newest_received(other, relay_word_at(block + 8), &number))
		return false;
	sender_put_word(block, other->in_ssrc);
	tell_far(way->told, other, number, lost);
	sender_put_word(block + 4, fraction | reports_lost(way->told));
	sender_put_word(block + 8, way->told->number);
	sender_put_word(block + 12,
			scale(relay_word_at(block + 12), other->in_clock, other->out_clock));
	return true;
}

/* An SR about a stream that is not sent there is no more than an RR. Returns what is left;
 * what profiles may add (RFC 3550 6.4.3) is not. */
static size_t rewrite_report(uint8_t *part, size_t size, const struct reports_way *way)
{
	bool sends = part[1] == REPORT_SR;
	size_t at = REPORTS + (sends ? SENDER : 0), end = REPORTS;
	unsigned count = part[0] & 0x1fu, kept = 0;

	if (size < at)
		return 0;
	sends = sends && way->own && relay_word_at(part + HEADER) == way->own->in_ssrc;
	if (sends) {
		rewrite_sender(part + REPORTS, way->own);
		way->told->senders++;
		end += SENDER;
	}
	for (; count > 0 && at + BLOCK <= size; count--, at += BLOCK) {
		if (!rewrite_block(part + at, way))
			continue;
		memmove(part + end, part + at, BLOCK);
		end += BLOCK;
		kept++;
	}
	part[0] = (uint8_t)(0x80 | kept);
	part[1] = sends ? REPORT_SR : REPORT_RR;
	sender_put_word(part + HEADER, way->ssrc);
	write_length(part, end);
	return end;
}

/* Blocks that name a stream name ours; those of a delay may be several. */
static bool rewrite_extended_block(uint8_t *block, size_t size, const struct reports_way *way)
{
	bool delay = block[0] == XR_DELAY;
	size_t step = delay ? XR_DELAY_BLOCK : size;

	if (block[0] == XR_REFERENCE_TIME)
		return true;
	if ((!delay && block[0] != XR_VOIP) || !way->other || size < HEADER + 4)
		return false;
	for (size_t at = HEADER; at + 4 <= size; at += step) {
		if (relay_word_at(block + at) != way->other_ssrc)
			return false;
		sender_put_word(block + at, way->other->in_ssrc);
	}
	return true;
}

static size_t rewrite_extended(uint8_t *part, size_t size, const struct reports_way *way)
{
	size_t at = REPORTS, end = REPORTS;

	while (at + 4 <= size) {
		size_t length = ((size_t)(part[at + 2] << 8 | part[at + 3]) + 1) * 4;

		if (length > size - at)
			break;
		if (rewrite_extended_block(part + at, length, way)) {
			memmove(part + end, part + at, length);
			end += length;
		}
		at += length;
	}
	sender_put_word(part + HEADER, way->ssrc);
	write_length(part, end);
	return end > REPORTS ? end : 0;
}

/* Only the last of a compound may have it, and that may not be this one any more. 0: it
 * is not well-formed. */
static size_t without_padding(uint8_t *part, size_t size)
{
	size_t padding = part[size - 1];

	if (!(part[0] & 0x20))
		return size;
	if (padding == 0 || padding % 4 != 0 || padding >= size)
		return 0;
	part[0] &= (uint8_t)~0x20;
	write_length(part, size - padding);
	return size - padding;
}

/* Returns how much of it is left. */
static size_t rewrite_one(uint8_t *part, size_t size, const struct reports_way *way)
{
	size = without_padding(part, size);
	if (size < HEADER + 4)
		return 0;
	switch (part[1]) {
	case REPORT_SR:
	case REPORT_RR:
		return rewrite_report(part, size, way);
	case REPORT_XR:
		return rewrite_extended(part, size, way);
	case REPORT_APP:
		sender_put_word(part + HEADER, way->ssrc);
		return size;
	default:
		return 0;
	}
}

size_t reports_describe(uint8_t *packet, size_t length, uint32_t ssrc, const char *cname)
{
	size_t name = strlen(cname);
	size_t size = (HEADER + 4 + 2 + name + 1 + 3) / 4 * 4; /* it ends with a zero or more */
	uint8_t *part = packet + length;

	if (length + size > RELAY_PACKET_MAX)
		return length;
	memset(part, 0, size);
	part[0] = 0x81;
	part[1] = REPORT_SDES;
	write_length(part, size);
	sender_put_word(part + HEADER, ssrc);
	part[HEADER + 4] = SDES_CNAME;
	part[HEADER + 5] = (uint8_t)name;
	memcpy(part + HEADER + 6, cname, name);
	return length + size;
}

size_t reports_rewrite(uint8_t *packet, size_t length, const struct reports_way *way)
{
	size_t at = 0, kept = 0;
	bool described = false;

	while (at < length) {
		size_t size = ((size_t)(packet[at + 2] << 8 | packet[at + 3]) + 1) * 4;
		size_t left;

		described = described || packet[at + 1] == REPORT_SDES;
		left = rewrite_one(packet + at, size, way);
		memmove(packet + kept, packet + at, left);
		kept += left;
		at += size;
	}
	if (described && kept > 0) /* whose it is, in our words */
		kept = reports_describe(packet, kept, way->ssrc, way->cname);
	return kept;
}
