/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of a peer through a transcoder that converts speech and digits: each is one
 * byte of time, one of length, and itself. What comes out is sound RTP. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "media/transcoder.h"
#include "media/voice.h"
#include "tests/fuzz/fuzz.h"

static struct relay_leg legs[2];
static struct receipt receipts[2];

static void check(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	(void)leg;
	if (wire_is_rtcp(packet) ? !relay_rtcp_is_sound(packet, length)
				 : !relay_rtp_is_sound(packet, length))
		abort();
}

static const struct relay_ops ops = { check, check };

static void make(struct timer_wheel **ret_wheel, uint8_t to)
{
	static const enum voice_kind kinds[] = { VOICE_PCMA, VOICE_PCMU, VOICE_G722, VOICE_OPUS };
	struct codecs_way way = { .converts = true,
				  .kinds = { [0] = VOICE_PCMU,
					     [8] = VOICE_PCMA,
					     [9] = VOICE_G722,
					     [13] = VOICE_NOISE,
					     [111] = VOICE_OPUS },
				  .event_rates = { [101] = 8000, [110] = 48000 },
				  .pcm_rate = 8000,
				  .frame_ms = 20,
				  .digits = to & 4 ? CODECS_DIGITS_TONES : CODECS_DIGITS_EVENTS,
				  .event_type = 101,
				  .event_rate = 48000,
				  .hear_tones = (to & 8) != 0 };
	struct transcoder_setup setup = { .from = &legs[0], .way = &way };

	voice_describe(kinds[to & 3], &way.to);
	way.to.type = 96;
	clock_fake_set(1000);
	if (timer_wheel_create(&setup.wheel, clock_now()))
		abort();
	relay_leg_init(&legs[0], &legs[1], &receipts[0]);
	relay_leg_init(&legs[1], &legs[0], &receipts[1]);
	legs[1].ops = &ops;
	memset(legs[0].types, CODECS_CONVERT, sizeof(legs[0].types));
	if (transcoder_create(&legs[0].transcoder, &setup))
		abort();
	*ret_wheel = setup.wheel;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct timer_wheel *wheel;
	uint8_t packet[RELAY_BUFFER];

	if (size < 1)
		return 0;
	make(&wheel, data[0]);
	for (size_t at = 1; at + 2 <= size;) {
		size_t length = data[at + 1];

		for (unsigned ms = 0; ms < (data[at] & 0x7f); ms += 10) {
			clock_fake_advance(10);
			(void)timer_wheel_advance(wheel, clock_now(), 0);
		}
		at += 2;
		length = length > size - at ? size - at : length;
		memcpy(packet, data + at, length);
		if (length >= 2 && wire_is_rtcp(packet))
			relay_rtcp(&legs[0], packet, length);
		else
			relay_rtp(&legs[0], packet, length);
		at += length;
	}
	legs[0].transcoder = transcoder_destroy(legs[0].transcoder);
	timer_wheel_destroy(wheel);
	return 0;
}
