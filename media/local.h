/* SPDX-License-Identifier: Apache-2.0 */
/* local.h - a leg that is ourselves: plays a sound, a tone or silence, echoes,
 * listens, takes a message. G.711, G.722 and Opus in frames of 20 ms. Threads: the media
 * thread of the session. */
#ifndef BREAKOUT_MEDIA_LOCAL_H
#define BREAKOUT_MEDIA_LOCAL_H

#include "base/timer_wheel.h"
#include "media/recorder.h"
#include "media/relay.h"

#define LOCAL_FRAME_MS 20

struct local; /* opaque */

struct local_handlers {
	void (*played)(void *arg);                    /* the sound is over */
	void (*recorded)(const char *why, void *arg); /* the message is */
	void *arg;
};

/* Borrows options->sound. Takes the recording (NULL: none), also on failure;
 * options->recording says how it goes and is read here only. */
int local_create(struct local **ret_local, struct timer_wheel *wheel, struct relay_leg *leg,
		 const struct media_local *options, struct recording *take_recording,
		 const struct local_handlers *handlers) MUST_CHECK;
struct local *local_destroy(struct local *local);

/* What we can play: keeps of `names` (NULL: PCMA, PCMU, G722, opus,
 * telephone-event) what is supported. 0 or -EINVAL (none is a codec). */
int local_codecs(const char *const *names, unsigned count, struct media_desc *ret_desc) MUST_CHECK;

/* Whether a message could be kept; RECORDING_OPEN if none is to be taken. */
enum recording_state local_recording_state(const struct local *local);

/* The codecs agreed, in our payload numbers; the first that carries speech is
 * played while `sending`. Without memory for it nothing is. */
void local_agree(struct local *local, const struct media_desc *agreed, bool sending);

#endif
