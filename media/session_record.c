/* SPDX-License-Identifier: Apache-2.0 */
/* The recording of the call: both sides on one tape, as long as their codecs are decoded. */
#include "media/session_private.h"
#include "base/log.h"
#include "media/recorder.h"

/* What the peer of a side calls its codecs; a local side calls them as the other one
 * does. */
static const struct media_desc *numbers_of(const struct session *session, enum media_side side)
{
	const struct media_desc *remote = session->legs[side].remote;

	return remote ? remote : session->legs[other(side)].remote;
}

void session_agree_tape(struct session *session)
{
	bool decoded = true;

	for (enum media_side side = MEDIA_A; session->record && side <= MEDIA_B; side++) {
		const struct media_desc *desc = numbers_of(session, side);

		if (!desc || !tape_agree(recording_tape(session->record), side, desc))
			decoded = false;
	}
	if (session->record && !decoded)
		log_notice("media", "session=%s is not recorded: codec %s is not decoded here",
			   session->setup.name, session->setup.receipts[MEDIA_A].texts.codec);
	session->record_codec = decoded;
}

void session_thread_tape(struct session *session)
{
	for (enum media_side side = MEDIA_A; side <= MEDIA_B; side++) {
		session->legs[side].path.side = side;
		session->legs[side].path.tape =
			session->record ? recording_tape(session->record) : NULL;
	}
}

void session_show_recording(struct session *session)
{
	static const enum media_record_state shown[] = {
		[RECORDING_OPENING] = MEDIA_RECORD_OPENING,
		[RECORDING_OPEN] = MEDIA_RECORD_OPEN,
		[RECORDING_FAILED] = MEDIA_RECORD_FAILED,
		[RECORDING_BROKEN] = MEDIA_RECORD_BROKEN,
	};
	struct receipt *receipt = &session->setup.receipts[MEDIA_A];
	enum media_record_state state;

	if (!session->record)
		return;
	state = shown[recording_state(session->record)];
	if (!session->record_codec && !tape_heard(recording_tape(session->record)))
		state = MEDIA_RECORD_CODEC;
	atomic_store_explicit(&receipt->record, (unsigned)state, memory_order_relaxed);
	atomic_store_explicit(&receipt->record_dropped,
			      tape_dropped(recording_tape(session->record)), memory_order_relaxed);
}

void session_end_recording(struct session *session)
{
	if (session->record)
		session->record = recording_close(
			session->record, tape_heard(recording_tape(session->record)), "hangup");
	session_thread_tape(session);
}

void session_record(struct session *session, struct recording *take_recording)
{
	session_end_recording(session);
	session->record = take_recording;
	session_thread_tape(session);
	session_agree_tape(session);
	session_show_recording(session);
	if (!timer_active(&session->check))
		session_watch(session);
}
