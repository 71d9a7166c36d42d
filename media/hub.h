/* SPDX-License-Identifier: Apache-2.0 */
/* hub.h - one pair of UDP ports, RTP and RTCP, of a media thread for many legs without ICE,
 * on each of our addresses.
 *
 * It is for peers that send from the addresses their SDP names: by these packets find
 * their leg, many in one system call. There is nothing to learn here, so a peer behind a
 * NAT, or one that sends from elsewhere, wants a pair of its own (plain.h).
 *
 * An address belongs to one leg. Who names the address of another call is refused: it
 * would have that call's packets. Only the session that takes another's place in the same
 * dialog (it goes on with its o= line) takes its addresses too.
 *
 * Threads: made and ended by the engine's owner, the latter after the media thread; the
 * rest on that media thread.
 */
#ifndef BREAKOUT_MEDIA_HUB_H
#define BREAKOUT_MEDIA_HUB_H

#include "media/address_table.h"
#include "media/net_hosts.h"
#include "media/packets.h"
#include "media/worker.h"

struct hub; /* opaque */

enum hub_port { HUB_RTP, HUB_RTCP };

/* What a leg takes at one of the ports; lives inside its owner. */
struct hub_seat {
	struct address_entry entry;
	struct hub *hub; /* NULL: it has none */
	enum hub_port port;
	uint64_t dialog; /* the session id of our o= line */
	packets_take_fn *take;
	/* As relay_look() has it; step 0 first. */
	void (*look)(unsigned step, const void *arg);
	void *arg;
};

/* Takes the bound sockets, two for each of `count` addresses, also on failure; `address` is
 * that of the first. 0, -ENOMEM or epoll's error. */
int hub_create(struct hub **ret_hub, struct worker *worker, const union net_address *address,
	       int (*take_fds)[2], unsigned count) MUST_CHECK;
/* After the last seat was left. NULL is fine; returns NULL. */
struct hub *hub_destroy(struct hub *hub);
const union net_address *hub_address(const struct hub *hub);

/* What comes from `address` goes to seat->take from now on; the address it had before is
 * free. AF_UNSPEC or a hold's address: none. 0 or -EADDRINUSE. */
int hub_sit(struct hub *hub, struct hub_seat *seat, const union net_address *address) MUST_CHECK;
void hub_leave(struct hub_seat *seat);

/* As packets_send(), from the address of this index. */
bool hub_send(struct hub *hub, unsigned host, enum hub_port port, const union net_address *to,
	      const uint8_t *packet, size_t length);

#endif
