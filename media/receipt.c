/* SPDX-License-Identifier: Apache-2.0 */
#include "media/receipt.h"
#include <string.h>
#include "media/quality.h"

void receipt_publish(struct receipt *receipt)
{
	unsigned version = atomic_load_explicit(&receipt->version, memory_order_relaxed);

	atomic_store_explicit(&receipt->version, version + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < ARRAY_SIZE(receipt->words); i++)
		atomic_store_explicit(&receipt->words[i], receipt->texts.words[i],
				      memory_order_relaxed);
	atomic_store_explicit(&receipt->version, version + 2, memory_order_release);
}

static void read_texts(const struct receipt *receipt, union receipt_texts *ret_texts)
{
	unsigned before, after;

	do {
		before = atomic_load_explicit(&receipt->version, memory_order_acquire);
		for (size_t i = 0; i < ARRAY_SIZE(receipt->words); i++)
			ret_texts->words[i] =
				atomic_load_explicit(&receipt->words[i], memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&receipt->version, memory_order_relaxed);
	} while (before != after || before % 2 != 0);
}

static uint64_t load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static unsigned load_small(const _Atomic unsigned *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static bool load_flag(const _Atomic bool *flag)
{
	return atomic_load_explicit(flag, memory_order_relaxed);
}

/* Timestamp units of the RTP clock to microseconds. */
static unsigned to_us(uint64_t units, unsigned rate)
{
	return rate ? (unsigned)(units * 1000000u / rate) : 0;
}

static void read_quality(const struct receipt *receipt, struct media_receipt *ret_receipt)
{
	unsigned rate = load_small(&receipt->rate);

	ret_receipt->lost = load(&receipt->lost);
	ret_receipt->duplicates = load(&receipt->duplicates);
	ret_receipt->reordered = load(&receipt->reordered);
	ret_receipt->jitter_us = to_us(load_small(&receipt->jitter_x16), rate) / 16;
	ret_receipt->gap_ms = load_small(&receipt->gap_ms);
	ret_receipt->rtt_us = load_small(&receipt->rtt_us);
	ret_receipt->reported = load_flag(&receipt->reported);
	ret_receipt->reported_lost =
		atomic_load_explicit(&receipt->reported_lost, memory_order_relaxed);
	ret_receipt->reported_percent = load_small(&receipt->reported_fraction) * 100 / 256;
	ret_receipt->reported_jitter_us = to_us(load_small(&receipt->reported_jitter), rate);
	ret_receipt->mos = quality_mos(ret_receipt);
}

void receipt_read(const struct receipt *receipt, struct media_receipt *ret_receipt)
{
	union receipt_texts texts;

	read_texts(receipt, &texts);
	*ret_receipt = (struct media_receipt){
		.packets_in = load(&receipt->packets_in),
		.packets_out = load(&receipt->packets_out),
		.bytes_in = load(&receipt->bytes_in),
		.bytes_out = load(&receipt->bytes_out),
		.rtcp_in = load(&receipt->rtcp_in),
		.rtcp_out = load(&receipt->rtcp_out),
		.dropped_auth = load(&receipt->dropped_auth),
		.dropped_source = load(&receipt->dropped_source),
		.dropped_other = load(&receipt->dropped_other),
		.first_in_ms = atomic_load_explicit(&receipt->first_in_ms, memory_order_relaxed),
		.last_in_ms = atomic_load_explicit(&receipt->last_in_ms, memory_order_relaxed),
		.kind = (enum media_leg_kind)load_small(&receipt->kind),
		.agreed = load_flag(&receipt->agreed),
		.sends = load_flag(&receipt->sends),
		.ice_ok = load_flag(&receipt->ice_ok),
		.dtls_ok = load_flag(&receipt->dtls_ok),
		.detected_hz = load_small(&receipt->detected_hz),
		.recorded_ms = load_small(&receipt->recorded_ms),
		.record = (enum media_record_state)load_small(&receipt->record),
		.record_dropped = load(&receipt->record_dropped),
	};
	memcpy(ret_receipt->codec, texts.codec, sizeof(texts.codec));
	memcpy(ret_receipt->profile, texts.profile, sizeof(texts.profile));
	memcpy(ret_receipt->remote, texts.remote, sizeof(texts.remote));
	read_quality(receipt, ret_receipt);
}
