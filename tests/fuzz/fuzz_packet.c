/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams of a peer through the packet path into a listening local leg:
 * plain, once more as SRTP that cannot authenticate, and as what a peer that has the keys
 * sends, so that each of these reaches what is behind the keys; and through the stream that
 * is ours to a peer, which gets sound packets of one SSRC. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "media/local.h"
#include "media/srtp.h"
#include "tests/fuzz/fuzz.h"

static struct relay_leg legs[2], relayed[2];
static struct receipt receipts[2];
static struct srtp_pair *pair;

static void check_rtp(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	if (!relay_rtp_is_sound(packet, length) || relay_word_at(packet + 8) != leg->sender->ssrc)
		abort();
}

static void check_rtcp(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	/* A source that chose our SSRC is told good-bye in the words of the one before. */
	if (!relay_rtcp_is_sound(packet, length) || length > RELAY_PACKET_MAX ||
	    (relay_word_at(packet + 4) != leg->sender->ssrc && leg->sender->spare))
		abort();
}

static const struct relay_ops checks = { check_rtp, check_rtcp };

static void set_up_relayed(void)
{
	for (unsigned i = 0; i < 2; i++) {
		relay_leg_init(&relayed[i], &relayed[!i], &receipts[i]);
		relayed[i].ops = &checks;
		if (sender_create(&relayed[i].sender))
			abort();
		relayed[i].sender->ssrc = i + 1; /* input can have it too; and a wrap is near */
		relayed[i].sender->spare = i + 256;
		relayed[i].sender->next = SENDER_CYCLE + 65530;
		for (unsigned type = 0; type < 128; type++)
			relayed[i].types[type] = (uint8_t)type;
	}
}

/* As many as there are, each behind its length, from either side. */
static void relay(const uint8_t *data, size_t size)
{
	uint8_t packet[RELAY_BUFFER];

	for (size_t at = 0; at + 2 < size;) {
		size_t length = data[at + 1];

		length = length > size - at - 2 ? size - at - 2 : length;
		memcpy(packet, data + at + 2, length);
		if (length >= 2 && wire_is_rtcp(packet))
			relay_rtcp(&relayed[data[at] & 1], packet, length);
		else
			relay_rtp(&relayed[data[at] & 1], packet, length);
		at += 2 + length;
	}
	for (unsigned i = 0; i < 2; i++)
		relayed[i].sender = sender_unref(relayed[i].sender);
}

/* Two directions of one key: each can open what the other has sealed. Inputs have the same
 * numbers again and again, so each begins anew. */
static const struct srtp_keys keys = { .suite = SRTP_SUITE_AEAD_AES_128_GCM };

static void say_sealed(const uint8_t *data, size_t size)
{
	struct srtp_pair *peer, *ours;
	uint8_t packet[RELAY_BUFFER];
	size_t length = size;

	if (srtp_pair_create(&peer, &keys) || srtp_pair_create(&ours, &keys))
		abort();
	memcpy(packet, data, size);
	if ((wire_is_rtcp(packet) ? srtp_pair_protect_rtcp(peer, packet, &length)
				  : srtp_pair_protect(peer, packet, &length)) == 0 &&
	    length <= RELAY_PACKET_MAX) {
		legs[0].srtp = ours;
		relay_look(&legs[0], 0);
		if (!relay_srtp(&legs[0], packet, length))
			abort(); /* it was authentic */
	}
	srtp_pair_destroy(peer);
	srtp_pair_destroy(ours);
}

static void set_up(void)
{
	static const struct media_local options = { .echo = true, .detect = true };
	static const struct local_handlers nobody; /* nothing is played to its end */
	static struct media_desc desc;
	struct timer_wheel *wheel;
	const char *why;

	relay_leg_init(&legs[0], &legs[1], &receipts[0]);
	relay_leg_init(&legs[1], &legs[0], &receipts[1]);
	legs[0].extensions.out[1] = 3;
	if (srtp_start(&why) || srtp_pair_create(&pair, &keys) ||
	    timer_wheel_create(&wheel, clock_now()) ||
	    local_create(&legs[1].local, wheel, &legs[1], &options, NULL, &nobody) ||
	    local_codecs(NULL, 0, &desc))
		abort();
	for (unsigned i = 0; i < 128; i++)
		legs[0].types[i] = legs[1].types[i] = (uint8_t)i;
	local_agree(legs[1].local, &desc, /* sending= */ true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t packet[RELAY_BUFFER];

	if (!pair)
		set_up();
	set_up_relayed();
	relay(data, size);
	if (size < 2 || size > RELAY_PACKET_MAX || wire_of(data[0]) != WIRE_RTP)
		return 0;
	legs[0].srtp = NULL;
	memcpy(packet, data, size);
	if (wire_is_rtcp(packet))
		relay_rtcp(&legs[0], packet, size);
	else
		relay_rtp(&legs[0], packet, size);
	legs[0].srtp = pair;
	memcpy(packet, data, size);
	if (relay_srtp(&legs[0], packet, size))
		abort(); /* nobody has sealed it */
	say_sealed(data, size);
	return 0;
}
