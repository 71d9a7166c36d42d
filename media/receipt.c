/* SPDX-License-Identifier: Apache-2.0 */
#include "media/receipt.h"
#include <string.h>

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
		.lost = load(&receipt->lost),
		.first_in_ms = atomic_load_explicit(&receipt->first_in_ms, memory_order_relaxed),
		.last_in_ms = atomic_load_explicit(&receipt->last_in_ms, memory_order_relaxed),
		.ice_ok = atomic_load_explicit(&receipt->ice_ok, memory_order_relaxed),
		.dtls_ok = atomic_load_explicit(&receipt->dtls_ok, memory_order_relaxed),
		.detected_hz = atomic_load_explicit(&receipt->detected_hz, memory_order_relaxed),
		.recorded_ms = atomic_load_explicit(&receipt->recorded_ms, memory_order_relaxed),
	};
	memcpy(ret_receipt->codec, texts.codec, sizeof(texts.codec));
	memcpy(ret_receipt->profile, texts.profile, sizeof(texts.profile));
	memcpy(ret_receipt->remote, texts.remote, sizeof(texts.remote));
}
