/* SPDX-License-Identifier: Apache-2.0 */
/* receipt.h - what media_receipt() reads while the media thread writes it.
 *
 * One writer (the media thread), any readers, no lock: counters are relaxed
 * atomics, texts stand behind a sequence counter. The block is shared by the
 * caller's handle and the media thread's session, each holding a reference.
 */
#ifndef BREAKOUT_MEDIA_RECEIPT_H
#define BREAKOUT_MEDIA_RECEIPT_H

#include <stdatomic.h>
#include "media/media.h"

/* Zero-terminated texts that change rarely; 8-byte words so that a torn read
 * is a data race to nobody. */
union receipt_texts {
	struct {
		char codec[16], profile[32], remote[64];
	};
	uint64_t words[14];
};

struct receipt {
	_Atomic uint64_t packets_in, packets_out, bytes_in, bytes_out, rtcp_in, rtcp_out;
	_Atomic uint64_t dropped_auth, dropped_source, dropped_other, lost;
	_Atomic uint64_t duplicates, reordered;
	_Atomic int64_t first_in_ms, last_in_ms;
	_Atomic bool ice_ok, dtls_ok, agreed, sends, reported;
	_Atomic unsigned kind; /* enum media_leg_kind */
	/* quality.c's; rate, jitter_x16 and reported_jitter in its units */
	_Atomic unsigned rate, jitter_x16, gap_ms, rtt_us, reported_fraction, reported_jitter;
	_Atomic int32_t reported_lost;
	_Atomic unsigned record; /* enum media_record_state */
	_Atomic uint64_t record_dropped;
	_Atomic unsigned detected_hz, recorded_ms;

	union receipt_texts texts; /* the writer's copy */
	_Atomic unsigned version;  /* odd while the words below change */
	_Atomic uint64_t words[14];
};

/* Writer only: cheaper than an atomic read-modify-write. */
static inline void receipt_add(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
			      memory_order_relaxed);
}

/* Publishes texts after a change of receipt->texts. */
void receipt_publish(struct receipt *receipt);
void receipt_read(const struct receipt *receipt, struct media_receipt *ret_receipt);

#endif
