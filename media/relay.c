/* SPDX-License-Identifier: Apache-2.0 */
#include "media/relay.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "media/ice.h"
#include "media/lite.h"
#include "media/transcoder.h"

#define RTP_HEADER  12 /* bytes, RFC 3550 5.1 */
#define RTCP_HEADER 8  /* bytes: an RR without blocks, RFC 3550 6.4.2 */
#define USUAL_CLOCK 8000

enum wire wire_of(uint8_t first_byte)
{
	if (first_byte <= 3)
		return WIRE_STUN;
	if (first_byte >= 20 && first_byte <= 63)
		return WIRE_DTLS;
	if (first_byte >= 128 && first_byte <= 191)
		return WIRE_RTP;
	return WIRE_OTHER;
}

bool wire_is_rtcp(const uint8_t *packet)
{
	return packet[1] >= 192 && packet[1] <= 223;
}

uint32_t relay_word_at(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return ntohl(word);
}

static uint16_t half_at(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

bool relay_rtp_is_sound(const uint8_t *packet, size_t length)
{
	size_t header = RTP_HEADER;

	if (length < RTP_HEADER || packet[0] >> 6 != 2)
		return false;
	header += (packet[0] & 0x0fu) * 4;
	if (packet[0] & 0x10) { /* header extension */
		if (length < header + 4)
			return false;
		header += 4 + half_at(packet + header + 2) * 4u;
	}
	if (length < header)
		return false;
	if (packet[0] & 0x20) /* padding: its length is the last byte, at least 1 */
		return packet[length - 1] > 0 && packet[length - 1] <= length - header;
	return true;
}

bool relay_rtcp_is_sound(const uint8_t *packet, size_t length)
{
	size_t at = 0;

	if (length < RTCP_HEADER)
		return false;
	while (at < length) { /* a compound ends exactly where the datagram ends */
		size_t rest = length - at;

		if (rest < 4 || packet[at] >> 6 != 2 || !wire_is_rtcp(packet + at) ||
		    (half_at(packet + at + 2) + 1u) * 4 > rest)
			return false;
		at += (half_at(packet + at + 2) + 1u) * 4;
	}
	return true;
}

void relay_leg_init(struct relay_leg *leg, struct relay_leg *peer, struct receipt *receipt)
{
	memset(leg, 0, sizeof(*leg));
	leg->ops = &relay_ops_closed;
	leg->peer = peer;
	leg->receipt = receipt;
	leg->first_pending = true;
	memset(leg->types, CODECS_DROP, sizeof(leg->types));
}

void relay_look(const struct relay_leg *leg, unsigned step)
{
	const struct relay_leg *peer = leg->peer;

	switch (step) {
	case 0:
		look_ahead(leg, sizeof(*leg));
		break;
	case 1:
		look_ahead(leg->receipt, offsetof(struct receipt, texts));
		look_ahead(peer, sizeof(*peer));
		srtp_pair_look(leg->srtp, 0);
		break;
	case 2:
		look_ahead(peer->receipt, 2 * CACHE_LINE);
		look_ahead(leg->sender, 1);
		look_ahead(peer->sender, offsetof(struct sender, before));
		srtp_pair_look(leg->srtp, 1);
		srtp_pair_look(peer->srtp, 0);
		if (peer->lite)
			lite_leg_look(peer->lite);
		break;
	}
}

/* A digit in a stream of its own beside that of the speech: its numbers are no loss there. */
static bool is_beside(const struct relay_leg *from, const uint8_t *packet)
{
	return from->quality.started && relay_word_at(packet + 8) != from->quality.ssrc &&
	       relay_is_event(from, packet);
}

static void count_in(struct relay_leg *from, const uint8_t *packet, size_t length, uint64_t now_ns)
{
	struct receipt *receipt = from->receipt;
	mono_ms now = (mono_ms)(now_ns / 1000000u);

	receipt_add(&receipt->packets_in, 1);
	receipt_add(&receipt->bytes_in, length);
	if (is_beside(from, packet))
		quality_beside(&from->quality, receipt, now_ns);
	else
		quality_packet(&from->quality, receipt, packet, now_ns);
	atomic_store_explicit(&receipt->last_in_ms, now, memory_order_relaxed);
	if (!from->first_pending)
		return;
	from->first_pending = false;
	if (atomic_load_explicit(&receipt->first_in_ms, memory_order_relaxed) == 0)
		atomic_store_explicit(&receipt->first_in_ms, now, memory_order_relaxed);
	if (from->on_first)
		from->on_first(from);
}

static void convert(struct relay_leg *from, uint8_t *packet, size_t length)
{
	if (!from->transcoder && from->on_convert)
		from->on_convert(from);
	if (from->transcoder)
		transcoder_take(from->transcoder, packet, length);
	else
		receipt_add(&from->receipt->dropped_other, 1);
}

static uint32_t clock_of(const struct relay_leg *leg, uint8_t type)
{
	uint32_t clock = leg->clock ? leg->clock(leg, type) : 0;

	return clock ? clock : USUAL_CLOCK;
}

void relay_send_rtp(struct relay_leg *to, uint8_t *packet, size_t length, uint64_t now_ns)
{
	struct sender *sender = to->sender;

	if (!sender || to->ops == &relay_ops_closed ||
	    sender_goes_on(sender, packet, length, now_ns) ||
	    sender_weigh(sender, packet, length, now_ns, clock_of(to, packet[1] & 0x7f)))
		to->ops->send_rtp(to, packet, length);
	else
		receipt_add(&to->receipt->dropped_other, 1);
}

/* Its peer has our SSRC, and is told that ours is another from here on (RFC 3550 8.2). */
static void leave_ssrc(struct relay_leg *leg, const uint8_t *theirs)
{
	static const uint8_t empty[] = { 0x80, 201, 0, 1, 0, 0, 0, 0, 0x81, 203, 0, 1 };
	uint8_t bye[RELAY_BUFFER];

	if (!sender_collides(leg->sender, half_at(theirs + 2)))
		return;
	memcpy(bye, empty, sizeof(empty));
	memcpy(bye + 4, theirs + 8, 4);
	memcpy(bye + 12, theirs + 8, 4);
	leg->ops->send_rtcp(leg, bye, 16);
}

void relay_rtp(struct relay_leg *from, uint8_t *packet, size_t length)
{
	uint64_t now_ns = clock_now_ns();
	uint8_t type;

	if (!relay_rtp_is_sound(packet, length)) {
		receipt_add(&from->receipt->dropped_other, 1);
		return;
	}
	count_in(from, packet, length, now_ns);
	if (from->sender && relay_word_at(packet + 8) == from->sender->ssrc)
		leave_ssrc(from, packet);
	if (from->tape)
		tape_hear(from->tape, from->side, packet, length, clock_now());
	type = from->types[packet[1] & 0x7f];
	if (type == CODECS_CONVERT) {
		convert(from, packet, length);
		return;
	}
	if (type == CODECS_DROP) {
		receipt_add(&from->receipt->dropped_other, 1);
		return;
	}
	packet[1] = (uint8_t)((packet[1] & 0x80) | type);
	length = extensions_rewrite(&from->extensions, packet, length);
	relay_send_rtp(from->peer, packet, length, now_ns);
}

/* What the peer of `from` sends, and what becomes of it on the other side. False: that is
 * fed by something else now. */
static bool stream_of(const struct relay_leg *from, struct reports_stream *ret_stream)
{
	const struct sender *sender = from->peer->sender;
	const struct sender_source *source = &sender->now;
	bool made = from->transcoder && transcoder_stream(from->transcoder, ret_stream);

	if (!made)
		*ret_stream = (struct reports_stream){ .in_ssrc = from->quality.ssrc,
						       .in_timestamp = source->timestamp,
						       .in_clock = 1,
						       .out_ssrc = from->quality.ssrc,
						       .out_timestamp = source->timestamp,
						       .out_clock = 1 };
	if (!source->known || !from->quality.started || source->ssrc != ret_stream->out_ssrc)
		return false;
	ret_stream->out_ssrc = sender->ssrc;
	ret_stream->out_timestamp += source->time_shift;
	ret_stream->packets = sender->packets;
	ret_stream->octets = sender->octets;
	ret_stream->made = made;
	ret_stream->newest = made ? from->quality.highest : source->newest;
	ret_stream->oldest = source->oldest;
	ret_stream->shift = source->shift;
	ret_stream->lost_of_others = source->lost_of_others;
	return true;
}

/* Each side knows streams of ours alone. */
static size_t rewrite_reports(struct relay_leg *from, uint8_t *packet, size_t length)
{
	struct relay_leg *to = from->peer;
	struct reports_stream own, other;
	struct reports_way way = { .ssrc = to->sender->ssrc,
				   .cname = to->sender->cname,
				   .own = stream_of(from, &own) ? &own : NULL,
				   .other_ssrc = from->sender->ssrc,
				   .other = stream_of(to, &other) ? &other : NULL,
				   .told = &to->sender->told };
	unsigned blocks = way.told->blocks;

	length = reports_rewrite(packet, length, &way);
	if (way.told->blocks != blocks)
		quality_told(&to->quality);
	return length;
}

void relay_rtcp(struct relay_leg *from, uint8_t *packet, size_t length)
{
	int32_t nobody; /* a local side reads no reports */

	if (!relay_rtcp_is_sound(packet, length)) {
		receipt_add(&from->receipt->dropped_other, 1);
		return;
	}
	receipt_add(&from->receipt->rtcp_in, 1);
	quality_reports(&from->quality, &from->peer->quality, from->receipt,
			from->sender ? from->sender->ssrc : 0, packet, length, clock_now_ns(),
			from->sender ? &from->sender->lost : &nobody);
	if (from->sender && from->peer->sender)
		length = rewrite_reports(from, packet, length);
	if (length > 0)
		from->peer->ops->send_rtcp(from->peer, packet, length);
}

bool relay_srtp(struct relay_leg *from, uint8_t *packet, size_t length)
{
	bool rtcp;
	int err;

	if (length < RTP_HEADER || !from->srtp) {
		receipt_add(&from->receipt->dropped_other, 1);
		return false;
	}
	rtcp = wire_is_rtcp(packet);
	err = rtcp ? srtp_pair_unprotect_rtcp(from->srtp, packet, &length)
		   : srtp_pair_unprotect(from->srtp, packet, &length);
	if (err)
		receipt_add(err == -EBADMSG ? &from->receipt->dropped_auth
					    : &from->receipt->dropped_other,
			    1);
	else if (rtcp)
		relay_rtcp(from, packet, length);
	else
		relay_rtp(from, packet, length);
	return !err;
}

void relay_count_out(struct relay_leg *leg, size_t length, bool sent)
{
	if (!sent) {
		receipt_add(&leg->receipt->dropped_other, 1);
		return;
	}
	receipt_add(&leg->receipt->packets_out, 1);
	receipt_add(&leg->receipt->bytes_out, length);
}

static void closed_send(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	(void)packet;
	(void)length;
	receipt_add(&leg->receipt->dropped_other, 1);
}

const struct relay_ops relay_ops_closed = { closed_send, closed_send };

bool relay_send(struct relay_leg *leg, const uint8_t *packet, size_t length)
{
	return leg->lite ? lite_leg_send(leg->lite, packet, length)
			 : ice_send(leg->ice, packet, length);
}

static void srtp_send_rtp(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	size_t sealed = mid_add(&leg->mid, packet, length);
	bool sent = srtp_pair_protect(leg->srtp, packet, &sealed) == 0 &&
		    relay_send(leg, packet, sealed);

	relay_count_out(leg, length, sent);
}

static void srtp_send_rtcp(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	size_t sealed = length;

	if (srtp_pair_protect_rtcp(leg->srtp, packet, &sealed) == 0 &&
	    relay_send(leg, packet, sealed))
		receipt_add(&leg->receipt->rtcp_out, 1);
	else
		receipt_add(&leg->receipt->dropped_other, 1);
}

const struct relay_ops relay_ops_srtp = { srtp_send_rtp, srtp_send_rtcp };
