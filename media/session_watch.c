/* SPDX-License-Identifier: Apache-2.0 */
/* Who is not heard any more, once a second: what was agreed is compared with what comes. */
#include "media/session_private.h"
#include "base/log.h"
#include "media/plain.h"

#define CHECK_MS 1000 /* how often silence is looked for */

/* On hold RTCP goes on (RFC 3264 section 8.4) and is all there is to hear. */
static mono_ms last_heard(struct session *session, enum media_side side, mono_ms now)
{
	struct end *end = &session->ends[side];
	struct receipt *receipt = &session->setup.receipts[side];
	uint64_t rtcp = atomic_load_explicit(&receipt->rtcp_in, memory_order_relaxed);
	mono_ms last = atomic_load_explicit(&receipt->last_in_ms, memory_order_relaxed);

	if (rtcp != end->rtcp) {
		end->rtcp = rtcp;
		end->rtcp_ms = now;
	}
	if (!end->sends && last < end->rtcp_ms)
		last = end->rtcp_ms;
	return last < session->agreed_ms ? session->agreed_ms : last;
}

static void check_silence(struct session *session, enum media_side side, mono_ms now)
{
	struct end *end = &session->ends[side];
	const struct media_event event = { .type = MEDIA_EV_SILENT, .side = side };
	unsigned timeout_s =
		end->sends ? session->setup.rtp_timeout_s : session->setup.hold_timeout_s;

	if (timeout_s == 0 || session_is_local(session, side) ||
	    now - last_heard(session, side, now) < (mono_ms)timeout_s * 1000) {
		end->silent = false;
		return;
	}
	if (end->silent)
		return;
	end->silent = true;
	session_tell(session, &event);
}

static void check_answers(struct session *session, enum media_side side)
{
	struct end *end = &session->ends[side];
	struct leg *leg = &session->legs[side];
	bool mute = leg_is_mute(leg);

	if (mute && !end->mute)
		log_notice("media",
			   "%s is sent nothing until it sends: no packet came from %s within %d s "
			   "of the answer",
			   end->label, leg->path.receipt->texts.remote, PLAIN_ANSWER_MS / 1000);
	end->mute = mute;
}

void session_on_check(struct timer *timer, void *arg)
{
	struct session *session = arg;
	mono_ms now = clock_now();

	(void)timer;
	check_answers(session, MEDIA_A);
	check_answers(session, MEDIA_B);

	check_silence(session, MEDIA_A, now);
	check_silence(session, MEDIA_B, now);
	session_show_recording(session);
	session_watch(session);
}

void session_watch(struct session *session)
{
	timer_start(worker_wheel(session->setup.worker), &session->check, clock_now() + CHECK_MS);
}
