/* SPDX-License-Identifier: Apache-2.0 */
/* ice.h - one ICE component over UDP (RFC 8445), by libnice's full agent.
 *
 * Its candidates are host candidates, and what STUN and TURN servers give: those
 * are waited for up to a time, and one that comes later is found by its checks.
 *
 * Consent to send is asked for every five seconds and ends 30 s after the last
 * answer (RFC 7675); the peer's checks are answered by libnice.
 *
 * Only datagrams from addresses that answered a connectivity check with our
 * credentials come out of here: libnice drops the rest, STUN stays inside.
 * Threads: the media thread whose GMainContext it was given.
 */
#ifndef BREAKOUT_MEDIA_ICE_H
#define BREAKOUT_MEDIA_ICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"
#include "base/timer_wheel.h"
#include "media/net_hosts.h"
#include "media/sdp.h"
#include "media/servers.h"

#define ICE_CONSENT_MS 30000 /* without an answer it has ended: RFC 7675 5.1 */

struct ice;           /* opaque */
struct _GMainContext; /* GLib's */

struct ice_handlers {
	/* The buffer is libnice's and may be written to within `length`. True: the packet has
	 * proven who sent it, which to a lite one is consent. */
	bool (*packet)(uint8_t *packet, size_t length, void *arg);
	void (*connected)(const char *remote, void *arg); /* "address:port"; also when it moves */
	void (*failed)(void *arg);
	void (*lost)(void *arg); /* consent has ended: nothing is sent any more */
	void *arg;
	/* A lite one's: a packet is coming, as relay_look() has it. NULL: nothing is done. */
	void (*look)(unsigned step, const void *arg);
};

struct ice_setup {
	struct _GMainContext *context;
	struct timer_wheel *wheel;
	const struct net_hosts *hosts;     /* ours, */
	uint16_t port;                     /* all with this port; borrowed as */
	const struct servers_now *servers; /* borrowed for the time of the call */
	struct ice_handlers handlers;
	/* Our candidates are complete; whole: nothing is missing of what the servers were
	 * asked for. Not called when there is nobody to ask. `arg` of the handlers. */
	void (*gathered)(bool whole, void *arg);
	/* The last of it is gone: with ice_destroy(), or once relays were given back. */
	void (*gone)(void *arg);
	void *gone_arg;
};

/* Binds each address with the port. 0, -ENOMEM, -EIO (no random numbers, or the port
 * cannot be bound). */
int ice_create(struct ice **ret_ice, const struct ice_setup *setup) MUST_CHECK;
/* Not from inside a handler. NULL is fine; returns NULL. */
struct ice *ice_destroy(struct ice *ice);

/* Waits for servers: gathered() follows. */
bool ice_is_gathering(const struct ice *ice);
bool ice_has_candidates(const struct ice *ice);

/* Fills ufrag, password and candidates of our description. */
void ice_describe(const struct ice *ice, struct media_desc *desc);

/* Before ice_set_remote(). With conflicting roles libnice gives way by
 * RFC 8445 7.3.1.1. */
void ice_set_controlling(struct ice *ice, bool controlling);
/* Credentials and candidates of the peer. 0 or -EINVAL. */
int ice_set_remote(struct ice *ice, const struct media_desc *remote) MUST_CHECK;
/* More candidates of the peer, under the credentials it has; those it has told before may be
 * among them. 0 or -EINVAL. */
int ice_add_remote(struct ice *ice, const struct media_desc *remote) MUST_CHECK;
/* A new ICE session on the same port (RFC 8839 4.4.1.1), with new credentials
 * of ours unless they were already promised. The selected pair carries packets
 * until a new one is found. 0 or -EIO. */
int ice_restart(struct ice *ice, bool new_credentials) MUST_CHECK;

bool ice_is_connected(const struct ice *ice);
bool ice_send(struct ice *ice, const uint8_t *packet, size_t length);

#endif
