/* SPDX-License-Identifier: Apache-2.0 */
/* hop.h - inside of tas/service: a call that comes back to us is seen.
 *
 * Leg 3 carries "Breakout-Hop: 1;<16 hex digits>": a keyed hash (SipHash-2-4)
 * of direction and called number. A leg 2 that already carries the mark it
 * would get has passed one of our nodes for the same number in the same
 * direction: a loop (RFC 3261 section 16.3 item 4, for a B2BUA). A call that
 * goes on to another number, or passes once for its caller and once for its
 * callee, gets a second mark and is no loop. Nodes see each other's calls if
 * they share the key. The mark tells nobody a number.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SERVICE_HOP_H
#define BREAKOUT_TAS_SERVICE_HOP_H

#include <stdint.h>
#include "base/macros.h"
#include "config/config.h"
#include "tas/sip/headers.h"

struct hop_key {
	uint64_t words[2];
};

/* Folds the file's bytes into a key; path NULL: a random one, for this process
 * alone. 0, -EINVAL (fewer than 16 bytes before trailing white space), -EIO. */
int hop_key_read(const char *path, struct hop_key *ret_key) MUST_CHECK;

bool hop_seen(const struct hop_key *key, const struct sip_headers *headers,
	      enum call_direction direction, const char *called);
/* Adds the mark. 0 or -ENOMEM. */
int hop_mark(const struct hop_key *key, struct sip_headers *headers, enum call_direction direction,
	     const char *called) MUST_CHECK;

#endif
