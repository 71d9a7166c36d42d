/* SPDX-License-Identifier: Apache-2.0 */
#include "media/waiting.h"
#include <errno.h>
#include <stdlib.h>
#include "base/log.h"
#include "media/local.h"

/* Longer than a sender that sends at all pauses between two packets, but for silence
 * that it suppresses. */
#define QUIET_MS 500

struct waiting {
	struct relay_leg gate;   /* first: the packet path hands it back */
	struct relay_leg source; /* where the sound comes from; `gate` is its peer */
	struct receipt receipt;  /* of the source: nobody reads it */
	struct relay_leg *to;
	const struct relay_leg *from;
	struct media_sound *sound;
	struct local *local;
};

/* Early media, or music of the one who holds: what really comes is what is heard (RFC
 * 3960 section 3.2). */
static void gate_rtp(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	struct waiting *waiting = CONTAINER_OF(leg, struct waiting, gate);
	uint64_t now_ns = clock_now_ns();
	mono_ms last =
		atomic_load_explicit(&waiting->from->receipt->last_in_ms, memory_order_relaxed);

	if ((mono_ms)(now_ns / 1000000u) - last >= QUIET_MS)
		relay_send_rtp(waiting->to, packet, length, now_ns);
}

static void gate_rtcp(struct relay_leg *leg, uint8_t *packet, size_t length)
{
	(void)leg;
	(void)packet;
	(void)length; /* a local side makes none */
}

static const struct relay_ops relay_ops_gate = { gate_rtp, gate_rtcp };

static void on_played(void *arg)
{
	(void)arg; /* it has no end */
}

static void on_recorded(const char *why, void *arg)
{
	(void)why;
	(void)arg;
}

int waiting_create(struct waiting **ret_waiting, struct timer_wheel *wheel, struct relay_leg *to,
		   const struct relay_leg *from, struct media_sound *take_sound)
{
	static const struct local_handlers handlers = { on_played, on_recorded, NULL };
	const struct media_local options = { .sound = take_sound };
	struct waiting *waiting = calloc(1, sizeof(*waiting));
	int err;

	if (!waiting) {
		media_sound_unref(take_sound);
		return -ENOMEM;
	}
	waiting->to = to;
	waiting->from = from;
	waiting->sound = take_sound;
	relay_leg_init(&waiting->gate, &waiting->source, &waiting->receipt);
	waiting->gate.ops = &relay_ops_gate;
	relay_leg_init(&waiting->source, &waiting->gate, &waiting->receipt);
	for (unsigned type = 0; type < sizeof(waiting->source.types); type++)
		waiting->source.types[type] = (uint8_t)type; /* they are the peer's already */
	err = local_create(&waiting->local, wheel, &waiting->source, &options, NULL, &handlers);
	if (err) {
		waiting_destroy(waiting);
		return err;
	}
	*ret_waiting = waiting;
	return 0;
}

struct waiting *waiting_destroy(struct waiting *waiting)
{
	if (!waiting)
		return NULL;
	local_destroy(waiting->local);
	media_sound_unref(waiting->sound);
	free(waiting);
	return NULL;
}

void waiting_agree(struct waiting *waiting, const struct sdp_codec *speech, bool sending)
{
	struct media_desc *agreed = calloc(1, sizeof(*agreed));

	if (!agreed) {
		log_error("media", "nothing is played to who waits: out of memory");
		return;
	}
	agreed->codecs[0] = *speech;
	agreed->codec_count = 1;
	quality_agree(&waiting->source.quality, &waiting->receipt, speech->rate, sending);
	local_agree(waiting->local, agreed, sending);
	free(agreed);
}
