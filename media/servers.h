/* SPDX-License-Identifier: Apache-2.0 */
/* servers.h - the STUN and TURN servers of the full agent, and whether they serve us.
 *
 * A thread of its own resolves their names and asks each of them what a call would: a
 * STUN server for our address, a TURN server for a relay, which it gives back at once.
 * So what refuses us or does not answer is known, and told by one log line, before a
 * call needs it; calls are given only servers that answered, or were not asked yet.
 *
 * Threads: create, start, stop and unref on the engine's; servers_now() and
 * servers_suspect() on any (a mutex that nobody holds while he waits).
 */
#ifndef BREAKOUT_MEDIA_SERVERS_H
#define BREAKOUT_MEDIA_SERVERS_H

#include <stdbool.h>
#include "base/macros.h"
#include "config/config.h"
#include "media/net.h"

#define SERVERS_USER_ROOM     300 /* with a time before it */
#define SERVERS_PASSWORD_ROOM 256

struct ice_servers; /* opaque; counted references */

struct servers_turn {
	union net_address address;
	bool tcp;
	char username[SERVERS_USER_ROOM], password[SERVERS_PASSWORD_ROOM];
};

/* What a call may use now. */
struct servers_now {
	union net_address stun; /* AF_UNSPEC: none */
	struct servers_turn turn[CONFIG_TURN_MAX];
	unsigned turn_count;
	bool relay_only;
	unsigned gather_ms;
};

/* NULL in, nothing out. */
struct ice_servers *servers_ref(struct ice_servers *servers);
struct ice_servers *servers_unref(struct ice_servers *servers); /* returns NULL */

/* Begins to look after them, from this address of ours. What `before` knows of the
 * same server counts until it has been asked anew. 0, -ENOMEM or -EAGAIN (no thread). */
int servers_start(struct ice_servers *servers, const union net_address *from,
		  struct ice_servers *before) MUST_CHECK;
/* Does not wait for the thread. */
void servers_stop(struct ice_servers *servers);

/* Holds passwords: wipe it. NULL in, nothing there. */
void servers_now(struct ice_servers *servers, struct servers_now *ret_now);
/* A call has missed one of them: they are asked now. */
void servers_suspect(struct ice_servers *servers);

#endif
