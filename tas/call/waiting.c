/* SPDX-License-Identifier: Apache-2.0 */
/* waiting.c - what a side hears while the other one is away: music of the peer that
 * holds it or sends it elsewhere, or a ring-back tone while the target of a transfer
 * rings. It is heard only where nothing else is; a loop has none of it. */
#include <string.h>
#include "tas/call/call_state.h"

static void hear(struct call *call, struct media_session *in, enum media_side to,
		 enum media_wait when, struct media_sound *sound)
{
	if (in && media_wait(in, to, when, sound) < 0)
		log_notice("call", "call=%s side=%c hears silence: out of memory", call->id,
			   to == MEDIA_A ? 'a' : 'b');
}

/* What the peer of a side has for who waits for it; NULL: nothing. */
static void take_music(struct call *call, enum media_side of, struct media_sound *sound)
{
	media_sound_ref(sound);
	media_sound_unref(call->music[of]);
	call->music[of] = sound;
}

static void on_hold(struct call *call, struct media_session *in, enum media_side of)
{
	if (call->music[of])
		hear(call, in, call_other_side(of), MEDIA_WAIT_ON_HOLD, call->music[of]);
}

void waiting_begin(struct call *call)
{
	take_music(call, MEDIA_A, call->plan->hold_music);
	take_music(call, MEDIA_B, call_current_step(call)->hold_music);
	on_hold(call, call->session, MEDIA_A);
	on_hold(call, call->session, MEDIA_B);
}

void waiting_done(struct call *call)
{
	take_music(call, MEDIA_A, NULL);
	take_music(call, MEDIA_B, NULL);
}

void waiting_for_target(struct call *call, struct media_session *in, enum media_side stays,
			struct media_sound *music)
{
	hear(call, in, stays, MEDIA_WAIT_ALWAYS, music);
}

void waiting_over(struct call *call, struct media_session *in, enum media_side stays)
{
	hear(call, in, stays, MEDIA_WAIT_NOT, NULL);
	on_hold(call, in, call_other_side(stays));
}

void waiting_moved(struct call *call, enum media_side side, struct media_sound *music)
{
	take_music(call, side, music);
	on_hold(call, call->session, MEDIA_A);
	on_hold(call, call->session, MEDIA_B);
}
