/* SPDX-License-Identifier: Apache-2.0 */
/* waiting.h - what a peer hears while nothing comes from the other side: a sound,
 * again and again. It goes past the other leg, which stays as it was agreed.
 * Threads: the media thread of the session. */
#ifndef BREAKOUT_MEDIA_WAITING_H
#define BREAKOUT_MEDIA_WAITING_H

#include "base/timer_wheel.h"
#include "media/relay.h"

struct waiting; /* opaque */

/* `to` hears it, unless a packet of `from` came in the last moments; both are borrowed.
 * take_sound is taken, also on failure. 0, -ENOMEM or -EIO. */
int waiting_create(struct waiting **ret_waiting, struct timer_wheel *wheel, struct relay_leg *to,
		   const struct relay_leg *from, struct media_sound *take_sound) MUST_CHECK;
struct waiting *waiting_destroy(struct waiting *waiting); /* NULL fine; returns NULL */

/* What the peer of `to` speaks, in its own payload numbers, and whether it may be sent
 * something now. A codec that is not spoken here is silence. */
void waiting_agree(struct waiting *waiting, const struct sdp_codec *speech, bool sending);

#endif
