/* SPDX-License-Identifier: Apache-2.0 */
#include "media/hub.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/log.h"
#include "base/metrics.h"

static struct metric strangers =
	METRIC_COUNTER_INIT("breakout_media_shared_port_strangers_total", NULL,
			    "Packets at the ports for many calls from addresses that no SDP named");

/* One of the two ports. */
struct door {
	struct watch watch;
	struct hub *hub;
	struct address_table table;
};

struct hub {
	struct worker *worker;
	union net_address address;
	struct door doors[2];
};

/* The bucket, its first entry, the seat, and what the seat's owner needs. */
static void *look(const union net_address *from, unsigned step, void *found, void *arg)
{
	const struct door *door = arg;
	struct address_entry *const *bucket = found;
	struct address_entry *entry;
	struct hub_seat *seat = found;

	switch (step) {
	case 0:
		bucket = address_table_bucket(&door->table, from);
		look_ahead(bucket, sizeof(*bucket));
		return (void *)bucket;
	case 1:
		look_ahead(*bucket, sizeof(*seat));
		return found;
	case 2:
		entry = address_table_find_in(bucket, from);
		seat = entry ? CONTAINER_OF(entry, struct hub_seat, entry) : NULL;
		break;
	}
	if (seat)
		seat->look(step - 2, seat->arg);
	return seat;
}

/* No seat is left or taken while a batch is: that comes by mail. */
static void on_datagram(const union net_address *from, uint8_t *packet, size_t length, void *found,
			void *arg)
{
	struct hub_seat *seat = found;

	(void)arg;
	if (seat)
		seat->take(from, packet, length, seat->arg);
	else
		metric_add(&strangers, 1);
}

static void on_readable(struct watch *watch)
{
	struct door *door = CONTAINER_OF(watch, struct door, watch);

	(void)packets_receive_many(worker_packets(door->hub->worker), watch->fd, look, on_datagram,
				   door);
}

int hub_create(struct hub **ret_hub, struct worker *worker, const union net_address *address,
	       const int take_fds[2])
{
	struct hub *hub = calloc(1, sizeof(*hub));
	int err = 0;

	if (!hub) {
		close(take_fds[HUB_RTP]);
		close(take_fds[HUB_RTCP]);
		return -ENOMEM;
	}
	hub->worker = worker;
	hub->address = *address;
	for (enum hub_port port = HUB_RTP; port <= HUB_RTCP; port++) {
		struct door *door = &hub->doors[port];

		door->hub = hub;
		door->watch = (struct watch){ .fd = take_fds[port], .readable = on_readable };
		packets_widen(take_fds[port]);
		if (!err)
			err = worker_watch(worker, &door->watch);
	}
	if (err) {
		hub_destroy(hub);
		return err;
	}
	*ret_hub = hub;
	return 0;
}

struct hub *hub_destroy(struct hub *hub)
{
	if (!hub)
		return NULL;
	close(hub->doors[HUB_RTP].watch.fd); /* leaves the epoll set with it */
	close(hub->doors[HUB_RTCP].watch.fd);
	free(hub);
	return NULL;
}

const union net_address *hub_address(const struct hub *hub)
{
	return &hub->address;
}

int hub_sit(struct hub *hub, struct hub_seat *seat, const union net_address *address)
{
	static struct log_limit told;
	struct address_table *table = &hub->doors[seat->port].table;
	struct address_entry *there = address_table_find(table, address);
	struct hub_seat *holder = there ? CONTAINER_OF(there, struct hub_seat, entry) : NULL;

	if (holder == seat)
		return 0;
	if (holder && holder->dialog != seat->dialog) {
		address_table_tell_taken(&told, address, "`shared_port: false` of its trunk");
		return -EADDRINUSE;
	}
	if (holder)
		hub_leave(holder);
	hub_leave(seat);
	if (address->any.sa_family == AF_UNSPEC || net_is_unspecified(address))
		return 0;
	seat->hub = hub;
	seat->entry.address = *address;
	address_table_add(table, &seat->entry);
	return 0;
}

void hub_leave(struct hub_seat *seat)
{
	if (seat->hub)
		address_table_remove(&seat->hub->doors[seat->port].table, &seat->entry);
	seat->hub = NULL;
}

bool hub_send(struct hub *hub, enum hub_port port, const union net_address *to,
	      const uint8_t *packet, size_t length)
{
	return packets_send(worker_packets(hub->worker), hub->doors[port].watch.fd, to, packet,
			    length);
}
