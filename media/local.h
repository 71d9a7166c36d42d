/* SPDX-License-Identifier: Apache-2.0 */
/* local.h - a leg that is ourselves: plays a sound, a tone or silence, echoes,
 * listens. G.711 in frames of 20 ms. Threads: the media thread of the session. */
#ifndef BREAKOUT_MEDIA_LOCAL_H
#define BREAKOUT_MEDIA_LOCAL_H

#include "base/timer_wheel.h"
#include "media/relay.h"

#define LOCAL_FRAME_MS 20

struct local; /* opaque */

struct local_handlers {
	void (*played)(void *arg); /* the sound is over */
	void *arg;
};

/* Borrows options->sound. */
int local_create(struct local **ret_local, struct timer_wheel *wheel, struct relay_leg *leg,
		 const struct media_local *options,
		 const struct local_handlers *handlers) MUST_CHECK;
struct local *local_destroy(struct local *local);

/* What we can play: keeps of `names` (NULL: PCMA, PCMU, telephone-event) what
 * is supported. 0 or -EINVAL (none is a codec). */
int local_codecs(const char *const *names, unsigned count, struct media_desc *ret_desc) MUST_CHECK;

/* The codecs agreed, in our payload numbers; the first that carries speech is
 * played while `sending`. */
void local_agree(struct local *local, const struct media_desc *agreed, bool sending);

#endif
