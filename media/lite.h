/* SPDX-License-Identifier: Apache-2.0 */
/* lite.h - ICE-lite (RFC 8445 2.5): one UDP port for all calls of a media thread, on each
 * of our addresses.
 *
 * For a machine that peers reach directly. It answers connectivity checks and sends
 * none: what a peer proves with our password from an address makes that address its
 * own, at the address of ours that it came to, and packets find their leg by the two. Such
 * a pair becomes the one we send by when a check nominates it; before that the first proven
 * one is. STUN is built and read by libnice's own STUN library.
 *
 * So two calls whose peers share one port cannot be told apart: the second one fails,
 * with a line that says so, and the first goes on. Media servers that have one port
 * for all calls too want `media.ice: full`.
 *
 * Threads: made and ended by the engine's owner, before and after the thread that
 * drives it runs; the rest on that media thread.
 */
#ifndef BREAKOUT_MEDIA_LITE_H
#define BREAKOUT_MEDIA_LITE_H

#include "media/net_hosts.h"
#include "media/ice.h"
#include "media/worker.h"

/* Full agents check every few seconds (RFC 7675 5.1); one of which for this long neither a
 * check with our password has come nor a packet that authenticates is sent nothing more. */
#define LITE_CONSENT_MS 30000
/* An address is another call's to have when its former one has been silent so long:
 * speech comes every 20 ms, checks every few seconds. */
#define LITE_CLAIM_MS 15000

struct lite;     /* opaque: the port */
struct lite_leg; /* opaque: one component behind it */

/* Binds each of our addresses with this port, 0 for any. 0, -ENOMEM or an error of
 * socket(2). */
int lite_create(struct lite **ret_lite, struct worker *worker, const struct net_hosts *hosts,
		uint16_t port) MUST_CHECK;
/* After the last leg, and after its worker. NULL is fine; returns NULL. */
struct lite *lite_destroy(struct lite *lite);
const union net_address *lite_address(const struct lite *lite); /* the first, with its port */

/* handlers: as ice_create() has them. 0, -ENOMEM, -EIO (no random numbers). */
int lite_leg_create(struct lite_leg **ret_leg, struct lite *lite,
		    const struct ice_handlers *handlers) MUST_CHECK;
struct lite_leg *lite_leg_destroy(struct lite_leg *leg);

void lite_leg_describe(const struct lite_leg *leg, struct media_desc *desc);
/* A peer that is lite too checks nothing: its first candidate of a family of ours is
 * believed, as RFC 8445 6.1.1 has it for two lite agents. 0 or -EADDRINUSE (another call's peer is
 * there). */
int lite_leg_set_remote(struct lite_leg *leg, const struct media_desc *remote) MUST_CHECK;
/* As ice_restart(): the old password stays good until the new one has been used. */
int lite_leg_restart(struct lite_leg *leg, bool new_credentials) MUST_CHECK;

/* It is sent by soon: brought into the cache. */
void lite_leg_look(const struct lite_leg *leg);
bool lite_leg_is_connected(const struct lite_leg *leg);
/* It was, and nothing that is consent has come for LITE_CONSENT_MS. */
bool lite_leg_is_silent(const struct lite_leg *leg);
bool lite_leg_send(struct lite_leg *leg, const uint8_t *packet, size_t length);

#endif
