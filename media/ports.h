/* SPDX-License-Identifier: Apache-2.0 */
/* ports.h - UDP ports from the configured range.
 *
 * A port given back rests for PORTS_QUARANTINE_MS, so that late packets of one
 * call do not reach the next one. Threads: the engine's owner only.
 */
#ifndef BREAKOUT_MEDIA_PORTS_H
#define BREAKOUT_MEDIA_PORTS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/macros.h"
#include "media/net.h"

#define PORTS_QUARANTINE_MS 5000

struct ports; /* opaque */

/* Inclusive. 0, -EINVAL (empty range), -ENOMEM. */
int ports_create(struct ports **ret_ports, uint16_t min, uint16_t max) MUST_CHECK;
struct ports *ports_destroy(struct ports *ports);

/* One port on which each of these addresses can be bound (tried, then closed: libnice
 * binds by itself). 0, -ENOSPC or another error of socket(2). */
int ports_take(struct ports *ports, const union net_address *addresses, unsigned count,
	       uint16_t *ret_port) MUST_CHECK;
/* An even port and the next, RTP and RTCP (RFC 3550 11), as bound non-blocking sockets on
 * each of these addresses. The caller owns the sockets, two for each. Same errors. */
int ports_take_pair(struct ports *ports, const union net_address *addresses, unsigned count,
		    uint16_t *ret_port, int (*ret_fds)[2]) MUST_CHECK;
void ports_close(int (*fds)[2], unsigned count); /* such sockets */
void ports_give(struct ports *ports, uint16_t first, unsigned count);
/* Those that cannot be had now, in use or at rest, in percent of the range. */
unsigned ports_used_percent(struct ports *ports);
/* Whether so many can be had and 2 % of the range is left for calls in progress. Of a range
 * below 50 none is kept. */
bool ports_spare(struct ports *ports, unsigned wanted);

#endif
