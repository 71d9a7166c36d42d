/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - asks a peer's lines by OPTIONS whether they answer.
 *
 * Threads: the SIP thread.
 */
#ifndef BREAKOUT_TAS_SIP_WATCH_H
#define BREAKOUT_TAS_SIP_WATCH_H

#include "base/macros.h"
#include "tas/sip/endpoint.h"
#include "tas/sip/peer.h"

/* As often as the peer is configured now; call it again after each
 * sip_peer_configure(). A line that is retired is left alone by itself; retire
 * the peer before the endpoint goes. -ENOMEM: some line is not watched. */
int sip_watch(struct sip_peer *peer, struct sip_endpoint *endpoint) MUST_CHECK;

#endif
