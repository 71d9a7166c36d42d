/* SPDX-License-Identifier: Apache-2.0 */
/* attempts.c - a bucket is one moment: when it will be full again (GCRA, as in
 * ITU-T I.371 annex A). Each attempt moves it on by its share of a minute. */
#include "tas/device/attempts.h"

#include <netinet/in.h>
#include "base/hash.h"

#define MINUTE_MS 60000

/* IPv6: a site has a /64 (RFC 4291 section 2.5.4), an address in it costs nothing. */
static struct attempts_slot *slot_of(struct attempts *attempts,
				     const struct sockaddr_storage *source)
{
	uint64_t hash;

	if (source->ss_family == AF_INET6)
		hash = hash_bytes(&((const struct sockaddr_in6 *)source)->sin6_addr, 8);
	else
		hash = hash_bytes(&((const struct sockaddr_in *)source)->sin_addr,
				  sizeof(struct in_addr));
	return &attempts->slots[hash % ATTEMPTS_SLOTS];
}

static bool has_one(const struct attempts_slot *slot, unsigned per_minute, mono_ms now)
{
	return slot->full_ms - now <= MINUTE_MS - MINUTE_MS / (mono_ms)per_minute;
}

static void take_one(struct attempts_slot *slot, unsigned per_minute, mono_ms now)
{
	if (slot->full_ms < now)
		slot->full_ms = now;
	slot->full_ms += MINUTE_MS / (mono_ms)per_minute;
}

bool attempts_take(struct attempts *attempts, const struct sockaddr_storage *source,
		   unsigned per_minute, mono_ms now)
{
	struct attempts_slot *slot = slot_of(attempts, source);
	unsigned all = per_minute * ATTEMPTS_TOTAL;

	if (all > MINUTE_MS)
		all = MINUTE_MS; /* one a millisecond */
	if (!has_one(slot, per_minute, now) || !has_one(&attempts->total, all, now))
		return false;
	take_one(slot, per_minute, now);
	take_one(&attempts->total, all, now);
	return true;
}

void attempts_give_back(struct attempts *attempts, const struct sockaddr_storage *source,
			unsigned per_minute, mono_ms now)
{
	struct attempts_slot *slot = slot_of(attempts, source);

	slot->full_ms -= 2 * MINUTE_MS / (mono_ms)per_minute;
	if (slot->full_ms < now)
		slot->full_ms = now;
}
