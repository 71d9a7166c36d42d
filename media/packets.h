/* SPDX-License-Identifier: Apache-2.0 */
/* packets.h - datagrams in and out of sockets, many at a time.
 *
 * What is received lies in slots that stay until the end of the turn, so that it
 * can be changed in place and handed to sendmmsg(2) from there: a packet is never
 * copied on its way through. One socket is served in batches, the shared one that
 * most packets leave by; to the others, one a leg, a batch would be one packet.
 *
 * Threads: the media thread that owns it.
 */
#ifndef BREAKOUT_MEDIA_PACKETS_H
#define BREAKOUT_MEDIA_PACKETS_H

#include "base/macros.h"
#include "media/net.h"

struct packets; /* opaque */

int packets_create(struct packets **ret_packets) MUST_CHECK; /* 0 or -ENOMEM */
struct packets *packets_destroy(struct packets *packets);

/* A datagram in a buffer of RELAY_BUFFER bytes; one longer than RELAY_PACKET_MAX
 * comes with that length plus one. */
typedef void packets_take_fn(const union net_address *from, uint8_t *packet, size_t length,
			     void *arg);
/* Of what waits at a socket so many at most, and no more than a batch: 1 where seldom
 * more waits, as each more is looked for. Returns how many came. */
int packets_receive(struct packets *packets, int fd, unsigned most, packets_take_fn *take,
		    void *arg);

/* A call's memory has been used by hundreds of others since its last packet. So all of a
 * batch is looked at before the first of it is taken, in steps, each of which brings what
 * the next one reads into the cache. `found` is what the step before returned, NULL at
 * first; take() gets the last. */
#define PACKETS_STEPS 6
typedef void *packets_look_fn(const union net_address *from, unsigned step, void *found, void *arg);
typedef void packets_take_found_fn(const union net_address *from, uint8_t *packet, size_t length,
				   void *found, void *arg);
/* From a socket of many calls, as many as a batch has. */
int packets_receive_many(struct packets *packets, int fd, packets_look_fn *look,
			 packets_take_found_fn *take, void *arg);

/* Queued until packets_flush() when it lies in a slot, else sent at once. False: the
 * network did not take it. */
bool packets_send(struct packets *packets, int fd, const union net_address *to,
		  const uint8_t *packet, size_t length);
/* A socket that many calls share: what the kernel gives of this is better than nothing. */
void packets_widen(int fd);
/* The end of a turn. */
void packets_flush(struct packets *packets);

#endif
