/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams of a peer through the packet path into a listening local leg:
 * plain, and once more as SRTP that cannot authenticate. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "media/local.h"
#include "media/srtp.h"
#include "tests/fuzz/fuzz.h"

static struct relay_leg legs[2];
static struct receipt receipts[2];
static struct srtp_pair *pair;

static void set_up(void)
{
	static const struct media_local options = { .echo = true, .detect = true };
	static const struct local_handlers nobody; /* nothing is played to its end */
	static const struct srtp_keys keys = { .suite = SRTP_SUITE_AEAD_AES_128_GCM };
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
	relay_srtp(&legs[0], packet, size);
	return 0;
}
