/* SPDX-License-Identifier: Apache-2.0 */
/* binding.h - our registration at a PBX: REGISTER for one address-of-record, kept
 * alive (RFC 3261 section 10.2).
 *
 *   TRYING --2xx--> UP --half of its time--> TRYING
 *      |  ^ 401, 407: answered; 423: asked for longer; both at once
 *      |  |
 *      +--+ anything else: BACKOFF, longer each time
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_BINDING_H
#define BREAKOUT_TAS_SIP_BINDING_H

#include <stdbool.h>
#include "base/macros.h"
#include "tas/sip/endpoint.h"
#include "tas/sip/peer.h"

struct binding; /* opaque */

struct binding_options {
	const char *aor;    /* sip:user@host: who we are there, and whom it calls us as */
	unsigned expires_s; /* asked for */
};
/* The peer's lines are where REGISTER goes, its identity answers challenges, and
 * it is told the state. The first one goes out within two seconds. 0, -EINVAL
 * (aor), -ENOMEM. */
int binding_create(struct binding **ret_binding, struct sip_endpoint *endpoint,
		   struct sip_peer *peer, const struct binding_options *options) MUST_CHECK;
bool binding_is_for(const struct binding *binding, const struct binding_options *options);

/* Unregisters, waits for the answer in the background, and is gone. NULL is fine;
 * returns NULL. */
struct binding *binding_leave(struct binding *take_binding);

/* Is gone without a word: another process of ours goes on with the registration. NULL is
 * fine; returns NULL. */
struct binding *binding_forget(struct binding *take_binding);

/* For sip_endpoint_destroy(): those that have not left are forgotten. */
void binding_forget_all(struct sip_endpoint *endpoint);

#endif
