/* SPDX-License-Identifier: Apache-2.0 */
/* pcapng.h - messages as a capture file that Wireshark reads.
 *
 * What went over TLS was never on the wire in clear, and of TCP only whole messages
 * are known: every message stands in a UDP datagram between the right addresses.
 */
#ifndef BREAKOUT_TOOLS_CTL_PCAPNG_H
#define BREAKOUT_TOOLS_CTL_PCAPNG_H

#include <jansson.h>
#include "base/str.h"

/* entries: as the daemon's `trace` has them; notes become comments of the next
 * message. Source: draft-ietf-opsawg-pcapng. */
void pcapng_write(struct str *to, const json_t *entries);

#endif
